"""Moves a document from one status to the next: new facts in the graph, results for the database, lines for the log.

    any status → DIRTY       it or a dependency has changed: `mark_dirty`, and `core/changes.py`
    any status → MISSING     it was removed, or only others name it: `core/changes.py`
    DIRTY → DONE             `rehash` (a plain document), `skip` (its inputs have not changed), `complete` (rendered)
    DIRTY → FAILED           `fail` (its rendering, or a cycle), `fail_contested` (another document claims its output),
                             `fail_declaring` (another document declares the same)
    DIRTY → BLOCKED          `fail` because of another document
    finished → FAILED        `refuse` (the database refused its facts)

Only here does a document leave the schedule as finished. A document that finishes without being DIRTY is a mistake of
kahnd's, and raises.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Collection, Container, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from kahnd.core.builds import Builds, described
from kahnd.core.changes import ChangeIntake
from kahnd.core.declarations import Declarations, at_its_declarer
from kahnd.core.events import BeginBuild, Command, Commit, Finished, Log, LogEvent, Removed
from kahnd.core.graph import Graph
from kahnd.core.hashing import effective_hash
from kahnd.core.model import (
    CONTENT_KINDS,
    NO_EDGES,
    Attempt,
    BuildId,
    BuildRecord,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facts,
    Job,
    OutputPath,
    Problem,
    Reason,
    ReasonKind,
    Rendered,
    Result,
    Status,
)
from kahnd.core.nodes import Node
from kahnd.core.output_paths import files_of, is_generated
from kahnd.core.problem import kept_warnings
from kahnd.core.reasons import ChangeChains, origins, reasons
from kahnd.core.renderings import document_of
from kahnd.core.rules import is_collection
from kahnd.core.scheduler import Schedule, parts

UNKNOWN_MS: Final = 100.0
"""The expected duration of a rule's first document."""
_NAMING: Final = ("document", "because")
"""Fields of log lines that name a document."""
LOGGED: Final = 100
"""The most outputs of a rendering that are logged."""
SMOOTHING: Final = 0.1
"""The weight of the latest rendering in the typical duration of its rule (exponential smoothing)."""


