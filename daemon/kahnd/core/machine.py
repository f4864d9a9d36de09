"""The engine's decisions: an event in, commands out. No I/O, no clock, nothing awaited.

- What was seen becomes changes; the database says whom they reach; those are DIRTY and in the schedule.
- A document out of the schedule is decided on: settled, skipped, blocked, failed or given to a worker.
- What a worker brings back counts only if all it read is finished and still the same; then it is published, committed,
  and what waited for it is free.
- Nothing left: the build ends and those who waited are answered. Nothing free but something left: a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kahnd.core import verdict
from kahnd.core.ahead import Ahead
from kahnd.core.book import Book
from kahnd.core.connections import Connections
from kahnd.core.demand import demanded
from kahnd.core.doubts import Doubts
from kahnd.core.forced import Forced
from kahnd.core.graph import Graph, Node
from kahnd.core.intake import Intake, Noticed
from kahnd.core.messages import (
    ANSWERED,
    Asked,
    Cancel,
    Command,
    Commit,
    CycleFound,
    EndBuild,
    Event,
    FindCycle,
    Finished,
    Looked,
    Observed,
    Propagate,
    Propagated,
    Published,
    Remove,
    Removed,
    Render,
    Resume,
    Resumed,
    Started,
    Tell,
    Withdrawn,
)
from kahnd.core.model import (
    BuildId,
    Dependency,
    DocumentId,
    Problem,
    Sighting,
    Snapshot,
    Status,
    Ticket,
)
from kahnd.core.outcomes import Held, Outcomes
from kahnd.core.rounds import NOBODY, Amid, Rounds
from kahnd.core.rules import Layout, is_collection
from kahnd.core.runs import Runs
from kahnd.core.tries import Tries
from kahnd.core.why import OUTPUT_ALTERED, OUTPUT_GONE


class Machine:
    """Owns the graph, the schedule and the runs; `handle` is its only way in."""

    def __init__(self, layout: Layout, snapshot: Snapshot, *, slots: int, build_ids: Iterator[BuildId]) -> None:
        self.graph = Graph(layout, snapshot)
        self._book = Book(self.graph, build_ids)
        self.schedule, self.builds = self._book.schedule, self._book.builds
        self.reasons = self._book.reasons
        self.untrusted = frozenset(
            node.facts.id
            for node in self.graph
            if node.exists and not is_collection(node.facts.id) and not self.graph.is_as_seen(node)
        )
        """Documents whose rule has changed since they were last looked at: their bytes must be scanned anew."""
        self._intake = Intake(self.graph)
        self._edges = Connections(self.graph, self._intake, self._book)
        self._runs = Runs(self.graph, self._intake.members, slots, self._book.expected)
        self.asked: Asked | None = None
        self._open = False
        self._scope: frozenset[DocumentId] | None = None
        self._unanswered = 0
        self._ahead = Ahead(self.graph, self.schedule, self._runs)
        self._held = Held()
        self._forced = Forced()
        self._doubts = Doubts(self.graph)
        self._tries = Tries(self.graph)
        self._rounds = Rounds()
        self._outcomes = Outcomes(
            self._book, self._edges, self._runs, self._doubts, self._tries, self._forced, self._held
        )

    @property
    def quiet(self) -> bool:
        """Whether nothing is left to do, and nothing is waited for."""
        return self._open and not self.schedule and not self._unanswered

    def unwritten(self) -> list[Commit]:
        """What is to be written before the database is asked about edges by others."""
        return list(self._book.unwritten())

    def refused(self, document: DocumentId, problem: Problem) -> None:
        """The database does not take what is known of a document. Nothing else comes of it."""
        self._book.refused(document, problem)

    def is_forced(self, document: DocumentId) -> bool:
        """Whether it is to be rendered even if its inputs are those of its last render."""
        return document in self._forced

    def handle(self, event: Event) -> list[Command]:
        """What is to be done about an event, in this order."""
        commands = self._counted(self._respond(event))
        if self._open and not self._unanswered:
            commands += self._counted(self._advance())
        return commands

    def _counted(self, commands: Iterable[Command]) -> list[Command]:
        """Those of them that an event answers are waited for before anything else begins."""
        counted = list(commands)
        self._unanswered += sum(isinstance(each, ANSWERED) for each in counted)
        return counted

    def _respond(self, event: Event) -> Iterable[Command]:  # noqa: C901, PLR0911 - a line an event
        match event:
            case Started():
                return self._start(event)
            case Observed():
                return self._take_in(self._notice(event), event.cause, event.told, event.amid)
            case Propagated():
                self._unanswered -= 1
                self._rounds.reached(event.affected)
                return self._mark(event.affected)
            case Resumed():
                self._unanswered -= 1
                return self._resume(event)
            case Looked():
                return self._release(event)
            case Finished():
                return self._outcomes.finished(event)
            case Published():
                return self._outcomes.published(event)
            case CycleFound():
                return self._break(event)
            case Removed():
                self._unanswered -= 1
                return self._book.removed(event)
            case Asked():
                return self._demand(event)
            case Withdrawn():
                return self._withdraw(event.ticket)

    # What changed

    def _start(self, event: Started) -> Iterable[Command]:
        self.asked = event.asked
        first = self.graph.is_empty and not (event.asked and event.asked.targets)
        lost = tuple(map(Sighting, sorted(self.untrusted - {each.document for each in event.sightings})))
        noticed = self._notice(replace(event, sightings=event.sightings + lost))
        self._intake.entangled(noticed)
        yield from self._book.begin(event.cause, event.told)
        for output in self._intake.disowned(event.made, noticed):
            yield Remove(output)
        if first:
            yield from self._begin_with(noticed)
        else:
            yield from self._take_in(noticed, event.cause)
            yield Resume()

    def _begin_with(self, noticed: Noticed) -> Iterable[Command]:
        """The database knows nothing: what there is is all that is affected, and is written as it is finished."""
        self.reasons.update(noticed.reasons)
        for document, change in noticed.changes.items():
            self._book.found(document, change.edges)
            if change.facts.status is Status.MISSING:
                yield self._book.keep(change.facts)
        yield from self._mark(noticed.changes)
        yield from self._resume(Resumed(frozenset(), None))

    def _notice(self, event: Started | Observed) -> Noticed:
        noticed = self._intake.observe(event.sightings)
        for outputs, reason in ((event.absent, OUTPUT_GONE), (event.altered, OUTPUT_ALTERED)):
            spoilt = self._intake.spoilt(outputs, self._forced.spoilt)
            self._forced.spoil(spoilt)
            noticed.again(spoilt, reason)
        return noticed

    def _demand(self, asked: Asked, *, from_start: bool = False) -> Iterable[Command]:
        """Make dirty what is asked for although nothing in it changed."""
        self.builds.ask(asked, from_start=from_start)
        noticed = demanded(self.graph, asked, self._forced, self._rounds)
        yield from self._take_in(noticed, asked.cause)

    def _withdraw(self, ticket: Ticket) -> Iterable[Command]:
        if not self.builds.withdraw(ticket):
            self._forced.give_up()
        return ()

    def _take_in(
        self,
        noticed: Noticed,
        cause: str,
        told: Tell | None = None,
        amid: Amid = NOBODY,
    ) -> Iterable[Command]:
        if noticed.touched:
            yield Commit(tuple(noticed.touched))
        if not noticed.changes:
            yield from self._book.note(told)
            return
        yield from self._book.begin(cause, told)
        self.reasons.update(noticed.reasons)
        for document, change in noticed.changes.items():
            if change.forget or change.facts.status is Status.MISSING:
                yield from self._stop(document)
                self.schedule.discard(document)
        for output, document in noticed.removed:
            yield Remove(output, document)
        self._rounds.changed(noticed.written(), amid)
        yield from self._go_ahead(noticed)
        yield from self._book.unwritten()
        yield Propagate(tuple(noticed.changes.values()))

    def _go_ahead(self, noticed: Noticed) -> Iterable[Command]:
        may_begin = self._open and self._scope is None and not self._rounds.is_suspect(noticed.changes)
        job = self._ahead.begin(noticed.changes, self._forced) if may_begin else None
        return [Render(job)] if job else []

    def _mark(self, affected: Iterable[DocumentId]) -> Iterable[Command]:
        nodes = [node for each in affected if (node := self.graph.get(each)) and node.exists]
        for node in nodes:
            self.graph.put(replace(node.facts, status=Status.DIRTY))
            node.cycle = ()
            self._doubts.dirty(node.facts.id)
            if not self._ahead.is_out(node.facts.id):
                yield from self._stop(node.facts.id)
            yield self._book.tell("document.dirty", document=node.facts.id, reason=self.reasons.get(node.facts.id))
        if self._open:
            self._book.enter(node for node in nodes if self._scope is None or node.facts.id in self._scope)
        if waiting := self._ahead.settle():
            yield from self._stop(waiting)

    def _resume(self, event: Resumed) -> Iterable[Command]:
        self._open, self._scope = True, event.scope
        if self.asked:
            asked = replace(self.asked, targets=event.scope or frozenset())
            yield from self._demand(asked, from_start=True)
        dirty = [node for node in self.graph if node.status is Status.DIRTY]
        self._book.enter(
            (node for node in dirty if event.scope is None or node.facts.id in event.scope), event.frontier
        )

    # What to do next

    def _advance(self) -> Iterable[Command]:
        yield from self._work()
        while self._is_stuck and (loosened := self._loosen()):
            for commands in loosened:
                yield from commands
            yield from self._work()
        if not self.schedule:
            yield from self._end()
        elif self._is_stuck:
            yield from self._book.unwritten()
            for members in self.schedule.stuck():
                yield FindCycle(members)
        yield from self.builds.answers(self.graph, self.schedule, quiet=not self.schedule)

    def _work(self) -> Iterable[Command]:
        while not self._runs.full and (document := self.schedule.take()):
            yield from self._decide(self.graph[document])

    @property
    def _is_stuck(self) -> bool:
        return bool(self.schedule) and not self._runs and not self._held

    def _loosen(self) -> list[Iterable[Command]]:
        """Untie what may be in a knot only by what is not read: free it to be run, or believe its own bytes alone."""
        if self._runs.full:
            return []
        knots = self.schedule.stuck()
        loose = self._doubts.loosen(knots)
        self.schedule.add(dict.fromkeys(loose, ()))
        return [*([()] if loose else []), *(self._believe(*each) for each in self._doubts.unproven(knots))]

    def _believe(self, node: Node, sure: Iterable[Dependency]) -> Iterable[Command]:
        """Keep of a document's dependencies what is sure."""
        yield from self._edges.connect(node, sure)
        yield from self._book.keep_edges(node)
        self._book.enter([node])

    def _decide(self, node: Node) -> Iterable[Command]:
        document = node.facts.id
        if (dependencies := self._edges.others(node)) is not None:
            yield from self._edges.connect(node, dependencies)
            if self._doubts.has_to_wait(node):
                self._book.enter([node])
                return
        forced = self.is_forced(document) or self._doubts.is_freed(document)
        decision = verdict.decide(self.graph, node, forced=forced, doubtful=self._doubts.is_doubtful(node))
        self._doubts.decided(document)
        match decision:
            case verdict.Run():
                yield from self._run(node, decision)
            case verdict.Settle(effective):
                yield from self._book.settle(node, effective)
            case verdict.Unchanged():
                yield from self._book.skip(node)
            case verdict.Block(because, problem):
                yield from self._book.fail(node, problem, because)
            case verdict.Fail(problem, rival) if rival:
                yield from self._book.contested(node, problem, rival)
            case verdict.Fail(problem):
                yield from self._book.fail(node, problem)

    def _run(self, node: Node, decision: verdict.Run) -> Iterable[Command]:
        """Give it to a worker, unless it may be rendered without end."""
        document = node.facts.id
        if problem := self._rounds.endless(document):
            yield from self._book.fail(node, problem)
        elif self._rounds.has_to_rest(document):
            yield self._held.rest(document)
        else:
            yield Render(self._runs.start(node, decision.content_hash, decision.rule.index, decision.output))

    def _stop(self, document: DocumentId) -> Iterable[Command]:
        """Whatever runs for this document is not wanted any more."""
        self._held.drop(document)
        if job := self._runs.cancel(document):
            yield Cancel(job.run)

    def _end(self) -> Iterable[Command]:
        record = self._book.end()
        self._tries.clear()
        return [EndBuild(record)] if record else []

    # What came of it

    def _release(self, event: Looked) -> Iterable[Command]:
        if self._held.release(event.document, rested=event.rested):
            self._book.enter([self.graph[event.document]])
        return ()

    def _break(self, event: CycleFound) -> Iterable[Command]:
        self._unanswered -= 1
        yield self._book.tell("cycle.found", cycle=list(event.path), error=" → ".join(event.path))
        for document in sorted(event.members):
            node = self.graph[document]
            node.cycle = event.path
            yield from self._book.fail(node, verdict.on_cycle(event.path, document), document)
