"""A whole project in memory around a Machine: sources, outputs, a store; renderings end when a test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeVar

from core.language import Files, Rendering, hash_of, look
from kahnd.core.digest import of_fields
from kahnd.core.graph import Node
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
    Finished,
    Look,
    Looked,
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
    Digest,
    DocumentId,
    Job,
    OutputPath,
    Problem,
    Result,
    RunId,
    Sighting,
    Snapshot,
    Stat,
    Status,
    Ticket,
)
from kahnd.core.rules import Layout, Rule, is_collection
from kahnd.store.memory import MemoryStore

T = TypeVar("T")
PAGE_RULE: Final = Rule(0, "docs/**/*.md", "page", "{dir}/{stem}.html", recipe=Digest("page 1"), judges_missing=True)
COMMAND_RULE: Final = Rule(1, "docs/**/*.cmd", "command", "{dir}/{stem}.out", recipe=Digest("command 1"))
RIVAL_RULE: Final = Rule(2, "docs/**/*.alt", "page", "{dir}/{stem}.html", recipe=Digest("rival 1"), judges_missing=True)
LAYOUT: Final = Layout(("docs",), "site", (PAGE_RULE, COMMAND_RULE, RIVAL_RULE))
PAGES_ALONE: Final = replace(LAYOUT, rules=(PAGE_RULE,))
ELSEWHERE: Final = replace(LAYOUT, rules=(PAGE_RULE, replace(COMMAND_RULE, output="else/{stem}.out"), RIVAL_RULE))
"""Commands' outputs lie in another folder."""


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("a store in memory waits for nothing")


