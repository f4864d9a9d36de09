"""Samples of a daemon's memory, descriptors and threads, and of the latency of edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.harness import opened_by
from suite.processes import family, resident_mb


@dataclass(frozen=True)
class Sample:
    """A sample of the daemon, and the latencies in milliseconds of the edits since the previous sample.

    The database engine keeps descriptors of its own files, and one for every process of the machine that it has looked
    at. These are `engine_descriptors`; all others are `descriptors`.
    """

    edits: int
    daemon_mb: float
    family_mb: float
    descriptors: int
    engine_descriptors: int
    threads: int
    latencies: tuple[float, ...]


def sample(pid: int, edits: int, latencies: Iterable[float]) -> Sample:
    """Takes a sample. Memory is proportional (PSS), for the daemon alone and with its workers."""
    opened = list(opened_by(pid))
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
