"""Who gets to speak HTTP: peers that may, as many at once as there may be, and none that only sits there."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from kahnd.service.api.answers import RefusedError, raw, refusal
from kahnd.service.api.bounds import Bounds
from kahnd.service.api.peers import may_ask

REFUSED_S: Final = 1.0
"""Whom nobody listens to is hung up on, at the latest, after so long."""
_NOT_YOURS: Final = raw(HTTPStatus.FORBIDDEN, "this daemon is another user's", "ask as the user who runs it")
_TOO_MANY: Final = raw(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open", "close some, and try again")


class Gate(asyncio.Protocol):
    """A new connection's first protocol: lets HTTP take over, or answers the first word with a refusal."""

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        self._server = server
        self._bounds = bounds
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Decide."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is
        if not may_ask(transport.get_extra_info("socket")):
            self._refuse(transport, _NOT_YOURS)
        elif len(self._server.connections) >= self._bounds.connections:
            self._refuse(transport, _TOO_MANY)
        else:
            speaker = Speaker(self._server, self._bounds)
            transport.set_protocol(speaker)
            speaker.connection_made(transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 (whatever it says)
        """Only now, since who is answered before it has asked may not hear it."""
        if self._transport:
            self._transport.write(self._answer)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's)
        """It is gone."""
        if self._end:
            self._end.cancel()

    def _refuse(self, transport: asyncio.Transport, answer: bytes) -> None:
        self._transport, self._answer = transport, answer
        self._end = asyncio.get_running_loop().call_later(REFUSED_S, transport.abort)


class Speaker(web.RequestHandler):
    """aiohttp's HTTP, with errors in kahnd's shape, and an end to whoever connects and asks nothing."""

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # which is for none at all
            keepalive_timeout=bounds.idle_s,
            max_line_size=bounds.line_bytes,
            auto_decompress=False,
        )
        self._head_s = bounds.head_s
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Until the first request is there, time runs. An answer is over once the kernel has all of it."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is
        transport.set_write_buffer_limits(high=0)
        self._end = asyncio.get_running_loop().call_later(self._head_s, transport.abort)

    def begun(self) -> None:
        """A request is there."""
        if self._end:
            self._end.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self.begun()
        super().connection_lost(exc)

    def log_exception(self, *args: Any, **fields: Any) -> None:
        """A body that is broken is its sender's fault, and the answer tells so."""
        if not isinstance(fields.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **fields)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no request is its sender's to know; a fault of the daemon's own is told to the event loop's handler.

        Raises ConnectionError where an answer is under way already: it ends there.
        """
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            fault: dict[str, Any] = {"message": f"{request.method} {request.path} failed", "exception": exc}
            asyncio.get_running_loop().call_exception_handler(fault)
            message = "a fault in the daemon; its log, or standard error, has more"
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        response = refusal(RefusedError(HTTPStatus(status), _first_line(message)))
        response.force_close()
        return response


def _first_line(message: str | None) -> str:
    first, _, _ = (message or "it is not HTTP").strip().partition("\n")
    return f"the request: {first.rstrip(':')}"
