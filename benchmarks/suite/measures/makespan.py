"""How well two workers are used on graphs whose rendering times differ widely."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import get_args

from suite.bench import Bench
from suite.corpora import skewed
from suite.corpora.corpus import replace
from suite.corpora.skewed import TICK, Shape, Skewed
from suite.figures import Figure
from suite.measures import builds
from suite.measures.guard import guarded
from suite.measures.saves import Saves
from suite.tools.kahnd import Kahnd


def measure(bench: Bench) -> Iterator[Figure]:
    """Measures, for several graphs of each shape, the makespan over the bound after a save that dirties all."""
    for shape in get_args(Shape):
        yield from guarded(partial(_shape, bench, shape), Kahnd(), f"skewed, {shape}", bench.sizes.skewed)


def _shape(bench: Bench, shape: Shape) -> Iterator[Figure]:
    graphs = [skewed.draw(bench.sizes.skewed, shape, seed) for seed in range(bench.effort.seeds)]
    ratios = tuple(_makespan_s(bench, graph) / graph.bound_s for graph in graphs)
    yield Figure("makespan over the bound", f"skewed, {shape}", bench.sizes.skewed, "kahnd", "times", ratios)


def _makespan_s(bench: Bench, graph: Skewed) -> float:
    kahnd = Kahnd()
    root = bench.folder()
    corpus = skewed.write(root, graph)
    builds.cold(kahnd, corpus)
    with kahnd.watch(corpus) as daemon:
        saves = Saves(kahnd, corpus, daemon)
        replace(root / TICK, "tock\n")
        return saves.measured(time.perf_counter(), corpus.rendered) / 1000
