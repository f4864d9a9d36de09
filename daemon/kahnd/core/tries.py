"""How often what a rendering read may turn out to be another before that counts as a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from kahnd.core import verdict
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Failed, Outcome, Problem, Read

TRIES: Final = 5
"""How often a run's result may be dropped because its inputs changed under it, before it counts as failed."""


MOST: Final = 4 * TRIES


class Tries:
    """Results dropped, by document: since its last good render, or the build's beginning."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._dropped: Counter[DocumentId] = Counter()

    def dropped(self, document: DocumentId, outcome: Outcome, unlike: DocumentId) -> Problem | None:
        """One more is dropped, since `unlike` was not as it was read; why there should be no more tries, if so."""
        self._dropped[document] += 1
        tries = self._dropped[document]
        if tries > 1 and (unfit := verdict.unfit(self._graph, outcome.reads)):
            return unfit
        if tries > 1 and isinstance(outcome, Failed) and _is_unread(unlike, outcome.reads):
            return outcome.problem  # it is there, and looked at since
        if tries > (TRIES if unlike != document else MOST):  # of its own changes, Rounds knows more
            return Problem(f"{unlike} keeps changing while this is rendered", document, remedy="save it once more")
        return None

    def succeeded(self, document: DocumentId) -> None:
        """It was rendered after all."""
        self._dropped.pop(document, None)

    def clear(self) -> None:
        """A build is over."""
        self._dropped.clear()


def _is_unread(document: DocumentId, reads: Iterable[Read]) -> bool:
    """Whether a run asked for it and did not get its bytes."""
    return any(read.dependency.target == document and read.hash is None for read in reads)
