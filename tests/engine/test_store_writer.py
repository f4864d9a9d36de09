from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from engine.fakes import Log, TalkativeStore
from kahnd.core.events import Commit, EndBuild, Propagate
from kahnd.core.model import BuildId, BuildRecord, Change, DocumentId, Facts, Problem, Result, Status
from kahnd.engine.maintenance import ALLOWED_S, Liveness
from kahnd.engine.store_writer import RETRY_S, Backoff, StoreWriter
from kahnd.errors import StoreLostError

LOST = StoreLostError(Problem("lost"))


def done(document: str) -> Commit:
    return Commit((Result(Facts(DocumentId(document), Status.DONE)),))


def changed(document: str) -> Propagate:
    return Propagate((Change(Facts(DocumentId(document))),))


def store_writer_of(store: TalkativeStore, log: Log | None = None, *, patient: bool = True) -> StoreWriter:
    return StoreWriter(store, Backoff((log or Log()).say) if patient else None)


async def test_results_are_committed_in_batches() -> None:
    store = TalkativeStore()
    writer = store_writer_of(store)
    writer.add(done("a"))
    writer.add(done("b"))
    assert writer.backlog
    await writer.flush()
    assert store.calls == ["commit a b"]
    assert not writer.backlog


async def test_without_results_nothing_is_committed() -> None:
    store = TalkativeStore()
    await store_writer_of(store).flush()
    assert store.calls == []


async def test_a_query_sees_all_results_before_it() -> None:
    store = TalkativeStore()
    writer = store_writer_of(store)
    for ask in (
        lambda: writer.propagate(changed("x")),
        writer.frontier,
        lambda: writer.subgraph(frozenset()),
        lambda: writer.cycle(frozenset({DocumentId("x")})),
    ):
        store.calls.clear()
        writer.add(done("a"))
        await ask()
        assert store.calls[0] == "commit a"
        assert len(store.calls) == 2


async def test_a_build_s_record_goes_with_the_last_of_its_results() -> None:
    store = TalkativeStore()
    writer = store_writer_of(store)
    writer.add(done("a"))
    await writer.end(EndBuild(BuildRecord(BuildId("b"), "", "", 0, 0, 0, 0, 0, 0, 0)), "now", 1.5)
    assert store.calls == ["commit a in b"]
    assert not writer.backlog


async def test_a_build_s_record_gets_its_times() -> None:
    store = TalkativeStore()
    record = await store_writer_of(store).end(
        EndBuild(BuildRecord(BuildId("b"), "", "", 0, 1, 0, 0, 0, 0, 1)), "now", 1.5
    )
    assert (record.started_at, record.duration_ms, record.rendered) == ("now", 1.5, 1)
    assert (await store.load()).last_build == record


async def test_a_lost_database_is_reported_once_and_waited_for() -> None:
    store, log = TalkativeStore(), Log()
    writer = store_writer_of(store, log)
    writer.add(done("a"))
    store.away_for = 2
    assert await writer.propagate(changed("x")) == ("x",)
    assert store.calls == ["commit a", "commit a", "commit a", "propagate"]
    assert [event for event, _ in log.lines] == ["store.lost", "store.restored"]
    assert log.lines[0][1] == {"error": "the database is away"}


async def test_results_that_come_while_the_database_is_away_are_not_lost() -> None:
    store = TalkativeStore()
    writer = store_writer_of(store)
    writer.add(done("a"))
    store.away_for = 1
    await writer.flush()
    writer.add(done("b"))
    await writer.flush()
    assert {facts.id for facts in (await store.load()).documents} == {"a", "b"}


async def test_without_back_off_a_lost_database_raises() -> None:
    store = TalkativeStore()
    store.away_for = 1
    with pytest.raises(StoreLostError):
        await store_writer_of(store, patient=False).frontier()


async def test_each_retry_of_a_lost_database_counts_as_progress() -> None:
    """However long it is away; each try may take its time."""
    seconds, tries = 0.0, list[str]()
    liveness = Liveness(lambda: seconds)

    class Slow(TalkativeStore):
        async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
            nonlocal seconds
            seconds += 0.7 * ALLOWED_S
            tries.append(liveness.hung())
            return await super().commit(results, build)

    store = Slow()
    store.away_for = 3
    writer = StoreWriter(store, Backoff(Log().say), liveness=liveness)
    writer.add(done("a"))
    with liveness.looping():
        await writer.flush()
    assert tries == [""] * 4


async def test_a_database_that_is_lost_again_soon_is_retried_less_often() -> None:
    backoff = Backoff(Log().say)
    await backoff.wait(LOST)
    await backoff.wait(LOST)
    backoff.reset()
    assert not backoff.is_waiting
    began = anyio.current_time()
    await backoff.wait(LOST)
    assert anyio.current_time() - began >= RETRY_S[2]
