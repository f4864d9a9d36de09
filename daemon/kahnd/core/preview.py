"""What a build would render now, generation by generation, and why; nothing is changed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import Enum
from graphlib import TopologicalSorter

from kahnd.core import verdict
from kahnd.core.machine import Machine
from kahnd.core.model import Dependency, DocumentId
from kahnd.core.rules import is_collection


@dataclass(frozen=True, slots=True)
class Preview:
    """The generations, a reason for every document in them, and the cycles in the way."""

    generations: tuple[tuple[DocumentId, ...], ...]
    reasons: Mapping[DocumentId, str]
    cycles: tuple[tuple[DocumentId, ...], ...]

    def within(self, scope: Container[DocumentId]) -> Preview:
        """The part of it that some targets need."""
        kept = (tuple(each for each in generation if each in scope) for generation in self.generations)
        return Preview(
            tuple(filter(None, kept)),
            {document: reason for document, reason in self.reasons.items() if document in scope},
            tuple(cycle for cycle in self.cycles if any(each in scope for each in cycle)),
        )


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
    reasons: dict[DocumentId, str] = {}
    for document in TopologicalSorter(needs).static_order():
        above = any(fates[each] in MOVING for each in needs[document])
        fates[document] = fate = _fate(machine, document, fates, above=above)
        level[document] = max((level[each] + (fates[each] is _Fate.RENDER) for each in needs[document]), default=0)
        if fate is _Fate.RENDER:
            reasons[document] = machine.reasons.get(document) or _because(machine, document, fates)
    height = 1 + max((level[each] for each in reasons), default=-1)
    generations = tuple(tuple(sorted(each for each in reasons if level[each] == number)) for number in range(height))
    cycles = {node.cycle for node in machine.graph if node.cycle}
    return Preview(generations, reasons, tuple(sorted(cycles)))


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


def _because(machine: Machine, document: DocumentId, fates: Mapping[DocumentId, _Fate]) -> str:
    dependencies = machine.graph[document].dependencies
    changed = next((each.target for each in dependencies if _has_moved(machine, each, fates)), None)
    if changed is None:
        return "a dependency changed"
    return f"needs {changed}" if not is_collection(changed) else f"other documents match {changed[1:]}"


def _has_moved(machine: Machine, dependency: Dependency, fates: Mapping[DocumentId, _Fate]) -> bool:
    """Whether this dependency is a reason; of content, only what was itself seen to change."""
    if dependency.kind.of_content:
        return dependency.target in machine.reasons
    return fates.get(dependency.target) in MOVING
