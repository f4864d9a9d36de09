"""Events → batches of hints. An event only ever means "go and look": what is true, the tree finds out.

1. All sources, the outputs and the cookie folder are under one watch, so that their events come in one order.
2. Whatever casts doubt on the watch (a queue that overflowed, a source folder that is another than before) is answered
   by a comparison of what is watched with what should be, and then by a batch that says "look at everything".
3. What the kernel can't watch is in a batch every second.
"""

from __future__ import annotations

import math
import os
import posixpath
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from kahnd.core.rules import is_below
from kahnd.own_files import folder, leads_straight, open_file, remove_file
from kahnd.ports import Batch, Meter, Stage
from kahnd.watch.anchors import Anchors, file_signature, folder_signature
from kahnd.watch.coverage import Coverage, Events, Folders, Polling
from kahnd.watch.gathering import Gathering
from kahnd.watch.git import GITIGNORE, GitLock, ignore_files_around
from kahnd.watch.ignore import CONFIG_FILE, OWN_FOLDER, is_utf8, never_document, upwards
from kahnd.watch.links import Links
from kahnd.watch.notifier import ATTRIB, CREATE, ISDIR, Event, News

COOKIES: Final = f"{OWN_FOLDER}/cookies"
FLOOD: Final = 2_000
"""Above this many paths in a batch, looking at everything is cheaper."""

_POLL_S: Final = 1.0
_POLL_SHARE: Final = 4
"""After a look that took long, this many times as long until the next."""
_MADE_S: Final = 0.1
"""How soon outputs are looked at: most events there are of kahnd's own work, which is not to be held up by looks."""
_TICK_S: Final = 1.0
"""How often to make sure, without an event, that folders and config files are the ones they were."""
_LOCKED_TICK_S: Final = 0.02
_COOKIE_S: Final = 1.0
"""A cookie whose event has not come by then won't come, unless others still do."""
_BUSY_FACTOR: Final = 10


