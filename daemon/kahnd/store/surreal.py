"""The store in SurrealDB: changes, results and questions, as the queries of `queries` over one connection."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from kahnd.core.text import shortened
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError, StoreRefusedError
from kahnd.store import queries, rows
from kahnd.store.calls import FIRST_PAGE, Calls
from kahnd.store.connection import DEFAULT_LIMITS, Connection, Limits, Place, Refused, is_deeper
from kahnd.store.embedded import EmbeddedConnection
from kahnd.store.remote import RemoteConnection

CHUNK: Final = 10_000
"""Rows and edges that one transaction may write; only a first scan has more. Takes about a second."""

SLACK: Final = 20
"""A table of the history may be a twentieth longer than its limit: it is cut then, and not a few lines each time."""

T = TypeVar("T")
C = TypeVar("C", Change, Result)


class _CycleAnswer(msgspec.Struct):
    path: list[DocumentId] | None = None
    edges: list[tuple[DocumentId, list[DocumentId]]] | None = None


async def open_store(  # noqa: PLR0913 - a place, its limits, and who hears what
    place: Place,
    *,
    root: Path,
    credentials: tuple[str, str] | None = None,
    report: Callable[[Problem], None] = lambda _: None,
    refused: Callable[[Problem], None] = lambda _: None,
    limits: Limits = DEFAULT_LIMITS,
) -> SurrealStore:
    """The store at `place`; an embedded one's folder is relative to `root`, and this process has it alone.

    `report` is told when an embedded database was unusable and moved aside; `refused`, of a document whose facts the
    database does not take: the others are written. Raises StoreLostError where a server
    can't be reached, StoreError where the database can't be used.
    """
    if place.url.startswith("surrealkv://"):
        embedded = EmbeddedConnection(place, root, report, limits)
        await embedded.open()
        return SurrealStore(embedded, place.workspace, limits, refused)
    if place.url.startswith(("ws://", "wss://")):
        remote = RemoteConnection(place, credentials, limits)
        await remote.run(queries.SCHEMA_VERSION)
        return SurrealStore(remote, place.workspace, limits, refused)
    raise StoreError(Problem("store.url is none of surrealkv://, ws:// and wss://"))


class SurrealStore:
    """ports.Store for one workspace of a database."""

    def __init__(
        self,
        connection: Connection,
        workspace: str,
        limits: Limits = DEFAULT_LIMITS,
        refused: Callable[[Problem], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._report_refused = refused
        self._refused: list[Problem] = []
        self._workspace = workspace
        self._calls = Calls(connection.run, workspace)
        self._limits = limits
        # Of each table of the history, how many records are kept, and how many there are as far as is known.
        self._kept = {"render": limits.renders, "build": limits.builds}
        self._length = dict.fromkeys(self._kept, 0)
        self._positions = rows.positions_from(time.time_ns())
        self._known: set[DocumentId] = set()
        self._dirty: set[DocumentId] = set()
        self._has_read_much = False
        self._openings = connection.openings

    async def load(self) -> Snapshot:
        """Everything known. An embedded database that turns out to be damaged is begun again, and so is empty.

        One that has swollen is written anew, if there is room for that.
        """
        try:
            snapshot = await self._read()
        except StoreCorruptError as error:
            await self._connection.rebuild(error)
            snapshot = await self._read()
        self._known = {facts.id for facts in snapshot.documents}
        self._dirty = {facts.id for facts in snapshot.documents if facts.status is Status.DIRTY}
        if self._limits.is_swollen(self._connection.size(), _records(snapshot)):
            with suppress(StoreLostError):
                await self._write_anew(snapshot)
        self._has_read_much = len(snapshot.documents) > FIRST_PAGE
        self._openings = self._connection.openings
        return snapshot

    async def _read(self) -> Snapshot:
        """What is known. How long the history is, too: counting it later would bring it into the engine's memory."""
        snapshot = await self._load()
        self._length = {table: await self._count(table) for table in self._kept}
        return snapshot

    async def relax(self) -> None:
        """Give back the memory that loading has taken. Mostly 130 ms; more where the engine compacts its tables."""
        if self._has_read_much:
            await self._connection.renew()
        self._has_read_much = False

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        """The affected set of these changes; see `queries.propagate`.

        More changes than one transaction bears are several, and each leaves the database true: in one that is cut
        short, every document has either its old facts, and so is found to have changed again, or the new ones with
        all their edges, and what they reach is DIRTY.
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
        """The next batch; the DIRTY ones are known here, since an index costs each edit a tenth more."""
        return tuple(await self._calls.ask(queries.FRONTIER, list[DocumentId], dirty=list(self._dirty)))

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        """The targets and everything they need."""
        wanted = list(dict.fromkeys(targets))
        return frozenset(await self._ask_deep(queries.subgraph, list[DocumentId], targets=wanted))

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        """A shortest cycle through this document; searched here where the engine can't recurse as deep."""
        answer = await self._ask_deep(queries.cycle, _CycleAnswer, member=member)
        path = answer.path if answer.edges is None else _shortest_cycle(member, dict(answer.edges))
        return (member, *path) if path else ()

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
        """Write results; what was refused since the last time.

        More than one transaction bears are several: each result stands for itself. A finished build goes with the last
        of them, and so do, now and then, the oldest of the history.
        """
        *earlier, last = tuple(_chunks(results)) or ((),)
        for chunk in earlier:
            await self._each(chunk, self._commit)
        await self._each(last, lambda some: self._commit(some, build))
        if build:
            await self._prune()
            await self._stay_small()
        refused, self._refused = tuple(self._refused), []
        return refused

    async def _commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> None:
        renders = [row for each in results if (row := rows.render_row(self._workspace, each))]
        written = {each.facts.id: rows.facts_row(self._workspace, each.facts, each.facts.status) for each in results}
        ended = {"id": build.id, "build": rows.build_row(self._workspace, build)} if build else {}
        await self._write({"renders": renders, **self._written(written), **self._edges(results), **ended})
        self._known |= written.keys()
        self._dirty.difference_update(written)
        self._dirty.update(each.facts.id for each in results if each.facts.status is Status.DIRTY)
        self._length["render"] += len(renders)

    async def _each(self, items: Sequence[C], write: Callable[[Sequence[C]], Awaitable[T]]) -> list[T]:
        """Write all at once. Where the database refuses, halves of them: of one that it refuses, that it did."""
        try:
            return [await write(items)]
        except StoreRefusedError as error:
            if not items:
                raise
            if len(items) == 1:
                refused = _refused(items[0], error)
                if items[0] == refused:  # not even that
                    raise
                problem = refused.facts.problem or error.problems[0]
                self._refused.append(problem)
                self._report_refused(problem)
                return [await write([refused])]
            middle = len(items) // 2
            return [each for half in (items[:middle], items[middle:]) for each in await self._each(half, write)]

    async def _write(self, lists: Mapping[str, object]) -> None:
        there = _filled(lists)
        if there:
            await self._calls.run(queries.commit(frozenset(there)), **there)

    async def _prune(self) -> None:
        self._length["build"] += 1
        for table, bound in self._kept.items():
            if self._length[table] > bound + bound // SLACK:
                await self._calls.run(queries.prune(table), bound=bound)
                self._length[table] = bound

    async def _count(self, table: str) -> int:
        return await self._calls.ask(queries.count(table), int)

    async def _stay_small(self) -> None:
        """Between builds, and once after each reopening: write a database anew that has swollen, if there is room."""
        if self._openings == self._connection.openings:
            return
        if await self._has_swollen():
            with suppress(StoreLostError):
                await self._write_anew(await self._load())
        self._openings = self._connection.openings

    async def _has_swollen(self) -> bool:
        """Edges are counted only where they decide; to read them would take seconds, and stay in memory."""
        size, documents = self._connection.size(), len(self._known)
        if not self._limits.is_swollen(size, documents):
            return False
        return self._limits.is_swollen(size, documents + await self._count("depends_on"))

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Past renders, newest first."""
        query = queries.HISTORY if document is None else queries.HISTORY_OF
        found = await self._calls.ask(query, list[rows.RenderRow], document=document, limit=limit)
        return tuple(row.entry() for row in found)

    async def clear(self) -> None:
        """Forget all of the workspace."""
        await self._calls.run(queries.CLEAR)
        self._known.clear()
        self._dirty.clear()

    async def close(self) -> None:
        """Give the database up."""
        await self._connection.close()

    async def _write_anew(self, snapshot: Snapshot) -> None:
        renders = await self._calls.ask(queries.RENDERS, list[dict[str, Any]])

        async def fill(connection: Connection) -> None:
            other = SurrealStore(connection, self._workspace, self._limits)
            for start in range(0, len(renders), CHUNK):
                past = renders[start : start + CHUNK]
                await other._write({"renders": past})
            known = snapshot.dependencies
            results = [Result(each, Edges(known.get(each.id, ()))) for each in snapshot.documents]
            await other.commit(results, snapshot.last_build)

        await self._connection.replace(fill)

    async def _load(self) -> Snapshot:
        return await self._connection.together(lambda run: Calls(run, self._workspace).everything())

    async def _propagate_chunk(
        self, chunk: Sequence[Change], now: Collection[DocumentId], later: Collection[DocumentId]
    ) -> list[DocumentId]:
        """The affected set of these: in parts, each may depend on documents of the others."""

        def write(some: Sequence[Change]) -> Awaitable[list[DocumentId]]:
            return self._propagate(some, later if len(some) == len(chunk) else {*now, *later})

        return [each for reached in await self._each(chunk, write) for each in reached]

    async def _propagate(self, changes: Sequence[Change], later: Collection[DocumentId]) -> list[DocumentId]:
        kept = [change for change in changes if not change.forget]
        forgotten = [change.facts.id for change in changes if change.forget]
        targets = {each.target for change in kept for each in change.edges.add}
        lists = _filled(
            {
                "expected": list(targets.intersection(later)),
                "changed": list(dict.fromkeys(change.facts.id for change in changes)),
                "content": [change.facts.id for change in changes if change.content],
                "forget": forgotten,
                **self._written({change.facts.id: rows.changed_row(self._workspace, change) for change in kept}),
                **self._edges(kept),
            }
        )
        query = partial(queries.propagate, frozenset(lists))
        others = await self._ask_deep(query, list[DocumentId], **lists)
        reached = [*(change.facts.id for change in kept if change.facts.status is not Status.MISSING), *others]
        self._known.update(change.facts.id for change in kept)
        self._known.difference_update(forgotten)
        self._dirty.difference_update(change.facts.id for change in changes)
        self._dirty.update(reached)
        return reached

    def _written(self, written: Mapping[DocumentId, rows.Row]) -> dict[str, object]:
        """The records that are there, and those that may not be."""
        return {
            "known": [row for document, row in written.items() if document in self._known],
            "rows": [row for document, row in written.items() if document not in self._known],
        }

    def _edges(self, changed: Iterable[Change | Result]) -> dict[str, object]:
        folded: dict[DocumentId, Edges] = {}
        for each in changed:
            if each.edges != NO_EDGES:
                folded[each.facts.id] = folded.get(each.facts.id, NO_EDGES).then(each.edges)
        return rows.edge_rows(folded, self._known, self._positions)

    async def _ask_deep(self, query: Callable[[int], str], kind: type[T], **payload: object) -> T:
        """Ask with as many rounds of recursion as the graph turns out to be deep."""
        for rounds in queries.ROUNDS:
            try:
                return await self._calls.ask(query(rounds), kind, **payload)
            except Refused as refused:
                if not is_deeper(refused):
                    raise
        levels = queries.ROUNDS[-1] * queries.RECURSION_LIMIT
        raise StoreError(Problem(f"a chain of dependencies is more than {levels} documents long"))


def _refused(item: C, error: StoreRefusedError) -> C:
    """In the place of a row that the database refuses: the document is to be looked at again."""
    document = item.facts.id
    message = f"the database does not take what is known of it: {shortened(error.problems[0].message)}"
    problem = Problem(message, document, 0, "report this, with the document")
    status = Status.FAILED if isinstance(item, Result) else item.facts.status
    facts = Facts(document, status, problem=problem, output=item.facts.output)
    return replace(item, facts=facts, edges=NO_EDGES)


def _filled(lists: Mapping[str, object]) -> dict[str, object]:
    """Without those that are empty: what has nothing in it is no part of a query."""
    return {name: each for name, each in lists.items() if each}


def _records(snapshot: Snapshot) -> int:
    """Documents and edges."""
    return len(snapshot.documents) + sum(map(len, snapshot.dependencies.values()))


def _chunks(items: Sequence[C]) -> Iterator[Sequence[C]]:
    """The items in order, each time as many as one transaction bears, at least one."""
    start = weight = 0
    for index, each in enumerate(items):
        cost = 1 + len(each.edges.add) + len(each.edges.drop) + len(each.edges.mark)
        if weight and weight + cost > CHUNK:
            yield items[start:index]
            start, weight = index, 0
        weight += cost
    if weight:
        yield items[start:]


def _shortest_cycle(member: DocumentId, needs: dict[DocumentId, list[DocumentId]]) -> list[DocumentId]:
    """A shortest way from a document back to itself, without its start; breadth first."""
    came_from: dict[DocumentId, DocumentId] = {}
    queue = deque([member])
    while queue and member not in came_from:
        document = queue.popleft()
        for target in needs.get(document, ()):
            if target not in came_from:
                came_from[target] = document
                queue.append(target)
    return _way_back(member, came_from)


def _way_back(member: DocumentId, came_from: dict[DocumentId, DocumentId]) -> list[DocumentId]:
    path: list[DocumentId] = []
    at = member
    while member in came_from and (not path or at != member):
        path.append(at)
        at = came_from[at]
    return path[::-1]
