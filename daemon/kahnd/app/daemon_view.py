"""The view of a daemon for its listeners: the live view, editors' problems, notifications, and the web face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from kahnd.app.graph_model import GraphModel
from kahnd.app.operations import DaemonOperations
from kahnd.app.output_index import OutputIndex
from kahnd.app.session import Project, WriteLog
from kahnd.app.status import ServedAddress, TakeSnapshot
from kahnd.telemetry.event_buffer import EventBuffer
from kahnd.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class DaemonView:
    """A daemon as its listeners see it: the same for all of its sessions.

    `configured` returns the project as it is configured at the moment. `served` is set by the listener that serves.
    """

    take: TakeSnapshot
    operations: DaemonOperations
    outputs: OutputIndex
    graph: GraphModel
    events: EventBuffer
    metrics: Metrics
    log: WriteLog
    configured: Callable[[], Project]
    served: ServedAddress


class DaemonListener(Protocol):
    """Follows a daemon beside its log. It must not hold the daemon up."""

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Hears of an event that was logged, whatever the log's level, on any thread."""
        ...

    async def follow(self, view: DaemonView) -> None:
        """Runs beside the daemon, and is cancelled at its end."""
        ...

    def close(self) -> None:
        """Ends; called however the daemon ended."""
        ...


class WakeUp:
    """Set from any thread, awaited on one event loop. Setting it again before it is awaited costs nothing."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_set = True
        self._woken = anyio.Event()

    def clear(self) -> None:
        """Clears it. From now on `set` counts, also before `wait` is called."""
        self._loop = asyncio.get_running_loop()
        self._woken, self._is_set = anyio.Event(), False

    async def wait(self) -> None:
        """Returns once it was set after `clear`."""
        await self._woken.wait()

    def set(self) -> None:
        """Wakes the listener."""
        if not self._is_set and self._loop is not None:
            self._is_set = True
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        """Sets the current event, which may be newer than the one at the time of `set`."""
        self._woken.set()
