"""Draws on a terminal in a thread of its own, so that callers never wait for it.

Lines scroll above a block that is redrawn. The cursor is never hidden, so that nothing needs to be restored however the
process ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, Generic, TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live
from rich.text import Text

from kahnd.telemetry.text_stream import shows_colours

T = TypeVar("T")
REFRESH_S: Final = 0.1
"""The shortest time between two redraws."""
CLOSE_S: Final = 0.5
"""How long `close` waits for a terminal that is stuck."""
MAX_PENDING: Final = 1_000
"""How many lines wait for a stuck terminal. Of more, the oldest are left out."""
MAX_REPEATED: Final = 200
"""How many lines are kept to be printed again after a change of size."""


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 (rich's)
        """Never hides the cursor."""
        return False


class TerminalWriter(Generic[T]):
    """`draw` makes the block from a scene, for a console and the number of lines available on it."""

    def __init__(self, stream: TextIO, draw: Callable[[T, Console, int], RenderableType]) -> None:
        plain = not shows_colours(terminal=True)
        self._console = _Console(file=stream, force_terminal=True, no_color=plain, highlight=False, markup=False)
        self._draw = draw
        self._lock = threading.Lock()
        self._pending: deque[Text] = deque(maxlen=MAX_PENDING)
        self._printed: deque[Text] = deque(maxlen=MAX_REPEATED)
        self._scene: T | None = None
        self._left_out = 0
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._woken = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def print_above(self, line: Text) -> None:
        """Prints a line above the block."""
        with self._lock:
            self._left_out += len(self._pending) == MAX_PENDING
            self._pending.append(line)
        self._start()

    def show(self, scene: T) -> None:
        """Sets the scene of the block. Of several before the next redraw, only the last counts."""
        with self._lock:
            same, self._scene = self._scene == scene, scene
        if not same:
            self._start()

    def wake(self) -> None:
        """Wakes the thread, which redraws if the size or scene changed. May be called in a signal handler."""
        if not self._woken:
            self._woken = True
            self._wake_ups.put(None)

    def close(self) -> None:
        """Prints pending lines and removes the block. Gives up after CLOSE_S if the terminal is stuck."""
        self._closing.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._run, name="screen", daemon=True)
            self._thread.start()
        self.wake()

    def _run(self) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone; the log has everything
            live = self._start_block()
            size, scene = self._console.size, None
            while True:
                self._wake_ups.get()
                closing, self._woken = self._closing.is_set(), False
                if self._console.size != size:
                    size, scene = self._console.size, None
                    live = self._redraw(live)
                scene = self._refresh(live, scene)
                if closing:
                    live.stop()
                    return
                self._closing.wait(REFRESH_S)

    def _start_block(self) -> Live:
        live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        live.start()
        return live

    def _redraw(self, live: Live) -> Live:
        """Clears the screen and prints the last lines again. How the terminal wrapped them is unknown."""
        live.stop()
        self._console.control(Control.clear(), Control.home())
        self._print(list(self._printed)[-max(self._console.height // 2, 1) :])
        return self._start_block()

    def _print(self, lines: Sequence[Text]) -> None:
        """Prints all lines in one call, since each call redraws the block."""
        if lines:
            self._console.print(Text("\n").join(lines))

    def _refresh(self, live: Live, before: T | None) -> T | None:
        with self._lock:
            lines, scene, left_out = list(self._pending), self._scene, self._left_out
            self._pending.clear()
            self._left_out = 0
        if left_out:
            lines.insert(0, Text(f"… {left_out} lines were left out: `kahnd logs` has them all"))
        self._print(lines)
        self._printed.extend(lines)
        if scene is not None and scene != before:
            live.update(self._draw(scene, self._console, max(self._console.height - 1, 1)), refresh=True)
        return scene
