"""The time that a build spends in each phase, and the log lines about builds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from kahnd.core.events import BeginBuild, LogEvent
from kahnd.core.model import BuildId, BuildRecord, DocumentId, Problem, RunId, Scan
from kahnd.engine.timelines import Timelines
from kahnd.ports import Clock, Phase, Scanner

T = TypeVar("T")
COUNTED: Final = ("rendered", "skipped", "failed", "blocked", "removed", "generations")
"""The fields of a build's record that are logged at its end."""


class PhaseTimings:
    """Implements ports.Meter: the time spent since the last `take`. Phases that overlap each count in full."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(Phase, 0.0)

    def spent(self, phase: Phase, seconds: float) -> None:
        """Add time to a phase."""
        self._spent[phase] += seconds

    @contextmanager
    def measure(self, phase: Phase) -> Iterator[None]:
        """Add the time that the block takes to a phase."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent(phase, time.perf_counter() - began)

    def measure_each(self, phase: Phase, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, and add the time that it takes to draw them to a phase."""
        iterator = iter(items)
        while True:
            try:
                with self.measure(phase):
                    item = next(iterator)
            except StopIteration:
                return
            yield item

    def take(self) -> Mapping[str, float]:
        """Return the milliseconds by phase, and start from zero. A look counts as hashing, except for its scanning."""
        spent, self._spent = self._spent, dict.fromkeys(Phase, 0.0)
        spent[Phase.HASH] -= spent[Phase.SCAN]
        return {phase.value: round(seconds * 1000, 2) for phase, seconds in spent.items()}


class MeteredScanner:
    """Implements ports.Scanner by another scanner, and meters the time that this takes."""

    def __init__(self, scanner: Scanner, timings: PhaseTimings) -> None:
        self._scanner = scanner
        self._timings = timings
        self.wants = scanner.wants

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """Scan by the other scanner."""
        with self._timings.measure(Phase.SCAN):
            return self._scanner.scan(document, content)


@dataclass(frozen=True, slots=True)
class _CurrentBuild:
    build: BuildId
    cause: str
    started_at: str
    began: float
    saved_at: float
    """When the save that began it was noticed; infinite if none did."""


class BuildLog:
    """Times builds and logs their start and end. `last` is the record of the last build that ended."""

    def __init__(
        self,
        clock: Clock,
        log: Callable[..., None],
        timings: PhaseTimings,
        last: BuildRecord | None,
        timelines: Timelines | None = None,
    ) -> None:
        self.clock = clock
        self._current: _CurrentBuild | None = None
        self._saved_at = math.inf
        self._published_at = math.inf
        self.log = log
        self.timings = timings
        self.timelines = timelines or Timelines()
        self.last = last

    @property
    def is_under_way(self) -> bool:
        """Tell whether a build has begun and its record is not in the database yet."""
        return self._current is not None

    def begin(self, command: BeginBuild) -> None:
        """Start the clock for a build."""
        current = self._current = _CurrentBuild(
            command.build, command.cause, self.clock.now(), self.clock.monotonic(), self._saved_at
        )
        self._saved_at = self._published_at = math.inf
        self.timelines.begin(current.build, current.cause, current.started_at, current.began)
        age_ms = round((current.began - current.saved_at) * 1000, 2) if current.saved_at <= current.began else None
        self.log(LogEvent.BUILD_STARTED, build=command.build, cause=command.cause, save_age_ms=age_ms)

    def published(self, run: RunId, problem: Problem | None) -> None:
        """Record that the outputs of a run are in place, unless there was a problem."""
        if problem is None:
            self._published_at = self.clock.monotonic()
        else:
            self.timelines.failed(run)

    def elapsed(self) -> tuple[str, float]:
        """Return when the current build started, and the milliseconds since."""
        if self._current is None:
            raise AssertionError("a build that ends has begun")
        return self._current.started_at, (self.clock.monotonic() - self._current.began) * 1000

    def end(self, record: BuildRecord) -> None:
        """Log the end of the current build."""
        saved_at = self._current.saved_at if self._current else math.inf
        took_s = self._published_at - saved_at if saved_at < self._published_at < math.inf else None
        self._current, self.last = None, record
        self.timelines.end(record)
        self.log(
            LogEvent.BUILD_FINISHED,
            build=record.id,
            cause=record.cause,
            duration_ms=round(record.duration_ms, 2),
            save_to_output_ms=None if took_s is None else round(took_s * 1000, 2),
            stages_ms=self.timings.take(),
            **{name: getattr(record, name) for name in COUNTED},
        )

    def log_in_build(self, event: str, **fields: object) -> None:
        """Log an event, with the current build if there is one."""
        current = {"build": self._current.build, "cause": self._current.cause} if self._current else {}
        self.log(event, **current, **fields)

    def looked(self, seconds: float, changed: int, since: float = math.inf) -> None:
        """Count the time of a look at the sources; one that found no change belongs to no build.

        `since`: when the save was noticed that it is about. A save that joins the build under way is not timed.
        """
        self.timings.spent(Phase.HASH, seconds)
        if self._current is None:
            if changed:
                self._saved_at = min(self._saved_at, since)
            else:
                self.timings.take()