class Transitions:
    """Owns the schedule, the build under way, and the edges that runs have found but nobody has written yet."""

    def __init__(self, graph: Graph, build_ids: Iterator[BuildId], declarations: Declarations) -> None:
        self.graph = graph
        self._declarations = declarations
        self.schedule = Schedule(self.expected_ms)
        self.builds = Builds(build_ids)
        self.reasons: dict[DocumentId, str] = {}
        """The reasons noted since the build began: why a document was changed or is decided on again."""
        self._chains = ChangeChains(self.reasons)
        self._unwritten: dict[DocumentId, Edges] = {}
        self._typical_ms: dict[int, float] = {}

    def expected_ms(self, document: DocumentId) -> float:
        """Returns how long a document will take: as last time, or as others of its rule; 0 if it is not rendered."""
        node = self.graph.get(document)
        if node is None or node.rule is None:
            return 0.0
        return node.facts.took_ms or self._typical_ms.get(node.rule.index, UNKNOWN_MS)

    def enqueue(self, nodes: Iterable[Node], ready: Container[DocumentId] = ()) -> None:
        """Schedules these and the DIRTY documents they need, even out of scope; `ready` ones wait for nothing."""
        deque(self.enqueue_in_parts(nodes, ready), maxlen=0)

    def enqueue_in_parts(self, nodes: Iterable[Node], ready: Container[DocumentId] = ()) -> Iterator[None]:
        """Schedules documents as `enqueue` does, and yields between parts."""
        documents: dict[DocumentId, list[DocumentId]] = {}
        for part in parts(_with_dirty_needs(self.graph, nodes, ready, self.schedule)):
            documents.update(part)
            yield
        yield from self.schedule.add_in_parts(documents)

    # Edges and facts on their way into the database

    def add_edges(self, document: DocumentId, edges: Edges) -> None:
        """Keeps a change of edges until the document's facts are written."""
        if edges != NO_EDGES:
            earlier = self._unwritten.get(document)
            self._unwritten[document] = earlier.then(edges) if earlier else edges

    def write_edges(self, node: Node) -> Iterable[Command]:
        """Writes a document's unwritten edges now, with its present facts."""
        if node.facts.id in self._unwritten:
            yield self.write(node.facts)

    def write_all_edges(self) -> Iterator[Commit]:
        """Writes all unwritten edges, because the database is about to be queried about them."""
        for document in tuple(self._unwritten):
            if node := self.graph.get(document):
                yield self.write(node.facts)
            else:
                del self._unwritten[document]

    def write(self, facts: Facts, attempt: Attempt | None = None) -> Commit:
        """Puts facts into the graph and, with unwritten edges, on their way into the database."""
        return Commit((self._result(facts, attempt),))

    def write_again(self, documents: Iterable[DocumentId]) -> Commit:
        """Does the same with the present facts of several documents."""
        return Commit(tuple(self._result(self.graph[each].facts) for each in documents))

    def _result(self, facts: Facts, attempt: Attempt | None = None) -> Result:
        """A document whose facts were in the database without its edges would never be scanned again."""
        return Result(self.graph.put(facts).facts, self._unwritten.pop(facts.id, NO_EDGES), attempt)

    # From one status to the next

    def mark_dirty(self, node: Node) -> Log:
        """DIRTY: it must be checked or rendered."""
        self.graph.put(replace(node.facts, status=Status.DIRTY))
        node.cycle = ()
        document = node.facts.id
        return self.log(LogEvent.DOCUMENT_DIRTY, document=document, reason=self.reasons.get(document))

    def rehash(self, node: Node, effective: Digest) -> Iterable[Command]:
        """DONE: a plain document with this effective hash."""
        if effective != node.facts.effective_hash:
            noted = node.facts.id in self.reasons
            causes = () if noted else (each.target for each in node.dependencies if each.target in self._chains)
            self._chains.add(node.facts.id, causes)
        self.builds.count_rehashed()
        yield from self._done(node, effective)

    def skip(self, node: Node) -> Iterable[Command]:
        """DONE without rendering: its inputs are those of its last render."""
        self._settle(node)
        yield self.log(LogEvent.DOCUMENT_SKIPPED, document=node.facts.id)
        self.builds.count(node.facts.id, "skipped")
        yield from self._done(node, node.facts.effective_hash)

    def complete(self, node: Node, job: Job, outcome: Rendered, finished: Finished) -> Iterable[Command]:
        """DONE: rendered, with a new trace."""
        attempt = self._attempt(node, finished)
        self._learn(node, finished.duration_ms)
        self.add_edges(node.facts.id, self.graph.update_trace(node))
        facts = replace(
            node.facts,
            status=Status.DONE,
            last_rendered_hash=job.content_hash,
            last_recipe_hash=node.facts.recipe_hash,
            inputs_hash=self.graph.inputs_hash(node),
            output_hash=outcome.output_hash,
            effective_hash=effective_hash(outcome),
            output=job.output,
            outputs=outcome.outputs or None,
            declares=outcome.declared or None,
            problem=None,
            limits=None,
            because=None,
            took_ms=round(finished.duration_ms, 1),
            warnings=kept_warnings(outcome.warnings),
        )
        generation = self.schedule.generation(facts.id)
        yield self._finish(node, facts, attempt)
        yield self.log(
            LogEvent.DOCUMENT_RENDERED,
            document=facts.id,
            rule=node.rule.match if node.rule else None,
            generation=generation,
            duration_ms=round(finished.duration_ms, 2),
            output=outcome.outputs[0][0] if len(outcome.outputs) == 1 else job.output,
            outputs=[path for path, _ in outcome.outputs[:LOGGED]] if len(outcome.outputs) > 1 else None,
        )
        yield from self._warnings(node)
        self.builds.count(facts.id, "rendered", generation)
        self.schedule.finish(facts.id, rendered=True)

    def fail(
        self, node: Node, problem: Problem, because: DocumentId | None = None, finished: Finished | None = None
    ) -> Iterable[Command]:
        """FAILED by its own rendering or (because of itself) on a cycle; BLOCKED because of another document."""
        self._declarations.failed(node.facts.id, node.facts.declares or ())
        status = Status.FAILED if because in {None, node.facts.id} else Status.BLOCKED
        yield from self._break(node, status, problem, because, finished)

    def fail_contested(self, node: Node, problem: Problem, rival: DocumentId) -> Iterable[Command]:
        """FAILED, because another document claims its output."""
        self._settle(node)
        yield from self._break(node, Status.FAILED, problem, rival)

    def fail_declaring(self, node: Node, problem: Problem, rival: DocumentId) -> Iterable[Command]:
        """FAILED, because what it declares can't stand: others that declare the same fail too, as long as it does."""
        yield from self._break(node, Status.FAILED, problem, rival)

    def refuse(self, document: DocumentId, problem: Problem) -> None:
        """FAILED, because the database refused its facts; it keeps a row that says so, so nothing is written."""
        node = self.graph.get(document)
        if node and node.exists and node.status is not Status.DIRTY:  # a DIRTY document will be written anew
            told = dataclasses.replace(problem, file=node.document)
            self.graph.put(replace(node.facts, status=Status.FAILED, problem=told))
            self.builds.count(document, "failed")

    # Outputs

    def removed(self, event: Removed) -> Iterable[Command]:
        """Counts and logs a removed output; the engine logs why another was kept."""
        if event.gone and not is_generated(event.output):
            self.builds.count_removed(event.output)
            yield self.log(LogEvent.DOCUMENT_REMOVED, document=event.document, output=event.output)

    def former_outputs(self, node: Node, outputs: Iterable[OutputPath]) -> list[OutputPath]:
        """Returns the node's former outputs that are none of these, and that no other document renders to."""
        present = frozenset(outputs)
        former = (path for path, _ in files_of(node.facts) if path not in present)
        return [path for path in former if not self.graph.is_made_by_others(path, node.facts.id)]

    # The build

    def begin_build(self, cause: str, log: Log | None = None) -> Iterable[Command]:
        """Begins a build, unless one is under way; the `log` line about its cause comes first, as a part of it."""
        begun = self.builds.begin(cause)
        return [*self.log_in_build(log), *([BeginBuild(*begun)] if begun else [])]

    def end_build(self) -> BuildRecord | None:
        """Ends the build and forgets the noted reasons."""
        self.reasons.clear()
        self._chains.clear()
        return self.builds.end()

    def log_in_build(self, log: Log | None) -> list[Log]:
        """Adds the build under way to a log line."""
        return [self.log(log.event, **log.fields)] if log else []

    def log(self, event: LogEvent, **fields: object) -> Log:
        """Makes a log line that names the build under way and documents; fields that are None are left out."""
        build, cause = self.builds.current or (None, None)
        given = {name: value for name, value in fields.items() if value is not None}
        for name in _NAMING:
            if name in given:
                given[name] = document_of(DocumentId(str(given[name])))
        return Log(event, {"build": build, "cause": cause, **given})

    def _warnings(self, node: Node) -> Iterator[Log]:
        for each in node.facts.warnings:
            yield self.log(
                LogEvent.DOCUMENT_WARNED,
                document=node.facts.id,
                rule=node.rule.match if node.rule else None,
                message=each.message,
                file=each.file or None,
                line=each.line or None,
                column=each.column or None,
                remedy=each.remedy or None,
            )

    def _settle(self, node: Node) -> None:
        """Without a new result, what the last good rendering declared is all that the document declares."""
        self._declarations.settle(node.facts.id, node.facts.declares or ())

    def _done(self, node: Node, effective: Digest | None) -> Iterable[Command]:
        facts = replace(
            node.facts, status=Status.DONE, effective_hash=effective, problem=None, because=None, limits=None
        )
        yield self._finish(node, facts)
        self.schedule.finish(facts.id, rendered=False)

    def _break(
        self,
        node: Node,
        status: Status,
        problem: Problem,
        because: DocumentId | None,
        finished: Finished | None = None,
    ) -> Iterable[Command]:
        document = node.facts.id
        attempt = self._attempt(node, finished) if finished else None
        limits = node.rule.limits.text if finished and node.rule else None
        blamed = self.graph.get(because) if because else None
        if blamed is None or not blamed.exists:  # of what exists and failed, that is what somebody has to mend
            problem = at_its_declarer(self.graph, node, problem)
        facts = replace(node.facts, status=status, problem=problem, because=because, limits=limits)
        yield self._finish(node, facts, attempt)
        yield self.log(
            LogEvent.DOCUMENT_FAILED if status is Status.FAILED else LogEvent.DOCUMENT_BLOCKED,
            document=document,
            rule=node.rule.match if node.rule else None,
            error=str(described(self.graph, [node])),
            because=because,
            output=problem.detail or None,
        )
        self.builds.count(document, status.lower())
        self.schedule.finish(document, rendered=False)

    def _finish(self, node: Node, facts: Facts, attempt: Attempt | None = None) -> Commit:
        """Writes the facts of a DIRTY document that is now finished."""
        if node.status is not Status.DIRTY:
            history = (
                f"reason {self.reasons.get(facts.id)!r}, build {self.builds.current}, problem {node.facts.problem}"
            )
            raise AssertionError(f"{facts.id} can't become {facts.status}, since it is {node.status} ({history})")
        return self.write(facts, attempt)

    def _learn(self, node: Node, took_ms: float) -> None:
        if node.rule:
            known = self._typical_ms.get(node.rule.index, took_ms)
            self._typical_ms[node.rule.index] = known + SMOOTHING * (took_ms - known)

    def _attempt(self, node: Node, event: Finished) -> Attempt:
        build, cause = self.builds.current or (BuildId(""), "")
        found = reasons(self.graph, node, self.reasons) or _changed_and_back(node)
        declarer = node.facts.declarer
        via = origins(found) or ((declarer,) if declarer and declarer in self._chains else ())
        chain = self._chains.add(node.facts.id, via)
        ready = self.schedule.readiness(node.facts.id)
        timing = event.lane, ready.generation, event.waited_ms, ready.after
        return Attempt(build, cause, event.started_at, event.duration_ms, found, chain, timing)


