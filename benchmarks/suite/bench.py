"""What every scenario is given: sizes, repetitions, a folder to write in."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENOUGH: Final = 3


@dataclass(frozen=True)
class Sizes:
    """How many documents the corpora have."""

    small: int
    middle: int
    large: int
    heavy: int
    skewed: int
    burst: int

    @property
    def two(self) -> list[int]:
        """For what is not measured at the large size."""
        return sorted({self.small, self.middle})

    @property
    def three(self) -> list[int]:
        """For what is."""
        return sorted({self.small, self.middle, self.large})


@dataclass(frozen=True)
class Effort:
    """How often each thing is measured, and for how many seconds at the most before it is enough (three at least)."""

    edits: int
    builds: int
    starts: int
    seeds: int
    budget_s: float
    idle_s: float
    pause_s: float


@dataclass(frozen=True)
class Bench:
    """A run of the suite."""

    sizes: Sizes
    effort: Effort

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder, for one tool's corpus; it and what is written beside it goes at the end."""
        around = Path(tempfile.mkdtemp(prefix="kahnd-bench-"))
        (around / "corpus").mkdir()
        try:
            yield around / "corpus"
        finally:
            shutil.rmtree(around)

    def repeat(self, times: int, once: Callable[[int], float]) -> tuple[float, ...]:
        """Measure so often, but no more than three times once the budget is spent."""
        began, values = time.monotonic(), list[float]()
        while len(values) < times and (len(values) < ENOUGH or time.monotonic() - began < self.effort.budget_s):
            values.append(once(len(values)))
        return tuple(values)


FULL: Final = Bench(
    Sizes(small=1_000, middle=10_000, large=100_000, heavy=3_000, skewed=60, burst=100),
    Effort(edits=30, builds=3, starts=5, seeds=3, budget_s=20, idle_s=60, pause_s=30),
)
QUICK: Final = Bench(
    Sizes(small=40, middle=40, large=40, heavy=6, skewed=6, burst=10),
    Effort(edits=1, builds=1, starts=1, seeds=1, budget_s=1, idle_s=0.2, pause_s=0.1),
)
