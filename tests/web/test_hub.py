"""The hub, with real sockets, over outputs that a test sets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from engine.fakes import until
from kahnd.app.output_index import FoundOutput
from kahnd.core.blame import Failure
from kahnd.core.model import Digest, DocumentId, Problem, Status
from kahnd.telemetry.metrics import Metrics
from kahnd.web import hub as hubs
from kahnd.web.context import WebContext
from kahnd.web.hub import Hub

DEADLINE_S = 60.0


@dataclass
class Outputs:
    """Fulfils what the hub uses of an OutputIndex."""

    found: dict[str, FoundOutput] = field(default_factory=dict)
    is_open: bool = True

    def publish(self, path: str, digest: str | None, status: Status = Status.DONE, because: str | None = None) -> None:
        document = DocumentId(path.replace(".html", ".md"))
        problem = Problem("no good", document, 1) if status in {Status.FAILED, Status.BLOCKED} else None
        culprit = DocumentId(because) if because else None
        self.found[path] = FoundOutput(document, path, Digest(digest) if digest else None, status, problem, culprit)

    def find(self, path: str) -> FoundOutput | None:
        return self.found.get(path)

    def of_document(self, document: str) -> tuple[FoundOutput, ...]:
        return tuple(each for each in self.found.values() if each.document == document)

    def failure_at(self, path: str) -> Failure | None:
        found = self.found[path]
        if not found.problem:
            return None
        culprit = found.because or found.document
        return Failure(found.document, culprit, found.problem, tuple(dict.fromkeys((found.document, culprit))))


@dataclass
class Daemon:
    """A hub in a server, and what it hears of."""

    outputs: Outputs
    counts: dict[str, int]
    hub: Hub
    metrics: Metrics
    preferred: list[frozenset[str]]
    url: str = ""

    def event(self, event: str, **fields: Any) -> None:
        self.hub.on_event(event, fields)

    def rendered(self, path: str, digest: str) -> None:
        self.outputs.publish(path, digest)
        self.event("document.rendered", document=path.replace(".html", ".md"), output=f"site/{path}")

    def failed(self, path: str) -> None:
        found = self.outputs.found[path]
        self.outputs.found[path] = replace(found, status=Status.FAILED, problem=Problem("no good", "a.md", 2))
        self.event("document.failed", document=found.document)


class Client:
    """A browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def show(self, path: str, digest: str | None, **more: Any) -> None:
        await self.say(type="show", tab=more.pop("tab", "tab"), path=path, hash=digest, **more)

    async def hear(self, kind: str) -> Any:
        """The next message of this type; others are left out."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.socket.receive_json()
                if message["type"] == kind:
                    return message


@asynccontextmanager
async def daemon(root: Path) -> AsyncIterator[Daemon]:
    outputs, counts = Outputs(), {"failed": 0, "blocked": 0}
    metrics = Metrics()
    preferred: list[frozenset[str]] = []
    view = SimpleNamespace(
        outputs=outputs,
        metrics=metrics,
        operations=SimpleNamespace(prefer=preferred.append),
        take=lambda: SimpleNamespace(counts=counts),
        configured=lambda: SimpleNamespace(root=root, config=SimpleNamespace(serve=SimpleNamespace(editor=""))),
    )
    application = web.Application()
    hub = Hub(WebContext(cast("Any", view), "this daemon", "token", lambda _: None))
    application.router.add_get("/live", hub.listen)
    application.on_shutdown.append(hub.close)
    server = TestServer(application, skip_url_asserts=True)
    await server.start_server()
    try:
        yield Daemon(outputs, counts, hub, metrics, preferred, str(server.make_url("/live")))
    finally:
        await server.close()


@asynccontextmanager
async def browser(daemon: Daemon) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session, session.ws_connect(daemon.url) as socket:
        client = Client(socket)
        assert (await client.hear("welcome"))["daemon"] == "this daemon"
        yield client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_browser_hears_of_a_new_version_of_its_page(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1")
        await client.show("a.html", "1")
        await client.hear("problems")
        kahnd.rendered("b.html", "5")
        kahnd.rendered("a.html", "2")
        assert await client.hear("changed") == {"type": "changed", "path": "a.html", "hash": "2", "kind": "page"}


async def test_events_may_come_on_any_thread(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1")
        await client.show("a.html", "1")
        await client.hear("problems")
        thread = threading.Thread(target=kahnd.rendered, args=("a.html", "2"))
        thread.start()
        assert (await client.hear("changed"))["hash"] == "2"
        thread.join()


async def test_a_browser_that_comes_back_hears_what_it_has_missed(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd:
        kahnd.outputs.publish("a.html", "2")
        async with browser(kahnd) as client:
            await client.show("a.html", "1")
            assert (await client.hear("changed"))["hash"] == "2"


async def test_a_removed_output_is_told(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("posts/a.html", "1")
        await client.show("posts/a.html", "1")
        await client.hear("problems")
        del kahnd.outputs.found["posts/a.html"]
        kahnd.event("document.removed", document="posts/a.md", output="build/site/posts/a.html")
        assert await client.hear("changed") == {"type": "changed", "path": "posts/a.html", "hash": None, "kind": "page"}


async def test_between_two_sessions_nothing_is_told_to_be_gone(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.is_open = False
        await client.show("a.html", "1")
        kahnd.event("config.reloaded")
        kahnd.event("build.finished")
        kahnd.outputs.publish("a.html", "2")
        kahnd.outputs.is_open = True
        kahnd.event("scan.finished")
        assert (await client.hear("changed"))["hash"] == "2"


async def test_a_failure_is_told_to_who_shows_the_page_and_its_end_too(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one\ntwo\nthree\n")
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1")
        await client.show("a.html", "1")
        await client.hear("problems")
        kahnd.failed("a.html")
        problem = (await client.hear("problems"))["pages"]["a.html"]
        assert problem["message"] == "no good"
        assert problem["excerpt"][1] == {"line": 2, "text": "two"}
        kahnd.rendered("a.html", "1")
        assert (await client.hear("problems"))["pages"] == {"a.html": None}


async def test_while_a_failed_page_is_rendered_again_it_stays_failed(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1", Status.FAILED)
        await client.show("a.html", "1")
        assert (await client.hear("problems"))["pages"]["a.html"]
        kahnd.outputs.publish("a.html", "1", Status.DIRTY)
        kahnd.event("build.finished")
        kahnd.counts["failed"] = 4
        kahnd.event("build.finished")
        assert await client.hear("problems") == {"type": "problems", "count": 4, "pages": {}}


async def test_a_second_tab_with_a_broken_page_is_told_too(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1", Status.BLOCKED, "part.md")
        for tab in ("one", "two"):
            await client.show("a.html", "1", tab=tab)
            problem = (await client.hear("problems"))["pages"]["a.html"]
            assert (problem["status"], problem["culprit"]) == ("BLOCKED", "part.md")


async def test_the_number_of_broken_documents_is_told_when_it_has_changed(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as client:
        kahnd.outputs.publish("a.html", "1")
        await client.show("a.html", "1")
        assert (await client.hear("problems"))["count"] == 0
        kahnd.counts["blocked"] = 3
        kahnd.event("build.finished")
        assert (await client.hear("problems"))["count"] == 3


async def test_what_is_no_message_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd, browser(kahnd) as good:
        for garbage in ("{", '{"type": "other"}', '{"type": "show", "tab": 5, "path": []}', "\0", '"x"'):
            async with browser(kahnd) as client:
                await client.socket.send_str(garbage)
                async with asyncio.timeout(DEADLINE_S):
                    assert (await client.socket.receive()).type is aiohttp.WSMsgType.CLOSE
        kahnd.outputs.publish("a.html", "2")
        await good.show("a.html", "1")
        assert (await good.hear("changed"))["hash"] == "2"


async def test_a_browser_that_reads_nothing_is_disconnected_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "STUCK_S", 0.5)
    paths = [f"{number}-{'x' * 500}.html" for number in range(900)]
    async with daemon(tmp_path) as kahnd, browser(kahnd) as good, one_that_reads_nothing(kahnd, paths):
        kahnd.outputs.publish("a.html", "1")
        await good.show("a.html", "1")
        await good.hear("problems")
        number = 1
        while kahnd.hub.browsers == 2:
            number += 1
            for path in paths:
                kahnd.outputs.publish(path, str(number))
            kahnd.event("build.finished")
            kahnd.rendered("a.html", str(number))
            assert (await good.hear("changed"))["hash"] == str(number)
        assert kahnd.hub.browsers == 1


@asynccontextmanager
async def one_that_reads_nothing(daemon: Daemon, assets: list[str]) -> AsyncIterator[None]:
    """A browser whose buffers fill up: it shows a page with these assets."""
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(daemon.url)
        shown = dict.fromkeys(assets, "1")
        await socket.send_json({"type": "show", "tab": "stuck", "path": "stuck.html", "assets": shown})
        transport = cast("Any", socket)._response.connection.transport
        transport.pause_reading()
        yield
        transport.abort()


async def test_what_is_in_view_is_rendered_first_until_nobody_looks(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd:
        for path in ("a.html", "b.html"):
            kahnd.outputs.publish(path, "1")
        async with browser(kahnd) as client:
            await client.show("a.html", "1", tab="one", visible=True)
            await client.show("b.html", "1", tab="two", visible=False)
            await until(lambda: len(kahnd.preferred) == 1)
            await client.show("b.html", "1", tab="two", visible=True)
            await client.show("a.html", "1", tab="one", visible=True)
            await until(lambda: len(kahnd.preferred) == 2)
        await until(lambda: len(kahnd.preferred) == 3)
        assert kahnd.preferred == [{"a.md"}, {"a.md", "b.md"}, frozenset()]


async def test_browsers_are_counted_and_how_long_they_took_to_show_a_save(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd:
        kahnd.outputs.publish("a.html", "1")
        async with browser(kahnd) as client:
            assert kahnd.metrics.browsers == 1
            await client.show("a.html", "1", visible=True)
            await client.hear("problems")
            await until(lambda: kahnd.preferred == [{"a.md"}])
            kahnd.metrics.on_event("build.started", {"save_age_ms": 5.0})
            kahnd.rendered("a.html", "2")
            await client.hear("changed")
            await client.show("a.html", "2", visible=True)
            await until(lambda: kahnd.metrics.save_to_browser.sum > 0.005)
            await client.show("a.html", "2", visible=True)
            await client.say(type="gone", tab="tab")
            await until(lambda: kahnd.preferred[-1] == frozenset())
            assert kahnd.metrics.save_to_browser.cumulative()[-1][1] == 1
        await until(lambda: kahnd.metrics.browsers == 0)


async def test_tabs_that_come_at_once_have_the_daemon_look_once(tmp_path: Path) -> None:
    async with daemon(tmp_path) as kahnd:
        kahnd.outputs.publish("a.html", "1")
        async with browser(kahnd) as client:
            for number in range(100):
                kahnd.outputs.publish(f"{number}.html", "1")
            for number in range(100):
                await client.show(f"{number}.html", "1", tab=str(number), visible=True)
            await until(lambda: len(kahnd.preferred[-1:] and kahnd.preferred[-1]) == 100)
            assert len(kahnd.preferred) < 50
