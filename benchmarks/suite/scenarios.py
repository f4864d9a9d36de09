"""The scenarios that can be measured separately, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from suite.bench import Bench
from suite.figures import Figure
from suite.measures import cli, commands, makespan, pages

SCENARIOS: Final[dict[str, Callable[[Bench], Iterator[Figure]]]] = {
    "index": commands.index,
    "sections": commands.sections,
    "pages": pages.layers,
    "heavy": pages.heavy,
    "hub": pages.hub,
    "skewed": makespan.measure,
    "commands": cli.commands,
}
