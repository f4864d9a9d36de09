"""The lines of the live view, from a snapshot and without a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kahnd.app.status import (
    ActiveRender,
    BuildProgress,
    DocumentProblem,
    ServeStatus,
    StatusSnapshot,
    StoreStatus,
    WatchStatus,
)
from kahnd.cli.listeners.live_view import block, past
from kahnd.core.events import LogEvent
from kahnd.core.model import DocumentId, Problem

COUNTS = {"done": 3, "dirty": 0, "failed": 1, "blocked": 1, "missing": 0}
A, B = DocumentId("docs/a.md"), DocumentId("docs/b.md")
FAILED = DocumentProblem(A, Problem("no such filter", "docs/a.md", 7, detail="line one\nline two"))
BLOCKED = DocumentProblem(B, Problem("needs docs/a.md, which failed", "docs/b.md", 2), because=A)
FINISHED = {"rendered": 2, "skipped": 0, "failed": 1, "blocked": 0, "removed": 0, "duration_ms": 120.0}


def drawn(now: StatusSnapshot, height: int = 20, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(block(now, console, height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_start_is_a_greeting_that_says_where_outputs_are_and_how_to_stop() -> None:
    line = past("daemon.started", {"pid": 1, "project": "notes", "output": "site"}, "12:00:00")
    assert line is not None
    assert line.plain == "12:00:00  notes: outputs are in site/; press Ctrl-C to stop"


def test_at_rest_the_view_shows_counts() -> None:
    assert drawn(StatusSnapshot("idle", counts={**COUNTS, "failed": 0, "blocked": 0})) == ["idle  3 documents: 3 done"]


def test_the_address_of_the_preview_is_below_the_head() -> None:
    url = "http://127.0.0.1:8300/?token=x"
    assert drawn(StatusSnapshot("idle", counts={"done": 1}, serve=ServeStatus(url)), height=2) == [
        "idle  1 document: 1 done",
        f"  preview  {url}",
    ]


def test_a_build_has_its_progress_and_its_cause() -> None:
    (head,) = drawn(StatusSnapshot("rendering", counts=COUNTS, build=BuildProgress("docs/a.md saved", 3, 12)))
    assert head.startswith("rendering 3/12")
    assert head.endswith("docs/a.md saved")


def test_renderings_are_shown_those_first_that_have_taken_longest() -> None:
    running = (ActiveRender(A, 0, 0.2), ActiveRender(B, 1, 4.25))
    lines = drawn(StatusSnapshot("rendering", counts=COUNTS, build=BuildProgress("start", total=2, running=running)))
    assert lines[1:] == ["  generation 1  docs/b.md  4.2 s", "  generation 0  docs/a.md  0.2 s"]


def test_of_many_renderings_the_others_are_counted() -> None:
    running = tuple(ActiveRender(DocumentId(f"docs/{number}.md"), 0, number) for number in range(30))
    lines = drawn(
        StatusSnapshot("rendering", counts=COUNTS, build=BuildProgress("start", total=30, running=running)), height=12
    )
    assert lines[-1] == "  and 27 more being rendered"
    assert len(lines) <= 12


def test_a_failure_is_shown_with_its_place_and_output_and_a_blocked_document_with_its_culprit() -> None:
    assert drawn(StatusSnapshot("idle", counts=COUNTS, problems=(FAILED, BLOCKED)))[1:] == [
        "failed    docs/a.md:7: no such filter",
        "          line one",
        "          line two",
        "blocked   docs/b.md:2: needs docs/a.md, which failed",
    ]


def test_trouble_of_the_daemon_is_shown_before_failures() -> None:
    now = StatusSnapshot(
        "degraded",
        counts=COUNTS,
        problems=(FAILED,),
        store=StoreStatus(lost="the database is away"),
        watch=WatchStatus(unwatched=("docs", "data")),
        config_problems=(Problem("unknown key", "kahnd.toml", 3),),
    )
    lines = drawn(now)
    assert lines[0].startswith("degraded  5 documents")
    assert [line.split()[0] for line in lines[1:5]] == ["daemon", "unwatched", "config", "failed"]
    assert "kahnd.toml:3: unknown key" in lines[3]


@pytest.mark.parametrize("height", [1, 2, 3, 7])
def test_the_view_fits_the_height_of_the_terminal(height: int) -> None:
    running = tuple(ActiveRender(DocumentId(f"docs/{number}.md"), 0, 1) for number in range(5))
    now = StatusSnapshot(
        "rendering", counts=COUNTS, build=BuildProgress("start", running=running), problems=(FAILED, BLOCKED) * 10
    )
    assert len(drawn(now, height)) <= max(height, 2)


def test_every_line_fits_the_width_of_the_terminal() -> None:
    now = StatusSnapshot(
        "rendering",
        counts=COUNTS,
        build=BuildProgress("c" * 200, running=(ActiveRender(A, 0, 1),)),
        problems=(FAILED, BLOCKED),
    )
    assert all(len(line) <= 30 for line in drawn(now, width=30))


def test_a_finished_build_is_printed_as_a_line() -> None:
    line = past(LogEvent.BUILD_FINISHED, {"cause": "docs/a.md saved", **FINISHED}, "12:00:00")
    assert line is not None
    assert line.plain == "12:00:00  docs/a.md saved: 2 rendered, 1 failed (120 ms)"


@pytest.mark.parametrize("event", [LogEvent.DOCUMENT_WARNED, LogEvent.CYCLE_FOUND, LogEvent.CONFIG_INVALID])
def test_events_that_the_block_shows_are_not_printed(event: LogEvent) -> None:
    assert past(event, {"document": "docs/a.md"}, "12:00:00") is None


def test_warnings_are_counted_and_the_first_are_shown() -> None:
    names = [DocumentId(f"docs/{number}.md") for number in range(7)]
    warnings = tuple(DocumentProblem(each, Problem(f"odd {each}", each, 2, "mend it", column=4)) for each in names)
    lines = drawn(StatusSnapshot("idle", counts={"done": 9}, warnings=warnings, warned=12))
    assert lines[0] == "idle  9 documents: 9 done, 12 warnings"
    assert lines[1] == "warning   docs/0.md:2:4: odd docs/0.md (mend it)"
    assert lines[6:] == ["  and 2 more warnings: `kahnd status` tells more"]


def test_what_happens_to_the_daemon_is_a_line() -> None:
    lost = past(LogEvent.STORE_LOST, {"error": "away"}, "12:00:00")
    assert lost is not None
    assert lost.plain == "12:00:00  store.lost  error=away"


def test_nothing_in_a_name_steers_the_terminal() -> None:
    hostile = DocumentId("docs/\x1b]0;x\x07.md")
    now = StatusSnapshot(
        "rendering",
        counts=COUNTS,
        build=BuildProgress(f"{hostile} saved", running=(ActiveRender(hostile, 0, 1),)),
        problems=(DocumentProblem(hostile, Problem("no\x1b[2J", detail="\x9b31m")),),
    )
    assert not any(each in "\n".join(drawn(now)) for each in "\x1b\x07\x9b")


@pytest.mark.parametrize(("broken", "extent"), [(130, ""), (300, "at least ")])
def test_a_failure_of_many_documents_is_one_entry(broken: int, extent: str) -> None:
    names = tuple(DocumentId(f"docs/{number}.md") for number in range(broken))
    many = tuple(DocumentProblem(each, Problem("no author", each, 1, detail="words\n" * 9)) for each in names[:130])
    lines = drawn(StatusSnapshot("idle", counts=COUNTS, problems=many, broken=names))
    assert [line.strip() for line in lines if "failed" in line or "in " in line] == [
        "idle  5 documents: 3 done, 1 failed, 1 blocked",
        "failed    no author",
        f"in {extent}130 documents: docs/0.md:1, docs/1.md:1, docs/2.md:1, …",
    ]


def test_a_long_message_goes_on_below_its_beginning() -> None:
    message = "there is no filter of this name, neither of Jinja nor of kahnd nor in the project's own module"
    wrong = (DocumentProblem(A, Problem(message, "docs/a.md", 7)),)
    _, *lines = drawn(StatusSnapshot("idle", counts=COUNTS, problems=wrong), width=60)
    assert lines[0].startswith("failed    docs/a.md:7: there is no filter")
    assert [line[:10] for line in lines[1:]] == [" " * 10] * (len(lines) - 1)
    assert " ".join(" ".join(lines).split()).endswith(message)
    assert max(map(len, lines)) <= 60


def test_a_message_without_end_is_cut_after_some_lines() -> None:
    wrong = (DocumentProblem(A, Problem("word " * 500, "docs/a.md", 7)),)
    _, *lines = drawn(StatusSnapshot("idle", counts=COUNTS, problems=wrong), width=60)
    assert len(lines) == 5
    assert lines[-1].endswith("…")
