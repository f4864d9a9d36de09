"""The control API's server: an aiohttp application that binds each route to the operation that answers it."""

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

from kahnd.api import openapi, responses, routes, schemas, timelines
from kahnd.api.control_socket import USUAL, Bounds, ConnectionGuard, HttpProtocol, bound
from kahnd.api.responses import RefusedError, StreamedAnswer, Trouble, send, stream_events, stream_lines
from kahnd.api.routes import A, Q, Route, fields_of
from kahnd.engine import OnProgress
from kahnd.errors import KahndError
from kahnd.platform.unix_socket import project_identity, remove_socket, socket_path
from kahnd.telemetry.event_buffer import EventBuffer

SHUTDOWN_S: Final = 0.2
"""Requests under way get this much time when the daemon ends."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Operations(Protocol):
    """The daemon's operations; see `app.operations`. Each raises KahndError for what can't be answered."""

    def trouble(self) -> str:
        """Tells why no answer comes for now; empty where one does."""
        ...

    async def status(self, request: routes.NoRequest, /) -> schemas.DaemonStatus:
        """Returns the daemon's state."""
        ...

    async def plan(self, request: schemas.PlanRequest, /) -> schemas.Plan:
        """Returns what a build would render."""
        ...

    async def graph(self, request: schemas.GraphRequest, /) -> schemas.Graph:
        """Returns nodes and edges."""
        ...

    async def why(self, request: schemas.WhyRequest, /) -> schemas.Why:
        """Explains a rendering."""
        ...

    async def history(self, request: schemas.HistoryRequest, /) -> schemas.History:
        """Returns past renders."""
        ...

    async def timeline(self, request: timelines.TimelineRequest, /) -> timelines.Timeline:
        """Returns the renderings of one build."""
        ...

    async def build(self, request: schemas.BuildRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Brings the targets up to date."""
        ...

    async def retry(self, request: schemas.RetryRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Renders failed documents again."""
        ...

    async def wait(self, request: schemas.WaitRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Waits until the targets are up to date."""
        ...

    async def reload(self, request: schemas.ReloadRequest, /) -> schemas.Reloaded:
        """Reads the configuration again."""
        ...


@asynccontextmanager
async def serving(
    root: Path, operations: Operations, events: EventBuffer, bounds: Bounds = USUAL
) -> AsyncIterator[None]:
    """Serves the project's socket, and replaces a stale one: the caller holds the project's lock. Raises UsageError."""
    path = socket_path(root)
    listener = bound(path)
    application = _Api(operations, events, bounds, project_identity(root)).application()
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - set up just now
    accepting = await asyncio.get_running_loop().create_unix_server(
        lambda: ConnectionGuard(server, bounds), sock=listener
    )
    try:
        yield
    finally:
        accepting.close()
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
        remove_socket(path)


class _Api:
    """Makes the application: a route for each operation, and a middleware that turns errors into answers."""

    def __init__(self, operations: Operations, events: EventBuffer, bounds: Bounds, project: str) -> None:
        self._operations = operations
        self._events = events
        self._bounds = bounds
        self._project = {responses.PROJECT: project}

    def application(self) -> web.Application:
        """Returns an application with every route of the table."""
        application = web.Application(middlewares=[self._answer], client_max_size=self._bounds.body_bytes)
        operations = self._operations
        handlers: list[tuple[Route[Any, Any], Handler]] = [
            self._whole(routes.STATUS, operations.status),
            self._whole(routes.PLAN, operations.plan),
            self._whole(routes.GRAPH, operations.graph),
            self._whole(routes.WHY, operations.why),
            self._whole(routes.HISTORY, operations.history),
            self._whole(routes.TIMELINE, operations.timeline),
            self._lines(routes.BUILD, operations.build),
            self._lines(routes.RETRY, operations.retry),
            self._lines(routes.WAIT, operations.wait),
            self._whole(routes.RELOAD, operations.reload),
            (routes.EVENTS, self._stream_events),
            (routes.OPENAPI, self._describe),
        ]
        for route, handler in handlers:
            application.router.add_route(route.method, route.path, handler, expect_handler=_ignore_expect)
        return application

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Sends the answer, or the error as one; disconnects a client that does not read it."""
        if isinstance(request.protocol, HttpProtocol):
            request.protocol.on_request()
        response = await self._handled(request, handler)
        if isinstance(response, web.Response):
            response.headers.update(self._project)
            with suppress(ConnectionError):  # the client has gone
                await send(request, response, self._bounds.stuck_s)
        return response

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _admit(request)
            return await handler(request)
        except RefusedError as error:
            return responses.refusal(error)
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{request.path} takes {allowed}, not {request.method}"
            return responses.refusal(RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, message, Allow=allowed))
        except web.HTTPNotFound:
            remedy = _where_to_look(request.path)
            return responses.refusal(RefusedError(HTTPStatus.NOT_FOUND, f"there is no {request.path}", remedy))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return responses.refusal(RefusedError(HTTPStatus.BAD_REQUEST, f"the request: {error}"))
        except KahndError as error:
            return responses.failure(error)

    def _whole(self, route: Route[Q, A], operation: Callable[[Q], Awaitable[A]]) -> tuple[Route[Q, A], Handler]:
        async def handler(request: web.Request) -> web.StreamResponse:
            return responses.complete(await operation(await self._decoded(route, request)))

        return route, handler

    def _lines(
        self, route: Route[Q, schemas.Report], operation: Callable[[Q, OnProgress], Awaitable[schemas.Report]]
    ) -> tuple[Route[Q, schemas.Report], Handler]:
        trouble: Trouble = self._operations.trouble

        async def handler(request: web.Request) -> web.StreamResponse:
            decoded = await self._decoded(route, request)
            timeout_s = decoded.timeout if isinstance(decoded, schemas.WaitRequest) else None
            answer = StreamedAnswer(request, route.form, self._bounds.stuck_s, self._project)
            with suppress(ConnectionError):  # the client has gone
                await stream_lines(answer, lambda on_progress: operation(decoded, on_progress), trouble, timeout_s)
            return answer.response

        return route, handler

    async def _stream_events(self, request: web.Request) -> web.StreamResponse:
        decoded = await self._decoded(routes.EVENTS, request)
        answer = StreamedAnswer(request, routes.EVENTS.form, self._bounds.stuck_s, self._project)
        last_id = request.headers.get("Last-Event-ID")
        with suppress(ConnectionError):  # the client has gone
            await stream_events(answer, self._events, decoded, last_id, self._bounds.heartbeat_s)
        return answer.response

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        await self._decoded(routes.OPENAPI, request)
        return web.Response(text=_described(), headers=responses.HEADERS, content_type=routes.OPENAPI.form.value)

    async def _decoded(self, route: Route[Q, Any], request: web.Request) -> Q:
        """Returns the request as its type. Raises RefusedError, MsgspecError."""
        if route.method == "GET":
            return msgspec.convert(_query(route, request), route.request, strict=False)
        return msgspec.json.decode(await self._body(request) or b"{}", type=route.request)

    async def _body(self, request: web.Request) -> bytes:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the request's body is encoded", "send it as plain JSON")
        try:
            with anyio.fail_after(self._bounds.body_s):
                return await request.read()
        except TimeoutError:
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the request's body did not come") from None
        except web.RequestPayloadError as error:
            reason = " ".join(str(error).split())
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"the request's body is broken: {reason}") from None
        except web.HTTPRequestEntityTooLarge:
            most = self._bounds.body_bytes
            message = f"the request's body has more than {most:,} bytes"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message) from None


async def _ignore_expect(_request: web.Request) -> None:
    """Sends no `100 Continue`: a request may be refused by its head alone."""


def _admit(request: web.Request) -> None:
    """Raises RefusedError for a request of a browser, which something may have forwarded here."""
    if request.headers.get("Host", "").lower() != "localhost":
        raise RefusedError(HTTPStatus.FORBIDDEN, "a request's Host must be localhost")
    if "Origin" in request.headers:
        raise RefusedError(HTTPStatus.FORBIDDEN, "requests from web pages are not answered")


def _where_to_look(path: str) -> str:
    other = "this daemon speaks version 1 of the API; " if not path.startswith("/v1/") else ""
    return f"{other}{routes.OPENAPI.path} has all there is"


def _query(route: Route[Any, Any], request: web.Request) -> dict[str, Any]:
    """Returns each key's value: a list if the field is one, or if the key is given more than once."""
    lists = fields_of(route.request)
    given = {name: request.query.getall(name) for name in request.query}
    return {name: values if lists.get(name) or len(values) > 1 else values[0] for name, values in given.items()}


@cache
def _described() -> str:
    return openapi.text()
