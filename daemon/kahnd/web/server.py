"""The web server: one application, which listens at the port that the configuration names, or at none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from aiohttp import web

from kahnd.api.control_socket import Bounds, HttpProtocol
from kahnd.api.responses import send
from kahnd.core.events import LogEvent
from kahnd.web import assets, dashboard, hub, metrics
from kahnd.web.admission import READING, Entrance, Head, Refusal, refusal, shows_token
from kahnd.web.context import BODY_BYTES, BODY_S, HEADERS, OWN, STUCK_S, WebContext, plain
from kahnd.web.listening import Bound, CannotListenError, bind
from kahnd.web.preview import Preview

SHUTDOWN_S: Final = 0.2
"""Requests under way get this much time when the daemon ends."""
CONNECTIONS: Final = 1_000
"""More connections than these are closed at once; a browser has six, and its tabs share one socket."""
_BOUNDS: Final = Bounds(connections=CONNECTIONS, line_bytes=1 << 14, body_bytes=BODY_BYTES, stuck_s=STUCK_S)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Part = Callable[[web.Application, WebContext], None]
"""Adds the routes of a part of the web face, all of them below `OWN`. It is called once in a daemon's life."""
_PARTS: Final[tuple[Part, ...]] = (metrics.add_routes, assets.add_routes, hub.add_routes, dashboard.add_routes)


class WebServer:
    """One application for the life of the daemon, which may change its port."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._settings: object = None
        self._entrance = Entrance(frozenset(), 0, context.token)
        self._accepting: list[asyncio.Server] = []
        application = web.Application(middlewares=[self._admit], client_max_size=_BOUNDS.body_bytes)
        application.on_response_prepare.append(_add_headers)
        for add_routes in _PARTS:
            add_routes(application, context)
        preview = Preview(context)
        application.router.add_get(f"{OWN}/open", preview.open)
        application.router.add_route("*", "/{path:.*}", preview.answer)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
        self._is_warned = False

    async def start(self) -> None:
        """Prepares for requests."""
        await self._runner.setup()

    async def stop(self) -> None:
        """Ends all connections."""
        self._close()
        await self._runner.cleanup()

    async def place(self, root: Path) -> None:
        """Listens where the configuration says, if that has changed."""
        view = self._context.view
        serve = view.configured().config.serve
        settings = (serve.enabled, serve.host, serve.port)
        if settings == self._settings:
            return
        self._settings = settings
        await self._leave()
        if not serve.enabled:
            return
        try:
            bound = await anyio.to_thread.run_sync(bind, serve.host, serve.port)
        except CannotListenError as error:
            view.log(LogEvent.SERVE_FAILED, error=error.problem.message, remedy=error.problem.remedy)
            return
        await self._listen(bound)
        await self._warn_of_shadowed(root)

    async def _listen(self, bound: Bound) -> None:
        token, view = self._context.token, self._context.view
        self._entrance = Entrance(bound.names, bound.port, token, is_locked=not bound.is_local)
        loop = asyncio.get_running_loop()
        for each in bound.sockets:
            self._accepting.append(await loop.create_server(self._protocol, sock=each))
        view.served.url = bound.url if bound.is_local else f"{bound.url}?token={token}"
        view.log(LogEvent.SERVE_STARTED, url=bound.url)

    async def _leave(self) -> None:
        """Ends all connections: the pages behind them may not be admitted at the next place."""
        if self._accepting and self._runner.server:
            self._close()
            await self._runner.server.shutdown(SHUTDOWN_S)

    def _close(self) -> None:
        self._context.view.served.url = ""
        for each in self._accepting:
            each.close()
        self._accepting.clear()

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None  # noqa: S101 - it listens, so it is set up
        return _Crowded() if len(server.connections) >= CONNECTIONS else _Protocol(server, _BOUNDS)

    async def _warn_of_shadowed(self, root: Path) -> None:
        folder = self._context.view.configured().layout.output
        if not self._is_warned and await anyio.to_thread.run_sync(os.path.lexists, root / folder / OWN[1:]):
            self._is_warned = True
            remedy = "give these outputs another path: below this one, kahnd shows its own pages"
            self._context.view.log(LogEvent.SERVE_SHADOWED, output=f"{folder}{OWN}", remedy=remedy)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets in who may ask; disconnects a client that does not read its answer."""
        if isinstance(request.protocol, HttpProtocol):
            request.protocol.on_request()
        head = _head(request, self._cookie)
        refused = refusal(head, self._entrance)
        if refused:
            response: web.StreamResponse = _refused(refused)
        elif self._entrance.is_locked and not head.is_upgrade and _has_token_in_address(request, head, self._entrance):
            response = self._opened(request)
        else:
            response = await _body_problem(request) or await handler(request)
        if isinstance(response, web.Response) and not response.prepared:
            with suppress(ConnectionError):  # the client has gone
                await send(request, response, STUCK_S)
        return response

    @property
    def _cookie(self) -> str:
        """The name of the cookie; ports share cookies."""
        return f"kahnd-{self._entrance.port}"

    def _opened(self, request: web.Request) -> web.Response:
        """Keeps the token of the address in a cookie, and leads to the same address without it."""
        last = request.raw_path.partition("?")[0].rpartition("/")[2]
        query = urlencode([(name, value) for name, value in request.query.items() if name != "token"])
        location = f"./{last}?{query}" if query else f"./{last}"
        response = plain(HTTPStatus.SEE_OTHER, "this browser is admitted", {"Location": location})
        response.set_cookie(self._cookie, self._context.token, httponly=True, samesite="Strict")
        return response


