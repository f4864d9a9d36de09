"""A SurrealDB server for tests: the real engine behind the real wire protocol.

It differs from a server in one thing: the engine has one session for all clients. What a client must do on each of
its connections, signin and use, is therefore demanded here, in the words of a real server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surrealdb import AsyncEmbeddedSurrealConnection
from surrealdb.data.cbor import decode, encode
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

USER = "root"
PASSWORD = "correct horse battery staple"  # noqa: S105  a test's


class SurrealServer:
    """Serves one embedded database on this port, or one of its own, the same after each `start`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._engine = AsyncEmbeddedSurrealConnection(f"surrealkv://{folder}?sync=never")
        self._server: Server | None = None
        self._port = port
        self.methods: list[str] = []
        self.on_method: Callable[[str], None] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/rpc"

    async def start(self) -> None:
        await self._engine.connect()
        await self._engine.query(f"DEFINE USER IF NOT EXISTS {USER} ON ROOT PASSWORD '{PASSWORD}' ROLES OWNER")
        self._server = await serve(
            self._talk, "127.0.0.1", self._port, subprotocols=[Subprotocol("cbor")], max_size=None
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def query(self, surrealql: str) -> Any:
        """Run something as nobody's client."""
        return await self._engine.query(surrealql)

    def drop_connections(self) -> None:
        """Drops all connections, as a crash or a lost network does."""
        assert self._server is not None
        for connection in tuple(self._server.connections):
            connection.transport.abort()

    async def stop_serving(self) -> None:
        assert self._server is not None
        self.drop_connections()
        self._server.close()
        await self._server.wait_closed()

    async def stop(self) -> None:
        await self.stop_serving()
        await self._engine.close()

    async def _talk(self, socket: ServerConnection) -> None:
        done: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            async for frame in socket:
                tasks.create_task(self._answer(socket, bytes(frame), done))  # type: ignore[arg-type]

    async def _answer(self, socket: ServerConnection, frame: bytes, done: set[str]) -> None:
        request = decode(frame)
        method = request["method"]
        self.methods.append(method)
        if self.on_method:
            self.on_method(method)
        if method == "query" and not {"signin", "use"} <= done:
            error = {"code": -32000, "message": "Specify a namespace to use"}
            await socket.send(encode({"id": request["id"], "error": error}))
            return
        reply = await self._engine._db.execute(frame)
        if "error" not in decode(reply):
            done.add(method)
        await socket.send(reply)
