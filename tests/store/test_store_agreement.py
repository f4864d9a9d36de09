"""Random graphs and random changes: SurrealDB, the store in memory and a naive oracle agree after every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kahnd.core.model import Change, Dependency, Digest, DocumentId, Edges, Facet, Facts, Kind, Result, Snapshot, Status
from kahnd.ports import Store
from kahnd.store.memory_store import MemoryStore
from kahnd.store.queries import FACETS
from kahnd.store.surreal_store import CHUNK, SurrealStore

DOCUMENTS = [DocumentId(name) for name in ("a", "b", "c", "d/e", "d/f", "_g", "/d/*")]
KINDS = [Kind.INCLUDE, Kind.DATA, Kind.PAGE, Kind.COLLECTION]
WORKSPACES = map(str, count())

documents = st.sampled_from(DOCUMENTS)
facets = st.none() | st.frozensets(st.sampled_from(Facet))
changed_facets = st.none() | st.frozensets(st.sampled_from(FACETS))
dependencies = st.builds(Dependency, documents, st.sampled_from(KINDS), st.integers(0, 9), facets=facets)
edges = st.builds(
    Edges,
    st.lists(dependencies, max_size=3).map(tuple),
    st.lists(documents, max_size=2, unique=True).map(tuple),
    st.lists(dependencies, max_size=2).map(tuple),
)
hashes = st.sampled_from([None, Digest("1" * 32), Digest("2" * 32)])


def facts_of(*statuses: Status) -> st.SearchStrategy[Facts]:
    return st.builds(Facts, documents, st.sampled_from(statuses), content_hash=hashes, inputs_hash=hashes)


usual = st.builds(Change, facts_of(Status.DIRTY, Status.MISSING, Status.FAILED), edges, st.booleans(), changed_facets)
forgetting = st.builds(Change, facts_of(Status.MISSING), content=st.booleans(), forget=st.just(value=True))
changes = st.lists(usual | usual | forgetting, max_size=4, unique_by=lambda change: change.facts.id)
results = st.lists(
    st.builds(Result, facts_of(Status.DONE, Status.DONE, Status.FAILED, Status.BLOCKED), edges),
    max_size=5,
)
"""A document may be among them more than once."""


@dataclass
class Oracle:
    """The definitions, literally, over one set of edges; every answer traverses all of it."""

    facts: dict[DocumentId, Facts] = field(default_factory=dict)
    edges: set[tuple[DocumentId, DocumentId, Kind]] = field(default_factory=set)
    facets: dict[tuple[DocumentId, DocumentId, Kind], frozenset[str] | None] = field(default_factory=dict)

    def write(self, facts: Facts, edges: Edges) -> None:
        self.facts[facts.id] = facts
        self.edges = {edge for edge in self.edges if not (edge[0] == facts.id and edge[1] in edges.drop)}
        self.edges |= {(facts.id, each.target, each.kind) for each in edges.add}
        self.facets |= {(facts.id, each.target, each.kind): each.facets for each in (*edges.add, *edges.mark)}

    def propagate(self, changes: Sequence[Change]) -> set[DocumentId]:
        forgotten = {each.facts.id for each in changes if each.forget}
        for each in changes:
            if not each.forget:
                self.write(each.facts, each.edges)
        content = {each.facts.id: each.facets for each in changes if each.content}
        affected = {each.facts.id for each in changes}
        affected |= {
            a
            for a, b, kind in self.edges
            if kind.is_content and b in content and _meet(content[b], self.facets[a, b, kind])
        }
        while above := {a for a, b, kind in self.edges if not kind.is_content and b in affected} - affected:
            affected |= above
        self.facts = {each: facts for each, facts in self.facts.items() if each not in forgotten}
        self.edges = {edge for edge in self.edges if not forgotten & set(edge[:2])}
        affected = {each for each in affected & set(self.facts) if self.facts[each].status is not Status.MISSING}
        self.facts |= {each: replace(self.facts[each], status=Status.DIRTY) for each in affected}
        return affected

    def frontier(self) -> set[DocumentId]:
        dirty = {each for each, facts in self.facts.items() if facts.status is Status.DIRTY}
        return dirty - {a for a, b, kind in self.edges if b in dirty and not kind.is_content}

    def subgraph(self, target: DocumentId) -> set[DocumentId]:
        needed = {target}
        while below := {b for a, b, _ in self.edges if a in needed} - needed:
            needed |= below
        return needed

    def distance_round(self, member: DocumentId) -> int:
        """The length of a shortest cycle through a document; 0 where there is none."""
        reached, length = {member}, 0
        while length <= len(DOCUMENTS):
            reached, length = {b for a, b, kind in self.edges if a in reached and not kind.is_content}, length + 1
            if member in reached:
                return length
        return 0


def _meet(changed: frozenset[str] | None, used: frozenset[str] | None) -> bool:
    """Whether some facet has changed and is used; None stands for all of them, and for other uses of the bytes."""
    return changed is None or used is None or bool(changed & used)


def sound(edges: Edges, known: set[DocumentId]) -> Edges:
    """The edges to known documents: the engine never adds others."""
    return Edges(tuple(each for each in edges.add if each.target in known), edges.drop, edges.mark)


def sound_changes(changes: Sequence[Change], oracle: Oracle) -> list[Change]:
    known = set(oracle.facts) | {each.facts.id for each in changes}
    known -= {each.facts.id for each in changes if each.forget}
    return [replace(each, edges=sound(each.edges, known)) for each in changes]


def sound_results(results: Sequence[Result], oracle: Oracle) -> list[Result]:
    known = set(oracle.facts)
    return [replace(each, edges=sound(each.edges, known)) for each in results if each.facts.id in known]


async def agree(store: Store, memory: MemoryStore, oracle: Oracle) -> None:
    """Both stores know what the oracle knows, and each other's order of dependencies."""
    snapshot = await memory.load()
    stored_snapshot = await store.load()
    assert stored_snapshot == snapshot
    assert _lines(stored_snapshot) == _lines(snapshot)
    assert {each.id: each for each in snapshot.documents} == oracle.facts
    stored = {(document, each.target, each.kind) for document, needs in snapshot.dependencies.items() for each in needs}
    assert stored == oracle.edges
    assert set(await store.frontier()) == set(await memory.frontier()) == oracle.frontier()


