"""What can be measured by itself, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from suite.bench import Bench
from suite.figures import Figure
from suite.measures import asked, commands, makespan, pages

SCENARIOS: Final[dict[str, Callable[[Bench], Iterator[Figure]]]] = {
    "index": commands.index,
    "sections": commands.sections,
    "pages": pages.layers,
    "heavy": pages.heavy,
    "hub": pages.hub,
    "skewed": makespan.measure,
    "commands": asked.commands,
}
