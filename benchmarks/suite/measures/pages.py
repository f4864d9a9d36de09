"""The page corpora under kahnd and Hugo: cold builds, edits of a page, and edits of a partial that all include."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from suite.bench import Bench
from suite.corpora import pages
from suite.corpora.corpus import Corpus, replace, seeded_random
from suite.corpora.pages import HUB, HUGO_HUB, Pages
from suite.figures import Figure
from suite.measures import builds
from suite.measures.guard import guarded
from suite.measures.saves import Saves
from suite.tools.hugo import Hugo
from suite.tools.kahnd import Daemon, Kahnd
from suite.tools.log import Log
from suite.tools.tool import Watching

Measure = Callable[[Bench, Watching, Corpus], Iterator[Figure]]
Write = Callable[[Path, str, Pages], Corpus]
HUGO: Final = Hugo()


def layers(bench: Bench) -> Iterator[Figure]:
    """Measures small pages that include one another."""
    for documents in bench.sizes.two:
        yield from _both(bench, "pages", pages.layers(documents), _builds_and_edits)


def heavy(bench: Bench) -> Iterator[Figure]:
    """Measures large pages with tables and code, and the builds' memory."""
    yield from _both(bench, "heavy", pages.heavy(bench.sizes.heavy), _builds)


def hub(bench: Bench) -> Iterator[Figure]:
    """Measures pages that all include one partial."""
    for documents in bench.sizes.two:
        yield from _both(bench, "hub", pages.hub(documents), _hub_edits, Hugo("--disableFastRender"))


def _both(bench: Bench, sort: str, written: Pages, measure: Measure, hugo: Hugo = HUGO) -> Iterator[Figure]:
    count = sum(name != HUB for name in written)
    spelt: tuple[tuple[Watching, Write], ...] = ((Kahnd(), pages.for_kahnd), (hugo, pages.for_hugo))
    for tool, write in spelt:

        def one(tool: Watching = tool, write: Write = write) -> Iterator[Figure]:
            root = bench.folder()
            yield from measure(bench, tool, write(root, sort, written))

        yield from guarded(one, tool, sort, count)


def _builds(bench: Bench, tool: Watching, corpus: Corpus) -> Iterator[Figure]:
    yield from builds.figures(corpus, tool, [builds.cold(tool, corpus) for _ in range(bench.effort.builds)])


def _builds_and_edits(bench: Bench, tool: Watching, corpus: Corpus) -> Iterator[Figure]:
    """Edits pages that no other includes. Each affects only itself, since the index just links to it."""
    yield from _builds(bench, tool, corpus)
    alone = [page for page in corpus.needs if "/top/" in page]
    chosen = seeded_random().choices(alone, k=bench.effort.edits)
    with tool.watch(corpus) as watch:
        saves = Saves(tool, corpus, watch)
        values = bench.repeat(len(chosen), lambda number: saves.save_page(chosen[number], f"alone {number}"))
    yield Figure("page edit", corpus.sort, len(corpus.rendered), tool.name, "ms", values)


def _hub_edits(bench: Bench, tool: Watching, corpus: Corpus) -> Iterator[Figure]:
    """Edits the partial, after which all pages must be new."""
    builds.cold(tool, corpus)
    hub = corpus.root / (HUGO_HUB if isinstance(tool, Hugo) else HUB)
    with tool.watch(corpus) as watch:
        saves = Saves(tool, corpus, watch)
        values = bench.repeat(bench.effort.builds, lambda number: _edit_hub(saves, hub, number))
        pools = _pool_times(watch.log, len(corpus.rendered)) if isinstance(watch, Daemon) else []
    yield Figure("hub edit", corpus.sort, len(corpus.rendered), tool.name, "ms", values)
    if pools:
        ratios = tuple(whole / pool for whole, pool in zip(values, pools, strict=True))
        yield Figure("hub edit over the pool's time", corpus.sort, len(corpus.rendered), tool.name, "times", ratios)


def _edit_hub(saves: Saves, hub: Path, number: int) -> float:
    replace(hub, f"{hub.read_text()}\n\nedited {number}\n")
    return saves.measured(time.perf_counter(), saves.corpus.rendered)


def _pool_times(log: Log, pages: int) -> list[float]:
    """Returns, for each edit, the sum of all renderings' durations divided by the number of workers."""
    durations = [entry["duration_ms"] for entry in log.of("document.rendered")]
    edits = (durations[first : first + pages] for first in range(0, len(durations), pages))
    return [sum(edit) / (os.cpu_count() or 1) for edit in edits]
