"""A document's dependencies become others: in the graph, and on their way into the database."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kahnd.core.book import Book
from kahnd.core.graph import Graph, Node
from kahnd.core.intake import Intake
from kahnd.core.messages import Command
from kahnd.core.model import Dependency, Status
from kahnd.core.rules import is_collection


class Connections:
    """Owns nothing: leads the intake's edges to the book."""

    def __init__(self, graph: Graph, intake: Intake, book: Book) -> None:
        self._graph = graph
        self._intake = intake
        self._book = book

    def connect(self, node: Node, dependencies: Iterable[Dependency]) -> Iterable[Command]:
        """Replace the edges; what they name first is known from now on (a collection at once with its members)."""
        edges, new = self._intake.connect(node.facts.id, dependencies)
        self._book.found(node.facts.id, edges)
        for each in new:
            known = replace(each, status=Status.DONE, effective_hash=each.content_hash)
            yield self._book.keep(known if is_collection(each.id) else each)

    def others(self, node: Node) -> Iterable[Dependency] | None:
        """Its dependencies, if they may differ from those that are known; None if they are the same."""
        trace = self._graph.verified_trace(node)
        names = trace is None and self._intake.names_outputs(node)
        return [*node.dependencies] if names else trace
