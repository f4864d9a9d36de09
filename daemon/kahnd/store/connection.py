"""What a connection is to the store, and what both kinds of connection share: reading answers, applying the schema."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol

from kahnd.core.model import Problem
from kahnd.errors import StoreError
from kahnd.store import queries

VERSION: Final = 3
"""Of schema.surql."""

SLOWEST_BYTES_PER_S: Final = 100_000
"""Large calls may take longer by this; measured are some 4,000,000."""


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
    """Bytes an embedded engine may write while it is open, and seconds that a small call may take."""

    budget: int = 128 * 1024 * 1024
    call: float = 30.0

    def of_call(self, payload: bytes) -> float:
        """Seconds that a call with this payload may take."""
        return self.call + len(payload) / SLOWEST_BYTES_PER_S


DEFAULT_LIMITS: Final = Limits()
"""A quarter of what makes the engine hang on the smallest machine; and thousands of times what a small call needs."""


class Connection(Protocol):
    """One database. Raises StoreError, StoreLostError or StoreCorruptError; and Refused with queries.DEEPER.

    StoreCorruptError means that what was known is known no more: nothing but loading makes sense then.
    """

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query of `queries`, alone and within its time limit, and return its last statement's answer."""
        ...

    async def rebuild(self, why: StoreError) -> None:
        """Begin again with an empty database, after a StoreCorruptError."""
        ...

    async def close(self) -> None:
        """Give the database up."""
        ...


class Client(Protocol):
    """What is used of the SDK's connections."""

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
    """Make the tables where there are none yet, and say whether so; raises `mismatch` for another version's."""
    version = await ask(client, queries.SCHEMA_VERSION)
    if version is None:
        await ask(client, resources.files(__package__).joinpath("schema.surql").read_text("utf-8"))
    elif version != VERSION:
        message = f"the database has schema version {version}, this kahnd needs {VERSION}"
        raise mismatch(Problem(message, file=name, remedy=remedy))
    return version is None
