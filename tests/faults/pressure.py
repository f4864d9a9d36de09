"""How tests make the kernel lose events: a daemon that gets no time, and more events than the queue holds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

QUEUE: Final = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """A process that gets no time: whatever happens piles up in the kernel."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def flood(folder: Path) -> None:
    """More events than the queue holds. Two files in turn: of equal events in a row the kernel makes one."""
    with (folder / "x.dat").open("w") as one, (folder / "y.dat").open("w") as two:
        for _ in range(QUEUE):
            for file in (one, two):
                file.write("x")
                file.flush()
