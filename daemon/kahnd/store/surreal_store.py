"""The store in SurrealDB: one workspace's changes, results and questions, as queries over a connection."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from kahnd.core.model import (
    NO_EDGES,
    BuildRecord,
    Change,
    DocumentId,
    Edges,
    Facts,
    HistoryEntry,
    Problem,
    Result,
    Snapshot,
    Status,
)
from kahnd.core.project_files import EMBEDDED, REMOTE, is_embedded, names_server
from kahnd.core.renderings import document_of
from kahnd.core.scheduler import shortest_cycle
from kahnd.core.text import shortened
from kahnd.errors import StoreCorruptError, StoreError, StoreRefusedError
from kahnd.store import codec, queries
from kahnd.store.connection import (
    DEFAULT_LIMITS,
    Connection,
    Limits,
    Refused,
    StoreAddress,
    WorkspaceCalls,
    needs_more_rounds,
)
from kahnd.store.database_folder import Maintenance
from kahnd.store.embedded import EmbeddedConnection
from kahnd.store.remote import RemoteConnection

CHUNK: Final = 10_000
"""Rows and edges that one transaction may write, which takes about a second; only a first scan has more."""

T = TypeVar("T")
C = TypeVar("C", Change, Result)


def _ignore(_problem: Problem) -> None:
    pass


@dataclass(frozen=True, slots=True)
class StoreListener:
    """Callbacks about lost facts.

    `on_moved_aside`: an embedded database was unusable, and moved aside. `on_refused`: the database does not accept a
    document's facts; those of other documents are written.
    """

    on_moved_aside: Callable[[Problem], None] = _ignore
    on_refused: Callable[[Problem], None] = _ignore


async def open_store(
    address: StoreAddress,
    *,
    root: Path,
    credentials: tuple[str, str] | None = None,
    listener: StoreListener = StoreListener(),
    limits: Limits = DEFAULT_LIMITS,
) -> SurrealStore:
    """Open the store at `address`; an embedded database's folder is relative to `root`, and this process locks it.

    Raises StoreLostError if a server can't be reached, StoreError if the database can't be used.
    """
    connection: Connection
    if is_embedded(address.url):
        embedded = EmbeddedConnection(address, root, listener.on_moved_aside, limits)
        await embedded.open()
        connection = embedded
    elif names_server(address.url):
        connection = RemoteConnection(address, credentials, limits)
        await connection.run(queries.READ_SCHEMA_VERSION)
    else:
        raise StoreError(Problem(f"store.url is none of {EMBEDDED}, {' and '.join(REMOTE)}"))
    return SurrealStore(connection, address.workspace, limits, listener.on_refused)


class SurrealStore:
    """Fulfils ports.Store for one workspace of a database."""

    def __init__(
        self,
        connection: Connection,
        workspace: str,
        limits: Limits = DEFAULT_LIMITS,
        on_refused: Callable[[Problem], None] = _ignore,
    ) -> None:
        self._connection = connection
        self._calls = WorkspaceCalls(connection.run, workspace)
        self._limits = limits
        self._maintenance = Maintenance(connection, self._calls, limits)
        self._on_refused = on_refused
        self._refused: list[Problem] = []
        self._positions = codec.positions_from(time.time_ns())
        self._known: set[DocumentId] = set()
        self._dirty: set[DocumentId] = set()
        self._warnings: dict[DocumentId, int] = {}
        """How many warnings the documents that have any have: each counts as a record."""

    async def load(self) -> Snapshot:
        """Read everything. A damaged embedded database is replaced by an empty one; a swollen one is rewritten."""
        try:
            snapshot = await self._read()
        except StoreCorruptError as error:
            await self._connection.rebuild(error)
            snapshot = await self._read()
        self._known = {facts.id for facts in snapshot.documents}
        self._dirty = {facts.id for facts in snapshot.documents if facts.status is Status.DIRTY}
        self._warnings = {facts.id: len(facts.warnings) for facts in snapshot.documents if facts.warnings}
        await self._maintenance.after_load(snapshot, lambda: self._rewrite(snapshot))
        return snapshot

    async def release_memory(self) -> None:
        """Free the memory that loading has taken."""
        await self._maintenance.release_memory()

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        """Write changes and mark the affected set DIRTY; see `queries.propagate`.

        Changes that exceed one transaction are written in several, and each leaves the database consistent: if they
        are interrupted, a document has either its old facts, and so is found to have changed again, or the new ones
        with all its edges, and its dependents are DIRTY.
        """
        affected: dict[DocumentId, None] = {}
        later = {change.facts.id for change in changes if not change.forget}
        for chunk in _chunks(changes):
            now = {change.facts.id for change in chunk} & later
            later -= now
            affected |= dict.fromkeys(await self._propagate_chunk(chunk, now, later))
        gone = {change.facts.id for change in changes if change.forget or change.facts.status is Status.MISSING}
        return tuple(each for each in affected if each not in gone)

    async def frontier(self) -> tuple[DocumentId, ...]:
        """Return the DIRTY documents that need no other; which are DIRTY is known here, since an index slows edits."""
        return tuple(await self._calls.ask(queries.FRONTIER, list[DocumentId], dirty=list(self._dirty)))

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        """Return the targets and everything they need."""
        unique = list(dict.fromkeys(targets))
        return frozenset(await self._ask_recursively(queries.subgraph, list[DocumentId], targets=unique))

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        """Return a shortest cycle through this document; searched here if the engine can't recurse as deep."""
        answer = await self._ask_recursively(queries.cycle, _CycleAnswer, member=member)
        path = answer.path if answer.edges is None else shortest_cycle(member, dict(answer.edges))
        return (member, *path) if path else ()

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
        """Write results, and return the problems with documents that were refused since the last time.

        Results that exceed one transaction are written in several: each result is independent. A finished build is
        written with the last of them; then the history may be pruned.
        """
        *earlier, last = tuple(_chunks(results)) or ((),)
        for chunk in earlier:
            await self._write_or_split(chunk, self._commit)
        await self._write_or_split(last, lambda some: self._commit(some, build))
        if build:
            records = len(self._known) + sum(self._warnings.values())
            await self._maintenance.after_build(records, self._load_and_rewrite)
        refused, self._refused = tuple(self._refused), []
        return refused

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Return past renders, newest first."""
        query = queries.HISTORY if document is None else queries.HISTORY_OF
        rows = await self._calls.ask(query, list[codec.RenderRow], document=document, limit=limit)
        return tuple(row.entry() for row in rows)

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Return finished builds, newest first."""
        return tuple(await self._calls.ask(queries.BUILDS, list[BuildRecord], limit=limit))

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Return the renders of a build; reads no others than those that began meanwhile."""
        first, last = codec.time_range(build)
        rows = await self._calls.ask(queries.RENDERS_OF, list[codec.RenderRow], build=build.id, first=first, last=last)
        return tuple(row.entry() for row in rows)

    async def clear(self) -> None:
        """Delete all records of the workspace."""
        await self._calls.run(queries.CLEAR)
        for each in (self._known, self._dirty, self._warnings):
            each.clear()

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    # Reading and rewriting

    async def _read(self) -> Snapshot:
        snapshot = await self._load()
        await self._maintenance.count_history()
        return snapshot

    async def _load(self) -> Snapshot:
        return await self._connection.together(lambda run: WorkspaceCalls(run, self._calls.workspace).load())

    async def _load_and_rewrite(self) -> None:
        await self._rewrite(await self._load())

    async def _rewrite(self, snapshot: Snapshot) -> None:
        renders = await self._calls.ask(queries.RENDERS, list[dict[str, Any]])

        async def fill(connection: Connection) -> None:
            new = SurrealStore(connection, self._calls.workspace, self._limits)
            for start in range(0, len(renders), CHUNK):
                await new._write({"renders": renders[start : start + CHUNK]})
            known = snapshot.dependencies
            results = [Result(each, Edges(known.get(each.id, ()))) for each in snapshot.documents]
            await new.commit(results, snapshot.last_build)

        await self._connection.replace(fill)

    # Propagating

    async def _propagate_chunk(
        self, chunk: Sequence[Change], now: Collection[DocumentId], later: Collection[DocumentId]
    ) -> list[DocumentId]:
        """Return the affected set of a chunk. If it is split, a part may depend on documents of another part."""

        def write(some: Sequence[Change]) -> Awaitable[list[DocumentId]]:
            return self._propagate(some, later if len(some) == len(chunk) else {*now, *later})

        return [each for affected in await self._write_or_split(chunk, write) for each in affected]

    async def _propagate(self, changes: Sequence[Change], later: Collection[DocumentId]) -> list[DocumentId]:
        kept = [change for change in changes if not change.forget]
        forgotten = [change.facts.id for change in changes if change.forget]
        targets = {each.target for change in kept for each in change.edges.add}
        rows = {change.facts.id: codec.changed_row(self._calls.workspace, change) for change in kept}
        lists = _non_empty(
            {
                "expected": list(targets.intersection(later)),
                "changed": list(dict.fromkeys(change.facts.id for change in changes)),
                **_with_content(changes),
                "linked": [change.facts.id for change in changes if change.linked],
                "forget": forgotten,
                **self._split_known(rows),
                **self._edges(kept),
            }
        )
        query = partial(queries.propagate, frozenset(lists))
        others = await self._ask_recursively(query, list[DocumentId], **lists)
        affected = [*(change.facts.id for change in kept if change.facts.status is not Status.MISSING), *others]
        self._known.update(change.facts.id for change in kept)
        self._known.difference_update(forgotten)
        self._note_warnings(changes)
        self._dirty.difference_update(change.facts.id for change in changes)
        self._dirty.update(affected)
        return affected

    # Writing

    async def _commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> None:
        workspace = self._calls.workspace
        renders = [row for each in results if (row := codec.render_row(workspace, each))]
        rows = {each.facts.id: codec.facts_row(workspace, each.facts, each.facts.status) for each in results}
        finished = {"id": build.id, "build": codec.build_row(workspace, build)} if build else {}
        await self._write({"renders": renders, **self._split_known(rows), **self._edges(results), **finished})
        self._known |= rows.keys()
        self._note_warnings(results)
        self._dirty.difference_update(rows)
        self._dirty.update(each.facts.id for each in results if each.facts.status is Status.DIRTY)
        self._maintenance.added_renders(len(renders))

    def _note_warnings(self, changed: Iterable[Change | Result]) -> None:
        for each in changed:
            self._warnings.pop(each.facts.id, None)
            if each.facts.warnings:
                self._warnings[each.facts.id] = len(each.facts.warnings)

    async def _write_or_split(self, items: Sequence[C], write: Callable[[Sequence[C]], Awaitable[T]]) -> list[T]:
        """Write all items at once; if the database refuses them, write halves of them.

        A single item that is refused is replaced by the fact that it was refused.
        """
        try:
            return [await write(items)]
        except StoreRefusedError as error:
            if not items:
                raise
            if len(items) == 1:
                substitute = _refused(items[0], error)
                if items[0] == substitute:  # the substitute is refused as well
                    raise
                problem = substitute.facts.problem or error.problems[0]
                self._refused.append(dataclasses.replace(problem, file=items[0].facts.id))
                self._on_refused(problem)
                return [await write([substitute])]
            middle = len(items) // 2
            halves = (items[:middle], items[middle:])
            return [each for half in halves for each in await self._write_or_split(half, write)]

    async def _write(self, lists: Mapping[str, object]) -> None:
        filled = _non_empty(lists)
        if filled:
            await self._calls.run(queries.commit(frozenset(filled)), **filled)

    def _split_known(self, rows: Mapping[DocumentId, codec.Row]) -> dict[str, object]:
        """Split records into those that exist, and those that may not."""
        return {
            "known": [row for document, row in rows.items() if document in self._known],
            "rows": [row for document, row in rows.items() if document not in self._known],
        }

    def _edges(self, changed: Iterable[Change | Result]) -> dict[str, object]:
        merged: dict[DocumentId, Edges] = {}
        for each in changed:
            if each.edges != NO_EDGES:
                merged[each.facts.id] = merged.get(each.facts.id, NO_EDGES).then(each.edges)
        return codec.edge_rows(merged, self._known, self._positions)

    async def _ask_recursively(self, query: Callable[[int], str], kind: type[T], **payload: object) -> T:
        """Run a query with as many rounds of recursion as the graph's depth requires."""
        for rounds in queries.ROUNDS:
            try:
                return await self._calls.ask(query(rounds), kind, **payload)
            except Refused as refused:
                if not needs_more_rounds(refused):
                    raise
        levels = queries.ROUNDS[-1] * queries.RECURSION_LIMIT
        raise StoreError(Problem(f"a chain of dependencies is more than {levels} documents long"))


