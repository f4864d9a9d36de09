"""The embedded engine: one folder, one process, and workarounds for the engine's limits.

Durability: `sync=1s`. An acknowledged commit survives the death of the process in every mode, since the engine hands
it to the kernel; syncing every commit would save it from a power cut too, but takes more than twice the time (0.8 ms
against 0.3). A power cut can lose the last second's commits: the start scan derives those facts again, and the
documents are rendered again, to the same bytes. A url with options of its own keeps them.

The engine neither flushes nor compacts while it is open, and after some GiB its writes hang for ever. So it is closed
and opened again whenever its folder has grown by the budget, and also when a call does not return.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import cbor2
from anyio.to_thread import run_sync
from surrealdb_embedded import AsyncEmbeddedDB

from kahnd.core.model import Problem
from kahnd.core.project_files import EMBEDDED
from kahnd.errors import StoreCorruptError, StoreError, StoreRefusedError
from kahnd.platform.resources import trim_heap
from kahnd.ports import PRESSING
from kahnd.store.connection import (
    Connection,
    Limits,
    Refused,
    Run,
    StoreAddress,
    apply_schema,
    execute,
    needs_more_rounds,
)
from kahnd.store.database_folder import MAX_KEPT_ASIDE, NEW, DatabaseFolder, path_of

T = TypeVar("T")

SETTLE_S: Final = 0.1
"""Exiting right after close() occasionally aborts the process, because the engine's threads are still ending. Nothing
signals their end, so this wait has no condition to wait for."""

CLOSE_TIMEOUT_S: Final = 10.0
"""An engine that hangs may not close either."""

DEFAULT_OPTIONS: Final = "?sync=1s"

_SCARCE_RESOURCE: Final = re.compile(
    rf"os error ({'|'.join(map(str, sorted(PRESSING)))})\b|no space left|permission denied", re.IGNORECASE
)
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_LOCKED: Final = "already locked by another process"
_DAMAGE: Final = re.compile(r"sstable error|checksum|corrupt|magic number|decompress|failed to load", re.IGNORECASE)

_REQUEST_ID: Final = "1"
"""Each answer is returned by the call that sends the request, so requests need no ids of their own."""


class NativeClient:
    """The engine on one folder, by its own package: requests and answers in CBOR, as a server has them.

    The SDK, which connects to servers, would cost the start of a daemon 0.3 seconds (1.1 if nothing is cached) and
    14 MB, and each call a tenth of a millisecond, for types that kahnd has no use for: its queries take and return
    JSON text. Every failure is a Refused with the engine's message.
    """

    def __init__(self, url: str) -> None:
        """Open the folder. Blocking."""
        try:
            self._engine = AsyncEmbeddedDB(url)
        except RuntimeError as error:
            raise Refused(str(error)) from error

    async def use(self, namespace: str, database: str) -> None:
        """Select a database, which is made if missing. To be called before any query."""
        await self._request("use", namespace, database)

    async def query_raw(self, query: str, vars: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        """Run SurrealQL, and return the result of each statement."""
        return await self._request("query", query, vars or {})

    async def close(self) -> None:
        """Close the folder; the engine's threads end a little later."""
        try:
            await self._engine.close()
        except RuntimeError as error:
            raise Refused(str(error)) from error

    async def _request(self, method: str, *parameters: object) -> dict[str, Any]:
        request = cbor2.dumps({"id": _REQUEST_ID, "method": method, "params": parameters})
        try:
            answer = await self._engine.execute(request)
        except RuntimeError as error:
            raise Refused(str(error)) from error
        decoded: dict[str, Any] = cbor2.loads(answer, tag_hook=_untag)
        if "error" in decoded:
            raise Refused(str(decoded["error"]["message"]))
        return decoded


def _untag(tag: cbor2.CBORTag, _immutable: bool) -> Any:  # noqa: FBT001  as cbor2 calls it
    """Return the content of SurrealDB's own kinds of values. Queries only ever return NONE, which has no content."""
    return tag.value


