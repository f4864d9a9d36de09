"""The Linux backend: inotify watches over folders and everything below them, and how much of inotify is in use.

kahnd uses inotify directly because the libraries above it hide what kahnd must know: that the queue overflowed, which
folder could not be watched, that a file is still open for writing, and names that are not UTF-8.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
from inotify_simple import INotify, flags, parse_events

from kahnd.watch.backends.protocol import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    ISDIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    EventBatch,
    WatchEvent,
)
from kahnd.watch.tree.links import Links

_SELF: Final = int(flags.DELETE_SELF | flags.MOVE_SELF)
_OVERFLOW: Final = int(flags.Q_OVERFLOW)
_UNMOUNT: Final = int(flags.UNMOUNT)
_IGNORED: Final = int(flags.IGNORED)
_MASK: Final = CREATE | DELETE | MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | ATTRIB | _SELF | int(flags.ONLYDIR)
_READ_SIZE: Final = 1 << 17
"""Bytes read from the queue at once: about 4,000 events."""
_OVERFLOW_REASON: Final = "the kernel's queue was full: events were lost"
_NOT_REFUSED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES})
"""Errors that come from the folder itself and not from inotify's limits; walking the tree reports those."""
_LIMITS: Final = Path("/proc/sys/fs/inotify")
_PROCESSES: Final = Path("/proc")