class EdgeWriter:
    """Replaces a document's edges in the graph, and hands the change to Transitions for the database."""

    def __init__(self, graph: Graph, intake: ChangeIntake, transitions: Transitions) -> None:
        self._graph = graph
        self._intake = intake
        self._transitions = transitions

    def connect(self, node: Node, dependencies: Collection[Dependency]) -> Iterable[Command]:
        """Replaces the edges; writes targets that are new to the graph, a collection at once with its members."""
        edges, new = self._intake.connect(node.facts.id, dependencies)
        self._transitions.add_edges(node.facts.id, edges)
        for each in new:
            collection = replace(each, status=Status.DONE, effective_hash=each.content_hash)
            yield self._transitions.write(collection if is_collection(each.id) else each)

    def drop_unread(self, node: Node) -> Iterable[Command]:
        """Drops the edges of the last rendering, since there is no new one which would replace them."""
        if node.unread:
            yield from self.connect(node, [each for each in node.dependencies if each not in node.unread])

    def updated_edges(self, node: Node) -> Collection[Dependency] | None:
        """Returns the dependencies to replace the node's present ones with, before it is decided on; None to keep them.

        A verified trace names the true ones. Else, if the node names outputs by path, the documents that render to
        them may have changed.
        """
        trace = self._graph.verified_trace(node)
        names_outputs = trace is None and self._intake.names_outputs(node)
        return [*node.dependencies] if names_outputs else trace


def _with_dirty_needs(
    graph: Graph, nodes: Iterable[Node], ready: Container[DocumentId], known: Container[DocumentId]
) -> Iterator[tuple[DocumentId, list[DocumentId]]]:
    """Yields these and all DIRTY nodes they need, except `known` ones, with their needs (`ready` ones: none)."""
    pending = list(nodes)
    seen = {node.facts.id for node in pending}
    while pending:
        node = pending.pop()
        ordered = () if node.facts.id in ready else node.dependencies
        needs = [each.target for each in ordered if each.kind not in CONTENT_KINDS]
        yield node.facts.id, needs
        for need in needs:
            needed = graph.get(need)
            if needed is None or needed.facts.status is not Status.DIRTY:
                continue
            if need not in known and need not in seen:
                seen.add(need)
                pending.append(needed)


def _changed_and_back(node: Node) -> tuple[Reason, ...]:
    """The reason of a render with the inputs of the one before: they were different in between."""
    return (Reason(ReasonKind.CONTENT, node.facts.id, node.facts.last_rendered_hash, node.facts.content_hash),)
