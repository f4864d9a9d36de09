"""Tells browsers what has changed: one WebSocket a browser, at `/_kahnd/live`.

The engine's events come in on any thread and are dealt with in the next turn of the event loop, so a build waits for no
browser. Each browser has a task that sends what waits for it, and is disconnected if it does not read for long.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Any, Final

import anyio
import anyio.lowlevel
import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from kahnd.app.output_index import FoundOutput
from kahnd.core.decision import BROKEN
from kahnd.core.events import LogEvent
from kahnd.core.model import Status
from kahnd.web.context import OWN, STUCK_S, WebContext
from kahnd.web.failures import PageProblems
from kahnd.web.messages import (
    MAX_MESSAGE,
    FromBrowser,
    Gone,
    Hello,
    PageProblem,
    Problems,
    Show,
    ToBrowser,
    Welcome,
    decode,
    encode,
)
from kahnd.web.subscription import Subscription

HEARTBEAT_S: Final = 20.0
"""How often a browser that is silent is asked whether it is there; proxies end what is silent for a minute."""
MAX_RECENT: Final = 5_000
"""The latest changes that are remembered, for pages that were loading meanwhile."""
MAX_BROWSERS: Final = 500
"""The browsers that may listen at once, and tabs without a SharedWorker."""
LOOKING_S: Final = 0.01
"""How long what is looked at may change before the daemon is told."""
CLOSING_S: Final = 0.1
"""How long the end of a connection may take when the daemon ends."""
_OF_A_DOCUMENT: Final = frozenset(
    {
        LogEvent.DOCUMENT_RENDERED,
        LogEvent.DOCUMENT_SKIPPED,
        LogEvent.DOCUMENT_FAILED,
        LogEvent.DOCUMENT_BLOCKED,
    }
)
_OF_ALL: Final = frozenset({LogEvent.BUILD_FINISHED, LogEvent.SCAN_FINISHED})
"""After these, all that browsers show is compared: their cost is bounded by what is shown, not by the project."""


@dataclass(slots=True)
class Noted:
    """Outputs to compare with those that browsers show: of documents, at paths, or all."""

    documents: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    is_all: bool = False


class Browser:
    """A browser that listens: what it is to be told, and what it was told last of pages that can't be rendered."""

    def __init__(self) -> None:
        self.subscription = Subscription()
        self.followed: frozenset[str] = frozenset()
        self.told: dict[str, str | None] = {}
        """The hashes of the pages that it was told of, and has not shown yet."""
        self._waiting = asyncio.Event()
        self._problems: dict[str, PageProblem] = {}
        self._count = 0

    def wake(self) -> None:
        """Has what waits be sent."""
        if self.subscription.is_due:
            self._waiting.set()

    async def waiting(self) -> None:
        """Returns when something may have to be sent."""
        await self._waiting.wait()
        self._waiting.clear()

    def compare(self, path: str, found: FoundOutput | None) -> None:
        """Notes what is at a path now."""
        self.subscription.compare(path, found.digest if found else None)
        if path in self._problems or (found and found.status in BROKEN):
            self.subscription.judge(path)

    def news(self, count: int, pages: Mapping[str, PageProblem | None], asked: Collection[str]) -> Problems | None:
        """Returns what it is to be told about problems; None if it has been told. A new tab of it has `asked`."""
        fresh = {path: each for path, each in pages.items() if path in asked or self._problems.get(path) != each}
        if count == self._count and not fresh and not asked:
            return None
        self._count = count
        self._problems = {path: each for path, each in {**self._problems, **fresh}.items() if each}
        return Problems(count, fresh)


