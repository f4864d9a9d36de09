"""The control socket's server: HTTP over a Unix socket that only its owner can open."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import anyio
import msgspec
from aiohttp import web

from kahnd.core.model import Problem
from kahnd.errors import KahndError, NoDaemonError, UsageError
from kahnd.service import present
from kahnd.service.paths import socket_path

PROGRESS_EVERY_S: Final = 0.05
TROUBLE_EVERY_S: Final = 1.0
MOST_ENTRIES: Final = 10_000
"""Of the history, in one answer."""
REST_S: Final = 0.5
"""Half of what the event loop rests after it was told that there is no file for a connection."""
_REMEDIES: Final = {
    errno.EISDIR: "remove the folder that stands there",
    errno.EPERM: "remove what stands there",
    errno.EADDRINUSE: "remove what stands there",
}
Json = dict[str, Any]
OnProgress = Callable[[int, int, str], None]


class Desk(Protocol):
    """What can be asked of a daemon."""

    def status(self) -> Json:
        """The daemon's state."""
        ...

    def trouble(self) -> str:
        """What keeps an answer from coming for now, if anything does."""
        ...

    async def plan(self, targets: tuple[str, ...]) -> Json:
        """What a build would render."""
        ...

    async def graph(self, targets: tuple[str, ...], *, reverse: bool) -> Json:
        """Nodes and edges."""
        ...

    async def build(self, targets: tuple[str, ...], *, force: bool, on_progress: OnProgress) -> Json:
        """Bring up to date."""
        ...

    async def retry(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        """Try failed documents again."""
        ...

    async def why(self, target: str) -> Json:
        """Why something was rendered, or would be."""
        ...

    async def history(self, document: str | None, limit: int) -> Json:
        """Past renders."""
        ...

    async def wait(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        """Wait until up to date."""
        ...


class _Build(msgspec.Struct, forbid_unknown_fields=True):
    targets: tuple[str, ...] = ()
    force: bool = False


class _Retry(msgspec.Struct, forbid_unknown_fields=True):
    targets: tuple[str, ...] = ()


class _Why(msgspec.Struct, forbid_unknown_fields=True):
    target: str


class _History(msgspec.Struct, forbid_unknown_fields=True):
    document: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ENTRIES)] = 20


class _Wait(msgspec.Struct, forbid_unknown_fields=True):
    targets: tuple[str, ...] = ()
    timeout: float | None = None


@asynccontextmanager
async def serving(root: Path, desk: Desk) -> AsyncIterator[None]:
    """Answer on the project's socket; a stale one is taken over (the project's lock is held)."""
    path = socket_path(root)
    _make_private(path.parent)
    runner = web.AppRunner(_application(desk), access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(path)).start()
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
        with suppress(OSError):  # what stands there now is not this server's
            path.unlink()


class _Listener(socket.socket):
    """After a connection that could not be accepted, none is tried for a while.

    The event loop calls again at once, a hundred times, and adds as many later tries.
    """

    _resting_until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; BlockingIOError where there is none, or none is tried for now."""
        if time.monotonic() < self._resting_until:
            raise BlockingIOError
        try:
            return super().accept()
        except BlockingIOError:
            raise
        except OSError:
            self._resting_until = time.monotonic() + REST_S
            raise


def _bound(path: Path) -> socket.socket:
    """A socket there, that only its owner can open; one that was left there goes."""
    listener = _Listener(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        remedy = _REMEDIES.get(error.errno or 0, "see to space and permissions there")
        message = f"the control socket can't be made: {error.strerror or error}"
        raise UsageError(Problem(message, str(path), remedy=remedy)) from error
    finally:
        os.umask(mask)
    return listener


def _make_private(folder: Path) -> None:
    """In a folder that others can write to, anybody could have been there first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UsageError(Problem(f"{folder} is not a folder of your own", remedy="remove it, or set XDG_RUNTIME_DIR"))
    if found.st_mode & 0o022:
        raise UsageError(Problem("others may write there", str(folder), remedy=f"chmod go-w {folder}"))


