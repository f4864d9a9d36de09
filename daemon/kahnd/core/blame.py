"""Follows a failure from a document that it blocks to the document that has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kahnd.core.decision import BROKEN, culprit_of
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Problem, Status
from kahnd.core.nodes import Node
from kahnd.core.renderings import document_of

MAX_STEPS: Final = 100
"""A longer way is cut off."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document is FAILED or BLOCKED: the culprit's problem, and the documents on the way to the culprit."""

    document: DocumentId
    culprit: DocumentId
    problem: Problem
    chain: tuple[DocumentId, ...]


def failure_of(graph: Graph, node: Node) -> Failure | None:
    """Returns why a document is FAILED or BLOCKED; None if it is neither."""
    if node.status not in BROKEN:
        return None
    way = [node]
    while way[-1].status is Status.BLOCKED and len(way) < MAX_STEPS and (blocker := _blocker(graph, way[-1])):
        if blocker in way:
            break
        way.append(blocker)
    last = way[-1]
    chain = [each.document for each in way]
    if last.status is Status.BLOCKED and last.facts.because and document_of(last.facts.because) != chain[-1]:
        chain.append(document_of(last.facts.because))  # it does not exist, or the way is cut off
    problem = last.facts.problem or Problem(last.status.lower())
    return Failure(node.document, chain[-1], problem, tuple(dict.fromkeys(chain)))


def _blocker(graph: Graph, node: Node) -> Node | None:
    """Returns the broken document that a blocked one needs, on the way to its culprit."""
    for each in node.dependencies:
        for target in (each.target, *graph.makers(each.target)):
            found = graph.get(target)
            if found and found.status in BROKEN and culprit_of(found) == node.facts.because:
                return found
    return None
