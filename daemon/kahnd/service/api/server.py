"""The control API's server: the route table, bound to who answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import msgspec
from aiohttp import web

from kahnd.engine import OnProgress
from kahnd.errors import KahndError
from kahnd.service.api import answers, openapi, routes, shapes
from kahnd.service.api.answers import RefusedError
from kahnd.service.api.bounds import USUAL, Bounds
from kahnd.service.api.gate import Gate, Speaker
from kahnd.service.api.listener import bound, remove_socket
from kahnd.service.api.routes import A, Q, Route, fields_of
from kahnd.service.api.streams import Trouble, Writing, events, lines, whole
from kahnd.service.broadcast import Broadcast
from kahnd.service.paths import identity, socket_path

SHUTDOWN_S: Final = 0.2
"""What is asked when the daemon ends has so long for its answer."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Bound = tuple[Route[Any, Any], Handler]


class Desk(Protocol):
    """What can be asked of a daemon. Each raises KahndError for what can't be answered."""

    def trouble(self) -> str:
        """What keeps an answer from coming for now, if anything does."""
        ...

    async def status(self, asked: routes.NoRequest, /) -> shapes.DaemonStatus:
        """The daemon's state."""
        ...

    async def plan(self, asked: shapes.PlanRequest, /) -> shapes.Plan:
        """What a build would render."""
        ...

    async def graph(self, asked: shapes.GraphRequest, /) -> shapes.Graph:
        """Nodes and edges."""
        ...

    async def why(self, asked: shapes.WhyRequest, /) -> shapes.Why:
        """Why something was rendered, or would be."""
        ...

    async def history(self, asked: shapes.HistoryRequest, /) -> shapes.History:
        """Past renders."""
        ...

    async def build(self, asked: shapes.BuildRequest, on_progress: OnProgress, /) -> shapes.Report:
        """Bring up to date."""
        ...

    async def retry(self, asked: shapes.RetryRequest, on_progress: OnProgress, /) -> shapes.Report:
        """Try failed documents again."""
        ...

    async def wait(self, asked: shapes.WaitRequest, on_progress: OnProgress, /) -> shapes.Report:
        """Wait until up to date."""
        ...

    async def reload(self, asked: shapes.ReloadRequest, /) -> shapes.Reloaded:
        """Read the configuration again."""
        ...


@asynccontextmanager
async def serving(root: Path, desk: Desk, broadcast: Broadcast, bounds: Bounds = USUAL) -> AsyncIterator[None]:
    """Answer on the project's socket; a stale one is taken over (the project's lock is held). Raises UsageError."""
    path = socket_path(root)
    listener = bound(path)
    api = _Api(desk, broadcast, bounds, identity(root))
    server = web.Server(api.answer, handler_cancellation=True, request_factory=api.request)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    accepting = await asyncio.get_running_loop().create_unix_server(lambda: Gate(server, bounds), sock=listener)
    try:
        yield
    finally:
        accepting.close()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
        remove_socket(path)


