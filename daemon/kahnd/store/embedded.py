"""The embedded engine: one folder, one process, and the traps the engine has.

Durability: `sync=1s`. An acknowledged commit survives the death of the process in every mode, since the engine hands
it to the kernel; syncing every commit would save it from a power cut too, at more than twice the price (0.8 ms
against 0.3). What a power cut can take is the last second, as a whole suffix: those facts are derived again by the
start scan, and those documents rendered again, to the same bytes. A url with options of its own keeps them.

The engine neither flushes nor compacts while it is open, and after some GiB its writes hang for ever. So it is closed
and opened again whenever its folder has grown by the budget, and once more when a call does not return.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from kahnd.core.model import Problem
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError, StoreRefusedError
from kahnd.heap import give_back
from kahnd.own_files import NotOwnError
from kahnd.ports import PRESSING
from kahnd.store.connection import Connection, Limits, Place, Refused, Run, apply_schema, ask, is_deeper
from kahnd.store.folders import foreign_in, is_own, path_of, prepare, remove
from kahnd.store.native import NativeClient

T = TypeVar("T")

SETTLE_S: Final = 0.1
"""Exiting right after close() aborts the process now and then, while the engine's threads still end. Nothing tells
when they have, so this wait has no condition to wait for."""

CLOSE_LIMIT_S: Final = 10.0
"""An engine that hangs may not close either."""

OPTIONS: Final = "?sync=1s"

NEW, OLD = "new", "old"
"""Beside the folder while it is replaced."""

KEPT: Final = 2
"""Of the folders that were moved aside."""

_PRESSED: Final = re.compile(
    rf"os error ({'|'.join(map(str, sorted(PRESSING)))})\b|no space left|permission denied", re.IGNORECASE
)

_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})

_LOCKED: Final = "already locked by another process"

_MOMENT: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
"""As in the names of folders that were moved aside."""

_DAMAGE: Final = re.compile(r"sstable error|checksum|corrupt|magic number|decompress|failed to load", re.IGNORECASE)


class EmbeddedConnection:
    """A database in a folder. Its calls wait for one another: only so does the engine lose no update."""

    def __init__(self, place: Place, root: Path, report: Callable[[Problem], None], limits: Limits) -> None:
        self._place = place
        self._root = root
        self._path, _ = path_of(place.url)
        self._folder, self._options = folder_of(place.url, root)
        self._url = f"surrealkv://{self._folder}{self._options}"
        self._report = report
        self._limits = limits
        self._lock = anyio.Lock()
        self._size_at_opening = 0
        self.openings = 0
        self._client: NativeClient | None = None

    async def open(self) -> None:
        """Open the folder, made where it is not there; one that can't be read is moved aside, and `report` told.

        Raises StoreError where another process has it open, or it is not kahnd's, and StoreLostError where the machine
        does not let it be used.
        """
        self._tidy()
        try:
            await self._open()
        except StoreCorruptError as error:
            await self._begin_again(error)

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query; one that does not return is run once more, on an engine opened anew."""
        return await self.together(lambda run: run(query, payload))

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        """Make calls at once; if one does not return, all of them once more, on an engine opened anew."""
        async with self._lock:
            with suppress(TimeoutError):
                return await calls(partial(self._timed, await self._opened()))
            await self._shut()
            try:
                return await calls(partial(self._timed, await self._opened()))
            except TimeoutError:
                await self._shut()
                raise self._lost("the database does not answer", "if it goes on so, restart kahnd") from None

    async def rebuild(self, why: StoreError) -> None:
        """Move the folder aside and begin with an empty one."""
        async with self._lock:
            await self._begin_again(why)

    async def renew(self) -> None:
        """Open the engine anew: it keeps what it has read in memory, but for what it holds open."""
        async with self._lock:
            await self._reopen()
        await anyio.sleep(SETTLE_S)  # the closed engine's threads free what they have as they end
        await run_sync(give_back)

    def size(self) -> int:
        """Bytes in the folder."""
        return _size(self._folder)

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Fill a new folder, and rename it into place; a crash at any moment leaves one that is whole."""
        place = replace(self._place, url=f"surrealkv://{self._beside(NEW)}{self._options}")
        other = EmbeddedConnection(place, self._root, self._report, self._limits)
        async with self._lock:
            self._make_room()
            await other.open()
            try:
                await fill(other)
            finally:
                await other.close()
            await self._shut()
            try:
                self._folder.rename(self._root / self._beside(OLD))
                (self._root / self._beside(NEW)).rename(self._folder)
            except OSError as error:
                raise self._refused("the database can't be written anew", error, "check its folder") from error
            self._tidy()
            await self._open()
            await run_sync(give_back)

    def _beside(self, name: str) -> str:
        return f"{self._path}.{name}"

    def _tidy(self) -> None:
        """Remove what a replacement that was cut short has left; what is not kahnd's stays."""
        if not os.path.lexists(self._folder) and is_own(self._root, self._beside(OLD)):
            (self._root / self._beside(OLD)).rename(self._folder)
        for name in (NEW, OLD):
            if is_own(self._root, self._beside(name)):
                remove(self._root, self._beside(name))

    def _make_room(self) -> None:
        """Raise StoreLostError where something that is not kahnd's stands where the new folder is to be filled."""
        self._tidy()
        taken = [each for each in map(self._beside, (NEW, OLD)) if os.path.lexists(self._root / each)]
        if taken or foreign_in(self._root, self._path):
            message = "the database can't be written anew: kahnd did not make all that is in"
            raise self._lost(f"{message} {taken[0] if taken else self._path}", "move it away")

    async def close(self) -> None:
        """Close the engine, and wait until it is safe to exit."""
        async with self._lock:
            await self._shut()
            await anyio.sleep(SETTLE_S)

    async def _timed(self, client: NativeClient, query: str, payload: bytes = b"") -> Any:
        with anyio.fail_after(self._limits.of_call(payload)):
            try:
                return await ask(client, query, payload)
            except Refused as error:
                raise self._failure(error) from error

    async def _opened(self) -> NativeClient:
        """The engine; opened again where it is not, or has written as much as it should."""
        if self._client and self._grown() > self._limits.budget:
            await self._reopen()
        return self._client or await self._open()

    async def _reopen(self) -> None:
        """Anew, and once more where it compacted its tables as it was opened: what it read for that, it keeps."""
        tables = self._tables()
        await self._shut()
        await self._open()
        if tables - self._tables():
            await self._shut()
            await self._open()
        await run_sync(give_back)

    def _tables(self) -> frozenset[Path]:
        """The engine's tables: a compaction writes others in their place."""
        try:
            return frozenset((self._folder / "sstables").iterdir())
        except OSError:  # not to be told: then it is opened once
            return frozenset()

    def _grown(self) -> int:
        try:
            return _size(self._folder) - self._size_at_opening
        except FileNotFoundError as error:
            raise StoreCorruptError(Problem("the database's folder is gone", str(self._folder))) from error
        except OSError as error:
            if error.errno in _NO_FILES:
                return 0  # the engine has its own open already
            raise self._refused("the database can't be used", error, "check its folder") from error

    async def _shut(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        # What it could not write at its end is in its log, and said again by the next opening.
        with anyio.move_on_after(CLOSE_LIMIT_S, shield=True), suppress(Refused):
            await client.close()

    async def _begin_again(self, why: StoreError) -> None:
        await self._shut()
        message = "the database was unusable: it is built anew from the sources"
        remedy = f"the newest {KEPT} such folders are kept; remove them when nobody wants to look into them"
        self._report(Problem(message, file=str(self._move_aside()), remedy=remedy, detail=str(why)))
        self._keep_newest()
        await self._open()

    def _move_aside(self) -> Path:
        if self._folder.exists() and (others := foreign_in(self._root, self._path)):
            message = f"the database is unusable, and holds files that kahnd did not make: {', '.join(others)}"
            raise self._error(message, "move them away")
        aside = self._folder.with_name(f"{self._folder.name}.unusable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        try:
            self._folder.rename(aside)
        except FileNotFoundError:
            return self._folder
        except OSError as error:
            raise self._refused("the database is unusable and can't be moved aside", error, "move it away") from error
        return aside

    def _keep_newest(self) -> None:
        """Of what was moved aside: their names tell when."""
        start = f"{self._folder.name}.unusable-"
        beside = (each.name for each in self._folder.parent.iterdir())
        found = sorted(each for each in beside if each.startswith(start) and _MOMENT.fullmatch(each[len(start) :]))
        for each in found[:-KEPT]:
            path = f"{self._path.removesuffix(self._folder.name)}{each}"
            if is_own(self._root, path):
                remove(self._root, path)

    async def _open(self) -> NativeClient:
        self._make_folder()
        free = not self._is_locked()
        try:
            client = await self._start()
        except Refused as error:
            await self._shut()
            if free:
                self._unlock()
            raise self._failure(error, opening=True) from error
        except BaseException:  # cancelled too: half an engine is none
            await self._shut()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(SETTLE_S)
            raise
        self._size_at_opening = 0
        self._size_at_opening = self._grown()
        self.openings += 1
        return client

    async def _start(self) -> NativeClient:
        with anyio.CancelScope(shield=True):  # whoever gives up meanwhile has to close what was opened
            client = self._client = await run_sync(NativeClient, self._url)
        await client.use(self._place.namespace, self._place.database)
        await apply_schema(client, StoreCorruptError, str(self._folder))
        return client

    def _make_folder(self) -> None:
        try:
            prepare(self._root, self._path)
        except NotOwnError as error:
            place = str(self._root / str(error.filename))
            message = f"the database's folder can't be made or used: {error.strerror}"
            raise StoreError(Problem(message, place, remedy=error.remedy)) from error
        except OSError as error:
            raise self._refused("the database's folder can't be made", error, "check store.url") from error

    def _failure(self, error: Exception, *, opening: bool = False) -> Exception:
        """The engine's words as the error they mean; queries.DEEPER is the store's to understand."""
        text = str(error)
        if is_deeper(error):
            return error
        if _PRESSED.search(text):
            return self._lost(f"the database can't be used: {text}")
        if opening and _LOCKED in text:
            return self._error("another process has the database open", "stop it, or wait for it")
        if opening or _DAMAGE.search(text):
            return StoreCorruptError(Problem(f"the database can't be read: {text}", str(self._folder)))
        return StoreRefusedError(Problem(f"the database refused: {text}", file=str(self._folder)))

    def _refused(self, message: str, error: OSError, remedy: str) -> StoreError:
        text = f"{message}: {error.strerror}"
        return self._lost(text) if error.errno in PRESSING else self._error(text, remedy)

    def _lost(self, message: str, remedy: str = "check space, permissions and open files") -> StoreLostError:
        """What may be mended while one waits."""
        return StoreLostError(Problem(message, file=str(self._folder), remedy=remedy))

    def _error(self, message: str, remedy: str) -> StoreError:
        return StoreError(Problem(message, file=str(self._folder), remedy=remedy))

    def _unlock(self) -> None:
        """An engine that took its lock and then could not start never lets go of it, while this process lives."""
        if self._is_locked():
            (self._folder / "LOCK").unlink()

    def _is_locked(self) -> bool:
        """Whether somebody holds the engine's own lock."""
        try:
            with (self._folder / "LOCK").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no lock, no holder
            return False
        return False


def folder_of(url: str, root: Path) -> tuple[Path, str]:
    """The folder that a surrealkv:// url means, and the options behind it."""
    path, options = path_of(url)
    folder = root / path
    if "?" in str(folder):
        message = "the embedded database can't be in a folder with a question mark in its name"
        raise StoreError(Problem(message, file=str(folder), remedy="set store.url to another folder"))
    return folder, options or OPTIONS


def _size(folder: Path) -> int:
    """Bytes in the files of the folder's folders: the engine's log and tables. 50 µs."""
    total = 0
    for entry in os.scandir(folder):
        if entry.is_dir():
            total += sum(each.stat().st_size for each in os.scandir(entry.path))
    return total
