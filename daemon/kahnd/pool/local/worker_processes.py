"""The daemon's side of worker processes: starts them, gives them jobs, and kills them with all their descendants."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import ByteSendStream, Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from kahnd.core.model import Job, Outcome
from kahnd.platform import processes
from kahnd.pool.local.worker import frame, greeting_frame, receive_frame

_EXIT_WAIT_S: Final = 1.0
"""How long a worker that closes its pipe has to end by itself, and tell how."""
_MAX_ORPHAN_CHECKS: Final = 100
_ORPHAN_CHECK_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Program:
    """The command that starts a worker, and the greeting, which its renderers are made from."""

    command: Sequence[str]
    greeting: object
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(slots=True)
class WorkerProcess:
    """One worker, from the daemon's point of view."""

    process: Process
    send_stream: ByteSendStream
    receive_stream: BufferedByteReceiveStream
    greeting: bytes

    async def greet(self) -> None:
        """Send the greeting, once."""
        greeting, self.greeting = self.greeting, b""
        if greeting:
            await self.send_stream.send(greeting)

    async def render(self, job: Job) -> tuple[Outcome, float]:
        """Render a job; return its outcome, and the seconds that it took."""
        await self.greet()
        await self.send_stream.send(frame(job))
        outcome, seconds = await receive_frame(self.receive_stream)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"a worker answered with {type(outcome).__name__}")
        return outcome, seconds

    async def end(self) -> tuple[int, frozenset[int]]:
        """Kill the worker, and wait for its end; return its exit status and the descendants that were killed."""
        with suppress(ProcessLookupError):  # it must not start further processes meanwhile
            os.kill(self.process.pid, signal.SIGSTOP)
        descendants = processes.kill_descendants(self.process.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            status = await self.process.wait()
            await self.process.aclose()
        return status, descendants


class WorkerProcesses:
    """All workers of a pool: idle ones, new ones, and the ends of those that are replaced."""

    def __init__(self, program: Program, root: Path) -> None:
        self._program = program
        self._greeting = greeting_frame(program.greeting)
        self._root = root
        self._idle: list[WorkerProcess] = []
        self._count = 0
        self._min_count = 0
        self._pids: set[int] = set()
        self._other_children: frozenset[int] = frozenset()
        self._starting = anyio.Lock()
        self._tasks: TaskGroup | None = None

    def open(self, tasks: TaskGroup) -> None:
        """Begin; `tasks` runs what replaces workers in the background."""
        processes.become_subreaper()
        self._other_children = processes.children(os.getpid())
        self._tasks = tasks

    async def close(self) -> None:
        """End all idle workers, and every process that workers have left behind."""
        for worker in self._idle:
            await self._end(worker)
        with anyio.CancelScope(shield=True):
            await self._end_orphans()

    def keep_ready(self, count: int) -> None:
        """Start workers before they are needed from now on, so that there are always this many."""
        self._min_count = count
        if self._tasks:
            self._tasks.start_soon(self._fill)

    async def idle_or_new(self) -> WorkerProcess:
        """Return an idle worker, or start one. Raises OSError."""
        return self._idle.pop() if self._idle else await self.start()

    def give_back(self, worker: WorkerProcess) -> None:
        """Keep a worker for the next job."""
        self._idle.append(worker)

    async def start(self) -> WorkerProcess:
        """Start a worker. Raises OSError."""
        self._count += 1
        try:
            async with self._starting:
                with anyio.CancelScope(shield=True):  # if cancelled, there could be a process that nobody knows
                    process = await self._open_process()
                self._pids.add(process.pid)
        except BaseException:
            self._count -= 1
            raise
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a worker is started with pipes")
        return WorkerProcess(process, process.stdin, BufferedByteReceiveStream(process.stdout), self._greeting)

    async def replace(self, worker: WorkerProcess, *, died: bool = False) -> int:
        """End a worker, and start another if workers are kept ready; return its exit status."""
        self._count -= 1
        if died:
            with anyio.move_on_after(_EXIT_WAIT_S):  # it is ending by itself, with a status of its own
                await worker.process.wait()
        status, descendants = await self._end(worker)
        if self._tasks:
            self._tasks.start_soon(self._fill)
            if descendants or died:
                self._tasks.start_soon(self._end_orphans)
        return status

    async def _open_process(self) -> Process:
        try:
            return await anyio.open_process(
                tuple(self._program.command),
                stderr=None,
                cwd=self._root,
                env=self._program.environment,
                start_new_session=True,
            )
        except RuntimeError as error:  # no thread could be started to wait for the process
            raise OSError(errno.EAGAIN, str(error)) from error

    async def _fill(self) -> None:
        """Start missing workers; if that fails, the next job that needs one fails with the reason."""
        with suppress(OSError, anyio.BrokenResourceError):
            while self._count < self._min_count:
                worker = await self.start()
                self._idle.insert(0, worker)
                await worker.greet()

    async def _end(self, worker: WorkerProcess) -> tuple[int, frozenset[int]]:
        ended = await worker.end()
        self._pids.discard(worker.process.pid)
        return ended

    async def _end_orphans(self) -> None:
        """Kill and reap the processes that ended workers have left to this one."""
        async with self._starting:  # a worker that is just starting is not in `_pids` yet
            for _ in range(_MAX_ORPHAN_CHECKS):
                orphans = processes.children(os.getpid()) - self._pids - self._other_children
                if not orphans:
                    return
                processes.kill(orphans)
                processes.reap(orphans)
                await anyio.sleep(_ORPHAN_CHECK_S)
