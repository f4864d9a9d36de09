"""The time from a save to the last output that it affects, for kahnd and its peers on the same saves."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus, seeded_random
from suite.figures import Figure
from suite.file_changes import WrongError, identities, renewed_ms
from suite.tools.kahnd import Daemon
from suite.tools.tool import Tool, Watch

AFFECTED: Final = 8
"""The number of documents that the edited leaf affects, itself included."""
NOT_THE_ENGINES: Final = frozenset({"settle", "render"})
"""Phases that are no engine overhead: settling is a choice, and rendering is the renderer's."""


class Saves:
    """Saves of one corpus while a tool watches it. After each, exactly the affected outputs must be new."""

    def __init__(self, tool: Tool, corpus: Corpus, watch: Watch) -> None:
        self._tool = tool
        self.corpus = corpus
        self._watch = watch
        self._outputs = {document: tool.output(corpus, document) for document in corpus.rendered}
        self._seen = identities(self._outputs.values())
        self._log = watch.log if isinstance(watch, Daemon) else None

    def save(self, documents: Sequence[str], mark: str) -> float:
        """Returns the milliseconds from the last of these saves to the last affected output."""
        affected = self.corpus.affected_by(*documents)
        for each in documents:
            self.corpus.save(each, mark)
        return self.measured(time.perf_counter(), affected)

    def save_page(self, document: str, mark: str) -> float:
        """Returns the milliseconds from a page's save to its output with the edit."""
        milliseconds = self.save([document], mark)
        if f"edited {mark}" not in self._outputs[document].read_text():
            raise WrongError(f"{self._tool.name} made {document} anew without the edit")
        return milliseconds

    def measured(self, began: float, affected: Collection[str]) -> float:
        """Returns the milliseconds from that moment to the last of these documents' outputs."""
        wanted = {self._outputs[each] for each in affected}
        milliseconds = renewed_ms(began, wanted, self._seen, self._watch.quiet)
        self._check_files(wanted)
        self._check_log(affected)
        return milliseconds

    def _check_files(self, wanted: set[Path]) -> None:
        now = identities(self._outputs.values())
        renewed = {path for path in now if now[path] != self._seen[path]}
        self._seen = now
        if renewed != wanted and (self._tool.exact or wanted - renewed):
            raise WrongError(f"{self._tool.name} renewed {len(renewed)} outputs, not the {len(wanted)} affected")

    def _check_log(self, affected: Collection[str]) -> None:
        if self._log and (rendered := self._log.rendered()) != sorted(affected):
            raise WrongError(f"the log tells of {len(rendered)} renderings, not of the {len(affected)} affected")


def leaves(corpus: Corpus, count: int) -> list[str]:
    """Returns leaves that affect `AFFECTED` documents each, the same for every tool."""
    found = corpus.affecting(AFFECTED)
    return seeded_random().sample(found * (count // len(found) + 1), count)


def many(corpus: Corpus, count: int) -> list[str]:
    """Returns leaves to be saved together."""
    bottom = [document for document, needed in corpus.needs.items() if not needed]
    return seeded_random().sample(bottom, min(count, len(bottom)))


def stages(daemon: Daemon, corpus: Corpus) -> Iterator[Figure]:
    """Yields each stage's time, and the engine's overhead, in all builds of the daemon that rendered something."""
    ended = daemon.log.of("build.finished")
    builds = [entry["stages_ms"] for entry in ended if entry["rendered"] and entry.get("stages_ms")]
    size = len(corpus.rendered)
    for stage in dict.fromkeys(stage for build in builds for stage in build):
        values = tuple(build.get(stage, 0.0) for build in builds)
        yield Figure(f"stage {stage}", corpus.sort, size, "kahnd", "ms", values)
    engines = tuple(sum(ms for stage, ms in build.items() if stage not in NOT_THE_ENGINES) for build in builds)
    absent = "" if builds else "the log's `build.finished` has no `stages_ms`"
    yield Figure("engine overhead", corpus.sort, size, "kahnd", "ms", engines, absent)