class FileWatcher:
    """Fulfils ports.Watcher. To be iterated once; `flush` belongs to the event loop's thread.

    `session_files` are what a session is built on besides kahnd.toml (plug-ins), relative to the project or absolute;
    `outputs` is the output folder: its events are told apart. `say` writes a log line: event, fields.
    """

    def __init__(  # noqa: PLR0913  the composition root passes what the config has
        self,
        root: Path,
        sources: Iterable[str],
        session_files: Iterable[str] = (),
        settle_ms: int = 10,
        polling: Polling = "auto",
        *,
        events: Events = "auto",
        outputs: str | None = None,
        say: Callable[..., None] = lambda _event, **_fields: None,
        meter: Meter | None = None,
    ) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100  a link at the project's own place stays as it was given
        self._sources = tuple(sorted(set(map(_normal, sources))))
        holds_sources = outputs is not None and any(is_below(source, outputs) for source in self._sources)
        self._outputs = None if outputs is None or holds_sources else _normal(outputs)
        self._say = say
        self._meter = meter
        self._overflows = 0
        self._session = frozenset(_normal(posixpath.relpath(self._full(each), self._root)) for each in session_files)
        self._session |= {CONFIG_FILE}
        above = {folder for source in self._sources for folder in upwards(posixpath.dirname(source))} | {""}
        around = above | {posixpath.dirname(each) for each in self._session if not each.startswith("../")}
        tops = (*self._sources, *([self._outputs] if self._outputs else []))
        links = Links(self._root, self._sources, self._outputs)
        self._coverage = Coverage(links, Folders(tops, tuple(around), COOKIES), polling, events, say)
        self._ignoring = frozenset(posixpath.relpath(each.path, self._root) for each in ignore_files_around(self._root))
        self._beside = self._session | self._ignoring | {posixpath.join(each, GITIGNORE) for each in above}
        self._files = Anchors(self._beside, lambda path: file_signature(self._full(path)))
        self._folders = Anchors((COOKIES, *tops), lambda path: folder_signature(self._full(path)))
        self._gathering = Gathering(settle_ms / 1000, self._size, closes=self._coverage.backend == "inotify")
        self._settle_s = settle_ms / 1000
        self._lock = GitLock(self._root)
        self._ready = anyio.Event()
        self._flush_called = anyio.Event()
        self._made: set[str] = set()
        self._made_due = self._poll_due = math.inf
        self._pending: dict[str, float] = {}
        self._arrived: dict[str, frozenset[str]] = {}
        self._is_busy = False

    # Faces

    @property
    def backend(self) -> str:
        """How it watches: "inotify" or "watchfiles", or "polling" where no source is watched by events."""
        return self._coverage.backend if any(map(self._coverage.is_watched, self._sources)) else "polling"

    @property
    def overflows(self) -> int:
        """How often events were lost, or may have been, there being too many; a look at everything was the answer."""
        return self._overflows

    @property
    def unwatched(self) -> tuple[str, ...]:
        """The topmost folders that the kernel refuses to watch."""
        return self._coverage.unwatched

    async def ready(self) -> None:
        """Returns when every source folder is watched; `batches` must be under way."""
        await self._ready.wait()

    def flush(self, token: str) -> None:
        """Write a cookie through the watched tree: a later batch's `flushed` holds the token."""
        self._pending[token] = time.monotonic()
        try:
            os.close(open_file(Path(self._root), f"{COOKIES}/{token}", os.O_WRONLY | os.O_CREAT, make=True))
        except OSError as error:
            self._say("watch.cookie", error=str(error))
            self._gathering.take_everything(time.monotonic())  # takes the cookie's place
        self._flush_called.set()

    async def audit(self) -> None:
        """Compare what is watched with what should be, and mend it: for whoever looks at everything afterwards."""
        await self._ready.wait()
        await self._coverage.renew()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Batches for as long as it is iterated; nothing is left behind when it is closed or cancelled."""
        try:
            await anyio.to_thread.run_sync(self._prepare)
            await self._coverage.renew()
            self._folders.changed()  # from here on, another folder in the place of one of these is news
            self._poll_due = time.monotonic() + _POLL_S
            self._ready.set()
            while True:
                await self._listen()
                batch = await self._harvest(time.monotonic())
                began = time.monotonic()
                if batch != Batch():
                    yield batch
                self._rest(began)
        finally:
            self._coverage.close()

    # From events to what is gathered

    async def _listen(self) -> None:
        """Wait for events, for the time that something gathered is due, or for a flush."""
        notifier = self._coverage.notifier
        self._flush_called = anyio.Event()
        try:
            with anyio.move_on_after(self._patience(time.monotonic())):
                await (notifier.happened() if notifier else self._flush_called.wait())
        except OSError as error:
            self._coverage.abandon(error)
            self._poll_due = time.monotonic() + _POLL_S  # then it begins anew, with a look at everything
        now = time.monotonic()
        told = notifier.news() if notifier else ()
        self._is_busy = bool(told)
        self._take_anchors(now)  # before the cookies among the events: these speak for what was noticed, too
        for news in told:
            self._take_news(news, now)
        self._coverage.check()
        if self._meter and told and self._gathering.since < math.inf:
            self._meter.spent(Stage.EVENT, time.monotonic() - now)

    def _patience(self, now: float) -> float:
        """Seconds to wait for an event at the most."""
        if self._answered() or (self._pending and self._coverage.notifier is None):
            return 0
        locked = self._is_locked()
        due = (self._gathering.due(locked=locked), self._made_due, self._poll_due)
        return max(0, min(now + (_LOCKED_TICK_S if locked else _TICK_S), *due) - now)

    def _is_locked(self) -> bool:
        return self._gathering.due(locked=False) < math.inf and self._lock.held()

    def _take_news(self, news: News, now: float) -> None:
        for event in news.events:
            self._take(event, now)
        if news.overflow:
            self._overflows += 1
            self._say("watch.overflow", reason=news.overflow)
        if news.overflow or news.stale:
            self._gathering.take_everything(now)

    def _take(self, event: Event, now: float) -> None:
        path = event.path
        if self._is_output(path):
            # Not folders that appear: most are kahnd's, and what is in others is none of its outputs' loss.
            if not (event.mask & ISDIR and event.mask & CREATE):
                self._made.add(path)
                self._made_due = min(self._made_due, now + max(self._settle_s, _MADE_S))
        elif posixpath.dirname(path) == COOKIES:
            if event.mask & CREATE:
                self._arrived.setdefault(posixpath.basename(path), self._gathering.pending)
        elif self._matters(path) or path in self._beside or self._coverage.is_linked(path):
            self._gathering.take(event, now)

    def _take_anchors(self, now: float) -> None:
        """What was noticed without an event."""
        for path in self._files.changed() - self._gathering.pending:
            self._gathering.take(Event(path, ATTRIB, 0), now)
        if others := self._folders.changed():
            self._say("watch.renewed", reason=f"{', '.join(sorted(others))} is gone, or another folder than before")
            self._gathering.take_everything(now)

    # From what is gathered to a batch

    async def _harvest(self, now: float) -> Batch:
        self._expect_cookies(now)
        if self._coverage.notifier is None:
            looks = self._pending or self._gathering.pending or self._poll_due <= now
            return await self._everything(self._gathering.clear()) if looks else Batch()
        polled = await self._poll(now)
        due = self._gathering.due(locked=self._is_locked()) <= now
        if not due:
            return self._batch(frozenset(), polled, now)
        pending = self._gathering.pending
        self._account(now)
        ripe = self._gathering.harvest(now, FLOOD)
        if ripe is None or self._are_rules(ripe):
            return await self._everything(pending)
        return self._batch(ripe, polled, now)

    def _account(self, now: float) -> None:
        if self._meter and self._gathering.since < now:
            self._meter.spent(Stage.SETTLE, now - self._gathering.since)

    async def _poll(self, now: float) -> frozenset[str]:
        """What has to be looked at now without an event."""
        polled = self._coverage.polled
        if self._poll_due <= now:
            await self._coverage.retry()
            return polled
        return frozenset()

    def _batch(self, ripe: frozenset[str], polled: frozenset[str], now: float) -> Batch:
        self._arrived = {token: waiting - ripe for token, waiting in self._arrived.items()}
        flushed = self._flushed(self._answered())
        polled = self._coverage.polled if flushed else polled
        if not ripe and not flushed and not polled and self._made_due > now:
            return Batch()
        outputs = frozenset(self._made).union(filter(self._is_output, polled))
        self._made, self._made_due = set(), math.inf
        paths = frozenset(each for each in ripe | polled if self._matters(each) or self._coverage.is_linked(each))
        return Batch(paths, config=not self._session.isdisjoint(ripe), flushed=flushed, outputs=outputs)

    async def _everything(self, pending: frozenset[str]) -> Batch:
        """A look at everything also answers every flush called before it."""
        await self._coverage.renew()
        self._made, self._made_due = set(), math.inf
        config = self._are_rules(pending) or not self._session.isdisjoint(pending)
        return Batch(everything=True, config=config, flushed=self._flushed(frozenset(self._pending)))

    def _rest(self, began: float) -> None:
        """After a look that began then: when to look again at what has to be looked at."""
        now = time.monotonic()
        if not (self._coverage.polled or self._coverage.unwatched or self._coverage.notifier is None):
            self._poll_due = math.inf
        elif not began < self._poll_due < math.inf:
            self._poll_due = now + max(_POLL_S, _POLL_SHARE * (now - began))

    def _matters(self, path: str) -> bool:
        return (
            any(is_below(path, source or ".") for source in self._sources)
            and not self._is_output(path)
            and (not is_utf8(path) or not any(map(never_document, path.split("/"))))
        )

    def _are_rules(self, paths: Iterable[str]) -> bool:
        """Whether ignore rules may be others."""
        return any(posixpath.basename(path) == GITIGNORE or path in self._ignoring for path in paths)

    def _is_output(self, path: str) -> bool:
        return self._outputs is not None and is_below(path, self._outputs)

    # Cookies

    def _cookie(self, token: str) -> Path:
        return Path(self._root, COOKIES, token)

    def _answered(self) -> frozenset[str]:
        """The tokens whose cookie came, and before which there is nothing that was not handed out."""
        if self._gathering.everything:
            return frozenset()
        return frozenset(token for token, waiting in self._arrived.items() if not waiting)

    def _expect_cookies(self, now: float) -> None:
        """A cookie that does not come is none: its folder may not be watched. It can be among those that still come."""
        patience_s = _COOKIE_S * (_BUSY_FACTOR if self._is_busy else 1)
        late = [
            token for token, asked in self._pending.items() if asked + patience_s <= now and token not in self._arrived
        ]
        if late:
            self._say("watch.cookie", error=f"{self._cookie(late[0])} was written, and no event came")
            self._gathering.take_everything(now)
            self._pending |= dict.fromkeys(late, math.inf)

    def _flushed(self, tokens: frozenset[str]) -> frozenset[str]:
        for token in tokens:
            self._arrived.pop(token, None)
            remove_file(Path(self._root), f"{COOKIES}/{token}")  # or it is cleared at the next start
        return frozenset(token for token in tokens if self._pending.pop(token, None) is not None)

    def _prepare(self) -> None:
        root = Path(self._root)
        if self._outputs and leads_straight(str(root), self._outputs):
            with suppress(OSError):  # whoever puts the first output there will tell
                Path(self._full(self._outputs)).mkdir(parents=True, exist_ok=True)
        with suppress(OSError), folder(root, COOKIES, make=True) as cookies:  # or flushing does without
            left = [each for each in os.listdir(cookies) if each.isdecimal() and each not in self._pending]  # noqa: PTH208
            for each in left:  # by an earlier life
                if stat.S_ISREG(os.stat(each, dir_fd=cookies, follow_symlinks=False).st_mode):
                    os.unlink(each, dir_fd=cookies)

    # Paths

    def _full(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._root, path))

    def _size(self, path: str) -> int | None:
        try:
            found = os.lstat(self._full(path))
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None


def _normal(path: str) -> str:
    """A project path; the project itself is ""."""
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal
