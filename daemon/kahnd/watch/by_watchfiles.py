"""The watch where there is no inotify, by way of watchfiles (on macOS: FSEvents).

watchfiles tells less than the kernel does, and this module makes up for what it can:

1. It can't be asked what it watches, nor be told to watch more: whenever that is in doubt, it is begun anew.
2. It keeps quiet about events that were lost: a burst in which some may have been is told as an overflow.
3. It ends at a name that is not UTF-8: then the watch has failed.
4. Its events have no order: what is a cookie's is told last. They tell of no close: a save is known by time alone.
5. What links to files lead to is compared by stat.
"""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat as modes
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
from watchfiles import Change
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from kahnd.core.rules import is_below
from kahnd.watch.anchors import Anchors, file_signature, folder_signature
from kahnd.watch.links import Links
from kahnd.watch.notifier import CREATE, DELETE, ISDIR, MODIFY, Event, News

FLOOD: Final = 2_000
"""Where no queue's length is known: so many paths at once are more than is told of reliably."""

_QUEUE: Final = Path("/proc/sys/fs/inotify/max_queued_events")
_SAFE_SHARE: Final = 8
"""A path that is told of once can stand for this many of the kernel's events: opened, written to, closed, touched."""
_STEP_MS: Final = 10
_LONGEST_MS: Final = 50
_AT_ONCE: Final = "so much happened at once that events may have been lost"


def most_at_once() -> int:
    """Above this many paths at once, the kernel's queue may have been full."""
    try:
        return int(_QUEUE.read_text()) // _SAFE_SHARE
    except OSError:
        return FLOOD


class _Scope(NamedTuple):
    """What is watched: real folders, with the project path that each has, and what links lead to outside of these."""

    routes: tuple[tuple[str, str], ...]
    linked: frozenset[str]

    def names(self, real: str) -> set[str]:
        """The project paths of what has this real path."""
        return {
            posixpath.normpath(posixpath.join(name, posixpath.relpath(real, folder)))
            for folder, name in self.routes
            if is_below(real, folder)
        }


