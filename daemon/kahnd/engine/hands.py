"""The renderings that are out: given to the pool, and their ends sent to the engine."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio

from kahnd.core.messages import Finished
from kahnd.core.model import DocumentId, Job, Outcome, RunId
from kahnd.engine.writers import Writers
from kahnd.ports import Clock, Outputs, Pool


@dataclass(frozen=True, slots=True)
class _Begun:
    job: Job
    started_at: str
    began: float


class Hands:
    """Knows what is out since when. `send` takes the end of each that was not cancelled."""

    def __init__(
        self, pool: Pool, outputs: Outputs, clock: Clock, writers: Writers, send: Callable[[Finished], None]
    ) -> None:
        self._writers = writers
        self._pool = pool
        self._outputs = outputs
        self._clock = clock
        self._send = send
        self._begun: dict[RunId, _Begun] = {}
        self._resting = False
        self._empty = anyio.Event()

    def begin(self, job: Job) -> None:
        """Have it rendered. Those at rest leave it for the next session."""
        if not self._resting:
            self._begun[job.run] = _Begun(job, self._clock.now(), self._clock.monotonic())
            self._writers.begun(job)
            self._pool.begin(job, self._ended)

    def cancel(self, run: RunId) -> None:
        """Stop a rendering."""
        self._pool.cancel(run)

    async def rest(self) -> None:
        """Begin nothing more; return when all that was begun has ended."""
        self._resting = True
        self._pool.rest()
        if self._begun:
            await self._empty.wait()

    def out(self) -> tuple[tuple[DocumentId, float], ...]:
        """The documents that are out, each with the seconds since it was begun."""
        now = self._clock.monotonic()
        return tuple((each.job.document, now - each.began) for each in self._begun.values())

    def _ended(self, job: Job, outcome: Outcome | None, seconds: float) -> None:
        begun = self._begun.pop(job.run)
        self._writers.ended(job)
        if outcome is None:
            self._outputs.discard(posixpath.dirname(job.stage))
        else:
            with suppress(anyio.ClosedResourceError):  # the session is over: what ends meanwhile is rendered again
                self._send(Finished(job.run, outcome, begun.started_at, seconds * 1000))
        if self._resting and not self._begun:
            self._empty.set()
