"""The engine's signs of life, and its end: what was begun is finished and kept, and nothing more is begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from engine.fakes import HandWatcher, Place, until
from kahnd.core.model import DocumentId
from kahnd.engine import Engine, Waits

TWO = {"docs/a.md": "one", "docs/b.md": "two"}


@asynccontextmanager
async def draining(engine: Engine) -> AsyncIterator[anyio.Event]:
    """Meanwhile the engine is drained; the event tells that it is. On leaving, it must be."""
    drained = anyio.Event()

    async def drain() -> None:
        await engine.drain()
        drained.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drain)
        await anyio.wait_all_tasks_blocked()
        yield drained
        await drained.wait()


async def test_drain_finishes_running_renderings_and_keeps_their_results() -> None:
    place = Place(TWO)
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: len(place.pool.begun) == 2)
        async with draining(engine) as drained:
            assert not drained.is_set()
            assert place.pool.resting
            assert {document for document, _ in engine.workload().jobs} == TWO.keys()
            place.pool.gate.set()
        committed = " ".join(each for each in place.store.calls if each.startswith("commit"))
        assert "docs/a.md" in committed
        assert "docs/b.md" in committed
    assert place.outputs.files.texts.keys() == {"site/a.html", "site/b.html"}


async def test_drain_begins_no_new_rendering() -> None:
    """And what is finished is kept, though the build does not come to its end."""
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md"}, watcher=HandWatcher())
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: bool(place.pool.begun))
        async with draining(engine):
            place.save("docs/c.md", "three")
            await until(lambda: engine.machine.graph.get(DocumentId("docs/c.md")) is not None)
            place.pool.gate.set()
        assert "commit docs/a.md" in place.store.calls
        assert place.pool.begun == ["docs/a.md"]
    assert place.outputs.files.texts.keys() == {"site/a.html"}


async def test_a_result_that_arrives_while_the_loop_is_busy_is_kept() -> None:
    """Here by a database that takes its time with two saves."""
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md"}, watcher=HandWatcher())
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: bool(place.pool.begun))
        place.store.gate = anyio.Event()
        place.save("docs/c.md", "three")
        await until(lambda: Waits.DATABASE in engine._dependencies.liveness.waits())
        place.save("docs/d.md", "four")
        await until(lambda: engine.workload().events == 1)
        async with draining(engine):
            place.pool.gate.set()
            await until(lambda: not engine.workload().jobs)
            place.store.gate.set()
        assert "commit docs/a.md" in place.store.calls


async def test_an_idle_engine_is_drained_at_once() -> None:
    place = Place(TWO)
    async with place.at_work() as engine:
        await engine.ask("wait")
        await engine.drain()


async def test_a_superseded_rendering_does_not_delay_drain() -> None:
    place = Place(TWO, watcher=HandWatcher())
    place.pool.held = {"docs/a.md"}
    async with place.at_work() as engine:
        await until(lambda: "docs/a.md" in place.pool.begun)
        async with draining(engine):
            place.save("docs/a.md", "another")
        assert place.pool.cancelled == ["docs/a.md"]
        assert place.pool.begun.count("docs/a.md") == 1


async def test_an_idle_engine_counts_as_alive() -> None:
    place = Place(TWO)
    async with place.at_work() as engine:
        await engine.ask("wait")
        for _ in range(5):
            assert engine.beat() == ""
            await anyio.wait_all_tasks_blocked()


async def test_a_rendering_engine_counts_as_alive() -> None:
    place = Place(TWO)
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        for _ in range(5):
            assert engine.beat() == ""
            await anyio.wait_all_tasks_blocked()


async def test_an_engine_whose_loop_stands_still_counts_as_hung_until_it_goes_on() -> None:
    """Here for a lock that nobody gives back."""
    place = Place(TWO, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        async with engine.store_writer._lock:
            place.save("docs/a.md", "another")
            await anyio.wait_all_tasks_blocked()
            engine.beat()
            assert engine.beat() == "its loop"
        await engine.ask("wait")
        assert engine.beat() == ""


async def test_a_database_that_does_not_answer_yet_is_waited_for() -> None:
    place = Place(TWO, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.store.gate = anyio.Event()
        place.save("docs/a.md", "another")
        await until(lambda: Waits.DATABASE in engine._dependencies.liveness.waits())
        for _ in range(5):
            assert engine.beat() == ""
        place.store.gate.set()


async def test_an_engine_that_has_ended_counts_as_alive() -> None:
    place = Place(TWO)
    async with place.at_work() as engine:
        await engine.ask("wait")
    assert engine.beat() == ""
    await engine.drain()
