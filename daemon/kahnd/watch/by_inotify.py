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
from typing import Final

import anyio
import anyio.to_thread
from inotify_simple import INotify, flags, parse_events

from kahnd.watch.links import Links
from kahnd.watch.notifier import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    ISDIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    Event,
    News,
)

_SELF: Final = int(flags.DELETE_SELF | flags.MOVE_SELF)
_OVERFLOW: Final = int(flags.Q_OVERFLOW)
_UNMOUNT: Final = int(flags.UNMOUNT)
_IGNORED: Final = int(flags.IGNORED)
_MASK: Final = CREATE | DELETE | MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | ATTRIB | _SELF | int(flags.ONLYDIR)
_CHUNK: Final = 1 << 17
"""Bytes taken from the queue at once: some 4,000 events."""
_LOST: Final = "the kernel's queue was full: events were lost"
_VANISHED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES})
"""What keeps a folder from being watched and is no fault of the kernel's: whoever looks there tells of it."""


class Inotify:
    """Fulfils Notifier.

    `deep` says of a project path whether it is to be watched, as a folder, with all below it. `shallow` are folders to
    be watched without what is below them. What `links` follows is watched by the link's name; what they lead to is
    watched as well, where it is not deep. A new folder's watch stands before the event that tells of it is passed on:
    whoever then looks there misses nothing. `refused` are the topmost folders that the kernel won't watch, with the
    reason. Raises OSError where the kernel gives no watch at all.
    """

    def __init__(self, links: Links, deep: Callable[[str], bool], shallow: Collection[str] = ()) -> None:
        self._links = links
        self._deep = deep
        self._shallow = frozenset(shallow)
        self._linked: dict[str, set[str]] = {}
        self._inotify = INotify(nonblocking=True)
        self._paths: dict[int, tuple[str, ...]] = {}
        self._numbers: dict[str, int] = {}
        self.refused: dict[str, OSError] = {}
        self._news: list[News] = []
        self._limiter = anyio.CapacityLimiter(1)  # one at a time, and not one of the threads that others share

    async def cover(self, folders: Iterable[str]) -> None:
        """Watch these folders, and no others."""
        await anyio.to_thread.run_sync(self._cover_all, (*self._shallow, *folders), limiter=self._limiter)

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

    def is_linked(self, path: str) -> bool:
        """Whether a link among what is watched leads to this path, outside of it."""
        return path in self._linked

    # Folders

    def _cover_all(self, folders: tuple[str, ...]) -> None:
        before = set(self._numbers)
        refused: dict[str, OSError] = {}
        self._linked.clear()
        covered = {each for folder in folders for each in self._cover(folder, refused)}
        covered |= {each for each in map(posixpath.dirname, self._linked) if self._add(each, refused)}
        self.refused = refused
        for path in before - covered:
            self._drop(path)

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
            number = self._inotify.add_watch(self._links.full(folder), _MASK)
        except OSError as error:
            if error.errno not in _VANISHED:
                refused[folder] = error
            return False
        if self._numbers.get(folder) != number:
            self._drop(folder)
            self._numbers[folder] = number
            self._paths[number] = (*self._paths.get(number, ()), folder)
        return True

    def _folders_in(self, folder: str) -> list[str]:
        """What is to be watched directly in a folder. Listed after its watch stands: what comes later is an event."""
        try:
            with os.scandir(self._links.full(folder)) as entries:
                kinds = [(each.name, each.is_symlink(), each.is_dir(follow_symlinks=False)) for each in entries]
        except OSError:
            return []  # gone again: that is an event, too
        found = ((posixpath.join(folder, name), is_link) for name, is_link, is_folder in kinds if is_link or is_folder)
        return [path for path, is_link in found if self._deep(path) and (not is_link or self._enters(path))]

    def _enters(self, link: str) -> bool:
        """Whether a link is followed to a folder. Where no event would come from what it leads to, that is watched."""
        target = self._links.target(link)
        if target is not None and not self._deep(target):
            self._linked.setdefault(target, set()).add(link)
            self._add(posixpath.dirname(target), {})
        return self._links.follows(link)

    def _forget(self, top: str) -> None:
        """Watch a folder that was moved away, and all below it, no more; where it came to is another event."""
        if top in self._numbers:
            for path in [each for each in self._numbers if each == top or each.startswith(f"{top}/")]:
                self._drop(path)

    def _drop(self, path: str) -> None:
        number = self._numbers.pop(path, None)
        if number is None:
            return
        others = tuple(each for each in self._paths.pop(number) if each != path)
        if others:
            self._paths[number] = others
            return
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
        events = tuple(event for each in found for event in self._taken(*each))
        self._news.append(News(events, _LOST if masks & _OVERFLOW else "", bool(masks & _UNMOUNT)))

    def _taken(self, number: int, mask: int, cookie: int, name: str) -> list[Event]:
        """An event as others understand it, once for each name. Those of a folder itself are its parent's as well."""
        folders = self._paths.get(number, ())
        if mask & _IGNORED:
            for folder in folders:
                self._drop(folder)
        if not name:
            return []
        events = [Event(posixpath.join(folder, name), mask, cookie) for folder in folders]
        for event in events:
            self._follow(event)
        return events

    def _follow(self, event: Event) -> None:
        """Watch the folders that came, and no longer those that went; links to some are both, too."""
        path, mask = event.path, event.mask
        if mask & ISDIR and mask & DELETE:
            self._drop(path)
        elif mask & (MOVED_FROM | DELETE):
            self._forget(path)
        elif mask & (CREATE | MOVED_TO) or (mask & ISDIR and path not in self._numbers):
            self._welcome(path, is_folder=bool(mask & ISDIR))

    def _welcome(self, path: str, *, is_folder: bool) -> None:
        """Watch what came, if it is a folder or leads to one; links to it lead there again."""
        is_link = not is_folder and os.path.islink(self._links.full(path))  # noqa: PTH114  asked of every new file
        wanted = is_folder and (path in self._shallow or self._deep(path))
        if is_link and self._deep(path):
            wanted = self._enters(path)
        refused: dict[str, OSError] = {}
        for folder in (*([path] if wanted else []), *filter(self._links.follows, self._linked.get(path, ()))):
            self._cover(folder, refused)
        if refused:
            self.refused = self.refused | refused
