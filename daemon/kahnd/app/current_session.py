"""The daemon's current session, and the end of the last one.

Sessions follow one another, and a question outlives the one that it was put to. Signals shut the daemon down;
renderings may finish within a grace time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any, Final, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kahnd.app.session import Session
from kahnd.app.systemd_service import SystemdReporter
from kahnd.core.events import LogEvent
from kahnd.core.model import DocumentId
from kahnd.engine import Engine
from kahnd.errors import KahndError, StoreCorruptError

T = TypeVar("T")
INTERRUPTED: Final = 130
LEAVE_S: Final = 1.0
"""After a second signal the process ends within this time, come what may."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class CurrentSession:
    """Holds the session while there is one; counts overflows and rescans over all sessions."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.ended = anyio.Event()
        """Set when the session of the moment ends."""
        self.has_begun = False
        """True once there has been a session."""
        self._opened = anyio.Event()
        self._preferred: frozenset[DocumentId] = frozenset()
        self._past_overflows = 0
        self._past_rescans = 0
        self._past_events = 0

    @property
    def overflows(self) -> int:
        """How often the watcher lost events since the daemon started."""
        return self._past_overflows + (self.session.watcher.overflows if self.session else 0)

    @property
    def events(self) -> int:
        """How many events the watcher has read since the daemon started."""
        return self._past_events + (self.session.watcher.events if self.session else 0)

    @property
    def rescans(self) -> int:
        """How often all sources were looked at again since the daemon started."""
        return self._past_rescans + (self.session.engine.observer.rescans if self.session else 0)

    def prefer(self, documents: Iterable[str]) -> None:
        """From now on has these documents rendered first, in later sessions too; replaces earlier ones."""
        self._preferred = frozenset(map(DocumentId, documents))
        if self.session:
            self.session.engine.prefer(self._preferred)

    @contextmanager
    def holding(self, session: Session) -> Iterator[None]:
        """Makes this the session of the moment, until the block ends."""
        self.session, self.ended = session, anyio.Event()
        session.engine.prefer(self._preferred)
        self._opened.set()
        self.has_begun = True
        try:
            yield
        finally:
            overflows, rescans, events = self.overflows, self.rescans, self.events
            self.session, self._opened = None, anyio.Event()
            self._past_overflows, self._past_rescans, self._past_events = overflows, rescans, events
            self.ended.set()

    async def opened(self) -> None:
        """Returns once there is a session."""
        await self._opened.wait()

    async def ask(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        """Puts a question to the session's engine, and to the next one's if the session ends before it has answered."""
        while True:
            await self._opened.wait()
            session, ended = self.session, self.ended
            answers: list[T | KahndError] = []
            if session:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel_after, ended, tasks)
                    answers += await _answer(question, session.engine, ended)
                    tasks.cancel_scope.cancel()
            for answer in answers:
                if isinstance(answer, KahndError):
                    raise answer
                return answer


async def _answer(
    question: Callable[[Engine], Awaitable[T]], engine: Engine, ended: anyio.Event
) -> list[T | KahndError]:
    """Returns one answer; none, once the session has ended, if it ended first."""
    await engine.started.wait()
    try:
        return [await question(engine)]
    except (StoreCorruptError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        await ended.wait()
    except KahndError as error:
        if not ended.is_set():
            return [error]
    return []


class Work(Protocol):
    """The daemon, as signals see it."""

    def unfinished(self) -> tuple[Engine, anyio.Event] | None:
        """Returns the engine that may have work to finish, and the event that its session's end sets."""
        ...

    def grace_s(self) -> float:
        """Returns how long renderings may take to finish."""
        ...

    def reload(self) -> None:
        """Has the configuration read again."""
        ...

    def state(self) -> dict[str, Any]:
        """Returns the fields of a `daemon.state` log line."""
        ...


class Shutdown:
    """SIGTERM and SIGINT stop the daemon, a second one at once. SIGHUP reloads, and SIGUSR1 logs the daemon's state."""

    def __init__(self, work: Work, reporter: SystemdReporter, log: Callable[..., None]) -> None:
        self._work = work
        self._reporter = reporter
        self._log = log
        self._unfinished: list[str] = []
        self._signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """130 after an interrupt, and 0 after any other signal."""
        return INTERRUPTED if self._signal is signal.SIGINT else 0

    def is_stopping(self) -> bool:
        """Tells whether a signal has asked the daemon to stop."""
        return self._signal is not None

    async def handle_signals(
        self, scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Handles signals until cancelled; cancels `scope` when the daemon is to end."""
        with anyio.open_signal_receiver(*SIGNALS) as signals:
            task_status.started()
            async with anyio.create_task_group() as tasks:
                async for number in signals:
                    self._handle(number, tasks, scope)

    def _handle(self, number: signal.Signals, tasks: TaskGroup, scope: anyio.CancelScope) -> None:
        if number is signal.SIGHUP:
            self._work.reload()
        elif number is signal.SIGUSR1:
            self._log(LogEvent.DAEMON_STATE, **self._work.state())
        elif self._signal is None:
            self._signal = number
            tasks.start_soon(self._end, scope)
        else:
            self._signal = number
            self._leave(scope)

    def log_end(self) -> None:
        """Writes the last line of the log."""
        self._log(
            LogEvent.DAEMON_STOPPED,
            signal=(self._signal or signal.SIGTERM).name,
            unfinished=self._unfinished or None,
        )

    async def _end(self, scope: anyio.CancelScope) -> None:
        grace_s = self._work.grace_s()
        self._reporter.stopping(grace_s)
        work = self._work.unfinished()
        if work:
            with anyio.move_on_after(grace_s):
                await self._finish(*work, grace_s)
            self._unfinished = [document for document, _ in work[0].workload().jobs]
        scope.cancel()

    async def _finish(self, engine: Engine, ended: anyio.Event, grace_s: float) -> None:
        """Lets renderings finish; a session that ends by itself has none left."""
        if jobs := engine.workload().jobs:
            remedy = "a second signal ends it at once"
            self._log(LogEvent.DAEMON_STOPPING, renderings=len(jobs), grace_s=grace_s, remedy=remedy)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_after, ended, tasks)
            try:
                await engine.drain()
            except KahndError as error:  # results that are not stored are rendered again at the next start
                self._log(LogEvent.STORE_LOST, error=str(error))
            tasks.cancel_scope.cancel()

    def _leave(self, scope: anyio.CancelScope) -> None:
        """Ends at once, in order if that is quick. Workers end with their pipes in any case."""
        scope.cancel()
        timer = Timer(LEAVE_S, os._exit, (self.exit_code,))
        timer.daemon = True
        timer.start()


async def cancel_after(event: anyio.Event, tasks: TaskGroup) -> None:
    """Cancels a task group once the event is set."""
    await event.wait()
    tasks.cancel_scope.cancel()
