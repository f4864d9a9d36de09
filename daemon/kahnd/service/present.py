"""The JSON shapes that users and scripts rely on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kahnd.core.builds import Tally, report
from kahnd.core.explanation import Explanation
from kahnd.core.graph import Graph, Node
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, Problem, Status
from kahnd.core.preview import Preview
from kahnd.core.rules import is_collection
from kahnd.engine import Answered

Json = dict[str, Any]


def answered(answer: Answered) -> Json:
    """The answer to `build` and `wait`."""
    told = answer.report
    return {
        "rendered": list(told.rendered),
        "skipped": list(told.skipped),
        "failed": [_failure(document, problem) for document, problem in told.failed],
        "blocked": [_blocked(*each) for each in told.blocked],
        "removed": list(told.removed),
        "warnings": [
            {"document": document, "warning": str(problem), **_told(problem)} for document, problem in told.warnings
        ],
        "cycles": [list(cycle) for cycle in told.cycles],
        "duration_ms": round(answer.duration_ms, 2),
    }


def status(project: str, root: str, graph: Graph, last_build: BuildRecord | None, **now: Any) -> Json:
    """The answer to `status`; `now` is what only a running daemon has: pid, state, watch, store."""
    wrong = report(graph, Tally())
    counts = {each: graph.counts[each] for each in Status}
    return {
        "project": project,
        "root": root,
        "documents": {"total": sum(counts.values()), **{each.lower(): count for each, count in counts.items()}},
        "failures": [_failure(document, problem) for document, problem in wrong.failed],
        "blocked": [_blocked(*each) for each in wrong.blocked],
        "last_build": None if last_build is None else _build(last_build),
        **now,
    }


def plan(preview: Preview) -> Json:
    """The answer to `plan`."""
    return {
        "generations": [list(generation) for generation in preview.generations],
        "reasons": dict(preview.reasons),
        "cycles": [list(cycle) for cycle in preview.cycles],
    }


def why(found: Explanation) -> Json:
    """The answer to `why`."""
    return {
        "document": found.document,
        "status": found.status.value,
        "reasons": [
            {
                "kind": each.kind.value,
                "document": each.document,
                "before": each.before,
                "after": each.after,
                "facets": [facet.value for facet in each.facets],
            }
            for each in found.reasons
        ],
        "chain": list(found.chain),
        "rendered": None if found.rendered is None else _past(found.rendered),
    }


def history(entries: Sequence[HistoryEntry]) -> Json:
    """The answer to `history`: its list, as an object's one value."""
    return {"history": [_past(each) for each in entries]}


def graph_of(graph: Graph, within: Collection[DocumentId] | None) -> Json:
    """The answer to `graph`: these nodes (None: all) and the edges among them, from depends on to."""
    nodes = [node for node in graph if within is None or node.facts.id in within]
    nodes.sort(key=lambda node: node.facts.id)
    shown = {node.facts.id for node in nodes}
    edges = [(node.facts.id, each) for node in nodes for each in node.dependencies if each.target in shown]
    return {
        "nodes": [_node(node) for node in nodes],
        "edges": [{"from": source, "to": each.target, "kind": each.kind.value} for source, each in edges],
    }


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


def error(problems: Sequence[Problem], exit_code: int) -> Json:
    """An error, as the control socket tells it: the first problem, and all of them."""
    told = [_told(problem) for problem in problems]
    return {"error": {**told[0], "exit_code": exit_code, "problems": told}}


def _told(problem: Problem) -> Json:
    places: Mapping[str, object] = {"file": problem.file, "line": problem.line, "remedy": problem.remedy}
    return {"message": problem.message, **{name: value for name, value in places.items() if value}}


def _past(entry: HistoryEntry) -> Json:
    return {
        "document": entry.document,
        "build": entry.build,
        "cause": entry.cause,
        "status": entry.status.value,
        "started_at": entry.started_at,
        "duration_ms": round(entry.duration_ms, 2),
        "error": entry.error,
    }


def _failure(document: DocumentId, problem: Problem) -> Json:
    detail = {"output": problem.detail} if problem.detail else {}
    return {"document": document, "error": str(problem), **_told(problem), **detail}


def _blocked(document: DocumentId, because: DocumentId, problem: Problem) -> Json:
    return {"document": document, "because": because, "error": str(problem), **_told(problem)}


def _build(build: BuildRecord) -> Json:
    return {
        "id": build.id,
        "cause": build.cause,
        "started_at": build.started_at,
        "duration_ms": round(build.duration_ms, 2),
        "rendered": build.rendered,
        "skipped": build.skipped,
        "failed": build.failed,
        "blocked": build.blocked,
        "removed": build.removed,
        "generations": build.generations,
    }


def _node(node: Node) -> Json:
    rule = node.rule.match if node.rule else None
    kind = {"collection": True} if is_collection(node.facts.id) else {}
    return {"id": node.facts.id, "status": node.status.value, "rule": rule, "output": node.claim, **kind}
