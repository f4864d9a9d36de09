"""The timeline of a build: lanes, what was waited for, and the critical path."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import BuildId, BuildRecord, DocumentId, HistoryEntry, Status, Timing
from kahnd.core.timeline import Ending, RecordedBuild, RenderSpan, of_history, with_critical_path, with_lanes

RECORD = BuildRecord(BuildId("b1"), "save", "2026-01-31T12:00:00.000Z", 90.0, 3, 0, 0, 0, 0, 2)


def span(document: str, began: float, ended: float, after: str = "", ending: Ending = Ending.RENDERED) -> RenderSpan:
    return RenderSpan(DocumentId(document), 0, began, began, ended, 0, ending, DocumentId(after) if after else None)


def critical(*spans: RenderSpan) -> list[str]:
    return [each.document for each in with_critical_path(spans) if each.critical]


def past(document: str, millisecond: int, took_ms: float, timing: Timing | None = None) -> HistoryEntry:
    started_at = f"2026-01-31T12:00:00.{millisecond:03}Z"
    return HistoryEntry(DocumentId(document), RECORD.id, "save", Status.DONE, started_at, took_ms, None, timing=timing)


def test_the_critical_path_is_the_chain_that_takes_the_longest() -> None:
    """Not the chain that ends last: with one worker, anything may end last."""
    chain = [span("a", 0, 30), span("b", 30, 60, after="a"), span("alone", 60, 100)]
    assert critical(*chain) == ["a", "b"]


def test_a_rendering_without_a_dependency_may_be_the_whole_critical_path() -> None:
    assert critical(span("a", 0, 5), span("b", 5, 10, after="a"), span("long", 0, 50)) == ["long"]


def test_no_rendering_has_no_critical_path() -> None:
    assert with_critical_path(()) == ()


def test_what_was_dropped_or_cancelled_is_on_no_critical_path() -> None:
    repeated = [span("a", 0, 40, ending=Ending.DROPPED), span("c", 0, 90, ending=Ending.CANCELLED), span("a", 40, 50)]
    spans = with_critical_path([*sorted(repeated, key=lambda each: each.ended_ms), span("b", 91, 95, after="a")])
    assert [(each.document, each.started_ms) for each in spans if each.critical] == [("a", 40), ("b", 91)]


@given(spans=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=30))
def test_renderings_of_unknown_workers_get_lanes_in_which_none_overlap(spans: list[tuple[int, int]]) -> None:
    unknown = [
        RenderSpan(DocumentId("a"), -1, began, began, began + took, 0, Ending.RENDERED) for began, took in sorted(spans)
    ]
    placed = with_lanes(unknown)
    lanes = {each.lane for each in placed}
    for lane in lanes:
        for one, other in pairwise([each for each in placed if each.lane == lane]):
            assert one.ended_ms <= other.started_ms
    most = max((sum(b.started_ms <= a.started_ms < b.ended_ms for b in placed) for a in placed), default=0)
    assert len(lanes) == most


def test_a_recorded_build_gives_back_what_it_was_given_by_the_time_of_the_end() -> None:
    build = RecordedBuild(BuildId("b1"), "save", RECORD.started_at, began=10.0)
    late, early = span("late", 5, 50, after="early"), span("early", 0, 5, ending=Ending.DROPPED)
    build.add(late)
    build.correct(build.add(early), Ending.RENDERED)
    under_way = build.timeline(10.1)
    assert (under_way.running, round(under_way.duration_ms)) == (True, 100)
    assert [(each.document, each.ending, each.critical) for each in under_way.spans] == [
        ("early", Ending.RENDERED, True),
        ("late", Ending.RENDERED, True),
    ]
    assert round(under_way.critical_ms) == 50
    build.until_ms = 60.0
    assert (build.timeline(99.0).running, build.timeline(99.0).duration_ms) == (False, 60.0)


def test_the_history_tells_when_a_build_rendered_and_what_waited_for_what() -> None:
    entries = [past("b", 40, 30, (0, 1, 2.0, DocumentId("a"))), past("a", 10, 20, (1, 0, 10.0, None))]
    timeline = of_history(RECORD, entries)
    assert [
        (each.document, each.lane, each.generation, round(each.ready_ms), round(each.started_ms), round(each.ended_ms))
        for each in timeline.spans
    ] == [("a", 1, 0, 0, 10, 30), ("b", 0, 1, 38, 40, 70)]
    assert all(each.critical for each in timeline.spans)
    assert (timeline.from_history, timeline.left_out) == (True, 1)


def test_a_history_of_an_earlier_version_has_lanes_all_the_same() -> None:
    timeline = of_history(RECORD, [past("a", 0, 20), past("b", 10, 20), past("c", 25, 5)])
    assert {each.document: each.lane for each in timeline.spans} == {"a": 0, "b": 1, "c": 0}


def test_times_in_whole_milliseconds_never_make_a_worker_render_two_at_once() -> None:
    entries = [past("a", 0, 10.6, (0, 0, 0.0, None)), past("b", 10, 5.0, (0, 0, 0.0, None))]
    first, second = of_history(RECORD, entries).spans
    assert first.ended_ms == second.started_ms
    assert round(second.ended_ms) == 15
