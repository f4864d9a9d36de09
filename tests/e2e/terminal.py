"""A terminal with somebody at it: the installed command on a real pseudo-terminal, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from types import TracebackType
from typing import Self

import pyte

from e2e.harness import DEADLINE_S, KAHND, Project, environment, eventually

CTRL_S = b"\x13"


class Terminal:
    """`kahnd` on a terminal of so many lines and columns; leaving the block ends it."""

    def __init__(self, project: Project, *words: str, lines: int = 24, columns: int = 100) -> None:
        self.project = project
        self._words = words
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.written = b""

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self._size(slave)
        env = environment({"TERM": "xterm-256color", **self.project.env})
        for name in ("COLUMNS", "LINES"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            [KAHND, *self._words],
            cwd=self.project.root,
            env=env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- the screen:\n{self.shown}")
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.go_away()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # the other end is closed, or this one
                return
            with self._lock:
                self.written += data
                self._stream.feed(data)

    def _size(self, descriptor: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Sends keys, as if somebody typed them."""
        os.write(self._master, keys)

    @property
    def shown(self) -> str:
        """The text on the screen."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def shows(self, pattern: str) -> str:
        """Wait until the screen shows this; what it showed then."""

        def found() -> str:
            shown = self.shown
            return shown if re.search(pattern, shown) else ""

        return eventually(found, f"the terminal shows {pattern}")

    def shows_no(self, pattern: str) -> None:
        """Wait until the screen does not show this any more."""
        eventually(lambda: not re.search(pattern, self.shown), f"the terminal shows no {pattern}")

    def takes_nothing(self) -> int:
        """Has it take nothing any more, as after Ctrl-S; returns how much was written, once all of it is read."""
        self.press(CTRL_S)
        eventually(lambda: not self._unread(), "all that was written is read")
        with self._lock:
            return len(self.written)

    def _unread(self) -> int:
        with self._lock:
            count = fcntl.ioctl(self._master, termios.FIONREAD, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def resize(self, lines: int, columns: int) -> None:
        """As when somebody pulls at a window's corner: what is there is wrapped anew, as most terminals do."""
        with self._lock:
            there = [line.rstrip() for line in self._screen.display][: self._screen.cursor.y + 1]
            self._screen = pyte.Screen(columns, lines)
            self._stream = pyte.ByteStream(self._screen)
            self._stream.feed("\r\n".join(there).encode())
        self._size(self._master)

    def go_away(self) -> None:
        """As when somebody closes the window."""
        master, self._master = self._master, -1
        if master >= 0:
            os.close(master)

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """End the command; its exit code. What it wrote until then has been read."""
        self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code
