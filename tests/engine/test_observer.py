from __future__ import annotations

from functools import cached_property

import anyio
import pytest

from core.language import Files, hash_of
from core.world import LAYOUT
from engine.fakes import HandWatcher, MemoryOutputs, MemoryTree, until
from kahnd.core.events import Event, Log, LogEvent, Observed, Rechecked
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Observation, Problem, Snapshot
from kahnd.engine.observer import Observer, OutputCheck, cause_of
from kahnd.ports import Batch

A = DocumentId("docs/a.md")


class Seen:
    """An observer of files in memory, what it sent, and what it reported of the config."""

    def __init__(self) -> None:
        self.files = Files()
        self.tree = MemoryTree(self.files)
        self.sent: list[Event] = []
        self.config: list[bool] = []
        self.retries = 0
        output_check = OutputCheck(Graph(LAYOUT, Snapshot()), MemoryOutputs())
        self.observer = Observer(self.tree, output_check, self.sent.append, self.config.append)

    @cached_property
    def watcher(self) -> HandWatcher:
        return HandWatcher()

    def hashes(self) -> list[Digest | None]:
        """Of everything seen, in the order in which it was sent."""
        observed = [event for event in self.sent if isinstance(event, Observed)]
        return [sighting.content_hash for event in observed for sighting in event.observations]


async def test_an_older_look_never_overtakes_a_newer() -> None:
    seen = Seen()
    await seen.observer.first_look(Snapshot())
    seen.tree.gate = anyio.Event()
    seen.files.write(A, "older")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.observer.follow, seen.watcher)
        seen.watcher.send(Batch(frozenset({A})))
        await until(lambda: seen.tree.looking == 1)
        seen.files.write(A, "newer")
        tasks.start_soon(seen.observer.look_at_everything)
        tasks.start_soon(seen.observer.look, (A,), A)
        await anyio.wait_all_tasks_blocked()
        seen.tree.gate.set()
        await until(lambda: Rechecked(A) in seen.sent)
        seen.watcher.close()
    assert seen.tree.most_at_once == 1
    assert seen.hashes() == [hash_of("older"), hash_of("newer")]


async def test_hints_wait_for_the_first_look() -> None:
    seen = Seen()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.observer.follow, seen.watcher)
        seen.files.write(A, "one")
        seen.watcher.send(Batch(frozenset({A})))
        await anyio.wait_all_tasks_blocked()
        assert seen.tree.most_at_once == 0
        assert [each.document for each in await seen.observer.first_look(Snapshot())] == [A]
        seen.watcher.close()
    assert seen.sent == []


async def test_a_batch_that_may_have_lost_events_is_a_look_at_everything() -> None:
    seen = Seen()
    await seen.observer.first_look(Snapshot())
    seen.files.write(A, "one")
    seen.watcher.send(Batch(everything=True))
    seen.watcher.close()
    await seen.observer.follow(seen.watcher)
    assert seen.hashes() == [hash_of("one")]


async def test_a_batch_without_paths_causes_no_look() -> None:
    seen = Seen()
    await seen.observer.first_look(Snapshot())
    seen.watcher.send(Batch(flushed=frozenset({"nobody's"})))
    seen.watcher.close()
    await seen.observer.follow(seen.watcher)
    assert seen.sent == []


async def test_a_batch_with_changes_is_logged_with_its_cause() -> None:
    seen = Seen()
    await seen.observer.first_look(Snapshot())
    seen.files.write(A, "one")
    seen.watcher.send(Batch(frozenset({A, "docs/b.md"})))
    seen.watcher.close()
    await seen.observer.follow(seen.watcher)
    (event,) = seen.sent
    assert isinstance(event, Observed)
    words = {"paths": 2, "everything": False, "changed": 1, "cause": "docs/a.md saved"}
    assert event.log == Log(LogEvent.WATCH_BATCH, words)


async def test_a_change_of_the_config_is_passed_on_after_the_look() -> None:
    seen = Seen()
    await seen.observer.first_look(Snapshot())
    seen.watcher.send(Batch(config=True))
    seen.watcher.send(Batch(everything=True, config=True))
    seen.watcher.close()
    await seen.observer.follow(seen.watcher)
    assert seen.config == [False, True]


async def test_a_look_for_a_document_is_reported_even_without_changes() -> None:
    seen = Seen()
    await seen.observer.look((A,), A)
    assert seen.sent == [Observed((), "a look", frozenset()), Rechecked(A)]


@pytest.mark.parametrize(
    ("observations", "words"),
    [
        ((Observation(A, Digest("1")),), "docs/a.md saved"),
        ((Observation(A),), "docs/a.md removed"),
        ((Observation(A, problem=Problem("unreadable")),), "docs/a.md saved"),
        ((Observation(DocumentId("docs/z.md")), Observation(A, Digest("1"))), "docs/a.md saved and 1 more"),
    ],
)
def test_a_build_s_cause_names_what_was_seen(observations: tuple[Observation, ...], words: str) -> None:
    assert cause_of(observations) == words
