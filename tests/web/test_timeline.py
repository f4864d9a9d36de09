"""A timeline that can be drawn, and its file."""

from __future__ import annotations

import anyio
import msgspec

from kahnd.api.timelines import Span, Timeline
from kahnd.core.timeline import Ending
from kahnd.web.timeline import MOST_SPANS, drawn, trace


def span(number: int, took_ms: float, *, critical: bool = False) -> Span:
    return Span(f"docs/{number}.md", 0, 0, number, number + took_ms, 0, Ending.RENDERED, None, critical)


def timeline(*spans: Span) -> Timeline:
    return Timeline(
        build='2026"\r\n/..',
        cause="start",
        started_at="2026-12-01T12:00:00Z",
        duration_ms=1,
        running=False,
        critical_ms=1,
        left_out=2,
        from_history=False,
        spans=spans,
    )


def test_a_timeline_that_can_be_drawn_is_left_as_it_is() -> None:
    whole = timeline(span(0, 1), span(1, 1))
    assert drawn(whole) is whole


def test_of_many_renderings_those_on_the_critical_path_and_the_longest_are_drawn_in_order() -> None:
    spans = [span(number, 1 + number % 7, critical=number % 1_000 == 0) for number in range(2 * MOST_SPANS)]
    found = drawn(timeline(*spans))
    assert (len(found.spans), found.left_out) == (MOST_SPANS, 2 + MOST_SPANS)
    assert [each for each in found.spans if each.critical] == [each for each in spans if each.critical]
    assert [each.started_ms for each in found.spans] == sorted(each.started_ms for each in found.spans)
    shortest = min(each.ended_ms - each.started_ms for each in found.spans if not each.critical)
    assert shortest >= max(each.ended_ms - each.started_ms for each in spans if each not in found.spans)


def test_the_file_is_named_after_the_build_by_plain_characters_alone() -> None:
    answer = anyio.run(trace, timeline(span(0, 1)))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="kahnd-2026.json"'
    assert isinstance(answer.body, bytes)
    assert len(msgspec.json.decode(answer.body)["traceEvents"]) >= 2
