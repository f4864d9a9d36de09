"""Makes the kernel lose events: stops a daemon, and causes more events than the queue holds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

QUEUE: Final = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stops a process for a while, so that events pile up in the kernel."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def flood(folder: Path) -> None:
    """Causes more events than the queue holds, on two files in turn, since the kernel merges equal events."""
    with (folder / "x.dat").open("w") as one, (folder / "y.dat").open("w") as two:
        for _ in range(QUEUE):
            for file in (one, two):
                file.write("x")
                file.flush()
