from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kahnd.ports import Store
from kahnd.store.connection import Place
from kahnd.store.memory import MemoryStore
from kahnd.store.surreal import SurrealStore, open_store
from store.surreal_server import PASSWORD, USER, SurrealServer

EMBEDDED = Place("surrealkv://.kahnd/db", "kahnd", "tests", "main")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SurrealServer]:
    server = SurrealServer(tmp_path / "server")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[SurrealStore]:
    store = await open_store(EMBEDDED, root=tmp_path)
    yield store
    await store.close()


@pytest.fixture(params=["memory", "embedded", "websocket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each kind of store in turn, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    place = EMBEDDED
    server = None
    if request.param == "websocket":
        server = SurrealServer(tmp_path / "server")
        await server.start()
        place = Place(server.url, "kahnd", "tests", "main")
    opened = await open_store(place, root=tmp_path, credentials=(USER, PASSWORD))
    yield opened
    await opened.close()
    if server:
        await server.stop()
