"""How documents stand between two sessions: as a session that is asked for nothing would leave them."""

from __future__ import annotations

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Facts, Snapshot, Status

_BROKEN = frozenset({Status.FAILED, Status.BLOCKED})


def rest(graph: Graph, known: Snapshot) -> None:
    """Give those that are looked at again at each start, and come to the same, the status that they had.

    They are FAILED or BLOCKED without a rendering: by a cycle, or by another document that claims their output.
    """
    before = {facts.id: facts for facts in known.documents}
    reached = _reached(graph, before)
    for facts in known.documents:
        node = graph.get(facts.id)
        if facts.status in _BROKEN and node and node.status is Status.DIRTY and facts.id not in reached:
            graph.put(facts)


def _reached(graph: Graph, before: dict[DocumentId, Facts]) -> set[DocumentId]:
    """What has changed, and all that it may matter to."""
    above: dict[DocumentId, list[DocumentId]] = {}
    for node in graph:
        known = before.get(node.facts.id)
        culprit = [known.because] if known and known.because else []
        for target in [*(each.target for each in node.dependencies), *culprit]:
            above.setdefault(target, []).append(node.facts.id)
    nodes = {node.facts.id: node.facts for node in graph}
    rest = [each for each in before.keys() | nodes.keys() if _differs(before.get(each), nodes.get(each))]
    found = set(rest)
    while rest:
        fresh = [each for each in above.get(rest.pop(), ()) if each not in found]
        found.update(fresh)
        rest.extend(fresh)
    return found


def _differs(one: Facts | None, other: Facts | None) -> bool:
    if one is None or other is None:
        return True
    gone = (one.status is Status.MISSING) != (other.status is Status.MISSING)
    return gone or (one.content_hash, one.recipe_hash) != (other.content_hash, other.recipe_hash)
