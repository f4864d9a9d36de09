"""The control socket: where it stands, who may connect, and the limits of a connection.

aiohttp knows no peers, so a small protocol checks each connection before aiohttp's takes over.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from kahnd.api.responses import RefusedError, raw, refusal
from kahnd.platform.owned_files import NotOwnError, state_file_error
from kahnd.platform.unix_socket import check_private, may_ask

REST_S: Final = 0.5
"""Pause after a connection could not be accepted for want of files; half of the event loop's own."""
_REMEDIES: Final = {
    errno.EISDIR: "remove the folder that stands there",
    errno.EPERM: "remove what stands there",
    errno.EADDRINUSE: "remove what stands there",
}
REFUSED_S: Final = 1.0
"""Maximum lifetime of a refused connection, in seconds."""
_NOT_YOURS: Final = raw(HTTPStatus.FORBIDDEN, "this daemon is another user's", "ask as the user who runs it")
_TOO_MANY: Final = raw(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open", "close some, and try again")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits for one client, in connections, bytes and seconds. A client beyond them is refused or disconnected.

    `line_bytes` limits the request's first line, which holds the targets. `head_s` and `body_s` limit how long a
    request may take to arrive, `idle_s` the pause between two. A client that reads nothing for `stuck_s` is
    disconnected. `heartbeat_s` lies between two comments in an event stream.
    """

    connections: int = 64
    line_bytes: int = 1 << 20
    body_bytes: int = 1 << 20
    head_s: float = 10
    body_s: float = 10
    idle_s: float = 15
    heartbeat_s: float = 15
    stuck_s: float = 30


USUAL: Final = Bounds()


class _Listener(socket.socket):
    """Pauses after a connection could not be accepted.

    The event loop would try again at once, a hundred times, and schedule as many later tries.
    """

    _resting_until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns the next connection; raises BlockingIOError if there is none, or during a pause."""
        if time.monotonic() < self._resting_until:
            raise BlockingIOError
        try:
            return super().accept()
        except BlockingIOError:
            raise
        except OSError:
            self._resting_until = time.monotonic() + REST_S
            raise


def bound(path: Path) -> socket.socket:
    """Returns a socket at the path, open to its owner only; replaces a stale one. Raises UsageError, DiskError."""
    place = path.parent
    try:
        _make_private(place)
        place = path
        listener = _Listener(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind(listener, path)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see to space and permissions there")
        raise state_file_error("the control socket can't be made", place, remedy, error) from error
    return listener


def _bind(listener: socket.socket, path: Path) -> None:
    mask = os.umask(0o177)
    try:
        _clear(path)
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)


def _clear(path: Path) -> None:
    """Removes a stale socket; raises NotOwnError for anything else."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISDIR(mode)):  # for a folder, `unlink` raises
            raise NotOwnError(str(path), "this is no socket", "move it away: kahnd makes it anew")
        path.unlink()


def _make_private(folder: Path) -> None:
    """Makes the folder; raises UsageError if somebody else made it or can write to it."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    check_private(folder)


class ConnectionGuard(asyncio.Protocol):
    """A connection's first protocol: hands it to HTTP, or refuses it.

    It refuses other users' processes, and connections beyond the limit.
    """

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        self._server = server
        self._bounds = bounds
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Checks the peer and the number of connections."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is
        if not may_ask(transport.get_extra_info("socket")):
            self._refuse(transport, _NOT_YOURS)
        elif len(self._server.connections) >= self._bounds.connections:
            self._refuse(transport, _TOO_MANY)
        else:
            protocol = HttpProtocol(self._server, self._bounds)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the answer is the same
        """Refuses: a client that is answered before it has sent a request may miss the answer."""
        if self._transport:
            self._transport.write(self._answer)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Stops the timer."""
        if self._end:
            self._end.cancel()

    def _refuse(self, transport: asyncio.Transport, answer: bytes) -> None:
        self._transport, self._answer = transport, answer
        self._end = asyncio.get_running_loop().call_later(REFUSED_S, transport.abort)


class HttpProtocol(web.RequestHandler):
    """aiohttp's HTTP, with errors in kahnd's shape; disconnects a client that sends no request."""

    def __init__(self, server: web.Server, bounds: Bounds) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # no access log
            keepalive_timeout=bounds.idle_s,
            max_line_size=bounds.line_bytes,
            auto_decompress=False,
        )
        self._head_s = bounds.head_s
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the timer for the first request. An answer is complete once the kernel has all of it."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is
        transport.set_write_buffer_limits(high=0)
        self._end = asyncio.get_running_loop().call_later(self._head_s, transport.abort)

    def on_request(self) -> None:
        """Stops the timer."""
        if self._end:
            self._end.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stops the timer."""
        self.on_request()
        super().connection_lost(exc)

    def log_exception(self, *args: Any, **fields: Any) -> None:
        """Logs faults, except a broken body: that is the client's, and the answer says so."""
        if not isinstance(fields.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **fields)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what is not HTTP with a refusal; passes a fault of the daemon to the event loop's handler.

        Raises ConnectionError if an answer has begun, which ends the connection.
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
