"""Data files parsed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.data import parse
from kahnd.render.files import ProblemError

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a.csv", 'x,y\n1,"a,\nb"\n\n2,c\n', [{"x": "1", "y": "a,\nb"}, {"x": "2", "y": "c"}]),
        ("a.csv", "\ufeffx\n1\n", [{"x": "1"}]),
        ("a.csv", "", []),
        ("a.json", '{"a": [1, null]}', {"a": [1, None]}),
        ("a.toml", "a = 1\n[b]\nc = 2\n", {"a": 1, "b": {"c": 2}}),
        ("a.yaml", "- a: 1\n", [{"a": 1}]),
        ("A.YML", "a: é\n", {"a": "é"}),
    ],
)
def test_a_file_is_parsed_by_its_ending(name: str, text: str, value: object) -> None:
    assert parse(text.encode(), name) == value


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_a_written_sheet_is_read_back(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("x", "y"), *rows])
    assert parse(file.getvalue().encode(), "a.csv") == [{"x": x, "y": y} for x, y in rows]


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.csv", "x,y\n1,2\n1,2,3\n", 3, "3 values for 2 columns"),
        ("a.csv", 'x\n"a"b\n', 2, ""),
        ("a.json", '{"a": 1,\n"b"}', 2, ""),
        ("a.json", "[" * 100_000, 0, "recursion"),
        ("a.toml", "a = 1\nb = \n", 2, ""),
        ("a.yaml", "a: 1\nb: [\n", 3, ""),
        ("a.yaml", "a: 2026-13-45\n", 1, "month"),
        ("a.txt", "", 0, "unknown kind: .txt"),
        ("a", "", 0, "no ending"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(name: str, text: str, line: int, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(text.encode(), name)
    assert (caught.value.problem.file, caught.value.problem.line) == (name, line)
    assert words in caught.value.problem.message
    assert caught.value.problem.remedy


def test_data_that_is_no_text_is_told() -> None:
    with pytest.raises(ProblemError, match="not UTF-8"):
        parse(b"\xff", "a.json")
