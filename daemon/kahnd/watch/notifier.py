"""The kernel's watch (inotify) over folders and all below them: what happened, in the order of the kernel's queue.

inotify is used as it is, because what is built upon it hides what must be known here: that the queue overflowed, which
folder could not be watched, that a file is still open for writing, and names that are not UTF-8.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Collection, Iterable
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
from inotify_simple import INotify, flags, parse_events

CREATE: Final = int(flags.CREATE)
DELETE: Final = int(flags.DELETE)
MODIFY: Final = int(flags.MODIFY)
CLOSE_WRITE: Final = int(flags.CLOSE_WRITE)
MOVED_FROM: Final = int(flags.MOVED_FROM)
MOVED_TO: Final = int(flags.MOVED_TO)
ATTRIB: Final = int(flags.ATTRIB)
ISDIR: Final = int(flags.ISDIR)

_SELF: Final = int(flags.DELETE_SELF | flags.MOVE_SELF)
_OVERFLOW: Final = int(flags.Q_OVERFLOW)
_UNMOUNT: Final = int(flags.UNMOUNT)
_IGNORED: Final = int(flags.IGNORED)
_MASK: Final = CREATE | DELETE | MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | ATTRIB | _SELF | int(flags.ONLYDIR)
_CHUNK: Final = 1 << 17
"""Bytes taken from the queue at once: some 4,000 events."""
_VANISHED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES})
"""What keeps a folder from being watched and is no fault of the kernel's: whoever looks there tells of it."""


class Event(NamedTuple):
    """What happened (a mask of this module's bits) to a project path; a rename's two halves share a `cookie`."""

    path: str
    mask: int
    cookie: int


class News(NamedTuple):
    """Events. `overflowed`: others were lost, the kernel's queue being full; `unmounted`: a folder's watch is gone."""

    events: tuple[Event, ...] = ()
    overflowed: bool = False
    unmounted: bool = False


class Notifier:
    """Watches folders. `deep` says of a project path whether it is to be watched, as a folder, with all below it.

    `shallow` are folders to be watched without what is below them. A new folder's watch stands before the event that
    tells of it is passed on: whoever then looks there misses nothing. `refused` are the topmost folders that the kernel
    won't watch, with the reason. Raises OSError where the kernel gives no watch at all.
    """

    def __init__(self, root: str, deep: Callable[[str], bool], shallow: Collection[str] = ()) -> None:
        self._root = root
        self._deep = deep
        self._shallow = frozenset(shallow)
        self._inotify = INotify(nonblocking=True)
        self._paths: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self.refused: dict[str, OSError] = {}
        self._news: list[News] = []
        self._limiter = anyio.CapacityLimiter(1)  # one at a time, and not one of the threads that others share

    async def cover(self, folders: Iterable[str]) -> int:
        """Watch these folders, and no others; how many were not watched before."""
        return await anyio.to_thread.run_sync(self._cover_all, (*self._shallow, *folders), limiter=self._limiter)

    async def retry(self) -> None:
        """Try once more to watch what was refused."""
        await anyio.to_thread.run_sync(self._retry, limiter=self._limiter)

    async def happened(self) -> None:
        """Return once there is news. When cancelled, nothing is lost."""
        await anyio.wait_readable(self._inotify)
        await anyio.to_thread.run_sync(self._drain, limiter=self._limiter)

    def news(self) -> tuple[News, ...]:
        """What happened and was not told yet."""
        told, self._news = tuple(self._news), []
        return told

    def close(self) -> None:
        """Watch nothing any more."""
        self._inotify.close()

    # Folders

    def _cover_all(self, folders: tuple[str, ...]) -> int:
        before = set(self._numbers)
        refused: dict[str, OSError] = {}
        covered = {each for folder in folders for each in self._cover(folder, refused)}
        self.refused = refused
        for path in before - covered:
            self._drop(path)
        return len(covered - before)

    def _retry(self) -> None:
        refused: dict[str, OSError] = {}
        for folder in self.refused:
            self._cover(folder, refused)
        self.refused = refused

    def _cover(self, top: str, refused: dict[str, OSError]) -> list[str]:
        """Watch a folder and, where it is deep, all below it; those that are watched now."""
        covered, pending = [], [top]
        while pending:
            folder = pending.pop()
            if self._add(folder, refused):
                covered.append(folder)
                pending += self._folders_in(folder) if self._deep(folder) else ()
        return covered

    def _add(self, folder: str, refused: dict[str, OSError]) -> bool:
        try:
            number = self._inotify.add_watch(self._full(folder), _MASK)
        except OSError as error:
            if error.errno not in _VANISHED:
                refused[folder] = error
            return False
        if self._numbers.get(folder) != number:
            self._drop(folder)
            self._rename(number, folder)
        return True

    def _rename(self, number: int, folder: str) -> None:
        """A folder that was moved keeps its number."""
        self._numbers.pop(self._paths.get(number, folder), None)
        self._paths[number], self._numbers[folder] = folder, number

    def _folders_in(self, folder: str) -> list[str]:
        """What is to be watched directly in a folder. Listed after its watch stands: what comes later is an event."""
        try:
            with os.scandir(self._full(folder)) as entries:
                names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        except OSError:
            return []  # gone again: that is an event, too
        return [path for name in names if self._deep(path := posixpath.join(folder, name))]

    def _forget(self, top: str) -> None:
        """Watch a folder that was moved away, and all below it, no more; where it came to is another event."""
        if top in self._numbers:
            for path in [each for each in self._numbers if each == top or each.startswith(f"{top}/")]:
                self._drop(path)

    def _drop(self, path: str) -> None:
        number = self._numbers.pop(path, None)
        if number is not None:
            del self._paths[number]
            try:
                self._inotify.rm_watch(number)
            except OSError as error:
                if error.errno != errno.EINVAL:  # the folder is gone, and its watch with it
                    raise

    # Events

    def _drain(self) -> None:
        try:
            data = os.read(self._inotify.fileno(), _CHUNK)
        except BlockingIOError:
            return
        found = parse_events(data)
        masks = reduce(or_, (each.mask for each in found), 0)
        events = tuple(event for each in found if (event := self._taken(*each)) is not None)
        self._news.append(News(events, bool(masks & _OVERFLOW), bool(masks & _UNMOUNT)))

    def _taken(self, number: int, mask: int, cookie: int, name: str) -> Event | None:
        """An event as others understand it. Those of a folder itself are its parent's as well."""
        folder = self._paths.get(number)
        if folder is None:
            return None
        if mask & _IGNORED:
            del self._numbers[self._paths.pop(number)]
        if not name:
            return None
        event = Event(posixpath.join(folder, name), mask, cookie)
        if mask & ISDIR:
            self._follow(event)
        return event

    def _follow(self, event: Event) -> None:
        """Watch the folders that came, and no longer those that went."""
        if event.mask & DELETE:
            self._drop(event.path)
        elif event.mask & MOVED_FROM:
            self._forget(event.path)
        elif event.path not in self._shallow and not self._deep(event.path):
            return
        elif event.mask & (CREATE | MOVED_TO) or event.path not in self._numbers:
            refused: dict[str, OSError] = {}
            self._cover(event.path, refused)
            if refused:
                self.refused = self.refused | refused

    def _full(self, path: str) -> str:
        return posixpath.join(self._root, path)
