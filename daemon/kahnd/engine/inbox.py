"""The engine's inbox: events in the order in which they may be handled, and the heartbeats among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Final

import anyio
import anyio.lowlevel

from kahnd.core.events import Event, Finished, Published
from kahnd.core.model import OutputPath, RunId
from kahnd.engine.maintenance import Liveness, Waits

HOLD_S: Final = 0.005
"""The engine lets other tasks run at least this often while it handles events and performs commands."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat that goes through the inbox. Once it is `heard`, all earlier events have been handled."""

    heard: anyio.Event


class Publications:
    """The outputs that are being published: from the command until the machine has handled the result.

    Those of a rendering that declares documents are *settling* after that, until what it declares was looked at: they
    are in place, and the graph does not know them yet.
    """

    def __init__(self) -> None:
        self._outputs: dict[RunId, frozenset[OutputPath]] = {}
        self._settling: dict[RunId, frozenset[OutputPath]] = {}
        self._ended = anyio.Event()
        self.count = 0
        """How many have ended, each with outputs in place or a problem."""

    def __bool__(self) -> bool:
        return bool(self._outputs)

    def begin(self, run: RunId, outputs: frozenset[OutputPath]) -> None:
        """Record a command to publish."""
        self._outputs[run] = outputs

    def settle(self, run: RunId) -> None:
        """Record that the outputs are in place."""
        self._settling[run] = self._outputs.pop(run)
        self.count += 1

    def end(self, run: RunId) -> None:
        """Record that the machine has handled the result, and knows the outputs."""
        if self._settling.pop(run, None) is None:
            del self._outputs[run]
        ended, self._ended = self._ended, anyio.Event()
        ended.set()

    def among(self, outputs: Collection[OutputPath]) -> frozenset[OutputPath]:
        """Return those of the outputs that are being published."""
        return frozenset().union(*self._outputs.values()).intersection(outputs)

    def unknown(self, outputs: Collection[OutputPath]) -> frozenset[OutputPath]:
        """Return those of the outputs that the graph may not know yet as they are."""
        return self.among(outputs).union(*self._settling.values()).intersection(outputs)

    async def wait_for(self, outputs: Collection[OutputPath]) -> None:
        """Return when the graph knows all of the outputs."""
        while self.unknown(outputs):
            await self._ended.wait()


class Inbox:
    """The events to be handled, in the order in which they are sent.

    While an output is being published, only ends of renderings are handled: any other event may make the machine give
    up a run, and a publication can't be undone. It waits until the results are in, and all later events wait with it.
    """

    def __init__(self, publications: Publications, liveness: Liveness) -> None:
        self.publications = publications
        self._liveness = liveness
        self._send, self._receive = anyio.create_memory_object_stream[Event | Beat](inf)
        self._deferred: deque[Event | Beat] = deque()
        self._last_wait = perf_counter()
        self._beat = Beat(anyio.Event())
        self._beat.heard.set()

    def __enter__(self) -> None:
        """Open for as long as the loop runs."""

    def __exit__(self, *_: object) -> None:
        self._send.close()
        self._receive.close()

    def __len__(self) -> int:
        return self._receive.statistics().current_buffer_used + len(self._deferred)

    def send(self, event: Event) -> None:
        """Add an event. Raises anyio.ClosedResourceError once the loop has ended."""
        self._send.send_nowait(event)

    def send_beat(self) -> Beat:
        """Add a heartbeat, which is heard once all earlier events are handled. After the loop's end it is at once."""
        beat = Beat(anyio.Event())
        try:
            self._send.send_nowait(beat)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            beat.heard.set()
        return beat

    def hung(self) -> str:
        """Name what has hung since the last call, or return "". A heartbeat shows by the next call that nothing has."""
        if self._beat.heard.is_set():
            self._beat = self.send_beat()
        return self._liveness.hung()

    async def let_others_run(self) -> None:
        """Give other tasks a turn if they have had none for HOLD_S."""
        if perf_counter() - self._last_wait > HOLD_S:
            await anyio.lowlevel.checkpoint()
            self._last_wait = perf_counter()

    async def next(self) -> Event | Beat:
        """Return the next event that may be handled."""
        while not self._deferred or self.publications:
            event = await self._next_sent()
            if not self._has_to_wait(event):
                return event
            self._deferred.append(event)
        return self._deferred.popleft()

    def _has_to_wait(self, event: Event | Beat) -> bool:
        if isinstance(event, Published):
            return False
        return bool(self._deferred or (self.publications and not isinstance(event, Finished)))

    async def _next_sent(self) -> Event | Beat:
        """Return the next event sent; if one is there already, without a turn of the event loop, which costs more."""
        await self.let_others_run()
        try:
            return self._receive.receive_nowait()
        except anyio.WouldBlock:
            event = await self._wait()
            self._last_wait = perf_counter()
            return event

    async def _wait(self) -> Event | Beat:
        if not self._deferred:
            return await self._receive.receive()
        with self._liveness.waiting(Waits.PUBLISHING):
            return await self._receive.receive()
