"""The pool on this machine: jobs wait in a queue, and each is rendered by one worker process at a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio

from kahnd.core.model import Failed, Job, Outcome, Problem, RunId
from kahnd.pool.local.worker import start_problem
from kahnd.pool.local.worker_processes import Program, WorkerProcess, WorkerProcesses
from kahnd.ports import Meter, OnEnd, Phase

SPARE: Final = 1
"""Workers kept ready besides those that can be busy, so that a killed one is replaced at once."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The number of renderings at once, and the seconds that each may take; `own_timeouts_s` by index of the rule."""

    workers: int
    timeout_s: float
    own_timeouts_s: Mapping[int, float] = field(default_factory=dict)

    def of(self, job: Job) -> float:
        """Return the seconds that a job may take."""
        return self.own_timeouts_s.get(job.rule, self.timeout_s)


@dataclass(frozen=True, slots=True)
class _Run:
    """A job that has begun, and its callback."""

    job: Job
    on_end: OnEnd
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class WorkerPool:
    """Fulfils ports.Pool."""

    def __init__(self, program: Program, root: Path, bounds: Bounds, meter: Meter | None = None) -> None:
        self._workers = WorkerProcesses(program, root)
        self._bounds = bounds
        self._meter = meter
        self._resting = False
        self.busy = 0
        """How many renderings are going on."""
        self._runs: dict[RunId, _Run] = {}
        self._send, self._receive = anyio.create_memory_object_stream[_Run](inf)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._workers.open(self._tasks)
        for lane in range(self._bounds.workers):
            self._tasks.start_soon(self._serve, lane)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        try:
            return await self._stack.__aexit__(kind, error, trace)
        finally:
            self._send.close()
            self._receive.close()
            await self._workers.close()

    def keep_ready(self) -> None:
        """Start workers before they are needed from now on; until then they are started on demand."""
        self._workers.keep_ready(self._bounds.workers + SPARE)

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Render a job when a worker is free, after those that began before."""
        run = self._runs[job.run] = _Run(job, on_end)
        self._send.send_nowait(run)

    def cancel(self, run: RunId) -> None:
        """Stop a run, with all its child processes, unless it has ended."""
        if run in self._runs:
            self._runs[run].scope.cancel()

    def rest(self) -> None:
        """Start no further renderings: waiting jobs end as if cancelled."""
        self._resting = True

    async def render(self, job: Job) -> tuple[Outcome, float]:
        """Render a job in a worker now; return its outcome, and the seconds that it took.

        If cancelled or timed out, the worker and all its child processes are killed. If the worker dies, the cause may
        be an earlier document, so the job is rendered once more by a new worker.
        """
        outcome, seconds = await self._attempt(job, self._workers.idle_or_new)
        if isinstance(outcome, _Died):
            outcome, seconds = await self._attempt(job, self._workers.start)
        return Failed(outcome.problem(job)) if isinstance(outcome, _Died) else outcome, seconds

    async def _serve(self, lane: int) -> None:
        """Render one job after another."""
        while True:
            run = await self._next()
            outcome, seconds = None, 0.0
            if not (self._resting or run.scope.cancel_called):
                began = time.perf_counter()
                with run.scope:
                    outcome, seconds = await self._render_counted(run.job)
                if outcome is None:
                    seconds = time.perf_counter() - began
            del self._runs[run.job.run]
            run.on_end(run.job, outcome, seconds, lane)

    async def _render_counted(self, job: Job) -> tuple[Outcome, float]:
        self.busy += 1
        try:
            return await self.render(job)
        finally:
            self.busy -= 1

    async def _next(self) -> _Run:
        """Return the job that has waited longest, at once if there is one: waiting takes a turn of the event loop."""
        try:
            return self._receive.receive_nowait()
        except anyio.WouldBlock:
            return await self._receive.receive()

    async def _attempt(
        self, job: Job, get_worker: Callable[[], Awaitable[WorkerProcess]]
    ) -> tuple[Outcome | _Died, float]:
        began, timeout_s = time.perf_counter(), self._bounds.of(job)
        try:
            worker = await get_worker()
        except OSError as error:
            return Failed(start_problem(job, error)), 0.0
        try:
            with anyio.fail_after(timeout_s):
                outcome, seconds = await worker.render(job)
        except TimeoutError:
            await self._workers.replace(worker)
            return Failed(_timeout_problem(job, timeout_s)), timeout_s
        except (UnicodeEncodeError, OverflowError) as error:  # nothing was sent
            self._workers.give_back(worker)
            return Failed(Problem(f"it can't be sent to a worker: {error}", job.document)), 0.0
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return _Died(await self._workers.replace(worker, died=True)), time.perf_counter() - began
        except BaseException:
            await self._workers.replace(worker)
            raise
        self._workers.give_back(worker)
        if self._meter:
            self._meter.spent(Phase.RENDER, seconds)
            self._meter.spent(Phase.DISPATCH, time.perf_counter() - began - seconds)
        return outcome, seconds


def _timeout_problem(job: Job, timeout_s: float) -> Problem:
    return Problem(
        f"took longer than {timeout_s:g} s and was stopped",
        job.document,
        remedy="make it faster, or give it more time with timeout_s in its rule or in [pool]",
    )


_DIED_REMEDY: Final = (
    "check whether it needs more memory than the machine has, or than memory_mb in its rule or in [pool] allows, "
    "and the limit on processes (ulimit -u)"
)


@dataclass(frozen=True, slots=True)
class _Died:
    """The exit status of a worker that died while it rendered."""

    status: int

    def problem(self, job: Job) -> Problem:
        how = f"was killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"exited with {self.status}"
        return Problem(f"its worker process {how}", job.document, remedy=_DIED_REMEDY)
