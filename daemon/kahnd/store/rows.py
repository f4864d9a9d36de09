"""Documents, edges and history between the frozen values and the JSON that goes in and out of the database.

Everything is JSON text on the way, because the engine and msgspec both read it fast; a missing value is left out on
the way in, and null on the way out.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import count, groupby
from operator import attrgetter
from typing import Any, Final

import msgspec

from kahnd.core.model import (
    Attempt,
    Because,
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
    Result,
    Stat,
    Status,
)
from kahnd.core.text import clamped
from kahnd.store.queries import FACTS

DETAIL_LIMIT: Final = 3000
"""Characters kept of a renderer's own output: values above 4 KB are never reclaimed by the embedded engine."""

ROW_LIMIT: Final = 3000
"""Bytes that a line of the job history has for its error, its reasons and its chain."""
MOST_REASONS: Final = 20

Row = dict[str, object]
_PLAIN: Final = tuple(name for name in FACTS if name not in {"problem", "stat", "facets"})
_SIGN: Final = 1 << 63
_WRAP: Final = 1 << 64


class FactsRow(msgspec.Struct, array_like=True, frozen=True):
    """A document as `queries.DOCUMENTS` answers it: its path, then its fields in the order of `queries.FACTS`."""

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
    problem: tuple[str, str, int, str, str] | None
    because: DocumentId | None
    stat: tuple[int, int, int, int, int] | None
    facets: tuple[Digest, Digest, Digest] | None
    took_ms: float | None

    def facts(self, path: DocumentId) -> Facts:
        """The document's facts, with this path for its id. Hashes that are mostly the same are one object then."""
        content_hash, output_hash, recipe_hash = self.content_hash, self.output_hash, self.recipe_hash
        return Facts(
            path,
            self.status,
            content_hash,
            content_hash if self.last_rendered_hash == content_hash else self.last_rendered_hash,
            self.inputs_hash,
            output_hash,
            output_hash if self.effective_hash == output_hash else self.effective_hash,
            recipe_hash,
            recipe_hash if self.last_recipe_hash == recipe_hash else self.last_recipe_hash,
            self.output,
            Problem(*self.problem) if self.problem else None,
            self.because,
            _stat_of(self.stat) if self.stat else None,
            Facets(*self.facets) if self.facets else None,
            self.took_ms,
        )


class EdgeRow(msgspec.Struct, array_like=True, frozen=True):
    """An edge as `queries.EDGES` answers it."""

    origin: DocumentId
    target: DocumentId
    kind: Kind
    line: int
    position: int
    hash: str | None
    facets: frozenset[Facet] | None
    sure: bool


class RenderRow(msgspec.Struct, frozen=True):
    """A line of the job history as `queries.HISTORY` answers it."""

    document: DocumentId
    build: BuildId
    cause: str
    status: Status
    started_at: str
    duration_ms: float
    error: str | None
    reasons: list[tuple[Because, DocumentId, str, str, list[Facet]]]
    chain: list[DocumentId]

    def entry(self) -> HistoryEntry:
        """The past render."""
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
        )


def facts_row(workspace: str, facts: Facts, status: Status) -> Row:
    """A document's record, with this status."""
    row = {name: value for name in _PLAIN if (value := getattr(facts, name)) is not None}
    row |= {"workspace": workspace, "status": status}
    if facts.problem:
        row["problem"] = _problem_row(facts.problem)
    if facts.stat:
        row["stat"] = _stat_row(facts.stat)
    if facts.facets:
        row["facets"] = (facts.facets.front_matter, facts.facets.text, facts.facets.title)
    return {"path": facts.id, "facts": row}


def changed_row(workspace: str, change: Change) -> Row:
    """A changed document's record: DIRTY, as everything propagation reaches, unless it is MISSING."""
    missing = change.facts.status is Status.MISSING
    return facts_row(workspace, change.facts, Status.MISSING if missing else Status.DIRTY)


