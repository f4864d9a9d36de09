"""Tracks which dependencies are certain and which only rendering can confirm, and breaks cycles of unconfirmed ones.

A scanned dependency may be conditional, and one that an earlier rendering read may be gone: until a document has been
rendered with its present inputs, its edges are *unconfirmed*.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from kahnd.core import decision
from kahnd.core.graph import Graph
from kahnd.core.model import Dependency, DocumentId, Status
from kahnd.core.nodes import Node


class ProvisionalEdges:
    """Owns the sets of documents whose edges are confirmed, and of those to render before their dependencies."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._confirmed: set[DocumentId] = set()
        self._released: set[DocumentId] = set()

    def is_unconfirmed(self, node: Node) -> bool:
        """Tells whether no rendering with the present inputs has read the node's dependencies yet."""
        return node.facts.id not in self._confirmed

    def is_released(self, document: DocumentId) -> bool:
        """Tells whether to render the document although a dependency is unfinished, to find out if it is one."""
        return document in self._released

    def has_to_wait(self, node: Node) -> bool:
        """Tells whether a dependency, among edges that were just replaced, is still DIRTY."""
        if self.is_released(node.facts.id) or self._is_contested(node):
            return False
        needs = (self._graph.get(each.target) for each in node.dependencies if not each.kind.is_content)
        return any(need is not None and need.status is Status.DIRTY for need in needs)

    def confirm(self, document: DocumentId) -> None:
        """A run has read all of the document, so its edges are known."""
        self._confirmed.add(document)

    def reset(self, document: DocumentId) -> None:
        """The document's inputs have changed, so its edges are unconfirmed again."""
        self._confirmed.discard(document)
        self._released.discard(document)

    def decided(self, document: DocumentId) -> None:
        """The document was decided on and is no longer released."""
        self._released.discard(document)

    def release(self, cycles: Iterable[frozenset[DocumentId]]) -> list[DocumentId]:
        """Releases one document of each cycle that only unconfirmed edges may put there: it is rendered to find out."""
        released = [each for members in cycles for each in self._releasable(members)[:1]]
        self._released.update(released)
        return released

    def certain_edges(self, cycles: Iterable[frozenset[DocumentId]]) -> list[tuple[Node, list[Dependency]]]:
        """Returns the members that can't be rendered to find out and have unconfirmed edges, with their certain ones.

        A plain member keeps all its edges while another member is released: rendering that one may break the cycle.
        """
        return [found for members in cycles for each in sorted(members) for found in self._certain(each, members)]

    def _certain(self, document: DocumentId, members: frozenset[DocumentId]) -> Iterator[tuple[Node, list[Dependency]]]:
        node = self._graph[document]
        waits = node.rule is None and not self._released.isdisjoint(members)
        if waits or self._can_run(document, members) or not self.is_unconfirmed(node):
            return
        certain = [each for each in node.dependencies if _is_kept(each, node, members)]
        if len(certain) < len(node.dependencies):
            yield node, certain

    def _releasable(self, members: frozenset[DocumentId]) -> list[DocumentId]:
        return [
            each for each in sorted(members) if self._can_run(each, members) and self.is_unconfirmed(self._graph[each])
        ]

    def _can_run(self, document: DocumentId, members: frozenset[DocumentId]) -> bool:
        """Tells whether the document is rendered, its output uncontested, and its place in the cycle not certain."""
        node = self._graph[document]
        is_plain = node.rule is None
        return not (is_plain or decision.is_certainly_in(node, members) or self._is_contested(node))

    def _is_contested(self, node: Node) -> bool:
        return bool(self._graph.rivals(node))


def _is_kept(dependency: Dependency, node: Node, members: Container[DocumentId]) -> bool:
    """Tells whether a document that can't be rendered to find out keeps this edge.

    A plain document loses only its conditional includes inside the cycle: templates may include one another as long as
    their conditions allow it, and rendering the documents that use them finds out.
    """
    if node.rule is None:
        return not decision.is_optional(dependency, node) or dependency.target not in members
    return dependency.kind.is_content or decision.is_certain(dependency, node)
