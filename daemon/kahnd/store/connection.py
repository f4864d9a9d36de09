"""What a connection is to the store, and what both kinds of connection share: reading answers, applying the schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol, TypeVar

from kahnd.core.model import Problem
from kahnd.errors import StoreError
from kahnd.store import queries
from kahnd.store.migrations import way

T = TypeVar("T")

VERSION: Final = 5
"""Of schema.surql."""

SLOWEST_BYTES_PER_S: Final = 100_000
"""Large calls may take longer by this; measured are some 4,000,000."""


LARGEST_RECORD: Final = 2_000
"""Bytes of a document or an edge with its part of the indexes; measured are some 330."""


class Refused(Exception):  # noqa: N818  it is an answer, and the connections make the error of it
    """The database ran the statement and it failed; the message is the database's own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a workspace's facts are: `surrealkv://folder`, `ws://` or `wss://`, and what in there."""

    url: str
    namespace: str
    database: str
    workspace: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes an embedded engine may write while it is open, and seconds that a small call may take.

    `renders` and `builds` are how many of the newest a workspace's history keeps. A database that is larger than
    `size` bytes, and than what its records can need, is written anew: the engine never gives all room back.
    """

    budget: int = 32 * 1024 * 1024
    size: int = 128 * 1024 * 1024
    call: float = 30.0
    renders: int = 20_000
    builds: int = 2_000

    def is_swollen(self, size: int, records: int) -> bool:
        """Whether a database with so many documents and edges should be written anew."""
        return size > self.size + records * LARGEST_RECORD

    def of_call(self, payload: bytes) -> float:
        """Seconds that a call with this payload may take."""
        return self.call + len(payload) / SLOWEST_BYTES_PER_S


DEFAULT_LIMITS: Final = Limits()
"""A quarter of what makes the engine hang on the smallest machine; and thousands of times what a small call needs.

A line of the history is some 750 bytes in the folder and 4,000 at the most: 15 MB, and no more than 80.
"""


class Run(Protocol):
    """Runs a query of `queries` with its payload, and returns its last statement's answer."""

    async def __call__(self, query: str, payload: bytes = b"") -> Any: ...  # noqa: D102


class Connection(Protocol):
    """One database. Raises StoreError, StoreLostError or StoreCorruptError; and Refused with queries.DEEPER.

    StoreCorruptError means that what was known is known no more: nothing but loading makes sense then.
    """

    openings: int
    """How often it was opened: what is embedded, now and then again. Then its size is that of what it holds."""

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query of `queries`, alone and within its time limit, and return its last statement's answer."""
        ...

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        """Have `calls` run queries that only read, several at once; all of them may be made a second time."""
        ...

    async def rebuild(self, why: StoreError) -> None:
        """Begin again with an empty database, after a StoreCorruptError."""
        ...

    async def renew(self) -> None:
        """Give back the memory that reading much has taken, where that is this process's."""
        ...

    def size(self) -> int:
        """Bytes of this machine's disk: none for a database elsewhere."""
        ...

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Have another database, filled by `fill`, in this one's place; until it is there, this one stays."""
        ...

    async def close(self) -> None:
        """Give the database up."""
        ...


class Client(Protocol):
    """What is used of a connection to an engine: the SDK's to a server, and `native`."""

    async def query_raw(self, query: str, vars: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        """Run SurrealQL; the answer says of each statement how it went."""
        ...


def is_deeper(error: Exception) -> bool:
    """Whether a closure was given too few rounds, and the query is to be run again with more."""
    return queries.DEEPER in str(error)


async def ask(client: Client, query: str, payload: bytes = b"") -> Any:
    """Run a query and return its last statement's answer; raises Refused with the first failure that is a cause."""
    raw = await client.query_raw(query, {"payload": payload.decode()})
    if "error" in raw:
        raise Refused(str(raw["error"].get("message", raw["error"])))
    answers = raw["result"]
    failures = [str(each["result"]) for each in answers if each["status"] != "OK"]
    if failures:
        raise Refused(failures[0])
    return answers[-1]["result"]


async def apply_schema(client: Client, mismatch: type[StoreError], name: str, remedy: str = "") -> bool:
    """Make the tables, or bring those of an earlier version to this one, and say whether there were none.

    Raises `mismatch` where no migration leads from the version found to this one's.
    """
    version = await ask(client, queries.SCHEMA_VERSION)
    migrations = () if version is None else way(version, VERSION)
    if migrations is None:
        message = f"the database has schema version {version}, this kahnd needs {VERSION}"
        raise mismatch(Problem(message, file=name, remedy=remedy))
    if version != VERSION:
        await ask(client, resources.files(__package__).joinpath("schema.surql").read_text("utf-8"))
    for each in migrations:
        await ask(client, each.transaction)
    return version is None
