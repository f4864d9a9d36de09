"""Outputs are changed in order, beside the event loop, and what has begun is finished."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from core.world import LAYOUT
from engine.fakes import HandClock, Log, MemoryOutputs, until
from kahnd.core.events import Observed, Publish, Published, StagedOutput
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Facts, OutputPath, Problem, RunId, Snapshot, Status
from kahnd.engine.inbox import Beat, Inbox, Publications
from kahnd.engine.maintenance import Liveness
from kahnd.engine.observer import OutputCheck
from kahnd.engine.output_writer import OutputWriter
from kahnd.engine.timings import BuildLog, PhaseTimings
from kahnd.ports import Spoilt

A, B = OutputPath("site/a.html"), OutputPath("site/b.html")


class SlowOutputs(MemoryOutputs):
    """A disk that does nothing until it is let go, and then does it in the order in which it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.calls: list[str] = []
        self.error: Exception | None = None
        self.problem: Problem | None = None

    def publish(self, staged: Sequence[StagedOutput]) -> Problem | None:
        self._wait(f"publish {staged[0].output}")
        if self.error:
            raise self.error
        return super().publish(staged)

    def remove(self, output: OutputPath) -> Problem | None:
        self._wait(f"remove {output}")
        return self.problem or super().remove(output)

    def discard_cache(self, folder: str) -> None: ...

    def discard(self, stage: str) -> None:
        self._wait(f"discard {stage}")
        super().discard(stage)

    def _wait(self, call: str) -> None:
        assert self.gate.wait(10)
        self.calls.append(call)


@dataclass
class Bench:
    outputs: SlowOutputs = field(default_factory=SlowOutputs)
    log: Log = field(default_factory=Log)
    graph: Graph = field(default_factory=lambda: Graph(LAYOUT, Snapshot()))

    def __post_init__(self) -> None:
        liveness = Liveness()
        self.inbox = Inbox(Publications(), liveness)
        builds = BuildLog(HandClock(), self.log.say, PhaseTimings(), None)
        self.writer = OutputWriter(self.graph, self.outputs, self.inbox, builds, liveness)

    def publish(self, run: int, output: OutputPath, text: str = "new") -> None:
        self.outputs.stages[f"stage/{run}"] = text
        self.writer.publish(Publish(RunId(run), (StagedOutput(f"stage/{run}", output, Digest("1")),)))

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        with self.inbox:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self.writer.run)
                yield
                tasks.cancel_scope.cancel()


async def test_commands_are_done_in_order() -> None:
    bench = Bench()
    async with bench.at_work():
        bench.publish(1, A)
        bench.writer.discard("stage/9")
        bench.publish(2, B)
        bench.outputs.gate.set()
        assert [await bench.inbox.next(), await bench.inbox.next()] == [
            Published(RunId(1), None),
            Published(RunId(2), None),
        ]
    assert bench.outputs.calls == [f"publish {A}", "discard stage/9", f"publish {B}"]


async def test_commands_given_before_the_end_are_done_before_it() -> None:
    bench = Bench()
    async with bench.at_work():
        bench.publish(1, A)
        bench.publish(2, B)
        threading.Timer(0.05, bench.outputs.gate.set).start()
    assert bench.outputs.files.texts.keys() == {A, B}


async def test_an_output_on_its_way_into_place_is_not_removed() -> None:
    """A document moves away from a place that another one, rendered at the same time, moves into."""
    bench = Bench()
    async with bench.at_work():
        bench.publish(1, A)
        assert not await bench.writer.remove(A, None)
        bench.outputs.gate.set()
        await bench.inbox.next()
    assert bench.outputs.calls == [f"publish {A}"]


async def test_a_fault_of_the_program_ends_the_session() -> None:
    bench = Bench()
    bench.outputs.error = ZeroDivisionError()
    bench.outputs.gate.set()
    with pytest.raises(BaseExceptionGroup) as raised:
        await _published(bench)
    assert raised.group_contains(ZeroDivisionError)


async def _published(bench: Bench) -> None:
    async with bench.at_work():
        bench.publish(1, A)
        await anyio.sleep_forever()


async def test_a_failed_removal_is_reported_once_and_retried_until_it_succeeds() -> None:
    bench = Bench()
    bench.outputs.files.write(A, "old")
    bench.outputs.gate.set()
    bench.outputs.problem = Problem("read-only", A)
    async with bench.at_work():
        assert not await bench.writer.remove(A, DocumentId("docs/a.md"))
        await bench.writer.retry_removals()
        assert A in bench.outputs.files.texts
        bench.outputs.problem = None
        await bench.writer.retry_removals()
        assert A not in bench.outputs.files.texts
        await bench.writer.retry_removals()
    assert len(bench.log.all("output.stuck")) == 1
    assert len(bench.outputs.calls) == 3


async def test_all_events_but_ends_of_renderings_wait_for_publications() -> None:
    bench = Bench()
    observed = Observed((), "saved")
    async with bench.at_work():
        bench.publish(1, A)
        bench.inbox.send(observed)
        beat = bench.inbox.send_beat()
        events: list[object] = []

        async def take() -> None:
            while True:
                event = await bench.inbox.next()
                events.append(event)
                if isinstance(event, Published):
                    bench.inbox.publications.end(event.run)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await until(lambda: len(bench.inbox._deferred) == 2)
            assert events == []
            bench.outputs.gate.set()
            await until(lambda: len(events) == 3)
            tasks.cancel_scope.cancel()
    assert events == [Published(RunId(1), None), observed, beat]
    assert isinstance(beat, Beat)


async def test_an_output_that_is_replaced_during_a_look_does_not_count_as_altered() -> None:
    """The file is new already, and the graph still knows the old one."""
    bench = Bench()
    document = DocumentId("docs/a.md")
    bench.graph.put(Facts(document, Status.DONE, Digest("1"), output=A, output_hash=Digest("old")))
    bench.outputs.files.write(A, "new")
    check = OutputCheck(bench.graph, bench.outputs, bench.inbox.publications)
    assert await check.all() == Spoilt(altered=frozenset({A}))
    bench.inbox.publications.begin(RunId(1), frozenset({A}))
    found: list[Spoilt] = []

    async def look() -> None:
        found.append(await check.all())

    async with bench.at_work(), anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await until(lambda: bool(bench.inbox.publications._ended.statistics().tasks_waiting))
        bench.outputs.files.texts.pop(A)
        bench.inbox.publications.end(RunId(1))
    assert found == [Spoilt(absent=frozenset({A}))], "what has happened to it since is found"
