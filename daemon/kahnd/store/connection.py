"""Connections to a database: the protocol that both kinds fulfil, their limits, and one workspace's calls over one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol, TypeVar

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from kahnd.core.model import BuildRecord, Problem, Snapshot
from kahnd.core.text import json_safe
from kahnd.errors import StoreCorruptError, StoreError
from kahnd.store import codec, queries

MIN_BYTES_PER_S: Final = 100_000
"""The rate by which large calls get more time; measured are about 4,000,000."""

MAX_RECORD_BYTES: Final = 2_000
"""The size of a document or an edge with its part of the indexes; measured are about 330."""

FIRST_PAGE: Final = 2_000
MAX_PAGE: Final = 10_000
"""Documents that are read at once: about 10 to 50 MB in the engine, of which it keeps a part."""
PAGE_DIVISOR: Final = 2
"""A page is at least half as long as all before it, since each page skips those once more."""

T = TypeVar("T")
Page = list[codec.FactsRow]


class Refused(Exception):  # noqa: N818  an answer of the database; connections turn it into an error
    """The database ran the statement and it failed; the message is the database's own."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The address of a workspace: a url (`surrealkv://folder`, `ws://` or `wss://`), and names in that database."""

    url: str
    namespace: str
    database: str
    workspace: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on calls, on the history, and on the size of an embedded database.

    `budget` is how many bytes the engine may write before it is reopened; `call` is the seconds that a small call may
    take; `renders` and `builds` are how many of the newest records a workspace's history keeps. A database that is
    larger than `size` bytes, and than its records can need, is rewritten: the engine never frees all unused space.

    The default budget is a quarter of what makes the engine hang on the smallest machine. A record of the history
    takes about 750 bytes, and 4,000 at the most: 15 MB by default, and no more than 80.
    """

    budget: int = 32 * 1024 * 1024
    size: int = 128 * 1024 * 1024
    call: float = 30.0
    renders: int = 20_000
    builds: int = 2_000

    def is_swollen(self, size: int, records: int) -> bool:
        """Tell whether a database with so many documents, warnings and edges should be rewritten."""
        return size > self.size + records * MAX_RECORD_BYTES

    def of_call(self, payload: bytes) -> float:
        """Return the seconds that a call with this payload may take."""
        return self.call + len(payload) / MIN_BYTES_PER_S


DEFAULT_LIMITS: Final = Limits()


class Run(Protocol):
    """Runs a query of `queries` with its payload, and returns its last statement's result."""

    async def __call__(self, query: str, payload: bytes = b"") -> Any: ...  # noqa: D102


