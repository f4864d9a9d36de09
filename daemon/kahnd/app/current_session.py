"""The daemon's current session: sessions follow one another, and a question outlives the one that it was put to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from kahnd.app.session import Session
from kahnd.app.shutdown import cancel_after
from kahnd.engine import Engine
from kahnd.errors import KahndError, StoreCorruptError

T = TypeVar("T")


class CurrentSession:
    """Holds the session while there is one; counts overflows and rescans over all sessions."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.ended = anyio.Event()
        """Set when the session of the moment ends."""
        self.has_begun = False
        """True once there has been a session."""
        self._opened = anyio.Event()
        self._past_overflows = 0
        self._past_rescans = 0

    @property
    def overflows(self) -> int:
        """How often the watcher lost events since the daemon started."""
        return self._past_overflows + (self.session.watcher.overflows if self.session else 0)

    @property
    def rescans(self) -> int:
        """How often all sources were looked at again since the daemon started."""
        return self._past_rescans + (self.session.engine.observer.rescans if self.session else 0)

    @contextmanager
    def holding(self, session: Session) -> Iterator[None]:
        """Makes this the session of the moment, until the block ends."""
        self.session, self.ended = session, anyio.Event()
        self._opened.set()
        self.has_begun = True
        try:
            yield
        finally:
            overflows, rescans = self.overflows, self.rescans
            self.session, self._opened = None, anyio.Event()
            self._past_overflows, self._past_rescans = overflows, rescans
            self.ended.set()

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
