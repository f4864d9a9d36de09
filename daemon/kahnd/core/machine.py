"""The engine's decisions: an event in, commands out. No I/O, no clock, nothing awaited.

1. Observations become changes (`changes`). The database computes the documents they affect; those become DIRTY and are
   scheduled (`scheduler`).
2. A ready document is decided on (`worklist`, `decision`): rehashed, skipped, blocked, failed, or given to a worker.
3. A worker's outcome counts only if everything it read is finished and still the same (`runs`). Then the output is
   published, the result committed (`transitions`), and dependents may become ready.
4. When nothing is left, the build ends and requests are answered (`builds`). When something is left but nothing is
   ready or running, there is a cycle.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kahnd.core.builds import Builds, Forced, requested_changes
from kahnd.core.changes import ChangeIntake, ChangeSet
from kahnd.core.events import (
    AWAITED,
    BuildRequested,
    ClearCache,
    Command,
    Commit,
    CycleFound,
    Event,
    Finished,
    Log,
    Looked,
    Observed,
    Propagate,
    Propagated,
    Published,
    Rechecked,
    Remove,
    Removed,
    Render,
    RequestWithdrawn,
    Resume,
    Resumed,
    Started,
)
from kahnd.core.graph import Graph
from kahnd.core.model import BuildId, DocumentId, Kind, Observation, Problem, RequestId, Snapshot, Status
from kahnd.core.nodes import Node
from kahnd.core.reasons import OUTPUT_ALTERED, OUTPUT_GONE
from kahnd.core.render_loops import NO_WRITES, RenderLoops, WrittenDuring
from kahnd.core.renderings import document_of, is_rendering
from kahnd.core.rules import Layout, is_collection
from kahnd.core.scheduler import PART, Readiness, Schedule
from kahnd.core.transitions import Transitions
from kahnd.core.worklist import Speculation, Worklist


class Machine:
    """Owns the graph and all that is decided from it; `handle` is the only way in."""

    def __init__(self, layout: Layout, snapshot: Snapshot, *, slots: int, build_ids: Iterator[BuildId]) -> None:
        self.graph = Graph(layout, snapshot)
        are_several = bool(layout.also) or any(is_rendering(node.facts.id) for node in self.graph)
        outdated = (each for each in self.graph if each.exists and self._is_outdated(each, are_several=are_several))
        self.to_rescan = frozenset(node.document for node in outdated)
        """Documents whose rules have changed since they were last scanned: their bytes must be scanned again."""
        self.request: BuildRequested | None = None
        """The request that the session serves, if it was begun for one."""
        self._resumed: Resumed | None = None
        """The database's answer at the start; nothing is decided before."""
        self._unanswered = 0
        self._forced = Forced()
        self._loops = RenderLoops()
        self._intake = ChangeIntake(self.graph)
        self._transitions = Transitions(self.graph, build_ids, self._intake.declarations)
        self._worklist = Worklist(self._transitions, self._intake, self._forced, self._loops, slots=slots)
        self._speculation = Speculation(self.graph, self.schedule, self._worklist.runs)

    def _is_outdated(self, node: Node, *, are_several: bool) -> bool:
        """Tells whether a document, or a rendering of it, is not known as the rules would have it.

        `are_several`: some document has several renderings, or may have.
        """
        document, graph = node.facts.id, self.graph
        if is_collection(document):
            return False
        if not graph.has_current_recipe(node):
            return True
        if is_rendering(document):  # it and its document are written together, but not in one transaction
            own = graph.get(node.document)
            return own is None or not own.exists or own.facts.content_hash != node.facts.content_hash
        if not are_several:
            return False
        named = {document_of(each.target) for each in node.dependencies if each.kind is Kind.OUTPUT}
        return any(self._has_other_renderings(each) for each in (document, *named))

    def _has_other_renderings(self, document: DocumentId) -> bool:
        """Tells whether other rules apply to a document than those by which it was scanned."""
        there = {each.facts.id for each in self.graph.renderings(document)} - {document}
        return there != self.graph.layout.renderings_of(document).keys()

    @property
    def schedule(self) -> Schedule:
        """The unfinished documents."""
        return self._transitions.schedule

    @property
    def builds(self) -> Builds:
        """The build under way and the open requests."""
        return self._transitions.builds

    @property
    def reasons(self) -> dict[DocumentId, str]:
        """The reasons noted since the build began, by document."""
        return self._transitions.reasons

    @property
    def quiet(self) -> bool:
        """Nothing is left to do, and no answer is awaited."""
        return self._resumed is not None and not self.schedule and not self._unanswered

    def unwritten_edges(self) -> list[Commit]:
        """Returns the edges to write before the database is queried about the graph by others."""
        return list(self._transitions.write_all_edges())

    def refuse(self, document: DocumentId, problem: Problem) -> None:
        """Marks a document FAILED whose facts the database has refused; nothing follows from it."""
        self._transitions.refuse(document, problem)

    def is_forced(self, document: DocumentId) -> bool:
        """Tells whether to render a document even if its inputs are those of its last render."""
        return document in self._forced

    def handle(self, event: Event) -> list[Command]:
        """Returns what to do about an event, in this order."""
        return [command for part in self.handle_in_parts(event) for command in part]

    def handle_in_parts(self, event: Event) -> Iterator[list[Command]]:
        """Yields what `handle` returns, in parts that each take some milliseconds to decide.

        Perform nothing, and hand over no other event, before the last part.
        """
        yield from self._in_parts(itertools.chain(self._respond(event), self._follow_up()))
        while self._resumed and not self._unanswered:
            yield self._counted(self._worklist.advance())
            if not self._has_follow_up:
                return
            yield from self._in_parts(self._follow_up())

    def _in_parts(self, steps: Iterable[Command | None]) -> Iterator[list[Command]]:
        part: list[Command] = []
        for step in steps:
            if step is None or len(part) == PART:
                yield self._counted(part)
                part = []
            if step is not None:
                part.append(step)
        yield self._counted(part)

    @property
    def _has_follow_up(self) -> bool:
        """Something follows from new declarations, and can't disturb a publication."""
        return self._intake.declarations.has_follow_up and not self._worklist.runs.publishing

    def _follow_up(self) -> Iterable[Command | None]:
        """Yields what follows from new declarations, once no publication can be disturbed by it."""
        while self._has_follow_up:
            changes = self._intake.follow_up()
            if not changes.changes:  # what was published and never looked at
                yield from itertools.starmap(Remove, changes.removed)
            yield from self._take_in(changes, self.builds.cause)

    def _counted(self, commands: Iterable[Command]) -> list[Command]:
        """Counts the commands whose answers must come before anything else is decided."""
        counted = list(commands)
        self._unanswered += sum(isinstance(each, AWAITED) for each in counted)
        return counted

    def _respond(self, event: Event) -> Iterable[Command | None]:  # noqa: C901, PLR0911 - a line an event
        """Yields what to do about an event, and None where there is a moment to pause."""
        match event:
            case Started():
                return self._start(event)
            case Observed():
                written = {**event.written_during, **_declared_by(event.observations)}
                return self._take_in(self._changes(event), event.cause, event.log, written)
            case Propagated():
                self._unanswered -= 1
                self._loops.propagated(event.affected)
                return self._mark_dirty(event.affected)
            case Resumed():
                self._unanswered -= 1
                return self._resume(event)
            case Rechecked():
                return self._worklist.rechecked(event)
            case Finished():
                return self._worklist.outcomes.finished(event)
            case Published():
                return self._worklist.outcomes.published(event)
            case Looked():
                return self._worklist.looked(event)
            case CycleFound():
                self._unanswered -= 1
                return self._worklist.fail_cycle(event)
            case Removed():
                self._unanswered -= 1
                return self._transitions.removed(event)
            case BuildRequested():
                return self._request(event)
            case RequestWithdrawn():
                return self._withdraw(event.ticket)

    # The start of a session

    def _start(self, event: Started) -> Iterable[Command | None]:
        self.request = event.request
        is_first = self.graph.is_empty and not (event.request and event.request.targets)
        gone = tuple(map(Observation, sorted(self.to_rescan - {each.document for each in event.observations})))
        changes = self._changes(replace(event, observations=event.observations + gone))
        self._intake.revisit_conflicts(changes)
        self._intake.revisit_limited(changes)
        yield from self._transitions.begin_build(event.cause, event.log)
        for output in self._intake.abandoned_outputs(event.made, changes):
            yield Remove(output)
        if is_first:
            yield from self._begin_from_scratch(changes)
        else:
            yield from self._take_in(changes, event.cause)
            yield Resume()

    def _begin_from_scratch(self, changes: ChangeSet) -> Iterable[Command | None]:
        """Skips the propagation: the database is empty, so all documents are affected and written once finished."""
        self.reasons.update(changes.reasons)
        for document, change in changes.changes.items():
            self._transitions.add_edges(document, change.edges)
            if change.facts.status is Status.MISSING or is_collection(document):  # before the edges that lead there
                yield self._transitions.write(change.facts)
        yield from self._mark_dirty(changes.changes)
        yield from self._resume(Resumed(frozenset(), None))

    def _resume(self, event: Resumed) -> Iterable[Command | None]:
        self._resumed = event
        if self.request:
            request = replace(self.request, targets=event.scope or frozenset())
            yield from self._request(request, from_start=True)
        dirty = (node for node in self.graph if node.status is Status.DIRTY and self._is_in_scope(node.facts.id))
        yield from self._transitions.enqueue_in_parts(list(dirty), event.frontier)

    # Changes and requests

    def _changes(self, event: Started | Observed) -> ChangeSet:
        changes = self._intake.observe(event.observations)
        self._intake.date(event.dates, changes, all_of_them=isinstance(event, Started))
        since = event.published if isinstance(event, Observed) else None
        for outputs, reason in ((event.absent, OUTPUT_GONE), (event.altered, OUTPUT_ALTERED)):
            damaged = self._intake.damaged(outputs, self._forced.damaged, since)
            self._forced.add_damaged(damaged)
            changes.revisit(damaged, reason)
        return changes

    def _request(self, request: BuildRequested, *, from_start: bool = False) -> Iterable[Command]:
        self.builds.open(request, from_start=from_start)
        changes = requested_changes(self.graph, request, self._forced, self._loops)
        yield from self._take_in(changes, request.cause)

    def _withdraw(self, ticket: RequestId) -> Iterable[Command]:
        if not self.builds.withdraw(ticket):
            self._forced.drop_requested()
        return ()

    def _take_in(
        self, changes: ChangeSet, cause: str, log: Log | None = None, written: WrittenDuring = NO_WRITES
    ) -> Iterable[Command]:
        """Writes changes to the database, which answers with the affected documents."""
        if changes.touched:
            yield self._transitions.write_again(changes.touched)
        if not changes.changes:
            yield from self._transitions.log_in_build(log)
            return
        yield from self._transitions.begin_build(cause, log)
        self.reasons.update(changes.reasons)
        for document, change in changes.changes.items():
            if change.forget or change.facts.status is Status.MISSING:
                yield from self._worklist.stop(document)
                self.schedule.discard(document)
                if (rule := self.graph.layout.rule_of(document)) and rule.keeps_cache:
                    yield ClearCache(document)
        for output, document in changes.removed:
            yield Remove(output, document)
        self._loops.changed(changes.rewritten(), written)
        self._worklist.runs.note_changed([each for each, change in changes.changes.items() if change.content])
        yield from self._speculate(changes)
        yield from self._transitions.write_all_edges()
        yield Propagate(tuple(changes.changes.values()))

    def _speculate(self, changes: ChangeSet) -> Iterable[Command]:
        is_unlimited = self._resumed is not None and self._resumed.scope is None
        may_begin = is_unlimited and not self._loops.is_suspect(changes.changes)
        job = self._speculation.begin(changes.changes, self._forced) if may_begin else None
        return [Render(job, Readiness(self.schedule.moment))] if job else []

    def _mark_dirty(self, affected: Iterable[DocumentId]) -> Iterable[Command | None]:
        nodes = [node for each in affected if (node := self.graph.get(each)) and node.exists]
        for node in nodes:
            log = self._transitions.mark_dirty(node)
            self._worklist.inputs_changed(node.facts.id)
            if not (self._speculation.is_running(node.facts.id) or self._worklist.runs.is_settling(node.facts.id)):
                yield from self._worklist.stop(node.facts.id)
            yield log
        if self._resumed:
            settling = self._worklist.runs.is_settling
            in_scope = (each for each in nodes if self._is_in_scope(each.facts.id) and not settling(each.facts.id))
            yield from self._transitions.enqueue_in_parts(in_scope)
        if waiting := self._speculation.confirm():
            yield from self._worklist.stop(waiting)

    def _is_in_scope(self, document: DocumentId) -> bool:
        scope = self._resumed.scope if self._resumed else None
        return scope is None or document in scope


def _declared_by(observations: Iterable[Observation]) -> dict[DocumentId, tuple[DocumentId]]:
    """Returns the generated documents among the observations: they were written while their declarers were rendered."""
    return {each.document: (each.declarer,) for each in observations if each.declarer}
