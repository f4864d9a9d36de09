"""A SurrealDB server over a websocket.

The SDK reconnects by itself, but without signing in and selecting the database. So a client is used only while the task
that reads its socket lives; otherwise a new one is made. Every method works again once the server is back; the caller
decides when to retry.

The SDK's own messages quote the url, which may hold a password, so they are not passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio

from kahnd.core.model import Problem
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError, StoreRefusedError
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

if TYPE_CHECKING:
    from surrealdb import AsyncWsSurrealConnection

T = TypeVar("T")
CLOSE_TIMEOUT_S: Final = 5.0
CONFLICT: Final = "can be retried"
MAX_ATTEMPTS: Final = 5
"""For a transaction that conflicts with another workspace's."""


class RemoteConnection:
    """A session on a server, opened by the first call, and again by the first call after it was lost."""

    def __init__(self, address: StoreAddress, credentials: tuple[str, str] | None, limits: Limits) -> None:
        self._address = address
        self._credentials = credentials
        self._limits = limits
        self._lock = anyio.Lock()
        self._client: AsyncWsSurrealConnection | None = None
        self._had_schema = False
        self.openings = 0  # the server opens its database

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query, in a new session if the last was lost. Raises StoreLostError if the server can't be reached."""
        from surrealdb.errors import InvalidUrlError, SurrealError, TransportError  # noqa: PLC0415  it takes a second to import

        async with self._lock:
            try:
                with anyio.fail_after(self._limits.of_call(payload)):
                    return await self._retry_conflicts(query, payload)
            except Refused as refused:
                if needs_more_rounds(refused):
                    raise
                raise StoreRefusedError(self._problem(f"the database refused: {refused}")) from refused
            except (TransportError, TimeoutError, OSError):
                await self._drop()
                raise StoreLostError(self._problem("the database can't be reached", "is its server up?")) from None
            except InvalidUrlError:
                raise StoreError(Problem("store.url can't be understood", remedy="ws://host:8000/rpc")) from None
            except SurrealError as error:
                await self._drop()
                raise self._error(f"the database refused: {error}") from error

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        """Make calls; a session answers one after another."""
        return await calls(self.run)

    async def rebuild(self, reason: StoreError) -> None:
        """Do nothing: the server came back empty, and the tables were made."""

    def size(self) -> int:
        """Return 0: the database is on the server's disk."""
        return 0

    async def renew(self) -> None:
        """Do nothing: it is the server's memory."""

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Do nothing: the server manages its database's size."""

    async def close(self) -> None:
        """End the session."""
        async with self._lock:
            await self._drop()

    async def _retry_conflicts(self, query: str, payload: bytes) -> Any:
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return await execute(await self._session(), query, payload)
            except Refused as refused:
                if CONFLICT not in str(refused):
                    raise
        return await execute(await self._session(), query, payload)

    async def _session(self) -> AsyncWsSurrealConnection:
        if self._client is None or self._client.recv_task is None or self._client.recv_task.done():
            await self._drop()
            try:
                await self._sign_in()
            except BaseException:  # including cancellation: a half-opened session is unusable
                await self._drop()
                raise
        assert self._client is not None  # noqa: S101  signed in
        return self._client

    async def _sign_in(self) -> None:
        from surrealdb import AsyncWsSurrealConnection  # noqa: PLC0415  it takes a second to import

        client = self._client = AsyncWsSurrealConnection(self._address.url, streaming=False)
        await client.connect()
        self._check_server(client)
        if self._credentials:
            username, password = self._credentials
            await client.signin({"username": username, "password": password})
        await client.use(self._address.namespace, self._address.database)
        remedy = "set store.database to another name, or run the kahnd that made it"
        is_new = await apply_schema(client, StoreError, self._name, remedy)
        had_schema, self._had_schema = self._had_schema, True
        if is_new and had_schema:
            raise StoreCorruptError(self._problem("the server came back without the database"))

    def _check_server(self, client: AsyncWsSurrealConnection) -> None:
        """Raise StoreError if the server has redirected the connection to another one, before sending credentials."""
        named, reached = urlsplit(self._address.url), client.socket.protocol.uri
        port = named.port if named.port is not None else 443 if named.scheme == "wss" else 80
        if (named.scheme == "wss", named.hostname, port) != (reached.secure, reached.host.lower(), reached.port):
            remedy = f"name that server in store.url, if it is yours: {reached.host}:{reached.port}"
            raise StoreError(self._problem("the server leads to another", remedy))

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await client.close()

    @property
    def _name(self) -> str:
        """The server's address, without the user and password that a url may hold."""
        parts = urlsplit(self._address.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def _problem(self, message: str, remedy: str = "") -> Problem:
        return Problem(message, file=self._name, remedy=remedy)

    def _error(self, message: str) -> StoreError:
        return StoreError(self._problem(message))
