"""HTTP answers: complete ones, errors, which all have one shape, and streams.

A stream is progress and a report, line by line, or events, as they happen. Reporting never waits for the client. Only
writing does, for a limited time; then the client is disconnected.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Final

import anyio
import anyio.lowlevel
import msgspec
from aiohttp import web

from kahnd import __version__
from kahnd.api import schemas
from kahnd.api.routes import EventsRequest, Form, Gap
from kahnd.api.schemas import encoded
from kahnd.core.model import Problem
from kahnd.engine import OnProgress
from kahnd.errors import KahndError, NoDaemonError, StoreError, UsageError
from kahnd.telemetry.event_buffer import BufferedEvent, EventBuffer

HEADERS: Final = {"Kahnd-Version": __version__, "Cache-Control": "no-store"}
"""Headers of every answer."""
PROJECT: Final = "Kahnd-Project"
"""The header that identifies the daemon's project: see `project_identity`."""
_JSON: Final = {**HEADERS, "Content-Type": "application/json"}
PROGRESS_EVERY_S: Final = 0.05
TROUBLE_EVERY_S: Final = 1.0
BATCH: Final = 100
"""Events sent in one write."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
ALIVE: Final = b": alive\n\n"

Ask = Callable[[OnProgress], Awaitable[schemas.Report]]
Trouble = Callable[[], str]


class RefusedError(Exception):
    """A request that is answered with a status other than 200."""

    def __init__(self, status: HTTPStatus, message: str, remedy: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(message, remedy=remedy)
        self.headers = headers


def complete(answer: schemas.Answer) -> web.Response:
    """Returns an answer of status 200."""
    return web.Response(body=encoded(answer), headers=_JSON)


def refusal(error: RefusedError) -> web.Response:
    """Returns an error of the request or (5xx) of the daemon."""
    body = encoded(error_body((error.problem,), _exit_code(error.status)))
    return web.Response(status=error.status, body=body, headers={**_JSON, **error.headers})


def failure(error: KahndError) -> web.Response:
    """Returns an error of the operation."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, StoreError) else HTTPStatus.BAD_REQUEST
    return web.Response(status=status, body=encoded(error_body(error.problems, error.exit_code)), headers=_JSON)


def error_body(problems: Sequence[Problem], exit_code: int) -> schemas.Error:
    """Returns the body of an error: the first problem, and all of them."""
    converted = tuple(map(schemas.problem, problems))
    first = converted[0]
    return schemas.Error(
        schemas.Refusal(first.message, first.file, first.line, first.remedy, exit_code=exit_code, problems=converted)
    )


