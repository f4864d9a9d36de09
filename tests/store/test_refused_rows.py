"""A value that the database refuses affects one document, not the others in the same batch."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kahnd.core.model import Change, Dependency, Digest, DocumentId, Edges, Facts, Kind, Problem, Result, Stat, Status
from kahnd.store.codec import FactsRow, facts_of, facts_row
from kahnd.store.connection import encode_payload
from kahnd.store.surreal_store import StoreListener, SurrealStore, open_store
from store.conftest import EMBEDDED

NUMBERS = st.integers() | st.sampled_from([1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 63) - 1, 1767225600000 * 10**9])
INODES = st.integers(min_value=0, max_value=(1 << 64) - 1)
STATS = st.builds(Stat, NUMBERS, NUMBERS, NUMBERS, INODES, NUMBERS)
PROBLEMS = st.builds(Problem, st.text(st.characters()), st.text(st.characters()), st.integers())
REFUSED = float("nan")
"""A value of took_ms that the database refuses: JSON has no number for it."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stat=STATS, problem=PROBLEMS, name=st.text(min_size=1).filter(lambda name: "\0" not in name))
async def test_any_stat_text_and_name_can_be_kept(
    embedded: SurrealStore, stat: Stat, problem: Problem, name: str
) -> None:
    document = DocumentId(name)
    facts = Facts(document, Status.FAILED, Digest("a"), stat=stat, problem=problem)
    await embedded.propagate([Change(facts)])
    await embedded.commit([Result(facts)])
    known = {each.id: each for each in (await embedded.load()).documents}[document]
    assert known.stat is not None
    assert known.stat.inode == stat.inode
    assert known.stat.mtime_ns == min(max(stat.mtime_ns, -(1 << 63)), (1 << 63) - 1)
    assert known.problem is not None
    assert known.problem.message == problem.message
    await embedded.clear()


@given(STATS)
def test_a_stat_that_fits_64_bits_survives(stat: Stat) -> None:
    row = facts_row("w", Facts(DocumentId("a"), stat=stat), Status.DIRTY)["facts"]
    assert isinstance(row, dict)
    fields: list[object] = [None] * len(FactsRow.__struct_fields__)
    for index, name in enumerate(FactsRow.__struct_fields__):
        fields[index] = {"id": "a", "status": "DIRTY", "stat": row["stat"]}.get(name)
    known = facts_of(msgspec.json.decode(msgspec.json.encode(fields), type=FactsRow), DocumentId("a")).stat
    fits = all(-(1 << 63) <= each < 1 << 63 for each in (stat.size, stat.mtime_ns, stat.ctime_ns, stat.hashed_ns))
    assert (known == stat) is fits


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()) | st.integers() | st.floats()))
def test_every_payload_can_be_encoded(payload: dict[str, object]) -> None:
    msgspec.json.decode(encode_payload(payload))


async def test_a_refused_result_is_reported_and_the_others_are_written(tmp_path: Path) -> None:
    told: list[Problem] = []
    store = await open_store(EMBEDDED, root=tmp_path, listener=StoreListener(on_refused=told.append))
    results = [Result(Facts(DocumentId(f"{n}.md"), Status.DONE, took_ms=REFUSED if n == 3 else 1.0)) for n in range(8)]
    await store.commit(results)
    known = {each.id: each for each in (await store.load()).documents}
    assert len(known) == 8
    assert [each.took_ms for each in known.values()].count(1.0) == 7
    assert known[DocumentId("3.md")].problem is not None
    assert [each.file for each in told] == ["3.md"]
    await store.close()


async def test_a_refused_change_is_reported_and_the_others_are_written_with_their_edges(tmp_path: Path) -> None:
    told: list[Problem] = []
    store = await open_store(EMBEDDED, root=tmp_path, listener=StoreListener(on_refused=told.append))
    needs = [Edges((Dependency(DocumentId(f"{n + 1}.md"), Kind.INCLUDE),)) for n in range(4)]
    facts = [Facts(DocumentId(f"{n}.md"), took_ms=REFUSED if n == 4 else 1.0) for n in range(5)]
    changes = [Change(each, edges) for each, edges in zip(facts, [*needs, Edges()], strict=True)]
    affected = await store.propagate(changes)
    snapshot = await store.load()
    assert set(affected) == {each.id for each in facts}
    assert {origin: [each.target for each in edges] for origin, edges in snapshot.dependencies.items()} == {
        f"{n}.md": [f"{n + 1}.md"] for n in range(4)
    }
    assert [each.file for each in told] == ["4.md"]
    await store.close()


async def test_a_commit_returns_what_was_refused_since_the_last_one(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([Change(Facts(DocumentId("a.md"), took_ms=REFUSED))])
    results = [
        Result(Facts(DocumentId(name), Status.DONE, took_ms=took)) for name, took in (("b", REFUSED), ("c", 1.0))
    ]
    assert [each.file for each in await store.commit(results)] == ["a.md", "b"]
    assert await store.commit([]) == ()
    known = {each.id: each.status for each in (await store.load()).documents}
    assert known == {"a.md": Status.DIRTY, "b": Status.FAILED, "c": Status.DONE}
    await store.close()
