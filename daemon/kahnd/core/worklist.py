"""Works off the schedule: takes a document that is ready, decides on it, starts its run; breaks cycles when stuck."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator

from kahnd.core import decision
from kahnd.core.builds import Forced
from kahnd.core.changes import ChangeIntake
from kahnd.core.events import (
    Cancel,
    Command,
    CycleFound,
    EndBuild,
    FindCycle,
    LogEvent,
    Looked,
    Rechecked,
    Remove,
    Render,
)
from kahnd.core.graph import Graph
from kahnd.core.model import CONTENT_KINDS, Dependency, DocumentId, Job, Status
from kahnd.core.nodes import Node
from kahnd.core.render_loops import HeldDocuments, RenderLoops, RetryLimit
from kahnd.core.renderings import document_of, documents_of
from kahnd.core.runs import Outcomes, Runs
from kahnd.core.scheduler import Schedule
from kahnd.core.transitions import EdgeWriter, Transitions


class Worklist:
    """Owns the runs, the held documents, and the knowledge of which edges are confirmed."""

    def __init__(
        self, transitions: Transitions, intake: ChangeIntake, forced: Forced, loops: RenderLoops, *, slots: int
    ) -> None:
        graph = transitions.graph
        self._transitions = transitions
        self._forced = forced
        self._loops = loops
        self.runs = Runs(graph, intake, slots, transitions.expected_ms)
        self._edges = EdgeWriter(graph, intake, transitions)
        self._provisional = ProvisionalEdges(graph)
        self._held = HeldDocuments()
        self._retries = RetryLimit(graph)
        self._declarations = intake.declarations
        self._earlier = intake.earlier
        self.outcomes = Outcomes(
            transitions,
            self._edges,
            self.runs,
            self._provisional.confirm,
            self._retries,
            forced,
            self._held,
            intake,
            self._declarations,
        )

    def advance(self) -> Iterable[Command]:
        """Does all that can be done now: starts runs, breaks cycles, ends the build, answers requests."""
        transitions = self._transitions
        schedule = transitions.schedule
        yield from self._decide_ready()
        while self._is_stuck and (breaks := self._break_unconfirmed()):
            for commands in breaks:
                yield from commands
            yield from self._decide_ready()
        if self._declarations.has_follow_up:
            return  # that comes first: it may add documents
        if not schedule:
            if earlier := self._earlier.decided():
                yield from map(Remove, earlier)
                return  # the build ends once they are gone
            yield from self._end_build()
        elif self._is_stuck:
            yield from transitions.write_all_edges()
            for members in schedule.stuck():
                yield FindCycle(members)
        yield from transitions.builds.answers(transitions.graph, schedule, quiet=not schedule)

    def inputs_changed(self, document: DocumentId) -> None:
        """Forgets what runs have read of a document that became DIRTY."""
        self._provisional.reset(document)

    def stop(self, document: DocumentId) -> Iterable[Command]:
        """Cancels the run of a document, if it has one."""
        self._held.drop(document)
        is_published = self.runs.is_settling(document)
        if (job := self.runs.cancel(document)) and not is_published:
            yield Cancel(job.run)

    def rechecked(self, event: Rechecked) -> Iterable[Command]:
        """Schedules the document that was held for this check."""
        if self._held.release(event.document, delayed=event.delayed):
            self._transitions.enqueue([self._transitions.graph[event.document]])
        return ()

    def looked(self, event: Looked) -> Iterable[Command]:
        """Decides on a rendering whose declared documents were looked at, and on those that wait for that."""
        yield from self._held.looked()
        yield from self.outcomes.looked(event)

    def fail_cycle(self, event: CycleFound) -> Iterable[Command]:
        """Fails the members of a cycle, with its path."""
        transitions = self._transitions
        path = [document_of(each) for each in event.path]
        yield transitions.log(LogEvent.CYCLE_FOUND, cycle=path, error=" → ".join(path))
        for document in sorted(event.members):
            node = transitions.graph[document]
            node.cycle = event.path
            yield from self._edges.drop_unread(node)
            yield from transitions.fail(node, decision.on_cycle(event.path, document), document)

    def _decide_ready(self) -> Iterable[Command]:
        transitions = self._transitions
        while not self.runs.full and (document := transitions.schedule.take()):
            yield from self._decide(transitions.graph[document])

    def _decide(self, node: Node) -> Iterable[Command]:
        document, transitions = node.facts.id, self._transitions
        if (dependencies := self._edges.updated_edges(node)) is not None:
            yield from self._edges.connect(node, dependencies)
            if self._provisional.has_to_wait(node):
                transitions.enqueue([node])
                return
        forced = document in self._forced or self._provisional.is_released(document)
        unconfirmed = self._provisional.is_unconfirmed(node)
        decided = decision.decide(transitions.graph, node, forced=forced, unconfirmed=unconfirmed)
        self._provisional.decided(document)
        if isinstance(decided, decision.Block | decision.Fail):
            yield from self._edges.drop_unread(node)
        match decided:
            case decision.Run():
                yield from self._run(node, decided)
            case decision.Rehash(effective):
                yield from transitions.rehash(node, effective)
            case decision.Skip():
                yield from transitions.skip(node)
            case decision.Block(because, problem):
                yield from transitions.fail(node, problem, because)
            case decision.Fail(problem, rival) if rival:
                yield from transitions.fail_contested(node, problem, rival)
            case decision.Fail(problem):
                yield from transitions.fail(node, problem)

    def _run(self, node: Node, run: decision.Run) -> Iterable[Command]:
        """Starts a run, unless the document is in a rendering loop."""
        document = node.facts.id
        if problem := self._loops.loop_problem(document):
            yield from self._edges.drop_unread(node)
            yield from self._transitions.fail(node, problem)
        elif self._loops.needs_delay(document):
            yield self._held.delay(document)
        else:
            job = self.runs.start(node, run.content_hash, run.rule.index, run.output)
            yield Render(job, self._transitions.schedule.readiness(document))

    @property
    def _is_stuck(self) -> bool:
        """Documents are left, but none is ready, running or held: they wait for one another."""
        return bool(self._transitions.schedule) and not self.runs and not self._held

    def _break_unconfirmed(self) -> list[Iterable[Command]]:
        """Breaks cycles made of unconfirmed edges: renders a member to find out, or drops those edges."""
        if self.runs.full:
            return []
        schedule = self._transitions.schedule
        cycles = schedule.stuck()
        released = self._provisional.release(cycles)
        schedule.add(dict.fromkeys(released, ()))
        dropped = (self._keep_certain(*each) for each in self._provisional.certain_edges(cycles))
        return [*([()] if released else []), *dropped]

    def _keep_certain(self, node: Node, certain: Collection[Dependency]) -> Iterable[Command]:
        """Drops a document's unconfirmed edges."""
        yield from self._edges.connect(node, certain)
        yield from self._transitions.write_edges(node)
        self._transitions.enqueue([node])

    def _end_build(self) -> Iterable[Command]:
        record = self._transitions.end_build()
        self._retries.clear()
        self._declarations.build_ended()
        return [EndBuild(record)] if record else []


