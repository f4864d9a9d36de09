"""What a user calls a target → documents: a document's path, or the path of what it renders to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches

from kahnd.core import twins
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, HistoryEntry, OutputPath, Problem, Status
from kahnd.core.rules import is_collection
from kahnd.errors import UsageError

PastRenders = Callable[[DocumentId | None, int], Awaitable[tuple[HistoryEntry, ...]]]
"""ports.Store's `history`."""


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


def passing(graph: Graph) -> frozenset[DocumentId]:
    """What failed for the machine's sake, and what is blocked by that; what could not be read is the tree's to try."""
    if not graph.counts[Status.FAILED]:
        return frozenset()
    read = (node.facts for node in graph if node.facts.content_hash is not None)
    failed = {facts.id for facts in read if facts.problem and facts.problem.passing}
    return frozenset(failed.union(node.facts.id for node in graph if node.facts.because in failed))


async def past_renders(graph: Graph, ask: PastRenders, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
    """Past renders, newest first: all, or those of a document (also one that is gone), or of an output's document.

    Raises UsageError for a target that is not there and was never rendered.
    """
    if target is None:
        return await ask(None, limit)
    claimants = graph.claimants(OutputPath(target))
    entries = await ask(min(claimants, default=DocumentId(target)), limit)
    return entries if entries or resolve(graph, (target,)) else ()


def _unknown(graph: Graph, target: str) -> Problem:
    twin = graph.twin_of(target)
    if twin:
        return Problem(f"{target} is neither a document nor an output", remedy=twins.remedy(target, twin))
    names = [node.facts.id for node in graph if node.exists and not is_collection(node.facts.id)]
    near = get_close_matches(target, names, n=1)
    return Problem(f"{target} is neither a document nor an output", remedy=f"did you mean {near[0]}?" if near else "")
