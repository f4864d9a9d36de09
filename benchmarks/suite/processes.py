"""What a process and all its descendants use, from /proc."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SAMPLE_S: Final = 0.1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11
"""Where the processor times begin in /proc/PID/stat, after the name: own and children's, user's and system's."""
_GONE: Final = (FileNotFoundError, ProcessLookupError)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found, ahead = [pid], [pid]
    while ahead:
        children = _children(ahead.pop())
        found += children
        ahead += children
    return found


def _children(pid: int) -> list[int]:
    with suppress(*_GONE):
        return [int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in _words(task / "children")]
    return []


def _words(path: Path) -> list[str]:
    with suppress(*_GONE):
        return path.read_text().split()
    return []


def resident_mb(pids: Iterable[int]) -> float:
    """What processes hold in memory, what several share counted once (PSS)."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def _pss_kb(pid: int) -> int:
    with suppress(*_GONE):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


def cpu_s(pids: Iterable[int]) -> float:
    """The processor time of processes and of their children that have ended."""
    return sum(sum(map(int, _stat(pid)[_UTIME : _UTIME + 4])) for pid in pids) / _TICKS


def cpu_of_ended() -> float:
    """The processor time of all of this process's children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stat(pid: int) -> list[str]:
    return _times(Path(f"/proc/{pid}/stat"))[1]


def _times(stat: Path) -> tuple[str, list[str]]:
    """The name of a process or thread, and what stands behind it."""
    with suppress(*_GONE):
        head, _, rest = stat.read_text().rpartition(")")
        return head.partition("(")[2], rest.split()
    return "", []


def _by_thread(pid: int) -> dict[str, float]:
    """A process's own processor time, by the names of its threads; empty where it is gone."""
    found: dict[str, float] = {}
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            name, times = _times(task / "stat")
            found[name] = found.get(name, 0) + sum(map(int, times[_UTIME : _UTIME + 2])) / _TICKS
    return found


class Seen:
    """What a process and its descendants used, as far as looks every `SAMPLE_S` show it.

    `mb`: the most that all of them held; `own_s`: the processor time of the process itself; `by_thread`: that of its
    threads, but for those that have ended.
    """

    def __init__(self) -> None:
        self.mb = 0.0
        self.own_s = 0.0
        self.by_thread: dict[str, float] = {}

    def look(self, pid: int) -> None:
        """Look once."""
        self.mb = max(self.mb, resident_mb(family(pid)))
        self.own_s = sum(map(int, _stat(pid)[_UTIME : _UTIME + 2])) / _TICKS or self.own_s
        self.by_thread = _by_thread(pid) or self.by_thread


@contextmanager
def seen_of(pid: int) -> Iterator[Seen]:
    """Look for as long as the block runs."""
    seen, over = Seen(), threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            seen.look(pid)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def cpu_percent(pid: int, seconds: float) -> float:
    """The share of one core that a process and its descendants use over some time."""
    pids = family(pid)
    before, began = cpu_s(pids), time.perf_counter()
    time.sleep(seconds)
    return (cpu_s(pids) - before) / (time.perf_counter() - began) * 100
