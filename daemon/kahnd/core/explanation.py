"""Explains without rendering: the next build's plan, the reasons to render a document, its status between sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from graphlib import TopologicalSorter

from kahnd.core import decision, reasons
from kahnd.core.graph import Graph
from kahnd.core.hashing import compare_edge_hashes
from kahnd.core.machine import Machine
from kahnd.core.model import Dependency, DocumentId, Facet, Facts, HistoryEntry, Reason, ReasonKind, Snapshot, Status
from kahnd.core.nodes import Node
from kahnd.core.reasons import ChangeChains, describe, origins


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The documents to render, by generation, each with its reasons; and the cycles that block others.

    `summaries` has one reason for each document, in words. `chains` leads from an edited document to each.
    """

    generations: tuple[tuple[DocumentId, ...], ...]
    summaries: Mapping[DocumentId, str]
    cycles: tuple[tuple[DocumentId, ...], ...]
    reasons: Mapping[DocumentId, tuple[Reason, ...]] = field(default_factory=dict)
    chains: Mapping[DocumentId, tuple[DocumentId, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons, the chain from the edited document, and the past render they belong to (None: no such render).

    `document`: the rendering that this is about. `output`: its output, if the document has several renderings.
    """

    document: DocumentId
    status: Status
    reasons: tuple[Reason, ...]
    chain: tuple[DocumentId, ...]
    rendered: HistoryEntry | None = None
    output: str = ""


class _Forecast(Enum):
    """The expected effect of the next build on a document."""

    SAME = "unchanged"
    CHANGED = "changed, and not rendered"
    RENDER = "to be rendered"
    STUCK = "failed, blocked or on a cycle"


_DIFFERENT = frozenset({_Forecast.CHANGED, _Forecast.RENDER})
_BROKEN = frozenset({Status.FAILED, Status.BLOCKED})


def plan_build(machine: Machine) -> BuildPlan:
    """Walks the schedule as if every rendering succeeded with new output. Changes nothing."""
    on_cycles: frozenset[DocumentId] = frozenset().union(*machine.schedule.stuck())
    unfinished = machine.schedule.needs()
    needs = {document: each - on_cycles for document, each in unfinished.items() if document not in on_cycles}
    forecasts = dict.fromkeys(on_cycles, _Forecast.STUCK)
    level: dict[DocumentId, int] = {}
    planned: dict[DocumentId, tuple[Reason, ...]] = {}
    chains: dict[DocumentId, tuple[DocumentId, ...]] = {}
    trail = ChangeChains(machine.reasons)
    for document in TopologicalSorter(needs).static_order():
        upstream = any(_will_differ(each, forecasts) for each in machine.graph[document].dependencies)
        forecasts[document] = forecast = _forecast(machine, document, forecasts, upstream=upstream)
        level[document] = max(
            (level[each] + (forecasts[each] is _Forecast.RENDER) for each in needs[document]), default=0
        )
        if forecast not in _DIFFERENT:
            continue
        found = _reasons(machine, document, forecasts)
        chain = trail.add(document, () if _is_edited(machine, document) else origins(found))
        if forecast is _Forecast.RENDER:
            planned[document], chains[document] = found, chain
    height = 1 + max((level[each] for each in planned), default=-1)
    generations = tuple(tuple(sorted(each for each in planned if level[each] == number)) for number in range(height))
    summaries = {each: machine.reasons.get(each) or describe(found[0]) for each, found in planned.items()}
    cycles = {node.cycle for node in machine.graph if node.cycle}
    return BuildPlan(generations, summaries, tuple(sorted(cycles)), planned, chains)


def explain(machine: Machine, document: DocumentId, past: Iterable[HistoryEntry]) -> Explanation:
    """Answers `why` for an existing document; `past` are its latest renders, newest first.

    A document that is up to date is explained by its last render, a DIRTY one by the render to come.
    """
    node = machine.graph[document]
    match node.status:
        case Status.DIRTY:
            plan = plan_build(machine)
            if document in plan.reasons:
                return Explanation(document, Status.DIRTY, plan.reasons[document], plan.chains[document])
            render = next((each for each in past if each.status is Status.DONE), None)
        case Status.DONE:
            render = next((each for each in past if each.status is Status.DONE), None)
        case _:
            render = next((each for each in past if each.status is node.status), None)
    if render:
        return Explanation(document, node.status, render.reasons, render.chain or (document,), render)
    culprit = node.facts.because or document
    broken = (Reason(ReasonKind.FAILED, culprit),) if node.status in _BROKEN else ()
    return Explanation(document, node.status, broken, tuple(dict.fromkeys((culprit, document))))


def restore_status(graph: Graph, known: Snapshot) -> None:
    """Gives documents back the status that a session without any request would leave them with.

    Every start checks again those that are FAILED or BLOCKED without a rendering, by a cycle or by another document
    that claims their output. Unless something they depend on has changed, they end with the status they had.
    """
    before = {facts.id: facts for facts in known.documents}
    affected = _affected(graph, before)
    for facts in known.documents:
        node = graph.get(facts.id)
        if facts.status in _BROKEN and node and node.status is Status.DIRTY and facts.id not in affected:
            graph.put(facts)


def _forecast(
    machine: Machine, document: DocumentId, forecasts: Mapping[DocumentId, _Forecast], *, upstream: bool
) -> _Forecast:
    """`upstream`: a dependency will have changed by then."""
    node = machine.graph[document]
    if any(forecasts.get(each.target) is _Forecast.STUCK for each in node.dependencies if not each.kind.is_content):
        return _Forecast.STUCK
    match decision.decide(machine.graph, node, forced=machine.is_forced(document)):
        case decision.Block() | decision.Fail():
            return _Forecast.STUCK
        case decision.Rehash(effective):
            return _Forecast.CHANGED if upstream or effective != node.facts.effective_hash else _Forecast.SAME
        case decision.Run():
            return _Forecast.RENDER
        case decision.Skip():
            return _Forecast.RENDER if upstream else _Forecast.SAME


def _reasons(machine: Machine, document: DocumentId, forecasts: Mapping[DocumentId, _Forecast]) -> tuple[Reason, ...]:
    """Returns the differences there are now, then the dependencies that will have changed by then."""
    node = machine.graph[document]
    found = reasons.reasons(machine.graph, node, machine.reasons)
    if any(each.kind is ReasonKind.NEW for each in found):
        return found
    named = {each.document for each in found}
    coming = [each for each in node.dependencies if each.target not in named and _will_differ(each, forecasts)]
    upstream = (Reason(ReasonKind.DEPENDENCY, each.target, _last_hash(node, each)) for each in coming)
    return (*found, *upstream) or (Reason(ReasonKind.DEPENDENCY, document, node.facts.inputs_hash),)


def _last_hash(node: Node, dependency: Dependency) -> str | None:
    known = node.trace.get(dependency)
    return compare_edge_hashes(known.hash, None)[0] if known else None


def _is_edited(machine: Machine, document: DocumentId) -> bool:
    return machine.graph[document].claim is None and document in machine.reasons


def _will_differ(dependency: Dependency, forecasts: Mapping[DocumentId, _Forecast]) -> bool:
    """Tells whether the part in use is still to change; a document's own content and its url are known already."""
    uses_output = dependency.facets is None or Facet.OUTPUT in dependency.facets
    return uses_output and not dependency.kind.is_content and forecasts.get(dependency.target) in _DIFFERENT


def _affected(graph: Graph, before: dict[DocumentId, Facts]) -> set[DocumentId]:
    """Returns the changed documents and their transitive dependents, those they block included."""
    dependents: dict[DocumentId, list[DocumentId]] = {}
    for node in graph:
        known = before.get(node.facts.id)
        culprit = [known.because] if known and known.because else []
        for target in [*(each.target for each in node.dependencies), *culprit]:
            dependents.setdefault(target, []).append(node.facts.id)
    now = {node.facts.id: node.facts for node in graph}
    pending = [each for each in before.keys() | now.keys() if _differs(before.get(each), now.get(each))]
    affected = set(pending)
    while pending:
        fresh = [each for each in dependents.get(pending.pop(), ()) if each not in affected]
        affected.update(fresh)
        pending.extend(fresh)
    return affected


def _differs(one: Facts | None, other: Facts | None) -> bool:
    if one is None or other is None:
        return True
    appeared = (one.status is Status.MISSING) != (other.status is Status.MISSING)
    return appeared or (one.content_hash, one.recipe_hash) != (other.content_hash, other.recipe_hash)
