"""One session of the engine, from its first look to its end.

An event at a time: the machine decides, its commands are performed in order, what they bring is the next event.
Renderings and looks go on beside it and send their events to the inbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from kahnd.core.builds import corrected
from kahnd.core.machine import Machine
from kahnd.core.messages import (
    Answer,
    Asked,
    BeginBuild,
    Cancel,
    Command,
    Commit,
    CycleFound,
    EndBuild,
    Event,
    FindCycle,
    Look,
    Observed,
    Propagate,
    Propagated,
    Publish,
    Published,
    Remove,
    Removed,
    Render,
    Report,
    Resume,
    Resumed,
    Started,
    Tell,
    Withdrawn,
)
from kahnd.core.model import (
    BuildId,
    BuildRecord,
    DocumentId,
    HistoryEntry,
    Snapshot,
    Status,
    Ticket,
)
from kahnd.engine.answers import Answered, AtHand
from kahnd.engine.eyes import Eyes
from kahnd.engine.hands import Hands
from kahnd.engine.inspection import Inspection
from kahnd.engine.keeper import Keeper
from kahnd.engine.leftovers import Leftovers
from kahnd.engine.patience import Patience
from kahnd.engine.pulse import Beat, Waits
from kahnd.engine.targets import passing, resolve
from kahnd.engine.tickets import OnProgress, Tickets
from kahnd.engine.world import World
from kahnd.engine.writers import Writers
from kahnd.errors import StoreCorruptError
from kahnd.ports import Stage, Watcher

T = TypeVar("T")
TRY_AGAIN_S: Final = 10.0
"""How often what failed for the machine's sake is tried again."""
COUNTED: Final = ("rendered", "skipped", "failed", "blocked", "removed", "generations")


@dataclass(frozen=True, slots=True)
class _Now:
    build: BuildId
    cause: str
    started_at: str
    began: float