class EmbeddedConnection:
    """A database in a folder. Calls are serialized, since concurrent ones would lose updates."""

    def __init__(
        self, address: StoreAddress, root: Path, on_moved_aside: Callable[[Problem], None], limits: Limits
    ) -> None:
        path, options = path_of(address.url)
        self._address = address
        self._folder = DatabaseFolder(root, path)
        self._options = options or DEFAULT_OPTIONS
        self._on_moved_aside = on_moved_aside
        self._limits = limits
        self._lock = anyio.Lock()
        self._size_at_opening = 0
        self._client: NativeClient | None = None
        self.openings = 0

    async def open(self) -> None:
        """Open the folder, making it if missing; an unreadable database is moved aside and reported.

        Raises StoreError if another process has it open or it is not kahnd's, and StoreLostError if the machine lacks
        a resource to open it.
        """
        self._folder.finish_replacement()
        try:
            await self._open()
        except StoreCorruptError as error:
            await self._start_over(error)

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query; one that does not return is run once more, on a reopened engine."""
        return await self.together(lambda run: run(query, payload))

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        """Make concurrent calls; if one does not return, make all of them once more, on a reopened engine."""
        async with self._lock:
            with suppress(TimeoutError):
                return await calls(partial(self._timed, await self._opened()))
            await self._close_engine()
            try:
                return await calls(partial(self._timed, await self._opened()))
            except TimeoutError:
                await self._close_engine()
                message, remedy = "the database does not answer", "if it goes on so, restart kahnd"
                raise self._folder.lost(message, remedy) from None

    async def rebuild(self, reason: StoreError) -> None:
        """Move the folder aside and start with an empty one."""
        async with self._lock:
            await self._start_over(reason)

    async def renew(self) -> None:
        """Reopen the engine, which otherwise keeps everything that it has read in memory."""
        async with self._lock:
            await self._reopen()
        await anyio.sleep(SETTLE_S)  # the closed engine's threads free their memory as they end
        await run_sync(trim_heap)

    def size(self) -> int:
        """Return the bytes in the folder."""
        return self._folder.size()

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Fill a new database, and rename its folder into place."""
        url = f"{EMBEDDED}{self._folder.beside(NEW)}{self._options}"
        new = EmbeddedConnection(replace(self._address, url=url), self._folder.root, self._on_moved_aside, self._limits)
        async with self._lock:
            self._folder.check_replaceable()
            await new.open()
            try:
                await fill(new)
            finally:
                await new.close()
            await self._close_engine()
            self._folder.replace_by_new()
            await self._open()
            await run_sync(trim_heap)

    async def close(self) -> None:
        """Close the engine, and wait until it is safe to exit."""
        async with self._lock:
            await self._close_engine()
            await anyio.sleep(SETTLE_S)

    async def _timed(self, client: NativeClient, query: str, payload: bytes = b"") -> Any:
        with anyio.fail_after(self._limits.of_call(payload)):
            try:
                return await execute(client, query, payload)
            except Refused as error:
                raise self._exception(error) from error

    async def _opened(self) -> NativeClient:
        """Return the engine, reopened if it is closed or has written its budget."""
        if self._client and self._growth() > self._limits.budget:
            await self._reopen()
        return self._client or await self._open()

    async def _reopen(self) -> None:
        """Reopen the engine; twice if it compacted its tables, since it keeps in memory what it read for that."""
        tables = self._folder.tables()
        await self._close_engine()
        await self._open()
        if tables - self._folder.tables():
            await self._close_engine()
            await self._open()
        await run_sync(trim_heap)

    def _growth(self) -> int:
        try:
            return self._folder.size() - self._size_at_opening
        except FileNotFoundError as error:
            raise StoreCorruptError(Problem("the database's folder is gone", str(self._folder.full))) from error
        except OSError as error:
            if error.errno in _NO_FILES:
                return 0  # the engine has its own files open already
            raise self._folder.os_error("the database can't be used", error, "check its folder") from error

    async def _close_engine(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        # If a write at the end fails, it is in the engine's log, and the next opening reports the failure again.
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True), suppress(Refused):
            await client.close()

    async def _start_over(self, reason: StoreError) -> None:
        await self._close_engine()
        message = "the database was unusable: it is built anew from the sources"
        remedy = f"the newest {MAX_KEPT_ASIDE} such folders are kept; remove them when nobody wants to look into them"
        aside = self._folder.move_aside()
        self._on_moved_aside(Problem(message, file=str(aside), remedy=remedy, detail=str(reason)))
        self._folder.remove_oldest_aside()
        await self._open()

    async def _open(self) -> NativeClient:
        self._folder.prepare()
        was_free = not self._folder.is_locked()
        try:
            client = await self._start_engine()
        except Refused as error:
            await self._close_engine()
            if was_free:
                self._folder.break_lock()
            raise self._exception(error, opening=True) from error
        except BaseException:  # including cancellation: a half-opened engine is unusable
            await self._close_engine()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(SETTLE_S)
            raise
        self._size_at_opening = 0
        self._size_at_opening = self._growth()
        self.openings += 1
        return client

    async def _start_engine(self) -> NativeClient:
        url = f"{EMBEDDED}{self._folder.full}{self._options}"
        with anyio.CancelScope(shield=True):  # a caller that gives up meanwhile has to close the engine
            client = self._client = await run_sync(NativeClient, url)
        await client.use(self._address.namespace, self._address.database)
        await apply_schema(client, StoreCorruptError, str(self._folder.full))
        return client

    def _exception(self, error: Refused, *, opening: bool = False) -> Exception:
        """Classify the engine's error message; the store itself handles a query that needs more rounds."""
        text = str(error)
        if needs_more_rounds(error):
            return error
        if _SCARCE_RESOURCE.search(text):
            return self._folder.lost(f"the database can't be used: {text}")
        if opening and _LOCKED in text:
            return self._folder.error("another process has the database open", "stop it, or wait for it")
        if opening or _DAMAGE.search(text):
            return StoreCorruptError(Problem(f"the database can't be read: {text}", str(self._folder.full)))
        return StoreRefusedError(Problem(f"the database refused: {text}", file=str(self._folder.full)))
