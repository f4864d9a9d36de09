"""The positions that failed programs' messages name."""

from __future__ import annotations

import pytest

from kahnd.render.programs.process import Position, position
from kahnd.render.scan.expressions import expression_error

FILES = {"docs/a.tex", "a.c", "docs/with blank.py"}


def find_file(name: str) -> str | None:
    return name if name in FILES else None


@pytest.mark.parametrize(
    ("output", "found"),
    {
        "docs/a.tex:12: Undefined control sequence.": Position("docs/a.tex", 12, "Undefined control sequence."),
        "a.c:3:7: error: expected ';'": Position("a.c", 3, "error: expected ';'", 7),
        "a.c:3:7:": Position("a.c", 3, "", 7),
        f"a.c:{'9' * 5000}: error": None,
        '  File "docs/with blank.py", line 4, in f\nKeyError': Position("docs/with blank.py", 4, ", in f"),
        "a.c:1: warning: unused\na.c:9: error: no type\na.c:10: error: two": Position("a.c", 9, "error: no type"),
        "a.c:1: warning: unused\nb.c:9: error: no type": Position("a.c", 1, "warning: unused"),
        "/usr/include/x.h:9: error: far away": None,
        "it took 12:30 minutes: too long": None,
        "": None,
    }.items(),
)
def test_the_first_position_in_a_file_of_the_project_is_found_and_an_errors_before_others(
    output: str, found: Position | None
) -> None:
    assert position(output, "", find_file) == found


def test_a_rules_own_expression_says_what_a_position_is() -> None:
    output = "! docs/a.tex line 7: bad\nerror in a.c:1: no"
    assert position(output, r"^! (\S+) line (\d+)", find_file) == Position("docs/a.tex", 7)
    assert position(output, r"^! (\S+) line (\d+): (.*)", find_file) == Position("docs/a.tex", 7, "bad")
    assert position(output, r"^nothing (\S+) (\d+)", find_file) is None


def test_named_groups_may_stand_in_any_order() -> None:
    output = "Error: no such colour\n        on line 3:12 of docs/a.tex"
    expression = r"(?:Error: (?P<message>.*)\n)?\s+on line (?P<line>\d+):\d+ of (?P<file>.+)"
    assert position(output, expression, find_file) == Position("docs/a.tex", 3, "no such colour")
    assert position(output, r"line (?P<line>\d+):\d+ of (?P<file>.+)", find_file) == Position("docs/a.tex", 3)


def test_where_a_rules_own_expression_finds_nothing_the_usual_form_counts() -> None:
    assert position("a.c:1: no", r"^! (\S+) line (\d+)", find_file) == Position("a.c", 1, "no")


def test_an_expression_that_names_some_of_its_groups_names_the_file_and_the_line() -> None:
    assert expression_error(r"(?P<line>\d+) of (?P<file>.+)", ("file", "line")) is None
    assert expression_error(r"(?P<line>\d+) of (.+)", ("file", "line")) == "names only its line; name file and line"
