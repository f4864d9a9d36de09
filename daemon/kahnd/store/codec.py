"""Converts documents, edges and history between the model's values and rows of the database, which travel as JSON.

The engine and msgspec both process JSON fast. A missing value is left out when writing, and null when reading.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count, groupby
from operator import attrgetter
from typing import Any, Final

import msgspec

from kahnd.core.model import (
    Attempt,
    BuildId,
    BuildRecord,
    Change,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facet,
    Facets,
    Facts,
    HistoryEntry,
    Kind,
    OutputPath,
    Problem,
    Reason,
    ReasonKind,
    Result,
    Stat,
    Status,
    Timing,
)
from kahnd.core.routes import Route
from kahnd.core.text import clamped
from kahnd.store.queries import FACTS

DETAIL_LIMIT: Final = 3000
"""Characters kept of a renderer's output: the embedded engine never frees the space of values above 4 KB."""

ROW_LIMIT: Final = 3000
"""Bytes in a record of the job history for its error, its reasons and its chain."""
MAX_REASONS: Final = 20
CLOCK_SET: Final = timedelta(seconds=2)
"""The wall clock may be corrected by so much while a build goes on."""

Row = dict[str, object]
_SCALARS: Final = tuple(name for name in FACTS if name not in {"problem", "stat", "facets", "warnings", "route"})
_INT64_END: Final = 1 << 63
_UINT64_END: Final = 1 << 64


ProblemRow = tuple[str, str, int, str, str, int]
RouteRow = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...], ProblemRow | None]


class FactsRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A document as `queries.DOCUMENTS` returns it: its path, then its fields in the order of `queries.FACTS`."""

    id: DocumentId
    status: Status
    content_hash: Digest | None
    last_rendered_hash: Digest | None
    inputs_hash: Digest | None
    output_hash: Digest | None
    effective_hash: Digest | None
    recipe_hash: Digest | None
    last_recipe_hash: Digest | None
    output: OutputPath | None
    problem: ProblemRow | None
    because: DocumentId | None
    stat: tuple[int, int, int, int, int] | None
    facets: tuple[Digest, ...] | None
    took_ms: float | None
    limits: str | None
    warnings: list[ProblemRow] | None
    outputs: tuple[tuple[OutputPath, Digest], ...] | None
    appears_at: int | None
    route: RouteRow | None
    declares: tuple[tuple[DocumentId, Digest, int], ...] | None
    declarer: DocumentId | None


def facts_of(row: FactsRow, path: DocumentId) -> Facts:
    """Return a row's facts, with `path` as the id; equal hashes share one object."""
    content_hash, output_hash, recipe_hash = row.content_hash, row.output_hash, row.recipe_hash
    return Facts(
        path,
        row.status,
        content_hash,
        content_hash if row.last_rendered_hash == content_hash else row.last_rendered_hash,
        row.inputs_hash,
        output_hash,
        output_hash if row.effective_hash == output_hash else row.effective_hash,
        recipe_hash,
        recipe_hash if row.last_recipe_hash == recipe_hash else row.last_recipe_hash,
        row.output,
        _problem_of(row.problem) if row.problem else None,
        row.because,
        _stat_of(row.stat) if row.stat else None,
        Facets(*row.facets) if row.facets else None,
        row.took_ms,
        row.limits,
        tuple(map(_problem_of, row.warnings or ())),
        row.outputs,
        row.appears_at,
        _route_of(row.route) if row.route else None,
        row.declares,
        row.declarer,
    )


class EdgeRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An edge as `queries.EDGES` returns it."""

    origin: DocumentId
    target: DocumentId
    kind: Kind
    line: int
    position: int
    hash: str | None
    facets: frozenset[str] | None
    sure: bool


class RenderRow(msgspec.Struct, frozen=True, gc=False):
    """A record of the job history as `queries.HISTORY` returns it."""

    document: DocumentId
    build: BuildId
    cause: str
    status: Status
    started_at: str
    duration_ms: float
    error: str | None
    timing: Timing | None = None
    reasons: list[tuple[ReasonKind, DocumentId, str, str, list[Facet]]] = []
    chain: list[DocumentId] = []

    def entry(self) -> HistoryEntry:
        """Return the model's value."""
        reasons = (
            Reason(kind, document, before or None, after or None, tuple(facets))
            for kind, document, before, after, facets in self.reasons
        )
        return HistoryEntry(
            self.document,
            self.build,
            self.cause,
            self.status,
            self.started_at,
            self.duration_ms,
            self.error,
            tuple(reasons),
            tuple(self.chain),
            self.timing,
        )


def facts_row(workspace: str, facts: Facts, status: Status) -> Row:
    """Return a document's record, with this status."""
    row = {name: value for name in _SCALARS if (value := getattr(facts, name)) is not None}
    row |= {"workspace": workspace, "status": status}
    if facts.problem:
        row["problem"] = _problem_row(facts.problem)
    if facts.warnings:
        row["warnings"] = tuple(map(_problem_row, facts.warnings))
    if facts.stat:
        row["stat"] = _stat_row(facts.stat)
    if facts.route:
        row["route"] = _route_row(facts.route)
    if facts.facets:
        row["facets"] = msgspec.structs.astuple(facts.facets)
    return {"path": facts.id, "facts": row}


def changed_row(workspace: str, change: Change) -> Row:
    """Return a changed document's record: DIRTY, as everything that propagation reaches, unless it is MISSING."""
    missing = change.facts.status is Status.MISSING
    return facts_row(workspace, change.facts, Status.MISSING if missing else Status.DIRTY)


def edge_rows(edges: Mapping[DocumentId, Edges], known: Container[DocumentId], positions: Iterator[int]) -> Row:
    """Return the edges to drop, add and mark; the edges of documents that are not `known` are under "first".

    Positions only ever grow, so they keep the order in which edges were added.
    """
    changes = edges.items()
    add = [(document, each, next(positions)) for document, edges in changes for each in edges.add]
    return {
        "drop": [(document, target) for document, each in changes for target in each.drop],
        "first": [_edge_row(*each) for each in add if each[0] not in known],
        "add": [_edge_row(*each) for each in add if each[0] in known],
        "mark": [_edge_row(document, each) for document, edges in changes for each in edges.mark],
    }


def _edge_row(document: DocumentId, edge: Dependency, position: int = 0) -> tuple[object, ...]:
    facets = None if edge.facets is None else sorted(edge.facets)
    return document, edge.target, edge.kind, edge.line, edge.hash, facets, edge.sure, position


def render_row(workspace: str, result: Result) -> Row | None:
    """Return a record of the job history, or None if nothing was rendered."""
    attempt, facts = result.attempt, result.facts
    if attempt is None:
        return None
    row = {
        "workspace": workspace,
        "document": facts.id,
        "build": attempt.build,
        "cause": attempt.cause,
        "status": facts.status,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "error": str(facts.problem)[:DETAIL_LIMIT] if facts.problem else None,
        "timing": attempt.timing,
        "inputs_hash": facts.inputs_hash,
        "output_hash": facts.output_hash,
    }
    row |= _reasons_row(attempt, ROW_LIMIT - len(str(row["error"])))
    return {name: value for name, value in row.items() if value is not None}


def _reasons_row(attempt: Attempt, room: int) -> Row:
    """Return the chain, and as many of the reasons as fit into `room` bytes."""
    chain = attempt.chain if _size(attempt.chain) <= room // 2 else ()
    room -= _size(chain)
    kept: list[tuple[object, ...]] = []
    for each in attempt.reasons[:MAX_REASONS]:
        fields = (each.kind.value, each.document, each.before or "", each.after or "")
        room -= _size(fields) + _size(each.facets)
        if room < 0:
            break
        kept.append((*fields, each.facets))
    return {"reasons": kept, "chain": chain}


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode(errors="replace")) + 4 for text in texts)


