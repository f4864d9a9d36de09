"""The reasons to render a document, and the chain of dependencies by which a change reached it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Final

from kahnd.core import hashing
from kahnd.core.graph import Graph
from kahnd.core.hashing import compare_edge_hashes
from kahnd.core.model import DocumentId, Reason, ReasonKind
from kahnd.core.nodes import Node
from kahnd.core.renderings import document_of
from kahnd.core.rules import is_collection

OUTPUT_GONE, OUTPUT_ALTERED = "its output is gone", "its output was altered"
FORCED, FAILED_BEFORE, ON_A_CYCLE = "forced", "failed before", "on a cycle"
LONGEST: Final = 30
"""Documents of a chain that are shown; a longer one is cut before its first."""
LEFT_OUT: Final = DocumentId("…")


def differences(graph: Graph, node: Node) -> tuple[Reason, ...]:
    """Returns how a document's inputs differ from its last good render; empty exactly if the inputs hash is the same.

    If a dependency was dropped while kahnd did not run, the only known difference may be the inputs hash itself.
    """
    facts, now = node.facts, tuple(graph.inputs_of_trace(node))
    if facts.inputs_hash is None or facts.last_rendered_hash is None:
        return (Reason(ReasonKind.NEW, facts.id, None, facts.content_hash),)
    then = hashing.trace_inputs(facts.last_recipe_hash or "", facts.last_rendered_hash, graph.traced_hashes(node))
    differing = tuple(hashing.compare_inputs(then, now))
    inputs_hash = None if differing else hashing.hash_inputs(now)
    if inputs_hash == facts.inputs_hash:
        return ()
    added = ((each.target, each.kind, graph.hash_of(each)) for each in node.dependencies if each not in node.trace)
    found = [_reason(facts.id, *each) for each in (*differing, *hashing.compare_inputs((), added))]
    whole = Reason(ReasonKind.DEPENDENCY, facts.id, facts.inputs_hash, inputs_hash)
    return tuple({each.document + each.kind: each for each in reversed(found)}.values())[::-1] or (whole,)


def reasons(graph: Graph, node: Node, noted: Mapping[DocumentId, str]) -> tuple[Reason, ...]:
    """Returns all reasons to render a document: the one `noted` during the build, and how its inputs differ.

    A plain document has none.
    """
    if node.claim is None:
        return ()
    facts, found = node.facts, differences(graph, node)
    match noted.get(facts.id):
        case word if word in {FAILED_BEFORE, ON_A_CYCLE}:
            return (Reason(ReasonKind.FAILED, facts.id), *found)
        case word if word in {OUTPUT_GONE, OUTPUT_ALTERED}:
            return (Reason(ReasonKind.OUTPUT, facts.id, facts.output_hash), *found)
        case word if word == FORCED and not found:
            return (Reason(ReasonKind.OUTPUT, facts.id, facts.output_hash, facts.output_hash),)
    return found


def describe(reason: Reason) -> str:
    """Returns the reason as `plan` shows it."""
    match reason.kind:
        case ReasonKind.DEPENDENCY if is_collection(reason.document):
            return f"other documents match {reason.document[1:]}"
        case ReasonKind.DEPENDENCY:
            facets = ", ".join(each.replace("_", " ") for each in reason.facets)
            needed = document_of(reason.document)
            return f"needs {needed} ({facets})" if facets else f"needs {needed}"
        case ReasonKind.OUTPUT:
            return OUTPUT_GONE
        case ReasonKind.FAILED:
            return FAILED_BEFORE
        case ReasonKind.NEW:
            return "new"
        case ReasonKind.CONTENT | ReasonKind.RECIPE:
            return f"{reason.kind} changed"


def origins(found: Iterable[Reason]) -> tuple[DocumentId, ...]:
    """Returns the dependencies among the reasons; none if the document itself is a reason."""
    listed = tuple(found)
    own = any(each.kind is not ReasonKind.DEPENDENCY for each in listed)
    return () if own else tuple(each.document for each in listed)


class ChangeChains:
    """Owns, for each document that changed since the build began, the dependency by which the change reached it."""

    def __init__(self, noted: Container[DocumentId]) -> None:
        self._noted = noted
        self._via: dict[DocumentId, DocumentId] = {}
        self._first: dict[DocumentId, DocumentId] = {}
        self._depth: dict[DocumentId, int] = {}

    def __contains__(self, document: DocumentId) -> bool:
        return document in self._first

    def add(self, document: DocumentId, dependencies: Iterable[DocumentId]) -> tuple[DocumentId, ...]:
        """Adds a document that changed by itself or because of one of these; returns the chain that ends with it."""
        self._via.pop(document, None)
        self._first[document], self._depth[document] = document, 0
        via = min(dependencies, key=self._rank, default=document)
        if via != document:
            self._via[document] = via
            self._first[document] = self._first.get(via, via)
            self._depth[document] = self._depth.get(via, 0) + 1
        return self._chain(document)

    def clear(self) -> None:
        """Forgets everything, at the end of a build."""
        self._via.clear()
        self._first.clear()
        self._depth.clear()

    def _rank(self, document: DocumentId) -> tuple[bool, bool, int]:
        """Ranks the likely cause lowest: of a partial and what it includes, both read by a page, the partial."""
        unknown = document not in self._first and document not in self._noted
        return unknown, is_collection(document), -self._depth.get(document, 0)

    def _chain(self, document: DocumentId) -> tuple[DocumentId, ...]:
        path = [document]
        while (via := self._via.get(path[-1])) and via not in path and len(path) < LONGEST:
            path.append(via)
        cut = [] if path[-1] == self._first[document] else [LEFT_OUT, self._first[document]]
        return tuple(reversed(path + cut))


def _reason(document: DocumentId, target: str, kind: str, before: str | None, after: str | None) -> Reason:
    old, new, facets = compare_edge_hashes(before, after)
    if target:
        return Reason(ReasonKind.DEPENDENCY, DocumentId(target), old, new, facets)
    return Reason(ReasonKind(kind), document, old, new)
