"""`kahnd run` on a terminal: what is rendered now, what the last builds came to, what is wrong until it is mended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TextIO

import anyio

from kahnd.cli.bell import Bell
from kahnd.cli.board import block, past
from kahnd.cli.screen import REFRESH_S, Screen
from kahnd.core.model import DocumentId
from kahnd.service.events import Event
from kahnd.service.glance import Glance, Look

_MENDED: Final = frozenset({Event.DOCUMENT_RENDERED, Event.DOCUMENT_SKIPPED, Event.DOCUMENT_REMOVED})


class Live:
    """Fulfils glance.Onlooker. Looks ten times a second while something goes on, and not at all while nothing does."""

    def __init__(self, stream: TextIO) -> None:
        # Of its own: a terminal that takes nothing holds a lock of the stream's for as long, at the end of Python too.
        own = open(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace")  # noqa: PTH123, SIM115
        self._screen: Screen[Glance] = Screen(own, block)
        self._bell = Bell()
        self._mended: set[DocumentId] = set()

    def told(self, event: str, fields: Mapping[str, Any]) -> None:
        """Keep a line of it, if it is worth one, and look."""
        line = past(event, fields, f"{datetime.now().astimezone():%H:%M:%S}")
        if line is not None:
            self._screen.say(line)
        if event in _MENDED and fields.get("document"):
            self._mended.add(fields["document"])
        self._bell.ring()

    async def follow(self, look: Look, _say: Callable[..., None]) -> None:
        """Show each moment that differs."""
        last = Glance("scanning")
        with self._resized():
            while True:
                self._bell.listen()
                last = self._kept(look(), last)
                self._screen.show(last)
                await anyio.sleep(REFRESH_S)
                if not last.busy:
                    await self._bell.heard()

    def close(self) -> None:
        """Leave the terminal."""
        self._screen.close()

    def _kept(self, now: Glance, last: Glance) -> Glance:
        """What was wrong is so until it is mended: also while it is tried again, and between two sessions."""
        mended, self._mended = self._mended, set()
        if not now.counts:
            return replace(now, counts=last.counts, wrong=last.wrong)
        if not now.busy:
            return now
        told = {each.document for each in now.wrong} | mended
        return replace(now, wrong=(*now.wrong, *(each for each in last.wrong if each.document not in told)))

    @contextmanager
    def _resized(self) -> Iterator[None]:
        """Hear of the terminal's size."""
        before = signal.signal(signal.SIGWINCH, lambda *_: self._screen.call())
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)
