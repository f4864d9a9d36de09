"""The parameters of every scenario: sizes, repetitions, and a folder to write in."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENOUGH: Final = 3


@dataclass(frozen=True)
class Sizes:
    """The numbers of documents in the corpora."""

    small: int
    middle: int
    large: int
    heavy: int
    skewed: int
    burst: int

    @property
    def two(self) -> list[int]:
        """The sizes for measurements that leave out the large one."""
        return sorted({self.small, self.middle})

    @property
    def three(self) -> list[int]:
        """The sizes for measurements at every size."""
        return sorted({self.small, self.middle, self.large})


@dataclass(frozen=True)
class Effort:
    """How often each thing is measured; once the seconds of the budget are spent, three times are enough."""

    edits: int
    builds: int
    starts: int
    seeds: int
    budget_s: float
    idle_s: float
    pause_s: float


@dataclass(frozen=True)
class Bench:
    """A run of the suite, which writes only below `place`.

    It removes nothing there while it runs: after a removal, ext4 skips the freed inodes one by one for minutes, which
    makes creating a file or folder several times as slow.
    """

    place: Path
    sizes: Sizes
    effort: Effort

    def folder(self) -> Path:
        """Creates an empty folder for one tool's corpus, which may also use the folder above it."""
        corpus = Path(tempfile.mkdtemp(dir=self.place)) / "corpus"
        corpus.mkdir()
        return corpus

    def repeat(self, times: int, once: Callable[[int], float]) -> tuple[float, ...]:
        """Measures a number of times, but only three times if the budget is spent."""
        began, values = time.monotonic(), list[float]()
        while len(values) < times and (len(values) < ENOUGH or time.monotonic() - began < self.effort.budget_s):
            values.append(once(len(values)))
        return tuple(values)


def full(place: Path) -> Bench:
    """Returns a run with the sizes that the page shows."""
    return Bench(
        place,
        Sizes(small=1_000, middle=10_000, large=100_000, heavy=3_000, skewed=60, burst=100),
        Effort(edits=30, builds=3, starts=5, seeds=3, budget_s=20, idle_s=60, pause_s=30),
    )


def quick(place: Path) -> Bench:
    """Returns a run of everything on tiny corpora."""
    return Bench(
        place,
        Sizes(small=40, middle=40, large=40, heavy=6, skewed=6, burst=10),
        Effort(edits=1, builds=1, starts=1, seeds=1, budget_s=1, idle_s=0.2, pause_s=0.1),
    )