class Speculation:
    """Renders a single saved document while the database still computes the affected set.

    The saved document is in that set for certain; if all its dependencies are DONE, it waits for nothing else. Owns the
    document whose run was begun before the answer.
    """

    def __init__(self, graph: Graph, schedule: Schedule, runs: Runs) -> None:
        self._graph = graph
        self._schedule = schedule
        self._runs = runs
        self._document: DocumentId | None = None

    def begin(self, changed: Collection[DocumentId], forced: Container[DocumentId]) -> Job | None:
        """Returns a job if one document has changed, nothing else is scheduled, and it is ready to render.

        Its further renderings wait for the answer.
        """
        documents = documents_of(changed)
        if self._schedule or self._runs.full or len(documents) != 1:
            return None
        (document,) = documents
        node = self._graph.get(document)
        if node is None or document not in changed or document in forced or not self._is_ready(node):
            return None
        decided = decision.decide(self._graph, node, forced=False)
        if not isinstance(decided, decision.Run):
            return None
        self._document = document
        return self._runs.start(node, decided.content_hash, decided.rule.index, decided.output)

    def is_running(self, document: DocumentId) -> bool:
        """Tells whether this document's run was begun and the database has not answered yet."""
        return document == self._document

    def confirm(self) -> DocumentId | None:
        """Handles the run like any other after the database's answer; returns its document if it must wait instead."""
        document, self._document = self._document, None
        return None if document is None or self._schedule.hold(document) else document

    def _is_ready(self, node: Node) -> bool:
        needs = (self._graph.get(each.target) for each in node.dependencies if each.kind not in CONTENT_KINDS)
        return all(each is not None and each.status is Status.DONE for each in needs)


