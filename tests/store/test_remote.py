"""A server that drops its clients, restarts, refuses them or is not there."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from kahnd.errors import StoreCorruptError, StoreError, StoreLostError
from kahnd.store import queries
from kahnd.store.connection import StoreAddress
from kahnd.store.surreal_store import SurrealStore, open_store
from store.graphs import changed
from store.surreal_server import PASSWORD, USER, SurrealServer


def place(url: str) -> StoreAddress:
    return StoreAddress(url, "kahnd", "tests", "main")


async def connect(url: str, password: str = PASSWORD) -> SurrealStore:
    return await open_store(place(url), root=Path(), credentials=(USER, password))


@pytest.fixture
async def remote(server: SurrealServer) -> AsyncIterator[SurrealStore]:
    store = await connect(server.url)
    yield store
    await store.close()


async def test_after_a_dropped_connection_it_signs_in_again(server: SurrealServer, remote: SurrealStore) -> None:
    await remote.propagate([changed("a")])
    server.drop_connections()
    server.methods.clear()
    try:
        await remote.propagate([changed("b")])
    except StoreLostError:  # the drop was noticed only when it sent
        await remote.propagate([changed("b")])
    assert server.methods[:2] == ["signin", "use"]
    assert [each.id for each in (await remote.load()).documents] == ["a", "b"]


async def test_a_session_that_was_cancelled_while_opening_is_opened_again(
    server: SurrealServer, remote: SurrealStore
) -> None:
    server.drop_connections()
    await anyio.wait_all_tasks_blocked()
    with anyio.CancelScope() as scope:
        server.on_method = lambda method: scope.cancel() if method == "signin" else None
        await remote.load()
    server.on_method = None
    assert scope.cancelled_caught
    assert await remote.propagate([changed("a")]) == ("a",)


async def test_the_store_recovers_when_the_server_is_back(server: SurrealServer, remote: SurrealStore) -> None:
    await remote.propagate([changed("a")])
    await server.stop_serving()
    for _ in range(2):
        with pytest.raises(StoreLostError, match="can't be reached"):
            await remote.load()
    await server.start()
    assert [each.id for each in (await remote.load()).documents] == ["a"]


async def test_a_server_that_comes_back_empty_is_noticed_and_loading_starts_over(
    server: SurrealServer, remote: SurrealStore
) -> None:
    await remote.propagate([changed("a")])
    await server.stop_serving()
    await server.query("USE NS kahnd; REMOVE DATABASE tests")
    await server.start()
    with pytest.raises(StoreCorruptError, match="without the database"):
        await remote.propagate([changed("a")])
    assert (await remote.load()).documents == ()
    assert await remote.propagate([changed("a")]) == ("a",)


async def test_no_server_at_all_is_a_lost_store(server: SurrealServer) -> None:
    url = server.url
    await server.stop_serving()
    with pytest.raises(StoreLostError):
        await connect(url)
    await server.start()


async def test_a_wrong_password_is_not_quoted(server: SurrealServer) -> None:
    with pytest.raises(StoreError) as caught:
        await connect(server.url, password="hunter2 and more")  # noqa: S106  a test's
    assert not isinstance(caught.value, StoreLostError)
    assert "authentication" in str(caught.value)
    assert "hunter2" not in f"{caught.value!r} {caught.value.problems}"


async def test_a_password_in_the_url_is_in_no_message(server: SurrealServer) -> None:
    url = server.url.replace("ws://", "ws://someone:hunter2@")
    await server.stop_serving()
    with pytest.raises(StoreLostError) as caught:
        await connect(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "127.0.0.1" in str(caught.value)
    await server.start()


async def test_an_invalid_url_is_not_quoted() -> None:
    url = "ws://someone:hunter2@host:port/rpc"
    with pytest.raises(StoreError, match="can't be understood") as caught:
        await connect(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


async def test_another_schema_version_on_a_server_is_an_error(
    server: SurrealServer, remote: SurrealStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remote.propagate([changed("a")])
    monkeypatch.setattr(queries, "SCHEMA_VERSION", queries.SCHEMA_VERSION + 1)
    with pytest.raises(StoreError, match=f"needs {queries.SCHEMA_VERSION}") as caught:
        await connect(server.url)
    assert "store.database" in caught.value.problems[0].remedy
    assert len((await remote.load()).documents) == 1


async def test_two_workspaces_write_at_once(server: SurrealServer) -> None:
    """Their transactions may conflict, and are retried."""
    stores = [
        await open_store(
            StoreAddress(server.url, "kahnd", "tests", str(number)), root=Path(), credentials=(USER, PASSWORD)
        )
        for number in range(4)
    ]

    async def write(store: SurrealStore) -> int:
        for number in range(10):
            await store.propagate([changed(f"{number}"), changed("hub", add=f"{number}")])
        return len((await store.load()).documents)

    assert await asyncio.gather(*map(write, stores)) == [11] * 4
    for store in stores:
        await store.close()


async def test_a_server_that_redirects_gets_no_password(server: SurrealServer) -> None:
    """A server may answer the opening of a websocket with a redirect."""

    def leads_on(connection: ServerConnection, _request: Request) -> Response:
        response = connection.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = server.url
        return response

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=leads_on) as leading:
        port = next(iter(leading.sockets)).getsockname()[1]
        with pytest.raises(StoreError, match="leads to another"):
            await connect(f"ws://127.0.0.1:{port}/rpc")
    assert "signin" not in server.methods
