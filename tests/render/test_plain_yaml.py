"""YAML as plain values, in bounded time and memory."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.data import plain_yaml
from kahnd.render.data.plain_yaml import YamlError, load, load_front_matter
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import MAX_CHARACTERS, split

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates() | st.binary()
VALUES = st.recursive(
    SCALARS | st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=12,
)
BOMB = "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n" + "".join(
    f"{each}: &{each} [{','.join([f'*{before}'] * 9)}]\n" for before, each in zip("abcdefgh", "bcdefghi", strict=True)
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert load(yaml.safe_dump(value)) == value


@given(st.text("-+_.:0123456789xobeEaftrunlsy~ \n[]{}&*!|>'\"#%@`,?<=", max_size=40))
def test_any_text_is_read_as_pyyaml_does_or_refused_with_a_line(text: str) -> None:
    try:
        value = load(text)
    except YamlError as error:
        line = error.line
    else:
        alike = not set(":!=").intersection(text) and "<<" not in text  # base 60, tags, types that PyYAML can't make
        line, known = 0, yaml.load(text, yaml.CSafeLoader) if alike else value
        assert repr(value) == repr(known)
    assert 0 <= line <= text.count("\n") + 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("14:30", "14:30"),
        ("190:20:30", "190:20:30"),
        ("1:30.5", "1:30.5"),
        ("02700", 1472),
        ("1.10", 1.1),
        ("No", False),
        ("on", True),
        ("=", "="),
        ("!!str 14", "14"),
        ("!!set {b, a}", ["b", "a"]),
        ("!!omap [b: 1, a: 2]", {"b": 1, "a": 2}),
        ("!!pairs [a: 1, a: 2]", [("a", 1), ("a", 2)]),
        ("!!binary aGk=", b"hi"),
        ("{<<: {a: 1, b: 1}, a: 2}", {"a": 2, "b": 1}),
        ("{<<: [{a: 1}, {a: 2, b: 2}]}", {"b": 2, "a": 1}),
        ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
        ("2026-01-10 10:00:00 +1", dt.datetime(2026, 1, 10, 10, tzinfo=dt.timezone(dt.timedelta(hours=1)))),
    ],
)
def test_a_value_is_what_yaml_means_but_for_base_60(text: str, value: object) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "!!bool maybe",
            "!!timestamp tomorrow",
            "!!int",
            "!!float",
            "!!int 1:30",
            "!!null []",
            "!!seq {}",
            "!!map []",
        ),
        *(
            "!!binary é",
            "!!binary a",
            "!!set [a]",
            "!!omap {a: 1}",
            "!!omap [a]",
            "!!str {}",
            "!x 1",
            "!!python/name:os",
        ),
        *(
            "2026-13-45",
            "2026-01-01 25:00:00",
            "2026-01-01 10:00:00 +99:00",
            "*no",
            "&a [*a]",
            "{? [a] : 1}",
            "{a: 1, a: 2}",
        ),
        *(
            "{<<: 1}",
            "9" * 5000,
            "0x" + "f" * 4300,
            "-" + "9" * 4300 + ".0",
            "[" * 101,
            "- " * 101,
            "? " * 101,
            "{a: " * 101,
        ),
        *('"\\ud800"', "a: \x00", "\t- a"),
    ],
)
def test_what_is_no_plain_value_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(YamlError) as caught:
        load(f"- 1\n-\n  {text}\n" if "---" not in text else text)
    assert caught.value.line == 3
    assert str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a {k: " + "x" * 20_000 + "}\nb: [" + "{<<: *a}," * 5000 + "]",
        "a: &a " + "x" * 30_000 + "\nb: [" + "*a," * 5000 + "]",
    ],
    ids=["lists", "merged", "a text"],
)
def test_aliases_are_bounded_by_what_they_come_to(text: str) -> None:
    with pytest.raises(YamlError, match="aliases"):
        load(text)


@pytest.mark.parametrize(
    "piece",
    ["1:1", "[", "{", "- ", "? ", "[a, ", "&a a\n", "*a ", "a: b, ", "%TAG !e! x\n", "'' ", "!!int ", "\\", "9", "|\n"],
)
def test_the_longest_front_matter_takes_a_moment(piece: str) -> None:
    """Of what can't be read, as of what can: the daemon itself reads it, and nothing else goes on meanwhile."""
    text = (piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    began = time.process_time()
    for each in (f"a: {text}"[:MAX_CHARACTERS], f"a: [{text}"[:MAX_CHARACTERS]):
        with suppress(YamlError):
            load_front_matter(each)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("written", "title"),
    [
        *(
            ("1.10", "1.10"),
            ("No", "No"),
            ("0123", "0123"),
            ("2026-01-10", "2026-01-10"),
            ("14:30", "14:30"),
            ("7", "7"),
        ),
        *(("'null'", "null"), ('"No"', "No"), ("1e400", "1e400"), ("!!bool maybe", "maybe"), ("9" * 5000, "9" * 5000)),
        *(("<b>Bold</b>", "<b>Bold</b>"), (">\n  Two\n  lines\n", "Two lines"), ("|\n  Two\n  lines\n", "Two\nlines")),
        *(("", None), ("~", None), ("null", None)),
    ],
)
def test_a_title_is_as_it_is_written(written: str, title: str | None) -> None:
    assert split(f"---\ntitle: {written}\n---\n", "a.md").meta["title"] == title