class InotifyBackend:
    """Fulfils Backend.

    `is_deep` tells whether a project path, if it is a folder, is watched with everything below it. `shallow` folders
    are watched without their subfolders. A symbolic link that `links` follows is watched under the link's name; a
    link's target is watched too if no deep folder holds it. A new folder is watched before its event is passed on, so
    that whoever then looks into it misses nothing. `refused` has the topmost folders that the kernel refuses to watch,
    with the reason. Raises OSError if the kernel refuses inotify altogether.
    """

    def __init__(self, links: Links, is_deep: Callable[[str], bool], shallow: Collection[str] = ()) -> None:
        self._links = links
        self._is_deep = is_deep
        self._shallow = frozenset(shallow)
        self._links_to: dict[str, set[str]] = {}
        self._inotify = INotify(nonblocking=True)
        self._folders: dict[int, tuple[str, ...]] = {}
        self._descriptors: dict[str, int] = {}
        self.refused: dict[str, OSError] = {}
        self._batches: list[EventBatch] = []
        self._limiter = anyio.CapacityLimiter(1)  # one call at a time, in a thread outside the shared pool's limit
        self._open = Lock()  # held by whoever uses or closes the descriptor: a thread may go on after `close`

    async def watch(self, folders: Iterable[str]) -> None:
        """Watches these folders and no others."""
        await anyio.to_thread.run_sync(self._watch_only, (*self._shallow, *folders), limiter=self._limiter)

    async def retry_refused(self) -> None:
        """Tries again to watch the refused folders."""
        await anyio.to_thread.run_sync(self._retry_refused, limiter=self._limiter)

    async def wait(self) -> None:
        """Returns once there are events. Loses none when cancelled."""
        await anyio.wait_readable(self._inotify)
        await anyio.to_thread.run_sync(self._read_events, limiter=self._limiter)

    def take_events(self) -> tuple[EventBatch, ...]:
        """Returns the events since the last call."""
        batches, self._batches = tuple(self._batches), []
        return batches

    def close(self) -> None:
        """Ends the watch."""
        with self._open:
            self._inotify.close()

    def is_link_target(self, path: str) -> bool:
        """Returns whether a symbolic link in a watched folder leads to this path, which lies outside of all of them."""
        return path in self._links_to

    # Folders

    def _watch_only(self, folders: tuple[str, ...]) -> None:
        before = set(self._descriptors)
        refused: dict[str, OSError] = {}
        self._links_to.clear()
        watched = {path for folder in folders for path in self._watch_tree(folder, refused)}
        watched |= {folder for folder in map(posixpath.dirname, self._links_to) if self._add(folder, refused)}
        self.refused = refused
        for path in before - watched:
            self._remove(path)

    def _retry_refused(self) -> None:
        refused: dict[str, OSError] = {}
        for folder in self.refused:
            self._watch_tree(folder, refused)
        self.refused = refused

    def _watch_tree(self, top: str, refused: dict[str, OSError]) -> list[str]:
        """Watches a folder and, if it is deep, everything below it. Returns the folders that are now watched."""
        watched, pending = [], [top]
        while pending:
            folder = pending.pop()
            if self._add(folder, refused):
                watched.append(folder)
                pending += self._subfolders(folder) if self._is_deep(folder) else ()
        return watched

    def _add(self, folder: str, refused: dict[str, OSError]) -> bool:
        try:
            with self._open:
                if self._inotify.closed:
                    return False
                descriptor = self._inotify.add_watch(self._links.absolute(folder), _MASK)
        except OSError as error:
            if error.errno not in _NOT_REFUSED:
                refused[folder] = error
            return False
        if self._descriptors.get(folder) != descriptor:
            self._remove(folder)
            self._descriptors[folder] = descriptor
            self._folders[descriptor] = (*self._folders.get(descriptor, ()), folder)
        return True

    def _subfolders(self, folder: str) -> list[str]:
        """Lists the folders to watch directly below a watched folder: whatever is created later makes an event."""
        try:
            with os.scandir(self._links.absolute(folder)) as entries:
                kinds = [(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:
            return []  # already removed: that makes an event, too
        paths = ((posixpath.join(folder, name), is_link) for name, is_link, is_folder in kinds if is_link or is_folder)
        return [path for path, is_link in paths if self._is_deep(path) and (not is_link or self._is_followed(path))]

    def _is_followed(self, link: str) -> bool:
        """Returns whether a link is followed to a folder. Watches its target if that makes no events otherwise."""
        target = self._links.target(link)
        if target is not None and not self._is_deep(target):
            self._links_to.setdefault(target, set()).add(link)
            self._add(posixpath.dirname(target), {})
        return self._links.follows(link)

    def _remove_tree(self, top: str) -> None:
        """Stops watching a folder that was moved away, and everything below it; its new place makes another event."""
        if top in self._descriptors:
            for path in [each for each in self._descriptors if each == top or each.startswith(f"{top}/")]:
                self._remove(path)

    def _remove(self, path: str) -> None:
        descriptor = self._descriptors.pop(path, None)
        if descriptor is None:
            return
        others = tuple(folder for folder in self._folders.pop(descriptor) if folder != path)
        if others:
            self._folders[descriptor] = others
            return
        try:
            with self._open:
                if not self._inotify.closed:
                    self._inotify.rm_watch(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the folder was removed, and its watch with it
                raise

    # Events

    def _read_events(self) -> None:
        try:
            with self._open:
                data = b"" if self._inotify.closed else os.read(self._inotify.fileno(), _READ_SIZE)
        except BlockingIOError:
            return
        raw_events = parse_events(data)
        masks = reduce(or_, (raw.mask for raw in raw_events), 0)
        events = tuple(event for raw in raw_events for event in self._handle(*raw))
        self._batches.append(EventBatch(events, _OVERFLOW_REASON if masks & _OVERFLOW else "", bool(masks & _UNMOUNT)))

    def _handle(self, descriptor: int, mask: int, cookie: int, name: str) -> list[WatchEvent]:
        """Keeps the watches up to date with one event, and translates it: one event for each name of the folder.

        An event on a watched folder itself has no name and is left out: its parent reports it as well.
        """
        folders = self._folders.get(descriptor, ())
        if mask & _IGNORED:
            for folder in folders:
                self._remove(folder)
        if not name:
            return []
        events = [WatchEvent(posixpath.join(folder, name), mask, cookie) for folder in folders]
        for event in events:
            self._update_watches(event)
        return events

    def _update_watches(self, event: WatchEvent) -> None:
        """Watches folders that were created or moved here, and drops those that were removed or moved away."""
        path, mask = event.path, event.mask
        if mask & ISDIR and mask & DELETE:
            self._remove(path)
        elif mask & (MOVED_FROM | DELETE):
            self._remove_tree(path)
        elif mask & (CREATE | MOVED_TO) or (mask & ISDIR and path not in self._descriptors):
            self._watch_new(path, is_folder=bool(mask & ISDIR))

    def _watch_new(self, path: str, *, is_folder: bool) -> None:
        """Watches a new path if it is a folder or a link to one, and the links that lead to it again."""
        is_link = not is_folder and os.path.islink(self._links.absolute(path))  # noqa: PTH114  for every new file
        is_watched = is_folder and (path in self._shallow or self._is_deep(path))
        if is_link and self._is_deep(path):
            is_watched = self._is_followed(path)
        refused: dict[str, OSError] = {}
        for folder in (*([path] if is_watched else []), *filter(self._links.follows, self._links_to.get(path, ()))):
            self._watch_tree(folder, refused)
        if refused:
            self.refused = self.refused | refused


# Limits and usage


class InotifyUsage(NamedTuple):
    """The inotify instances of this user's processes, and the watches in them, as far as /proc shows them."""

    instances: int
    watches: int


def inotify_limits() -> dict[str, int]:
    """Returns `max_user_watches` and `max_user_instances`; empty on a system without inotify."""
    try:
        return {name: int((_LIMITS / name).read_text()) for name in ("max_user_watches", "max_user_instances")}
    except (OSError, ValueError):
        return {}


def inotify_usage() -> InotifyUsage:
    """Counts the inotify instances and watches of this user."""
    watches = [_watches(instance) for process in _own_processes() for instance in _instances(process)]
    return InotifyUsage(len(watches), sum(watches))


def _own_processes() -> Iterator[Path]:
    for entry in os.scandir(_PROCESSES):
        if entry.name.isdigit():
            try:
                is_own = entry.stat().st_uid == os.getuid()
            except OSError:  # the process has ended
                continue
            if is_own:
                yield Path(entry.path)


def _instances(process: Path) -> Iterator[Path]:
    """Yields the `fdinfo` file of each inotify descriptor of a process."""
    try:
        descriptors = [entry.name for entry in os.scandir(process / "fd")]
    except OSError:
        return
    for descriptor in descriptors:
        try:
            if os.readlink(process / "fd" / descriptor) == "anon_inode:inotify":  # noqa: PTH115 - it is no path
                yield process / "fdinfo" / descriptor
        except OSError:
            continue


def _watches(instance: Path) -> int:
    try:
        return instance.read_text().count("inotify wd:")
    except OSError:
        return 0
