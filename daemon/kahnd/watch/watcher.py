"""Turns events into batches of hints. An event only ever means "look here": the tree finds out what has changed.

1. The sources, the output folder and the cookie folder are watched together, so that their events are in one order.
2. Whatever casts doubt on the watch (an overflow, a replaced source folder) is answered by correcting what is watched,
   and then by a batch that asks for a look at everything.
3. What the kernel can't watch is in a batch every second.
"""

from __future__ import annotations

import math
import os
import posixpath
import stat
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from kahnd.core.project_files import COOKIES
from kahnd.platform.owned_files import is_link_free, open_file, open_folder, remove_file
from kahnd.ports import Batch, Meter, Phase
from kahnd.watch.backends.protocol import ATTRIB, CREATE, ISDIR, EventBatch, WatchEvent
from kahnd.watch.debounce import Debouncer
from kahnd.watch.git import GitLock
from kahnd.watch.tree.links import Links
from kahnd.watch.tree.stat_cache import Sentinels
from kahnd.watch.watch_set import Scope, WatchSet, WatchSettings

MAX_PATHS: Final = 2_000
"""With more paths than this in a batch, looking at everything is cheaper."""

_POLL_S: Final = 1.0
_POLL_SHARE: Final = 4
"""After a slow look, polling pauses for this many times its duration."""
_OUTPUTS_S: Final = 0.1
"""How long output events are collected: most come from kahnd's own work, which looking at them must not slow down."""
_TICK_S: Final = 1.0
"""How often the sentinels are compared."""
_LOCKED_TICK_S: Final = 0.02
_COOKIE_S: Final = 1.0
"""A cookie's event that has not come by then is lost, unless other events still come."""
_BUSY_FACTOR: Final = 10


