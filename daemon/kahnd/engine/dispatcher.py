"""Hands jobs to the pool and their outcomes back, and knows which documents were being rendered at a moment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio

from kahnd.core.events import Finished
from kahnd.core.model import DocumentId, Job, Observation, Outcome, RunId
from kahnd.core.output_paths import stage_folder
from kahnd.core.rules import Layout
from kahnd.core.scheduler import Readiness
from kahnd.engine.timelines import WorkerTime
from kahnd.engine.timings import BuildLog
from kahnd.ports import Pool

PURE: Final = frozenset({"page", "template", "copy"})
"""Renderers that write nothing but their output."""
_REMEMBERED: Final = 256
_TICK_NS: Final = 10_000_000
"""How far a file system's clock may be behind, where its coarse clock can't be read."""
_CLOCK_S: Final = 0.001
"""The wall clock is told to this precision."""
_MIN_REST_S, _MAX_REST_S = 0.5, 120.0


class WriteAttribution:
    """Knows which documents were being rendered when a file was written: programs and plug-ins may write anywhere."""

    def __init__(self, layout: Layout) -> None:
        self._impure = frozenset(rule.index for rule in layout.rules if rule.renderer not in PURE)
        self._running: dict[RunId, tuple[DocumentId, int]] = {}
        self._ended: deque[tuple[DocumentId, int, int]] = deque(maxlen=_REMEMBERED)

    def begin(self, job: Job) -> None:
        """Record the start of a run."""
        if job.rule in self._impure:
            self._running[job.run] = job.document, now_ns()

    def end(self, job: Job) -> None:
        """Record the end of a run and of all processes that it started."""
        if running := self._running.pop(job.run, None):
            self._ended.append((*running, time.time_ns()))

    def during_writes(self, observations: Iterable[Observation]) -> dict[DocumentId, tuple[DocumentId, ...]]:
        """Return, by observed document, the documents that were being rendered when it was written.

        The kernel's time of the change (ctime) decides: no program can set it.
        """
        runs = [(*each, time.time_ns()) for each in self._running.values()] + list(self._ended)
        if not runs:
            return {}
        existing = [each for each in observations if each.scan is not None and each.stat is not None]
        first_ns = min(began for _, began, _ in runs)
        return {
            each.document: documents
            for each in existing
            if each.stat and each.stat.ctime_ns >= first_ns and (documents := _during(runs, each.stat.ctime_ns))
        }

    def rest_s(self, document: DocumentId) -> float:
        """Return how long to wait before rendering a document again whose own rendering may be what writes to it.

        It is long enough for a person who saves the document now and then to do so meanwhile.
        """
        last = next((each for each in reversed(self._ended) if each[0] == document), None)
        took_s = (last[2] - last[1]) / 1e9 if last else 0.0
        return min(max(_MIN_REST_S, 2 * took_s), _MAX_REST_S)


def now_ns() -> int:
    """Return the time by the clock that the kernel stamps files with."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    return time.time_ns() - _TICK_NS


def _during(runs: list[tuple[DocumentId, int, int]], moment_ns: int) -> tuple[DocumentId, ...]:
    return tuple(dict.fromkeys(document for document, began, ended in runs if began <= moment_ns <= ended))


@dataclass(frozen=True, slots=True)
class _Running:
    job: Job
    ready: Readiness
    started_at: str
    began: float


def _later(moment: str, seconds: float) -> str:
    """Return a time of the wall clock so many seconds later: a job may have waited for its worker."""
    if seconds < _CLOCK_S:
        return moment
    later = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Dispatcher:
    """Knows the running jobs. `send` takes the end of each job that was not cancelled, `discard` others' stages."""

    def __init__(
        self,
        pool: Pool,
        builds: BuildLog,
        attribution: WriteAttribution,
        send: Callable[[Finished], None],
        discard: Callable[[str], None],
    ) -> None:
        self.attribution = attribution
        self._pool = pool
        self._clock = builds.clock
        self._send = send
        self._discard = discard
        self._timelines = builds.timelines
        self._running: dict[RunId, _Running] = {}
        self._is_draining = False
        self._empty = anyio.Event()

    def begin(self, job: Job, ready: Readiness) -> None:
        """Have a job rendered. While draining, it is left to the next session."""
        if not self._is_draining:
            self._running[job.run] = _Running(job, ready, self._clock.now(), self._clock.monotonic())
            self.attribution.begin(job)
            self._pool.begin(job, self._ended)

    def cancel(self, run: RunId) -> None:
        """Stop a job."""
        self._pool.cancel(run)

    async def drain(self) -> None:
        """Begin no more jobs, and return when all running ones have ended."""
        self._is_draining = True
        self._pool.rest()
        if self._running:
            await self._empty.wait()

    def running(self) -> tuple[tuple[DocumentId, float], ...]:
        """Return the documents being rendered, each with the seconds since its job was begun."""
        now = self._clock.monotonic()
        return tuple((each.job.document, now - each.began) for each in self._running.values())

    def _ended(self, job: Job, outcome: Outcome | None, seconds: float, lane: int) -> None:
        running = self._running.pop(job.run)
        self.attribution.end(job)
        took = WorkerTime(self._clock.monotonic(), seconds, lane)
        self._timelines.ended(job, running.ready, outcome, took)
        if outcome is None:
            self._discard(stage_folder(job))
        else:
            with suppress(anyio.ClosedResourceError):  # the session is over: the document is rendered again
                started = took.ended - seconds
                started_at = _later(running.started_at, started - running.began)
                waited_ms = round(max(0.0, started - running.ready.since) * 1000, 2)
                self._send(Finished(job.run, outcome, started_at, seconds * 1000, lane, waited_ms))
        if self._is_draining and not self._running:
            self._empty.set()
