"""The stream of events: everything, or what is wanted of it, from now on or from where one was; and a stuck reader."""

from __future__ import annotations

import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import ClientResponse, ClientSession

from api.operations import FakeOperations, lines_of, served
from kahnd.api.control_socket import Bounds
from kahnd.api.routes import LogLine
from kahnd.platform.unix_socket import socket_path
from kahnd.telemetry.event_buffer import EventBuffer

Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One event as it came."""

    id: str
    name: str
    data: Json


class Reader:
    """Reads a stream of events."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    async def block(self) -> dict[str, str]:
        """The next event's fields, or a comment as the field ""."""
        fields: dict[str, str] = {}
        while line := (await self._response.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    async def event(self) -> Seen:
        """The next event; comments are passed over."""
        while "data" not in (fields := await self.block()):
            assert fields == {"": "alive"}
        return Seen(fields.get("id", ""), fields["event"], json.loads(fields["data"]))

    async def events(self, count: int) -> list[Seen]:
        return [await self.event() for _ in range(count)]


@asynccontextmanager
async def reading(client: ClientSession, query: str = "", last_id: str | None = None) -> AsyncIterator[Reader]:
    """A stream that has begun: what happens from here on is in it."""
    headers = {"Last-Event-ID": last_id} if last_id is not None else {}
    async with client.get(f"/v1/events{query}", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        reader = Reader(response)
        if last_id is None:
            assert await reader.block() == {"": "alive"}
        yield reader


def event(name: str, level: str = "info", **more: Any) -> Json:
    return {"timestamp": "2026-01-31T12:00:00Z", "level": level, "event": name, **more}


async def test_every_event_comes_as_the_log_has_it(tmp_path: Path) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events) as client, reading(client) as reader:
        first = event("document.failed", "error", document="a.md", error="line 1\nline 2: ü")
        events.publish(first)
        events.publish(event("build.finished"))
        seen = await reader.events(2)
    assert [(each.name, each.data) for each in seen] == [
        ("document.failed", first),
        ("build.finished", event("build.finished")),
    ]
    assert [each.id for each in seen] == [f"{events.life}-1", f"{events.life}-2"]
    assert msgspec.convert(seen[0].data, LogLine).document == "a.md"


async def test_only_what_happens_from_now_on_is_told(tmp_path: Path) -> None:
    events = EventBuffer()
    events.publish(event("daemon.started"))
    async with served(tmp_path, FakeOperations(), events) as client, reading(client) as reader:
        events.publish(event("scan.finished"))
        assert (await reader.event()).name == "scan.finished"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?level=warning", ["document.blocked", "document.failed"]),
        ("?document=a.md", ["document.rendered", "document.failed"]),
        ("?build=2", ["build.finished", "document.failed"]),
        ("?event=build.started&event=build.finished", ["build.started", "build.finished"]),
        ("?document=a.md&build=2", ["document.failed"]),
    ],
)
async def test_what_is_wanted_is_told_and_nothing_else(tmp_path: Path, query: str, wanted: list[str]) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events) as client, reading(client, query) as reader:
        events.publish(event("build.started", build="1"))
        events.publish(event("document.rendered", document="a.md", build="1"))
        events.publish(event("document.blocked", "warning", document="b.md", build="1"))
        events.publish(event("build.finished", build="2"))
        events.publish(event("document.failed", "error", document="a.md", build="2"))
        assert [each.name for each in await reader.events(len(wanted))] == wanted


async def test_who_was_away_goes_on_after_the_last_event_that_was_read(tmp_path: Path) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events) as client:
        async with reading(client) as reader:
            for number in range(5):
                events.publish(event("build.started", build=str(number)))
            seen = await reader.events(2)
        async with reading(client, last_id=seen[-1].id) as reader:
            assert [each.data["build"] for each in await reader.events(3)] == ["2", "3", "4"]


async def test_who_was_away_for_too_long_is_told_how_many_were_missed(tmp_path: Path) -> None:
    events = EventBuffer(kept=2)
    for number in range(5):
        events.publish(event("build.started", build=str(number)))
    async with (
        served(tmp_path, FakeOperations(), events) as client,
        reading(client, last_id=f"{events.life}-1") as reader,
    ):
        gap, *rest = await reader.events(3)
    assert (gap.name, gap.data, gap.id) == ("gap", {"missed": 2}, "")
    assert [each.data["build"] for each in rest] == ["3", "4"]


