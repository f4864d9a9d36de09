"""The lines that editors read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kahnd.cli.problems import of_answer, of_entry, of_problem
from kahnd.core.model import Problem

ROOT = Path("/home/me/handbook")
MATCHER = re.compile(r"^(/.+?):(\d+):(\d+): (error|warning): (.*)$")
"""As docs/how-to/editors.md gives it to editors."""


def entry(**more: Any) -> dict[str, Any]:
    return {"document": "docs/a.md", "error": "docs/a.md:7: no such filter (see the list)", **more}


def test_a_failure_has_its_file_line_and_words() -> None:
    told = entry(file="docs/_part.md", line=7, message="no such filter", remedy="see the list")
    assert of_entry(ROOT, told, "error") == (
        "/home/me/handbook/docs/_part.md:7:1: error: no such filter (see the list)"
    )


def test_what_has_no_place_is_at_the_document_s_beginning() -> None:
    assert of_entry(ROOT, {"document": "docs/a.sh", "error": "ended with 3"}, "error") == (
        "/home/me/handbook/docs/a.sh:1:1: error: ended with 3"
    )


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("docs/a.scss:12:5: expected {", "12:5"),
        ("Error: x\n  docs/a.scss:12: bad", "12:1"),
        ("/home/me/handbook/docs/a.scss:3:9: no", "3:9"),
        ("other/docs.scss:12:5: no", "1:1"),
        ("", "1:1"),
    ],
)
def test_a_program_s_own_place_counts_where_nothing_better_is_known(output: str, place: str) -> None:
    told = {"document": "docs/a.scss", "message": "ended with 1", "output": output}
    assert of_entry(ROOT, told, "error") == f"/home/me/handbook/docs/a.scss:{place}: error: ended with 1"


def test_what_waits_for_a_failed_one_is_a_warning_and_what_names_something_missing_is_not() -> None:
    answer = {
        "failed": [{"document": "docs/a.md", "message": "broken", "line": 2}],
        "blocked": [
            {"document": "docs/b.md", "because": "docs/a.md", "message": "waits", "line": 3},
            {"document": "docs/c.md", "because": "docs/no.md", "message": "is missing", "line": 4},
        ],
        "warnings": [{"document": "docs/d.dot", "message": "dot is not installed"}],
    }
    assert [line.removeprefix(f"{ROOT}/docs/") for line in of_answer(ROOT, answer)] == [
        "a.md:2:1: error: broken",
        "b.md:3:1: warning: waits",
        "c.md:4:1: error: is missing",
        "d.dot:1:1: warning: dot is not installed",
    ]


def test_status_is_told_the_same_way() -> None:
    answer = {"failures": [{"document": "docs/a.md", "message": "broken", "line": 2}], "blocked": []}
    assert of_answer(ROOT, answer) == [f"{ROOT}/docs/a.md:2:1: error: broken"]


def test_every_line_is_one_that_a_matcher_reads() -> None:
    hostile = {"document": "docs/a.md", "message": "two\nlines\x1b[31m", "line": 3}
    line = of_entry(ROOT, hostile, "error")
    found = MATCHER.match(line)
    assert found
    assert found.groups() == (f"{ROOT}/docs/a.md", "3", "1", "error", r"two lines\x1b[31m")


def test_a_mistake_in_the_configuration_is_a_line_too() -> None:
    assert of_problem(ROOT, Problem("unknown key", "kahnd.toml", 3, "did you mean x?")) == (
        "/home/me/handbook/kahnd.toml:3:1: error: unknown key (did you mean x?)"
    )
