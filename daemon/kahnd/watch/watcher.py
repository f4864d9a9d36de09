"""Kernel events → batches of hints. An event only ever means "go and look": what is true, the tree finds out.

1. All sources and the cookie folder are under one watch, so that their events come in one order.
2. Whatever casts doubt on the watch (its failure, a flood, a source folder that is another than before) gives a new
   watch first, and then a batch that says "look at everything".
3. Without kernel events, every batch says so.
"""

from __future__ import annotations

import math
import os
import posixpath
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import anyio
import anyio.to_thread
from watchfiles import Change
from watchfiles._rust_notify import WatchfilesRustInternalError
from watchfiles.main import _default_force_polling

from kahnd.core.rules import is_below
from kahnd.ports import Batch
from kahnd.watch.anchors import Anchors, file_signature, folder_signature
from kahnd.watch.ignore import CONFIG_FILE, GITIGNORE, OWN_FOLDER, never_document, upwards
from kahnd.watch.notifier import Changes, Notifier, watch_folders

Polling = Literal["auto", "always", "never"]

COOKIES: Final = f"{OWN_FOLDER}/cookies"
FLOOD: Final = 2_000
"""Above this many paths in a batch, looking at everything is cheaper, and events may well have been lost."""

_POLL_S: Final = 1.0
_FRESH_S: Final = 0.1
"""A new folder is looked at again after this: what was put into it before its watch stood made no event."""
_SHORTEST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
"""A watch that dies again after pauses as long as this won't live: then polling, if that is allowed."""
_SOUND_S: Final = 10.0
"""A watch that lived this long was a sound one: the next failure is the first again."""