class FileWatcher:
    """Fulfils ports.Watcher. Its batches can be iterated once. Call `flush` in the event loop's thread.

    `log` writes a log line; `meter` counts the time between an event and its batch.
    """

    def __init__(
        self,
        settings: WatchSettings,
        log: Callable[..., None] = lambda _event, **_fields: None,
        meter: Meter | None = None,
    ) -> None:
        self._scope = scope = Scope(settings)
        self._log = log
        self._meter = meter
        self._watch_set = WatchSet(Links(scope.root, scope.sources, scope.output), scope, settings, log)
        self._sentinels = Sentinels(scope.absolute, files=scope.single_files, folders=(COOKIES, *scope.tops))
        has_close_events = self._watch_set.backend_name == "inotify"
        self._debouncer = Debouncer(settings.settle_ms / 1000, scope.file_size, has_close_events=has_close_events)
        self._git_lock = GitLock(scope.root)
        self._cookies = _Cookies(Path(scope.root))
        self._outputs = _OutputEvents(max(settings.settle_ms / 1000, _OUTPUTS_S))
        self._ready = anyio.Event()
        self._flush_requested = anyio.Event()
        self._poll_at = math.inf

    @property
    def backend(self) -> str:
        """The way it watches: "inotify" or "watchfiles", or "polling" if no source is watched by events."""
        by_events = any(map(self._watch_set.is_watched, self._scope.sources))
        return self._watch_set.backend_name if by_events else "polling"

    @property
    def events(self) -> int:
        """How many events about sources there were."""
        return self._debouncer.events

    @property
    def overflows(self) -> int:
        """How often events were lost or may have been; each time, everything was looked at."""
        return self._watch_set.overflows

    @property
    def unwatched(self) -> tuple[str, ...]:
        """The topmost folders that the kernel refuses to watch."""
        return self._watch_set.unwatched

    async def ready(self) -> None:
        """Returns when every source folder is watched; something must iterate `batches` meanwhile."""
        await self._ready.wait()

    def flush(self, token: str) -> None:
        """Writes a cookie file into the watched tree: `flushed` of a later batch has the token."""
        try:
            self._cookies.write(token)
        except OSError as error:
            self._log("watch.cookie", error=str(error))
            self._debouncer.add_everything(time.monotonic())  # replaces the cookie
        self._flush_requested.set()

    async def audit(self) -> None:
        """Compares what is watched with what should be, and corrects it. Look at everything afterwards."""
        await self._ready.wait()
        await self._watch_set.renew()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Yields batches. Leaves nothing behind when it is closed or cancelled."""
        try:
            await anyio.to_thread.run_sync(self._prepare_folders)
            await self._watch_set.renew()
            self._sentinels.changed_folders()  # counts changes from here on
            self._poll_at = time.monotonic() + _POLL_S
            self._ready.set()
            while True:
                await self._wait_for_events()
                batch = await self._next_batch(time.monotonic())
                began = time.monotonic()
                if batch != Batch():
                    yield batch
                self._schedule_poll(began)
        finally:
            self._watch_set.close()

    def _prepare_folders(self) -> None:
        """Creates the output folder, so that it can be watched, and the cookie folder."""
        output = self._scope.output
        if output and is_link_free(self._scope.root, output):
            with suppress(OSError):  # publishing the first output reports it
                Path(self._scope.absolute(output)).mkdir(parents=True, exist_ok=True)
        self._cookies.prepare()

    # From events to the debouncer

    async def _wait_for_events(self) -> None:
        """Waits for events, for the time at which something is due, or for a flush; then takes in what happened."""
        backend = self._watch_set.backend
        self._flush_requested = anyio.Event()
        try:
            with anyio.move_on_after(self._timeout_s(time.monotonic())):
                await (backend.wait() if backend else self._flush_requested.wait())
        except OSError as error:
            self._watch_set.abandon(error)
            self._poll_at = time.monotonic() + _POLL_S  # then it starts anew, with a look at everything
        now = time.monotonic()
        batches = backend.take_events() if backend else ()
        self._cookies.is_busy = bool(batches)
        self._compare_sentinels(now)  # before the cookies' events: a flush covers what is found here, too
        for batch in batches:
            self._take_in(batch, now)
        self._watch_set.report_refused()
        if self._meter and batches and self._debouncer.settling_since < math.inf:
            self._meter.spent(Phase.EVENT, time.monotonic() - now)

    def _timeout_s(self, now: float) -> float:
        """Returns the longest time to wait for an event."""
        if self._answered() or (self._cookies.pending and self._watch_set.backend is None):
            return 0
        locked = self._is_locked()
        due = (self._debouncer.due_at(locked=locked), self._outputs.due_at, self._poll_at)
        return max(0, min(now + (_LOCKED_TICK_S if locked else _TICK_S), *due) - now)

    def _is_locked(self) -> bool:
        return self._debouncer.due_at(locked=False) < math.inf and self._git_lock.is_held()

    def _take_in(self, batch: EventBatch, now: float) -> None:
        for event in batch.events:
            self._sort(event, now)
        if batch.overflow:
            self._watch_set.report_overflow(batch.overflow)
        if batch.overflow or batch.stale:
            self._debouncer.add_everything(now)

    def _sort(self, event: WatchEvent, now: float) -> None:
        """Passes an event on to whom it concerns, if anybody."""
        path = event.path
        if self._scope.is_output(path):
            self._outputs.add(event, now)
        elif posixpath.dirname(path) == COOKIES:
            if event.mask & CREATE:
                self._cookies.arrive(posixpath.basename(path), self._debouncer.pending)
        elif self._is_document(path) or path in self._scope.single_files:
            self._debouncer.add(event, now)

    def _is_document(self, path: str) -> bool:
        return self._scope.can_be_document(path) or self._watch_set.is_link_target(path)

    def _compare_sentinels(self, now: float) -> None:
        """Takes in what changed without an event."""
        for path in self._sentinels.changed_files() - self._debouncer.pending:
            self._debouncer.add(WatchEvent(path, ATTRIB, 0), now)
        if replaced := self._sentinels.changed_folders():
            self._log("watch.renewed", reason=f"{', '.join(sorted(replaced))} is gone, or another folder than before")
            self._debouncer.add_everything(now)

    # From the debouncer to a batch

    async def _next_batch(self, now: float) -> Batch:
        """Returns what is due now; empty if nothing is."""
        if lost := self._cookies.take_lost(now):
            self._log("watch.cookie", error=f"{lost} was written, and no event came")
            self._debouncer.add_everything(now)
        if self._watch_set.backend is None:
            is_due = self._cookies.pending or self._debouncer.pending or self._poll_at <= now
            return await self._everything(self._debouncer.take_all()) if is_due else Batch()
        polled = await self._poll(now)
        if self._debouncer.due_at(locked=self._is_locked()) > now:
            return self._batch(frozenset(), polled, now)
        pending = self._debouncer.pending
        if self._meter and self._debouncer.settling_since < now:
            self._meter.spent(Phase.SETTLE, now - self._debouncer.settling_since)
        since = self._debouncer.settling_since
        ready = self._debouncer.take_ready(now, MAX_PATHS)
        if ready is None or self._scope.has_ignore_file(ready):
            return await self._everything(pending)
        batch = self._batch(ready, polled, now)
        return replace(batch, since=since) if batch.paths else batch

    async def _poll(self, now: float) -> frozenset[str]:
        """Returns the folders to look at now without an event."""
        polled = self._watch_set.polled
        if self._poll_at <= now:
            await self._watch_set.retry_refused()
            return polled
        return frozenset()

    def _batch(self, ready: frozenset[str], polled: frozenset[str], now: float) -> Batch:
        self._cookies.discount(ready)
        flushed = self._cookies.remove(self._answered())
        polled = self._watch_set.polled if flushed else polled
        if not ready and not flushed and not polled and self._outputs.due_at > now:
            return Batch()
        outputs = self._outputs.take().union(filter(self._scope.is_output, polled))
        paths = frozenset(filter(self._is_document, ready | polled))
        return Batch(paths, config=self._scope.has_session_file(ready), flushed=flushed, outputs=outputs)

    async def _everything(self, pending: frozenset[str]) -> Batch:
        """Returns a batch that asks for a look at everything. It answers all flushes called before it."""
        await self._watch_set.renew()
        self._outputs.take()
        config = self._scope.has_ignore_file(pending) or self._scope.has_session_file(pending)
        return Batch(everything=True, config=config, flushed=self._cookies.remove(self._cookies.pending))

    def _answered(self) -> frozenset[str]:
        return frozenset() if self._debouncer.is_everything else self._cookies.answered()

    def _schedule_poll(self, began: float) -> None:
        """Sets the time of the next poll after a look that began then."""
        now = time.monotonic()
        if not (self._watch_set.polled or self._watch_set.unwatched or self._watch_set.backend is None):
            self._poll_at = math.inf
        elif not began < self._poll_at < math.inf:
            self._poll_at = now + max(_POLL_S, _POLL_SHARE * (now - began))


class _OutputEvents:
    """Paths in the output folder that had events; times in seconds. `due_at` is when to report them."""

    def __init__(self, collect_s: float) -> None:
        self._collect_s = collect_s
        self._paths: set[str] = set()
        self.due_at = math.inf

    def add(self, event: WatchEvent, now: float) -> None:
        if event.mask & ISDIR and event.mask & CREATE:
            return  # a new folder is nearly always kahnd's own, and takes no output away
        self._paths.add(event.path)
        self.due_at = min(self.due_at, now + self._collect_s)

    def take(self) -> frozenset[str]:
        paths, self._paths, self.due_at = frozenset(self._paths), set(), math.inf
        return paths


class _Cookies:
    """Cookie files, which prove that all earlier events have been read; the method is watchman's.

    A cookie is answered once its own event has come, and all paths that were pending then are in a batch. `is_busy`
    tells whether events are coming, so that a cookie's may only be late.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._written_at: dict[str, float] = {}
        self._waits_for: dict[str, frozenset[str]] = {}
        self.is_busy = False

    @property
    def pending(self) -> frozenset[str]:
        """The tokens of all flushes that are not answered yet."""
        return frozenset(self._written_at)

    def prepare(self) -> None:
        """Creates the cookie folder and removes the cookies of earlier runs."""
        with suppress(OSError), open_folder(self._root, COOKIES, make=True) as cookies:  # or flushes do without
            names = os.listdir(cookies)  # noqa: PTH208 - of a descriptor
            for name in (each for each in names if each.isdecimal() and each not in self._written_at):
                if stat.S_ISREG(os.stat(name, dir_fd=cookies, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=cookies)

    def write(self, token: str) -> None:
        """Creates a cookie file. Raises OSError; the flush is pending all the same."""
        self._written_at[token] = time.monotonic()
        os.close(open_file(self._root, f"{COOKIES}/{token}", os.O_WRONLY | os.O_CREAT, make=True))

    def arrive(self, token: str, pending: frozenset[str]) -> None:
        """Notes that a cookie's event has come while these paths were pending."""
        self._waits_for.setdefault(token, pending)

    def discount(self, paths: frozenset[str]) -> None:
        """Notes that these paths are no longer pending."""
        self._waits_for = {token: pending - paths for token, pending in self._waits_for.items()}

    def answered(self) -> frozenset[str]:
        """Returns the tokens whose cookie has come, and before which nothing is pending."""
        return frozenset(token for token, pending in self._waits_for.items() if not pending)

    def take_lost(self, now: float) -> Path | None:
        """Returns a cookie whose event is overdue, if there is one: its folder may not be watched.

        All overdue ones count as lost with it, and are not returned again.
        """
        patience_s = _COOKIE_S * (_BUSY_FACTOR if self.is_busy else 1)
        lost = [
            token
            for token, written_at in self._written_at.items()
            if written_at + patience_s <= now and token not in self._waits_for
        ]
        self._written_at |= dict.fromkeys(lost, math.inf)
        return Path(self._root, COOKIES, lost[0]) if lost else None

    def remove(self, tokens: frozenset[str]) -> frozenset[str]:
        """Removes the files of these cookies, and returns those tokens that were pending."""
        for token in tokens:
            self._waits_for.pop(token, None)
            remove_file(self._root, f"{COOKIES}/{token}")  # or the next start removes it
        return frozenset(token for token in tokens if self._written_at.pop(token, None) is not None)
