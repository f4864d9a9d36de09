"""A operations that answers what it is told to, when it is told to, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from aiohttp import ClientSession, UnixConnector

from kahnd.api import routes, schemas, timelines
from kahnd.api.control_socket import USUAL, Bounds
from kahnd.api.handlers import serving
from kahnd.core.model import Status
from kahnd.engine import OnProgress
from kahnd.platform.unix_socket import socket_path
from kahnd.telemetry.event_buffer import EventBuffer

Json = dict[str, Any]
SOON_S = 60.0


def example(route: routes.Route[Any, Any]) -> Any:
    """The route's own example of an answer, as its type."""
    return msgspec.convert(route.example, route.answer)


class FakeOperations:
    """Gives each route's example; long questions are answered when `gate` is open. Keeps what it was asked."""

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.gate.set()
        self.asked = anyio.Event()
        self.given_up = anyio.Event()
        self.questions: list[schemas.Request] = []
        self.error: Exception | None = None
        self.steps = 1
        self.nodes = 1
        self.worry = ""

    def trouble(self) -> str:
        return self.worry

    async def status(self, asked: routes.NoRequest, /) -> schemas.DaemonStatus:
        status: schemas.DaemonStatus = example(routes.STATUS)
        return status

    async def plan(self, asked: schemas.PlanRequest, /) -> schemas.Plan:
        await self._turn(asked)
        return schemas.Plan((asked.target,), {}, ())

    async def graph(self, asked: schemas.GraphRequest, /) -> schemas.Graph:
        await self._turn(asked)
        return schemas.Graph((schemas.Node("a.md", Status.DONE, None, None),) * self.nodes, ())

    async def why(self, asked: schemas.WhyRequest, /) -> schemas.Why:
        await self._turn(asked)
        return schemas.Why(asked.target, Status.DONE, (), (asked.target,), None)

    async def history(self, asked: schemas.HistoryRequest, /) -> schemas.History:
        await self._turn(asked)
        return schemas.History(())

    async def timeline(self, asked: timelines.TimelineRequest, /) -> timelines.Timeline:
        await self._turn(asked)
        timeline: timelines.Timeline = example(routes.TIMELINE)
        return timeline

    async def build(self, asked: schemas.BuildRequest, on_progress: OnProgress, /) -> schemas.Report:
        for step in range(self.steps):
            on_progress(step, self.steps, "docs/a.md")
        return await self._report(asked)

    async def retry(self, asked: schemas.RetryRequest, on_progress: OnProgress, /) -> schemas.Report:
        return await self._report(asked)

    async def wait(self, asked: schemas.WaitRequest, on_progress: OnProgress, /) -> schemas.Report:
        return await self._report(asked)

    async def reload(self, asked: schemas.ReloadRequest, /) -> schemas.Reloaded:
        await self._turn(asked)
        return schemas.Reloaded(changed=True)

    async def _report(self, asked: schemas.Request) -> schemas.Report:
        await self._turn(asked)
        report: schemas.Report = example(routes.BUILD)
        return report

    async def _turn(self, asked: schemas.Request) -> None:
        self.questions.append(asked)
        self.asked.set()
        try:
            await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.given_up.set()
            raise
        if self.error:
            raise self.error


@asynccontextmanager
async def client_of(root: Path) -> AsyncIterator[ClientSession]:
    async with ClientSession("http://localhost", connector=UnixConnector(str(socket_path(root)))) as client:
        yield client


@asynccontextmanager
async def served(
    root: Path, operations: FakeOperations, events: EventBuffer | None = None, bounds: Bounds = USUAL
) -> AsyncIterator[ClientSession]:
    with anyio.fail_after(SOON_S):
        async with serving(root, operations, events or EventBuffer(), bounds), client_of(root) as client:
            yield client


async def lines_of(client: ClientSession, path: str, body: Json) -> list[Json]:
    async with client.post(path, json=body) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [msgspec.json.decode(line) async for line in response.content]
