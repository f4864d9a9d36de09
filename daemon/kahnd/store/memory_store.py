"""A store in memory, for scratch copies and for tests: the simplest description of what every store does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Self

from msgspec.structs import replace

from kahnd.core.model import (
    BuildRecord,
    Change,
    Dependency,
    DocumentId,
    Edges,
    Facts,
    HistoryEntry,
    Kind,
    Problem,
    Result,
    Snapshot,
    Status,
)


class MemoryStore:
    """Fulfils ports.Store without a database; here too, work is proportional to what is affected."""

    def __init__(self) -> None:
        self._facts: dict[DocumentId, Facts] = {}
        self._needs: dict[DocumentId, dict[tuple[DocumentId, Kind], Dependency]] = {}
        self._needed_by: dict[DocumentId, dict[tuple[DocumentId, Kind], None]] = {}
        self._history: dict[tuple[str, str, str], HistoryEntry] = {}
        self._builds: dict[tuple[str, str], BuildRecord] = {}

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return a copy of another store's content, independent of the original."""
        store = cls()
        store._facts = {facts.id: facts for facts in snapshot.documents}
        for document, dependencies in snapshot.dependencies.items():
            store._connect(document, Edges(add=dependencies))
        if snapshot.last_build:
            store._add_build(snapshot.last_build)
        return store

    async def load(self) -> Snapshot:
        """Return everything: documents by id, dependencies in the order they were added."""
        documents = tuple(self._facts[document] for document in sorted(self._facts))
        dependencies = {document: tuple(needs.values()) for document, needs in self._needs.items() if needs}
        return Snapshot(documents, dependencies, self._builds[max(self._builds)] if self._builds else None)

    async def release_memory(self) -> None:
        """Do nothing."""

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        """Write the changes, mark the affected set DIRTY, and return it."""
        for change in changes:
            if not change.forget:
                self._facts[change.facts.id] = change.facts
                self._connect(change.facts.id, change.edges)
        reached = self._reached_by(changes)
        for change in changes:
            if change.forget:
                self._forget(change.facts.id)
        affected = [each for each in reached if each in self._facts and not self._has(each, Status.MISSING)]
        for document in affected:
            self._facts[document] = replace(self._facts[document], status=Status.DIRTY)
        return tuple(affected)

    async def frontier(self) -> tuple[DocumentId, ...]:
        """Return the DIRTY documents that need no other DIRTY one finished first."""
        dirty = [document for document in self._facts if self._has(document, Status.DIRTY)]
        waiting = {dependent for document in dirty for dependent in self._ordered_dependents(document)}
        return tuple(document for document in dirty if document not in waiting)

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        """Return the targets and everything they need."""
        return frozenset(_closure(targets, self._needed))

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        """Return a shortest cycle through this document."""
        paths: deque[tuple[DocumentId, ...]] = deque([(member,)])
        seen: set[DocumentId] = set()
        while paths:
            path = paths.popleft()
            for target in self._ordered_dependencies(path[-1]):
                if target == member:
                    return (*path, member)
                if target not in seen:
                    seen.add(target)
                    paths.append((*path, target))
        return ()

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
        """Write results, their edges and the job history, and a finished build."""
        for result in results:
            self._facts[result.facts.id] = result.facts
            self._connect(result.facts.id, result.edges)
            self._add_history(result)
        if build:
            self._add_build(build)
        return ()

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Return past renders, newest first."""
        newest_first = (self._history[key] for key in sorted(self._history, reverse=True))
        return tuple(entry for entry in newest_first if document in {None, entry.document})[:limit]

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Return finished builds, newest first."""
        return tuple(self._builds[key] for key in sorted(self._builds, reverse=True))[:limit]

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Return the renders of a build."""
        return tuple(each for each in self._history.values() if each.build == build.id)

    async def clear(self) -> None:
        """Forget everything."""
        for each in (self._facts, self._needs, self._needed_by, self._history, self._builds):
            each.clear()

    async def close(self) -> None:
        """Do nothing."""

    def _reached_by(self, changes: Sequence[Change]) -> Iterable[DocumentId]:
        """Return the changed, content dependents of those whose content changed, and all their ordered dependents."""
        changed = [change.facts.id for change in changes]
        is_content = [
            dependent
            for change in changes
            for dependent, kind in self._needed_by.get(change.facts.id, ())
            if kind.is_content and self._is_reached(change, dependent, kind)
        ]
        return _closure([*changed, *is_content], self._ordered_dependents)

    def _needed(self, document: DocumentId) -> Iterable[DocumentId]:
        return (target for target, kind in self._needs.get(document, ()) if kind is not Kind.LINK)

    def _is_reached(self, change: Change, dependent: DocumentId, kind: Kind) -> bool:
        if kind is Kind.LINK:
            return change.linked
        return change.content and self._needs[dependent][change.facts.id, kind].uses_any(change.facets)

    def _ordered_dependents(self, document: DocumentId) -> Iterable[DocumentId]:
        return (dependent for dependent, kind in self._needed_by.get(document, ()) if not kind.is_content)

    def _ordered_dependencies(self, document: DocumentId) -> Iterable[DocumentId]:
        return (target for target, kind in self._needs.get(document, ()) if not kind.is_content)

    def _connect(self, document: DocumentId, edges: Edges) -> None:
        dropped = frozenset(edges.drop)
        for target, kind in [edge for edge in self._needs.get(document, ()) if edge[0] in dropped]:
            self._disconnect(document, target, kind)
        for each in edges.add:
            self._needs.setdefault(document, {})[each.target, each.kind] = each
            self._needed_by.setdefault(each.target, {})[document, each.kind] = None
        there = self._needs.get(document, {})
        there.update({(each.target, each.kind): each for each in edges.mark if (each.target, each.kind) in there})

    def _disconnect(self, document: DocumentId, target: DocumentId, kind: Kind) -> None:
        del self._needs[document][target, kind]
        del self._needed_by[target][document, kind]

    def _forget(self, document: DocumentId) -> None:
        for target, kind in tuple(self._needs.get(document, ())):
            self._disconnect(document, target, kind)
        for dependent, kind in tuple(self._needed_by.get(document, ())):
            self._disconnect(dependent, document, kind)
        self._facts.pop(document, None)

    def _add_history(self, result: Result) -> None:
        attempt, facts = result.attempt, result.facts
        if attempt is None:
            return
        error = str(facts.problem) if facts.problem else None
        key = (attempt.started_at, attempt.build, facts.id)
        entry = HistoryEntry(
            facts.id,
            attempt.build,
            attempt.cause,
            facts.status,
            attempt.started_at,
            attempt.duration_ms,
            error,
            attempt.reasons,
            attempt.chain,
            attempt.timing,
        )
        self._history.setdefault(key, entry)

    def _add_build(self, build: BuildRecord) -> None:
        self._builds[build.started_at, build.id] = build

    def _has(self, document: DocumentId, status: Status) -> bool:
        return self._facts[document].status is status


def _closure(start: Iterable[DocumentId], step: Callable[[DocumentId], Iterable[DocumentId]]) -> dict[DocumentId, None]:
    """Return the start and all that is reachable from it by `step`, each once, nearest first."""
    found = dict.fromkeys(start)
    queue = deque(found)
    while queue:
        new = [each for each in dict.fromkeys(step(queue.popleft())) if each not in found]
        found |= dict.fromkeys(new)
        queue.extend(new)
    return found
