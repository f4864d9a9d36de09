"""The processes below one of kahnd's: found in /proc, and ended however they were started.

A process whose parent ends goes to the nearest *subreaper* above it, see prctl(2). A worker and its daemon are such, so
what a program starts stays below them, also where it begins a session of its own or forks twice. Linux only: elsewhere
nothing is found here, and process groups alone have to do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

GRACE_S: Final = 0.1
"""How long what a program leaves behind has to end by itself: many a helper ends just after its program."""
_STEP_S: Final = 0.002
_ENDING_S: Final = 1.0
"""How long to wait for a process that was killed."""
_UNCLAIMED_S: Final = 60.0
_ROUNDS: Final = 100
_SET_CHILD_SUBREAPER: Final = 36


def adopt() -> None:
    """From now on what is orphaned below this process becomes its child."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    """Whether this process has any, one that has ended and was not waited for included: one call, and no look."""
    if sys.platform != "linux":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children(pid: int) -> frozenset[int]:
    """A process's children, those that have ended and were not waited for included; none where it is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names alone
    except OSError:
        return frozenset()
    told = [_read(f"/proc/{pid}/task/{each}/children") for each in threads]
    if all(each is None for each in told):  # a kernel without these lists
        return frozenset(each for each in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(each) == pid)  # noqa: PTH208
    return frozenset(int(each) for text in told if text for each in text.split())


def living_below(pid: int) -> frozenset[int]:
    """All descendants of a process that have not ended."""
    found: set[int] = set()
    rest = [pid]
    while rest:
        fresh = children(rest.pop()) - found
        found |= fresh
        rest.extend(fresh)
    return frozenset(each for each in found if _lives(each))


def kill(pids: frozenset[int]) -> None:
    """Kill processes, and all that is below them; does not wait for their end."""
    for each in pids:
        kill_below(each)
        _kill(each)


def kill_below(pid: int) -> frozenset[int]:
    """Kill all descendants of a process, and not it itself; which were killed. Does not wait for their end."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = living_below(pid) - killed
        if not fresh:
            break
        for each in fresh:
            _kill(each)
        killed |= fresh
    return frozenset(killed)


def end_children(spared: frozenset[int], *, grace_s: float = GRACE_S) -> tuple[str, ...]:
    """End this process's children but those spared, with all below them; the names of those that had to be killed.

    Each has `grace_s` to end by itself, and is waited for.
    """
    _await_children(spared, grace_s)
    left: dict[int, str] = {}
    for _ in range(_ROUNDS):
        ours = children(os.getpid()) - spared
        alive = {each for child in ours for each in (child, *living_below(child)) if _lives(each)}
        if not ours:
            break
        for each in alive:
            left.setdefault(each, _name(each))
            _kill(each)
        _await_children(spared, _ENDING_S / _ROUNDS)
    return tuple(left.values())


def reap(pids: frozenset[int]) -> None:
    """Take note of the end of children, so that the system can forget them; others than children don't matter."""
    for each in pids:
        with suppress(ChildProcessError):
            os.waitpid(each, os.WNOHANG)


class Unclaimed:
    """Children that have ended, and that nobody waited for: what plug-ins' programs leave behind adds up otherwise.

    A plug-in may still want to know how a child of its own ended, so these are only reaped after a minute.
    """

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def reap(self) -> None:
        """Look, which is one call where there is nothing to see."""
        if not _has_ended_children():
            self._since.clear()
            return
        now = time.monotonic()
        ended = [each for each in children(os.getpid()) if _stat(each)[0] == "Z"]
        self._since = {each: self._since.get(each, now) for each in ended}
        reap(frozenset(each for each, since in self._since.items() if now - since > _UNCLAIMED_S))


def _has_ended_children() -> bool:
    if sys.platform != "linux":
        return False
    with suppress(ChildProcessError):
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return False


def _await_children(spared: frozenset[int], seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        ours = children(os.getpid()) - spared
        reap(ours)
        if not ours or time.monotonic() > until:
            return
        time.sleep(_STEP_S)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # a program may have changed its user
        os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    return _stat(pid)[0] not in {"", "Z", "X"}


def _parent(pid: int) -> int:
    return int(_stat(pid)[1] or 0)


def _stat(pid: int) -> tuple[str, str]:
    """A process's state and parent, see proc_pid_stat(5); empty where it is gone."""
    fields = (_read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
    return (fields[0], fields[1]) if fields else ("", "")


def _name(pid: int) -> str:
    return (_read(f"/proc/{pid}/comm") or "").strip() or f"process {pid}"


def _read(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 1 << 16).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)