class _Api:
    """Every route of the table, and what answers it."""

    def __init__(self, desk: Desk, broadcast: Broadcast, bounds: Bounds, project: str) -> None:
        self._project = {answers.PROJECT: project}
        self._broadcast = broadcast
        self._bounds = bounds
        self._trouble = desk.trouble
        self._handlers: dict[str, dict[str, Handler]] = {}
        for route, handler in self._bind(desk):
            self._handlers.setdefault(route.path, {})[route.method] = handler

    def _bind(self, desk: Desk) -> list[Bound]:
        return [
            self._whole(routes.STATUS, desk.status),
            self._whole(routes.PLAN, desk.plan),
            self._whole(routes.GRAPH, desk.graph),
            self._whole(routes.WHY, desk.why),
            self._whole(routes.HISTORY, desk.history),
            self._lines(routes.BUILD, desk.build),
            self._lines(routes.RETRY, desk.retry),
            self._lines(routes.WAIT, desk.wait),
            self._whole(routes.RELOAD, desk.reload),
            (routes.EVENTS, self._events),
            (routes.OPENAPI, self._openapi),
        ]

    def request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        """What aiohttp makes of a request's head."""
        if isinstance(protocol, Speaker):
            protocol.begun()
        loop = asyncio.get_running_loop()
        most = self._bounds.body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer, sent; an error too."""
        response = await self._answered(request)
        if isinstance(response, web.Response):
            response.headers.update(self._project)
            with suppress(ConnectionError):  # nobody is there to be told anything
                await whole(request, response, self._bounds)
        return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            _admit(request)
            return await self._handler(request)(request)
        except RefusedError as error:
            return answers.refusal(error)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return answers.refusal(RefusedError(HTTPStatus.BAD_REQUEST, f"the request: {error}"))
        except KahndError as error:
            return answers.failure(error)

    def _handler(self, request: web.BaseRequest) -> Handler:
        """Raises RefusedError where there is none."""
        methods = self._handlers.get(request.path)
        if methods is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"there is no {request.path}", _where_to_look(request.path))
        if request.method not in methods:
            allowed = ", ".join(methods)
            message = f"{request.path} takes {allowed}, not {request.method}"
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, message, Allow=allowed)
        return methods[request.method]

    def _whole(self, route: Route[Q, A], ask: Callable[[Q], Awaitable[A]]) -> Bound:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return answers.whole(await ask(await self._asked(route, request)))

        return route, handler

    def _lines(self, route: Route[Q, shapes.Report], ask: Callable[[Q, OnProgress], Awaitable[shapes.Report]]) -> Bound:
        trouble: Trouble = self._trouble

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            asked = await self._asked(route, request)
            timeout_s = asked.timeout if isinstance(asked, shapes.WaitRequest) else None
            writing = Writing(request, route.form, self._bounds, self._project)
            with suppress(ConnectionError):  # likewise
                await lines(writing, lambda on_progress: ask(asked, on_progress), trouble, timeout_s)
            return writing.response

        return route, handler

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = await self._asked(routes.EVENTS, request)
        writing = Writing(request, routes.EVENTS.form, self._bounds, self._project)
        last_id = request.headers.get("Last-Event-ID")
        with suppress(ConnectionError):  # likewise
            await events(writing, self._broadcast, asked, last_id, self._bounds.heartbeat_s)
        return writing.response

    async def _openapi(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._asked(routes.OPENAPI, request)
        return web.Response(text=_described(), headers=answers.HEADERS, content_type=routes.OPENAPI.form.value)

    async def _asked(self, route: Route[Q, Any], request: web.BaseRequest) -> Q:
        """The request, as its type. Raises RefusedError, MsgspecError."""
        if route.method == "GET":
            return msgspec.convert(_query(route, request), route.request, strict=False)
        return msgspec.json.decode(await self._body(request) or b"{}", type=route.request)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the request's body is encoded", "send it as plain JSON")
        try:
            with anyio.fail_after(self._bounds.body_s):
                return await request.read()
        except TimeoutError:
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the request's body did not come") from None
        except web.RequestPayloadError as error:
            said = " ".join(str(error).split())
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"the request's body is broken: {said}") from None
        except web.HTTPRequestEntityTooLarge:
            most = self._bounds.body_bytes
            message = f"the request's body has more than {most:,} bytes"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message) from None


def _admit(request: web.BaseRequest) -> None:
    """Raises RefusedError for what a browser sends, by whatever forwards it here."""
    if request.headers.get("Host", "").lower() != "localhost":
        raise RefusedError(HTTPStatus.FORBIDDEN, "a request's Host must be localhost")
    if "Origin" in request.headers:
        raise RefusedError(HTTPStatus.FORBIDDEN, "requests from web pages are not answered")


def _where_to_look(path: str) -> str:
    other = "this daemon speaks version 1 of the API; " if not path.startswith("/v1/") else ""
    return f"{other}{routes.OPENAPI.path} has all there is"


def _query(route: Route[Any, Any], request: web.BaseRequest) -> dict[str, Any]:
    """Each key's value: a list where one is due, and where the key is there more than once."""
    lists = fields_of(route.request)
    given = {name: request.query.getall(name) for name in request.query}
    return {name: values if lists.get(name) or len(values) > 1 else values[0] for name, values in given.items()}


@cache
def _described() -> str:
    return openapi.text()