class World:
    """Sources, outputs and store, which outlive any machine; and the machine of the moment with what it has ordered."""

    def __init__(self, sources: dict[str, str] | None = None, layout: Layout = LAYOUT, slots: int = 100) -> None:
        self.layout = layout
        self.slots = slots
        self.takes_ms = 10.0
        self.sources, self.outputs, self.store = Files(), Files(), MemoryStore()
        for path, text in (sources or {}).items():
            self.sources.write(path, text)
        self.made: set[OutputPath] = set()
        """The account of outputs, which outlives a crash."""
        self.in_the_way: set[str] = set()
        """Files that kahnd did not make, where it wants to put outputs."""
        self.altered: set[str] = set()
        """Outputs that are not as kahnd made them any more, and so are kept."""
        self.rendered: list[str] = []
        self.removed: list[str] = []
        self.cancelled: list[RunId] = []
        self.said: list[Tell] = []
        self.answers: dict[str, Report] = {}
        self.builds: list[BuildRecord] = []
        self._ids = (BuildId(f"b{number}") for number in count(1))
        self._tickets = count(1)
        self._boot(Snapshot())

    # What a test does

    def start(self, asked: Asked | None = None) -> None:
        """A session begins: the machine knows what the store knows, and looks at everything."""
        self._boot(now(self.store.load()))
        paths = self.sources.texts.keys() | self._seen.keys()
        absent = self._absent(self.machine.graph)
        altered = self._altered() - absent
        self._send(Started(self._sightings(paths), absent, "start", asked, altered, frozenset(self.made)))

    def crash(self) -> None:
        """Everything in the machine's memory is gone, and so are results not committed yet."""
        self._pending.clear()

    def write(self, path: str, text: str) -> None:
        """A file is written; nobody has looked at it yet."""
        self.sources.write(path, text)

    def delete(self, path: str) -> None:
        del self.sources.texts[path]

    def look(self, *paths: str) -> None:
        """Look at some paths (none: at all), as after an event."""
        wanted = paths or tuple(self.sources.texts.keys() | self._seen.keys())
        sightings = self._sightings(wanted)
        if sightings:
            self._send(Observed(sightings, "saved"))

    def save(self, path: str, text: str) -> None:
        self.write(path, text)
        self.look(path)

    def remove(self, path: str) -> None:
        self.delete(path)
        self.look(path)

    def lose_output(self, path: str) -> None:
        """Somebody deletes an output, and that is noticed."""
        del self.outputs.texts[path]
        self.observe_gone(path)

    def observe_gone(self, path: str) -> None:
        """A look finds nothing at an output's place."""
        self._send(Observed((), "outputs removed", frozenset({OutputPath(path)})))

    def alter_output(self, path: str, text: str) -> None:
        """Somebody writes to an output, and that is noticed."""
        self.outputs.write(path, text)
        self._send(Observed((), "outputs altered", altered=frozenset({OutputPath(path)})))

    def ask(self, *targets: str, retry: bool = False, force: bool = False) -> str:
        """Open a ticket after a look at everything; its name."""
        self.look()
        ticket = Ticket(f"t{next(self._tickets)}")
        self._send(Asked(ticket, "asked", self._closure(targets), retry=retry, force=force))
        return ticket

    def withdraw(self, ticket: str) -> None:
        """Whoever has that ticket waits no more."""
        self._send(Withdrawn(Ticket(ticket)))

    def asked(self, *targets: str, retry: bool = False, force: bool = False) -> Asked:
        """A question for a session to begin with."""
        ticket = Ticket(f"t{next(self._tickets)}")
        return Asked(ticket, "build", frozenset(map(DocumentId, targets)), retry=retry, force=force)

    def compute(self, document: str) -> None:
        """The rendering under way for a document reads what there is now; its end is not heard of yet."""
        job = self.running[document]
        rendering = Rendering(self.layout, self.sources, self.outputs, job)
        outcome = rendering.outcome()
        self.computed[document] = Finished(job.run, outcome, "then", self.takes_ms)
        self._stages[job.stage] = rendering.text

    def finish(self, document: str) -> None:
        """The rendering under way for a document comes to its end."""
        if document not in self.computed:
            self.compute(document)
        del self.running[document]
        self._send(self.computed.pop(document))

    def deliver_late(self) -> None:
        """The ends of cancelled renderings are heard of after all."""
        for each in self._late:
            self._send(each)
        self._late.clear()

    def take_a_look(self) -> None:
        """The oldest look that the machine asked for is taken."""
        order = self.looks.popleft()
        nodes = [node for each in order.paths if (node := self.machine.graph.get(each))]
        absent = self._absent(nodes)
        self._send(Observed(self._sightings(order.paths), "a look", absent))
        self._send(Looked(order.document))

    def settle_looks(self) -> None:
        """All looks that the machine asked for are taken."""
        while self.looks:
            self.take_a_look()

    def settle(self) -> list[str]:
        """Everything goes its way until all is quiet; what was rendered meanwhile, sorted."""
        before = len(self.rendered)
        for _ in range(10_000):
            if self.running:
                self.finish(next(iter(self.running)))
            elif self.looks:
                self.take_a_look()
            else:
                break
        else:
            raise AssertionError("the machine never comes to rest")
        assert self.machine.quiet, "nothing runs and yet something is unfinished"
        self.flush()
        return sorted(self.rendered[before:])

    def flush(self) -> None:
        now(self.store.commit(tuple(self._pending)))
        self._pending.clear()

    # What a test asks

    def status(self, document: str) -> Status:
        return self.machine.graph[DocumentId(document)].status

    def problem(self, document: str) -> str:
        return str(self.machine.graph[DocumentId(document)].facts.problem)

    def because(self, document: str) -> str | None:
        return self.machine.graph[DocumentId(document)].facts.because

    def statuses(self) -> dict[str, Status]:
        """Of all existing documents."""
        return {
            node.facts.id: node.status
            for node in self.machine.graph
            if node.exists and not is_collection(node.facts.id)
        }

    def events(self, name: str) -> list[dict[str, object]]:
        """The fields of the log's lines of this name."""
        return [dict(each.fields) for each in self.said if each.event == name]

    # The machine's surroundings

    def _boot(self, snapshot: Snapshot) -> None:
        self.machine = Machine(self.layout, snapshot, slots=self.slots, build_ids=self._ids)
        self._seen = {
            facts.id: (facts.content_hash, facts.stat.mtime_ns if facts.stat else 0)
            for facts in snapshot.documents
            if facts.status is not Status.MISSING
            and not is_collection(facts.id)
            and facts.id not in self.machine.untrusted
        }
        self.running: dict[str, Job] = {}
        self._jobs: dict[RunId, Job] = {}
        self.computed: dict[str, Finished] = {}
        self.looks: deque[Look] = deque()
        self._late: list[Finished] = []
        self._stages: dict[str, str] = {}
        self._pending: list[Result] = []

    def _sightings(self, paths: Iterable[str]) -> tuple[Sighting, ...]:
        return tuple(filter(None, (self._sighting(DocumentId(path)) for path in sorted(paths))))

    def _sighting(self, document: DocumentId) -> Sighting | None:
        text, seen = self.sources.texts.get(document), self._seen.get(document)
        if text is None:
            return Sighting(document) if self._seen.pop(document, None) else None
        version, digest = self.sources.versions[document], hash_of(text)
        self._seen[document] = (digest, version)
        if seen == (digest, version):
            return None
        stat = Stat(len(text), version, version, 1, 0)
        scan = look(text, document) if seen is None or seen[0] != digest else None
        return Sighting(document, digest, stat, scan)

    def _absent(self, nodes: Iterable[Node]) -> frozenset[OutputPath]:
        outputs = (node.claim for node in nodes if node.claim == node.facts.output)
        return frozenset(each for each in outputs if each and each not in self.outputs.texts)

    def _altered(self) -> frozenset[OutputPath]:
        """Outputs that are not what the store says: somebody altered them, or a newer one was in place at a crash."""
        texts = self.outputs.texts
        return frozenset(
            node.claim
            for node in self.machine.graph
            if node.claim
            and node.claim == node.facts.output
            and hash_of(texts.get(node.claim, "")) != node.facts.output_hash
        )

    def _closure(self, targets: Iterable[str]) -> frozenset[DocumentId]:
        self.flush()
        return now(self.store.subgraph([DocumentId(each) for each in targets]))

    def _send(self, event: Event) -> None:
        commands = deque(self.machine.handle(event))
        while commands:
            answer = self._perform(commands.popleft())
            if answer is not None:
                commands.extend(self.machine.handle(answer))

    def _perform(self, command: Command) -> Event | None:  # noqa: C901, PLR0911, PLR0912 - a line a command
        match command:
            case Propagate(changes):
                self.flush()
                return Propagated(now(self.store.propagate(changes)))
            case Resume():
                return self._resume()
            case FindCycle(members):
                self.flush()
                return CycleFound(members, now(self.store.cycle(min(members))))
            case Publish(run, stage, output, digest):
                assert digest == hash_of(self._stages[stage])
                return self._publish(run, stage, output)
            case Commit(results):
                self._pending.extend(results)
            case Render(job):
                assert job.document not in self.running, f"{job.document} runs twice at once"
                self.running[job.document] = self._jobs[job.run] = job
            case Cancel(run):
                self._cancel(run)
            case Look():
                self.looks.append(command)
            case Remove(output, document):
                if output in self.altered:
                    self.made.discard(output)
                    return Removed(output, document, gone=False)
                self.outputs.texts.pop(output, None)
                self.made.discard(output)
                self.removed.append(output)
                return Removed(output, document, gone=True)
            case Tell():
                self.said.append(command)
            case Answer(ticket, report):
                self.answers[ticket] = report
            case EndBuild(record):
                self.builds.append(record)
            case BeginBuild():
                pass
        return None

    def _resume(self) -> Resumed:
        self.flush()
        asked = self.machine.asked
        scope = self._closure(asked.targets) if asked and asked.targets else None
        return Resumed(frozenset(now(self.store.frontier())), scope)

    def _publish(self, run: RunId, stage: str, output: OutputPath) -> Published:
        if output in self.in_the_way:
            return Published(run, Problem("in the way", output))
        self.made.add(output)
        self.outputs.write(output, self._stages[stage])
        self.rendered.append(self._jobs[run].document)
        return Published(run, None)

    def _cancel(self, run: RunId) -> None:
        self.cancelled.append(run)
        document = self._jobs[run].document
        del self.running[document]
        if document in self.computed:
            self._late.append(self.computed.pop(document))


def at_rest(sources: dict[str, str], layout: Layout = LAYOUT) -> World:
    """A project that is up to date; nothing counts as rendered or said so far."""
    world = World(sources, layout)
    world.start()
    world.settle()
    world.rendered.clear()
    world.said.clear()
    world.removed.clear()
    return world


def with_recipe(rule: Rule, recipe: str) -> Layout:
    """The layout with another recipe for one of its rules."""
    changed = replace(rule, recipe=of_fields([recipe]))
    return replace(LAYOUT, rules=tuple(changed if each is rule else each for each in LAYOUT.rules))
