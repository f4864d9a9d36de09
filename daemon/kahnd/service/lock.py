"""One process a project: a lock that a crash releases."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import AlreadyRunningError

STATE_FOLDER: Final = ".kahnd"


@contextmanager
def project_lock(root: Path) -> Iterator[None]:
    """Hold the project. Raises AlreadyRunningError with the holder's pid.

    The file stays: removing it would let two processes hold two files of the same name.
    """
    folder = root / STATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(_held(os.read(descriptor, 32).decode().strip())) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _held(pid: str) -> Problem:
    return Problem(
        f"kahnd already works on this project, in process {pid or 'unknown'}",
        remedy="`kahnd status` asks it; stop it before starting another",
    )
