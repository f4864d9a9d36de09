"""What was measured: values with their names, and nothing that judges them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

NOT_MEASURED: Final = "not measured"
Unit = Literal["ms", "s", "MB", "%", "times"]


@dataclass(frozen=True)
class Figure:
    """Repeated measurements of one thing, or the reason why there are none.

    `measure` is what was done ("leaf edit"), `corpus` and `documents` to what, `tool` by whom, `day` when.
    """

    measure: str
    corpus: str
    documents: int
    tool: str
    unit: Unit
    values: tuple[float, ...] = ()
    absent: str = ""
    day: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """No two figures have the same."""
        return self.measure, self.corpus, self.documents, self.tool

    @property
    def median(self) -> float:
        """Of the values; there must be some."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The value that 95 % are not above."""
        return sorted(self.values)[min(len(self.values) - 1, round(0.95 * len(self.values)))]

    def __str__(self) -> str:
        """The median with its unit."""
        return f"{number(self.median)} {self.unit}" if self.values else f"absent: {self.absent}"

    @property
    def spread(self) -> str:
        """Least and greatest value, of how many."""
        if len(self.values) < 2:  # noqa: PLR2004 - one value has no spread
            return "one run" if self.values else ""
        return f"{number(min(self.values))}-{number(max(self.values))} of {len(self.values)}"


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    all: tuple[Figure, ...]

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.all)

    def get(self, measure: str, corpus: str, documents: int, tool: str = "kahnd") -> Figure:
        """One of them; where it was not measured, a figure that says so."""
        key = (measure, corpus, documents, tool)
        return next((each for each in self.all if each.key == key), Figure(*key, "s", absent=NOT_MEASURED))

    def merged(self, newer: Iterable[Figure]) -> Figures:
        """These, but for those measured anew."""
        return Figures(tuple({each.key: each for each in (*self.all, *newer)}.values()))


def number(value: float) -> str:
    """Three digits that count (two of what is small), and thousands set apart."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"
