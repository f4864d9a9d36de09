"""The resources of this process: memory, threads and open files, how many it may use and how many it uses."""

from __future__ import annotations

import _thread
import ctypes
import gc
import os
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.core.project_files import EMBEDDED
from kahnd.errors import UsageError

MIN_OPEN_FILES: Final = 256
"""A busy daemon runs out of file descriptors with fewer; an idle one has about a hundred open."""
MAX_OPEN_FILES: Final = 65_536
"""A higher limit is of no use."""
_BASE_THREADS: Final = 24
"""Threads that kahnd and the embedded database start, besides one per core."""
_AMPLE_PROCESSES: Final = 4096
_AMPLE_MEMORY: Final = 8 << 30
_TRIAL: Final = """
import mmap, os, sys
from surrealdb_embedded import AsyncEmbeddedDB
reserve = mmap.mmap(-1, int(sys.argv[2]), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
engine = AsyncEmbeddedDB(sys.argv[1])
os._exit(0)
"""
_TRIAL_TIMEOUT_S: Final = 30


def ensure_resources() -> int:
    """Check that enough threads and memory are available, and raise the limit on open files as far as allowed.

    With too little of these, the embedded database aborts or hangs. Returns the former limit on open files. Raises
    UsageError if something is too scarce. Takes next to no time unless a limit is low.
    """
    _check_threads()
    _check_memory()
    return raise_file_limit()


def raise_file_limit() -> int:
    """Raise this process's limit on open files as far as allowed, and return the former limit.

    Raises UsageError if the highest allowed limit is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if highest < MIN_OPEN_FILES:
        message = f"only {highest} files may be open at once, and kahnd needs {MIN_OPEN_FILES}"
        remedy = f"raise the hard limit (ulimit -Hn {MIN_OPEN_FILES * 4}, or LimitNOFILE=)"
        raise UsageError(Problem(message, remedy=remedy))
    if soft != resource.RLIM_INFINITY and soft < highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    return soft


def process_usage() -> dict[str, float | None]:
    """Return resident memory in megabytes (or its peak, where only that is known), open files and threads.

    A value is None if it can't be found out: counting open files takes a free descriptor.
    """
    return {
        "memory_mb": round(_resident_bytes() / (1 << 20), 1),
        "open_files": _open_files(),
        "threads": threading.active_count(),
    }


def trim_heap() -> None:
    """Make the C library return freed memory to the system; glibc keeps it in one arena per thread otherwise.

    See malloc_trim(3). Measured: 95 MB of 318 after closing the embedded database, 90 MB after loading 100,000
    documents. Takes some milliseconds.
    """
    with suppress(AttributeError, OSError):  # other C libraries have no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def exempt_from_gc() -> Iterator[None]:
    """Exempt all objects made in this context from garbage collection, for good.

    The collector would traverse a growing graph again and again without finding garbage: this takes a quarter of the
    time to load a graph, and causes pauses during later edits. Objects exempted by an earlier use of this context,
    such as those of an ended session, are collected first. Temporary memory is returned to the system.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        trim_heap()


def _check_threads() -> None:
    if not _are_processes_limited():
        return
    needed = _BASE_THREADS + (os.cpu_count() or 1)
    started = _startable_threads(needed)
    if started < needed:
        message = f"only {started} more threads can be started, and kahnd needs {needed}"
        remedy = "raise the limit on processes (ulimit -u, TasksMax= in a unit, --pids-limit of a container)"
        raise UsageError(Problem(message, remedy=remedy))


def _are_processes_limited() -> bool:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return 0 <= soft <= _AMPLE_PROCESSES or any(map(_is_low, _pids_limit_files()))


def _pids_limit_files() -> list[Path]:
    """Return where the process limits of this process's control group, and of the groups around it, may be."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    top = Path("/sys/fs/cgroup")
    folders = [
        top / path.lstrip("/") if not controllers else top / controllers / path.lstrip("/")
        for _, controllers, path in groups
    ]
    return [each / "pids.max" for folder in folders for each in (folder, *folder.parents) if each.is_relative_to(top)]


def _is_low(limit_file: Path) -> bool:
    with suppress(OSError, ValueError):
        return int(limit_file.read_text()) <= _AMPLE_PROCESSES
    return False


def _startable_threads(wanted: int) -> int:
    """Return how many threads can run at once, up to `wanted`, by starting them."""
    lock, started = _thread.allocate_lock(), 0

    def wait() -> None:
        with lock:
            pass

    with lock, suppress(RuntimeError):
        for _ in range(wanted):
            _thread.start_new_thread(wait, ())
            started += 1
    return started


def _check_memory() -> None:
    """The database's need depends on the machine, so where memory is limited a trial process opens a database."""
    limits = {"ulimit -v": resource.RLIMIT_AS, "ulimit -d": resource.RLIMIT_DATA}
    allowed = {name: resource.getrlimit(each)[0] for name, each in limits.items()}
    low = {name: soft for name, soft in allowed.items() if 0 <= soft < _AMPLE_MEMORY}
    if not low or _opens_in_trial():
        return
    name, soft = min(low.items(), key=lambda each: each[1])
    message = f"only {soft >> 20} MB of memory may be used, which is too little for the database"
    raise UsageError(Problem(message, remedy=f"raise the limit ({name})"))


def _reserve_bytes() -> int:
    """Return how much the database allocates later, when it is opened again: more on a larger machine."""
    return min(1 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 16)


def _opens_in_trial() -> bool:
    import subprocess  # noqa: PLC0415 (slow to import, and seldom needed)
    import tempfile  # noqa: PLC0415 (likewise)

    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-P", "-c", _TRIAL, f"{EMBEDDED}{folder}/db", str(_reserve_bytes())]
        try:
            ended = subprocess.run(argv, capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=False)  # noqa: S603 - its own
        except (OSError, subprocess.TimeoutExpired):
            return False
    return ended.returncode == 0


def _resident_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):  # only Linux has this file
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _open_files() -> int | None:
    """Count the open descriptors, without the one that listing them takes."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208
    except OSError:
        return None
