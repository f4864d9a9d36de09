"""Measured values with their names, without any judgement."""

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

    `measure` names the action ("leaf edit"), `corpus` and `documents` the project, `tool` the program, `day` the date.
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
        """Identifies the figure among all others."""
        return self.measure, self.corpus, self.documents, self.tool

    @property
    def median(self) -> float:
        """The median of the values. Raises StatisticsError if there are none."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The 95th percentile of the values."""
        return sorted(self.values)[min(len(self.values) - 1, round(0.95 * len(self.values)))]

    def __str__(self) -> str:
        """Returns the median with its unit, or why there is none."""
        return f"{number(self.median)} {self.unit}" if self.values else f"absent: {self.absent}"

    @property
    def spread(self) -> str:
        """The least and the greatest value, and their number."""
        if len(self.values) < 2:  # noqa: PLR2004 - one value has no spread
            return "one run" if self.values else ""
        return f"{number(min(self.values))}-{number(max(self.values))} of {len(self.values)}"


@dataclass(frozen=True)
class Figures:
    """All measured figures."""

    all: tuple[Figure, ...]

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.all)

    def get(self, measure: str, corpus: str, documents: int, tool: str = "kahnd") -> Figure:
        """Returns one figure; one that says so if it was not measured."""
        key = (measure, corpus, documents, tool)
        return next((each for each in self.all if each.key == key), Figure(*key, "s", absent=NOT_MEASURED))

    def merged(self, newer: Iterable[Figure]) -> Figures:
        """Returns these figures with newer ones in place of older."""
        return Figures(tuple({each.key: each for each in (*self.all, *newer)}.values()))


def number(value: float) -> str:
    """Formats with three significant digits (two below 1) and thousands separators."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"
