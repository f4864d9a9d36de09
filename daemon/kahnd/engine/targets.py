"""What a user calls a target → documents: a document's path, or the path of what it renders to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, OutputPath, Problem
from kahnd.core.rules import is_collection
from kahnd.errors import UsageError


def resolve(graph: Graph, targets: Iterable[str]) -> frozenset[DocumentId]:
    """The documents meant; raises UsageError that names the nearest for one that is not there."""
    found: set[DocumentId] = set()
    problems = []
    for target in targets:
        node = graph.get(DocumentId(target))
        claimants = graph.claimants(OutputPath(target))
        if node and node.exists and not is_collection(node.facts.id):
            found.add(node.facts.id)
        elif claimants:
            found |= claimants
        else:
            problems.append(_unknown(graph, target))
    if problems:
        raise UsageError(*problems)
    return frozenset(found)


def _unknown(graph: Graph, target: str) -> Problem:
    names = [node.facts.id for node in graph if node.exists and not is_collection(node.facts.id)]
    near = get_close_matches(target, names, n=1)
    return Problem(f"{target} is neither a document nor an output", remedy=f"did you mean {near[0]}?" if near else "")