class FileWatcher:
    """Fulfils ports.Watcher. To be iterated once; `flush` belongs to the event loop's thread.

    `session_files` are what a session is built on besides kahnd.toml (plug-ins), relative to the project or absolute;
    `outputs` is the output folder: its events are told apart. `say` writes a log line: event, fields.
    `overflows` counts the floods in which events may have been lost, and which were answered by a look at everything.
    """

    def __init__(  # noqa: PLR0913  the composition root passes what the config has
        self,
        root: Path,
        sources: Iterable[str],
        session_files: Iterable[str] = (),
        settle_ms: int = 10,
        polling: Polling = "auto",
        *,
        outputs: str | None = None,
        say: Callable[..., None] = lambda _event, **_fields: None,
    ) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100  events come with the path as it is watched
        self._sources = tuple(sorted({posixpath.normpath(source) for source in sources}))
        holds_sources = outputs is not None and any(is_below(source, outputs) for source in self._sources)
        self._outputs = None if outputs is None or holds_sources else posixpath.normpath(outputs)
        self._watched = (*self._sources, COOKIES, *([self._outputs] if self._outputs else []))
        self._settle_ms = settle_ms
        self._say = say
        self.overflows = 0
        self._polling = polling
        self._notifier: Notifier | None = None
        self._ready = anyio.Event()
        self._flush_called = anyio.Event()
        self._pending: set[str] = set()
        self._unwritten = False
        self._fresh: dict[str, float] = {}
        self._in_doubt = False
        self._given_up = False
        self._born = -math.inf
        self._pause_s = 0.0
        self._session = frozenset(map(self._full, (CONFIG_FILE, *session_files)))
        above = {folder for source in self._sources for folder in upwards(posixpath.dirname(source))}
        gitignores = {self._full(posixpath.join(folder, GITIGNORE)) for folder in above}
        self._files = Anchors(self._session | gitignores, file_signature)
        self._folders = Anchors(map(self._full, self._watched), folder_signature)

    @property
    def backend(self) -> str:
        """How it watches: "inotify" or "polling"."""
        return "polling" if self._notifier is None else "inotify"

    async def ready(self) -> None:
        """Returns when every source folder is watched; `batches` must be under way."""
        await self._ready.wait()

    def flush(self, token: str) -> None:
        """Write a cookie through the watched tree: a later batch's `flushed` holds the token."""
        self._pending.add(token)
        try:
            self._cookie(token).parent.mkdir(parents=True, exist_ok=True)
            self._cookie(token).touch()
        except OSError as error:
            self._say("watch.cookie", error=str(error))
            self._unwritten = True  # a look at everything takes its place
        self._flush_called.set()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Batches for as long as it is iterated; nothing is left behind when it is closed or cancelled."""
        try:
            await anyio.to_thread.run_sync(self._prepare)
            await self._renew()
            self._ready.set()
            while True:
                batch = await self._next()
                if batch != Batch():
                    yield batch
        finally:
            self._close(self._notifier)

    async def _next(self) -> Batch:
        if self._in_doubt:
            await self._rest(self._back_off())
            await self._renew()
            return self._everything()
        if self._notifier is None:
            await self._rest(_POLL_S)
            return self._everything()
        try:
            changes = await self._notifier.changes(self._has_news)
        except WatchfilesRustInternalError as error:
            self._doubt(str(error))
            return Batch()
        return self._batch(changes)

    def _has_news(self) -> bool:
        """Whether there is something to do although no event came."""
        due = min(self._fresh.values(), default=math.inf) <= time.monotonic()
        return due or self._unwritten or self._folders.differ() or self._files.differ()

    # The watch itself

    async def _renew(self) -> None:
        """A new watch; the old one goes only when it stands. Where the kernel refuses, polling if that is allowed."""
        old, self._notifier = self._notifier, None
        self._in_doubt, self._born = False, time.monotonic()
        try:
            if self._given_up:
                self._say("watch.polling", error="the kernel's watch fails again and again")
            elif not self._polls_always():
                self._notifier = await watch_folders(self._watchable(), self._settle_ms)
        except FileNotFoundError as error:
            self._doubt(str(error))  # a folder went meanwhile
        except (OSError, WatchfilesRustInternalError) as error:
            self._refused(error)
        finally:
            self._close(old)

    def _refused(self, error: Exception) -> None:
        if self._polling == "never":
            self._doubt(str(error))
        else:
            self._say("watch.polling", error=str(error), remedy="sysctl fs.inotify.max_user_watches=1048576")

    def _polls_always(self) -> bool:
        return self._polling == "always" or (self._polling == "auto" and _default_force_polling(None))

    def _watchable(self) -> list[str]:
        """The folders that are there, and not below one another."""
        self._folders.changed()  # from here on, another folder in the place of one of these is news
        outermost = (
            each
            for each in self._watched
            if not any(each != other and is_below(each, other) for other in self._watched)
        )
        return [path for path in map(self._full, outermost) if folder_signature(path) is not None]

    def _doubt(self, reason: str) -> None:
        self._say("watch.renewed", reason=reason)
        self._in_doubt = True

    def _back_off(self) -> float:
        """Seconds to wait before the watch is made anew: none for one that lived long, then more each time."""
        sound = time.monotonic() - self._born > _SOUND_S
        self._pause_s = 0.0 if sound else max(2 * self._pause_s, _SHORTEST_PAUSE_S)
        if self._pause_s > _LONGEST_PAUSE_S:
            self._pause_s = _LONGEST_PAUSE_S
            self._given_up = self._polling == "auto"
        return self._pause_s

    async def _rest(self, seconds: float) -> None:
        """Wait, unless somebody waits for a flush."""
        self._flush_called = anyio.Event()
        if not self._pending:
            with anyio.move_on_after(seconds):
                await self._flush_called.wait()

    def _close(self, notifier: Notifier | None) -> None:
        if notifier is not None:
            notifier.close()

    # From changes to a batch

    def _batch(self, changes: Changes) -> Batch:
        inner = {(change, self._inner(path)) for change, path in changes}
        paths = {path for _, path in inner if self._matters(path)}
        self._expect_more(path for change, path in inner if change == Change.added and path in paths)
        paths |= self._due()
        if replaced := self._replaced(inner):
            self._doubt(f"{', '.join(sorted(replaced))} is another folder than before")
            return Batch(paths=frozenset(paths | replaced.intersection(self._sources)))
        if max(len(paths), len(self._fresh)) > FLOOD:
            self.overflows += 1
            self._say("watch.overflow", paths=len(paths), reason="so many events that some may have been lost")
            return self._everything()
        if self._unwritten:
            return self._everything()
        config, ignoring = self._news(paths)
        if ignoring:
            return self._everything(config=True)
        flushed = self._flushed(self._cookies_in(inner))
        return Batch(frozenset(paths), config=config, flushed=flushed, outputs=self._made(inner))

    def _everything(self, *, config: bool = False) -> Batch:
        """A look at everything also answers every flush called before it."""
        self._unwritten = False
        self._fresh.clear()
        return Batch(everything=True, config=config or any(self._news(())), flushed=self._flushed({*self._pending}))

    def _matters(self, path: str) -> bool:
        return (
            any(is_below(path, source) for source in self._sources)
            and not self._is_output(path)
            and not any(map(never_document, path.split("/")))
        )

    def _is_output(self, path: str) -> bool:
        return self._outputs is not None and is_below(path, self._outputs)

    def _made(self, changes: Iterable[tuple[int, str]]) -> frozenset[str]:
        """Outputs. Not folders that appear: most are kahnd's, and what is in others is none of its outputs' loss."""
        return frozenset(
            path
            for change, path in changes
            if self._is_output(path) and (change != Change.added or folder_signature(self._full(path)) is None)
        )

    def _expect_more(self, added: Iterable[str]) -> None:
        """Look at new folders again after a while."""
        due = time.monotonic() + _FRESH_S
        self._fresh |= {path: due for path in added if folder_signature(self._full(path)) is not None}

    def _due(self) -> set[str]:
        now = time.monotonic()
        due = {path for path, moment in self._fresh.items() if moment <= now}
        for path in due:
            del self._fresh[path]
        return due

    def _replaced(self, changes: Iterable[tuple[int, str]]) -> set[str]:
        """The watched folders that are others than before: removed, made, renamed or exchanged.

        One that was removed and made again can have its old number: then the event tells.
        """
        by_event = {path for change, path in changes if change == Change.deleted and path in self._watched}
        return by_event | {self._inner(path) for path in self._folders.changed()}

    def _news(self, paths: Collection[str]) -> tuple[bool, bool]:
        """Whether what a session is built on changed, and whether it was a `.gitignore`."""
        changed = self._files.changed()
        ignoring = any(posixpath.basename(path) == GITIGNORE for path in (*changed, *paths))
        return bool(changed) or ignoring or any(self._full(path) in self._session for path in paths), ignoring

    # Cookies

    def _cookie(self, token: str) -> Path:
        return Path(self._root, COOKIES, token)

    def _cookies_in(self, changes: Iterable[tuple[int, str]]) -> set[str]:
        return {posixpath.basename(path) for _, path in changes if posixpath.dirname(path) == COOKIES}

    def _flushed(self, tokens: set[str]) -> frozenset[str]:
        seen = frozenset(tokens & self._pending)
        self._pending -= seen
        for token in seen:
            with suppress(OSError):  # cleared at the next start
                self._cookie(token).unlink(missing_ok=True)
        return seen

    def _prepare(self) -> None:
        if self._outputs:
            with suppress(OSError):  # whoever puts the first output there will tell
                Path(self._full(self._outputs)).mkdir(parents=True, exist_ok=True)
        self._clear_cookies()

    def _clear_cookies(self) -> None:
        """Remove what an earlier life left, and have the folder there to be watched."""
        folder = Path(self._root, COOKIES)
        with suppress(OSError):  # then flushing does without
            folder.mkdir(parents=True, exist_ok=True)
            for cookie in folder.iterdir():
                if cookie.name not in self._pending:
                    cookie.unlink()

    # Paths

    def _full(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._root, path))

    def _inner(self, full: str) -> str:
        return posixpath.relpath(full, self._root)
