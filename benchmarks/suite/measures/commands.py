"""The command corpora under kahnd, ninja, make and tup: builds, starts, saves, and what a daemon holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from suite.bench import Bench
from suite.corpora import commands
from suite.corpora.commands import Shape
from suite.corpora.corpus import Corpus
from suite.figures import Figure, Unit
from suite.measures import builds, resident, saves
from suite.measures.guard import guarded
from suite.tools.entr import Entr
from suite.tools.kahnd import Daemon, Kahnd
from suite.tools.make import Make
from suite.tools.ninja import Ninja
from suite.tools.tool import Tool, Watching
from suite.tools.tup import Tup


def index(bench: Bench) -> Iterator[Figure]:
    """One index over all: its own rendering grows with the project."""
    for documents in bench.sizes.two:
        yield from _all(bench, documents, "index", thorough=documents == bench.sizes.middle)


def sections(bench: Bench) -> Iterator[Figure]:
    """An index over every ten: the work of a save is the same at every size."""
    for documents in bench.sizes.three:
        yield from _all(bench, documents, "sections", thorough=False)


def _all(bench: Bench, documents: int, shape: Shape, *, thorough: bool) -> Iterator[Figure]:
    """`thorough`: builds are repeated, and the daemon is watched at rest too."""

    def on(measure: Callable[[Bench, Corpus, bool], Iterator[Figure]]) -> Iterator[Figure]:
        with bench.folder() as root:
            yield from measure(bench, commands.write(root, documents, shape), thorough)

    yield from guarded(partial(on, _kahnd), Kahnd(), shape, documents)
    for builder, watcher in _peers():
        if documents > bench.sizes.middle and not isinstance(builder, Ninja):
            continue  # minutes a save
        yield from guarded(partial(on, partial(_peer, builder, watcher)), watcher, shape, documents)


def _peers() -> Iterator[tuple[Tool, Watching]]:
    """Who builds, and who runs that one at every save."""
    ninja, make, tup = Ninja(), Make(), Tup()
    yield from ((ninja, Entr(ninja)), (make, Entr(make)), (tup, tup))


def _kahnd(bench: Bench, corpus: Corpus, thorough: bool) -> Iterator[Figure]:  # noqa: FBT001
    kahnd = Kahnd()
    yield from _builds(bench, kahnd, corpus, thorough)
    starts = bench.repeat(bench.effort.starts, lambda _: builds.null_start(corpus))
    yield builds.figure("null start", corpus, kahnd, starts)
    with kahnd.watch(corpus) as daemon:
        yield from _under_daemon(bench, kahnd, daemon, corpus, thorough)


def _under_daemon(bench: Bench, kahnd: Kahnd, daemon: Daemon, corpus: Corpus, thorough: bool) -> Iterator[Figure]:  # noqa: FBT001
    named = partial(_named, corpus, kahnd.name)
    seen = saves.Saves(kahnd, corpus, daemon)
    yield named("leaf edit", "ms", saves.edits(bench, seen, saves.leaves(corpus, bench.effort.edits)))
    yield from saves.stages(daemon, corpus)
    yield from resident.memory(daemon, corpus)
    yield named("burst", "ms", saves.burst(bench, seen))
    if thorough:
        yield from resident.rest(bench, daemon, seen)


def _peer(builder: Tool, watcher: Watching, bench: Bench, corpus: Corpus, thorough: bool) -> Iterator[Figure]:  # noqa: FBT001
    yield from _builds(bench, builder, corpus, thorough)
    chosen = saves.leaves(corpus, bench.effort.edits)
    with watcher.watch(corpus) as watch:
        seen = saves.Saves(watcher, corpus, watch)
        yield _named(corpus, watcher.name, "leaf edit", "ms", saves.edits(bench, seen, chosen))
        yield _named(corpus, watcher.name, "burst", "ms", saves.burst(bench, seen))
    if isinstance(builder, Ninja):
        yield _named(corpus, "bare commands", "leaf edit", "ms", saves.bare_edits(bench, corpus, chosen))


def _builds(bench: Bench, tool: Tool, corpus: Corpus, thorough: bool) -> Iterator[Figure]:  # noqa: FBT001
    times = bench.effort.builds if thorough else 1
    yield builds.figure("cold build", corpus, tool, [builds.cold(tool, corpus).seconds for _ in range(times)])
    nulls = bench.repeat(bench.effort.builds, lambda _: builds.null(tool, corpus))
    yield builds.figure("null build", corpus, tool, nulls)


def _named(corpus: Corpus, tool: str, measure: str, unit: Unit, values: tuple[float, ...]) -> Figure:
    return Figure(measure, corpus.sort, len(corpus.rendered), tool, unit, values)
