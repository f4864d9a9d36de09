"""Answers that go on: progress and a report, line by line; events, as they happen.

Nothing that is told ever waits for who is told: the writing does, for so long, and is then given up.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import anyio
import anyio.lowlevel
import msgspec
from aiohttp import web

from kahnd.core.model import Problem
from kahnd.engine import OnProgress
from kahnd.errors import KahndError, NoDaemonError
from kahnd.service.api import answers, shapes
from kahnd.service.api.bounds import Bounds
from kahnd.service.api.routes import Form
from kahnd.service.broadcast import Broadcast, Told

PROGRESS_EVERY_S: Final = 0.05
TROUBLE_EVERY_S: Final = 1.0
BATCH: Final = 100
"""Of events, in one write."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
ALIVE: Final = b": alive\n\n"

Ask = Callable[[OnProgress], Awaitable[shapes.Report]]
Trouble = Callable[[], str]


class Writing:
    """An answer under way. Who does not read for too long is hung up on."""

    def __init__(self, request: web.BaseRequest, form: Form, bounds: Bounds, headers: Mapping[str, str]) -> None:
        self._request = request
        self._bounds = bounds
        self.response = web.StreamResponse(headers={**answers.HEADERS, **headers, "Content-Type": form.value})

    async def begin(self) -> None:
        """Send what comes before it."""
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send this much. Raises ConnectionError where nobody is there to read it."""
        with _reading(self._request, self._bounds):
            await self.response.write(data)


async def whole(request: web.BaseRequest, response: web.Response, bounds: Bounds) -> None:
    """Send an answer that does not go on. Raises ConnectionError where nobody is there to read it."""
    with _reading(request, bounds):
        await response.prepare(request)
        await response.write_eof()


@contextmanager
def _reading(request: web.BaseRequest, bounds: Bounds) -> Iterator[None]:
    """Hang up on who does not read what is written meanwhile, and raise ConnectionError."""
    with anyio.move_on_after(bounds.stuck_s) as limit:
        yield
    if limit.cancelled_caught:
        if request.transport:
            request.transport.abort()
        raise ConnectionResetError("the client does not read")


async def lines(writing: Writing, ask: Ask, trouble: Trouble, timeout_s: float | None = None) -> None:
    """Progress as it comes, at a pace a reader can follow, and the report (or an error) as the last line.

    While there is trouble, that is told in the place of a document.
    """
    await writing.begin()
    pace = _Pace()
    last: shapes.ReportLine | shapes.Error | None = None
    async with anyio.create_task_group() as beside:

        async def pass_on() -> None:
            with suppress(ConnectionError):
                while True:
                    await writing.write(_line(await pace.next()))
            beside.cancel_scope.cancel()  # whoever asked is gone, and waits no more

        async def tell_trouble() -> None:
            while True:
                await anyio.sleep(TROUBLE_EVERY_S)
                if told := trouble():
                    pace.tell(0, 0, told)

        beside.start_soon(pass_on)
        beside.start_soon(tell_trouble)
        last = await _outcome(ask, pace.tell, trouble, timeout_s)
        beside.cancel_scope.cancel()
    if last:
        await writing.write(_line(last))


class _Pace:
    """The latest progress, handed on no more often than can be followed. Telling never waits."""

    def __init__(self) -> None:
        self._latest: shapes.ProgressLine | None = None
        self._told = anyio.Event()
        self._due = 0.0

    def tell(self, done: int, total: int, document: str) -> None:
        """So far it is."""
        self._latest = shapes.ProgressLine(shapes.Progress(done, total, document))
        self._told.set()

    async def next(self) -> shapes.ProgressLine:
        """The latest, once there is one, and once it is time."""
        await self._told.wait()
        await anyio.sleep(max(0, self._due - time.monotonic()))
        latest, self._told = self._latest, anyio.Event()
        assert latest is not None  # noqa: S101 - told, before it was waited for
        self._due = time.monotonic() + PROGRESS_EVERY_S
        return latest


async def _outcome(
    ask: Ask, on_progress: OnProgress, trouble: Trouble, timeout_s: float | None
) -> shapes.ReportLine | shapes.Error:
    try:
        with anyio.fail_after(timeout_s):
            return shapes.ReportLine(await ask(on_progress))
    except TimeoutError:
        late = Problem(
            f"not everything is up to date after {timeout_s:g} s",
            remedy=trouble() or "give it a longer --timeout",
        )
        return answers.told((late,), NoDaemonError.exit_code)
    except KahndError as error:
        return answers.told(error.problems, error.exit_code)


def _line(message: shapes.Answer) -> bytes:
    return shapes.encoded(message) + b"\n"


async def events(
    writing: Writing, broadcast: Broadcast, asked: shapes.EventsRequest, last_id: str | None, heartbeat_s: float
) -> None:
    """What is wanted of what happens, for as long as somebody reads; after `last_id`, where that is given."""
    known, number = _resumed(broadcast, last_id)
    await writing.begin()
    await writing.write(ALIVE if known else _gap(None))
    silent_since = time.monotonic()
    while True:
        missed, told = broadcast.since(number, BATCH)
        number = told[-1].number if told else number + missed
        if text := b"".join([*([_gap(missed)] if missed else []), *_chosen(told, asked, broadcast.life)]):
            await writing.write(text)
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since >= heartbeat_s:
            await writing.write(ALIVE)
            silent_since = time.monotonic()
        elif told:
            await anyio.lowlevel.checkpoint()
        else:
            with anyio.move_on_after(silent_since + heartbeat_s - time.monotonic()):
                await broadcast.after(number)


def _resumed(broadcast: Broadcast, last_id: str | None) -> tuple[bool, int]:
    """Whether it is known how many events there were since that id, and after which number to go on."""
    if last_id is None:
        return True, broadcast.last
    life, _, number = last_id.partition("-")
    if life == broadcast.life and number.isdecimal() and int(number) <= broadcast.last:
        return True, int(number)
    return False, broadcast.first - 1


def _chosen(told: Iterable[Told], asked: shapes.EventsRequest, life: str) -> Iterator[bytes]:
    for each in told:
        if _is_wanted(each, asked):
            yield f"id: {life}-{each.number}\nevent: {each.name}\ndata: {each.line}\n\n".encode()


def _is_wanted(told: Told, asked: shapes.EventsRequest) -> bool:
    return (
        LEVELS.index(told.level) >= LEVELS.index(asked.level)
        and asked.document in (None, told.document)
        and asked.build in (None, told.build)
        and (not asked.event or told.name in asked.event)
    )


def _gap(missed: int | None) -> bytes:
    return b"event: gap\ndata: " + msgspec.json.encode(shapes.Gap(missed)) + b"\n\n"
