from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from kahnd.ports import Store
from kahnd.store.connection import StoreAddress
from kahnd.store.memory_store import MemoryStore
from kahnd.store.surreal_store import SurrealStore, open_store
from store.surreal_server import PASSWORD, USER, SurrealServer

EMBEDDED = StoreAddress("surrealkv://.kahnd/db", "kahnd", "tests", "main")
WORKSPACES = (f"contract-{number}" for number in count())


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
async def shared_embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SurrealStore]:
    """One embedded database for all tests that keep to a workspace of their own."""
    store = await open_store(EMBEDDED, root=tmp_path_factory.mktemp("embedded"))
    yield store
    await store.close()


@pytest.fixture(scope="session")
async def shared_remote(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SurrealStore]:
    """One served database for all tests that keep to a workspace of their own."""
    server = SurrealServer(tmp_path_factory.mktemp("served"))
    await server.start()
    place = StoreAddress(server.url, "kahnd", "tests", "main")
    store = await open_store(place, root=Path(), credentials=(USER, PASSWORD))
    yield store
    await store.close()
    await server.stop()


@pytest.fixture(params=["memory", "shared_embedded", "shared_remote"], ids=["memory", "embedded", "websocket"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, empty."""
    if request.param == "memory":
        return MemoryStore()
    shared: SurrealStore = request.getfixturevalue(request.param)
    return SurrealStore(shared._connection, next(WORKSPACES))
