"""The command corpora under kahnd, ninja, make and tup: builds, starts, saves, and a daemon's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from suite.bench import Bench
from suite.corpora import commands
from suite.corpora.commands import Shape
from suite.corpora.corpus import Corpus
from suite.figures import Figure, Unit
from suite.measures import builds, resident, saves
from suite.measures.guard import guarded
from suite.processes import cpu_of_ended
from suite.tools import bare
from suite.tools.entr import Entr
from suite.tools.kahnd import Kahnd
from suite.tools.make import Make
from suite.tools.ninja import Ninja
from suite.tools.tool import Tool, Watch, Watching
from suite.tools.tup import Tup


@dataclass(frozen=True)
class Case:
    """A corpus to measure. `thorough` repeats builds and measures the idle daemon too."""

    bench: Bench
    corpus: Corpus
    thorough: bool

    def figure(self, measure: str, tool: str, unit: Unit, values: tuple[float, ...]) -> Figure:
        """Returns a figure of this corpus."""
        return Figure(measure, self.corpus.sort, len(self.corpus.rendered), tool, unit, values)

    @property
    def builds(self) -> int:
        """The number of cold builds."""
        return self.bench.effort.builds if self.thorough else 1


Measure = Callable[[Case], Iterator[Figure]]


def index(bench: Bench) -> Iterator[Figure]:
    """Measures the corpora with one index, whose own rendering grows with the project."""
    for documents in bench.sizes.two:
        yield from _by_all(bench, documents, "index", thorough=documents == bench.sizes.middle)


def sections(bench: Bench) -> Iterator[Figure]:
    """Measures the corpora with an index over every ten: a save's work is the same at every size."""
    for documents in bench.sizes.three:
        yield from _by_all(bench, documents, "sections", thorough=False)


def _by_all(bench: Bench, documents: int, shape: Shape, *, thorough: bool) -> Iterator[Figure]:
    """Measures every tool in a corpus of its own, so that none sees another's outputs."""

    def on(measure: Measure) -> Iterator[Figure]:
        root = bench.folder()
        yield from measure(Case(bench, commands.write(root, documents, shape), thorough))

    yield from guarded(partial(on, _kahnd), Kahnd(), shape, documents)
    large = documents > bench.sizes.middle
    if not large:
        yield from on(_bare)
    for builder, watcher in _peers(large=large):
        yield from guarded(partial(on, partial(_peer, builder, watcher)), watcher, shape, documents)


def _peers(*, large: bool) -> Iterator[tuple[Tool, Watching]]:
    """Yields the tools that build, with those that watch for saves; without the slow ones if `large`."""
    ninja, make, tup = Ninja(), Make(), Tup()
    yield ninja, Entr(ninja)
    if not large:
        yield from ((make, Entr(make)), (tup, tup))


def _kahnd(case: Case) -> Iterator[Figure]:
    kahnd, bench, corpus = Kahnd(), case.bench, case.corpus
    yield from _builds(case, kahnd)
    starts = bench.repeat(bench.effort.starts, lambda _: builds.null_start(corpus))
    yield case.figure("null start", kahnd.name, "s", starts)
    with kahnd.watch(corpus) as daemon:
        yield from _edits(case, kahnd, daemon)
        yield from saves.stages(daemon, corpus)
        yield from resident.memory(daemon, corpus)
        yield from _bursts(case, kahnd, daemon)
        if case.thorough:
            yield from resident.rest(bench, daemon, saves.Saves(kahnd, corpus, daemon))


def _peer(builder: Tool, watcher: Watching, case: Case) -> Iterator[Figure]:
    yield from _builds(case, builder)
    with watcher.watch(case.corpus) as watch:
        yield from _edits(case, watcher, watch)
        yield from _bursts(case, watcher, watch)


def _bare(case: Case) -> Iterator[Figure]:
    """Measures the commands alone, run in order by two threads."""
    corpus = case.corpus

    def seconds(documents: frozenset[str]) -> float:
        began = time.perf_counter()
        bare.run(corpus, documents)
        return time.perf_counter() - began

    chosen = saves.leaves(corpus, case.bench.effort.edits)
    before = cpu_of_ended()
    yield case.figure("cold build", bare.NAME, "s", (seconds(frozenset(corpus.needs)),))
    yield case.figure("cold build's CPU", bare.NAME, "s", (cpu_of_ended() - before,))
    edits = case.bench.repeat(len(chosen), lambda number: seconds(corpus.affected_by(chosen[number])) * 1000)
    yield case.figure("leaf edit", bare.NAME, "ms", edits)


def _builds(case: Case, tool: Tool) -> Iterator[Figure]:
    bench, corpus = case.bench, case.corpus
    yield from builds.figures(corpus, tool, [builds.cold(tool, corpus) for _ in range(case.builds)])
    nulls = bench.repeat(bench.effort.builds, lambda _: builds.null(tool, corpus))
    yield case.figure("null build", tool.name, "s", nulls)


def _edits(case: Case, tool: Tool, watch: Watch) -> Iterator[Figure]:
    """Measures saves of one leaf after another."""
    seen, chosen = saves.Saves(tool, case.corpus, watch), saves.leaves(case.corpus, case.bench.effort.edits)
    values = case.bench.repeat(len(chosen), lambda number: seen.save([chosen[number]], f"alone {number}"))
    yield case.figure("leaf edit", tool.name, "ms", values)


def _bursts(case: Case, tool: Tool, watch: Watch) -> Iterator[Figure]:
    """Measures saves of many leaves at once."""
    seen, chosen = saves.Saves(tool, case.corpus, watch), saves.many(case.corpus, case.bench.sizes.burst)
    values = case.bench.repeat(case.bench.effort.starts, lambda number: seen.save(chosen, f"together {number}"))
    yield case.figure("burst", tool.name, "ms", values)