class ProvisionalEdges:
    """Owns the sets of documents whose edges are confirmed, and of those to render before their dependencies.

    A scanned dependency may be conditional, and one that an earlier rendering read may be gone: until a document has
    been rendered with its present inputs, its edges are *unconfirmed*. Cycles of unconfirmed edges are broken.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._confirmed: set[DocumentId] = set()
        self._released: set[DocumentId] = set()

    def is_unconfirmed(self, node: Node) -> bool:
        """Tells whether no rendering with the present inputs has read the node's dependencies yet."""
        return node.facts.id not in self._confirmed

    def is_released(self, document: DocumentId) -> bool:
        """Tells whether to render the document although a dependency is unfinished, to find out if it is one."""
        return document in self._released

    def has_to_wait(self, node: Node) -> bool:
        """Tells whether a dependency, among edges that were just replaced, is still DIRTY."""
        if self.is_released(node.facts.id) or self._is_contested(node):
            return False
        needs = (self._graph.get(each.target) for each in node.dependencies if not each.kind.is_content)
        return any(need is not None and need.status is Status.DIRTY for need in needs)

    def confirm(self, document: DocumentId) -> None:
        """A run has read all of the document, so its edges are known."""
        self._confirmed.add(document)

    def reset(self, document: DocumentId) -> None:
        """The document's inputs have changed, so its edges are unconfirmed again."""
        self._confirmed.discard(document)
        self._released.discard(document)

    def decided(self, document: DocumentId) -> None:
        """The document was decided on and is no longer released."""
        self._released.discard(document)

    def release(self, cycles: Iterable[frozenset[DocumentId]]) -> list[DocumentId]:
        """Releases one document of each cycle that only unconfirmed edges may put there: it is rendered to find out."""
        released = [each for members in cycles for each in self._releasable(members)[:1]]
        self._released.update(released)
        return released

    def certain_edges(self, cycles: Iterable[frozenset[DocumentId]]) -> list[tuple[Node, list[Dependency]]]:
        """Returns the members that can't be rendered to find out and have unconfirmed edges, with their certain ones.

        A plain member keeps all its edges while another member is released: rendering that one may break the cycle.
        """
        return [found for members in cycles for each in sorted(members) for found in self._certain(each, members)]

    def _certain(self, document: DocumentId, members: frozenset[DocumentId]) -> Iterator[tuple[Node, list[Dependency]]]:
        node = self._graph[document]
        waits = node.rule is None and not self._released.isdisjoint(members)
        if waits or self._can_run(document, members) or not self.is_unconfirmed(node):
            return
        certain = [each for each in node.dependencies if _is_kept(each, node, members)]
        if len(certain) < len(node.dependencies):
            yield node, certain

    def _releasable(self, members: frozenset[DocumentId]) -> list[DocumentId]:
        return [
            each for each in sorted(members) if self._can_run(each, members) and self.is_unconfirmed(self._graph[each])
        ]

    def _can_run(self, document: DocumentId, members: frozenset[DocumentId]) -> bool:
        """Tells whether the document is rendered, its output uncontested, and its place in the cycle not certain."""
        node = self._graph[document]
        is_plain = node.rule is None
        return not (is_plain or decision.is_certainly_in(node, members) or self._is_contested(node))

    def _is_contested(self, node: Node) -> bool:
        return bool(self._graph.rivals(node))


def _is_kept(dependency: Dependency, node: Node, members: Container[DocumentId]) -> bool:
    """Tells whether a document that can't be rendered to find out keeps this edge.

    A plain document loses only its conditional includes inside the cycle: templates may include one another as long as
    their conditions allow it, and rendering the documents that use them finds out.
    """
    if node.rule is None:
        return not decision.is_optional(dependency, node) or dependency.target not in members
    return dependency.kind.is_content or decision.is_certain(dependency, node)