def _lines(snapshot: Snapshot) -> list[list[int]]:
    return [[each.line for each in needs] for _, needs in sorted(snapshot.dependencies.items())]


async def agree_on(document: DocumentId, store: Store, memory: MemoryStore, oracle: Oracle) -> None:
    """Both stores answer questions about one document as the oracle does."""
    assert await store.subgraph([document]) == await memory.subgraph([document]) == oracle.subgraph(document)
    for cycle in (await store.cycle(document), await memory.cycle(document)):
        assert len(cycle) - 1 == (oracle.distance_round(document) or -1)
        for a, b in pairwise(cycle):
            assert any((a, b, kind) in oracle.edges for kind in KINDS if not kind.is_content)


@pytest.mark.parametrize("chunk", [CHUNK, pytest.param(3, marks=pytest.mark.slow)])
@given(steps=st.lists(st.tuples(changes, results, documents), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_stores_and_oracle_agree(
    embedded: SurrealStore,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    steps: list[tuple[list[Change], list[Result], DocumentId]],
) -> None:
    """Changes are written in one transaction, or in several, as very large change sets are.

    Each example has a workspace of its own in one database, so this also shows that workspaces don't touch.
    """
    monkeypatch.setattr("kahnd.store.surreal_store.CHUNK", chunk)
    store, memory, oracle = SurrealStore(embedded._connection, next(WORKSPACES)), MemoryStore(), Oracle()
    for changes, results, document in steps:
        batch = sound_changes(changes, oracle)
        expected = oracle.propagate(batch)
        assert set(await store.propagate(batch)) == set(await memory.propagate(batch)) == expected
        await agree(store, memory, oracle)
        await agree_on(document, store, memory, oracle)
        committed = sound_results(results, oracle)
        for each in committed:
            oracle.write(each.facts, each.edges)
        await store.commit(committed)
        await memory.commit(committed)
        await agree(store, memory, oracle)


@given(batches=st.lists(changes, min_size=1, max_size=4), later=changes)
async def test_a_copy_in_memory_is_equal_to_its_original_and_independent(
    batches: list[list[Change]], later: list[Change]
) -> None:
    original, oracle = MemoryStore(), Oracle()
    for batch in batches:
        sane = sound_changes(batch, oracle)
        oracle.propagate(sane)
        await original.propagate(sane)
    before = await original.load()
    copy = MemoryStore.of(before)
    assert await copy.load() == before
    assert set(await copy.frontier()) == set(await original.frontier())
    await copy.propagate(sound_changes(later, oracle))
    assert await original.load() == before
