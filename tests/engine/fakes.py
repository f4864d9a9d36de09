"""Everything below the ports, in memory, with a handle on when things happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from core.language import Files, Rendering, hash_of, look
from core.world import LAYOUT
from kahnd.core.events import BuildRequested, StagedOutput
from kahnd.core.machine import Machine
from kahnd.core.model import (
    BuildId,
    BuildRecord,
    Change,
    Digest,
    DocumentId,
    HistoryEntry,
    Job,
    Observation,
    Outcome,
    OutputPath,
    Problem,
    Rendered,
    Result,
    RunId,
    Snapshot,
    Stat,
)
from kahnd.engine import Backoff, Engine, EngineDependencies, PhaseTimings
from kahnd.errors import StoreLostError
from kahnd.ports import Batch, OnEnd, Spoilt
from kahnd.store.memory_store import MemoryStore

T = TypeVar("T")
SOON_S = 60.0
"""Far longer than anything here takes."""


class MemoryTree:
    """Fulfils ports.Tree over files in memory. While the gate is shut, looks have read and do not return."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._seen: dict[str, Digest | None] = {}
        self.gate = anyio.Event()
        self.gate.set()
        self.looking = 0
        self.most_at_once = 0
        self.doubted: tuple[str, ...] = ()

    def restore(self, snapshot: Snapshot) -> None:
        self._seen = {facts.id: facts.content_hash for facts in snapshot.documents}

    async def crawl(self) -> tuple[Observation, ...]:
        return await self.look(self._files.texts.keys() | self._seen.keys())

    async def check_hard_links(self, *, briefly: bool = False) -> tuple[Observation, ...]:
        return ()

    async def look(self, paths: Iterable[str]) -> tuple[Observation, ...]:
        self.looking += 1
        self.most_at_once = max(self.most_at_once, self.looking)
        observations = [self._sighting(DocumentId(path)) for path in sorted(paths)]
        await self.gate.wait()
        self.looking -= 1
        return tuple(filter(None, observations))

    async def read_generated(self, declarers: Mapping[DocumentId, DocumentId]) -> tuple[Observation, ...]:
        raise NotImplementedError("no document here declares others")

    async def recheck(self) -> tuple[Observation, ...]:
        doubted, self.doubted = self.doubted, ()
        return await self.look(doubted) if doubted else ()

    def _sighting(self, document: DocumentId) -> Observation | None:
        text = self._files.texts.get(document)
        if text is None:
            return Observation(document) if self._seen.pop(document, None) else None
        if self._seen.get(document) == hash_of(text):
            return None
        self._seen[document] = hash_of(text)
        return Observation(document, hash_of(text), Stat(len(text), 0, 0, 0, 0), look(text))


class MemoryOutputs:
    """Fulfils ports.Outputs."""

    def __init__(self) -> None:
        self.files = Files()
        self.stages: dict[str, str] = {}
        self.discarded: list[str] = []

    def made(self) -> frozenset[OutputPath]:
        return frozenset(map(OutputPath, self.files.texts))

    def is_made(self, output: OutputPath) -> bool:
        return output in self.files.texts

    def publish(self, staged: Sequence[StagedOutput]) -> Problem | None:
        for each in staged:
            self.files.write(each.output, self.stages.pop(each.stage))
        return None

    def discard_cache(self, folder: str) -> None: ...

    def discard(self, stage: str) -> None:
        self.discarded.append(stage)

    def remove(self, output: OutputPath) -> Problem | None:
        self.files.texts.pop(output, None)
        return None

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        texts = self.files.texts
        absent = frozenset(each for each in expected if each not in texts)
        there = [(each, digest) for each, digest in expected.items() if each in texts and digest]
        return Spoilt(absent, frozenset(each for each, digest in there if hash_of(texts[each]) != digest))


class MemoryPool:
    """Fulfils ports.Pool. While the gate is shut, renderings begin and do not end; those held never do."""

    def __init__(self, sources: Files, outputs: MemoryOutputs) -> None:
        self._sources = sources
        self._outputs = outputs
        self._runs: dict[RunId, anyio.CancelScope] = {}
        self.tasks: TaskGroup | None = None
        self.gate = anyio.Event()
        self.gate.set()
        self.held: set[str] = set()
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.resting = False

    def begin(self, job: Job, on_end: OnEnd) -> None:
        assert self.tasks, "it is at work"
        self._runs[job.run] = anyio.CancelScope()
        self.tasks.start_soon(self._run, job, on_end)

    def cancel(self, run: RunId) -> None:
        if run in self._runs:
            self._runs[run].cancel()

    def rest(self) -> None:
        self.resting = True

    async def _run(self, job: Job, on_end: OnEnd) -> None:
        outcome = None
        with self._runs[job.run]:
            outcome = await self._render(job)
        del self._runs[job.run]
        on_end(job, outcome, 1.0, 0)

    async def _render(self, job: Job) -> Outcome:
        self.begun.append(job.document)
        try:
            await (anyio.sleep_forever() if job.document in self.held else self.gate.wait())
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(job.document)
            raise
        rendering = Rendering(LAYOUT, self._sources, self._outputs.files, job)
        outcome = rendering.outcome()
        if isinstance(outcome, Rendered):
            self._outputs.stages[job.stage] = rendering.text
        return outcome


