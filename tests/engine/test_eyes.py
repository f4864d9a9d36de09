from __future__ import annotations

from functools import cached_property

import anyio
import anyio.lowlevel
import pytest

from core.language import Files, hash_of
from core.world import LAYOUT
from engine.fakes import HandClock, HandWatcher, MemoryOutputs, MemoryTree, until
from kahnd.core.graph import Graph
from kahnd.core.messages import Event, Looked, Observed, Tell
from kahnd.core.model import Digest, DocumentId, Problem, Sighting, Snapshot
from kahnd.engine import eyes
from kahnd.engine.eyes import Eyes, cause_of
from kahnd.engine.inspection import Inspection
from kahnd.ports import Batch

A = DocumentId("docs/a.md")


class Seen:
    """Eyes over files in memory, what they sent, and what they heard of the config."""

    def __init__(self) -> None:
        self.files = Files()
        self.tree = MemoryTree(self.files)
        self.sent: list[Event] = []
        self.config: list[bool] = []
        inspection = Inspection(Graph(LAYOUT, Snapshot()), MemoryOutputs())
        self.eyes = Eyes(self.tree, inspection, self.sent.append, self.config.append)

    @cached_property
    def watcher(self) -> HandWatcher:
        return HandWatcher()

    def hashes(self) -> list[Digest | None]:
        """Of everything seen, in the order in which it was sent."""
        observed = [event for event in self.sent if isinstance(event, Observed)]
        return [sighting.content_hash for event in observed for sighting in event.sightings]


async def test_an_older_look_never_overtakes_a_newer() -> None:
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.tree.gate = anyio.Event()
    seen.files.write(A, "older")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.eyes.follow, seen.watcher)
        seen.watcher.send(Batch(frozenset({A})))
        await until(lambda: seen.tree.looking == 1)
        seen.files.write(A, "newer")
        tasks.start_soon(seen.eyes.everything)
        tasks.start_soon(seen.eyes.look, (A,), A)
        await anyio.wait_all_tasks_blocked()
        seen.tree.gate.set()
        await until(lambda: Looked(A) in seen.sent)
        seen.watcher.close()
    assert seen.tree.most_at_once == 1
    assert seen.hashes() == [hash_of("older"), hash_of("newer")]


async def test_nothing_that_is_hinted_at_is_looked_at_before_the_first_look() -> None:
    seen = Seen()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.eyes.follow, seen.watcher)
        seen.files.write(A, "one")
        seen.watcher.send(Batch(frozenset({A})))
        await anyio.wait_all_tasks_blocked()
        assert seen.tree.most_at_once == 0
        assert [each.document for each in await seen.eyes.first(Snapshot())] == [A]
        seen.watcher.close()
    assert seen.sent == []


async def test_a_batch_that_may_have_lost_events_is_a_look_at_everything() -> None:
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.files.write(A, "one")
    seen.watcher.send(Batch(everything=True))
    seen.watcher.close()
    await seen.eyes.follow(seen.watcher)
    assert seen.hashes() == [hash_of("one")]


async def test_a_batch_without_paths_is_no_look_and_no_word() -> None:
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.watcher.send(Batch(flushed=frozenset({"nobody's"})))
    seen.watcher.close()
    await seen.eyes.follow(seen.watcher)
    assert seen.sent == []


async def test_a_batch_that_something_came_of_is_told_with_its_own_cause() -> None:
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.files.write(A, "one")
    seen.watcher.send(Batch(frozenset({A, "docs/b.md"})))
    seen.watcher.close()
    await seen.eyes.follow(seen.watcher)
    (event,) = seen.sent
    assert isinstance(event, Observed)
    words = {"paths": 2, "everything": False, "changed": 1, "cause": "docs/a.md saved"}
    assert event.told == Tell("watch.batch", words)


async def test_a_change_of_the_config_is_passed_on_after_the_look() -> None:
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.watcher.send(Batch(config=True))
    seen.watcher.send(Batch(everything=True, config=True))
    seen.watcher.close()
    await seen.eyes.follow(seen.watcher)
    assert seen.config == [False, True]


async def test_a_look_for_a_document_says_so_even_if_nothing_was_to_be_seen() -> None:
    seen = Seen()
    await seen.eyes.look((A,), A)
    assert seen.sent == [Observed((), "a look", frozenset()), Looked(A)]


async def test_what_is_in_doubt_is_looked_at_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "DOUBT_S", 0.001)
    seen = Seen()
    await seen.eyes.first(Snapshot())
    seen.files.write(A, "one")
    seen.tree.doubted = (A,)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.eyes.follow, seen.watcher)
        tasks.start_soon(seen.eyes.make_sure, seen.watcher, HandClock(), 0)
        await until(lambda: seen.hashes() == [hash_of("one")])
        assert (seen.watcher.audits, seen.eyes.rescans) == (0, 0)
        tasks.cancel_scope.cancel()
    seen.watcher.close()


@pytest.mark.parametrize(("every_s", "slept"), [(20, 0), (0, 60)])
async def test_every_so_often_and_after_a_sleep_the_watch_is_audited_and_everything_looked_at(
    monkeypatch: pytest.MonkeyPatch, every_s: float, slept: float
) -> None:
    monkeypatch.setattr(eyes, "DOUBT_S", 0.001)
    seen, clock = Seen(), HandClock()
    await seen.eyes.first(Snapshot())
    seen.files.write(A, "one")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.eyes.follow, seen.watcher)
        tasks.start_soon(seen.eyes.make_sure, seen.watcher, clock, every_s)
        await anyio.lowlevel.checkpoint()
        clock.slept += slept
        await until(lambda: seen.hashes() == [hash_of("one")])
        tasks.cancel_scope.cancel()
    seen.watcher.close()
    assert seen.watcher.audits >= 1
    assert seen.eyes.rescans >= 1


@pytest.mark.parametrize(
    ("sightings", "words"),
    [
        ((Sighting(A, Digest("1")),), "docs/a.md saved"),
        ((Sighting(A),), "docs/a.md removed"),
        ((Sighting(A, problem=Problem("unreadable")),), "docs/a.md saved"),
        ((Sighting(DocumentId("docs/z.md")), Sighting(A, Digest("1"))), "docs/a.md saved and 1 more"),
    ],
)
def test_a_build_s_cause_names_what_was_seen(sightings: tuple[Sighting, ...], words: str) -> None:
    assert cause_of(sightings) == words
