"""What becomes of documents, written down: facts into the graph, results for the database, words for the log.

The one place where a document leaves the schedule.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from kahnd.core.builds import Builds
from kahnd.core.graph import Graph, Node
from kahnd.core.messages import BeginBuild, Command, Commit, Finished, Removed, Tell
from kahnd.core.model import (
    NO_EDGES,
    Attempt,
    Because,
    BuildId,
    BuildRecord,
    Digest,
    DocumentId,
    Edges,
    Facts,
    Job,
    OutputPath,
    Problem,
    Reason,
    Rendered,
    Result,
    Status,
)
from kahnd.core.plan import Schedule
from kahnd.core.why import Trail, origins, reasons

UNKNOWN_MS: Final = 100.0
"""What the first document of a rule is expected to take."""
PACE: Final = 0.1
"""How much the latest rendering says of what others by its rule take."""


class Book:
    """Owns the schedule, the build under way, and the edges that a run has found and nobody has written yet."""

    def __init__(self, graph: Graph, build_ids: Iterator[BuildId]) -> None:
        self.graph = graph
        self.schedule = Schedule(self.expected)
        self._pace: dict[int, float] = {}
        self.builds = Builds(build_ids)
        self._edges: dict[DocumentId, Edges] = {}
        self.reasons: dict[DocumentId, str] = {}
        """What was noted of documents since the build began."""
        self._trail = Trail(self.reasons)

    def expected(self, document: DocumentId) -> float:
        """Milliseconds that a document will take: as last time, or as others by its rule; nothing, if not rendered."""
        node = self.graph.get(document)
        if node is None or node.rule is None:
            return 0.0
        return node.facts.took_ms or self._pace.get(node.rule.index, UNKNOWN_MS)

    def _learn(self, node: Node, took_ms: float) -> None:
        if node.rule:
            known = self._pace.get(node.rule.index, took_ms)
            self._pace[node.rule.index] = known + PACE * (took_ms - known)

    def enter(self, nodes: Iterable[Node], free: Container[DocumentId] = ()) -> None:
        """Into the schedule, with all that is needed and DIRTY but not in it yet (a scope can leave such out)."""
        self.schedule.add(self.graph.with_dirty_needs(nodes, free, self.schedule))

    def found(self, document: DocumentId, edges: Edges) -> None:
        """A run has found other dependencies: they are written with the document's next facts."""
        if edges != NO_EDGES:
            earlier = self._edges.get(document)
            self._edges[document] = earlier.then(edges) if earlier else edges

    def keep_edges(self, node: Node) -> Iterable[Command]:
        """Write found edges now, the facts as they are."""
        if node.facts.id in self._edges:
            yield self.keep(node.facts)

    def unwritten(self) -> Iterator[Commit]:
        """All found edges that the database does not know yet: it is about to be asked about them."""
        for document in tuple(self._edges):
            if node := self.graph.get(document):
                yield self.keep(node.facts)
            else:
                del self._edges[document]

    def keep(self, facts: Facts, attempt: Attempt | None = None) -> Commit:
        """Facts into the graph and, with found edges, on their way into the database."""
        return Commit((Result(self.graph.put(facts).facts, self._edges.pop(facts.id, NO_EDGES), attempt),))

    def settle(self, node: Node, effective: Digest | None) -> Iterable[Command]:
        """DONE: a plain document has nothing but an effective hash."""
        if effective != node.facts.effective_hash and node.facts.id not in self.reasons:
            self._trail.add(node.facts.id, (each.target for each in node.dependencies if each.target in self._trail))
        elif effective != node.facts.effective_hash:
            self._trail.add(node.facts.id, ())
        self.builds.settled()
        yield from self._done(node, effective)

    def skip(self, node: Node) -> Iterable[Command]:
        """DONE, since its inputs are those of its last render."""
        yield self.tell("document.skipped", document=node.facts.id)
        self.builds.place(node.facts.id, "skipped")
        yield from self._done(node, node.facts.effective_hash)

    def _done(self, node: Node, effective: Digest | None) -> Iterable[Command]:
        yield self.keep(replace(node.facts, status=Status.DONE, effective_hash=effective, problem=None, because=None))
        self.schedule.finish(node.facts.id, rendered=False)

    def fail(
        self, node: Node, problem: Problem, because: DocumentId | None = None, finished: Finished | None = None
    ) -> Iterable[Command]:
        """FAILED by itself (or on a cycle: because of itself), BLOCKED because of another."""
        status = Status.FAILED if because in {None, node.facts.id} else Status.BLOCKED
        yield from self._broken(node, problem, status, because, finished)

    def contested(self, node: Node, problem: Problem, rival: DocumentId) -> Iterable[Command]:
        """FAILED, since another document claims its output."""
        yield from self._broken(node, problem, Status.FAILED, rival)

    def _broken(
        self,
        node: Node,
        problem: Problem,
        status: Status,
        because: DocumentId | None,
        finished: Finished | None = None,
    ) -> Iterable[Command]:
        document = node.facts.id
        attempt = self._attempt(node, finished) if finished else None
        yield self.keep(replace(node.facts, status=status, problem=problem, because=because), attempt)
        yield self.tell(
            f"document.{status.lower()}",
            document=document,
            rule=node.rule.match if node.rule else None,
            error=str(problem),
            because=because,
            output=problem.detail or None,
        )
        self.builds.place(document, status.lower())
        self.schedule.finish(document, rendered=False)

    def rendered(self, node: Node, job: Job, outcome: Rendered, finished: Finished) -> Iterable[Command]:
        """DONE, with a new trace."""
        attempt = self._attempt(node, finished)
        self._learn(node, finished.duration_ms)
        self.found(node.facts.id, self.graph.remember(node))
        facts = replace(
            node.facts,
            status=Status.DONE,
            last_rendered_hash=job.content_hash,
            last_recipe_hash=node.facts.recipe_hash,
            inputs_hash=self.graph.inputs_hash(node),
            output_hash=outcome.output_hash,
            effective_hash=outcome.output_hash,
            output=job.output,
            problem=None,
            because=None,
            took_ms=round(finished.duration_ms, 1),
        )
        generation = self.schedule.generation(facts.id)
        yield self.keep(facts, attempt)
        yield self.tell(
            "document.rendered",
            document=facts.id,
            rule=node.rule.match if node.rule else None,
            generation=generation,
            duration_ms=round(finished.duration_ms, 2),
            output=job.output,
            warning=str(outcome.warning) if outcome.warning else None,
        )
        if outcome.warning:
            self.builds.warned(facts.id, outcome.warning)
        self.builds.place(facts.id, "rendered", generation)
        self.schedule.finish(facts.id, rendered=True)

    def begin(self, cause: str, told: Tell | None = None) -> Iterable[Command]:
        """A build begins, unless one is under way; what is told of its cause goes before it, as a part of it."""
        begun = self.builds.begin(cause)
        return [*self.note(told), *([BeginBuild(*begun)] if begun else [])]

    def note(self, told: Tell | None) -> list[Tell]:
        """A line that somebody else worded, with the build that it belongs to."""
        return [self.tell(told.event, **told.fields)] if told else []

    def refused(self, document: DocumentId, problem: Problem) -> None:
        """FAILED; not written again, since the database has taken a row that says so."""
        node = self.graph.get(document)
        if node and node.exists and node.status is not Status.DIRTY:  # then there is something newer to be told
            self.graph.put(replace(node.facts, status=Status.FAILED, problem=problem))
            self.builds.place(document, "failed")

    def removed(self, event: Removed) -> Iterable[Command]:
        """Count and tell of an output that is gone; why one was kept is told by whoever kept it."""
        if event.gone:
            self.builds.removed(event.output)
            yield self.tell("document.removed", document=event.document, output=event.output)

    def replaced(self, node: Node, output: OutputPath) -> OutputPath | None:
        """The former place of its output, if that is another and no other document's."""
        old = node.facts.output
        is_left = old and old != output and not self.graph.is_made_by_others(old, node.facts.id)
        return old if is_left else None

    def tell(self, event: str, **fields: object) -> Tell:
        """A line for the log, with the build that it belongs to."""
        build, cause = self.builds.current or (None, None)
        given = {name: value for name, value in fields.items() if value is not None}
        return Tell(event, {"build": build, "cause": cause, **given})

    def end(self) -> BuildRecord | None:
        """All is quiet: the build's record, and nothing noted any more."""
        self.reasons.clear()
        self._trail.clear()
        return self.builds.end()

    def _attempt(self, node: Node, event: Finished) -> Attempt:
        build, cause = self.builds.current or (BuildId(""), "")
        found = reasons(self.graph, node, self.reasons) or _there_and_back(node)
        chain = self._trail.add(node.facts.id, origins(found))
        return Attempt(build, cause, event.started_at, event.duration_ms, found, chain)


def _there_and_back(node: Node) -> tuple[Reason, ...]:
    """Why it was rendered though its inputs are those of its last render: they were others in between."""
    return (Reason(Because.CONTENT, node.facts.id, node.facts.last_rendered_hash, node.facts.content_hash),)