class Watchfiles:
    """Fulfils Notifier. All is refused or nothing: where watchfiles can't begin, `cover` raises OSError.

    `deep` says of a project path whether it is to be watched. The events of `last` are told after all others that came
    with them. Belongs to the event loop that it was made in.
    """

    refused: Mapping[str, OSError] = {}

    def __init__(self, links: Links, deep: Callable[[str], bool], last: str) -> None:
        self._links = links
        self._deep = deep
        self._last = last
        self._most = most_at_once()
        self._loop = asyncio.get_running_loop()
        self._limiter = anyio.CapacityLimiter(1)
        self._scope = _Scope((), frozenset())
        self._files = self._folders = Anchors((), file_signature)
        self._stop = threading.Event()
        self._told = anyio.Event()
        self._news: list[News] = []
        self._error: OSError | None = None

    async def cover(self, folders: Iterable[str]) -> None:
        """Begin anew with these folders. What was not told by then is lost: to be followed by a look at everything."""
        tops = tuple(folders)
        await anyio.to_thread.run_sync(self._begin, tops, limiter=self._limiter)

    async def retry(self) -> None:
        """Nothing is refused in part."""

    async def happened(self) -> None:
        """Return once there is news. Raises OSError where watchfiles has ended."""
        await self._told.wait()
        if self._error is not None:
            raise self._error

    def news(self) -> tuple[News, ...]:
        """What happened and was not told yet: first what was noticed without an event."""
        linked = tuple(Event(path, MODIFY, 0) for path in self._files.changed())
        noticed = News(linked, stale=bool(self._folders.changed()))
        told, self._news = (noticed, *self._news), []
        self._told = anyio.Event()
        return tuple(each for each in told if each != News())

    def is_linked(self, path: str) -> bool:
        """Whether a link among what is watched leads to this path, outside of it."""
        return path in self._scope.linked

    def close(self) -> None:
        """Watch nothing any more."""
        self._stop.set()

    # The watch

    def _begin(self, tops: tuple[str, ...]) -> None:
        scope = self._look_about(tops)
        real = {folder for folder, _ in scope.routes}
        topmost = sorted(each for each in real if not any(is_below(each, other) for other in real - {each}))
        watch = _watch(topmost)
        self._stop.set()
        self._stop, self._scope = threading.Event(), scope
        self._files = Anchors(scope.linked, lambda path: file_signature(self._links.full(path)))
        self._folders = Anchors(scope.linked, lambda path: folder_signature(self._links.full(path)))
        # Not a daemon thread: such a one is ended in the middle of foreign code when the interpreter ends.
        threading.Thread(target=self._follow, args=(watch, scope, self._stop), name="watchfiles").start()

    def _look_about(self, tops: tuple[str, ...]) -> _Scope:
        """The tops, and whatever links below them lead to."""
        routes = {(os.path.realpath(self._links.full(top)), top) for top in tops}
        linked = set[str]()
        for link in (link for top in tops for link in self._links_below(top)):
            linked.update(filter(None, [self._links.target(link)]))
            if self._links.follows(link):
                routes.add((os.path.realpath(self._links.full(link)), link))
        return _Scope(tuple(sorted(each for each in routes if os.path.isdir(each[0]))), frozenset(linked))  # noqa: PTH112

    def _links_below(self, top: str) -> Iterator[str]:
        """All links in a folder and below it that lead out of what is watched by a name of its own."""
        pending = [top]
        while pending:
            for path, entry in self._entries(pending.pop()):
                if entry.is_symlink() and self._leads_out(path):
                    yield path
                if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and self._links.follows(path)):
                    pending.append(path)

    def _entries(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        try:
            with os.scandir(self._links.full(folder)) as entries:
                found = [(posixpath.join(folder, each.name), each) for each in entries]
        except OSError:
            return []  # gone again, or out of reach: whoever looks there tells of it
        return [(path, entry) for path, entry in found if self._deep(path)]

    def _leads_out(self, link: str) -> bool:
        target = self._links.target(link)
        return target is not None and not self._deep(target)

    # Events

    def _follow(self, watch: RustNotify, scope: _Scope, stop: threading.Event) -> None:
        """Tell what happens for as long as it is wanted; the thread's own."""
        error = None
        with watch:
            while not stop.is_set() and error is None:
                try:
                    changes = watch.watch(_LONGEST_MS, _STEP_MS, 0, stop)
                    news = News() if isinstance(changes, str) else self._translated(changes, scope)
                except WatchfilesRustInternalError as ended:
                    error, news = OSError(errno.EIO, f"watchfiles has ended: {ended}"), News()
                try:
                    self._loop.call_soon_threadsafe(self._tell, stop, news, error)
                except RuntimeError:
                    return  # the loop has ended

    def _tell(self, stop: threading.Event, news: News, error: OSError | None) -> None:
        if not stop.is_set():
            self._news.append(news)
            self._error = error
            self._told.set()

    def _translated(self, changes: set[tuple[int, str]], scope: _Scope) -> News:
        kinds: dict[str, set[int]] = {}
        for kind, real in changes:
            kinds.setdefault(real, set()).add(kind)
        events = [event for real in kinds for event in _events(real, kinds[real], scope)]
        events.sort(key=lambda event: is_below(event.path, self._last))
        is_gone = any(Change.deleted in kinds.get(folder, ()) for folder, _ in scope.routes)
        stale = is_gone or any(map(self._brings_links, events))
        return News(tuple(events), _AT_ONCE if len(kinds) > self._most else "", stale)

    def _brings_links(self, event: Event) -> bool:
        """Whether something came that leads to where nothing is watched."""
        if not event.mask & CREATE or not self._deep(event.path):
            return False
        is_link = os.path.islink(self._links.full(event.path))  # noqa: PTH114  asked of every new file
        found = [event.path] if is_link else self._links_below(event.path) if event.mask & ISDIR else ()
        return any(map(self._leads_out, found))


def _watch(folders: list[str]) -> RustNotify:
    """Raises OSError where it can't be had."""
    try:
        return RustNotify(folders, False, False, 0, True, False)  # noqa: FBT003  it takes no keywords
    except WatchfilesRustInternalError as error:
        raise OSError(errno.EIO, f"watchfiles can't begin: {error}") from error
    except OSError as error:
        raise error if error.errno else OSError(errno.ENOSPC, str(error)) from error


def _events(real: str, kinds: set[int], scope: _Scope) -> Iterator[Event]:
    """What happened to one path; in which order, what stands there now tells."""
    try:
        mode = os.lstat(real).st_mode
    except OSError:
        mode = 0
    folder = ISDIR if modes.S_ISDIR(mode) else 0
    first, then = ((Change.deleted, DELETE), (Change.added, CREATE | folder))
    order = (first, then) if mode else (then, first)
    masks = [mask for kind, mask in (*order, (Change.modified, MODIFY | folder)) if kind in kinds]
    yield from (Event(name, mask, 0) for name in sorted(scope.names(real)) for mask in masks)
