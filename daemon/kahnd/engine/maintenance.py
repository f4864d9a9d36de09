"""Keeps a session healthy: every periodic job in one schedule, and the detection of a hung engine.

An engine has hung if its loop stands still although it waits for nothing that may take long.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final, NoReturn, Protocol

import anyio

from kahnd.ports import Clock, Watcher

RECHECK_S: Final = 2.0
"""How often documents are looked at again whose stat may not show their last change."""
HARD_LINKS_S: Final = 1.0
"""How often files with several hard links are looked at: they can change without an event."""
HISTORY_S: Final = 1.0
"""How often the repository is looked at, if pages show when they were changed last: git's folder is not watched."""
RETRY_S: Final = 10.0
"""How often failures are retried that may pass without an event, such as a full disk."""
SLEPT_S: Final = 1.0
"""After the machine was suspended for so long, all sources are looked at: others' changes made no event meanwhile."""


class Looks(Protocol):
    """The looks that an observer takes; see there."""

    async def recheck(self) -> None:
        """Look once more at documents whose stat may not show their last change."""
        ...

    async def check_hard_links(self) -> None:
        """Look at some of the files with several hard links."""
        ...

    async def check_history(self) -> None:
        """Look whether something was committed."""
        ...

    async def look_at_everything(self) -> None:
        """Look at all sources and outputs."""
        ...


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job, and the seconds between the end of one run and the start of the next."""

    name: str
    interval_s: float
    run: Callable[[], Awaitable[None]]

    async def repeat(self) -> NoReturn:
        """Run the job again and again until cancelled."""
        while True:
            await anyio.sleep(self.interval_s)
            await self.run()


def schedule(
    observer: Looks, watcher: Watcher, clock: Clock, rescan_s: float, retry: Callable[[], Awaitable[None]]
) -> tuple[PeriodicJob, ...]:
    """Return all jobs of a session that watches its sources. `rescan_s`: seconds between full looks; 0 for never."""
    rescan = Rescan(observer, watcher, clock, rescan_s)
    return (
        PeriodicJob("look again at documents in doubt", RECHECK_S, observer.recheck),
        PeriodicJob("look at files with several hard links", HARD_LINKS_S, observer.check_hard_links),
        PeriodicJob("look whether something was committed", HISTORY_S, observer.check_history),
        PeriodicJob("look at everything, if due", min(RECHECK_S, rescan_s or inf), rescan.run_if_due),
        PeriodicJob("retry what failed for the machine's sake", RETRY_S, retry),
    )


class Rescan:
    """Looks at all sources and outputs every `every_s` seconds (0: never), and after the machine was suspended."""

    def __init__(self, observer: Looks, watcher: Watcher, clock: Clock, every_s: float) -> None:
        self._observer = observer
        self._watcher = watcher
        self._clock = clock
        self._every_s = every_s
        self._set_due()

    async def run_if_due(self) -> None:
        """Check what is watched and look at everything, if it is time."""
        slept_s = self._clock.suspended() - self._suspended_s
        if self._clock.monotonic() >= self._due or slept_s >= SLEPT_S:
            await self._watcher.audit()
            await self._observer.look_at_everything()
            self._set_due()

    def _set_due(self) -> None:
        self._due = self._clock.monotonic() + (self._every_s or inf)
        self._suspended_s = self._clock.suspended()


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
