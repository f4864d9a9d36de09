"""The daemon's side: spawned worker processes, one job each at a time, killed with all that they have started."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import ByteSendStream, Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from kahnd import descendants
from kahnd.core.model import Failed, Job, Outcome, Problem, RunId
from kahnd.pool import frames
from kahnd.pool.stage import not_begun
from kahnd.ports import Meter, OnEnd, Stage

SPARE: Final = 1
"""Workers beyond those that can be busy, where they are kept ready: whoever is killed is replaced at once."""


_LAST_WORDS_S: Final = 1.0
_ORPHAN_LOOKS: Final = 100
_ORPHAN_STEP_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Gone:
    """How a worker ended, and the descendants that were killed with it."""

    status: int
    below: frozenset[int]


@dataclass(slots=True)
class _Worker:
    process: Process
    to: ByteSendStream
    of: BufferedByteReceiveStream
    greeting: bytes

    async def greet(self) -> None:
        """The first thing it is told, once."""
        greeting, self.greeting = self.greeting, b""
        if greeting:
            await self.to.send(greeting)

    async def render(self, job: Job) -> tuple[Outcome, float]:
        """What comes of it, and the seconds that took."""
        await self.greet()
        await self.to.send(frames.pack(job))
        outcome, seconds = await frames.receive(self.of)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"a worker answered with {type(outcome).__name__}")
        return outcome, seconds

    def kill(self) -> frozenset[int]:
        """Kill it and all its descendants, which it is kept from adding to; these."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
        below = descendants.kill_below(self.process.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return below

    async def gone(self) -> Gone:
        """Kill it, wait until it is gone, and say how it went."""
        below = self.kill()
        with anyio.CancelScope(shield=True):
            status = await self.process.wait()
            await self.process.aclose()
        return Gone(status, below)


@dataclass(frozen=True, slots=True)
class _Run:
    """A job, from when it is begun until it ended."""

    job: Job
    on_end: OnEnd
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


@dataclass(frozen=True, slots=True)
class Program:
    """What starts a worker, and the first thing it is told: what its renderers are made from."""

    command: Sequence[str]
    greeting: object
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(frozen=True, slots=True)
class Bounds:
    """So many renderings at once, each for so many seconds at the most."""

    workers: int
    timeout_s: float


class WorkerPool:
    """Fulfils ports.Pool."""

    def __init__(self, program: Program, root: Path, bounds: Bounds, meter: Meter | None = None) -> None:
        self._program = program
        self._greeting = frames.greeting(program.greeting)
        self._root = root
        self._workers = bounds.workers
        self._timeout_s = bounds.timeout_s
        self._meter = meter
        self._kept = 0
        self._idle: list[_Worker] = []
        self._all = 0
        self._pids: set[int] = set()
        self._others: frozenset[int] = frozenset()
        self._starting = anyio.Lock()
        self._resting = False
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None
        self._runs: dict[RunId, _Run] = {}
        self._send, self._receive = anyio.create_memory_object_stream[_Run](inf)

    async def __aenter__(self) -> Self:
        descendants.adopt()
        self._others = descendants.children(os.getpid())
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        for _ in range(self._workers):
            self._tasks.start_soon(self._serve)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._tasks:
            self._tasks.cancel_scope.cancel()
        try:
            return await self._stack.__aexit__(kind, error, trace)
        finally:
            self._send.close()
            self._receive.close()
            for worker in self._idle:
                await self._gone(worker)
            with anyio.CancelScope(shield=True):
                await self._end_orphans()

    def keep_ready(self) -> None:
        """From now on have workers started before they are needed; otherwise they are when they are."""
        self._kept = self._workers + SPARE
        if self._tasks:
            self._tasks.start_soon(self._fill)

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Render once, after those that were begun before, as soon as a worker is free."""
        run = self._runs[job.run] = _Run(job, on_end)
        self._send.send_nowait(run)

    def cancel(self, run: RunId) -> None:
        """Stop a run, with all its child processes, unless it has ended."""
        if run in self._runs:
            self._runs[run].scope.cancel()

    def rest(self) -> None:
        """Begin nothing more: what waits for a worker is over without one."""
        self._resting = True

    async def _serve(self) -> None:
        """One rendering after another, each in whichever worker is free."""
        while True:
            run = await self._next()
            outcome, seconds = None, 0.0
            with run.scope:
                if not (self._resting or run.scope.cancel_called):
                    outcome, seconds = await self.render(run.job)
            del self._runs[run.job.run]
            run.on_end(run.job, outcome, seconds)

    async def _next(self) -> _Run:
        """What has waited longest; where something has, at once: to wait is a turn of the loop for every job."""
        try:
            return self._receive.receive_nowait()
        except anyio.WouldBlock:
            return await self._receive.receive()

    async def render(self, job: Job) -> tuple[Outcome, float]:
        """Render in a worker at once: what comes of it, and the seconds that took there.

        Cancelled, or past its time, the worker and all its child processes are killed.
        A worker that dies may have been killed for what it did before, or while it was idle, so its document gets a
        second one that has done nothing yet.
        """
        first = await self._once(job, self._any)
        outcome, seconds = await self._once(job, self._spawn) if isinstance(first[0], _Died) else first
        return Failed(outcome.problem(job)) if isinstance(outcome, _Died) else outcome, seconds

    async def _any(self) -> _Worker:
        return self._idle.pop() if self._idle else await self._spawn()

    async def _once(self, job: Job, worker_of: Callable[[], Awaitable[_Worker]]) -> tuple[Outcome | _Died, float]:
        began = time.perf_counter()
        try:
            worker = await worker_of()
        except OSError as error:
            return Failed(not_begun(job, error)), 0.0
        try:
            with anyio.fail_after(self._timeout_s):
                outcome, seconds = await worker.render(job)
        except TimeoutError:
            await self._replace(worker)
            return Failed(self._too_long(job)), self._timeout_s
        except (UnicodeEncodeError, OverflowError) as error:  # nothing of it was sent
            self._idle.append(worker)
            return Failed(Problem(f"it can't be told to a worker: {error}", job.document)), 0.0
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return _Died(await self._replace(worker, died=True)), time.perf_counter() - began
        except BaseException:
            await self._replace(worker)
            raise
        self._idle.append(worker)
        if self._meter:
            self._meter.spent(Stage.RENDER, seconds)
            self._meter.spent(Stage.DISPATCH, time.perf_counter() - began - seconds)
        return outcome, seconds

    async def _spawn(self) -> _Worker:
        """A new worker. Not to be cancelled halfway, when there is a process that nobody knows of. Raises OSError."""
        self._all += 1
        try:
            async with self._starting:
                with anyio.CancelScope(shield=True):
                    process = await self._started()
                self._pids.add(process.pid)
        except BaseException:
            self._all -= 1
            raise
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a worker is started with pipes")
        return _Worker(process, process.stdin, BufferedByteReceiveStream(process.stdout), self._greeting)

    async def _started(self) -> Process:
        try:
            return await anyio.open_process(
                tuple(self._program.command),
                stderr=None,
                cwd=self._root,
                env=self._program.environment,
                start_new_session=True,
            )
        except RuntimeError as error:  # Python's word for a thread that can't be started, to wait for the process
            raise OSError(errno.EAGAIN, str(error)) from error

    async def _fill(self) -> None:
        """Have workers ready; where they can't be started, whoever needs one is told so."""
        with suppress(OSError, anyio.BrokenResourceError):
            while self._all < self._kept:
                worker = await self._spawn()
                self._idle.insert(0, worker)
                await worker.greet()

    async def _replace(self, worker: _Worker, *, died: bool = False) -> int:
        self._all -= 1
        if died:
            with anyio.move_on_after(_LAST_WORDS_S):  # it is ending by itself, and says how
                await worker.process.wait()
        gone = await self._gone(worker)
        if self._tasks:
            self._tasks.start_soon(self._fill)
            if gone.below or died:
                self._tasks.start_soon(self._end_orphans)
        return gone.status

    async def _gone(self, worker: _Worker) -> Gone:
        gone = await worker.gone()
        self._pids.discard(worker.process.pid)
        return gone

    async def _end_orphans(self) -> None:
        """End what workers that are gone have left to this process, and take note of the end of all that was killed."""
        async with self._starting:  # a worker that is being started is not known yet
            for _ in range(_ORPHAN_LOOKS):
                orphans = descendants.children(os.getpid()) - self._pids - self._others
                if not orphans:
                    return
                descendants.kill(orphans)
                descendants.reap(orphans)
                await anyio.sleep(_ORPHAN_STEP_S)

    def _too_long(self, job: Job) -> Problem:
        return Problem(
            f"took longer than {self._timeout_s:g} s and was stopped",
            job.document,
            remedy="make it faster, or give it more time with timeout_s in [pool]",
        )


_SHORT: Final = (
    "see whether it needs more memory than the machine has, or than memory_mb in [pool] allows, "
    "and to the limit on processes (ulimit -u)"
)


@dataclass(frozen=True, slots=True)
class _Died:
    """A worker's end, as its exit status."""

    status: int

    def problem(self, job: Job) -> Problem:
        how = f"was killed by {signal.Signals(-self.status).name}" if self.status < 0 else f"exited with {self.status}"
        return Problem(f"its worker process {how}", job.document, remedy=_SHORT)
