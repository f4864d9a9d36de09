"""Whether the engine lives: its loop goes round, or waits for something that may take its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import anyio

ALLOWED_S: Final = 600.0
"""What is waited for, and shows no sign that it goes on for so long, has hung.

It is more than the longest call of the database may take by its own limit, its engine opened again and all.
"""


class Waits(StrEnum):
    """What the engine may wait for longer than its loop takes to go round."""

    LOOK = "a look at the sources"
    OUTPUTS = "a look at the outputs"
    DATABASE = "the database"
    SESSION = "the next session"


@dataclass(frozen=True, slots=True)
class Beat:
    """Goes through the engine's inbox: once it is heard, all that was sent before it has been dealt with."""

    heard: anyio.Event


@dataclass(slots=True, eq=False)
class _Wait:
    what: Waits
    since: float


class Pulse:
    """A daemon's, whatever sessions it runs. `now`: seconds since some moment.

    Between two looks at it the loop must have gone round, unless something is waited for; and that must have given a
    sign within ALLOWED_S. While no loop runs, the next session is what is waited for.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._between = _Wait(Waits.SESSION, now())
        self._waits: list[_Wait] = [self._between]
        self._turns = 0
        self._seen = -1

    @contextmanager
    def looping(self) -> Iterator[None]:
        """The engine's loop runs in here."""
        self._waits.remove(self._between)
        self.turn()
        try:
            yield
        finally:
            self._between.since = self._now()
            self._waits.append(self._between)

    def turn(self) -> None:
        """The loop has gone round."""
        self._turns += 1

    @contextmanager
    def waiting(self, what: Waits) -> Iterator[None]:
        """It is waited for in here, and that is as it should be."""
        wait = _Wait(what, self._now())
        self._waits.append(wait)
        try:
            yield
        finally:
            self._waits.remove(wait)
            self.turn()

    def sign(self, what: Waits) -> None:
        """What is waited for goes on. From any thread."""
        now = self._now()
        for wait in tuple(self._waits):
            if wait.what is what:
                wait.since = now

    def hung(self) -> str:
        """What has hung, if anything: waited for without a sign, or, since the last time this was asked, the loop."""
        now = self._now()
        late = [wait.what.value for wait in self._waits if now - wait.since > ALLOWED_S]
        stands, self._seen = self._turns == self._seen, self._turns
        if late:
            return late[0]
        return "its loop" if stands and not self._waits else ""

    def waited_for(self) -> dict[str, float]:
        """What is waited for now, and the seconds since it last gave a sign."""
        now = self._now()
        return {wait.what.value: now - wait.since for wait in self._waits}
