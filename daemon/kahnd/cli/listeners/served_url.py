"""Prints the address of a preview that needs a token: the log, which others may read, has the address without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from kahnd.app.daemon_view import DaemonView, WakeUp
from kahnd.core.events import LogEvent
from kahnd.telemetry.text_stream import AsyncStream


class ServedUrl:
    """A DaemonListener that prints the preview's address whenever it has one with a token."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = AsyncStream(stream, lambda _lines: "")
        self._wake_up = WakeUp()

    def on_event(self, event: str, _fields: Mapping[str, Any]) -> None:
        """Looks again when the preview has a new address."""
        if event == LogEvent.SERVE_STARTED:
            self._wake_up.set()

    async def follow(self, view: DaemonView) -> None:
        """Prints each address once."""
        printed = ""
        while True:
            self._wake_up.clear()
            if (url := view.take().serve.url) != printed and "token=" in url:
                printed = url
                self._stream.put(f"kahnd: the preview is at {url}\n")
            await self._wake_up.wait()

    def close(self) -> None:
        """Closes the stream; a line that waits is still written."""
        self._stream.close()
