"""What this process may use: files, threads, memory. With too little, the embedded database aborts, or hangs."""

from __future__ import annotations

import _thread
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import UsageError

FEWEST: Final = 256
"""With fewer a busy daemon would soon be without; an idle one has some hundred open."""
MOST: Final = 65_536
"""More is of no use."""
_THREADS: Final = 24
"""What kahnd and the engine start, besides one thread for each core."""
_PLENTY_OF_PROCESSES: Final = 4096
_PLENTY_OF_MEMORY: Final = 8 << 30
_REHEARSAL: Final = """
import mmap, os, sys
from surrealdb_embedded import AsyncEmbeddedDB
left = mmap.mmap(-1, int(sys.argv[2]), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
engine = AsyncEmbeddedDB("surrealkv://" + sys.argv[1])
os._exit(0)
"""
_REHEARSAL_S: Final = 30


def claim() -> int:
    """Make sure that there are threads and memory, and allow this process as many open files as it may have.

    How many files it was allowed before. Raises UsageError where something is too little. It costs next to nothing
    where no limit is low.
    """
    _check_threads()
    _check_memory()
    return allow_files()


def allow_files() -> int:
    """Allow this process as many open files as it may have; how many it was allowed before.

    Raises UsageError where that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if most < FEWEST:
        message = f"only {most} files may be open at once, and kahnd needs {FEWEST}"
        raise UsageError(Problem(message, remedy=f"raise the hard limit (ulimit -Hn {FEWEST * 4}, or LimitNOFILE=)"))
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return soft


def _check_threads() -> None:
    if not _are_processes_limited():
        return
    needed = _THREADS + (os.cpu_count() or 1)
    started = _startable(needed)
    if started < needed:
        message = f"only {started} more threads can be started, and kahnd needs {needed}"
        remedy = "raise the limit on processes (ulimit -u, TasksMax= in a unit, --pids-limit of a container)"
        raise UsageError(Problem(message, remedy=remedy))


def _are_processes_limited() -> bool:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return 0 <= soft <= _PLENTY_OF_PROCESSES or any(map(_is_low, _pids_limits()))


def _pids_limits() -> list[Path]:
    """Where the limits of this process's control group, and of those around it, may stand."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    top = Path("/sys/fs/cgroup")
    places = [top / path.lstrip("/") if not names else top / names / path.lstrip("/") for _, names, path in groups]
    return [each / "pids.max" for place in places for each in (place, *place.parents) if each.is_relative_to(top)]


def _is_low(limit: Path) -> bool:
    with suppress(OSError, ValueError):
        return int(limit.read_text()) <= _PLENTY_OF_PROCESSES
    return False


def _startable(number: int) -> int:
    """How many threads can be started at once, up to this number: they are, and end."""
    lock, started = _thread.allocate_lock(), 0

    def wait() -> None:
        with lock:
            pass

    with lock, suppress(RuntimeError):
        for _ in range(number):
            _thread.start_new_thread(wait, ())
            started += 1
    return started


def _check_memory() -> None:
    """What the engine needs depends on the machine: where little is allowed, it is tried out in another process."""
    limits = {"ulimit -v": resource.RLIMIT_AS, "ulimit -d": resource.RLIMIT_DATA}
    allowed = {name: resource.getrlimit(each)[0] for name, each in limits.items()}
    low = {name: soft for name, soft in allowed.items() if 0 <= soft < _PLENTY_OF_MEMORY}
    if not low or _is_rehearsed():
        return
    name, soft = min(low.items(), key=lambda each: each[1])
    message = f"only {soft >> 20} MB of memory may be used, which is too little for the database"
    raise UsageError(Problem(message, remedy=f"raise the limit ({name})"))


def _left_free() -> int:
    """How many bytes the engine takes later, when it opens a file once more: of a large machine more."""
    return min(1 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 16)


def _is_rehearsed() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-P", "-c", _REHEARSAL, f"{folder}/db", str(_left_free())]
        try:
            ended = subprocess.run(words, capture_output=True, timeout=_REHEARSAL_S, check=False)  # noqa: S603 - its own
        except (OSError, subprocess.TimeoutExpired):
            return False
    return ended.returncode == 0
