"""From what the engine knows to what users and scripts are told: see `api/shapes`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from msgspec import structs

from kahnd import __version__
from kahnd.core.builds import Tally, report
from kahnd.core.explanation import Explanation
from kahnd.core.graph import Graph, Node
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, Problem, Reason, Status
from kahnd.core.preview import Preview
from kahnd.core.rules import is_collection
from kahnd.engine import Answered
from kahnd.service.api import shapes


def answered(answer: Answered) -> shapes.Report:
    """The answer to `build`, `retry` and `wait`."""
    told = answer.report
    return shapes.Report(
        rendered=told.rendered,
        skipped=told.skipped,
        failed=_failures(told.failed),
        blocked=_blocked(told.blocked),
        removed=told.removed,
        warnings=tuple(shapes.Warned(document, str(problem), **_place(problem)) for document, problem in told.warnings),
        cycles=told.cycles,
        duration_ms=round(answer.duration_ms, 2),
    )


def status(  # noqa: PLR0913 (each is a key)
    project: str,
    root: str,
    graph: Graph,
    last_build: BuildRecord | None,
    *,
    pid: int | None,
    state: shapes.State,
    watch: shapes.Watch,
    store: str,
    mistakes: Sequence[Problem] = (),
) -> shapes.DaemonStatus:
    """The answer to `status`. Its cost is that of what is wrong, not of all documents."""
    wrong = report(graph, Tally())
    counts = {each.lower(): graph.counts[each] for each in Status}
    return shapes.DaemonStatus(
        project=project,
        root=root,
        pid=pid,
        state=state,
        version=__version__,
        documents=shapes.Documents(total=sum(counts.values()), **counts),
        failures=_failures(wrong.failed),
        blocked=_blocked(wrong.blocked),
        last_build=None if last_build is None else _build(last_build),
        watch=watch,
        store=shapes.Store(store),
        **_configured(mistakes),
    )


C = TypeVar("C", bound=shapes.Configured)


def configured(answer: C, mistakes: Sequence[Problem]) -> C:
    """The answer, with what is wrong with kahnd.toml, if anything is."""
    return structs.replace(answer, **_configured(mistakes)) if mistakes else answer


def _configured(mistakes: Sequence[Problem]) -> dict[str, Any]:
    text = "\n".join(map(str, mistakes)) or None
    return {"config_error": text, "config_problems": tuple(map(shapes.problem, mistakes))}


def plan(preview: Preview) -> shapes.Plan:
    """The answer to `plan`."""
    return shapes.Plan(
        preview.generations, {str(each): reason for each, reason in preview.reasons.items()}, preview.cycles
    )


def why(found: Explanation) -> shapes.Why:
    """The answer to `why`."""
    return shapes.Why(
        document=found.document,
        status=found.status,
        reasons=tuple(map(_reason, found.reasons)),
        chain=found.chain,
        rendered=None if found.rendered is None else _past(found.rendered),
    )


def history(entries: Sequence[HistoryEntry]) -> shapes.History:
    """The answer to `history`: its list, as an object's one value."""
    return shapes.History(tuple(map(_past, entries)))


def graph_of(graph: Graph, within: Collection[DocumentId] | None) -> shapes.Graph:
    """The answer to `graph`: these nodes (None: all) and the edges among them, from depends on to."""
    nodes = [node for node in graph if within is None or node.facts.id in within]
    nodes.sort(key=lambda node: node.facts.id)
    shown = {node.facts.id for node in nodes}
    edges = ((node.facts.id, each) for node in nodes for each in node.dependencies if each.target in shown)
    return shapes.Graph(
        nodes=tuple(map(_node, nodes)),
        edges=tuple(shapes.Edge(source, each.target, each.kind) for source, each in edges),
    )


def dependents(graph: Graph, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
    """The targets and everything that depends on them, transitively."""
    above: dict[DocumentId, list[DocumentId]] = {}
    for node in graph:
        for each in node.dependencies:
            above.setdefault(each.target, []).append(node.facts.id)
    found, rest = set(targets), list(targets)
    while rest:
        fresh = [each for each in above.get(rest.pop(), ()) if each not in found]
        found.update(fresh)
        rest.extend(fresh)
    return frozenset(found)


def _reason(reason: Reason) -> shapes.Reason:
    return shapes.Reason(reason.kind, reason.document, reason.before, reason.after, tuple(reason.facets))


def _past(entry: HistoryEntry) -> shapes.Render:
    return shapes.Render(
        document=entry.document,
        build=entry.build,
        cause=entry.cause,
        status=entry.status,
        started_at=entry.started_at,
        duration_ms=round(entry.duration_ms, 2),
        error=entry.error,
    )


def _failures(failed: Sequence[tuple[DocumentId, Problem]]) -> tuple[shapes.Failure, ...]:
    return tuple(
        shapes.Failure(document, str(problem), problem.detail, **_place(problem)) for document, problem in failed
    )


def _blocked(blocked: Sequence[tuple[DocumentId, DocumentId, Problem]]) -> tuple[shapes.Blocked, ...]:
    return tuple(
        shapes.Blocked(document, because, str(problem), **_place(problem)) for document, because, problem in blocked
    )


def _place(problem: Problem) -> dict[str, Any]:
    """What the error's words are made of."""
    return {"message": problem.message, "file": problem.file, "line": problem.line, "remedy": problem.remedy}


def _build(build: BuildRecord) -> shapes.Build:
    return shapes.Build(
        id=build.id,
        cause=build.cause,
        started_at=build.started_at,
        duration_ms=round(build.duration_ms, 2),
        rendered=build.rendered,
        skipped=build.skipped,
        failed=build.failed,
        blocked=build.blocked,
        removed=build.removed,
        generations=build.generations,
    )


def _node(node: Node) -> shapes.Node:
    rule = node.rule.match if node.rule else None
    return shapes.Node(node.facts.id, node.status, rule, node.claim, is_collection(node.facts.id))
