from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.fakes import Log, TalkativeStore
from kahnd.core.messages import Commit, EndBuild, Propagate
from kahnd.core.model import BuildId, BuildRecord, Change, DocumentId, Facts, Problem, Result, Status
from kahnd.engine.keeper import Keeper
from kahnd.engine.patience import Patience
from kahnd.engine.pulse import ALLOWED_S, Pulse
from kahnd.errors import StoreLostError


def done(document: str) -> Commit:
    return Commit((Result(Facts(DocumentId(document), Status.DONE)),))


def changed(document: str) -> Propagate:
    return Propagate((Change(Facts(DocumentId(document))),))


def keeper_of(store: TalkativeStore, log: Log | None = None, *, patient: bool = True) -> Keeper:
    return Keeper(store, Patience((log or Log()).say) if patient else None)


async def test_results_are_gathered_and_committed_at_once() -> None:
    store = TalkativeStore()
    keeper = keeper_of(store)
    keeper.keep(done("a"))
    keeper.keep(done("b"))
    assert keeper.behind
    await keeper.flush()
    assert store.calls == ["commit a b"]
    assert not keeper.behind


async def test_nothing_to_commit_asks_nothing() -> None:
    store = TalkativeStore()
    await keeper_of(store).flush()
    assert store.calls == []


async def test_whatever_is_asked_sees_all_results_before_it() -> None:
    store = TalkativeStore()
    keeper = keeper_of(store)
    for ask in (
        lambda: keeper.propagate(changed("x")),
        keeper.next_batch,
        lambda: keeper.subgraph(frozenset()),
        lambda: keeper.cycle(frozenset({DocumentId("x")})),
    ):
        store.calls.clear()
        keeper.keep(done("a"))
        await ask()
        assert store.calls[0] == "commit a"
        assert len(store.calls) == 2


async def test_a_build_s_record_goes_with_the_last_of_its_results() -> None:
    store = TalkativeStore()
    keeper = keeper_of(store)
    keeper.keep(done("a"))
    await keeper.end(EndBuild(BuildRecord(BuildId("b"), "", "", 0, 0, 0, 0, 0, 0, 0)), "now", 1.5)
    assert store.calls == ["commit a in b"]
    assert not keeper.behind


async def test_a_build_s_record_gets_its_times() -> None:
    store = TalkativeStore()
    record = await keeper_of(store).end(EndBuild(BuildRecord(BuildId("b"), "", "", 0, 1, 0, 0, 0, 0, 1)), "now", 1.5)
    assert (record.started_at, record.duration_ms, record.rendered) == ("now", 1.5, 1)
    assert (await store.load()).last_build == record


async def test_a_lost_database_is_told_once_and_waited_for() -> None:
    store, log = TalkativeStore(), Log()
    keeper = keeper_of(store, log)
    keeper.keep(done("a"))
    store.away_for = 2
    assert await keeper.propagate(changed("x")) == ("x",)
    assert store.calls == ["commit a", "commit a", "commit a", "propagate"]
    assert [event for event, _ in log.lines] == ["store.lost", "store.restored"]
    assert log.lines[0][1] == {"error": "the database is away"}


async def test_results_that_come_while_the_database_is_away_are_not_lost() -> None:
    store = TalkativeStore()
    keeper = keeper_of(store)
    keeper.keep(done("a"))
    store.away_for = 1
    await keeper.flush()
    keeper.keep(done("b"))
    await keeper.flush()
    assert {facts.id for facts in (await store.load()).documents} == {"a", "b"}


async def test_an_impatient_keeper_raises() -> None:
    store = TalkativeStore()
    store.away_for = 1
    with pytest.raises(StoreLostError):
        await keeper_of(store, patient=False).next_batch()


async def test_each_try_of_a_database_that_is_away_is_a_sign_of_life() -> None:
    """However long it is away; each try may take its time."""
    seconds, tries = 0.0, list[str]()
    pulse = Pulse(lambda: seconds)

    class Slow(TalkativeStore):
        async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
            nonlocal seconds
            seconds += 0.7 * ALLOWED_S
            tries.append(pulse.hung())
            return await super().commit(results, build)

    store = Slow()
    store.away_for = 3
    keeper = Keeper(store, Patience(Log().say), pulse=pulse)
    keeper.keep(done("a"))
    with pulse.looping():
        await keeper.flush()
    assert tries == [""] * 4