@pytest.mark.parametrize("last_id", ["5f2c9a01-1", "", "-", "7", "nonsense", "{life}-99", "{life}-٣", "{life}--1"])
async def test_an_id_of_another_daemon_is_answered_with_all_that_is_kept(tmp_path: Path, last_id: str) -> None:
    events = EventBuffer()
    events.publish(event("daemon.started"))
    async with (
        served(tmp_path, FakeOperations(), events) as client,
        reading(client, last_id=last_id.format(life=events.life)) as reader,
    ):
        gap, first = await reader.events(2)
    assert (gap.name, gap.data) == ("gap", {"missed": None})
    assert first.name == "daemon.started"


async def test_while_nothing_is_told_a_comment_says_that_the_daemon_lives(tmp_path: Path) -> None:
    events = EventBuffer()
    async with (
        served(tmp_path, FakeOperations(), events, Bounds(heartbeat_s=0.05)) as client,
        reading(client, "?level=error") as reader,
    ):
        events.publish(event("build.started"))
        assert await reader.block() == {"": "alive"}
        assert await reader.block() == {"": "alive"}


async def test_who_hangs_up_is_not_written_to_any_more(tmp_path: Path) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events) as client:
        async with reading(client):
            await anyio.wait_all_tasks_blocked()
            assert events._waiting
        while events._waiting:
            await anyio.lowlevel.checkpoint()


# Who does not read


def asking(root: Path, request: str) -> socket.socket:
    """A client that asks, and then reads nothing."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.connect(str(socket_path(root)))
    client.sendall(f"{request} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    return client


async def test_who_does_not_read_misses_events_and_is_told_of_it_and_others_are_not_held_up(tmp_path: Path) -> None:
    events, count = EventBuffer(kept=50), 5_000
    async with served(tmp_path, FakeOperations(), events) as client, reading(client, "?event=last") as reader:
        with asking(tmp_path, "GET /v1/events") as stuck:
            await _taken(stuck)
            await _told_of(events, count)
            events.publish(event("last"))
            assert (await reader.event()).name == "last"
            told = await anyio.to_thread.run_sync(_all_until, stuck, b'"event":"last"')
    gaps = [json.loads(each.partition(b"data: ")[2]) for each in told.split(b"\n\n") if b"event: gap" in each]
    assert gaps
    assert told.count(b"event: x") + sum(each["missed"] for each in gaps) == count


async def test_nothing_is_kept_for_those_who_do_not_read(tmp_path: Path) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events):
        with ExitStack() as clients:
            for _ in range(20):
                await _taken(clients.enter_context(asking(tmp_path, "GET /v1/events")))
            await _told_of(events, 3_000)  # the sockets' buffers are full, and so is what is kept for all
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                await _told_of(events, 10_000)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    told = 10_000 * 1_000
    assert after - before < 0.5 * told, "twenty clients' worth of it would be twenty times as much"


async def _told_of(events: EventBuffer, count: int) -> None:
    for number in range(count):
        events.publish(event("x", error="x" * 1_000))
        if number % 10 == 0:
            await anyio.lowlevel.checkpoint()


async def _taken(client: socket.socket) -> None:
    """Its stream has begun."""
    await anyio.wait_readable(client)


def _all_until(client: socket.socket, end: bytes) -> bytes:
    client.settimeout(60)
    told = b""
    while end not in told[-5_000:]:
        told += client.recv(1 << 16)
    return told


async def test_who_reads_nothing_for_too_long_is_hung_up_on(tmp_path: Path) -> None:
    events = EventBuffer()
    async with served(tmp_path, FakeOperations(), events, Bounds(stuck_s=0.1)):
        with asking(tmp_path, "GET /v1/events") as stuck:
            await _taken(stuck)
            while not await anyio.to_thread.run_sync(_is_hung_up_on, stuck):
                events.publish(event("x", error="x" * 100_000))
                await anyio.lowlevel.checkpoint()


def _is_hung_up_on(client: socket.socket) -> bool:
    """Without reading what it has been sent: a write tells it, too."""
    try:
        client.send(b"x", socket.MSG_NOSIGNAL)
    except OSError:
        return True
    return False


async def test_a_build_whose_client_does_not_read_is_over_as_soon_as_it_is(tmp_path: Path) -> None:
    operations = FakeOperations()
    operations.gate = anyio.Event()
    async with served(tmp_path, operations) as client:
        with asking(tmp_path, "POST /v1/build"):
            await operations.asked.wait()
            operations.gate.set()
            assert (await lines_of(client, "/v1/wait", {}))[-1].keys() == {"report"}
