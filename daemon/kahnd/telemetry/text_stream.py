"""Streams of text for people: decides whether one is coloured, and writes to one without waiting for a slow reader."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TextIO

KEPT: Final = 4_000_000
"""Characters that wait for a slow reader; of more, the oldest are dropped."""
CLOSE_S: Final = 1.0
"""How long a blocked reader is waited for at the end."""
_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.ECONNRESET})
"""Errors after which nobody will ever read. Others, such as a full disk, may pass."""


def shows_colours(*, terminal: bool, environ: Mapping[str, str] | None = None) -> bool:
    """Tells whether output is coloured: on a terminal, unless the environment says otherwise.

    Follows the conventions of no-color.org, force-color.org and bixense.com/clicolors.
    """
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


class AsyncStream:
    """Writes to a stream in a thread of its own. `notice` makes the text that stands for a number of dropped lines.

    It writes to the descriptor: a thread blocked in a stream's buffer holds the buffer's lock, which the interpreter
    needs when it exits.
    """

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
        """Queues whole lines; on any thread."""
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
        """Writes what is queued, if it is read in time; takes no more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while text := self._next():
            try:
                self._write(text.encode(self._encoding, "backslashreplace"))
            except OSError as error:  # the log's file has the line
                if error.errno in _GONE:
                    self._discard()

    def _next(self) -> str:
        """Waits for text, and returns it; "" at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            text, left_out = "".join(self._waiting), self._left_out
            self._waiting.clear()
            self._size, self._left_out = 0, 0
        return f"{self.notice(left_out)}{text}" if left_out else text

    def _write(self, data: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101 - nothing is queued without one
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process that shares the pipe made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()

    def _discard(self) -> None:
        """Redirects the descriptor to /dev/null, so that other writes to it, even at exit, do not fail."""
        assert self._descriptor is not None  # noqa: S101 - likewise
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)


def _descriptor(stream: TextIO) -> int | None:
    """Returns None if the stream has no file, or is closed."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError):
        return None
