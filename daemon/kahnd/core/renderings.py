"""Renderings: a document under each rule that applies to it, and how they are told apart and shown.

The rendering by a document's own rule has the document's id. One by a rule with `also = true` is a node of its own in
the graph, with an id made of the path, two slashes (which no path has) and the rule's first output pattern. Nobody but
the engine and the database sees such an id: others are shown the document, and the output where that matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from msgspec import structs

from kahnd.core.model import DocumentId, Facts, Observation, Problem, Scan, Status

MARK: Final = "//"
WORST_FIRST: Final = (Status.FAILED, Status.BLOCKED, Status.DIRTY, Status.DONE, Status.MISSING)
"""A document has the first of these that one of its renderings has."""


def rendering_id(document: DocumentId, pattern: str, others: Container[str] = ()) -> DocumentId:
    """Returns the id of a document's rendering by another rule, which none of the `others` has."""
    found, number = f"{document}{MARK}{pattern}", 1
    while found in others:
        number += 1
        found = f"{document}{MARK}{pattern}{MARK}{number}"
    return DocumentId(found)


def is_rendering(document: DocumentId) -> bool:
    """Tells whether this is a rendering beside a document's own; a collection's pattern may have two slashes."""
    return MARK in document and not document.startswith("/")


def is_file(document: DocumentId) -> bool:
    """Tells whether this is a document: no collection, and no rendering beside a document's own."""
    return not (document.startswith("/") or MARK in document)


def document_of(rendering: DocumentId) -> DocumentId:
    """Returns the document of a rendering, which is the id itself for most."""
    return DocumentId(rendering.partition(MARK)[0]) if is_rendering(rendering) else rendering


def key_of(rendering: DocumentId) -> str:
    """Returns what tells a rendering from the document's own; empty for that one."""
    return rendering.partition(MARK)[2] if is_rendering(rendering) else ""


def documents_of(renderings: Iterable[DocumentId]) -> tuple[DocumentId, ...]:
    """Returns the documents of renderings, each once, in the same order."""
    return tuple(dict.fromkeys(map(document_of, renderings)))


def with_renderings(own: Scan, others: Sequence[tuple[DocumentId, Scan]]) -> Scan:
    """Returns the scan of a document, with those by further rules; it appears when all let it, where its own says."""
    times = [each.appears_at for each in (own, *(other for _, other in others)) if each.appears_at is not None]
    appears_at = max(times, default=None)
    beside = tuple((each, structs.replace(other, appears_at=appears_at, route=own.route)) for each, other in others)
    return structs.replace(own, appears_at=appears_at, renderings=beside)


def by_rendering(
    observation: Observation, there: Iterable[DocumentId], wanted: Collection[DocumentId]
) -> Iterator[Observation]:
    """Yields an observation of a document, and of its renderings: first that those are gone which are not `wanted`."""
    scan, problem = observation.scan, observation.problem
    yield from (Observation(each) for each in there if each not in wanted)
    yield observation
    scans = dict(scan.renderings) if scan else {}
    for each in wanted if scan or problem else ():
        own = scans.get(each, Scan())
        digest = None if own.problem else observation.content_hash
        yield Observation(each, digest, scan=own, problem=problem or own.problem, declarer=observation.declarer)


def worst(statuses: Iterable[Status]) -> Status:
    """Returns the status of a document whose renderings have these."""
    return min(statuses, key=WORST_FIRST.index)


def summed_up(problems: Sequence[tuple[str, Problem]]) -> Problem:
    """Returns the problems of a document's renderings as one, each with the output that it is about."""
    (output, first), *others = problems
    rest = [f"{path}: {each}" for path, each in others if each != first]
    outputs = ", ".join(dict.fromkeys([output, *(path for path, each in others if each == first)]))
    return replace(first, message="; ".join([f"{outputs}: {first.message}", *rest]))


class HasFacts(Protocol):
    """A node of the graph."""

    facts: Facts


class StatusIndex:
    """Owns the number of documents by status, and which renderings are missing, broken or warned of.

    `nodes`: all nodes, which the owner of the index changes. A document is counted once, by its worst rendering.
    """

    def __init__(self, nodes: Mapping[DocumentId, HasFacts]) -> None:
        self._nodes = nodes
        self._beside: dict[DocumentId, list[DocumentId]] = {}
        """The renderings beside their own of the documents that have any."""
        self.counts: Counter[Status] = Counter()
        self.missing: set[DocumentId] = set()
        self.broken: set[DocumentId] = set()
        self.warned: set[DocumentId] = set()

    def renderings(self, document: DocumentId) -> list[DocumentId]:
        """Returns the renderings of a document: its own, if it is known, and the existing ones beside it."""
        beside = [each for each in self._beside.get(document, ()) if self._nodes[each].facts.status != Status.MISSING]
        return [document, *beside] if document in self._nodes else beside

    def enter(self, rendering: DocumentId) -> None:
        """Notes a rendering beside a document's own, before its node is there."""
        document = document_of(rendering)
        self._count_document(document, -1)
        self._beside.setdefault(document, []).append(rendering)

    def leave(self, node: DocumentId) -> None:
        """Forgets a document or rendering that is no longer counted, and whose node is not there any more."""
        document = document_of(node)
        if document not in self._beside:
            return
        if node != document:
            self._beside[document].remove(node)
        self._count_document(document, +1)

    def count(self, facts: Facts, by: int) -> None:
        """Counts a node, whose facts these are: 1 as they are now, -1 before they change. Collections do not count."""
        if facts.id.startswith("/"):
            return
        if self._beside and document_of(facts.id) in self._beside:
            self._count_document(document_of(facts.id), by)
        else:
            self.counts[facts.status] += by
        if facts.status is Status.MISSING:
            (self.missing.add if by > 0 else self.missing.discard)(facts.id)
        if facts.status is Status.FAILED or facts.status is Status.BLOCKED:
            (self.broken.add if by > 0 else self.broken.discard)(facts.id)
        if facts.warnings:
            (self.warned.add if by > 0 else self.warned.discard)(facts.id)

    def _count_document(self, document: DocumentId, by: int) -> None:
        if known := self.renderings(document):
            self.counts[worst(self._nodes[each].facts.status for each in known)] += by
