"""The engine's decisions: an event in, commands out. No I/O, no clock, nothing awaited.

- What was seen becomes changes; the database says whom they reach; those are DIRTY and in the schedule.
- A document out of the schedule is decided on: settled, skipped, blocked, failed or given to a worker.
- What a worker brings back counts only if all it read is finished and still the same; then it is published, committed,
  and what waited for it is free.
- Nothing left: the build ends and those who waited are answered. Nothing free but something left: a cycle.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

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
    Asked,
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
    Failed,
    Job,
    Kind,
    OutputPath,
    Problem,
    Rendered,
    Sighting,
    Snapshot,
    Status,
    Ticket,
    Unmet,
)
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
        self._held: dict[DocumentId, bool] = {}
        """Out of the schedule until a look is done; True: until it has rested, too."""
        self._forced = Forced()
        self._doubts = Doubts(self.graph)
        self._tries = Tries(self.graph)
        self._rounds = Rounds()

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
        commands = list(self._respond(event))
        if self._open and not self._unanswered:
            commands += self._advance()
        return commands

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
                return self._finished(event)
            case Published():
                return self._published(event)
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
            yield from self._remove(output)
        if first:
            yield from self._begin_with(noticed)
        else:
            yield from self._take_in(noticed, event.cause)
            yield from self._query(Resume())

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
            yield from self._remove(output, document)
        self._rounds.changed(noticed.written(), amid)
        yield from self._go_ahead(noticed)
        yield from self._book.unwritten()
        yield from self._query(Propagate(tuple(noticed.changes.values())))

    def _go_ahead(self, noticed: Noticed) -> Iterable[Command]:
        may_begin = self._open and self._scope is None and not self._rounds.is_suspect(noticed.changes)
        job = self._ahead.begin(noticed.changes, self._forced) if may_begin else None
        return [Render(job)] if job else []

    def _remove(self, output: OutputPath, document: DocumentId | None = None) -> Iterable[Command]:
        """An output that nothing stands for any more goes."""
        return self._query(Remove(output, document))

    def _query(self, command: Propagate | Resume | FindCycle | Remove) -> Iterable[Command]:
        self._unanswered += 1
        yield command

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
            self._enter(node for node in nodes if self._scope is None or node.facts.id in self._scope)
        if waiting := self._ahead.settle():
            yield from self._stop(waiting)

    def _resume(self, event: Resumed) -> Iterable[Command]:
        self._open, self._scope = True, event.scope
        if self.asked:
            asked = replace(self.asked, targets=event.scope or frozenset())
            yield from self._demand(asked, from_start=True)
        dirty = [node for node in self.graph if node.status is Status.DIRTY]
        self._enter((node for node in dirty if event.scope is None or node.facts.id in event.scope), event.frontier)

    def _enter(self, nodes: Iterable[Node], free: Container[DocumentId] = ()) -> None:
        """Into the schedule, with all that is needed and DIRTY but not in it yet (a scope can leave such out)."""
        self.schedule.add(self.graph.with_dirty_needs(nodes, free, self.schedule))

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
                yield from self._query(FindCycle(members))
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
        self._enter([node])

    def _decide(self, node: Node) -> Iterable[Command]:
        document = node.facts.id
        if (dependencies := self._edges.others(node)) is not None:
            yield from self._edges.connect(node, dependencies)
            if self._doubts.has_to_wait(node):
                self._enter([node])
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
            self._held[document] = True
            yield Look((document,), document, rest=True)
        else:
            yield Render(self._runs.start(node, decision.content_hash, decision.rule.index, decision.output))

    def _stop(self, document: DocumentId) -> Iterable[Command]:
        """Whatever runs for this document is not wanted any more."""
        self._held.pop(document, None)
        if job := self._runs.cancel(document):
            yield Cancel(job.run)

    def _end(self) -> Iterable[Command]:
        record = self._book.end()
        self._tries.clear()
        return [EndBuild(record)] if record else []

    # What came of it

    def _finished(self, event: Finished) -> Iterable[Command]:
        job = self._runs.job(event.run)
        if job is None:
            return
        node = self.graph[job.document]
        yield from self._edges.connect(node, verdict.edges_after(node, event.outcome))
        self._doubts.found(job.document)
        check = verdict.check(self.graph, node, event.outcome.reads, self.schedule)
        match check, event.outcome:
            case verdict.Again(look), _:
                yield from self._again(node, job, event, look)
            case _, Rendered() as outcome:
                self._runs.publish(event)
                yield Publish(event.run, job.stage, job.output, outcome.output_hash)
            case _, Failed(problem):
                self._runs.end(job)
                yield from self._book.fail(node, problem, finished=event)
            case _, Unmet(needs):
                yield from self._unmet(node, job, event, needs)

    def _unmet(self, node: Node, job: Job, event: Finished, needs: Dependency) -> Iterable[Command]:
        """A run found something not there: a new collection, a missing document, an output, its own old bytes."""
        if needs.kind is Kind.DISCOVERED and not (node.rule and node.rule.judges_missing):
            yield from self._again(node, job, event, (needs.target,))
            return
        target = self.graph[needs.target]
        if is_collection(needs.target) and needs.target not in dict(job.collections):
            yield from self._again(node, job, event, ())
        elif not target.exists or (target.status in verdict.BROKEN and not needs.kind.of_content):
            self._runs.end(job)
            told = event.outcome.problem if isinstance(event.outcome, Unmet) else None
            culprit = verdict.culprit_of(target) if target.exists else needs.target
            problem = told if told and target.exists else verdict.missing(self.graph, job.document, needs, told)
            yield from self._book.fail(node, problem, culprit)
        else:
            yield from self._again(node, job, event, (needs.target,))

    def _again(self, node: Node, job: Job, event: Finished, look: tuple[DocumentId, ...]) -> Iterable[Command]:
        """Drop a result made from what is not so (any more); run again once that is finished, or was looked at."""
        document = node.facts.id
        self._runs.end(job)
        yield from self._book.keep_edges(node)
        if not look:
            self._enter([node])
            return
        if problem := self._tries.dropped(document, event.outcome, look[0]):
            yield from self._book.fail(node, problem, finished=event)
            return
        self._held[document] = False
        yield Look(look, document)

    def _release(self, event: Looked) -> Iterable[Command]:
        if self._held.get(event.document) is event.rested:
            del self._held[event.document]
            self._enter([self.graph[event.document]])
        return ()

    def _published(self, event: Published) -> Iterable[Command]:
        finished, job = self._runs.published(event.run), self._runs.job(event.run)
        if job is None or not isinstance(finished.outcome, Rendered):
            raise AssertionError(f"run {event.run} was published but not rendered")
        node = self.graph[job.document]
        self._runs.end(job)
        if event.problem:
            yield from self._book.fail(node, event.problem, finished=finished)
            return
        if former := self._book.replaced(node, job.output):
            yield from self._remove(former, job.document)
        self._forced.made(job.document)
        self._tries.succeeded(job.document)
        yield from self._book.rendered(node, job, finished.outcome, finished)

    def _break(self, event: CycleFound) -> Iterable[Command]:
        self._unanswered -= 1
        yield self._book.tell("cycle.found", cycle=list(event.path), error=" → ".join(event.path))
        for document in sorted(event.members):
            node = self.graph[document]
            node.cycle = event.path
            yield from self._book.fail(node, verdict.on_cycle(event.path, document), document)
