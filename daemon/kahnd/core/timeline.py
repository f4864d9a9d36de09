"""When each rendering of a build was ready, began and ended, what it waited for, and the build's critical path.

All times are milliseconds since the build began, unless a name says otherwise.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from heapq import heappop, heappush
from typing import Final

import msgspec
from msgspec.structs import replace

from kahnd.core.model import BuildId, BuildRecord, DocumentId, HistoryEntry, Status
from kahnd.core.renderings import document_of


class Ending(StrEnum):
    """The end of a rendering.

    `stopped`: something that it needs is missing or failed. `dropped`: it read what has changed meanwhile.
    """

    RENDERED = "rendered"
    FAILED = "failed"
    STOPPED = "stopped"
    DROPPED = "dropped"
    CANCELLED = "cancelled"


COUNTED: Final = frozenset({Ending.RENDERED, Ending.FAILED, Ending.STOPPED})
"""The endings of renderings that the rest of a build goes by."""
_ENDINGS: Final = tuple(Ending)
_OF_STATUS: Final = {Status.DONE: Ending.RENDERED, Status.FAILED: Ending.FAILED}


class RenderSpan(msgspec.Struct, frozen=True, gc=False):
    """One rendering. `lane`: the worker, from 0. `after`: the last rendering to end of those that it waited for."""

    document: DocumentId
    lane: int
    ready_ms: float
    started_ms: float
    ended_ms: float
    generation: int
    ending: Ending
    after: DocumentId | None = None
    critical: bool = False


class BuildTimeline(msgspec.Struct, frozen=True):
    """The renderings of a build in the order in which they ended; `left_out` is the number of those not kept.

    `from_history`: cancelled and dropped renderings are not known.
    """

    build: BuildId
    cause: str
    started_at: str
    duration_ms: float
    spans: tuple[RenderSpan, ...] = ()
    running: bool = False
    left_out: int = 0
    from_history: bool = False

    @property
    def critical_ms(self) -> float:
        """The time that the renderings on the critical path took in total."""
        return sum(each.ended_ms - each.started_ms for each in self.spans if each.critical)


class RecordedBuild:
    """Collects the renderings of a build, in 60 bytes each. `until_ms`: its duration once it has ended."""

    def __init__(self, build: BuildId, cause: str, started_at: str, began: float) -> None:
        self.build = build
        self.began = began
        """The moment of its beginning, in seconds by the clock of the caller."""
        self.until_ms: float | None = None
        self.left_out = 0
        self._cause = cause
        self._started_at = started_at
        self._documents: list[DocumentId] = []
        self._after: list[DocumentId | None] = []
        self._times = array("d")
        self._numbers = array("i")

    def __len__(self) -> int:
        return len(self._documents)

    def add(self, span: RenderSpan) -> int:
        """Adds a rendering and returns its index."""
        self._documents.append(span.document)
        self._after.append(span.after)
        self._times.extend((span.ready_ms, span.started_ms, span.ended_ms))
        self._numbers.extend((span.lane, span.generation, _ENDINGS.index(span.ending)))
        return len(self) - 1

    def correct(self, index: int, ending: Ending) -> None:
        """Replaces the ending of a rendering."""
        self._numbers[3 * index + 2] = _ENDINGS.index(ending)

    def timeline(self, now: float) -> BuildTimeline:
        """Returns the build as it is now, with its critical path."""
        spans = map(self._span, range(len(self)))
        until_ms = (now - self.began) * 1000 if self.until_ms is None else self.until_ms
        return BuildTimeline(
            self.build,
            self._cause,
            self._started_at,
            until_ms,
            with_critical_path(sorted(spans, key=_end)),
            running=self.until_ms is None,
            left_out=self.left_out,
        )

    def _span(self, index: int) -> RenderSpan:
        document, after = self._documents[index], self._after[index]
        ready_ms, started_ms, ended_ms = self._times[3 * index : 3 * index + 3]
        lane, generation, ending = self._numbers[3 * index : 3 * index + 3]
        return RenderSpan(document, lane, ready_ms, started_ms, ended_ms, generation, _ENDINGS[ending], after)


def of_history(record: BuildRecord, entries: Iterable[HistoryEntry]) -> BuildTimeline:
    """Returns the timeline of a build from the job history.

    Entries of earlier versions name no worker: those get the fewest lanes in which nothing overlaps.
    """
    began = _seconds(record.started_at)
    spans = sorted((_past_span(each, began) for each in entries), key=_start)
    rendered = record.rendered + record.failed
    return BuildTimeline(
        record.id,
        record.cause,
        record.started_at,
        record.duration_ms,
        with_critical_path(sorted(_apart(with_lanes(spans)), key=_end)),
        left_out=max(0, rendered - len({each.document for each in spans})),
        from_history=True,
    )


def with_lanes(spans: Sequence[RenderSpan]) -> list[RenderSpan]:
    """Returns the spans, sorted by their start; if the lane of one is negative, all get the lowest that is free."""
    if all(each.lane >= 0 for each in spans):
        return list(spans)
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    placed = []
    for each in spans:
        while busy and busy[0][0] <= each.started_ms:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (each.ended_ms, lane))
        placed.append(replace(each, lane=lane))
    return placed


def _apart(spans: Iterable[RenderSpan]) -> Iterator[RenderSpan]:
    """Yields the spans, sorted by their start, so that none begins before another of its lane has ended.

    The history knows when a rendering began to the millisecond.
    """
    until_ms: dict[int, float] = {}
    for each in spans:
        started_ms = max(each.started_ms, until_ms.get(each.lane, 0.0))
        until_ms[each.lane] = max(each.ended_ms, started_ms)
        yield replace(each, started_ms=started_ms, ended_ms=until_ms[each.lane])


def with_critical_path(spans: Sequence[RenderSpan]) -> tuple[RenderSpan, ...]:
    """Returns the spans, sorted by their end, with those of the critical path marked.

    It is the chain of renderings, each with the one that it waited for last, that takes the longest in total: with any
    number of workers, the build could not be faster. (The same method as that of Bazel's profile.)
    """
    latest: dict[DocumentId, int] = {}
    before: list[int | None] = []
    totals: list[float] = []
    for index, each in enumerate(spans):
        earlier = latest.get(each.after) if each.after is not None else None
        before.append(earlier)
        totals.append(each.ended_ms - each.started_ms + (0.0 if earlier is None else totals[earlier]))
        if each.ending in COUNTED:
            latest[each.document] = index
    counted = [index for index, each in enumerate(spans) if each.ending in COUNTED]
    at = max(counted, key=totals.__getitem__, default=None)
    marked = set()
    while at is not None:
        marked.add(at)
        at = before[at]
    return tuple(replace(each, critical=True) if index in marked else each for index, each in enumerate(spans))


def _past_span(entry: HistoryEntry, began: float) -> RenderSpan:
    started_ms = max(0.0, (_seconds(entry.started_at) - began) * 1000)
    lane, generation, waited_ms, after = entry.timing or (-1, 0, 0.0, None)
    return RenderSpan(
        document_of(entry.document),
        lane,
        max(0.0, started_ms - waited_ms),
        started_ms,
        started_ms + entry.duration_ms,
        generation,
        _OF_STATUS.get(entry.status, Ending.STOPPED),
        None if after is None else document_of(after),
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _start(span: RenderSpan) -> float:
    return span.started_ms


def _end(span: RenderSpan) -> float:
    return span.ended_ms
