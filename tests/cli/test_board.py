"""What a terminal shows of a daemon, without one: a moment in, lines out."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kahnd.cli.board import block, past
from kahnd.core.model import DocumentId, Problem
from kahnd.service.events import Event
from kahnd.service.glance import Glance, Rendering, Wrong

COUNTS = {"done": 3, "dirty": 0, "failed": 1, "blocked": 1, "missing": 0}
A, B = DocumentId("docs/a.md"), DocumentId("docs/b.md")
FAILED = Wrong(A, Problem("no such filter", "docs/a.md", 7, detail="line one\nline two"))
BLOCKED = Wrong(B, Problem("needs docs/a.md, which failed", "docs/b.md", 2), because=A)
FINISHED = {"rendered": 2, "skipped": 0, "failed": 1, "blocked": 0, "removed": 0, "duration_ms": 120.0}


def drawn(now: Glance, height: int = 20, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(block(now, height))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_at_rest_it_is_counted() -> None:
    assert drawn(Glance("idle", counts={**COUNTS, "failed": 0, "blocked": 0})) == ["idle  3 documents: 3 done"]


def test_a_build_has_its_progress_and_its_cause() -> None:
    (head,) = drawn(Glance("rendering", counts=COUNTS, cause="docs/a.md saved", done=3, total=12))
    assert head.startswith("rendering 3/12")
    assert head.endswith("docs/a.md saved")


def test_renderings_are_shown_those_first_that_have_taken_longest() -> None:
    running = (Rendering(A, 0, 0.2), Rendering(B, 1, 4.25))
    lines = drawn(Glance("rendering", counts=COUNTS, cause="start", total=2, running=running))
    assert lines[1:] == ["  generation 1  docs/b.md  4.2 s", "  generation 0  docs/a.md  0.2 s"]


def test_of_many_renderings_the_rest_is_counted() -> None:
    running = tuple(Rendering(DocumentId(f"docs/{number}.md"), 0, number) for number in range(30))
    lines = drawn(Glance("rendering", counts=COUNTS, cause="start", total=30, running=running), height=12)
    assert lines[-1] == "  and 27 more being rendered"
    assert len(lines) <= 12


def test_what_failed_has_its_place_and_the_program_s_words_and_what_is_blocked_its_culprit() -> None:
    assert drawn(Glance("idle", counts=COUNTS, wrong=(FAILED, BLOCKED)))[1:] == [
        "failed    docs/a.md:7: no such filter",
        "          line one",
        "          line two",
        "blocked   docs/b.md:2: needs docs/a.md, which failed",
    ]


def test_what_keeps_the_daemon_from_being_well_goes_before_what_failed() -> None:
    now = Glance(
        "degraded",
        counts=COUNTS,
        wrong=(FAILED,),
        trouble="the database is away",
        unwatched=("docs", "data"),
        mistakes=(Problem("unknown key", "kahnd.toml", 3),),
    )
    lines = drawn(now)
    assert lines[0].startswith("degraded  5 documents")
    assert [line.split()[0] for line in lines[1:5]] == ["daemon", "unwatched", "config", "failed"]
    assert "kahnd.toml:3: unknown key" in lines[3]


@pytest.mark.parametrize("height", [1, 2, 3, 7])
def test_it_is_never_higher_than_there_is_room(height: int) -> None:
    running = tuple(Rendering(DocumentId(f"docs/{number}.md"), 0, 1) for number in range(5))
    now = Glance("rendering", counts=COUNTS, cause="start", running=running, wrong=(FAILED, BLOCKED) * 10)
    assert len(drawn(now, height)) <= max(height, 2)


def test_no_line_is_wider_than_there_is_room() -> None:
    now = Glance("rendering", counts=COUNTS, cause="c" * 200, running=(Rendering(A, 0, 1),), wrong=(FAILED, BLOCKED))
    assert all(len(line) <= 30 for line in drawn(now, width=30))
    assert len(drawn(now, width=30)) == len(drawn(now, width=300))


def test_a_build_that_is_over_is_a_line() -> None:
    line = past(Event.BUILD_FINISHED, {"cause": "docs/a.md saved", **FINISHED}, "12:00:00")
    assert line is not None
    assert line.plain == "12:00:00  docs/a.md saved: 2 rendered, 1 failed (120 ms)"


@pytest.mark.parametrize("event", [Event.DOCUMENT_RENDERED, Event.CYCLE_FOUND, Event.CONFIG_INVALID])
def test_what_the_block_tells_is_no_line(event: Event) -> None:
    assert past(event, {"document": "docs/a.md"}, "12:00:00") is None


def test_a_rendering_s_warning_is_a_line_and_so_is_what_happens_to_the_daemon() -> None:
    warned = past(Event.DOCUMENT_RENDERED, {"document": A, "warning": "docs/a.dot: dot is not installed"}, "12:00:00")
    lost = past(Event.STORE_LOST, {"error": "away"}, "12:00:00")
    assert warned is not None
    assert lost is not None
    assert warned.plain == "12:00:00  warning  docs/a.dot: dot is not installed"
    assert lost.plain == "12:00:00  store.lost  error=away"


def test_nothing_in_a_name_steers_the_terminal() -> None:
    hostile = DocumentId("docs/\x1b]0;x\x07.md")
    now = Glance(
        "rendering",
        counts=COUNTS,
        cause=f"{hostile} saved",
        running=(Rendering(hostile, 0, 1),),
        wrong=(Wrong(hostile, Problem("no\x1b[2J", detail="\x9b31m")),),
    )
    assert not any(each in "\n".join(drawn(now)) for each in "\x1b\x07\x9b")