class Engine:
    """Performs what the machine decides. With `patience` a lost database is waited for, and is no error."""

    def __init__(
        self, machine: Machine, world: World, *, last_build: BuildRecord | None = None, patience: Patience | None = None
    ) -> None:
        self.machine = machine
        self._stages = world.stages
        self._pulse = world.pulse
        self.keeper = Keeper(world.store, patience, world.stages, world.pulse)
        self._send, self._inbox = anyio.create_memory_object_stream[Event | Beat](inf)
        self._inspection = Inspection(machine.graph, world.outputs, world.pulse)
        self.eyes = Eyes(
            world.tree,
            self._inspection,
            self._send.send_nowait,
            world.on_config,
            on_look=self._look_taken,
            pulse=world.pulse,
        )
        self._outputs = world.outputs
        self._leftovers = Leftovers(machine.graph, world.outputs, self._say_in_build)
        self._clock = world.clock
        self._writers = Writers(machine.graph.layout)
        self._hands = Hands(world.pool, world.outputs, world.clock, self._writers, self._send.send_nowait)
        self._say = world.say
        self._config_settled = world.config_settled
        self._beat = Beat(anyio.Event())
        self._beat.heard.set()
        self._tickets = Tickets()
        self._refused: set[DocumentId] = set()
        """By the database, in this session."""
        self._now: _Now | None = None
        self._broken = anyio.Event()
        self._breakage: StoreCorruptError | None = None
        self.last_build = last_build
        self.started = anyio.Event()
        self.watcher: Watcher | None = None

    # Faces

    async def run(
        self,
        *,
        cause: str,
        watcher: Watcher | None = None,
        rescan_s: float = 0,
        asked: Asked | None = None,
    ) -> None:
        """Run until cancelled; `asked` is what the session is for, where it is for something."""
        with self._send, self._inbox, self._pulse.looping():
            async with anyio.create_task_group() as tasks:
                self.watcher = watcher
                tasks.start_soon(self.keeper.write_behind)
                tasks.start_soon(self._end_broken)
                if watcher:
                    tasks.start_soon(self.eyes.follow, watcher)
                    with self._pulse.waiting(Waits.LOOK):
                        await watcher.ready()
                await self._begin(tasks, cause, asked)
                if watcher:
                    tasks.start_soon(self.eyes.make_sure, watcher, self._clock, rescan_s)
                    tasks.start_soon(self.eyes.watch_shared)
                    tasks.start_soon(self._try_again)
                async for event in self._inbox:
                    await self._handle(tasks, event)
                    while self._inbox.statistics().current_buffer_used:
                        await self._handle(tasks, self._inbox.receive_nowait())

    async def ask(
        self,
        cause: str,
        targets: Collection[str] = (),
        *,
        retry: bool = False,
        force: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Answered:
        """Wait until everything that happened before is seen, and the targets (none: all) are up to date.

        `retry`: failed documents are tried again, and outputs that are gone or altered made again. Raises UsageError
        for a target that is not there.
        """
        began = self._clock.monotonic()
        await self._caught_up()
        if retry:
            await self.eyes.inspect()
        wanted = await self.closure(targets)
        ticket = self._tickets.open(on_progress)
        self._send.send_nowait(Asked(ticket, cause, wanted, retry=retry, force=force))
        return await self.answered(ticket, began)

    async def closure(self, targets: Collection[str]) -> frozenset[DocumentId]:
        """The targets and all they need. Raises UsageError for one that is not there."""
        found = resolve(self.machine.graph, targets)
        if not found:
            return found
        for commit in self.machine.unwritten():
            self.keeper.keep(commit)
        return await self._told(lambda: self.keeper.subgraph(found))

    async def _told(self, ask: Callable[[], Awaitable[T]]) -> T:
        """A database found damaged, by whoever asks, ends the run too: what the engine knows is not kept any more."""
        try:
            return await ask()
        except StoreCorruptError as error:
            self._breakage = error
            self._broken.set()
            raise

    async def retry(self, targets: Collection[str] = (), *, on_progress: OnProgress | None = None) -> Answered:
        """Try failed documents again (those among the targets and what they need), and what was blocked by them."""
        began = self._clock.monotonic()
        await self._caught_up()
        wanted = await self.broken(targets)
        if not wanted:
            return Answered(Report(), self._elapsed_ms(began))
        ticket = self._tickets.open(on_progress)
        self._send.send_nowait(Asked(ticket, "retry", wanted, retry=True))
        return await self.answered(ticket, began)

    async def broken(self, targets: Collection[str] = ()) -> frozenset[DocumentId]:
        """What failed among the targets and what they need (none: everywhere), and what is blocked by that."""
        within = await self.closure(targets)
        nodes = list(self.machine.graph)
        failed = {node.facts.id for node in nodes if node.status is Status.FAILED}
        tried = failed & within if targets else failed
        return frozenset(tried.union(node.facts.id for node in nodes if node.facts.because in tried))

    async def past_renders(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """As the database tells them."""
        return await self._told(lambda: self.keeper.history(document, limit))

    async def _caught_up(self) -> None:
        """Return once everything that happened before is seen."""
        await self.started.wait()
        if self.watcher:
            await self.eyes.flush(self.watcher)
            await self._config_settled()

    def open(self, cause: str, targets: Collection[str], on_progress: OnProgress | None = None, **how: bool) -> Asked:
        """A question for a session to begin with: see `run`; its answer comes from `answered`. `how`: as in `Asked`."""
        names = frozenset(map(DocumentId, targets))
        return Asked(self._tickets.open(on_progress), cause, names, **how)

    async def answered(self, ticket: Ticket, began: float) -> Answered:
        """Wait for a ticket's answer; whoever is cancelled meanwhile does not want it any more."""
        try:
            return Answered(await self._tickets.answered(ticket), self._elapsed_ms(began))
        except anyio.get_cancelled_exc_class():
            with suppress(anyio.ClosedResourceError):  # the session may be over, too
                self._send.send_nowait(Withdrawn(ticket))
            raise

    def beat(self) -> str:
        """What of this engine has hung since the last call, if anything; has the loop give a sign until the next."""
        if self._beat.heard.is_set():
            self._beat = self._send_beat()
        return self._pulse.hung()

    def _send_beat(self) -> Beat:
        """One on its way; in an engine that has ended there is nothing more to hear of."""
        beat = Beat(anyio.Event())
        try:
            self._send.send_nowait(beat)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            beat.heard.set()
        return beat

    async def drain(self) -> None:
        """Begin no more renderings; return when those begun have ended, and what came of them is in the database."""
        begun = self.started.is_set() or self._hands.out()
        await self._hands.rest()
        if begun:
            await self._send_beat().heard.wait()
            await self.keeper.flush()

    def at_hand(self) -> AtHand:
        """As it is now."""
        events = self._inbox.statistics().current_buffer_used
        return AtHand(self._hands.out(), len(self.machine.schedule), events, self.keeper.behind)

    # The loop

    async def _begin(self, tasks: TaskGroup, cause: str, asked: Asked | None) -> None:
        began = self._clock.monotonic()
        untrusted = self.machine.untrusted
        known = tuple(node.facts for node in self.machine.graph if node.facts.id not in untrusted)
        sightings = await self.eyes.first(Snapshot(known))
        spoilt = await self._inspection.all()
        took = round(self._elapsed_ms(began), 2)
        told = Tell("scan.finished", {"changed": len(sightings), "duration_ms": took})
        made = self._outputs.made()
        await self._handle(tasks, Started(sightings, spoilt.absent, cause, asked, spoilt.altered, made, told))
        self.started.set()

    async def _handle(self, tasks: TaskGroup, event: Event | Beat) -> None:
        self._pulse.turn()
        if isinstance(event, Beat):
            event.heard.set()
            return
        commands = deque(self._decide(event))
        while commands:
            answer = await self._perform(tasks, commands.popleft())
            if answer is not None:
                commands.extend(self._decide(answer))
        self._tickets.show(self.machine.builds.progress(), len(self.machine.schedule))

    def _decide(self, event: Event) -> list[Command]:
        if isinstance(event, Observed):
            event = replace(event, amid=self._writers.amid(event.sightings))
        with self._stages.measure(Stage.PLAN):
            return self.machine.handle(event)

    def _look_taken(self, seconds: float, changed: int) -> None:
        """What nothing came of is no build's."""
        self._stages.spent(Stage.HASH, seconds)
        if not changed and self._now is None:
            self._stages.take()

    async def _perform(self, tasks: TaskGroup, command: Command) -> Event | None:  # noqa: C901, PLR0912 - a line a command
        match command:
            case Propagate():
                return Propagated(await self.keeper.propagate(command))
            case Resume():
                return await self._resume()
            case FindCycle(members):
                return CycleFound(members, await self.keeper.cycle(members))
            case Publish(run, stage, output, digest):
                with self._stages.measure(Stage.COMMIT):
                    return Published(run, self._outputs.publish(stage, output, digest))
            case Commit():
                self.keeper.keep(command)
            case Render(job):
                self._hands.begin(job)
            case Cancel(run):
                self._hands.cancel(run)
            case Look(paths, document, rest):
                rest_s = self._writers.rest_s(document) if rest else 0.0
                tasks.start_soon(self.eyes.look, paths, document, rest_s)
            case Remove(output, document):
                return Removed(output, document, self._leftovers.remove(output, document))
            case Tell(event, fields):
                self._say(event, **fields)
            case Answer(ticket, report):
                await self._answer(ticket, report)
            case BeginBuild(build, cause):
                self._now = _Now(build, cause, self._clock.now(), self._clock.monotonic())
                self._say("build.started", build=build, cause=cause)
            case EndBuild():
                await self._end(command)
        return None

    async def _resume(self) -> Resumed:
        asked = self.machine.asked
        scope = await self.closure(self._there(asked)) if asked and asked.targets else None
        return Resumed(await self.keeper.next_batch(), scope)

    def _there(self, asked: Asked) -> Collection[DocumentId]:
        known = (self.machine.graph.get(each) for each in asked.targets)
        return [node.facts.id for node in known if node and node.exists] if asked.lenient else asked.targets

    async def _answer(self, ticket: Ticket, report: Report) -> None:
        await self.keeper.flush()
        self._heed_refusals()
        self._tickets.answer(ticket, corrected(report, self.machine.graph, self._refused))

    async def _end(self, command: EndBuild) -> None:
        assert self._now is not None  # noqa: S101 - a build that ends has begun
        elapsed = self._elapsed_ms(self._now.began)
        self.last_build = await self.keeper.end(command, self._now.started_at, elapsed)
        self._now = None
        self._heed_refusals()
        counts = {name: getattr(self.last_build, name) for name in COUNTED}
        self._say(
            "build.finished",
            build=self.last_build.id,
            cause=self.last_build.cause,
            duration_ms=round(elapsed, 2),
            stages_ms=self._stages.take(),
            **counts,
        )

    def _heed_refusals(self) -> None:
        """What the database did not take has failed, here too."""
        refused, self.keeper.refused = self.keeper.refused, {}
        for document, problem in refused.items():
            self._refused.add(document)
            self.machine.refused(document, problem)

    def _say_in_build(self, event: str, **fields: object) -> None:
        """With the build under way, if it is a part of one."""
        now = {"build": self._now.build, "cause": self._now.cause} if self._now else {}
        self._say(event, **now, **fields)

    async def _try_again(self) -> None:
        """Nothing tells when a disk has room again."""
        while True:
            await anyio.sleep(TRY_AGAIN_S)
            self._leftovers.try_again()
            if wanted := passing(self.machine.graph):
                ticket = self._tickets.open(None)
                self._send.send_nowait(Asked(ticket, "retry", wanted, retry=True, lenient=True))
                await self.answered(ticket, self._clock.monotonic())

    async def _end_broken(self) -> None:
        await self._broken.wait()
        if self._breakage:
            raise self._breakage

    def _elapsed_ms(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000
