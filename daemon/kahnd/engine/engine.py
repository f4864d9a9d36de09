"""One session of the engine, from its first look at the sources to its end, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from kahnd.core.events import BuildReport, BuildRequested, Log, LogEvent, RequestWithdrawn, Started
from kahnd.core.machine import Machine
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, RequestId, Snapshot, Status
from kahnd.core.renderings import is_file
from kahnd.engine.dispatcher import Dispatcher, WriteAttribution
from kahnd.engine.inbox import Inbox, Publications
from kahnd.engine.loop import Loop
from kahnd.engine.maintenance import Liveness, Waits, schedule
from kahnd.engine.observer import Observer, OutputCheck
from kahnd.engine.output_writer import OutputWriter
from kahnd.engine.requests import OnProgress, PendingRequests, TimedReport, Workload, retriable
from kahnd.engine.store_writer import Backoff, OnCall, StoreWriter
from kahnd.engine.timelines import Timelines
from kahnd.engine.timings import BuildLog, PhaseTimings
from kahnd.errors import StoreCorruptError
from kahnd.ports import Clock, History, Outputs, Pool, Store, Tree, Watcher

T = TypeVar("T")
WriteLog = Callable[..., None]


@dataclass(frozen=True, slots=True)
class EngineDependencies:
    """The adapters an engine works with, and its links to the daemon.

    `log` writes a log line: the event, then its fields. `on_config`: see Observer. `config_settled` returns when no
    change of the configuration is waiting to be handled, and the session goes on. `history`: of commits, if pages show
    when they were changed last.
    """

    store: Store
    tree: Tree
    outputs: Outputs
    pool: Pool
    clock: Clock
    log: WriteLog
    timings: PhaseTimings = field(default_factory=PhaseTimings)
    on_config: Callable[[bool], None] = lambda _: None
    config_settled: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    liveness: Liveness = field(default_factory=Liveness)
    timelines: Timelines = field(default_factory=Timelines)
    on_store_call: OnCall = lambda _operation, _seconds: None
    history: History | None = None


class Engine:
    """Keeps outputs up to date as the machine decides. With a `backoff`, a lost database is retried."""

    def __init__(
        self,
        machine: Machine,
        dependencies: EngineDependencies,
        *,
        last_build: BuildRecord | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        given, liveness = dependencies, dependencies.liveness
        publications = Publications()
        inbox = Inbox(publications, liveness)
        builds = BuildLog(given.clock, given.log, given.timings, last_build, given.timelines)
        outputs = OutputWriter(machine.graph, given.outputs, inbox, builds, liveness)
        self._dependencies = dependencies
        self.machine = machine
        self.store_writer = StoreWriter(given.store, backoff, given.timings, liveness, given.on_store_call)
        self.observer = Observer(
            given.tree,
            OutputCheck(machine.graph, given.outputs, publications, liveness),
            inbox.send,
            given.on_config,
            on_look=builds.looked,
            liveness=liveness,
        )
        self.observer.history = given.history
        attribution = WriteAttribution(machine.graph.layout)
        self._loop = Loop(
            machine,
            inbox,
            self.store_writer,
            outputs,
            self.observer,
            Dispatcher(given.pool, builds, attribution, inbox.send, outputs.discard),
            builds,
            PendingRequests(),
            liveness,
        )
        self._damage: StoreCorruptError | None = None
        self._damaged = anyio.Event()
        self.started = anyio.Event()
        self.watcher: Watcher | None = None

    @property
    def last_build(self) -> BuildRecord | None:
        """The record of the last build that ended, perhaps in an earlier session."""
        return self._loop.builds.last

    @last_build.setter
    def last_build(self, record: BuildRecord | None) -> None:
        self._loop.builds.last = record

    @property
    def timelines(self) -> Timelines:
        """When the renderings of the last builds began and ended."""
        return self._dependencies.timelines

    @property
    def quiet(self) -> bool:
        """Nothing is left to do: all outputs are in place, and their results are in the database."""
        return self.machine.quiet and not self._loop.builds.is_under_way

    # Running

    async def run(
        self,
        *,
        cause: str,
        watcher: Watcher | None = None,
        rescan_s: float = 0,
        asked: BuildRequested | None = None,
    ) -> None:
        """Run until cancelled. `asked` is the request that the session is for, if it is for one."""
        loop, liveness = self._loop, self._dependencies.liveness
        with loop.inbox, liveness.looping():
            async with anyio.create_task_group() as tasks:
                self.watcher = watcher
                await tasks.start(loop.output_writer.run)
                tasks.start_soon(self.store_writer.write_behind)
                tasks.start_soon(self._end_if_damaged)
                if watcher:
                    tasks.start_soon(self.observer.follow, watcher)
                    with liveness.waiting(Waits.LOOK):
                        await watcher.ready()
                await self._start(tasks, cause, asked)
                if watcher:
                    for job in schedule(
                        self.observer, watcher, self._dependencies.clock, rescan_s, self._retry_passing
                    ):
                        tasks.start_soon(job.repeat, name=job.name)
                await loop.run(tasks)

    async def _start(self, tasks: TaskGroup, cause: str, asked: BuildRequested | None) -> None:
        began = self._dependencies.clock.monotonic()
        to_rescan = self.machine.to_rescan
        known = tuple(node.facts for node in self.machine.graph if node.facts.id not in to_rescan)
        nodes = filter(None, map(self.machine.graph.get, to_rescan))
        generated = {
            node.facts.id: node.facts.declarer for node in nodes if node.facts.declarer and is_file(node.facts.id)
        }
        observations = await self.observer.first_look(Snapshot(known), generated)
        dates = await self.observer.dates()
        spoilt = await self.observer.output_check.all()
        duration_ms = round(self._elapsed_ms(began), 2)
        log = Log(LogEvent.SCAN_FINISHED, {"changed": len(observations), "duration_ms": duration_ms})
        made = self._dependencies.outputs.made()
        started = Started(observations, spoilt.absent, cause, asked, spoilt.altered, made, log, dates)
        await self._loop.handle(tasks, started)
        self.started.set()

    async def drain(self) -> None:
        """Begin no more renderings; return when the running ones have ended and their results are in the database."""
        dispatcher = self._loop.dispatcher
        is_running = self.started.is_set() or dispatcher.running()
        await dispatcher.drain()
        if is_running:
            await self._loop.inbox.send_beat().heard.wait()
            await self.store_writer.flush()

    async def _retry_passing(self) -> None:
        """Retry what failed for a reason that may have passed without an event, such as a full disk."""
        await self._loop.output_writer.retry_removals()
        if documents := retriable(self.machine.graph):
            ticket = self._loop.requests.open()
            self._loop.inbox.send(BuildRequested(ticket, "retry", documents, retry=True, lenient=True))
            await self.answered(ticket, self._dependencies.clock.monotonic())

    # Requests

    async def ask(
        self,
        cause: str,
        targets: Collection[str] = (),
        *,
        retry: bool = False,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> TimedReport:
        """Wait until all earlier changes are observed, and the targets (none: everything) are up to date.

        `retry`: try failed documents again, and restore outputs that are gone or altered. Raises UsageError for a
        target that does not exist.
        """
        began = self._dependencies.clock.monotonic()
        await self._catch_up()
        if retry:
            await self.observer.check_outputs()
        documents = await self.closure(targets)
        ticket = self._loop.requests.open(on_progress)
        self._loop.inbox.send(BuildRequested(ticket, cause, documents, retry=retry, force=force))
        return await self.answered(ticket, began)

    async def retry(self, targets: Collection[str] = (), *, on_progress: OnProgress | None = None) -> TimedReport:
        """Try failed documents again (those among the targets and their dependencies), and those blocked by them."""
        began = self._dependencies.clock.monotonic()
        await self._catch_up()
        documents = await self.broken(targets)
        if not documents:
            return TimedReport(BuildReport(), self._elapsed_ms(began))
        ticket = self._loop.requests.open(on_progress)
        self._loop.inbox.send(BuildRequested(ticket, "retry", documents, retry=True))
        return await self.answered(ticket, began)

    def open(
        self, cause: str, targets: Collection[str], on_progress: OnProgress | None = None, **how: bool
    ) -> BuildRequested:
        """Open the request that a session is for (see `run`); `answered` returns its answer. `how`: as in the event."""
        names = frozenset(map(DocumentId, targets))
        return BuildRequested(self._loop.requests.open(on_progress), cause, names, **how)

    async def answered(self, ticket: RequestId, began: float) -> TimedReport:
        """Wait for the answer to a request. A caller that is cancelled withdraws it."""
        try:
            return TimedReport(await self._loop.requests.wait_for(ticket), self._elapsed_ms(began))
        except anyio.get_cancelled_exc_class():
            with suppress(anyio.ClosedResourceError):  # the session may be over, too
                self._loop.inbox.send(RequestWithdrawn(ticket))
            raise

    def prefer(self, documents: Collection[DocumentId]) -> None:
        """From now on have these documents rendered before all others, with what they need; replaces earlier ones."""
        renderings = self.machine.graph.layout.renderings_of
        self.machine.schedule.prefer({each for document in documents for each in (document, *renderings(document))})

    # Queries

    async def closure(self, targets: Collection[str]) -> frozenset[DocumentId]:
        """Return the targets and all they depend on. Raises UsageError for a target that does not exist."""
        return await self._query(lambda: self._loop.closure(targets))

    async def broken(self, targets: Collection[str] = ()) -> frozenset[DocumentId]:
        """Return what failed among the targets and their dependencies (none: everywhere), and what that blocks."""
        within = await self.closure(targets)
        nodes = list(self.machine.graph)
        failed = {node.facts.id for node in nodes if node.status is Status.FAILED}
        culprits = failed & within if targets else failed
        return frozenset(culprits.union(node.facts.id for node in nodes if node.facts.because in culprits))

    async def past_renders(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Return a document's past renders, or all, newest first."""
        return await self._query(lambda: self.store_writer.history(document, limit))

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Return finished builds, newest first."""
        return await self._query(lambda: self.store_writer.builds(limit))

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Return the renders of a finished build."""
        return await self._query(lambda: self.store_writer.renders_of(build))

    def workload(self) -> Workload:
        """Return what the engine is busy with now."""
        loop = self._loop
        scheduled = len(self.machine.schedule)
        return Workload(loop.dispatcher.running(), scheduled, len(loop.inbox), self.store_writer.backlog)

    def beat(self) -> str:
        """Name what has hung since the last call, or return ""; and send a heartbeat through the loop."""
        return self._loop.inbox.hung()

    async def _query(self, query: Callable[[], Awaitable[T]]) -> T:
        """Query the database. If it is damaged, the run ends too: results are not stored any more."""
        try:
            return await query()
        except StoreCorruptError as error:
            self._damage = error
            self._damaged.set()
            raise

    async def _end_if_damaged(self) -> None:
        await self._damaged.wait()
        if self._damage:
            raise self._damage

    async def _catch_up(self) -> None:
        """Return once all changes made before the call are observed."""
        await self.started.wait()
        if self.watcher:
            await self.observer.flush(self.watcher)
            await self._dependencies.config_settled()

    def _elapsed_ms(self, began: float) -> float:
        return (self._dependencies.clock.monotonic() - began) * 1000