def _application(desk: Desk) -> web.Application:
    async def status(_: web.Request) -> web.StreamResponse:
        return web.json_response(desk.status())

    async def plan(request: web.Request) -> web.StreamResponse:
        return web.json_response(await desk.plan(_targets(request)))

    async def graph(request: web.Request) -> web.StreamResponse:
        return web.json_response(await desk.graph(_targets(request), reverse="reverse" in request.query))

    async def build(request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read(), type=_Build)
        ask: _Ask = lambda on_progress: desk.build(  # noqa: E731
            body.targets, force=body.force, on_progress=on_progress
        )
        return await _stream(request, ask, desk.trouble)

    async def retry(request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read(), type=_Retry)
        ask: _Ask = lambda on_progress: desk.retry(body.targets, on_progress=on_progress)  # noqa: E731
        return await _stream(request, ask, desk.trouble)

    async def why(request: web.Request) -> web.StreamResponse:
        return web.json_response(await desk.why(msgspec.convert(dict(request.query), _Why).target))

    async def history(request: web.Request) -> web.StreamResponse:
        asked = msgspec.convert(dict(request.query), _History, strict=False)
        return web.json_response(await desk.history(asked.document, asked.limit))

    async def wait(request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read(), type=_Wait)
        ask: _Ask = lambda on_progress: desk.wait(body.targets, on_progress=on_progress)  # noqa: E731
        return await _stream(request, ask, desk.trouble, body.timeout)

    application = web.Application(middlewares=[_errors])
    application.add_routes(
        [
            web.get("/v1/status", status),
            web.get("/v1/plan", plan),
            web.get("/v1/graph", graph),
            web.get("/v1/why", why),
            web.get("/v1/history", history),
            web.post("/v1/build", build),
            web.post("/v1/retry", retry),
            web.post("/v1/wait", wait),
        ]
    )
    return application


_Ask = Callable[[OnProgress], Awaitable[Json]]


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except KahndError as error:
        return web.json_response(present.error(error.problems, error.exit_code), status=400)
    except msgspec.MsgspecError as error:
        return web.json_response(present.error((Problem(f"the request: {error}"),), UsageError.exit_code), status=400)


async def _stream(
    request: web.Request, ask: _Ask, trouble: Callable[[], str], timeout_s: float | None = None
) -> web.StreamResponse:
    """Progress as it comes, at a pace a reader can follow, and the report (or an error) as the last line.

    While there is trouble, that is told in the place of a document.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    send, receive = anyio.create_memory_object_stream[tuple[int, int, str]](1)
    last_sent = 0.0

    def on_progress(done: int, total: int, document: str) -> None:
        nonlocal last_sent
        if time.monotonic() - last_sent >= PROGRESS_EVERY_S and not send.statistics().current_buffer_used:
            last_sent = time.monotonic()
            send.send_nowait((done, total, document))

    async def pass_on() -> None:
        async for done, total, document in receive:
            await response.write(_line({"progress": {"done": done, "total": total, "document": document}}))

    async def tell_trouble() -> None:
        while True:
            await anyio.sleep(TROUBLE_EVERY_S)
            if told := trouble():
                on_progress(0, 0, told)

    with send, receive:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pass_on)
            async with anyio.create_task_group() as beside:
                beside.start_soon(tell_trouble)
                last = await _outcome(ask, on_progress, trouble, timeout_s)
                beside.cancel_scope.cancel()
            send.close()
    await response.write(_line(last))
    return response


async def _outcome(ask: _Ask, on_progress: OnProgress, trouble: Callable[[], str], timeout_s: float | None) -> Json:
    try:
        with anyio.fail_after(timeout_s):
            return {"report": await ask(on_progress)}
    except TimeoutError:
        late = Problem(
            f"not everything is up to date after {timeout_s:g} s",
            remedy=trouble() or "give it a longer --timeout",
        )
        return present.error((late,), NoDaemonError.exit_code)
    except KahndError as error:
        return present.error(error.problems, error.exit_code)


def _targets(request: web.Request) -> tuple[str, ...]:
    return tuple(request.query.getall("target", []))


def _line(message: Json) -> bytes:
    return msgspec.json.encode(message) + b"\n"
