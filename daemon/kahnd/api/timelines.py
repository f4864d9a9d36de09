"""The timeline of one build as clients get it, and as a Chrome trace: a file that Perfetto opens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from kahnd.api import answers, schemas
from kahnd.core.timeline import Ending

_PROCESS: Final = 1
_COLOURS: Final = {"failed": "terrible", "stopped": "bad", "dropped": "grey", "cancelled": "grey"}
"""Chrome's names of colours; Perfetto chooses its own."""
_CRITICAL_COLOUR: Final = "thread_state_iowait"
_SHORTEST_US: Final = 0.001


class TimelineRequest(schemas.Request, frozen=True):
    """The id of a build, or its beginning; `last` is the last build that rendered anything."""

    build: Annotated[str, msgspec.Meta(min_length=1, examples=["20260131T120000000-7"])] = "last"


class Span(schemas.Answer, frozen=True):
    """One rendering of a build, in milliseconds since that began.

    `lane`: the worker, counted from 0. `ready_ms`: when nothing that it needs was left to finish. `ending`: `stopped`
    if something that it needs is missing or failed, `dropped` if its inputs changed meanwhile. `after`: of the
    renderings that it waited for, the one that ended last. `critical`: whether it is on the critical path.
    """

    document: schemas.Path
    lane: schemas.Count
    ready_ms: schemas.Milliseconds
    started_ms: schemas.Milliseconds
    ended_ms: schemas.Milliseconds
    generation: schemas.Count
    ending: Ending
    after: schemas.Path | None
    critical: bool


class Timeline(schemas.Configured, frozen=True, kw_only=True):
    """A build, with its renderings in the order in which they ended.

    `critical_ms`: how long the renderings on the critical path took. `left_out`: the renderings that are not known any
    more. `from_history`: it is an older build, of which cancelled and dropped renderings are not known either.
    """

    build: str
    cause: str
    started_at: schemas.Moment
    duration_ms: schemas.Milliseconds
    running: bool
    critical_ms: schemas.Milliseconds
    left_out: schemas.Count
    from_history: bool
    spans: tuple[Span, ...]


def chrome_trace(timeline: answers.Timeline) -> dict[str, Any]:
    """Returns a trace in the JSON object format: a thread a worker, and an arrow to each rendering that waited.

    The arrow comes from the rendering that was waited for last. The critical path is in the category `critical`. See
    "Trace Event Format" of the Chromium project.
    """
    spans = timeline["spans"]
    return {
        "traceEvents": [*_names(spans), *map(_slice, spans), *_arrows(spans)],
        "displayTimeUnit": "ms",
        "otherData": {name: value for name, value in timeline.items() if name != "spans"},
    }


def _names(spans: Sequence[answers.Span]) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "name": "process_name", "pid": _PROCESS, "tid": 0, "args": {"name": "kahnd"}}
    for lane in sorted({each["lane"] for each in spans}):
        thread = {"pid": _PROCESS, "tid": lane + 1}
        yield {"ph": "M", "name": "thread_name", **thread, "args": {"name": f"worker {lane + 1}"}}
        yield {"ph": "M", "name": "thread_sort_index", **thread, "args": {"sort_index": lane}}


def _slice(span: answers.Span) -> dict[str, Any]:
    colour = _CRITICAL_COLOUR if span["critical"] else _COLOURS.get(span["ending"])
    return {
        "ph": "X",
        "name": span["document"],
        "cat": f"render,{span['ending']}{',critical' if span['critical'] else ''}",
        "pid": _PROCESS,
        "tid": span["lane"] + 1,
        "ts": _us(span["started_ms"]),
        "dur": max(_SHORTEST_US, _us(span["ended_ms"] - span["started_ms"])),
        **({"cname": colour} if colour else {}),
        "args": {
            "ending": span["ending"],
            "generation": span["generation"],
            "critical": span["critical"],
            "waited_for": span["after"],
            "ready_for_ms": round(span["started_ms"] - span["ready_ms"], 3),
        },
    }


def _arrows(spans: Sequence[answers.Span]) -> Iterator[dict[str, Any]]:
    """Yields the two ends of each arrow. The first is within its slice: at the very end it would belong to the next."""
    latest: dict[str, answers.Span] = {}
    for number, each in enumerate(spans, 1):
        if each["after"] is not None and (before := latest.get(each["after"])):
            arrow = {"name": "waited for", "cat": "waited", "id": number, "pid": _PROCESS}
            leaves_us = _us((before["started_ms"] + before["ended_ms"]) / 2)
            yield {**arrow, "ph": "s", "tid": before["lane"] + 1, "ts": leaves_us}
            yield {**arrow, "ph": "f", "bp": "e", "tid": each["lane"] + 1, "ts": _us(each["started_ms"])}
        latest[each["document"]] = each


def _us(milliseconds: float) -> float:
    return round(milliseconds * 1000, 3)
