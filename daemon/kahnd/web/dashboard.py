"""The dashboard at `/_kahnd/`: its page, and what it asks for below `/_kahnd/api/`.

Answers are bounded, whatever the project's size. What looks at all documents does so in a thread.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar

import anyio
import msgspec
from aiohttp import web
from anyio import to_thread

from kahnd.api import schemas
from kahnd.api.responses import LEVELS, RefusedError, complete, failure, refusal
from kahnd.api.timelines import Timeline, TimelineRequest
from kahnd.app.operations import status_answer
from kahnd.core.events import LogEvent
from kahnd.errors import KahndError
from kahnd.web import graph_view, timeline
from kahnd.web.context import OWN, OWN_PAGES, POLICY, WebContext
from kahnd.web.failures import editor_link
from kahnd.web.graph_view import GraphViews, ViewRequest
from kahnd.web.waves import FinishedDocuments, Wave, waves

ANSWER_S: Final = 20.0
"""A question that has no answer by then, as while the database is away, is answered by that."""
MOST_FOUND: Final = 50
MOST_LINES: Final = 2_000
MOST_RENDERS: Final = 200
MOST_BUILDS: Final = 100
_CRITICAL: Final = 20
"""Of so many of the latest builds, the critical path is looked up."""
MOST_OPENED: Final = 200
_DIGITS: Final = 9

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ActiveRender(schemas.Answer, frozen=True):
    """A rendering under way."""

    document: str
    generation: int
    seconds: float


class RunningBuild(schemas.Answer, frozen=True):
    """The build under way: `done` of `total` documents, by waves, and what is being rendered."""

    cause: str
    done: int
    total: int
    rendering: tuple[ActiveRender, ...]
    waves: tuple[Wave, ...]


class DashboardStatus(schemas.Answer, frozen=True):
    """The facts of `kahnd status`, the first of many failures, and the build under way, if there is one.

    `editors`: for each document that is named, the address that opens the place of its problem in an editor.
    `trouble`: why nothing is rendered for now. `broken`: the number of failed and blocked documents.
    """

    daemon: str
    status: schemas.DaemonStatus
    build: RunningBuild | None
    trouble: str
    editors: dict[str, str]
    pages: dict[str, str]
    event: int


class DocumentDetail(schemas.Answer, frozen=True):
    """Why a document was or would be rendered, with the addresses of its pages, and of it in an editor."""

    why: schemas.Why
    history: tuple[schemas.Render, ...]
    pages: tuple[str, ...]
    editor: str


class Builds(schemas.Answer, frozen=True):
    """Past builds, newest first; and how long the renderings on the critical path took, of those where it is known."""

    builds: tuple[schemas.Build, ...]
    critical_ms: dict[str, float]


class Found(schemas.Answer, frozen=True):
    """The first documents that a search found, and the number of all."""

    documents: tuple[str, ...]
    count: int


class LogLine(schemas.Answer, frozen=True):
    """An event, by its number, and the line of the log as JSON."""

    number: int
    line: msgspec.Raw


class LogLines(schemas.Answer, frozen=True):
    """The newest matching events, oldest first. `last`: the number of the newest event; `life`: of this daemon."""

    life: str
    first: int
    last: int
    lines: tuple[LogLine, ...]


class Outcome(schemas.Answer, frozen=True):
    """The result of a build, in numbers."""

    rendered: int
    skipped: int
    failed: int
    blocked: int
    removed: int
    duration_ms: float


class Dashboard:
    """Answers the dashboard."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._view = context.view
        self._views = GraphViews()
        self._thread = anyio.CapacityLimiter(1)
        self._finished = FinishedDocuments()
        self._critical_ms: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._built = asyncio.Event()
        context.hear(self._finished.on_event)
        context.hear(self._on_event)

    def _on_event(self, event: str, _: Mapping[str, Any]) -> None:
        """Notes the end of the first build; on any thread."""
        if event == LogEvent.BUILD_FINISHED and not self._built.is_set():
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._built.set)

    async def prepare(self, _: web.Application) -> AsyncIterator[None]:
        """Has the picture of the graph made once the first build has ended: who looks first need not wait."""
        task = asyncio.create_task(self._look_when_built())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _look_when_built(self) -> None:
        await self._built.wait()
        await self._view.graph.current()

    async def page(self, _: web.Request) -> web.StreamResponse:
        """Answers with the page, which asks for all else."""
        context = self._context
        text = _PAGE.format(
            project=html.escape(self._view.configured().config.name),
            token=html.escape(context.token),
            daemon=html.escape(context.daemon),
        )
        return web.Response(text=text, content_type="text/html", headers={POLICY: OWN_PAGES})

    async def status(self, _: web.Request) -> web.StreamResponse:
        """Answers with counts, failures, and the running build."""
        now = self._view.take()
        build = None
        if now.build.cause:
            graph = await self._view.graph.current()
            rendering = tuple(ActiveRender(each.document, each.generation, each.seconds) for each in now.build.running)
            by_waves = await self._in_thread(waves, graph, self._finished.take())
            build = RunningBuild(now.build.cause, now.build.done, now.build.total, rendering, by_waves)
        status = status_answer(now)
        places = {each.document: each.problem for each in (*now.problems, *now.warnings)}
        return complete(
            DashboardStatus(
                daemon=self._context.daemon,
                status=status,
                build=build,
                trouble=now.trouble,
                editors={each: self._editor(at.file or each, at.line, at.column) for each, at in places.items()},
                pages={each: found[0] for each in places if (found := self._pages(each))},
                event=self._view.events.last,
            )
        )

    async def document(self, request: web.Request) -> web.StreamResponse:
        """Answers with all about one document."""
        target = request.query.get("document", "")
        operations = self._view.operations
        why = await self._answered(operations.why(schemas.WhyRequest(target)))
        past = await self._answered(operations.history(schemas.HistoryRequest(target, 20)))
        pages, editor = self._pages(why.document), self._editor(why.document, 0, 0)
        return complete(DocumentDetail(why, past.history, pages, editor))

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Answers with past renders."""
        wanted = schemas.HistoryRequest(request.query.get("document") or None, MOST_RENDERS)
        return complete(await self._answered(self._view.operations.history(wanted)))

    async def builds(self, _: web.Request) -> web.StreamResponse:
        """Answers with past builds, and the critical paths of the latest."""
        builds = await self._answered(self._view.operations.builds(MOST_BUILDS))
        for each in builds[:_CRITICAL]:
            if each.id not in self._critical_ms and 0 < each.rendered <= timeline.MOST_SPANS:
                found = await self._answered(self._view.operations.timeline(TimelineRequest(each.id)))
                self._critical_ms[each.id] = found.critical_ms
        known = {each.id: self._critical_ms[each.id] for each in builds if each.id in self._critical_ms}
        self._critical_ms = known
        return complete(Builds(builds, known))

    async def timeline(self, request: web.Request) -> web.StreamResponse:
        """Answers with the renderings of a build that are drawn."""
        return complete(await self._in_thread(timeline.drawn, await self._timeline(request)))

    async def trace(self, request: web.Request) -> web.StreamResponse:
        """Answers with all renderings of a build, as a file."""
        return await timeline.trace(await self._timeline(request))

    async def graph(self, request: web.Request) -> web.StreamResponse:
        """Answers with a view of the graph, or its new counts."""
        query = request.query
        wanted = ViewRequest(
            opened=frozenset(query.getall("open", ())[:MOST_OPENED]),
            document=query.get("document"),
            up=_number(query.get("up"), 2),
            down=_number(query.get("down"), 2),
            limit=_number(query.get("limit"), 100),
            content=query.get("content") == "1",
        )
        known = _number(query.get("shape"), -1)
        return complete(await self._in_thread(self._views.answer, await self._view.graph.current(), wanted, known))

    async def search(self, request: web.Request) -> web.StreamResponse:
        """Answers with documents whose paths hold a text."""
        graph = await self._view.graph.current()
        text = request.query.get("q", "")[:200]
        documents, count = await self._in_thread(graph_view.found, graph.shape, text, MOST_FOUND)
        return complete(Found(documents, count))

    async def log(self, request: web.Request) -> web.StreamResponse:
        """Answers with the newest events that match: all that are kept, or those after a number."""
        query, events = request.query, self._view.events
        level = LEVELS.index(query["level"]) if query.get("level") in LEVELS else 0
        document, build, text = query.get("document"), query.get("build"), query.get("text", "").casefold()
        last = events.last
        _, kept = events.since(_number(query.get("after"), 0), MOST_LINES)
        lines = tuple(
            LogLine(each.number, msgspec.Raw(each.line.encode()))
            for each in kept
            if (not level or LEVELS.index(each.level) >= level)
            and (not document or document == each.document)
            and (not build or each.build == build)
            and (not text or text in each.line.casefold())
        )
        return complete(LogLines(events.life, events.first, last, lines))

    async def build(self, request: web.Request) -> web.StreamResponse:
        """Builds, and answers with the outcome."""
        wanted = msgspec.json.decode(await request.read() or b"{}", type=schemas.BuildRequest)
        return complete(_outcome(await self._view.operations.build(wanted, _unheard)))

    async def retry(self, request: web.Request) -> web.StreamResponse:
        """Renders what has failed again, and answers with the outcome."""
        wanted = msgspec.json.decode(await request.read() or b"{}", type=schemas.RetryRequest)
        return complete(_outcome(await self._view.operations.retry(wanted, _unheard)))

    async def _timeline(self, request: web.Request) -> Timeline:
        wanted = TimelineRequest(request.query.get("build") or "last")
        return await self._answered(self._view.operations.timeline(wanted))

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await to_thread.run_sync(function, *arguments, limiter=self._thread, abandon_on_cancel=False)

    async def _answered(self, answer: Awaitable[T]) -> T:
        """Returns the answer of an operation. Raises RefusedError if there is none for long."""
        try:
            with anyio.fail_after(ANSWER_S):
                return await answer
        except TimeoutError:
            message = self._view.operations.trouble() or "the daemon is busy"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, message) from None

    def _pages(self, document: str) -> tuple[str, ...]:
        """Returns the addresses of a document's outputs, relative to the output folder."""
        return tuple(each.path for each in self._view.outputs.of_document(document) if each.digest)

    def _editor(self, file: str, line: int, column: int) -> str:
        return editor_link(self._context.editor, self._view.configured().root, file, (line, column))


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{project} · kahnd</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/dashboard.css">
<script src="assets/dashboard.js" data-project="{project}" data-token="{token}" data-daemon="{daemon}" defer></script>
</head>
<body>
<noscript>The dashboard needs scripts. `kahnd status`, `why` and `logs` tell the same on a terminal.</noscript>
</body>
</html>
"""


def add_routes(application: web.Application, context: WebContext) -> None:
    """Adds the page and what it asks for."""
    dashboard = Dashboard(context)
    application.cleanup_ctx.append(dashboard.prepare)
    router = application.router
    router.add_get(f"{OWN}/", dashboard.page)
    for name in ("status", "document", "history", "builds", "timeline", "trace", "graph", "search", "log"):
        router.add_get(f"{OWN}/api/{name}", _explained(getattr(dashboard, name)))
    for name in ("build", "retry"):
        router.add_post(f"{OWN}/api/{name}", _explained(getattr(dashboard, name)))


def _explained(handler: Handler) -> Handler:
    """Turns errors into answers, in the shape that they have everywhere."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as error:
            return refusal(error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return refusal(RefusedError(HTTPStatus.BAD_REQUEST, f"the request: {error}"))
        except KahndError as error:
            return failure(error)

    return answer


def _outcome(report: schemas.Report) -> Outcome:
    return Outcome(
        rendered=len(report.rendered),
        skipped=len(report.skipped),
        failed=len(report.failed),
        blocked=len(report.blocked),
        removed=len(report.removed),
        duration_ms=report.duration_ms,
    )


def _number(text: str | None, default: int) -> int:
    """Returns a number of a few digits, or the default for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS else default


def _unheard(_done: int, _total: int, _document: str) -> None:
    """Hears of a build's progress, which the page gets with the status."""
