"""Data files parsed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.data.parse import parse
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
        ("a.json", "[" * 100_000, 1, "nested more than 100 deep"),
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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a.csv", "sep=;\na;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        ("a.csv", '\ufeff"sep=|"\r\na|b\r\n1|2\r\n', [{"a": "1", "b": "2"}]),
        ("a.csv", "a;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        ("a.csv", "a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ("a.csv", "note; more\nx\n", [{"note; more": "x"}]),
        ("a.csv", "a,b;c\n1,2\n", [{"a": "1", "b;c": "2"}]),
        ("a.tsv", "a\tb\n1,5\t2\n", [{"a": "1,5", "b": "2"}]),
        ("a.csv", ",a\n0,x\n", [{"": "0", "a": "x"}]),
        ("a.csv", "a,,\n1,,\n2,,\n", [{"a": "1"}, {"a": "2"}]),
        ("a.json", r'"\ud83d\ude00 \\ud800"', "\U0001f600 \\ud800"),
    ],
)
def test_what_spreadsheets_write_is_read(name: str, text: str, value: object) -> None:
    assert parse(text.encode(), name) == value


def test_a_cell_is_as_long_as_it_is_and_the_processs_limit_stays() -> None:
    before = csv.field_size_limit()
    assert parse(b"a\n" + b"x" * 1_000_000, "a.csv") == [{"a": "x" * 1_000_000}]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.csv", "a,a\n1,2\n", 1, "two columns are named 'a'"),
        ("a.csv", "sep=,\na,a\n1,2\n", 2, "two columns are named 'a'"),
        ("a.csv", ",,a\n1,2,3\n", 1, "two columns have no name"),
        ("a.csv", "a;b,c\n1\n", 2, "1 value for 2 columns (a;b, c)"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', 3, "not closed"),
        ("a.csv", 'a,b\n"1\n1",2\n3,4,5\n', 4, "3 values for 2 columns"),
        ("a.csv", "a,b\n1,\0\n", 2, "NUL"),
        ("a.csv", "net, EUR;number\n1,5;2\n", 1, "commas and semicolons would divide it alike"),
        ("a.csv", "a;b\n1;2\n3\n", 3, "1 value by semicolons for 2 columns (a, b)"),
        ("a.csv", "a\tb\tc\n1\t2\n", 2, "2 values by tabs for 3 columns"),
        ("a.csv", "price\n1,5\n", 2, "2 values for 1 column (price)"),
        ("a.json", '\n{"a": "\\ud800"}', 2, r"\ud800 is half a character"),
        ("a.json", '\n["\\ud83d\\ude00", "\\ude00"]', 2, r"\ude00 is half a character"),
        ("a.json", '{"r": [{"n": 1},\n {"n": 1,\n "n": 2}]}', 3, "`n` stands there twice"),
        ("a.json", '["NaN",\nNaN]', 2, "NaN"),
        ("a.json", "[1,\n-Infinity]", 2, "-Infinity"),
        ("a.json", "[1,\n" + "9" * 5000 + "]", 2, "4300 digits"),
        ("a.json", '{"a": {"b": ["{", {"c": 1}]},\n"\\u0061": 2}', 2, "`a` stands there twice"),
        ("a.json", "[1,\n" + "[" * 100 + "]" * 101, 2, "nested more than 100 deep"),
        ("a.json", "[\n" + "[" * 100_000 + "]" * 100_001, 2, "nested more than 100 deep"),
        ("a.toml", "a = " + "[" * 101 + "]" * 101, 0, "nested more than 100 deep"),
        ("a.toml", "a = " + "[" * 5000 + "]" * 5000, 0, "nested more than 100 deep"),
        ("a.toml", "a." * 101 + "b = 1", 0, "nested more than 100 deep"),
        ("a.toml", "a = 1\na = 2\n", 2, "overwrite"),
        ("a.toml", "a = " + "9" * 5000, 1, "4300 digits"),
        ("a.yaml", "a: 1\nb: !!bool maybe\n", 2, "`maybe` is no bool"),
        ("a.yaml", "a: 1\na: 2\n", 2, "`a` stands there twice"),
    ],
)
def test_data_from_which_a_value_would_be_lost_is_told(name: str, text: str, line: int, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(text.encode(), name)
    assert (caught.value.problem.file, caught.value.problem.line) == (name, line)
    assert words in caught.value.problem.message


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("note\nuse a; then b\nsemi; colon\n", [{"note": "use a; then b"}, {"note": "semi; colon"}]),
        ('"a;b"\n"1;2"\n3\n', [{"a;b": "1;2"}, {"a;b": "3"}]),
        ("sep=,\na;b\n1;2\n", [{"a;b": "1;2"}]),
        ("name;first\nx;y,z\n", [{"name": "x", "first": "y,z"}]),
        ("id,tags (a;b)\n1,x\n2,y;z\n", [{"id": "1", "tags (a;b)": "x"}, {"id": "2", "tags (a;b)": "y;z"}]),
        ("a;b,c\n", []),
    ],
)
def test_a_separator_that_only_stands_in_texts_divides_nothing(text: str, rows: list[dict[str, str]]) -> None:
    assert parse(text.encode(), "a.csv") == rows


def test_data_that_is_as_deep_as_is_read_is_read() -> None:
    assert parse(b"[" * 100 + b"]" * 100, "a.json")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_named(encoding: str) -> None:
    with pytest.raises(ProblemError, match=r"UTF-16|NUL"):
        parse("a,b\n".encode(encoding), "a.csv")


def test_an_invisible_character_that_breaks_a_yaml_file_is_named() -> None:
    with pytest.raises(ProblemError) as raised:
        parse("a:\u00a01\nb: 2\n".encode(), "a.yaml")
    problem = raised.value.problem
    assert (problem.line, "no-break space (U+00A0)" in problem.message) == (1, True)
