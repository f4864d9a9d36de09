"""Which needs are sure, and which an earlier rendering had that may not have them any more."""

from __future__ import annotations

from collections.abc import Iterable

from kahnd.core import verdict
from kahnd.core.graph import Graph, Node
from kahnd.core.model import DocumentId


class Doubts:
    """Owns what runs have found since their documents became dirty, and who is to be run in spite of its needs."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: set[DocumentId] = set()
        self._freed: set[DocumentId] = set()

    def is_doubtful(self, node: Node) -> bool:
        """Whether what it needs was found by a rendering of other inputs."""
        return not node.facts.scanned and node.facts.id not in self._found

    def is_freed(self, document: DocumentId) -> bool:
        """Whether it is to be run though something it is said to need is not finished."""
        return document in self._freed

    def found(self, document: DocumentId) -> None:
        """A run has read all of it: what it needs is known."""
        self._found.add(document)

    def dirty(self, document: DocumentId) -> None:
        """Its inputs are others: nothing found since then counts."""
        self._found.discard(document)
        self._freed.discard(document)

    def decided(self, document: DocumentId) -> None:
        """It is not waiting any more."""
        self._freed.discard(document)

    def loosen(self, knots: Iterable[frozenset[DocumentId]]) -> list[DocumentId]:
        """Free one document of each knot that may be in it only by what an earlier rendering read."""
        loose = [each for knot in knots for each in self._loose(knot)[:1]]
        self._freed.update(loose)
        return loose

    def _loose(self, knot: frozenset[DocumentId]) -> list[DocumentId]:
        nodes = [self._graph[each] for each in sorted(knot)]
        return [node.facts.id for node in nodes if self._can_tell(node) and not verdict.is_tied(node, knot)]

    def _can_tell(self, node: Node) -> bool:
        """Whether a run would find out; one whose output is contested is not run."""
        return self.is_doubtful(node) and self._graph.claimants(node.claim) <= {node.facts.id}
