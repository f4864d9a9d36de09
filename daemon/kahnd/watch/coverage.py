"""How each folder is watched: by the kernel's events, or by looking at it every so often, or not at all."""

from __future__ import annotations

import errno
import math
import posixpath
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from kahnd.core.rules import is_below
from kahnd.watch.ignore import never_document
from kahnd.watch.links import Links
from kahnd.watch.mounts import comes_from_elsewhere, mounts
from kahnd.watch.notifier import Notifier

Polling = Literal["auto", "always", "never"]
Events = Literal["auto", "inotify", "watchfiles"]

_MORE: Final = "sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024"
_REMEDIES: Final = {errno.ENOSYS: 'set events in [watch] to "auto"', errno.EIO: "mend what the error tells of"}
_SHORT_S: Final = 10.0
"""A watch that failed so soon will fail again: it is not begun anew at once."""
_LONGEST_PAUSE_S: Final = 300.0


class Folders(NamedTuple):
    """What is to be watched, as project paths; the project itself is "".

    `tops` with all below them but what can be no document, `around` alone. `by_event` always by events, whatever the
    file system: this process makes them.
    """

    tops: tuple[str, ...]
    around: tuple[str, ...]
    by_event: str


class Coverage:
    """Keeps the watch as it should be. `backend` is what serves where events tell: "inotify" or "watchfiles"."""

    def __init__(
        self, links: Links, folders: Folders, polling: Polling, events: Events, say: Callable[..., None]
    ) -> None:
        self._links = links
        self._tops, self._around, self._by_event = folders
        self._polling = polling
        self._say = say
        self.backend = events if events != "auto" else "inotify" if sys.platform == "linux" else "watchfiles"
        self._began = self._again = -math.inf
        self._failures = 0
        self._elsewhere: frozenset[str] = frozenset()
        self.notifier: Notifier | None = None
        self.unwatched: tuple[str, ...] = ()

    @property
    def polled(self) -> frozenset[str]:
        """The topmost folders that have to be looked at every so often."""
        refused = () if self._polling == "never" else (each for each in self.unwatched if each != self._by_event)
        return self._elsewhere.union(refused)

    def is_watched(self, top: str) -> bool:
        """Whether what happens in one of the tops comes as an event."""
        without = (*self._elsewhere, *self.unwatched)
        return self.notifier is not None and not any(is_below(top, each or ".") for each in without)

    def is_linked(self, path: str) -> bool:
        """Whether a link in one of the tops leads to this path, outside of all."""
        return self.notifier is not None and self.notifier.is_linked(path)

    async def renew(self) -> None:
        """Compare what is watched with what should be, and mend it."""
        if self._polling == "always":
            self._elsewhere = frozenset(self._tops)
            return
        if self.notifier is None and not self._begin():
            return
        self._find_elsewhere()
        assert self.notifier is not None  # noqa: S101 - it has begun
        try:
            await self.notifier.cover([self._by_event, *(each for each in self._tops if each not in self._elsewhere)])
        except OSError as error:
            self._failures += 1
            self._refuse(error)
        else:
            self._tell(self.notifier.refused)

    def close(self) -> None:
        """Watch nothing any more."""
        if self.notifier is not None:
            with suppress(OSError):  # closed is closed
                self.notifier.close()

    def abandon(self, error: OSError) -> None:
        """Give up a watch that failed; `renew` makes a new one: later each time, where they fail again and again."""
        is_short = time.monotonic() - self._began < _SHORT_S
        self._failures = self._failures + 1 if is_short else 1
        if self._failures > 1:
            self._refuse(error)
        else:
            self._say("watch.renewed", reason=str(error))
            self._end()

    async def retry(self) -> None:
        """Try once more to watch what the kernel refused: its limits may have been raised."""
        if self.notifier is not None and self.notifier.refused:
            await self.notifier.retry()

    def check(self) -> None:
        """Say what the kernel refused since, or gave."""
        if self.notifier is not None:
            self._tell(self.notifier.refused)

    def _begin(self) -> bool:
        if time.monotonic() < self._again:
            return False
        try:
            self.notifier = self._notifier()
            self._began = time.monotonic()
        except OSError as error:
            self._tell(dict.fromkeys(self._tops, error))
        return self.notifier is not None

    def _notifier(self) -> Notifier:
        """Imported here: each is there on its own systems, and costs a start."""
        if self.backend == "watchfiles":
            from kahnd.watch.by_watchfiles import Watchfiles  # noqa: PLC0415

            return Watchfiles(self._links, self._is_deep, self._by_event)
        if sys.platform == "linux":
            from kahnd.watch.by_inotify import Inotify  # noqa: PLC0415

            return Inotify(self._links, self._is_deep, self._around)
        raise OSError(errno.ENOSYS, "this system has no inotify")

    def _refuse(self, error: OSError) -> None:
        """Do without a watch for a while."""
        self._end()
        self._again = time.monotonic() + min(2.0**self._failures, _LONGEST_PAUSE_S)
        self._tell(dict.fromkeys(self._tops, error))

    def _end(self) -> None:
        self.close()
        self.notifier = None

    def _find_elsewhere(self) -> None:
        table = mounts() if self._polling == "auto" else ""
        found = frozenset(each for each in self._tops if comes_from_elsewhere(self._links.full(each), table))
        if found - self._elsewhere:
            self._say(
                "watch.polling", folders=sorted(found), reason="their file system tells of no changes made elsewhere"
            )
        self._elsewhere = found

    def _tell(self, refused: Mapping[str, OSError]) -> None:
        """Say what is not watched, when that changes."""
        before, self.unwatched = self.unwatched, tuple(sorted(refused))
        if before == self.unwatched:
            return
        if refused:
            error = next(iter(refused.values()))
            then = "not watched" if self._polling == "never" else "looked at every second instead"
            remedy = _REMEDIES.get(error.errno or 0, _MORE)
            self._say("watch.unwatched", folders=self.unwatched, then=then, error=str(error), remedy=remedy)
        else:
            self._say("watch.restored")

    def _is_deep(self, path: str) -> bool:
        below = any(is_below(path, top or ".") for top in (self._by_event, *self._tops))
        return below and not never_document(posixpath.basename(path))
