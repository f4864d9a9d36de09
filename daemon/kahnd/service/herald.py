"""Tells the service manager how things are: ready, reloading, stopping, a line for people, signs of life."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from kahnd.service.events import Event
from kahnd.service.notify import Notifier

STATUS_S: Final = 1.0
"""The line for people is told no more often."""
BEAT_S: Final = 20.0
"""How often the engine is asked for a sign of life where no watchdog says so."""
BEATS: Final = 3
"""Signs of life in the time after which the manager misses them."""
CLOSING_S: Final = 20.0
"""What ends after the last rendering (the database, connections) takes no longer."""


class Herald:
    """`beat` has the engine give a sign of life, and says what has hung instead, if anything; `status` is the line.

    What must not get lost is sent again until it has gone.
    """

    def __init__(
        self, notifier: Notifier, say: Callable[..., None], beat: Callable[[], str], status: Callable[[], str]
    ) -> None:
        self._notifier = notifier
        self._say = say
        self._beat = beat
        self._status = status
        self._every_s = (notifier.watchdog_s or BEAT_S * BEATS) / BEATS
        self._owed: deque[tuple[str, ...]] = deque()
        self._ready = self._stopping = self._hung = False
        self._told = ""

    async def run(self) -> None:
        """Tell until cancelled; returns at once where nobody listens."""
        if self._notifier.address:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_status)
                tasks.start_soon(self._keep_alive)

    def ready(self) -> None:
        """Watching, and all that was there has been looked at; after a reload, by the new configuration."""
        if not self._ready and not self._stopping:
            self._ready = True
            self._owe("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; `ready` comes when that is over."""
        if self._ready and not self._stopping:
            self._ready = False
            self._owe("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, grace_s: float) -> None:
        """It ends, within so many seconds and the little that the end itself takes."""
        self._stopping = True
        self._owe("STOPPING=1", _extension(grace_s + CLOSING_S))

    def _owe(self, *lines: str) -> None:
        if self._notifier.address:
            self._owed.append(lines)
            self._pay()

    def _pay(self) -> bool:
        while self._owed and self._notifier.tell(*self._owed[0]):
            self._owed.popleft()
        return not self._owed

    async def _keep_status(self) -> None:
        while True:
            status = self._status()
            if self._pay() and status != self._told and self._notifier.tell(f"STATUS={status}"):
                self._told = status
            await anyio.sleep(STATUS_S)

    async def _keep_alive(self) -> None:
        """A sign of life each third of the watchdog's time; where it is not ready yet, also for more time to be so."""
        while True:
            hung = self._beat()
            if not hung:
                self._give_sign()
            elif not self._hung:
                self._say(Event.DAEMON_HUNG, error=f"{hung} does not go on", remedy="a watchdog restarts it")
            self._hung = bool(hung)
            await anyio.sleep(self._every_s)

    def _give_sign(self) -> None:
        lines = ["WATCHDOG=1"] if self._notifier.watchdog_s else []
        if not self._ready and not self._stopping:
            lines.append(_extension(self._every_s * BEATS))
        if lines:
            self._notifier.tell(*lines)


def _extension(seconds: float) -> str:
    """More time for what is going on: a start, a reload, an end."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
