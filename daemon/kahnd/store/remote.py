"""A SurrealDB server over a websocket.

The SDK connects again by itself after a drop, but without signin and use. So a connection is used only while the
task that reads its socket lives; otherwise a new one is made. Every method works again by itself once the server is
back; when to try again is the caller's to decide.

The SDK's own messages quote the url, which may hold a password: none of those is passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio

from kahnd.core.model import Problem
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError, StoreRefusedError
from kahnd.store.connection import Connection, Limits, Place, Refused, Run, apply_schema, ask, is_deeper

if TYPE_CHECKING:
    from surrealdb import AsyncWsSurrealConnection

T = TypeVar("T")
CLOSE_LIMIT_S: Final = 5.0
CONFLICT: Final = "can be retried"
ATTEMPTS: Final = 5
"""At a transaction that met another workspace's."""


class RemoteConnection:
    """A session at a server, opened by the first call and again by the first after it was lost."""

    def __init__(self, place: Place, credentials: tuple[str, str] | None, limits: Limits) -> None:
        self._place = place
        self._credentials = credentials
        self._limits = limits
        self._lock = anyio.Lock()
        self._client: AsyncWsSurrealConnection | None = None
        self._known = False
        self.openings = 0  # elsewhere, and nobody else's

    async def run(self, query: str, payload: bytes = b"") -> Any:
        """Run a query, on a new session where the last was lost. Raises StoreLostError where there is no server."""
        from surrealdb.errors import InvalidUrlError, SurrealError, TransportError  # noqa: PLC0415  it takes a second to import

        async with self._lock:
            try:
                with anyio.fail_after(self._limits.of_call(payload)):
                    return await self._attempts(query, payload)
            except Refused as refused:
                if is_deeper(refused):
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
        """Make calls, one after another all the same: a session answers in order."""
        return await calls(self.run)

    async def rebuild(self, why: StoreError) -> None:
        """Nothing to do: the server came back empty, and the tables were made."""

    def size(self) -> int:
        """How the server keeps it is the server's to know."""
        return 0

    async def renew(self) -> None:
        """A server's memory is its own."""

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        """Nothing to do: how large its folder grows is the server's to see to."""

    async def close(self) -> None:
        """End the session."""
        async with self._lock:
            await self._drop()

    async def _attempts(self, query: str, payload: bytes) -> Any:
        for _ in range(ATTEMPTS - 1):
            try:
                return await ask(await self._session(), query, payload)
            except Refused as refused:
                if CONFLICT not in str(refused):
                    raise
        return await ask(await self._session(), query, payload)

    async def _session(self) -> AsyncWsSurrealConnection:
        if self._client is None or self._client.recv_task is None or self._client.recv_task.done():
            await self._drop()
            try:
                await self._sign_in()
            except BaseException:  # cancelled too: half a session is none
                await self._drop()
                raise
        assert self._client is not None  # noqa: S101  signed in
        return self._client

    async def _sign_in(self) -> None:
        from surrealdb import AsyncWsSurrealConnection  # noqa: PLC0415  it takes a second to import

        client = self._client = AsyncWsSurrealConnection(self._place.url, streaming=False)
        await client.connect()
        self._check_server(client)
        if self._credentials:
            username, password = self._credentials
            await client.signin({"username": username, "password": password})
        await client.use(self._place.namespace, self._place.database)
        remedy = "set store.database to another name, or run the kahnd that made it"
        empty = await apply_schema(client, StoreError, self._name, remedy)
        known, self._known = self._known, True
        if empty and known:
            raise StoreCorruptError(self._problem("the server came back without the database"))

    def _check_server(self, client: AsyncWsSurrealConnection) -> None:
        """A server may answer by naming another, which then is connected to: nothing is told to that one."""
        named, reached = urlsplit(self._place.url), client.socket.protocol.uri
        port = named.port if named.port is not None else 443 if named.scheme == "wss" else 80
        if (named.scheme == "wss", named.hostname, port) != (reached.secure, reached.host.lower(), reached.port):
            remedy = f"name that server in store.url, if it is yours: {reached.host}:{reached.port}"
            raise StoreError(self._problem("the server leads to another", remedy))

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(CLOSE_LIMIT_S, shield=True):
                await client.close()

    @property
    def _name(self) -> str:
        """The server's address, without the user and password a url may hold."""
        parts = urlsplit(self._place.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def _problem(self, message: str, remedy: str = "") -> Problem:
        return Problem(message, file=self._name, remedy=remedy)

    def _error(self, message: str) -> StoreError:
        return StoreError(self._problem(message))
