"""A terminal that somebody draws on, in a thread of its own: who says or shows something never waits for it.

Below what was said stands a block, which is drawn anew. The cursor is left as it is, so that it needs no restoring,
whatever way the process ends.
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

from kahnd.service import colours

T = TypeVar("T")
REFRESH_S: Final = 0.1
"""The shortest time between two drawings."""
CLOSE_S: Final = 0.5
"""How long a terminal that takes nothing for now is waited for at the end."""
UNSAID: Final = 1_000
"""So many lines wait for such a terminal; of more, the oldest are left out."""
REMEMBERED: Final = 200
"""So many lines are said again once the terminal has another size."""


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 (rich's)
        """Leave it as it is."""
        return False


class Screen(Generic[T]):
    """`draw` makes the block of a scene, for a terminal of so many lines."""

    def __init__(self, stream: TextIO, draw: Callable[[T, int], RenderableType]) -> None:
        plain = not colours.wanted(terminal=True)
        self._console = _Console(file=stream, force_terminal=True, no_color=plain, highlight=False, markup=False)
        self._draw = draw
        self._lock = threading.Lock()
        self._unsaid: deque[Text] = deque(maxlen=UNSAID)
        self._said: deque[Text] = deque(maxlen=REMEMBERED)
        self._scene: T | None = None
        self._left_out = 0
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._called = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, line: Text) -> None:
        """A line above the block, for good."""
        with self._lock:
            self._left_out += len(self._unsaid) == UNSAID
            self._unsaid.append(line)
        self._begin()

    def show(self, scene: T) -> None:
        """What the block is made of from now on; of several before the next drawing only the last counts."""
        with self._lock:
            same, self._scene = self._scene == scene, scene
        if not same:
            self._begin()

    def call(self) -> None:
        """Draw anew where the terminal has another size; may be called while a signal is handled."""
        if not self._called:
            self._called = True
            self._calls.put(None)

    def close(self) -> None:
        """Say what is to be said, take the block away, and leave the terminal; one that takes nothing is left so."""
        self._closing.set()
        self.call()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _begin(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._run, name="screen", daemon=True)
            self._thread.start()
        self.call()

    def _run(self) -> None:
        with suppress(OSError, ValueError):  # a terminal that has gone: there is nobody to tell, and the log has it all
            live = self._begun()
            size, scene = self._console.size, None
            while True:
                self._calls.get()
                closing, self._called = self._closing.is_set(), False
                if self._console.size != size:
                    size, scene = self._console.size, None
                    live = self._anew(live)
                scene = self._refresh(live, scene)
                if closing:
                    live.stop()
                    return
                self._closing.wait(REFRESH_S)

    def _begun(self) -> Live:
        live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        live.start()
        return live

    def _anew(self, live: Live) -> Live:
        """Where lines are after a change of size depends on the terminal: what fits is said again, from the top."""
        live.stop()
        self._console.control(Control.clear(), Control.home())
        self._print(list(self._said)[-max(self._console.height // 2, 1) :])
        return self._begun()

    def _print(self, lines: Sequence[Text]) -> None:
        """At once: with each call the block is drawn anew."""
        if lines:
            self._console.print(Text("\n").join(lines))

    def _refresh(self, live: Live, before: T | None) -> T | None:
        with self._lock:
            lines, scene, left_out = list(self._unsaid), self._scene, self._left_out
            self._unsaid.clear()
            self._left_out = 0
        if left_out:
            lines.insert(0, Text(f"… {left_out} lines were left out: `kahnd logs` has them all"))
        self._print(lines)
        self._said.extend(lines)
        if scene is not None and scene != before:
            live.update(self._draw(scene, max(self._console.height - 1, 1)), refresh=True)
        return scene
