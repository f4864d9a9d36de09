"""Decides whether quantities stay flat, by comparing the last third of the samples with the first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from soak.samples import Sample

LEAST: Final = 3
"""The least number of samples that has a first and a last third."""


@dataclass(frozen=True)
class Bound:
    """The last third may be at most `factor` times the first, plus `more`."""

    factor: float
    more: float

    def of(self, first: float) -> float:
        """Returns the greatest value that counts as flat."""
        return first * self.factor + self.more

    def __str__(self) -> str:
        added = f" + {self.more:g}" if self.more else ""
        return f"× {self.factor:g}{added}" if self.factor != 1 else f"+ {self.more:g}"


@dataclass(frozen=True)
class Quantity:
    """A quantity that must be flat: its value for some samples, and how much it may grow."""

    name: str
    unit: str
    bound: Bound
    of: Callable[[Sequence[Sample]], float]


@dataclass(frozen=True)
class Finding:
    """A quantity's values in the first and in the last third."""

    quantity: Quantity
    first: float
    last: float

    @property
    def flat(self) -> bool:
        """Tells whether the last value is within the bound."""
        return self.last <= self.quantity.bound.of(self.first)


def percentile(values: Iterable[float], share: float) -> float:
    """Returns the least value that this share of the values does not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _median(of: Callable[[Sample], float]) -> Callable[[Sequence[Sample]], float]:
    return lambda some: median(of(each) for each in some)


def _least(of: Callable[[Sample], float]) -> Callable[[Sequence[Sample]], float]:
    return lambda some: min(of(each) for each in some)


def _most(of: Callable[[Sample], float]) -> Callable[[Sequence[Sample]], float]:
    return lambda some: max(of(each) for each in some)


def _latency(share: float) -> Callable[[Sequence[Sample]], float]:
    return lambda some: percentile((each for sample in some for each in sample.latencies), share)


QUANTITIES: Final = (
    Quantity("memory of the daemon, at the least", "MB", Bound(1.1, 8), _least(lambda each: each.daemon_mb)),
    Quantity("memory with its workers, median", "MB", Bound(1.1, 8), _median(lambda each: each.family_mb)),
    Quantity("descriptors, at the most", "", Bound(1, 2), _most(lambda each: each.descriptors)),
    Quantity("the database engine's, at the most", "", Bound(1.1, 16), _most(lambda each: each.engine_descriptors)),
    Quantity("threads, at the most", "", Bound(1, 2), _most(lambda each: each.threads)),
    Quantity("save to last output, median", "ms", Bound(1.25, 2), _latency(0.5)),
    Quantity("save to last output, 99th percentile", "ms", Bound(1.25, 5), _latency(0.99)),
)


def findings(samples: Sequence[Sample]) -> list[Finding]:
    """Compares each quantity in the first and the last third of at least `LEAST` samples."""
    third = len(samples) // 3
    return [Finding(each, each.of(samples[:third]), each.of(samples[-third:])) for each in QUANTITIES]