def time_range(build: BuildRecord) -> tuple[str, str]:
    """Return the times between which a build's renders began, in the form of `started_at`; clocks may have been set."""
    began = datetime.fromisoformat(build.started_at)
    ended = began + timedelta(milliseconds=build.duration_ms)
    return f"{began - CLOCK_SET:%Y-%m-%dT%H:%M:%S}", f"{ended + CLOCK_SET:%Y-%m-%dT%H:%M:%S}"


def build_row(workspace: str, build: BuildRecord) -> dict[str, Any]:
    """Return a finished build's record; its id is part of the record's id."""
    fields: dict[str, Any] = msgspec.to_builtins(build)
    return {"workspace": workspace} | {name: value for name, value in fields.items() if name != "id"}


class SnapshotCollector:
    """Collects a snapshot page by page. Equal texts share one object, since most occur many times."""

    def __init__(self) -> None:
        self.documents: list[Facts] = []
        self.dependencies: dict[DocumentId, tuple[Dependency, ...]] = {}
        self._paths: dict[DocumentId, DocumentId] = {}
        self._hashes: dict[str, str] = {}
        self._facets: dict[frozenset[str], frozenset[str]] = {}

    def add(self, documents: Iterable[FactsRow], edges: Iterable[EdgeRow]) -> None:
        """Add documents, and all edges that begin at them, grouped by document."""
        self.documents += [facts_of(row, self._path(row.id)) for row in documents]
        for origin, group in groupby(edges, key=attrgetter("origin")):
            in_order = sorted(group, key=attrgetter("position"))
            self.dependencies[self._path(origin)] = tuple([self._dependency(edge) for edge in in_order])

    def _path(self, path: DocumentId) -> DocumentId:
        return self._paths.setdefault(path, path)

    def _dependency(self, edge: EdgeRow) -> Dependency:
        shared_hash = None if edge.hash is None else self._hashes.setdefault(edge.hash, edge.hash)
        facets = None if edge.facets is None else self._facets.setdefault(edge.facets, edge.facets)
        return Dependency(self._path(edge.target), edge.kind, edge.line, shared_hash, facets, edge.sure)


def positions_from(start: int) -> Iterator[int]:
    """Yield growing numbers. From the wall clock's nanoseconds on, they exceed those of every earlier process."""
    return count(start)


def _problem_row(problem: Problem) -> ProblemRow:
    message, line, column = problem.message[:DETAIL_LIMIT], clamped(problem.line), clamped(problem.column)
    return message, problem.file, line, problem.remedy[:DETAIL_LIMIT], problem.detail[-DETAIL_LIMIT:], column


def _problem_of(row: ProblemRow) -> Problem:
    message, file, line, remedy, detail, column = row
    return Problem(message, file, line, remedy, detail, column=column)


def _route_row(route: Route) -> RouteRow:
    problem = _problem_row(route.problem) if route.problem else None
    return route.slug, route.permalink, route.aliases, route.outputs, route.values, problem


def _route_of(row: RouteRow) -> Route:
    slug, permalink, aliases, outputs, values, problem = row
    return Route(slug, permalink, aliases, outputs, values, _problem_of(problem) if problem else None)


def _stat_row(stat: Stat) -> tuple[int, int, int, int, int]:
    """Fit a file's stat into the database's signed 64-bit integers; inode numbers are unsigned.

    Nanoseconds beyond the year 2262 do not fit. Clamped, they differ from the file's, so each start hashes that file.
    """
    inode = stat.inode - _UINT64_END if stat.inode >= _INT64_END else stat.inode
    return (
        clamped(stat.size),
        clamped(stat.mtime_ns),
        clamped(stat.ctime_ns),
        clamped(inode),
        clamped(stat.hashed_ns),
    )


def _stat_of(row: tuple[int, int, int, int, int]) -> Stat:
    size, mtime_ns, ctime_ns, inode, hashed_ns = row
    return Stat(size, mtime_ns, ctime_ns, inode % _UINT64_END, hashed_ns)