class _Protocol(HttpProtocol):
    """HTTP with the limits of the control socket, and errors with the headers of all answers."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what is not HTTP, and faults of the daemon."""
        response = super().handle_error(request, status, exc, message)
        response.headers.update(HEADERS)
        return response


class _Crowded(asyncio.Protocol):
    """Refuses a connection beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answers, and hangs up."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        if name == "Server" or name not in response.headers:
            response.headers[name] = value


def _has_token_in_address(request: web.Request, head: Head, entrance: Entrance) -> bool:
    return head.method in READING and "token" in request.query and shows_token(head, entrance)


def _head(request: web.Request, cookie: str) -> Head:
    headers = request.headers
    return Head(
        method=request.method,
        hosts=tuple(headers.getall("Host", ())),
        origins=tuple(headers.getall("Origin", ())),
        fetch_site=headers.get("Sec-Fetch-Site", ""),
        fetch_mode=headers.get("Sec-Fetch-Mode", ""),
        fetch_dest=headers.get("Sec-Fetch-Dest", ""),
        forwarded_host=headers.get("X-Forwarded-Host", "").partition(",")[0].strip(),
        is_upgrade=any("websocket" in each.lower() for each in headers.getall("Upgrade", ())),
        tokens=(*request.query.getall("token", ()), *headers.getall("X-Kahnd-Token", ())),
        cookie=request.cookies.get(cookie, ""),
    )


async def _body_problem(request: web.Request) -> web.Response | None:
    """Reads the body of a POST, which handlers find read; returns a refusal if it does not come, or is too large."""
    if request.method != "POST":
        return None
    try:
        with anyio.fail_after(BODY_S):
            await request.read()
    except TimeoutError:
        return plain(HTTPStatus.REQUEST_TIMEOUT, "the request's body did not come")
    except web.RequestPayloadError:
        return plain(HTTPStatus.BAD_REQUEST, "the request's body is broken")
    except web.HTTPRequestEntityTooLarge:
        return plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request's body has more than {BODY_BYTES:,} bytes")
    return None


def _refused(refused: Refusal) -> web.Response:
    headers = {"Allow": "GET, HEAD, POST"} if refused.status is HTTPStatus.METHOD_NOT_ALLOWED else {}
    return plain(refused.status, refused.reason, headers)
