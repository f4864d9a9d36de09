"""A whole project in memory around a Machine: sources, outputs, a store; renderings end when a test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeVar

from core.language import Files, Rendering, hash_of, look
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
    Finished,
    Log,
    LookAtDeclared,
    Looked,
    Observed,
    Propagate,
    Propagated,
    Publish,
    Published,
    Recheck,
    Rechecked,
    Remove,
    Removed,
    Render,
    RequestWithdrawn,
    Resume,
    Resumed,
    StagedOutput,
    Started,
)
from kahnd.core.hashing import hash_fields
from kahnd.core.machine import Machine
from kahnd.core.model import (
    BuildId,
    BuildRecord,
    Digest,
    DocumentId,
    Job,
    Observation,
    OutputPath,
    Problem,
    RequestId,
    Result,
    RunId,
    Snapshot,
    Stat,
    Status,
)
from kahnd.core.nodes import Node
from kahnd.core.output_paths import generated_file, published_files
from kahnd.core.renderings import documents_of, is_file
from kahnd.core.rules import Layout, Rule, is_collection
from kahnd.store.memory_store import MemoryStore

T = TypeVar("T")
PAGE_RULE: Final = Rule(0, "docs/**/*.md", "page", "{dir}/{stem}.html", recipe=Digest("page 1"), judges_missing=True)
COMMAND_RULE: Final = Rule(1, "docs/**/*.cmd", "command", "{dir}/{stem}.out", recipe=Digest("command 1"))
RIVAL_RULE: Final = Rule(2, "docs/**/*.alt", "page", "{dir}/{stem}.html", recipe=Digest("rival 1"), judges_missing=True)
TWO_RULE: Final = Rule(
    3, "docs/**/*.two", "page", ("{dir}/{stem}.one", "{dir}/{stem}.two"), recipe=Digest("two"), judges_missing=True
)
BOX_RULE: Final = Rule(4, "docs/**/*.box", "page", "{dir}/{stem}/", recipe=Digest("box 1"), judges_missing=True)
PRINT_RULE: Final = Rule(
    5, "docs/**/[abx].*", "page", "print/{name}", recipe=Digest("print 1"), judges_missing=True, also=True
)
RAW_RULE: Final = Rule(6, "docs/**/{b.md,d.cmd,p.txt,x.*}", "command", "{name}.raw", recipe=Digest("raw 1"), also=True)
"""Beside others; for `p.txt` in place of one."""
LAYOUT: Final = Layout(("docs",), "site", (PAGE_RULE, COMMAND_RULE, RIVAL_RULE, TWO_RULE, BOX_RULE))
PAGES_ALONE: Final = replace(LAYOUT, rules=(PAGE_RULE,))
ELSEWHERE: Final = replace(LAYOUT, rules=(PAGE_RULE, replace(COMMAND_RULE, output="else/{stem}.out"), RIVAL_RULE))
"""Commands' outputs lie in another folder."""
SEVERAL: Final = replace(LAYOUT, rules=(*LAYOUT.rules, PRINT_RULE, RAW_RULE))
SEVERAL_ELSEWHERE: Final = replace(LAYOUT, rules=(*LAYOUT.rules, replace(PRINT_RULE, output="paper/{name}"), RAW_RULE))
"""Some documents have several renderings."""


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that waits for nothing and returns its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("a store in memory waits for nothing")


