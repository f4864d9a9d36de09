"""Wakes who looks on at a daemon, once for however much has happened."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio


class Bell:
    """Rung from whatever thread; heard on one event loop. It costs nothing while it was rung and is not heard yet."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = True
        self._heard = anyio.Event()

    def listen(self) -> None:
        """From now on a ring counts, also one that comes before `heard` is asked."""
        self._loop = asyncio.get_running_loop()
        self._heard, self._rung = anyio.Event(), False

    async def heard(self) -> None:
        """Return once it was rung after `listen`."""
        await self._heard.wait()

    def ring(self) -> None:
        """Something has happened."""
        if not self._rung and self._loop is not None:
            self._rung = True
            with suppress(RuntimeError):  # a loop that is over has nobody who waits
                self._loop.call_soon_threadsafe(self._sound)

    def _sound(self) -> None:
        """For whoever listens by then, which may be later than it was rung."""
        self._heard.set()
