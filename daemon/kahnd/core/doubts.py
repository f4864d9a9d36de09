"""Which needs are sure, and which only a run can tell: a text's may be conditional, an earlier rendering's gone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from kahnd.core import verdict
from kahnd.core.graph import Graph, Node
from kahnd.core.model import Dependency, DocumentId, Status


class Doubts:
    """Owns what runs have found since their documents became dirty, and who is to be run in spite of its needs."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: set[DocumentId] = set()
        self._freed: set[DocumentId] = set()

    def is_doubtful(self, node: Node) -> bool:
        """Whether no rendering of its present inputs has told what it needs."""
        return node.facts.id not in self._found

    def is_freed(self, document: DocumentId) -> bool:
        """Whether it is to be run though something it is said to need is not finished."""
        return document in self._freed

    def has_to_wait(self, node: Node) -> bool:
        """Whether something that it needs, as was told only now, is unfinished, and may yet come to something else."""
        if self.is_freed(node.facts.id) or self._is_contested(node):
            return False
        needs = (self._graph.get(each.target) for each in node.dependencies if not each.kind.of_content)
        return any(need is not None and need.status is Status.DIRTY for need in needs)

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
        """Free one document of each knot that may be in it only by what is not read."""
        loose = [each for knot in knots for each in self._loose(knot)[:1]]
        self._freed.update(loose)
        return loose

    def unproven(self, knots: Iterable[frozenset[DocumentId]]) -> list[tuple[Node, list[Dependency]]]:
        """Those in a knot that can't be run to tell, and are said to need more than what is sure, with what is sure.

        A plain one is left as it is where another is free now to be run: that may untie the knot.
        """
        return [found for knot in knots for each in sorted(knot) for found in self._unproven(each, knot)]

    def _unproven(self, document: DocumentId, knot: frozenset[DocumentId]) -> Iterator[tuple[Node, list[Dependency]]]:
        node = self._graph[document]
        waits = node.rule is None and not self._freed.isdisjoint(knot)
        if waits or self._can_run(document, knot) or not self.is_doubtful(node):
            return
        needs = [need for need in node.dependencies if _is_kept(need, node, knot)]
        if len(needs) < len(node.dependencies):
            yield node, needs

    def _loose(self, knot: frozenset[DocumentId]) -> list[DocumentId]:
        return [each for each in sorted(knot) if self._can_run(each, knot) and self.is_doubtful(self._graph[each])]

    def _can_run(self, document: DocumentId, knot: frozenset[DocumentId]) -> bool:
        """Not one that is in the knot for sure, or whose output is contested."""
        node = self._graph[document]
        is_plain = node.rule is None
        return not (is_plain or verdict.is_tied(node, knot) or self._is_contested(node))

    def _is_contested(self, node: Node) -> bool:
        return bool(self._graph.rivals(node))


def _is_kept(dependency: Dependency, node: Node, knot: Container[DocumentId]) -> bool:
    """Whether it stays a dependency of a document that can't be run to tell.

    A plain one loses only what a condition includes, and what would tie it into the knot: templates may include one
    another as long as their conditions let them. Who renders them finds out what they read.
    """
    if node.rule is None:
        return not verdict.is_optional(dependency, node) or dependency.target not in knot
    return dependency.kind.of_content or verdict.is_sure(dependency, node)
