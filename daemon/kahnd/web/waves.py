"""The running build by waves: how many documents of each generation are done, of how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from kahnd.api import schemas
from kahnd.app.document_graph import CODES, DocumentGraph
from kahnd.core.events import LogEvent
from kahnd.core.model import DocumentId, Status

MOST_WAVES: Final = 24
"""Builds with more generations have several in a wave."""
_DIRTY: Final = CODES[Status.DIRTY]
_DONE: Final = frozenset(
    {LogEvent.DOCUMENT_RENDERED, LogEvent.DOCUMENT_SKIPPED, LogEvent.DOCUMENT_FAILED, LogEvent.DOCUMENT_BLOCKED}
)


class Wave(schemas.Answer, frozen=True):
    """The documents of one generation, or of several that follow one another."""

    first: int
    last: int
    done: int
    total: int


class FinishedDocuments:
    """The documents that the build under way has finished. Events come on any thread."""

    def __init__(self) -> None:
        self._finished: dict[DocumentId, None] = {}

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Notes a document's outcome; forgets all when a build begins."""
        if event == LogEvent.BUILD_STARTED:
            self._finished = {}
        elif event in _DONE and (document := fields.get("document")):
            self._finished[DocumentId(document)] = None

    def take(self) -> Collection[DocumentId]:
        """Returns a copy of them."""
        return self._finished.copy()


def waves(graph: DocumentGraph, finished: Collection[DocumentId]) -> tuple[Wave, ...]:
    """Returns the waves of a build, from what it has finished and what is still DIRTY and has a rule."""
    shape, statuses = graph.shape, graph.statuses
    waiting: Counter[int] = Counter()
    number = statuses.find(_DIRTY)
    while number >= 0:
        if shape.rendered[number]:
            waiting[shape.generations[number]] += 1
        number = statuses.find(_DIRTY, number + 1)
    numbers = (found for each in finished if (found := shape.numbers.get(each)) is not None)
    done = Counter(shape.generations[each] for each in numbers if statuses[each] != _DIRTY)
    generations = sorted(waiting.keys() | done.keys())
    size = -(-len(generations) // MOST_WAVES) or 1
    parts = [generations[start : start + size] for start in range(0, len(generations), size)]
    return tuple(_wave(each, done, waiting) for each in parts)


def _wave(generations: list[int], done: Counter[int], waiting: Counter[int]) -> Wave:
    finished = sum(done[each] for each in generations)
    return Wave(generations[0], generations[-1], finished, finished + sum(waiting[each] for each in generations))
