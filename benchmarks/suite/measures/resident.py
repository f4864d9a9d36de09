"""An idle daemon's memory and processor time, and the latency of the first save after a pause."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from suite.bench import Bench
from suite.corpora.corpus import Corpus
from suite.figures import Figure
from suite.measures.saves import Saves, leaves
from suite.processes import cpu_percent, family, resident_mb
from suite.tools.kahnd import Daemon


def memory(daemon: Daemon, corpus: Corpus) -> Iterator[Figure]:
    """Yields the memory of the daemon, of its workers, and of all."""
    alone, together = resident_mb([daemon.pid]), resident_mb(family(daemon.pid))
    for what, held in (("memory", together), ("memory, daemon", alone), ("memory, workers", together - alone)):
        yield Figure(what, corpus.sort, len(corpus.rendered), "kahnd", "MB", (held,))


def rest(bench: Bench, daemon: Daemon, saves: Saves) -> Iterator[Figure]:
    """Measures the processor time of an idle daemon, and then saves that each come after a pause."""
    corpus, size = saves.corpus, len(saves.corpus.rendered)
    share = cpu_percent(daemon.pid, bench.effort.idle_s)
    yield Figure("idle CPU", corpus.sort, size, "kahnd", "%", (share,))
    seen, made = zip(
        *(_after_pause(bench, daemon, saves, leaf) for leaf in leaves(corpus, bench.effort.builds)), strict=True
    )
    yield Figure("first save seen", corpus.sort, size, "kahnd", "ms", seen)
    yield Figure("first save", corpus.sort, size, "kahnd", "ms", made)


def _after_pause(bench: Bench, daemon: Daemon, saves: Saves, leaf: str) -> tuple[float, float]:
    """Returns the milliseconds from the save to the log line of the build's start, and to the last output."""
    time.sleep(bench.effort.pause_s)
    before, saved = len(daemon.log.of("build.started")), time.time()
    made = saves.save([leaf], "after a pause")
    begun = daemon.log.of("build.started")[before]["timestamp"]
    return (datetime.fromisoformat(begun).timestamp() - saved) * 1000, made