def raw(status: HTTPStatus, message: str, remedy: str) -> bytes:
    """Returns the bytes of an answer to a client whose request is not read; the connection ends with it."""
    body = encoded(error_body((Problem(message, remedy=remedy),), _exit_code(status)))
    headers = {**_JSON, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _exit_code(status: HTTPStatus) -> int:
    return NoDaemonError.exit_code if status >= HTTPStatus.INTERNAL_SERVER_ERROR else UsageError.exit_code


class StreamedAnswer:
    """A streamed answer. A client that does not read for `stuck_s` is disconnected."""

    def __init__(self, request: web.BaseRequest, form: Form, stuck_s: float, headers: Mapping[str, str]) -> None:
        self._request = request
        self._stuck_s = stuck_s
        self.response = web.StreamResponse(headers={**HEADERS, **headers, "Content-Type": form.value})

    async def begin(self) -> None:
        """Sends the head."""
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Sends data. Raises ConnectionError if the client has gone."""
        with reading(self._request, self._stuck_s):
            await self.response.write(data)


async def send(request: web.BaseRequest, response: web.Response, stuck_s: float) -> None:
    """Sends a complete answer. A client that does not read for `stuck_s` is disconnected.

    Raises ConnectionError if the client has gone.
    """
    with reading(request, stuck_s):
        await response.prepare(request)
        await response.write_eof()


@contextmanager
def reading(request: web.BaseRequest, stuck_s: float) -> Iterator[None]:
    """Disconnects a client that does not read what is written in the block, and raises ConnectionError."""
    with anyio.move_on_after(stuck_s) as limit:
        yield
    if limit.cancelled_caught:
        if request.transport:
            request.transport.abort()
        raise ConnectionResetError("the client does not read")


async def stream_lines(answer: StreamedAnswer, ask: Ask, trouble: Trouble, timeout_s: float | None = None) -> None:
    """Sends progress, at a pace a reader can follow, and the report (or an error) as the last line.

    While there is trouble, it is sent in the place of a document.
    """
    await answer.begin()
    pace = _Pace()
    last: schemas.ReportLine | schemas.Error | None = None
    async with anyio.create_task_group() as beside:

        async def send_progress() -> None:
            with suppress(ConnectionError):
                while True:
                    await answer.write(_line(await pace.next()))
            beside.cancel_scope.cancel()  # the client has gone

        async def report_trouble() -> None:
            while True:
                await anyio.sleep(TROUBLE_EVERY_S)
                if reason := trouble():
                    pace.report(0, 0, reason)

        beside.start_soon(send_progress)
        beside.start_soon(report_trouble)
        last = await _outcome(ask, pace.report, trouble, timeout_s)
        beside.cancel_scope.cancel()
    if last:
        await answer.write(_line(last))


class _Pace:
    """The latest progress, passed on no more often than a reader can follow. Reporting never waits."""

    def __init__(self) -> None:
        self._latest: schemas.ProgressLine | None = None
        self._reported = anyio.Event()
        self._due = 0.0

    def report(self, done: int, total: int, document: str) -> None:
        """Replaces the latest progress."""
        self._latest = schemas.ProgressLine(schemas.Progress(done, total, document))
        self._reported.set()

    async def next(self) -> schemas.ProgressLine:
        """Returns the latest progress, once there is some and it is due."""
        await self._reported.wait()
        await anyio.sleep(max(0, self._due - time.monotonic()))
        latest, self._reported = self._latest, anyio.Event()
        assert latest is not None  # noqa: S101 - set before the event
        self._due = time.monotonic() + PROGRESS_EVERY_S
        return latest


async def _outcome(
    ask: Ask, on_progress: OnProgress, trouble: Trouble, timeout_s: float | None
) -> schemas.ReportLine | schemas.Error:
    try:
        with anyio.fail_after(timeout_s):
            return schemas.ReportLine(await ask(on_progress))
    except TimeoutError:
        late = Problem(
            f"not everything is up to date after {timeout_s:g} s",
            remedy=trouble() or "give it a longer --timeout",
        )
        return error_body((late,), NoDaemonError.exit_code)
    except KahndError as error:
        return error_body(error.problems, error.exit_code)


def _line(message: schemas.Answer) -> bytes:
    return schemas.encoded(message) + b"\n"


async def stream_events(
    answer: StreamedAnswer, buffer: EventBuffer, asked: EventsRequest, last_id: str | None, heartbeat_s: float
) -> None:
    """Streams the events that were asked for until the client has gone; from `last_id` on, if that is given."""
    known, number = _resumed(buffer, last_id)
    await answer.begin()
    await answer.write(ALIVE if known else _gap(None))
    silent_since = time.monotonic()
    while True:
        missed, entries = buffer.since(number, BATCH)
        number = entries[-1].number if entries else number + missed
        if text := b"".join([*([_gap(missed)] if missed else []), *_chosen(entries, asked, buffer.life)]):
            await answer.write(text)
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since >= heartbeat_s:
            await answer.write(ALIVE)
            silent_since = time.monotonic()
        elif entries:
            await anyio.lowlevel.checkpoint()
        else:
            with anyio.move_on_after(silent_since + heartbeat_s - time.monotonic()):
                await buffer.after(number)


def _resumed(buffer: EventBuffer, last_id: str | None) -> tuple[bool, int]:
    """Tells whether the number of events since that id is known, and after which number to go on."""
    if last_id is None:
        return True, buffer.last
    life, _, number = last_id.partition("-")
    if life == buffer.life and number.isdecimal() and int(number) <= buffer.last:
        return True, int(number)
    return False, buffer.first - 1


def _chosen(entries: Iterable[BufferedEvent], asked: EventsRequest, life: str) -> Iterator[bytes]:
    for each in entries:
        if _is_wanted(each, asked):
            yield f"id: {life}-{each.number}\nevent: {each.name}\ndata: {each.line}\n\n".encode()


def _is_wanted(entry: BufferedEvent, asked: EventsRequest) -> bool:
    return (
        LEVELS.index(entry.level) >= LEVELS.index(asked.level)
        and asked.document in (None, entry.document)
        and asked.build in (None, entry.build)
        and (not asked.event or entry.name in asked.event)
    )


def _gap(missed: int | None) -> bytes:
    return b"event: gap\ndata: " + msgspec.json.encode(Gap(missed)) + b"\n\n"
