"""The memory and processor time of a process and all its descendants, from /proc."""

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
"""The first of the four processor times in /proc/PID/stat after the name: user, system, and the children's."""
_GONE: Final = (FileNotFoundError, ProcessLookupError)


def family(pid: int) -> list[int]:
    """Returns a process and its descendants."""
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
    """Returns the memory of processes; shared memory counts once (PSS)."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def _pss_kb(pid: int) -> int:
    with suppress(*_GONE):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


def cpu_s(pids: Iterable[int]) -> float:
    """Returns the processor time of processes and of their ended children."""
    return sum(sum(map(int, _stat(pid)[_UTIME : _UTIME + 4])) for pid in pids) / _TICKS


def cpu_of_ended() -> float:
    """Returns the processor time of all ended children of this process, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stat(pid: int) -> list[str]:
    return _times(Path(f"/proc/{pid}/stat"))[1]


def _times(stat: Path) -> tuple[str, list[str]]:
    """Returns the name of a process or thread, and the fields after it."""
    with suppress(*_GONE):
        head, _, rest = stat.read_text().rpartition(")")
        return head.partition("(")[2], rest.split()
    return "", []


def _by_thread(pid: int) -> dict[str, float]:
    """Returns a process's own processor time by thread name; empty if it has ended."""
    found: dict[str, float] = {}
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            name, times = _times(task / "stat")
            found[name] = found.get(name, 0) + sum(map(int, times[_UTIME : _UTIME + 2])) / _TICKS
    return found


class Seen:
    """The resources that a process and its descendants used, sampled every `SAMPLE_S` seconds.

    `mb` is the peak memory of all of them, `own_s` the processor time of the process itself, and `by_thread` that of
    its threads, without those that have ended.
    """

    def __init__(self) -> None:
        self.mb = 0.0
        self.own_s = 0.0
        self.by_thread: dict[str, float] = {}

    def look(self, pid: int) -> None:
        """Takes one sample."""
        self.mb = max(self.mb, resident_mb(family(pid)))
        self.own_s = sum(map(int, _stat(pid)[_UTIME : _UTIME + 2])) / _TICKS or self.own_s
        self.by_thread = _by_thread(pid) or self.by_thread


@contextmanager
def seen_of(pid: int) -> Iterator[Seen]:
    """Takes samples for as long as the block runs."""
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
    """Measures the share of one core that a process and its descendants use."""
    pids = family(pid)
    before, began = cpu_s(pids), time.perf_counter()
    time.sleep(seconds)
    return (cpu_s(pids) - before) / (time.perf_counter() - began) * 100
