"""Why a document is rendered: the reasons, and the way that a change came to it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from kahnd.core import digest
from kahnd.core.facets import compare
from kahnd.core.graph import Graph, Node
from kahnd.core.model import Because, DocumentId, Reason
from kahnd.core.rules import is_collection

OUTPUT_GONE, OUTPUT_ALTERED = "its output is gone", "its output was altered"
FORCED, FAILED_BEFORE, ON_A_CYCLE = "forced", "failed before", "on a cycle"
LONGEST: Final = 30
"""How many documents of a chain are told; of a longer one, the first and the last."""
LEFT_OUT: Final = DocumentId("…")


def differences(graph: Graph, node: Node) -> tuple[Reason, ...]:
    """How a document's inputs differ from those of its last good render: none exactly if the inputs hash is the same.

    Of a dependency that was given up while kahnd did not run, nothing may be known but that the whole is another.
    """
    facts, now = node.facts, tuple(graph.inputs_of_trace(node))
    if facts.inputs_hash is None or facts.last_rendered_hash is None:
        return (Reason(Because.NEW, facts.id, None, facts.content_hash),)
    then = digest.inputs(facts.last_recipe_hash or "", facts.last_rendered_hash, graph.hashes_then(node))
    differing = tuple(digest.explain(then, now))
    inputs_hash = None if differing else digest.of_inputs(now)
    if inputs_hash == facts.inputs_hash:
        return ()
    added = ((each.target, each.kind, graph.hash_of(each)) for each in node.dependencies if each not in node.hung_on)
    found = [_reason(facts.id, *each) for each in (*differing, *digest.explain((), added))]
    whole = Reason(Because.DEPENDENCY, facts.id, facts.inputs_hash, inputs_hash)
    return tuple({each.document + each.kind: each for each in reversed(found)}.values())[::-1] or (whole,)


def reasons(graph: Graph, node: Node, noted: Mapping[DocumentId, str]) -> tuple[Reason, ...]:
    """All reasons to render a document: what was noted of it, and how its inputs differ; none for a plain one."""
    if node.claim is None:
        return ()
    facts, found = node.facts, differences(graph, node)
    match noted.get(facts.id):
        case word if word in {FAILED_BEFORE, ON_A_CYCLE}:
            return (Reason(Because.FAILED, facts.id), *found)
        case word if word in {OUTPUT_GONE, OUTPUT_ALTERED}:
            return (Reason(Because.OUTPUT, facts.id, facts.output_hash), *found)
        case word if word == FORCED and not found:
            return (Reason(Because.OUTPUT, facts.id, facts.output_hash, facts.output_hash),)
    return found


def in_words(reason: Reason) -> str:
    """As `plan` tells it."""
    match reason.kind:
        case Because.DEPENDENCY if is_collection(reason.document):
            return f"other documents match {reason.document[1:]}"
        case Because.DEPENDENCY:
            facets = ", ".join(each.replace("_", " ") for each in reason.facets)
            return f"needs {reason.document} ({facets})" if facets else f"needs {reason.document}"
        case Because.OUTPUT:
            return OUTPUT_GONE
        case Because.FAILED:
            return FAILED_BEFORE
        case Because.NEW:
            return "new"
        case Because.CONTENT | Because.RECIPE:
            return f"{reason.kind} changed"


class Trail:
    """By which dependency a change came to each document, since a build began."""

    def __init__(self, noted: Container[DocumentId]) -> None:
        self._noted = noted
        self._via: dict[DocumentId, DocumentId] = {}
        self._first: dict[DocumentId, DocumentId] = {}
        self._depth: dict[DocumentId, int] = {}

    def __contains__(self, document: DocumentId) -> bool:
        return document in self._first

    def add(self, document: DocumentId, dependencies: Iterable[DocumentId]) -> tuple[DocumentId, ...]:
        """A document has changed, because of one of these (none: by itself); the chain that ends there."""
        self._via.pop(document, None)
        self._first[document], self._depth[document] = document, 0
        via = min(dependencies, key=self._unlikely, default=document)
        if via != document:
            self._via[document] = via
            self._first[document] = self._first.get(via, via)
            self._depth[document] = self._depth.get(via, 0) + 1
        return self._chain(document)

    def clear(self) -> None:
        """A build begins anew."""
        self._via.clear()
        self._first.clear()
        self._depth.clear()

    def _unlikely(self, document: DocumentId) -> tuple[bool, bool, int]:
        """Of a partial and what that includes, both read by a page, the partial is the nearer step."""
        unknown = document not in self._first and document not in self._noted
        return unknown, is_collection(document), -self._depth.get(document, 0)

    def _chain(self, document: DocumentId) -> tuple[DocumentId, ...]:
        path = [document]
        while (via := self._via.get(path[-1])) and via not in path and len(path) < LONGEST:
            path.append(via)
        cut = [] if path[-1] == self._first[document] else [LEFT_OUT, self._first[document]]
        return tuple(reversed(path + cut))


def origins(found: Iterable[Reason]) -> tuple[DocumentId, ...]:
    """The dependencies that are reasons; none where the document itself is one."""
    listed = tuple(found)
    own = any(each.kind is not Because.DEPENDENCY for each in listed)
    return () if own else tuple(each.document for each in listed)


def _reason(document: DocumentId, target: str, kind: str, before: str | None, after: str | None) -> Reason:
    old, new, facets = compare(before, after)
    if target:
        return Reason(Because.DEPENDENCY, DocumentId(target), old, new, facets)
    return Reason(Because(kind), document, old, new)
