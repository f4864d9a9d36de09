"""The server's limits, and its place, on a daemon that has no session yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kahnd.app.current_session import CurrentSession
from kahnd.app.daemon_view import DaemonView
from kahnd.app.output_index import OutputIndex
from kahnd.app.status import ServedAddress, StatusSnapshot
from kahnd.config.tables import ServeTable
from kahnd.telemetry.event_buffer import EventBuffer
from kahnd.telemetry.metrics import Metrics
from kahnd.web import preview
from kahnd.web import server as module
from kahnd.web.context import WebContext
from kahnd.web.server import WebServer

TOKEN = "t0ken"  # noqa: S105 - of nothing


class Daemon:
    """What the server sees of a daemon: a configuration that a test changes, and the log."""

    def __init__(self) -> None:
        self.serve = ServeTable(port=0)
        self.served = ServedAddress()
        self.logged: list[tuple[str, dict[str, Any]]] = []

    def view(self) -> DaemonView:
        return cast(
            "DaemonView",
            SimpleNamespace(
                take=lambda: StatusSnapshot("idle"),
                operations=SimpleNamespace(prefer=lambda _documents: None),
                metrics=Metrics(),
                events=EventBuffer(),
                outputs=OutputIndex(CurrentSession()),
                log=lambda event, **fields: self.logged.append((event, fields)),
                configured=lambda: SimpleNamespace(
                    config=SimpleNamespace(serve=self.serve), layout=SimpleNamespace(output="site")
                ),
                served=self.served,
            ),
        )

    @property
    def port(self) -> int:
        return int(self.served.url.rstrip("/").rpartition(":")[2])


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@asynccontextmanager
async def running(daemon: Daemon, root: Path) -> AsyncIterator[WebServer]:
    server = WebServer(WebContext(daemon.view(), "d", TOKEN, lambda _hearer: None))
    await server.start()
    try:
        await server.place(root)
        yield server
    finally:
        await server.stop()


async def told(port: int, request: str = "") -> str:
    """All that is answered to a request, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


def post(port: int, body: str, length: int) -> str:
    here = f"127.0.0.1:{port}"
    lines = [
        "POST /x HTTP/1.1",
        f"Host: {here}",
        f"Origin: http://{here}",
        f"X-Kahnd-Token: {TOKEN}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "Connection: close", "", body])


async def test_connections_beyond_the_limit_are_refused(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 2)
    async with running(daemon, tmp_path):
        taken = [await asyncio.open_connection("127.0.0.1", daemon.port) for _ in range(2)]
        for _, writer in taken:  # each is seen by the server once it is answered
            writer.write(b"GET /_kahnd HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % daemon.port)
        for reader, _ in taken:
            assert b"302" in await reader.readline()
        assert (await told(daemon.port)).startswith("HTTP/1.1 503 ")
        for _, writer in taken:
            writer.close()


async def test_a_body_that_does_not_come_is_waited_for_so_long(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODY_S", 0.05)
    async with running(daemon, tmp_path):
        answer = await told(daemon.port, post(daemon.port, "{", 10))
        assert answer.startswith("HTTP/1.1 408 ")


async def test_a_body_that_comes_is_left_to_the_handler(daemon: Daemon, tmp_path: Path) -> None:
    async with running(daemon, tmp_path):
        assert (await told(daemon.port, post(daemon.port, "{}", 2))).startswith("HTTP/1.1 405 ")


async def test_the_place_follows_the_configuration(daemon: Daemon, tmp_path: Path) -> None:
    async with running(daemon, tmp_path) as server:
        first = daemon.served.url
        await server.place(tmp_path)
        assert daemon.served.url == first, "nothing has changed"
        daemon.serve = ServeTable(host="192.0.2.1", port=0)
        await server.place(tmp_path)
        assert daemon.served.url == ""
        daemon.serve = ServeTable(enabled=False)
        await server.place(tmp_path)
        daemon.serve = ServeTable(host="localhost", port=0)
        await server.place(tmp_path)
        assert daemon.served.url.startswith("http://localhost:")
    assert daemon.served.url == ""
    events = [str(event) for event, _ in daemon.logged]
    assert events == ["serve.started", "serve.failed", "serve.started"]
    assert daemon.logged[0][1] == {"url": first}


async def test_outputs_below_kahnds_own_address_are_told_of_once(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "site" / "_kahnd").mkdir(parents=True)
    async with running(daemon, tmp_path) as server:
        daemon.serve = ServeTable(host="localhost", port=0)
        await server.place(tmp_path)
    assert [str(event) for event, _ in daemon.logged].count("serve.shadowed") == 1


async def test_a_request_before_the_first_session_waits_for_it(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "STARTS_WITHIN_S", 0.05)
    async with running(daemon, tmp_path):
        answer = await told(
            daemon.port, f"GET /a HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nConnection: close\r\n\r\n"
        )
        assert answer.startswith("HTTP/1.1 503 ")
        assert "Retry-After: 1" in answer
