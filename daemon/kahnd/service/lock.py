"""One process a project: a lock that a crash releases."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import AlreadyRunningError
from kahnd.service.paths import socket_path

STATE_FOLDER: Final = ".kahnd"


PATIENCE_S: Final = 5.0
"""How long a command that only looks (`status`, `plan`) is waited for, before its lock counts as held."""
_PAUSE_S: Final = 0.02


@contextmanager
def project_lock(root: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the project. Raises AlreadyRunningError with the holder's pid, at once if that is a daemon.

    The file stays: removing it would let two processes hold two files of the same name.
    """
    folder = root / STATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, root, time.monotonic() + patience_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, root: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _answers(root) or time.monotonic() > deadline:
                raise AlreadyRunningError(_held(os.pread(descriptor, 32, 0).decode().strip())) from None
            time.sleep(_PAUSE_S)
        else:
            return


def _answers(root: Path) -> bool:
    """Whether a daemon listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(socket_path(root))) == 0


def _held(pid: str) -> Problem:
    return Problem(
        f"kahnd already works on this project, in process {pid or 'unknown'}",
        remedy="`kahnd status` asks it; stop it before starting another",
    )
