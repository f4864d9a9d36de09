"""Finds the processes below one of kahnd's in /proc, and ends them; captures what code in a process prints.

A process whose parent ends becomes a child of the nearest *subreaper* above it, see prctl(2). Workers and the daemon
are subreapers, so whatever a program starts stays below them, even if it begins a session of its own or forks twice.
Linux only: on other systems nothing is found here, and killing process groups has to do.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, Final

GRACE_S: Final = 0.1
"""How long processes that a program leaves behind have to end by themselves: many end just after their program."""
_POLL_S: Final = 0.002
_KILL_WAIT_S: Final = 1.0
"""How long to wait for killed processes to end."""
_UNCLAIMED_S: Final = 60.0
_MAX_ROUNDS: Final = 100
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def become_subreaper() -> None:
    """Make orphans below this process its children from now on."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def resume_when_orphaned() -> None:
    """Have the kernel continue this process when its parent ends, if that has stopped it and can't do so any more."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


def has_children() -> bool:
    """Tell whether this process has children, zombies included: a single system call."""
    if sys.platform != "linux":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children(pid: int) -> frozenset[int]:
    """Return a process's children, zombies included; none if the process is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names alone
    except OSError:
        return frozenset()
    lists = [_read(f"/proc/{pid}/task/{each}/children") for each in threads]
    if all(each is None for each in lists):  # a kernel without these lists
        return frozenset(each for each in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(each) == pid)  # noqa: PTH208
    return frozenset(int(each) for text in lists if text for each in text.split())


def live_descendants(pid: int) -> frozenset[int]:
    """Return all descendants of a process that have not ended."""
    found: set[int] = set()
    unvisited = [pid]
    while unvisited:
        new = children(unvisited.pop()) - found
        found |= new
        unvisited.extend(new)
    return frozenset(each for each in found if _is_alive(each))


def kill(pids: frozenset[int]) -> None:
    """Kill processes and all their descendants. Does not wait for their end."""
    for each in pids:
        kill_descendants(each)
        _kill(each)


def kill_descendants(pid: int) -> frozenset[int]:
    """Kill all descendants of a process but not itself, and return them. Does not wait for their end."""
    killed: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        new = live_descendants(pid) - killed
        if not new:
            break
        for each in new:
            _kill(each)
        killed |= new
    return frozenset(killed)


def end_children(spared: frozenset[int], *, grace_s: float = GRACE_S) -> tuple[str, ...]:
    """End this process's children except `spared`, with all their descendants, and wait for them.

    Each has `grace_s` to end by itself. Returns the names of those that had to be killed.
    """
    _await_children(spared, grace_s)
    killed: dict[int, str] = {}
    for _ in range(_MAX_ROUNDS):
        ours = children(os.getpid()) - spared
        alive = {each for child in ours for each in (child, *live_descendants(child)) if _is_alive(each)}
        if not ours:
            break
        for each in alive:
            killed.setdefault(each, _name(each))
            _kill(each)
        _await_children(spared, _KILL_WAIT_S / _MAX_ROUNDS)
    return tuple(killed.values())


def reap(pids: frozenset[int]) -> None:
    """Reap the zombies among these children; pids that are not children are ignored."""
    for each in pids:
        with suppress(ChildProcessError):
            os.waitpid(each, os.WNOHANG)


class UnclaimedChildren:
    """Reaps zombies that nobody waits for, which plug-ins' programs leave behind and which would accumulate.

    A plug-in may still want the exit status of a child of its own, so a zombie is only reaped after a minute.
    """

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def reap(self) -> None:
        """Reap what is due; a single system call if there are no zombies."""
        if not _has_zombies():
            self._since.clear()
            return
        now = time.monotonic()
        zombies = [each for each in children(os.getpid()) if _stat(each)[0] == "Z"]
        self._since = {each: self._since.get(each, now) for each in zombies}
        reap(frozenset(each for each, since in self._since.items() if now - since > _UNCLAIMED_S))


def _has_zombies() -> bool:
    if sys.platform != "linux":
        return False
    with suppress(ChildProcessError):
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return False


def _await_children(spared: frozenset[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        ours = children(os.getpid()) - spared
        reap(ours)
        if not ours or time.monotonic() > deadline:
            return
        time.sleep(_POLL_S)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # a program may have changed its user
        os.kill(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    return _stat(pid)[0] not in {"", "Z", "X"}


def _parent(pid: int) -> int:
    return int(_stat(pid)[1] or 0)


def _stat(pid: int) -> tuple[str, str]:
    """Return a process's state and parent, see proc_pid_stat(5); empty texts if it is gone."""
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


MAX_CAPTURED: Final = 2 * 1024
"""The last bytes printed are kept: with a traceback before them, no more than the database keeps of a failure."""
_STANDARD_ERROR: Final = 2


class CapturedOutput(io.TextIOWrapper):
    """Replaces standard output and error, and keeps the end of what a call prints.

    One for all calls, and never closed, since a module's loggers keep the stream from when it was loaded.
    """

    def __init__(self) -> None:
        self._tail = _Tail()
        super().__init__(self._tail, encoding="utf-8", errors="backslashreplace", write_through=True)

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Capture what is printed in the context, and drop what was captured before."""
        self._tail.kept = b""
        with redirect_stdout(self), redirect_stderr(self):
            yield

    @property
    def text(self) -> str:
        """The captured text."""
        return self._tail.kept.decode(errors="replace").strip()

    def fileno(self) -> int:
        """The descriptor of standard error, for programs that the code starts."""
        return _STANDARD_ERROR

    def close(self) -> None:
        """Stay open, since the code does not own the stream."""


class _Tail(io.RawIOBase):
    """Keeps the last bytes that are written, up to MAX_CAPTURED."""

    name = "<captured>"

    def __init__(self) -> None:
        super().__init__()
        self.kept = b""

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any, /) -> int:
        """Keep the last bytes."""
        view = memoryview(data).cast("B")
        self.kept = (self.kept + bytes(view[-MAX_CAPTURED:]))[-MAX_CAPTURED:]
        return len(view)

    def close(self) -> None:
        """Stay open."""
