"""Detects a hung engine: one whose loop stands still although it waits for nothing that may take long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ALLOWED_S: Final = 600.0
"""A wait that reports no progress for this long has hung.

It exceeds the longest database call by the store's own limit, including reopening the embedded engine.
"""


class Waits(StrEnum):
    """Operations that may take longer than one turn of the engine's loop."""

    LOOK = "a look at the sources"
    OUTPUTS = "a look at the outputs"
    PUBLISHING = "outputs being put in place"
    DATABASE = "the database"
    SESSION = "the next session"


@dataclass(slots=True, eq=False)
class _Wait:
    operation: Waits
    since: float


class Liveness:
    """Watches over the loops of all of a daemon's sessions. `now` returns seconds since some moment.

    Between two calls of `hung` the loop must have turned, unless it waits for an operation; and that must have
    reported progress within ALLOWED_S. While no loop runs, the next session is what it waits for.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._between_sessions = _Wait(Waits.SESSION, now())
        self._waits: list[_Wait] = [self._between_sessions]
        self._turns = 0
        self._turns_before = -1

    @contextmanager
    def looping(self) -> Iterator[None]:
        """Mark the block as the engine's loop."""
        self._waits.remove(self._between_sessions)
        self.turn()
        try:
            yield
        finally:
            self._between_sessions.since = self._now()
            self._waits.append(self._between_sessions)

    def turn(self) -> None:
        """Record a turn of the loop."""
        self._turns += 1

    @contextmanager
    def waiting(self, operation: Waits) -> Iterator[None]:
        """Mark the block as a wait for an operation."""
        wait = _Wait(operation, self._now())
        self._waits.append(wait)
        try:
            yield
        finally:
            self._waits.remove(wait)
            self.turn()

    def progress(self, operation: Waits) -> None:
        """Record that an operation goes on. May be called from any thread."""
        now = self._now()
        for wait in tuple(self._waits):
            if wait.operation is operation:
                wait.since = now

    def hung(self) -> str:
        """Name what has hung: an operation without progress, or the loop if it has not turned since the last call."""
        now = self._now()
        late = [wait.operation.value for wait in self._waits if now - wait.since > ALLOWED_S]
        stands_still, self._turns_before = self._turns == self._turns_before, self._turns
        if late:
            return late[0]
        return "its loop" if stands_still and not self._waits else ""

    def waits(self) -> dict[str, float]:
        """Return the operations waited for now, each with the seconds since its last progress."""
        now = self._now()
        return {wait.operation.value: now - wait.since for wait in self._waits}
