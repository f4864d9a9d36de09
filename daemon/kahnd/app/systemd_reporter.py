"""Reports to systemd: ready, reloading, stopping, a status line, and the watchdog's heartbeat."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from kahnd.core.events import LogEvent
from kahnd.platform.systemd import Notifier

STATUS_S: Final = 1.0
"""The status line is sent no more often."""
BEAT_S: Final = 20.0
"""How often the engine is checked where no watchdog is configured."""
BEATS: Final = 3
"""Heartbeats within the watchdog's time."""
CLOSING_S: Final = 20.0
"""Time for what is closed after the last rendering: the database and connections."""


class SystemdReporter:
    """Sends notifications. `beat` checks the engine, and returns what hangs, if anything; `status` returns the line.

    Notifications that must not be lost are queued until systemd takes them.
    """

    def __init__(
        self, notifier: Notifier, log: Callable[..., None], beat: Callable[[], str], status: Callable[[], str]
    ) -> None:
        self._notifier = notifier
        self._log = log
        self._beat = beat
        self._status = status
        self._every_s = (notifier.watchdog_s or BEAT_S * BEATS) / BEATS
        self._queue: deque[tuple[str, ...]] = deque()
        self._ready = self._stopping = self._hung = False
        self._sent_status = ""

    async def run(self) -> None:
        """Reports until cancelled; returns at once if systemd does not listen."""
        if self._notifier.address:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_status)
                tasks.start_soon(self._keep_alive)

    def ready(self) -> None:
        """Reports that the daemon watches and has scanned all sources; after a reload, with the new configuration."""
        if not self._ready and not self._stopping:
            self._ready = True
            self._send("READY=1")

    def reloading(self) -> None:
        """Reports that the configuration is read again; `ready` follows."""
        if self._ready and not self._stopping:
            self._ready = False
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, grace_s: float) -> None:
        """Reports the end, within this many seconds and the time to close."""
        self._stopping = True
        self._send("STOPPING=1", _extension(grace_s + CLOSING_S))

    def _send(self, *lines: str) -> None:
        if self._notifier.address:
            self._queue.append(lines)
            self._flush()

    def _flush(self) -> bool:
        while self._queue and self._notifier.send(*self._queue[0]):
            self._queue.popleft()
        return not self._queue

    async def _keep_status(self) -> None:
        while True:
            status = self._status()
            if self._flush() and status != self._sent_status and self._notifier.send(f"STATUS={status}"):
                self._sent_status = status
            await anyio.sleep(STATUS_S)

    async def _keep_alive(self) -> None:
        """Sends a heartbeat each third of the watchdog's time, and asks for more time until the daemon is ready."""
        while True:
            hung = self._beat()
            if not hung:
                self._heartbeat()
            elif not self._hung:
                self._log(LogEvent.DAEMON_HUNG, error=f"{hung} does not go on", remedy="a watchdog restarts it")
            self._hung = bool(hung)
            await anyio.sleep(self._every_s)

    def _heartbeat(self) -> None:
        lines = ["WATCHDOG=1"] if self._notifier.watchdog_s else []
        if not self._ready and not self._stopping:
            lines.append(_extension(self._every_s * BEATS))
        if lines:
            self._notifier.send(*lines)


def _extension(seconds: float) -> str:
    """Asks for more time to start, reload or stop."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
