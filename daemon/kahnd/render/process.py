"""One program, run to its end: its exit code, and the end of what it said."""

from __future__ import annotations

import os
import signal
from typing import BinaryIO, Final

MAX_DETAIL: Final = 8 * 1024
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)


def execute(argv: list[str], output: int | None) -> tuple[int, str]:
    """Run a program in the current folder, its standard input empty; its exit code is negative where a signal ended it.

    Its standard output goes to the descriptor `output`, or (None) is part of what it says. Spawned, since that costs a
    third of what `subprocess` does. Raises OSError where it can't be started.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing if output is None else output, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),
            ]
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setsigdef=_IGNORED_BY_PYTHON)
        finally:
            os.close(writing)
        said = _tail(pipe)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said


def _tail(pipe: BinaryIO) -> str:
    """The end of what a program says, of bounded size however much it says."""
    kept = b""
    while chunk := pipe.read(MAX_DETAIL):
        kept = (kept + chunk)[-MAX_DETAIL:]
    return kept.decode(errors="replace").strip()
