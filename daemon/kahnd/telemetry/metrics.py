"""Counts what a daemon does, in plain numbers: nothing is imported or computed for them before somebody asks.

Each metric has a fixed number of values, whatever the size of the project. A number is changed by one thread at a time:
those of events under a lock, since any thread may log, and all others on the event loop.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Final

from kahnd.core.events import LogEvent

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The upper bounds of the buckets, from a call of the database to a first build of a large project."""
OUTCOMES: Final = ("rendered", "skipped", "failed", "blocked")
_AND_MORE: Final = r"(?: and \d+ more)?"
_SAVE: Final = re.compile(rf".* (?:saved|removed){_AND_MORE}", re.DOTALL)
_OUTPUT: Final = re.compile(rf".* (?:gone|altered){_AND_MORE}", re.DOTALL)
_NAMED: Final = frozenset({"start", "build", "retry", "wait", "commit"})


class Histogram:
    """Counts durations by size, in seconds."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(SECONDS) + 1)

    def observe(self, seconds: float) -> None:
        """Adds a duration."""
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[float, int]]:
        """Returns each upper bound, the last one infinite, with how many durations are not above it."""
        return list(zip((*SECONDS, float("inf")), accumulate(self._counts), strict=True))


class Metrics:
    """Counts and durations since the daemon started. `browsers` is how many browsers are connected."""

    def __init__(
        self, wall_clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.builds: Counter[tuple[str, str]] = Counter()
        """Builds by kind and outcome, which is "ok" or "failed"."""
        self.build_seconds: dict[str, Histogram] = {}
        self.renders: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.save_to_output = Histogram()
        self.save_to_browser = Histogram()
        self.store_calls: dict[str, Histogram] = {}
        self.browsers = 0
        self.last_success = 0.0
        """When the last build without a failure ended, in seconds since 1970; 0 if none has."""
        self._saved_at: float | None = None
        self._wall_clock, self._monotonic = wall_clock, monotonic
        self._lock = threading.Lock()

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Counts builds; other events are not counted. May be called on any thread."""
        if event == LogEvent.BUILD_FINISHED:
            with self._lock:
                self._count_build(fields)
        elif event == LogEvent.BUILD_STARTED:
            age_ms = fields.get("save_age_ms")
            self._saved_at = None if age_ms is None else self._monotonic() - age_ms / 1000

    def shown_in_browser(self) -> None:
        """Counts that a browser shows what the last build has changed, if a save began that build."""
        if self._saved_at is not None:
            self.save_to_browser.observe(self._monotonic() - self._saved_at)

    def store_answered(self, operation: str, seconds: float) -> None:
        """Counts a call of the database."""
        calls = self.store_calls.get(operation)
        if calls is None:
            calls = self.store_calls[operation] = Histogram()
        calls.observe(seconds)

    def _count_build(self, fields: Mapping[str, Any]) -> None:
        kind = kind_of(str(fields["cause"]))
        failed = bool(fields["failed"] or fields["blocked"])
        self.builds[kind, "failed" if failed else "ok"] += 1
        if not failed:
            self.last_success = self._wall_clock()
        self.build_seconds.setdefault(kind, Histogram()).observe(fields["duration_ms"] / 1000)
        self.renders.update({name: fields[name] for name in OUTCOMES})
        if (took_ms := fields.get("save_to_output_ms")) is not None:
            self.save_to_output.observe(took_ms / 1000)


def kind_of(cause: str) -> str:
    """Returns the kind of a build with this cause; a cause may name a document, and a label must not."""
    if _SAVE.fullmatch(cause):
        return "save"
    if _OUTPUT.fullmatch(cause):
        return "output"
    return cause if cause in _NAMED else "reload"
