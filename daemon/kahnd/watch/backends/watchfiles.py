"""The backend for systems without inotify: the watchfiles library (on macOS: FSEvents).

watchfiles reports less than the kernel does. This module makes up for that as far as possible:

1. watchfiles can't be asked what it watches, nor told to watch more: in doubt, the watch is started anew.
2. It does not report lost events: a burst in which some may have been lost is reported as an overflow.
3. It ends at a name that is not UTF-8: the watch has then failed.
4. Its events have no order, so cookie events are put last. There is no close event, so time alone settles a save.
5. The targets of links to files are compared by stat.
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
from kahnd.watch.backends.protocol import CREATE, DELETE, ISDIR, MODIFY, EventBatch, WatchEvent
from kahnd.watch.tree.links import Links
from kahnd.watch.tree.stat_cache import Sentinels

_DEFAULT_BURST: Final = 2_000
"""The overflow threshold, in paths, where the length of the system's queue is unknown."""
_QUEUE_LENGTH: Final = Path("/proc/sys/fs/inotify/max_queued_events")
_EVENTS_PER_PATH: Final = 8
"""One reported path can stand for this many kernel events: open, write, close, attributes, and so on."""
_STEP_MS: Final = 10
_BATCH_MS: Final = 50
_OVERFLOW_REASON: Final = "so much happened at once that events may have been lost"


def overflow_threshold() -> int:
    """Returns the number of paths in one batch above which the kernel's queue may have been full."""
    try:
        return int(_QUEUE_LENGTH.read_text()) // _EVENTS_PER_PATH
    except OSError:
        return _DEFAULT_BURST


class _Scope(NamedTuple):
    """The watched folders as pairs of real path and project path, and the targets of links that lead out of them."""

    folders: tuple[tuple[str, str], ...]
    link_targets: frozenset[str]

    def project_paths(self, real: str) -> set[str]:
        """Returns the project paths of a real path."""
        return {
            posixpath.normpath(posixpath.join(path, posixpath.relpath(real, folder)))
            for folder, path in self.folders
            if is_below(real, folder)
        }


