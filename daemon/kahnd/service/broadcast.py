"""What is logged, for everybody who listens, at nobody's cost but their own.

The newest events are kept, once, whoever listens. A listener only remembers how far it has come: one that does not keep
up costs neither time nor memory, and learns how many it has missed.
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

from kahnd.service.logs import as_json

KEPT: Final = 2_000
KEPT_BYTES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """One event: its number, counted from 1, what it can be chosen by, and the log's line."""

    number: int
    name: str
    level: str
    document: str | None
    build: str | None
    line: str


class Broadcast:
    """Publishing never waits and never raises, from whatever thread. Listening belongs to an event loop's thread."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._told: deque[Told] = deque()
        self._kept, self._kept_bytes = kept, kept_bytes
        self._bytes = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self.life: Final = secrets.token_hex(4)
        """Numbers are of one daemon's life."""
        self.last = 0
        """The newest event's number."""

    @property
    def first(self) -> int:
        """The oldest event's number, of those that are kept."""
        return self.last - len(self._told) + 1

    def publish(self, event: Mapping[str, Any]) -> None:
        """Tell of an event, as it is logged."""
        line = as_json(event)
        with self._lock:
            self.last += 1
            names = str(event.get("event", "")), str(event.get("level", ""))
            self._keep(Told(self.last, *names, event.get("document"), event.get("build"), line))
            waiting, self._waiting = self._waiting, set()
        for each in waiting:
            with suppress(RuntimeError):  # a loop that is over has nobody who waits
                each.get_loop().call_soon_threadsafe(_wake, each)

    def since(self, number: int, most: int) -> tuple[int, list[Told]]:
        """How many events after that one are not kept any more, and the first of those that are."""
        with self._lock:
            known = max(number, self.first - 1)
            begin = known - self.first + 1
            return known - number, list(islice(self._told, begin, begin + most))

    async def after(self, number: int) -> None:
        """Return when there is an event after that one."""
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

    def _keep(self, told: Told) -> None:
        self._told.append(told)
        self._bytes += len(told.line)
        while len(self._told) > self._kept or self._bytes > self._kept_bytes:
            self._bytes -= len(self._told.popleft().line)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
