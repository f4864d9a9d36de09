"""What a build would render now, generation by generation, and why; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from graphlib import TopologicalSorter

from kahnd.core import verdict, why
from kahnd.core.facets import compare
from kahnd.core.graph import Node
from kahnd.core.machine import Machine
from kahnd.core.model import Because, Dependency, DocumentId, Facet, Reason
from kahnd.core.why import Trail, in_words, origins


@dataclass(frozen=True, slots=True)
class Preview:
    """The generations, a reason for every document in them, and the cycles in the way."""

    generations: tuple[tuple[DocumentId, ...], ...]
    reasons: Mapping[DocumentId, str]
    cycles: tuple[tuple[DocumentId, ...], ...]
    because: Mapping[DocumentId, tuple[Reason, ...]] = field(default_factory=dict)
    chains: Mapping[DocumentId, tuple[DocumentId, ...]] = field(default_factory=dict)


class _Fate(Enum):
    SAME = "unchanged"
    CHANGED = "changed, and not rendered"
    RENDER = "to be rendered"
    STUCK = "failed, blocked or on a cycle"


MOVING = frozenset({_Fate.CHANGED, _Fate.RENDER})


def preview(machine: Machine) -> Preview:
    """Run through the schedule as if every rendering went well and gave other bytes than before."""
    knots: frozenset[DocumentId] = frozenset().union(*machine.schedule.stuck())
    needs = {document: each - knots for document, each in machine.schedule.needs().items() if document not in knots}
    fates = dict.fromkeys(knots, _Fate.STUCK)
    level: dict[DocumentId, int] = {}
    because: dict[DocumentId, tuple[Reason, ...]] = {}
    chains: dict[DocumentId, tuple[DocumentId, ...]] = {}
    trail = Trail(machine.reasons)
    for document in TopologicalSorter(needs).static_order():
        above = any(_will_differ(each, fates) for each in machine.graph[document].dependencies)
        fates[document] = fate = _fate(machine, document, fates, above=above)
        level[document] = max((level[each] + (fates[each] is _Fate.RENDER) for each in needs[document]), default=0)
        found = _because(machine, document, fates) if fate in MOVING else ()
        chain = trail.add(document, () if _is_edited(machine, document) else origins(found)) if fate in MOVING else ()
        if fate is _Fate.RENDER:
            because[document], chains[document] = found, chain
    height = 1 + max((level[each] for each in because), default=-1)
    generations = tuple(tuple(sorted(each for each in because if level[each] == number)) for number in range(height))
    reasons = {each: machine.reasons.get(each) or in_words(found[0]) for each, found in because.items()}
    cycles = {node.cycle for node in machine.graph if node.cycle}
    return Preview(generations, reasons, tuple(sorted(cycles)), because, chains)


def _fate(machine: Machine, document: DocumentId, fates: Mapping[DocumentId, _Fate], *, above: bool) -> _Fate:
    node = machine.graph[document]
    if any(fates.get(each.target) is _Fate.STUCK for each in node.dependencies if not each.kind.of_content):
        return _Fate.STUCK
    match verdict.decide(machine.graph, node, forced=machine.is_forced(document)):
        case verdict.Block() | verdict.Fail():
            return _Fate.STUCK
        case verdict.Settle(effective):
            return _Fate.CHANGED if above or effective != node.facts.effective_hash else _Fate.SAME
        case verdict.Run():
            return _Fate.RENDER
        case verdict.Unchanged():
            return _Fate.RENDER if above else _Fate.SAME


def _because(machine: Machine, document: DocumentId, fates: Mapping[DocumentId, _Fate]) -> tuple[Reason, ...]:
    """What differs already, and the dependencies that will have changed by then."""
    node = machine.graph[document]
    found = why.reasons(machine.graph, node, machine.reasons)
    told = {each.document for each in found}
    moved = [each for each in node.dependencies if each.target not in told and _will_differ(each, fates)]
    if any(each.kind is Because.NEW for each in found):
        return found
    coming = (Reason(Because.DEPENDENCY, each.target, _hash_then(node, each)) for each in moved)
    return (*found, *coming) or (Reason(Because.DEPENDENCY, document, node.facts.inputs_hash),)


def _hash_then(node: Node, dependency: Dependency) -> str | None:
    known = node.hung_on.get(dependency)
    return compare(known.hash, None)[0] if known else None


def _is_edited(machine: Machine, document: DocumentId) -> bool:
    return machine.graph[document].claim is None and document in machine.reasons


def _will_differ(dependency: Dependency, fates: Mapping[DocumentId, _Fate]) -> bool:
    """Whether what is used of it is still to come; of content it is known already, and so is a url."""
    uses_output = dependency.facets is None or Facet.OUTPUT in dependency.facets
    return uses_output and not dependency.kind.of_content and fates.get(dependency.target) in MOVING
