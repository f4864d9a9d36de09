"""Which renderings were under way when a file was written: programs may write anywhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from kahnd.core.model import DocumentId, Job, RunId, Sighting
from kahnd.core.rules import Layout

PURE: Final = frozenset({"page", "template", "copy"})
"""Renderers that write nothing but their output."""
_KEPT: Final = 256
_TICK_NS: Final = 10_000_000
"""A file system's clock may be so much behind where it can't be asked."""
_LEAST_S, _MOST_S = 0.5, 120.0


class Writers:
    """Remembers the latest runs of programs and plug-ins, and how long each document's took."""

    def __init__(self, layout: Layout) -> None:
        self._writing = frozenset(rule.index for rule in layout.rules if rule.renderer not in PURE)
        self._out: dict[RunId, tuple[DocumentId, int]] = {}
        self._over: deque[tuple[DocumentId, int, int]] = deque(maxlen=_KEPT)

    def begun(self, job: Job) -> None:
        """A run begins."""
        if job.rule in self._writing:
            self._out[job.run] = job.document, now_ns()

    def ended(self, job: Job) -> None:
        """A run, and all that it started, is over."""
        if begun := self._out.pop(job.run, None):
            self._over.append((*begun, time.time_ns()))

    def amid(self, sightings: Iterable[Sighting]) -> dict[DocumentId, tuple[DocumentId, ...]]:
        """The documents that were being rendered when these were written, by what was written.

        Told by the kernel's time of the change, which no program can set.
        """
        runs = [(*each, time.time_ns()) for each in self._out.values()] + list(self._over)
        if not runs:
            return {}
        seen = [each for each in sightings if each.scan is not None and each.stat is not None]
        first = min(began for _, began, _ in runs)
        return {
            each.document: found
            for each in seen
            if each.stat and each.stat.ctime_ns >= first and (found := _during(runs, each.stat.ctime_ns))
        }

    def rest_s(self, document: DocumentId) -> float:
        """How long to let a document rest so that somebody who saves it now and then will do so meanwhile."""
        last = next((each for each in reversed(self._over) if each[0] == document), None)
        took = (last[2] - last[1]) / 1e9 if last else 0.0
        return min(max(_LEAST_S, 2 * took), _MOST_S)


def now_ns() -> int:
    """The moment by the clock that gives files their times."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    return time.time_ns() - _TICK_NS


def _during(runs: list[tuple[DocumentId, int, int]], moment_ns: int) -> tuple[DocumentId, ...]:
    return tuple(dict.fromkeys(document for document, began, ended in runs if began <= moment_ns <= ended))