class _CycleAnswer(msgspec.Struct):
    path: list[DocumentId] | None = None
    edges: list[tuple[DocumentId, list[DocumentId]]] | None = None


def _refused(item: C, error: StoreRefusedError) -> C:
    """Return a substitute for a row that the database refuses, so that the document is examined again."""
    document = item.facts.id
    message = f"the database refuses its facts: {shortened(error.problems[0].message)}"
    problem = Problem(message, document_of(document), 0, "report this, with the document")
    status = Status.FAILED if isinstance(item, Result) else item.facts.status
    facts = Facts(document, status, problem=problem, output=item.facts.output)
    return replace(item, facts=facts, edges=NO_EDGES)


def _with_content(changes: Sequence[Change]) -> dict[str, list[DocumentId]]:
    """Return the documents whose content changed: by facet, and as `content` if all facets may have."""
    by_facet = {
        facet.value: [each.facts.id for each in changes if each.content and each.facets and facet in each.facets]
        for facet in queries.FACETS
    }
    return {
        "content": [each.facts.id for each in changes if each.content and each.facets is None],
        "bytes": [each.facts.id for each in changes if each.content and each.facets is not None and not each.facets],
        **by_facet,
    }


def _non_empty(lists: Mapping[str, object]) -> dict[str, object]:
    """Drop empty lists, so that their writes are not part of the query."""
    return {name: each for name, each in lists.items() if each}


def _chunks(items: Sequence[C]) -> Iterator[Sequence[C]]:
    """Split items into as many as one transaction may write, but at least one, in order."""
    start = weight = 0
    for index, each in enumerate(items):
        cost = 1 + len(each.edges.add) + len(each.edges.drop) + len(each.edges.mark)
        if weight and weight + cost > CHUNK:
            yield items[start:index]
            start, weight = index, 0
        weight += cost
    if weight:
        yield items[start:]
