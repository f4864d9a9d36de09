"""What a daemon takes of a machine, and how soon it does what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from suite.processes import family, resident_mb


@dataclass(frozen=True)
class Sample:
    """A look at the daemon, and the latencies of the edits since the look before, in milliseconds.

    The database engine keeps descriptors of its own files, and one for every process of the machine that it has looked
    at: these are `engine_descriptors`, and all others `descriptors`.
    """

    edits: int
    daemon_mb: float
    family_mb: float
    descriptors: int
    engine_descriptors: int
    threads: int
    latencies: tuple[float, ...]


def sample(pid: int, edits: int, latencies: Iterable[float]) -> Sample:
    """Look now. Memory is proportional (PSS), of the daemon and of it with its workers; the others are the daemon's."""
    opened = list(_opened(pid))
    engines = sum(target.startswith("/proc/") or "/.kahnd/db" in target for target in opened)
    return Sample(
        edits,
        resident_mb([pid]),
        resident_mb(family(pid)),
        len(opened) - engines,
        engines,
        len(list(Path(f"/proc/{pid}/task").iterdir())),
        tuple(latencies),
    )


def _opened(pid: int) -> Iterator[str]:
    """What its descriptors stand for."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            yield str(each.readlink())
