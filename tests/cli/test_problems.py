"""The lines that editors read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kahnd.app.status import DocumentProblem, StatusSnapshot
from kahnd.cli.listeners.problems import problems_of
from kahnd.cli.output import entry_line, problem_line, problem_lines
from kahnd.core.model import DocumentId, Problem

ROOT = Path("/home/me/handbook")
MATCHER = re.compile(r"^(/.+?):(\d+):(\d+): (error|warning): (.*)$")
"""As docs/how-to/editors.md gives it to editors."""


def entry(**more: Any) -> dict[str, Any]:
    return {"document": "docs/a.md", "error": "docs/a.md:7: no such filter (see the list)", **more}


def test_a_failure_has_its_file_line_and_words() -> None:
    told = entry(file="docs/_part.md", line=7, message="no such filter", remedy="see the list")
    assert entry_line(ROOT, told, "error") == (
        "/home/me/handbook/docs/_part.md:7:1: error: no such filter (see the list)"
    )


def test_a_problem_without_a_place_is_at_the_documents_first_line() -> None:
    assert entry_line(ROOT, {"document": "docs/a.sh", "error": "ended with 3"}, "error") == (
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
def test_a_place_in_a_programs_output_is_used_if_no_other_is_known(output: str, place: str) -> None:
    told = {"document": "docs/a.scss", "message": "ended with 1", "output": output}
    assert entry_line(ROOT, told, "error") == f"/home/me/handbook/docs/a.scss:{place}: error: ended with 1"


def test_a_document_that_waits_for_a_failed_one_is_a_warning_and_a_missing_dependency_an_error() -> None:
    answer = {
        "failed": [{"document": "docs/a.md", "message": "broken", "line": 2}],
        "blocked": [
            {"document": "docs/b.md", "because": "docs/a.md", "message": "waits", "line": 3},
            {"document": "docs/c.md", "because": "docs/no.md", "message": "is missing", "line": 4},
        ],
        "warnings": [
            {"document": "docs/d.dot", "message": "dot is not installed"},
            {"document": "docs/e.md", "message": "odd", "file": "docs/_f.md", "line": 5, "column": 6},
        ],
    }
    assert [line.removeprefix(f"{ROOT}/docs/") for line in problem_lines(ROOT, answer)] == [
        "a.md:2:1: error: broken",
        "b.md:3:1: warning: waits",
        "c.md:4:1: error: is missing",
        "d.dot:1:1: warning: dot is not installed",
        "_f.md:5:6: warning: odd",
    ]


def test_a_daemon_tells_the_warnings_that_stand_and_counts_all() -> None:
    warned = DocumentProblem(DocumentId("docs/a.md"), Problem("odd", "docs/a.md", 2, "mend it", column=4))
    now = StatusSnapshot("idle", counts={"failed": 0, "blocked": 0}, warnings=(warned,), warned=1)
    line = f"{ROOT}/docs/a.md:2:4: warning: odd (mend it)"
    assert problems_of(ROOT, now) == [line, "kahnd: at rest, 0 problems, 1 warning"]
    *_, last = problems_of(ROOT, replace(now, warned=9))
    assert last == "kahnd: at rest, 0 problems, 9 warnings (these are the first 1)"


def test_status_is_told_the_same_way() -> None:
    answer = {"failures": [{"document": "docs/a.md", "message": "broken", "line": 2}], "blocked": []}
    assert problem_lines(ROOT, answer) == [f"{ROOT}/docs/a.md:2:1: error: broken"]


def test_every_line_is_one_that_a_matcher_reads() -> None:
    hostile = {"document": "docs/a.md", "message": "two\nlines\x1b[31m", "line": 3}
    line = entry_line(ROOT, hostile, "error")
    found = MATCHER.match(line)
    assert found
    assert found.groups() == (f"{ROOT}/docs/a.md", "3", "1", "error", r"two lines\x1b[31m")


def test_a_mistake_in_the_configuration_is_a_line_too() -> None:
    assert problem_line(ROOT, Problem("unknown key", "kahnd.toml", 3, "did you mean x?")) == (
        "/home/me/handbook/kahnd.toml:3:1: error: unknown key (did you mean x?)"
    )