class HandWatcher:
    """Fulfils ports.Watcher: its batches are what a test sends. `answers`: cookies come back at once."""

    backend = "by hand"

    def __init__(self, *, answers: bool = True) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[Batch](inf)
        self._answers = answers
        self.tokens: list[str] = []
        self.audits = 0

    async def batches(self) -> AsyncIterator[Batch]:
        with self._receive:
            async for batch in self._receive:
                yield batch

    async def ready(self) -> None:
        await anyio.lowlevel.checkpoint()

    def flush(self, token: str) -> None:
        self.tokens.append(token)
        if self._answers:
            self.send(Batch(flushed=frozenset({token})))

    async def audit(self) -> None:
        self.audits += 1

    def send(self, batch: Batch) -> None:
        self._send.send_nowait(batch)

    def send_paths(self, *paths: str) -> None:
        self.send(Batch(frozenset(paths)))

    def close(self) -> None:
        self._send.close()


class TalkativeStore(MemoryStore):
    """Tells what it was asked; is away for as many calls as it is told to.

    With the gate shut, nothing is marked; with the commits' gate shut, nothing is committed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.commit_gate = anyio.Event(), anyio.Event()
        self.gate.set()
        self.commit_gate.set()
        self.calls: list[str] = []
        self.away_for = 0
        self.refuses: set[str] = set()

    async def load(self) -> Snapshot:
        return await self._call("load", super().load)

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        await self.gate.wait()
        return await self._call("propagate", lambda: MemoryStore.propagate(self, changes))

    async def frontier(self) -> tuple[DocumentId, ...]:
        return await self._call("frontier", super().frontier)

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        return await self._call("subgraph", lambda: MemoryStore.subgraph(self, targets))

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        return await self._call("cycle", lambda: MemoryStore.cycle(self, member))

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> tuple[Problem, ...]:
        await self.commit_gate.wait()
        named = " ".join([*(result.facts.id for result in results), *([f"in {build.id}"] if build else ())])
        await self._call(f"commit {named}", lambda: MemoryStore.commit(self, results, build))
        refused = [each.facts.id for each in results if each.facts.id in self.refuses]
        return tuple(Problem("the database does not take it", each) for each in refused)

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        return await self._call("history", lambda: MemoryStore.history(self, document, limit))

    async def _call(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(name)
        await anyio.lowlevel.checkpoint()
        if self.away_for:
            self.away_for -= 1
            raise StoreLostError(Problem("the database is away"))
        return await call()


class HandClock:
    """Fulfils ports.Clock; a second passes at every look at it."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.slept = 0.0

    def now(self) -> str:
        return datetime.fromtimestamp(self.monotonic(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic(self) -> float:
        self._seconds += 1
        return self._seconds

    def suspended(self) -> float:
        return self.slept


@dataclass
class Log:
    """The events that were logged."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def say(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    def all(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.lines if name == event]


class Place:
    """A project in memory with an engine at work in it."""

    def __init__(
        self,
        sources: dict[str, str],
        *,
        patient: bool = True,
        watcher: HandWatcher | None = None,
        outputs: MemoryOutputs | None = None,
    ) -> None:
        self.sources, self.outputs = Files(), outputs or MemoryOutputs()
        for path, text in sources.items():
            self.sources.write(path, text)
        self.store, self.log, self.tree = TalkativeStore(), Log(), MemoryTree(self.sources)
        self.pool = MemoryPool(self.sources, self.outputs)
        self.watcher = watcher
        ids = (BuildId(f"b{number}") for number in range(1, 1000))
        self.machine = Machine(LAYOUT, Snapshot(), slots=2, build_ids=ids)
        self.timings = PhaseTimings()
        world = EngineDependencies(
            self.store, self.tree, self.outputs, self.pool, HandClock(), self.log.say, self.timings
        )
        self.engine = Engine(self.machine, world, backoff=Backoff(self.log.say) if patient else None)

    def save(self, path: str, text: str) -> None:
        """A file is written, and the watcher tells of it."""
        self.sources.write(path, text)
        if self.watcher:
            self.watcher.send(Batch(frozenset({path})))

    @asynccontextmanager
    async def at_work(self, asked: BuildRequested | None = None) -> AsyncIterator[Engine]:
        async with anyio.create_task_group() as tasks:
            self.pool.tasks = tasks

            async def run() -> None:
                await self.engine.run(cause="start", watcher=self.watcher, asked=asked)

            tasks.start_soon(run)
            with anyio.fail_after(SOON_S):
                await self.engine.started.wait()
                yield self.engine
            tasks.cancel_scope.cancel()
        if self.watcher:
            self.watcher.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let everything else go on until this is so."""
    with anyio.fail_after(SOON_S):
        while not condition():
            await anyio.lowlevel.checkpoint()
