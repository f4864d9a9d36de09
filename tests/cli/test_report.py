from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from kahnd.cli import report


def _report(**changes: Any) -> Any:
    empty: dict[str, Any] = {key: [] for key in ("rendered", "skipped", "failed", "blocked", "removed", "cycles")}
    return {**empty, "duration_ms": 12.4, **changes}


@pytest.fixture(autouse=True)
def _newfoundland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in this zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "NST3:30")
        time.tzset()
        yield
    time.tzset()


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


def test_a_build_lists_its_problems_and_a_summary() -> None:
    assert report.build(_report(rendered=["c.md"], failed=FAILED, blocked=BLOCKED)) == [
        "failed   a.md:3: no such thing\n          second line\n          its own\n          words",
        "blocked  b.md: waits for a.md",
        "1 rendered, 1 failed, 1 blocked (12 ms)",
    ]


def test_a_failure_without_a_place_is_told_with_its_document() -> None:
    failed = [{"document": "a.md", "error": "templates/page.html:3: no such thing"}]
    assert report.build(_report(failed=failed))[0] == "failed   a.md: templates/page.html:3: no such thing"


def test_a_blocked_document_shows_the_place_of_its_dependency() -> None:
    blocked = [{"document": "b.md", "because": "a.md", "error": "b.md:2: needs a.md, which is not there"}]
    assert report.build(_report(blocked=blocked))[0] == "blocked  b.md:2: needs a.md, which is not there"


def test_a_failure_of_many_documents_is_one_entry_with_their_number() -> None:
    failed = [{"document": f"{n}.md", "error": f"{n}.md:{n}: no author", "output": "words"} for n in range(1, 131)]
    other = {"document": "x.md", "error": "layout.html:2: no title", "output": ""}
    assert report.build(_report(failed=[failed[0], other, *failed[1:]])) == [
        "failed   no author\n          words\n          in 130 documents: 1.md:1, 2.md:2, 3.md:3, …",
        "failed   x.md: layout.html:2: no title",
        "131 failed (12 ms)",
    ]


def test_the_failures_of_others_by_one_document_are_told_with_its_own() -> None:
    error = "a.md:5: its front matter is broken"
    failed = [{"document": each, "error": error} for each in ("0.md", "a.md", "1.md", "2.md", "3.md")]
    assert report.build(_report(failed=[*failed, {"document": "b.md", "error": "b.md:1: odd"}])) == [
        f"failed   {error}\n          in 4 other documents, too: 0.md, 1.md, 2.md, …",
        "failed   b.md:1: odd",
        "6 failed (12 ms)",
    ]


def test_the_failure_of_a_file_that_many_documents_use_is_one_entry() -> None:
    blocked = [{"document": f"{n}.md", "because": "a.md", "error": ""} for n in range(4)]
    assert report.build(_report(blocked=blocked))[0] == (
        "blocked  waits for a.md\n          in 4 documents: 0.md, 1.md, 2.md, …"
    )
    assert report.build(_report(blocked=blocked[:3]))[:-1] == [f"blocked  {n}.md: waits for a.md" for n in range(3)]


def test_warnings_are_told_by_build_and_status_equal_ones_as_one_and_only_the_first() -> None:
    warnings = [
        *({"document": f"{each}.md", "warning": f"{each}.md:2:{each + 1}: odd"} for each in range(5)),
        *({"document": "a.md", "warning": f"a.md:{line}: odd {line}"} for line in range(25)),
    ]
    told = report.build(_report(rendered=["a.md"], warnings=warnings))
    assert told[0] == "warning  odd\n          in 5 documents: 0.md:2:1, 1.md:2:2, 2.md:2:3, …"
    assert told[1] == "warning  a.md:0: odd 0"
    assert told[-2] == "          and 6 more warnings: `kahnd status --problems` lists all"
    assert told[-1] == "1 rendered (12 ms)"
    assert report.status(STATUS | {"warnings": warnings[-1:]})[-1] == "warning  a.md:24: odd 24"


def test_equal_warnings_of_one_document_are_in_places() -> None:
    warnings = [{"document": "a.md", "warning": f"a.md:{line}: odd"} for line in range(1, 6)]
    told = report.build(_report(warnings=warnings))
    assert told[0] == "warning  odd\n          in 5 places: a.md:1, a.md:2, a.md:3, …"


def test_a_cycle_is_reported_once() -> None:
    failed = [{"document": name, "error": "is on a cycle"} for name in ("a.md", "b.md")]
    lines = report.build(_report(failed=failed, cycles=CYCLE))
    assert lines == ["cycle    a.md → b.md → a.md", "2 failed (12 ms)"]


def test_a_build_with_nothing_to_do_says_so() -> None:
    assert report.build(_report()) == ["everything is up to date (12 ms)"]


def test_long_times_are_in_seconds() -> None:
    assert report.build(_report(duration_ms=65432, rendered=["a"]))[-1] == "1 rendered (65.4 s)"


def test_a_plan_is_aligned() -> None:
    answer: Any = {
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


STATUS: Any = {
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
    stopped: Any = {
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
    entry: Any = {
        "document": "a.md",
        "cause": "a.md saved",
        "status": "DONE",
        "started_at": "2026-01-31T12:00:01Z",
        "duration_ms": 3.2,
    }
    failed = {**entry, "status": "FAILED", "started_at": "2026-01-31T12:00:00Z", "error": "a.md:3: broken"}
    entries: Any = [{**entry, "error": None}, failed]
    assert report.history(entries) == [
        "2026-01-31 08:30:01.000  rendered  3 ms  a.md  a.md saved",
        "2026-01-31 08:30:00.000  failed    3 ms  a.md  a.md saved",
        "    a.md:3: broken",
    ]
    assert report.history([]) == ["nothing was rendered yet"]


def test_why_has_the_hashes_of_each_reason_and_the_chain() -> None:
    reason: dict[str, Any] = {"kind": "dependency", "document": "_p.md", "before": "11", "after": None, "facets": []}
    answer: Any = {
        "document": "a.md",
        "status": "DIRTY",
        "reasons": [reason],
        "chain": ["_p.md", "a.md"],
        "rendered": None,
    }
    assert report.why(answer) == ["a.md: DIRTY", "  dependency  _p.md  11 → nothing", "_p.md → a.md"]
    part = {**reason, "document": "b.md", "facets": ["front_matter", "title"]}
    assert report.why(answer | {"reasons": [part]})[1] == "  dependency  b.md (front matter, title)  11 → nothing"
    past = {"started_at": "2026-01-31T12:00:01Z", "cause": "start"}
    answer |= {"status": "DONE", "reasons": [], "chain": ["a.md"], "rendered": past}
    assert report.why(answer) == ["a.md: DONE, rendered 2026-01-31 08:30:01.000 (start)", "  no reason to tell"]


def test_status_names_missing_documents_and_who_needs_them() -> None:
    missing = [
        {"document": "docs/x.md", "needed_by": ["docs/a.md", "docs/b.md"], "count": 7},
        {"document": "docs/y.md", "needed_by": ["docs/a.md"], "count": 1},
    ]
    lines = report.status(STATUS | {"missing": missing})
    assert lines[-2:] == [
        "missing  docs/x.md, needed by docs/a.md, docs/b.md and 5 more",
        "missing  docs/y.md, needed by docs/a.md",
    ]
