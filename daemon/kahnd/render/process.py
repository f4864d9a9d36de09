"""One program, run to its end: its exit code, the end of what it said, and what it left behind."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kahnd import descendants

MAX_DETAIL: Final = 8 * 1024
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_TICK_MS: Final = 10
"""How long the pipe alone is listened to; and how often to ask for a program's end where the system can't tell."""
_PIPE: Final = 1 << 16
"""How much a pipe holds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: negative where a signal ended it. `left`: the names of processes that outlived it."""

    code: int
    said: str
    left: tuple[str, ...] = ()


def execute(argv: list[str], output: int | None, environment: Mapping[str, str]) -> Ended:
    """Run a program in the current folder, its standard input empty, until it ends, whatever its children hold open.

    Its standard output goes to the descriptor `output`, or (None) is part of what it says. Spawned, since that costs a
    third of what `subprocess` does. What it leaves running is ended. Raises OSError where it can't be started.
    """
    spared = descendants.children(os.getpid()) if descendants.has_children() else frozenset()
    reading, writing = os.pipe()
    try:
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing if output is None else output, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),
            ]
            pid = os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsigdef=_IGNORED_BY_PYTHON)
        finally:
            os.close(writing)
        status, said = _follow(pid, reading)
    finally:
        os.close(reading)
    left = descendants.end_children(spared) if descendants.has_children() else ()
    return Ended(os.waitstatus_to_exitcode(status), said.decode(errors="replace").strip(), left)


def _follow(pid: int, pipe: int) -> tuple[int, bytes]:
    """Listen until the program ends, and wait for it: its status, and the end of what it said.

    Mostly the pipe tells: it closes with the program. Where it does not, soon, the program itself is watched.
    """
    kept, ending = b"", None
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(_TICK_MS if ending is None else None)]
            if pipe in ready:
                if not (chunk := os.read(pipe, _PIPE)):  # nobody holds it any more
                    return os.waitpid(pid, 0)[1], kept
                kept = (kept + chunk)[-MAX_DETAIL:]
            if ending is None or ending in ready:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    return status, _drained(pipe, kept)
            if ending is None and (ending := _descriptor_of(pid)) is not None:
                poll.register(ending, select.POLLIN)
    finally:
        if ending is not None:
            os.close(ending)


def _descriptor_of(pid: int) -> int | None:
    """What becomes readable when the process ends; None where the system has no such thing, or no more of them."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def _drained(pipe: int, kept: bytes) -> bytes:
    """With what is in the pipe now; not with what is still written there."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        kept += os.read(pipe, _PIPE)
    return kept[-MAX_DETAIL:]