class Connection(Protocol):
    """One database. Raises StoreError, StoreLostError or StoreCorruptError; and Refused if a query needs more rounds.

    After a StoreCorruptError the caller's knowledge of the database is void: it has to load again.
    """

    openings: int
    """How often an embedded database was opened. Right after an opening, its size is that of its content."""

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query of `queries`, alone and within its time limit, and return its last statement's result."""
        ...

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        """Let `calls` run queries that only read, several at once; all of them may be repeated."""
        ...

    async def rebuild(self, reason: StoreError) -> None:
        """Start over with an empty database, after a StoreCorruptError."""
        ...

    async def renew(self) -> None:
        """Free the memory that reading has taken, if it is this process's."""
        ...

    def size(self) -> int:
        """Return the database's bytes on this machine's disk; 0 for a database elsewhere."""
        ...

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Replace this database by a new one that `fill` writes; until that is complete, this one stays."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Client(Protocol):
    """The part of a client's interface that is used: of the SDK for a server, and of `embedded.NativeClient`."""

    async def query_raw(self, query: str, vars: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        """Run SurrealQL, and return the result of each statement."""
        ...


async def execute(client: Client, query: str, payload: bytes = b"") -> Any:
    """Run a query, and return its last statement's result. Raises Refused with the first failure."""
    raw = await client.query_raw(query, {"payload": payload.decode()})
    if "error" in raw:
        raise Refused(str(raw["error"].get("message", raw["error"])))
    results = raw["result"]
    failures = [str(each["result"]) for each in results if each["status"] != "OK"]
    if failures:
        raise Refused(failures[0])
    return results[-1]["result"]


def needs_more_rounds(error: Exception) -> bool:
    """Tell whether a closure was given too few rounds of recursion, so that the query has to be repeated with more."""
    return queries.MORE_ROUNDS in str(error)


async def apply_schema(client: Client, mismatch: type[StoreError], name: str, remedy: str = "") -> bool:
    """Make the tables, or migrate those of an earlier version; return whether there were none.

    Raises `mismatch` if there is no migration from the version found.
    """
    version = await execute(client, queries.READ_SCHEMA_VERSION)
    migrations = () if version is None else queries.migrations_between(version, queries.SCHEMA_VERSION)
    if migrations is None:
        message = f"the database has schema version {version}, this kahnd needs {queries.SCHEMA_VERSION}"
        raise mismatch(Problem(message, file=name, remedy=remedy))
    if version != queries.SCHEMA_VERSION:
        await execute(client, resources.files(__package__).joinpath("schema.surql").read_text("utf-8"))
    for each in migrations:
        await execute(client, each.transaction)
    return version is None


class WorkspaceCalls:
    """One workspace's calls: parameters and results are JSON."""

    def __init__(self, run: Run, workspace: str) -> None:
        self._run_query = run
        self.workspace = workspace

    async def ask(self, query: str, kind: type[T], **payload: object) -> T:
        """Run a query and decode its result. Raises StoreCorruptError for a result that kahnd can't have written."""
        result = await self._call(query, payload)
        try:
            return msgspec.json.decode(result, type=kind)
        except (msgspec.MsgspecError, TypeError) as error:
            raise StoreCorruptError(Problem(f"the database holds data that kahnd did not write: {error}")) from error

    async def run(self, query: str, **payload: object) -> None:
        """Run a query that returns nothing."""
        await self._call(query, payload)

    async def load(self) -> Snapshot:
        """Read all documents and edges, and the last build; the next page is read along with a page's edges."""
        builds = await self.ask(queries.BUILDS, list[BuildRecord], limit=1)
        collected = codec.SnapshotCollector()
        send, receive = anyio.create_memory_object_stream[Page]()
        try:
            async with anyio.create_task_group() as tasks, receive:
                tasks.start_soon(self._read_pages, send)
                async for page in receive:
                    collected.add(page, await self._edges_of(page))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the first failure cancels the other task
        return Snapshot(tuple(collected.documents), collected.dependencies, builds[0] if builds else None)

    async def _read_pages(self, send: MemoryObjectSendStream[Page]) -> None:
        after, passed = None, 0
        async with send:
            while page := await self.ask(queries.DOCUMENTS, Page, after=after, limit=_page_length(passed)):
                await send.send(page)
                after = page[-1].id
                passed += len(page)

    async def _edges_of(self, page: Page) -> list[codec.EdgeRow]:
        return await self.ask(queries.EDGES, list[codec.EdgeRow], first=page[0].id, last=page[-1].id)

    async def _call(self, query: str, payload: dict[str, object]) -> Any:
        return await self._run_query(query, encode_payload({"workspace": self.workspace, **payload}))


def encode_payload(payload: Mapping[str, object]) -> bytes:
    """Encode as JSON; a value that UTF-8 or 64 bits can't hold is replaced by the nearest one that fits."""
    try:
        return msgspec.json.encode(payload)
    except (UnicodeEncodeError, OverflowError):
        return msgspec.json.encode(json_safe(payload))


def _page_length(passed: int) -> int:
    """Return how many documents to read after so many."""
    return max(FIRST_PAGE, min(passed // PAGE_DIVISOR, MAX_PAGE))
