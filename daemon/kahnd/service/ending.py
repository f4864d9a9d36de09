"""How a daemon ends: what signals mean, and what is still brought to an end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Timer
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kahnd.engine import Engine
from kahnd.errors import KahndError
from kahnd.service.events import Event
from kahnd.service.groups import cancel_after
from kahnd.service.herald import Herald

INTERRUPTED: Final = 130
LEAVE_S: Final = 1.0
"""Who is told twice to end is gone after this time at the latest."""
HEEDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Work(Protocol):
    """What a daemon has to bring to an end, and what else it can be told."""

    def to_finish(self) -> tuple[Engine, anyio.Event] | None:
        """The engine that may have something to finish, and what tells of its session's end."""
        ...

    def grace_s(self) -> float:
        """How long renderings may take to end."""
        ...

    def reload(self) -> None:
        """Read the configuration again."""
        ...

    def dump(self) -> dict[str, Any]:
        """How things are, for a log line."""
        ...


class Ending:
    """The first SIGTERM or SIGINT lets renderings finish, the second does not; SIGHUP and SIGUSR1 end nothing."""

    def __init__(self, work: Work, herald: Herald, say: Callable[..., None]) -> None:
        self._work = work
        self._herald = herald
        self._say = say
        self._unfinished: list[str] = []
        self.by: signal.Signals | None = None
        """What ended it, once something has."""

    @property
    def exit_code(self) -> int:
        """130 after an interrupt, and 0 after any other word to stop."""
        return INTERRUPTED if self.by is signal.SIGINT else 0

    async def heed(
        self, scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Heed signals until cancelled; `scope` is cancelled when it is time to leave."""
        with anyio.open_signal_receiver(*HEEDED) as signals:
            task_status.started()
            async with anyio.create_task_group() as tasks:
                async for number in signals:
                    self._obey(number, tasks, scope)

    def _obey(self, number: signal.Signals, tasks: TaskGroup, scope: anyio.CancelScope) -> None:
        if number is signal.SIGHUP:
            self._work.reload()
        elif number is signal.SIGUSR1:
            self._say(Event.DAEMON_STATE, **self._work.dump())
        elif self.by is None:
            self.by = number
            tasks.start_soon(self._end, scope)
        else:
            self.by = number
            self._leave(scope)

    def told(self) -> None:
        """The last line."""
        self._say(
            Event.DAEMON_STOPPED,
            signal=(self.by or signal.SIGTERM).name,
            unfinished=self._unfinished or None,
        )

    async def _end(self, scope: anyio.CancelScope) -> None:
        grace_s = self._work.grace_s()
        self._herald.stopping(grace_s)
        at_work = self._work.to_finish()
        if at_work:
            with anyio.move_on_after(grace_s):
                await self._finish(*at_work, grace_s)
            self._unfinished = [document for document, _ in at_work[0].at_hand().jobs]
        scope.cancel()

    async def _finish(self, engine: Engine, ended: anyio.Event, grace_s: float) -> None:
        """Let it come to its end; a session that ends by itself has nothing more to finish."""
        if jobs := engine.at_hand().jobs:
            remedy = "a second signal ends it at once"
            self._say(Event.DAEMON_STOPPING, renderings=len(jobs), grace_s=grace_s, remedy=remedy)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_after, ended, tasks)
            try:
                await engine.drain()
            except KahndError as error:  # what is not kept is rendered again
                self._say(Event.STORE_LOST, error=str(error))
            tasks.cancel_scope.cancel()

    def _leave(self, scope: anyio.CancelScope) -> None:
        """At once, in an orderly way if that can be had soon. Workers end with the pipe to them in any case."""
        scope.cancel()
        timer = Timer(LEAVE_S, os._exit, (self.exit_code,))
        timer.daemon = True
        timer.start()