class World:
    """Sources, outputs and store, which outlive any machine; the present machine, and the commands it has given."""

    def __init__(self, sources: dict[str, str] | None = None, layout: Layout = LAYOUT, slots: int = 100) -> None:
        self.layout = layout
        self.slots = slots
        self.takes_ms = 10.0
        self.sources, self.outputs, self.store = Files(), Files(), MemoryStore()
        for path, text in (sources or {}).items():
            self.sources.write(path, text)
        self.made: set[OutputPath] = set()
        """The journal of outputs, which outlives a crash."""
        self.dates: dict[DocumentId, int | None] = {}
        """When commits have changed documents last."""
        self.in_the_way: set[str] = set()
        """Foreign files at paths of outputs."""
        self.altered: set[str] = set()
        """Outputs that somebody has altered, and that are therefore kept."""
        self.rendered: list[str] = []
        self.removed: list[str] = []
        self.cleared: list[DocumentId] = []
        """Documents whose programs' folders were removed."""
        self.cancelled: list[RunId] = []
        self.logged: list[Log] = []
        self.answers: dict[str, BuildReport] = {}
        self.builds: list[BuildRecord] = []
        self._ids = (BuildId(f"b{number}") for number in count(1))
        self._tickets = count(1)
        self._boot(Snapshot())

    # Actions of a test

    def start(self, asked: BuildRequested | None = None) -> None:
        """Begins a session: a new machine loads the store and observes everything."""
        self._boot(now(self.store.load()))
        paths = self.sources.texts.keys() | self._seen.keys()
        absent = self._absent(self.machine.graph)
        altered = self._altered() - absent
        made, dates = frozenset(self.made), dict(self.dates)
        observations = (*self._observations(paths), *self._declared_to_rescan())
        self._send(Started(observations, absent, "start", asked, altered, made, dates=dates))

    def commit(self, dates: Mapping[str, int | None]) -> None:
        """Tells when commits have changed documents last, as after one."""
        changed = {DocumentId(document): date for document, date in dates.items()}
        self.dates.update(changed)
        self._send(Observed((), "commit", dates=changed))

    def crash(self) -> None:
        """Loses the machine's memory and the results not committed yet."""
        self._pending.clear()

    def write(self, path: str, text: str) -> None:
        """Writes a file without observing it."""
        self.sources.write(path, text)

    def delete(self, path: str) -> None:
        del self.sources.texts[path]

    def look(self, *paths: str) -> None:
        """Observes some paths (none: all), as after an event."""
        wanted = paths or tuple(self.sources.texts.keys() | self._seen.keys())
        observations = self._observations(wanted)
        if observations:
            self._send(Observed(observations, "saved"))

    def save(self, path: str, text: str) -> None:
        self.write(path, text)
        self.look(path)

    def remove(self, path: str) -> None:
        self.delete(path)
        self.look(path)

    def lose_output(self, path: str) -> None:
        """Deletes an output, and observes that."""
        del self.outputs.texts[path]
        self.observe_absent(path)

    def observe_absent(self, path: str, published: int | None = None) -> None:
        """Observes that an output is absent; `published`: the number of publications before the look."""
        self._send(Observed((), "outputs removed", frozenset({OutputPath(path)}), published=published))

    def alter_output(self, path: str, text: str) -> None:
        """Writes to an output, and observes that."""
        self.outputs.write(path, text)
        self._send(Observed((), "outputs altered", altered=frozenset({OutputPath(path)})))

    def ask(self, *targets: str, retry: bool = False, force: bool = False) -> str:
        """Observes everything and makes a request; returns its id."""
        self.look()
        ticket = RequestId(f"t{next(self._tickets)}")
        self._send(BuildRequested(ticket, "asked", self._closure(targets), retry=retry, force=force))
        return ticket

    def withdraw(self, ticket: str) -> None:
        """Withdraws a request."""
        self._send(RequestWithdrawn(RequestId(ticket)))

    def asked(self, *targets: str, retry: bool = False, force: bool = False) -> BuildRequested:
        """Returns a request for a session to begin with."""
        ticket = RequestId(f"t{next(self._tickets)}")
        return BuildRequested(ticket, "build", frozenset(map(DocumentId, targets)), retry=retry, force=force)

    def compute(self, document: str) -> None:
        """Lets the document's rendering read the present files; the machine does not hear of its end yet."""
        job = self.running[document]
        rendering = Rendering(self.layout, self.sources, self.outputs, job)
        outcome = rendering.outcome()
        self.computed[document] = Finished(job.run, outcome, "then", self.takes_ms)
        self._stages.update(rendering.staged)

    def finish(self, document: str) -> None:
        """Ends the document's rendering."""
        if document not in self.computed:
            self.compute(document)
        del self.running[document]
        self._send(self.computed.pop(document))

    def deliver_late(self) -> None:
        """Sends the ends of cancelled renderings after all."""
        for each in self._late:
            self._send(each)
        self._late.clear()

    def recheck(self) -> None:
        """Performs the oldest pending Recheck."""
        order = self.rechecks.popleft()
        nodes = [node for each in order.paths if (node := self.machine.graph.get(each))]
        absent = self._absent(nodes)
        self._send(Observed(self._observations(documents_of(order.paths)), "a look", absent))
        self._send(Rechecked(order.document))

    def look_at_declared(self) -> None:
        """Performs the oldest pending look at declared documents."""
        order = self.looks.popleft()
        found = tuple(self._declared(each, order.declarer) for each in order.documents)
        if found:
            self._send(Observed(found, "a look"))
        self._send(Looked(order.run))

    def settle_rechecks(self) -> None:
        """Performs all pending Rechecks."""
        while self.rechecks:
            self.recheck()

    def settle(self) -> list[str]:
        """Performs everything until all is quiet; returns the documents rendered meanwhile, sorted."""
        before = len(self.rendered)
        for _ in range(10_000):
            if self.running:
                self.finish(next(iter(self.running)))
            elif self.rechecks:
                self.recheck()
            elif self.looks:
                self.look_at_declared()
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

    # Questions of a test

    def status(self, document: str) -> Status:
        return self.machine.graph[DocumentId(document)].status

    def problem(self, document: str) -> str:
        return str(self.machine.graph[DocumentId(document)].facts.problem)

    def because(self, document: str) -> str | None:
        return self.machine.graph[DocumentId(document)].facts.because

    def statuses(self) -> dict[str, Status]:
        """Returns the status of all existing renderings, by id."""
        return {
            node.facts.id: node.status
            for node in self.machine.graph
            if node.exists and not is_collection(node.facts.id)
        }

    def events(self, name: str) -> list[dict[str, object]]:
        """Returns the fields of the log lines with this name."""
        return [dict(each.fields) for each in self.logged if each.event == name]

    # The machine's surroundings

    def _boot(self, snapshot: Snapshot) -> None:
        self.machine = Machine(self.layout, snapshot, slots=self.slots, build_ids=self._ids)
        self._seen = {
            facts.id: (facts.content_hash, facts.stat.mtime_ns if facts.stat else 0)
            for facts in snapshot.documents
            if facts.status is not Status.MISSING
            and not facts.declarer
            and is_file(facts.id)
            and facts.id not in self.machine.to_rescan
        }
        self.publications = 0  # which this machine has had the results of
        self.running: dict[str, Job] = {}
        self._jobs: dict[RunId, Job] = {}
        self.computed: dict[str, Finished] = {}
        self.rechecks: deque[Recheck] = deque()
        self.looks: deque[LookAtDeclared] = deque()
        self._late: list[Finished] = []
        self._stages: dict[str, str] = {}
        self._pending: list[Result] = []

    def _observations(self, paths: Iterable[str]) -> tuple[Observation, ...]:
        return tuple(filter(None, (self._observation(DocumentId(path)) for path in sorted(paths))))

    def _observation(self, document: DocumentId) -> Observation | None:
        text, seen = self.sources.texts.get(document), self._seen.get(document)
        if text is None:
            return Observation(document) if self._seen.pop(document, None) else None
        version, digest = self.sources.versions[document], hash_of(text)
        self._seen[document] = (digest, version)
        if seen == (digest, version):
            return None
        stat = Stat(len(text), version, version, 1, 0)
        scan = look(text, document, self.layout) if seen is None or seen[0] != digest else None
        return Observation(document, digest, stat, scan)

    def _declared(self, document: DocumentId, declarer: DocumentId) -> Observation:
        text = self.outputs.texts.get(generated_file(document))
        if text is None:
            return Observation(document, declarer=declarer)
        return Observation(document, hash_of(text), None, look(text, document, self.layout), declarer=declarer)

    def _declared_to_rescan(self) -> tuple[Observation, ...]:
        nodes = filter(None, map(self.machine.graph.get, self.machine.to_rescan))
        return tuple(self._declared(node.facts.id, node.facts.declarer) for node in nodes if node.facts.declarer)

    def _absent(self, nodes: Iterable[Node]) -> frozenset[OutputPath]:
        outputs = (path for node in nodes if node.claim == node.facts.output for path, _ in published_files(node.facts))
        return frozenset(each for each in outputs if each not in self.outputs.texts)

    def _altered(self) -> frozenset[OutputPath]:
        """Returns outputs that differ from the store: altered, or written before a crash but not committed."""
        texts = self.outputs.texts
        nodes = (node for node in self.machine.graph if node.claim and node.claim == node.facts.output)
        made = (each for node in nodes for each in published_files(node.facts))
        return frozenset(path for path, digest in made if hash_of(texts.get(path, "")) != digest)

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
            case Publish(run, staged):
                return self._publish(run, staged)
            case Commit(results):
                self._pending.extend(results)
            case Render(job):
                rendering = self._rendering(job)
                assert rendering not in self.running, f"{rendering} runs twice at once"
                self.running[rendering] = self._jobs[job.run] = job
            case Cancel(run):
                self._cancel(run)
            case Recheck():
                self.rechecks.append(command)
            case LookAtDeclared():
                self.looks.append(command)
            case Remove(output, document):
                if output in self.altered:
                    self.made.discard(output)
                    return Removed(output, document, gone=False)
                self.outputs.texts.pop(output, None)
                self.made.discard(output)
                self.removed.append(output)
                return Removed(output, document, gone=True)
            case ClearCache(document):
                self.cleared.append(document)
            case Log():
                self.logged.append(command)
            case Answer(ticket, report):
                self.answers[ticket] = report
            case EndBuild(record):
                self.builds.append(record)
            case BeginBuild():
                pass
        return None

    def _resume(self) -> Resumed:
        self.flush()
        asked = self.machine.request
        scope = self._closure(asked.targets) if asked and asked.targets else None
        return Resumed(frozenset(now(self.store.frontier())), scope)

    def _publish(self, run: RunId, staged: Iterable[StagedOutput]) -> Published:
        self.publications += 1
        for each in staged:
            assert each.digest == hash_of(self._stages[each.stage])
            if each.output in self.in_the_way:
                return Published(run, Problem("in the way", each.output))
            self.made.add(each.output)
            self.outputs.write(each.output, self._stages[each.stage])
        self.rendered.append(self._rendering(self._jobs[run]))
        return Published(run, None)

    def _rendering(self, job: Job) -> DocumentId:
        return self.layout.rendering_by(job.document, job.rule)

    def _cancel(self, run: RunId) -> None:
        self.cancelled.append(run)
        document = self._rendering(self._jobs[run])
        del self.running[document]
        if document in self.computed:
            self._late.append(self.computed.pop(document))


def at_rest(sources: dict[str, str], layout: Layout = LAYOUT) -> World:
    """Returns a project that is up to date, with empty records of renderings and log lines."""
    world = World(sources, layout)
    world.start()
    world.settle()
    world.rendered.clear()
    world.logged.clear()
    world.removed.clear()
    return world


def with_recipe(rule: Rule, recipe: str) -> Layout:
    """Returns the layout with another recipe for one of its rules."""
    changed = replace(rule, recipe=hash_fields([recipe]))
    return replace(LAYOUT, rules=tuple(changed if each is rule else each for each in LAYOUT.rules))