def edge_rows(edges: Mapping[DocumentId, Edges], known: Container[DocumentId], positions: Iterator[int]) -> Row:
    """What to drop, to add and to mark; of documents not `known`, the first edges there are.

    Positions only ever grow, so they keep the order of adding.
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
    """A line of the job history; None where nothing was rendered."""
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
        "inputs_hash": facts.inputs_hash,
        "output_hash": facts.output_hash,
    }
    row |= _why_row(attempt, ROW_LIMIT - len(str(row["error"])))
    return {name: value for name, value in row.items() if value is not None}


def _why_row(attempt: Attempt, room: int) -> Row:
    """The chain, and as many of the reasons as there is room for."""
    chain = attempt.chain if _size(attempt.chain) <= room // 2 else ()
    room -= _size(chain)
    kept: list[tuple[object, ...]] = []
    for each in attempt.reasons[:MOST_REASONS]:
        fields = (each.kind.value, each.document, each.before or "", each.after or "")
        room -= _size(fields) + _size(each.facets)
        if room < 0:
            break
        kept.append((*fields, each.facets))
    return {"reasons": kept, "chain": chain}


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode(errors="replace")) + 4 for text in texts)


def build_row(workspace: str, build: BuildRecord) -> dict[str, Any]:
    """A finished build's record; its id is part of the record's."""
    fields: dict[str, Any] = msgspec.to_builtins(build)
    return {"workspace": workspace} | {name: value for name, value in fields.items() if name != "id"}


class Gathered:
    """What a database knows, taken over page by page. Equal texts become one object: there are many of most."""

    def __init__(self) -> None:
        self.documents: list[Facts] = []
        self.dependencies: dict[DocumentId, tuple[Dependency, ...]] = {}
        self._paths: dict[DocumentId, DocumentId] = {}
        self._hashes: dict[str, str] = {}
        self._facets: dict[frozenset[Facet], frozenset[Facet]] = {}

    def add(self, documents: Iterable[FactsRow], edges: Iterable[EdgeRow]) -> None:
        """Some documents, and all edges that begin at them, each document's together."""
        self.documents += [row.facts(self._path(row.id)) for row in documents]
        for origin, group in groupby(edges, key=attrgetter("origin")):
            in_order = sorted(group, key=attrgetter("position"))
            self.dependencies[self._path(origin)] = tuple([self._dependency(edge) for edge in in_order])

    def _path(self, path: DocumentId) -> DocumentId:
        return self._paths.setdefault(path, path)

    def _dependency(self, edge: EdgeRow) -> Dependency:
        known = None if edge.hash is None else self._hashes.setdefault(edge.hash, edge.hash)
        facets = None if edge.facets is None else self._facets.setdefault(edge.facets, edge.facets)
        return Dependency(self._path(edge.target), edge.kind, edge.line, known, facets, edge.sure)


def positions_from(start: int) -> Iterator[int]:
    """Growing numbers. Started at the wall clock's nanoseconds, they are above those of every earlier process."""
    return count(start)


def _problem_row(problem: Problem) -> tuple[str, str, int, str, str]:
    message, line = problem.message[:DETAIL_LIMIT], clamped(problem.line)
    return message, problem.file, line, problem.remedy[:DETAIL_LIMIT], problem.detail[-DETAIL_LIMIT:]


def _stat_row(stat: Stat) -> tuple[int, int, int, int, int]:
    """Inode numbers are unsigned; the database's whole numbers are not.

    A time beyond the year 2262 is no nanoseconds in 64 bits. Clamped, it is another than the file's: a start hashes
    that file again.
    """
    inode = stat.inode - _WRAP if stat.inode >= _SIGN else stat.inode
    return (
        clamped(stat.size),
        clamped(stat.mtime_ns),
        clamped(stat.ctime_ns),
        clamped(inode),
        clamped(stat.hashed_ns),
    )


def _stat_of(row: tuple[int, int, int, int, int]) -> Stat:
    size, mtime_ns, ctime_ns, inode, hashed_ns = row
    return Stat(size, mtime_ns, ctime_ns, inode % _WRAP, hashed_ns)