def test_front_matters_names_are_as_they_are_written() -> None:
    assert load_front_matter("on: 1\n2024: 2\nNo: 3\n1.10: 4\n") == {"on": 1, "2024": 2, "No": 3, "1.10": 4}


@pytest.mark.parametrize("written", ["[a, b]", "{a: b}", "\n  - a", "\n  Part: One"])
def test_a_title_that_is_no_text_is_refused_with_its_line(written: str) -> None:
    with pytest.raises(ProblemError) as caught:
        split(f"---\nx: 1\ntitle: {written}\n---\n", "a.md")
    assert caught.value.problem.line == (4 if written.startswith("\n") else 3)
    assert "`title` is a" in caught.value.problem.message


def test_a_title_that_begins_like_a_tag_is_refused_with_its_line() -> None:
    with pytest.raises(ProblemError, match="`!Important` is not known") as caught:
        split("---\nx: 1\ntitle: !Important news\n---\n", "a.md")
    assert caught.value.problem.line == 3


def test_a_no_break_space_in_front_matter_is_named() -> None:
    with pytest.raises(ProblemError, match=r"no-break space .* in line 3"):
        split("---\na: 1\nb:\xa02\n---\n", "a.md")


_YAML_PIECES = (*"abc:-[]{},?&*#'\"|>!%@`~1 \n\t", "a: ", "- ", "\n  ", "<<: ", "14:30", "---\n", "é", "\x01")


@given(st.lists(st.sampled_from(_YAML_PIECES), max_size=14).map("".join))
def test_both_composers_give_one_result(text: str) -> None:
    def loaded() -> object:
        try:
            return repr(load(text))
        except YamlError as error:
            return str(error), error.line

    quick = loaded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_yaml, "_is_shallow", lambda _: False)
        assert quick == loaded()


WITHOUT_LIBYAML = """
import sys
sys.modules["yaml._yaml"] = None
from kahnd.render.data.plain_yaml import YamlError, load
for text in sys.argv[1:]:
    try:
        print(load(text))
    except YamlError as error:
        print(error)
"""


def test_pyyaml_without_libyaml_will_do() -> None:
    texts = ["a: [1, 14:30]", "a: &x [b]\nc: *x", "a: \x01", "[" * 101]
    words = [sys.executable, "-c", WITHOUT_LIBYAML, *texts]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == [
        "{'a': [1, '14:30']}",
        "{'a': ['b'], 'c': ['b']}",
        "unacceptable character #x0001: special characters are not allowed",
        "it is nested more than 100 deep",
    ]
