from __future__ import annotations

from typing import Any

import pytest

from kahnd.cli import report


def _report(**changes: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {key: [] for key in ("rendered", "skipped", "failed", "blocked", "removed", "cycles")}
    return {**empty, "duration_ms": 12.4, **changes}


FAILED = [{"document": "a.md", "error": "a.md:3: no such thing\nsecond line", "output": "its own\nwords"}]
BLOCKED = [{"document": "b.md", "because": "a.md"}]
CYCLE = [["a.md", "b.md", "a.md"]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"rendered": ["a.md"], "skipped": ["b.md"]}, 0),
        ({"failed": FAILED}, 1),
        ({"blocked": BLOCKED}, 1),
        ({"cycles": CYCLE}, 3),
        ({"failed": FAILED, "blocked": BLOCKED, "cycles": CYCLE}, 3),
    ],
)
def test_exit_codes(changes: dict[str, Any], code: int) -> None:
    assert report.exit_code(_report(**changes)) == code


def test_a_build_tells_what_is_not_well_and_sums_up() -> None:
    assert report.build(_report(rendered=["c.md"], failed=FAILED, blocked=BLOCKED)) == [
        "failed   a.md:3: no such thing\n          second line\n          its own\n          words",
        "blocked  b.md: waits for a.md",
        "1 rendered, 1 failed, 1 blocked (12 ms)",
    ]


def test_a_failure_without_a_place_is_told_with_its_document() -> None:
    failed = [{"document": "a.md", "error": "templates/page.html:3: no such thing"}]
    assert report.build(_report(failed=failed))[0] == "failed   a.md: templates/page.html:3: no such thing"


def test_a_blocked_document_says_where_it_needs_what_where_that_is_known() -> None:
    blocked = [{"document": "b.md", "because": "a.md", "error": "b.md:2: needs a.md, which is not there"}]
    assert report.build(_report(blocked=blocked))[0] == "blocked  b.md:2: needs a.md, which is not there"


def test_a_cycle_is_told_once() -> None:
    failed = [{"document": name, "error": "is on a cycle"} for name in ("a.md", "b.md")]
    lines = report.build(_report(failed=failed, cycles=CYCLE))
    assert lines == ["cycle    a.md → b.md → a.md", "2 failed (12 ms)"]


def test_nothing_to_do_is_told() -> None:
    assert report.build(_report()) == ["everything is up to date (12 ms)"]


def test_long_times_are_in_seconds() -> None:
    assert report.build(_report(duration_ms=65432, rendered=["a"]))[-1] == "1 rendered (65.4 s)"


def test_a_plan_is_aligned() -> None:
    answer = {
        "generations": [["a.md"], ["long/name.md", "c.md"]],
        "reasons": {"a.md": "content changed", "long/name.md": "needs a.md", "c.md": "needs a.md"},
        "cycles": [["x.md", "x.md"]],
    }
    assert report.plan(answer) == [
        "generation 0",
        "  a.md  content changed",
        "generation 1",
        "  long/name.md  needs a.md",
        "  c.md          needs a.md",
        "cycle  x.md → x.md",
        "3 to render, in 2 generations",
    ]


def test_an_empty_plan() -> None:
    assert report.plan({"generations": [], "reasons": {}, "cycles": []}) == ["nothing to render"]


STATUS = {
    "project": "book",
    "root": "/p",
    "pid": 7,
    "state": "idle",
    "documents": {"total": 4, "done": 3, "dirty": 0, "failed": 1, "blocked": 0, "missing": 0},
    "failures": [{"document": "a.md", "error": "a.md:1: no"}],
    "last_build": {
        "id": "b1",
        "cause": "save",
        "rendered": 2,
        "skipped": 0,
        "failed": 1,
        "blocked": 0,
        "removed": 0,
        "duration_ms": 8,
        "generations": 1,
    },
    "watch": {"backend": "inotify", "overflows": 0, "rescans": 1},
    "store": {"url": "surrealkv://.kahnd/db"},
}


def test_status_is_short() -> None:
    assert report.status(STATUS) == [
        "project     book (/p)",
        "daemon      idle (process 7)",
        "documents   4: 3 done, 1 failed",
        "last build  save: 2 rendered, 1 failed (8 ms)",
        "watch       inotify, 0 overflows, 1 rescan",
        "store       surrealkv://.kahnd/db",
        "failed  a.md:1: no",
    ]


def test_status_without_a_daemon_says_how_to_start_one() -> None:
    stopped = {
        **STATUS,
        "pid": None,
        "state": "stopped",
        "watch": {"backend": None},
        "last_build": None,
        "failures": [],
    }
    lines = report.status(stopped)
    assert "daemon     stopped (start it with `kahnd run`)" in lines
    assert not any(line.startswith(("watch", "last build")) for line in lines)


def test_history_has_a_line_a_render_and_what_went_wrong_below_it() -> None:
    entry = {"document": "a.md", "cause": "a.md saved", "status": "DONE", "started_at": "T1", "duration_ms": 3.2}
    failed = {**entry, "status": "FAILED", "started_at": "T0", "error": "a.md:3: broken"}
    assert report.history([{**entry, "error": None}, failed]) == [
        "T1  rendered  3 ms  a.md  a.md saved",
        "T0  failed    3 ms  a.md  a.md saved",
        "    a.md:3: broken",
    ]
    assert report.history([]) == ["nothing was rendered yet"]


def test_why_has_the_hashes_of_each_reason_and_the_chain() -> None:
    reason: dict[str, Any] = {"kind": "dependency", "document": "_p.md", "before": "11", "after": None, "facets": []}
    answer: dict[str, Any] = {
        "document": "a.md",
        "status": "DIRTY",
        "reasons": [reason],
        "chain": ["_p.md", "a.md"],
        "rendered": None,
    }
    assert report.why(answer) == ["a.md: DIRTY", "  dependency  _p.md  11 → nothing", "_p.md → a.md"]
    part = {**reason, "document": "b.md", "facets": ["front_matter", "title"]}
    assert report.why(answer | {"reasons": [part]})[1] == "  dependency  b.md (front matter, title)  11 → nothing"
    past = {"started_at": "T1", "cause": "start"}
    answer |= {"status": "DONE", "reasons": [], "chain": ["a.md"], "rendered": past}
    assert report.why(answer) == ["a.md: DONE, rendered T1 (start)", "  no reason to tell"]
