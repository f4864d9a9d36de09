"""The engine's loop, one event at a time.

- An event comes out of the inbox, and the machine decides what is to be done.
- Its commands are performed in order; the result of one that is awaited is the next event.
- Renderings, publications and looks at the sources go on beside the loop, and send their results to the inbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from anyio.abc import TaskGroup
from msgspec.structs import replace

from kahnd.core.builds import corrected
from kahnd.core.events import (
    Answer,
    BeginBuild,
    BuildReport,
    BuildRequested,
    Cancel,
    ClearCache,
    Command,
    Commit,
    CycleFound,
    EndBuild,
    Event,
    FindCycle,
    Log,
    LookAtDeclared,
    Looked,
    Observed,
    Propagate,
    Propagated,
    Publish,
    Published,
    Recheck,
    Remove,
    Removed,
    Render,
    Resume,
    Resumed,
)
from kahnd.core.machine import Machine
from kahnd.core.model import DocumentId, RequestId, RunId
from kahnd.core.renderings import document_of
from kahnd.engine.dispatcher import Dispatcher
from kahnd.engine.inbox import Beat, Inbox
from kahnd.engine.maintenance import Liveness
from kahnd.engine.observer import Observer
from kahnd.engine.output_writer import OutputWriter
from kahnd.engine.requests import PendingRequests, resolve
from kahnd.engine.store_writer import StoreWriter
from kahnd.engine.timings import BuildLog
from kahnd.ports import Phase


def urgent_first(commands: Iterable[Command]) -> Iterator[Command]:
    """Yield the commands, with log lines after what workers and the output thread wait for, and otherwise in order."""
    lines: list[Log] = []
    for command in commands:
        if isinstance(command, Log):
            lines.append(command)
            continue
        if not isinstance(command, Render | Publish | Commit):
            yield from lines
            lines.clear()
        yield command
    yield from lines


@dataclass(slots=True)
class Loop:
    """Performs what the machine decides."""

    machine: Machine
    inbox: Inbox
    store_writer: StoreWriter
    output_writer: OutputWriter
    observer: Observer
    dispatcher: Dispatcher
    builds: BuildLog
    requests: PendingRequests
    liveness: Liveness
    _refused: set[DocumentId] = field(default_factory=set)
    """The documents that the database refused in this session."""

    async def run(self, tasks: TaskGroup) -> None:
        """Handle events until cancelled. `tasks` is where looks at documents are made, beside the loop."""
        while True:
            await self.handle(tasks, await self.inbox.next())

    async def handle(self, tasks: TaskGroup, event: Event | Beat) -> None:
        """Have the machine decide about an event, and perform its commands."""
        self.liveness.turn()
        if isinstance(event, Beat):
            event.heard.set()
            return
        commands = deque(urgent_first(await self._decide(event)))
        while commands:
            result = await self._perform(tasks, commands.popleft())
            if result is not None:
                commands.extend(urgent_first(await self._decide(result)))
            await self.inbox.let_others_run()
        self.requests.report_progress(self.machine.builds.progress(), len(self.machine.schedule))

    async def closure(self, targets: Collection[str]) -> frozenset[DocumentId]:
        """Return the targets and all they depend on. Raises UsageError for a target that does not exist."""
        documents = resolve(self.machine.graph, targets)
        if not documents:
            return documents
        for commit in self.machine.unwritten_edges():
            self.store_writer.add(commit)
        return await self.store_writer.subgraph(documents)

    async def _decide(self, event: Event) -> list[Command]:
        if isinstance(event, Observed):
            event = replace(event, written_during=self.dispatcher.attribution.during_writes(event.observations))
        elif isinstance(event, Published):
            self.inbox.publications.settle(event.run)
            self.builds.published(event.run, event.problem)
        commands: list[Command] = []
        self.machine.schedule.moment = self.builds.clock.monotonic()
        for part in self.builds.timings.measure_each(Phase.PLAN, self.machine.handle_in_parts(event)):
            commands += part
            await self.inbox.let_others_run()
        if isinstance(event, Looked) or (isinstance(event, Published) and not _is_looked_at(event.run, commands)):
            self.inbox.publications.end(event.run)
        return commands

    async def _perform(self, tasks: TaskGroup, command: Command) -> Event | None:  # noqa: C901, PLR0912 - a line a command
        match command:
            case Propagate():
                return Propagated(await self.store_writer.propagate(command))
            case Resume():
                return await self._resume()
            case FindCycle(members):
                return CycleFound(members, await self.store_writer.cycle(members))
            case Publish(run):
                self.builds.timelines.accepted(run)
                self.output_writer.publish(command)
            case Commit():
                self.store_writer.add(command)
            case Render(job, ready):
                self.dispatcher.begin(job, ready)
            case Cancel(run):
                self.dispatcher.cancel(run)
            case Recheck(paths, document, rest):
                rest_s = self.dispatcher.attribution.rest_s(document_of(document)) if rest else 0.0
                tasks.start_soon(self.observer.look, paths, document, rest_s)
            case LookAtDeclared():
                tasks.start_soon(self.observer.look_at_declared, command)
            case Remove(output, document):
                return Removed(output, document, await self.output_writer.remove(output, document))
            case ClearCache(document):
                self.output_writer.discard_cache(document)
            case Log(event, fields):
                self.builds.log(event, **fields)
            case Answer(ticket, report):
                await self._answer(ticket, report)
            case BeginBuild():
                self.builds.begin(command)
            case EndBuild():
                await self._end(command)
        return None

    async def _resume(self) -> Resumed:
        asked = self.machine.request
        scope = await self.closure(self._existing(asked)) if asked and asked.targets else None
        return Resumed(await self.store_writer.frontier(), scope)

    def _existing(self, asked: BuildRequested) -> Collection[DocumentId]:
        nodes = (self.machine.graph.get(each) for each in asked.targets)
        return [node.facts.id for node in nodes if node and node.exists] if asked.lenient else asked.targets

    async def _answer(self, ticket: RequestId, report: BuildReport) -> None:
        await self.store_writer.flush()
        self._handle_refusals()
        self.requests.answer(ticket, corrected(report, self.machine.graph, self._refused))

    async def _end(self, command: EndBuild) -> None:
        started_at, duration_ms = self.builds.elapsed()
        record = await self.store_writer.end(command, started_at, duration_ms)
        self._handle_refusals()
        self.builds.end(record)

    def _handle_refusals(self) -> None:
        """Have documents fail that the database did not accept."""
        for document, problem in self.store_writer.take_refused().items():
            self._refused.add(document)
            self.machine.refuse(document, problem)


def _is_looked_at(run: RunId, commands: Iterable[Command]) -> bool:
    """Tell whether what a run has declared is to be looked at before its result counts."""
    return any(isinstance(each, LookAtDeclared) and each.run == run for each in commands)
