"""Keeps the newest log events for clients that stream them.

Events are kept once, however many clients there are. A client only remembers how far it has read: a slow one costs
neither time nor memory, and learns how many events it has missed.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from kahnd.telemetry.log import as_json

KEPT: Final = 2_000
KEPT_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class BufferedEvent:
    """One event: its number, counted from 1, the fields that it is filtered by, and the log's line."""

    number: int
    name: str
    level: str
    document: str | None
    build: str | None
    line: str


class EventBuffer:
    """Publishing never waits or raises, on any thread. Reading belongs to the event loop's thread."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._events: deque[BufferedEvent] = deque()
        self._kept, self._kept_bytes = kept, kept_bytes
        self._bytes = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self.life: Final = secrets.token_hex(4)
        """Identifies this daemon's run: event numbers start again with the next."""
        self.last = 0
        """The number of the newest event."""

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept."""
        return self.last - len(self._events) + 1

    def publish(self, event: Mapping[str, Any]) -> None:
        """Adds an event, and wakes who waits for one."""
        line = as_json(event)
        with self._lock:
            self.last += 1
            names = str(event.get("event", "")), str(event.get("level", ""))
            self._keep(BufferedEvent(self.last, *names, event.get("document"), event.get("build"), line))
            waiting, self._waiting = self._waiting, set()
        for each in waiting:
            with suppress(RuntimeError):  # a closed loop has no waiters
                each.get_loop().call_soon_threadsafe(_wake, each)

    def since(self, number: int, most: int) -> tuple[int, list[BufferedEvent]]:
        """Returns how many events after that number are no longer kept, and the first of those that are."""
        with self._lock:
            known = max(number, self.first - 1)
            begin = known - self.first + 1
            return known - number, list(islice(self._events, begin, begin + most))

    async def after(self, number: int) -> None:
        """Returns when there is an event after that number."""
        with self._lock:
            if self.last > number:
                return
            woken = asyncio.get_running_loop().create_future()
            self._waiting.add(woken)
        try:
            await woken
        finally:
            with self._lock:
                self._waiting.discard(woken)

    def _keep(self, event: BufferedEvent) -> None:
        self._events.append(event)
        self._bytes += len(event.line)
        while len(self._events) > self._kept or self._bytes > self._kept_bytes:
            self._bytes -= len(self._events.popleft().line)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
