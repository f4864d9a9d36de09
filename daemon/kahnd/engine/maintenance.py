"""Every periodic job of a session, in one schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Final, NoReturn

import anyio

from kahnd.engine.observer import Observer
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
    observer: Observer, watcher: Watcher, clock: Clock, rescan_s: float, retry: Callable[[], Awaitable[None]]
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

    def __init__(self, observer: Observer, watcher: Watcher, clock: Clock, every_s: float) -> None:
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
