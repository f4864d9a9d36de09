"""A stream that somebody else reads, written to in a thread of its own: who has something to say never waits for it.

By its descriptor: a thread that is held up in a stream's own buffer holds that one's lock, and the interpreter wants it
at its end.
"""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

KEPT: Final = 4_000_000
"""So many characters wait for a reader that takes its time; of more, the oldest are left out."""
CLOSE_S: Final = 1.0
"""How long a reader that takes nothing for now is waited for at the end."""
_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.ECONNRESET})
"""Nobody reads any more: of a pipe, a terminal, a socket. A full disk may have room again."""


class Outlet:
    """`notice` is what is said of so many lines that were left out."""

    def __init__(self, stream: TextIO, notice: Callable[[int], str], *, kept: int = KEPT) -> None:
        self.notice = notice
        self._kept = kept
        self._descriptor = _descriptor(stream)
        self._encoding = stream.encoding or "utf-8"
        self._waiting: deque[str] = deque()
        self._size, self._left_out = 0, 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        """Whole lines, to be written soon; from whatever thread."""
        with self._changed:
            if self._descriptor is None or self._closing:
                return
            self._waiting.append(text)
            self._size += len(text)
            while self._size > self._kept and len(self._waiting) > 1:
                oldest = self._waiting.popleft()
                self._size -= len(oldest)
                self._left_out += oldest.count("\n")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Have what waits written, if it is read in time; nothing is taken any more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while text := self._next():
            try:
                self._write(text.encode(self._encoding, "backslashreplace"))
            except OSError as error:  # it can't be told there, and the log's file has the line
                if error.errno in _GONE:
                    self._let_go()

    def _next(self) -> str:
        """What waits, once something does; "" at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            text, left_out = "".join(self._waiting), self._left_out
            self._waiting.clear()
            self._size, self._left_out = 0, 0
        return f"{self.notice(left_out)}{text}" if left_out else text

    def _write(self, data: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  nothing is taken without one
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # whoever shares the pipe has made it so
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()

    def _let_go(self) -> None:
        """From now on it goes nowhere: what others write there, the interpreter at its end too, fails no more."""
        assert self._descriptor is not None  # noqa: S101  likewise
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)


def _descriptor(stream: TextIO) -> int | None:
    """None where there is no file behind it, or it is closed."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError):
        return None