class Audience:
    """Tells the daemon of those who look: what they look at is rendered first, and what they see is counted."""

    def __init__(self, context: WebContext) -> None:
        self._index = context.view.outputs
        self._operations = context.view.operations
        self._metrics = context.view.metrics
        self._preferred: frozenset[str] = frozenset()

    def count(self, browsers: int) -> None:
        """Notes how many browsers listen."""
        self._metrics.browsers = browsers

    def shown(self) -> None:
        """Notes that a browser shows a page of which it was told that it has changed."""
        self._metrics.shown_in_browser()

    def looks_at(self, paths: Iterable[str]) -> None:
        """Notes the pages that somebody looks at; between two sessions it is not known what they are made from."""
        if self._index.is_open:
            found = map(self._index.find, paths)
            preferred = frozenset(each.document for each in found if each)
            if preferred != self._preferred:
                self._preferred = preferred
                self._operations.prefer(preferred)


class Hub:
    """All browsers that listen."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._index = context.view.outputs
        self._problems = PageProblems(context)
        self._loop = asyncio.get_running_loop()
        self._browsers: dict[Browser, web.WebSocketResponse] = {}
        self._showing: dict[str, set[Browser]] = {}
        self._audience = Audience(context)
        self._noted = Noted()
        self._is_due = False
        self._count = self._broken()
        self._recent: OrderedDict[str, float] = OrderedDict()
        self._looking: asyncio.TimerHandle | None = None
        context.hear(self.on_event)

    @property
    def browsers(self) -> int:
        """How many browsers listen."""
        return len(self._browsers)

    @property
    def looked_at(self) -> frozenset[str]:
        """The pages that somebody looks at."""
        return frozenset().union(*(each.subscription.looked_at for each in self._browsers))

    # Events of the daemon

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Hears of an event, on any thread; what follows from it is told in the event loop's next turn."""
        if event in _OF_A_DOCUMENT:
            self._later(lambda: self._noted.documents.add(fields["document"]))
        elif event == LogEvent.DOCUMENT_REMOVED:
            self._later(lambda: self._noted.paths.update(_endings(fields["output"])))
        elif event in _OF_ALL:
            self._later(self._note_all)

    def _later(self, note: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and all browsers with it
            self._loop.call_soon_threadsafe(self._note, note)

    def _note(self, note: Callable[[], None]) -> None:
        note()
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._tell)

    def _note_all(self) -> None:
        self._noted.is_all = True

    def _tell(self) -> None:
        """Compares what has changed with what is shown."""
        noted, self._noted, self._is_due = self._noted, Noted(), False
        if not self._index.is_open:  # all is compared once the next session has looked at the files
            return
        made = {output.path for each in noted.documents for output in self._index.of_document(each)}
        self._remember(made)
        found = cache(self._index.find)
        if noted.is_all:
            self._compare_all(found)
            return
        for path in made | noted.paths:
            for browser in self._showing.get(path, ()):
                browser.compare(path, found(path))
                browser.wake()

    def _compare_all(self, found: Callable[[str], FoundOutput | None]) -> None:
        before, self._count = self._count, self._broken()
        self._audience.looks_at(self.looked_at)
        for browser in self._browsers:
            for path in browser.subscription.paths:
                browser.compare(path, found(path))
            if self._count != before:
                browser.subscription.count()
            browser.wake()

    def _look(self) -> None:
        """Has the daemon be told what is looked at: once, however many tabs come and go at a time."""
        if self._looking is None:
            self._looking = self._loop.call_later(LOOKING_S, self._looked)

    def _looked(self) -> None:
        self._looking = None
        self._audience.looks_at(self.looked_at)

    def _remember(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._recent[path] = monotonic()
            self._recent.move_to_end(path)
        while len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)

    def _broken(self) -> int:
        counts = self._context.view.take().counts
        return sum(counts.get(each.lower(), 0) for each in (Status.FAILED, Status.BLOCKED))

    def _digest(self, path: str) -> str | None:
        found = self._index.find(path)
        return found.digest if found else None

    # Messages of browsers

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Answers an upgrade, until the browser leaves. The middleware has checked who asks."""
        if len(self._browsers) >= MAX_BROWSERS:
            raise web.HTTPServiceUnavailable(text="too many browsers listen\n")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
        await socket.prepare(request)
        browser = Browser()
        self._browsers[browser] = socket
        self._audience.count(len(self._browsers))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_to, browser, socket, request)
                await self._hear(browser, socket)
                tasks.cancel_scope.cancel()
        finally:
            del self._browsers[browser]
            self._follow(browser, frozenset())
            self._audience.count(len(self._browsers))
            self._look()
        return socket

    async def close(self, _: web.Application) -> None:
        """Tells all browsers that the daemon ends."""
        async with anyio.create_task_group() as tasks:
            for each in self._browsers.values():
                tasks.start_soon(_close, each)

    async def _hear(self, browser: Browser, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            try:
                self._take(browser, decode(message.data if message.type is WSMsgType.TEXT else ""))
            except msgspec.MsgspecError:  # no browser of ours says it
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
            await anyio.lowlevel.checkpoint()  # others have their turn, however much one browser says

    def _take(self, browser: Browser, message: FromBrowser) -> None:
        match message:
            case Show():
                begun = monotonic() - message.age_ms / 1000
                lookup = self._digest if self._index.is_open else None
                browser.subscription.show(message, lookup, lambda path: self._recent.get(path, begun) > begun)
                if message.hash and browser.told.get(message.path) == message.hash:
                    del browser.told[message.path]
                    self._audience.shown()
                self._look()
            case Gone():
                browser.subscription.gone(message.tab)
                self._look()
            case Hello():
                browser.subscription.count()
        self._follow(browser, browser.subscription.paths)
        browser.wake()

    def _follow(self, browser: Browser, paths: AbstractSet[str]) -> None:
        """Notes what a browser shows, and no more what it showed."""
        for path in browser.followed - paths:
            self._showing[path].discard(browser)
            if not self._showing[path]:
                del self._showing[path]
        for path in paths - browser.followed:
            self._showing.setdefault(path, set()).add(browser)
        browser.followed = frozenset(paths)

    # Messages to browsers

    async def _send_to(self, browser: Browser, socket: web.WebSocketResponse, request: web.Request) -> None:
        """Sends what waits, as long as the browser reads it."""
        try:
            await self._send(socket, Welcome(self._context.daemon))
            while True:
                await browser.waiting()
                told = browser.subscription.take()
                browser.told = {
                    path: digest
                    for path, digest in {**browser.told, **told.changes}.items()
                    if path in browser.subscription.looked_at
                }
                for each in told.messages:
                    await self._send(socket, each)
                judged = await self._judged(told.judged)
                for path in told.asked - judged.keys():  # it is told with the page's next event
                    browser.subscription.ask(path)
                if news := browser.news(self._count, judged, told.asked):
                    await self._send(socket, news)
        except TimeoutError:
            if request.transport:
                request.transport.abort()  # a polite end would wait for it, too
        except ConnectionError:
            return  # it has left

    async def _send(self, socket: web.WebSocketResponse, message: ToBrowser) -> None:
        async with asyncio.timeout(STUCK_S):
            await socket.send_str(encode(message))

    async def _judged(self, paths: tuple[str, ...]) -> dict[str, PageProblem | None]:
        """Describes what is wrong with pages; those that are being rendered are left as they were."""
        found = {path: output for path in paths if (output := self._index.find(path))}
        judged: dict[str, PageProblem | None] = {}
        for path, output in found.items():
            if output.status is not Status.DIRTY:
                failure = self._index.failure_at(path)
                judged[path] = await self._problems.describe(failure) if failure else None
        return judged


def _endings(output: str) -> Iterable[str]:
    """Yields an output's path without its first folder, the first two, and so on: one of them browsers know it by."""
    while output:
        output = output.partition("/")[2]
        yield output


async def _close(socket: web.WebSocketResponse) -> None:
    with anyio.move_on_after(CLOSING_S):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the daemon ends")


def add_routes(application: web.Application, context: WebContext) -> None:
    """Adds the WebSocket."""
    hub = Hub(context)
    application.router.add_get(f"{OWN}/live", hub.listen)
    application.on_shutdown.append(hub.close)