class _Watch:
    """One run of watchfiles over fixed folders, read by a thread of its own until `stop`.

    `report` is called in the event loop with each batch, and at the end with the error that ended the watch, if any.
    """

    def __init__(
        self,
        folders: list[str],
        translate: Callable[[set[tuple[int, str]]], EventBatch],
        report: Callable[[EventBatch, OSError | None], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._notify = _start(folders)
        self._translate = translate
        self._report = report
        self._loop = loop
        self._stop = threading.Event()

    def start(self) -> None:
        # Not a daemon thread: those are ended in the middle of foreign code when the interpreter ends.
        threading.Thread(target=self._run, name="watchfiles").start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        error = None
        with self._notify:
            while not self._stop.is_set() and error is None:
                try:
                    changes = self._notify.watch(_BATCH_MS, _STEP_MS, 0, self._stop)
                    batch = EventBatch() if isinstance(changes, str) else self._translate(changes)
                except WatchfilesRustInternalError as ended:
                    error, batch = OSError(errno.EIO, f"watchfiles has ended: {ended}"), EventBatch()
                try:
                    self._loop.call_soon_threadsafe(self._pass_on, batch, error)
                except RuntimeError:
                    return  # the loop has ended

    def _pass_on(self, batch: EventBatch, error: OSError | None) -> None:
        if not self._stop.is_set():
            self._report(batch, error)


class WatchfilesBackend:
    """Fulfils Backend. It refuses all folders or none: `watch` raises OSError if watchfiles can't start.

    `is_deep` tells whether a project path is watched. The events of the folder `last` are reported after all others in
    their batch. Belongs to the event loop in which it was created.
    """

    def __init__(self, links: Links, is_deep: Callable[[str], bool], last: str) -> None:
        self._links = links
        self._is_deep = is_deep
        self._last = last
        self._overflow_threshold = overflow_threshold()
        self._loop = asyncio.get_running_loop()
        self._limiter = anyio.CapacityLimiter(1)
        self._watch: _Watch | None = None
        self._scope = _Scope((), frozenset())
        self._sentinels = Sentinels(links.absolute)
        self._has_events = anyio.Event()
        self._batches: list[EventBatch] = []
        self._error: OSError | None = None

    @property
    def refused(self) -> Mapping[str, OSError]:
        """Single folders are never refused."""
        return {}

    async def watch(self, folders: Iterable[str]) -> None:
        """Starts anew with these folders. Loses unread events, so a look at everything has to follow."""
        tops = tuple(folders)
        await anyio.to_thread.run_sync(self._restart, tops, limiter=self._limiter)

    async def retry_refused(self) -> None:
        """Does nothing: single folders are never refused."""

    async def wait(self) -> None:
        """Returns once there are events. Raises OSError if watchfiles has ended."""
        await self._has_events.wait()
        if self._error is not None:
            raise self._error

    def take_events(self) -> tuple[EventBatch, ...]:
        """Returns the events since the last call, preceded by the changes that were found by comparing stats."""
        linked = tuple(WatchEvent(path, MODIFY, 0) for path in self._sentinels.changed_files())
        found = EventBatch(linked, stale=bool(self._sentinels.changed_folders()))
        batches, self._batches = (found, *self._batches), []
        self._has_events = anyio.Event()
        return tuple(batch for batch in batches if batch != EventBatch())

    def is_link_target(self, path: str) -> bool:
        """Returns whether a symbolic link in a watched folder leads to this path, which lies outside of all of them."""
        return path in self._scope.link_targets

    def close(self) -> None:
        """Ends the watch."""
        if self._watch is not None:
            self._watch.stop()

    # The watch

    def _restart(self, tops: tuple[str, ...]) -> None:
        scope = self._find_scope(tops)
        real = {folder for folder, _ in scope.folders}
        topmost = sorted(each for each in real if not any(is_below(each, other) for other in real - {each}))
        watch = _Watch(topmost, lambda changes: self._translate(changes, scope), self._receive, self._loop)
        self.close()
        self._watch, self._scope = watch, scope
        targets = scope.link_targets
        self._sentinels = Sentinels(self._links.absolute, files=targets, folders=targets)
        watch.start()

    def _find_scope(self, tops: tuple[str, ...]) -> _Scope:
        """Finds the real folders of the tops, and the targets of all links below them."""
        folders = {(os.path.realpath(self._links.absolute(top)), top) for top in tops}
        targets = set[str]()
        for link in (link for top in tops for link in self._links_below(top)):
            targets.update(filter(None, [self._links.target(link)]))
            if self._links.follows(link):
                folders.add((os.path.realpath(self._links.absolute(link)), link))
        existing = sorted(pair for pair in folders if os.path.isdir(pair[0]))  # noqa: PTH112
        return _Scope(tuple(existing), frozenset(targets))

    def _links_below(self, top: str) -> Iterator[str]:
        """Yields all links in a folder and below it that lead to paths which are not watched by their own name."""
        pending = [top]
        while pending:
            for path, entry in self._entries(pending.pop()):
                if entry.is_symlink() and self._leads_out(path):
                    yield path
                if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and self._links.follows(path)):
                    pending.append(path)

    def _entries(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        try:
            with os.scandir(self._links.absolute(folder)) as entries:
                paths = [(posixpath.join(folder, entry.name), entry) for entry in entries]
        except OSError:
            return []  # removed or unreadable: walking the tree reports that
        return [(path, entry) for path, entry in paths if self._is_deep(path)]

    def _leads_out(self, link: str) -> bool:
        target = self._links.target(link)
        return target is not None and not self._is_deep(target)

    # Events

    def _receive(self, batch: EventBatch, error: OSError | None) -> None:
        self._batches.append(batch)
        self._error = error
        self._has_events.set()

    def _translate(self, changes: set[tuple[int, str]], scope: _Scope) -> EventBatch:
        kinds: dict[str, set[int]] = {}
        for kind, real in changes:
            kinds.setdefault(real, set()).add(kind)
        events = [event for real in kinds for event in _events(real, kinds[real], scope)]
        events.sort(key=lambda event: is_below(event.path, self._last))
        is_gone = any(Change.deleted in kinds.get(folder, ()) for folder, _ in scope.folders)
        is_stale = is_gone or any(map(self._brings_links, events))
        overflow = _OVERFLOW_REASON if len(kinds) > self._overflow_threshold else ""
        return EventBatch(tuple(events), overflow, is_stale)

    def _brings_links(self, event: WatchEvent) -> bool:
        """Returns whether something was created that leads to where nothing is watched."""
        if not event.mask & CREATE or not self._is_deep(event.path):
            return False
        is_link = os.path.islink(self._links.absolute(event.path))  # noqa: PTH114  for every new file
        links = [event.path] if is_link else self._links_below(event.path) if event.mask & ISDIR else ()
        return any(map(self._leads_out, links))


def _start(folders: list[str]) -> RustNotify:
    """Starts watchfiles. Raises OSError if it can't start."""
    try:
        return RustNotify(folders, False, False, 0, True, False)  # noqa: FBT003  it takes no keywords
    except WatchfilesRustInternalError as error:
        raise OSError(errno.EIO, f"watchfiles can't begin: {error}") from error
    except OSError as error:
        raise error if error.errno else OSError(errno.ENOSPC, str(error)) from error


def _events(real: str, kinds: set[int], scope: _Scope) -> Iterator[WatchEvent]:
    """Yields the events of one path. If it was both removed and created, its present state tells in which order."""
    try:
        mode = os.lstat(real).st_mode
    except OSError:
        mode = 0
    folder = ISDIR if modes.S_ISDIR(mode) else 0
    deleted, created = (Change.deleted, DELETE), (Change.added, CREATE | folder)
    order = (deleted, created) if mode else (created, deleted)
    masks = [mask for kind, mask in (*order, (Change.modified, MODIFY | folder)) if kind in kinds]
    yield from (WatchEvent(path, mask, 0) for path in sorted(scope.project_paths(real)) for mask in masks)
