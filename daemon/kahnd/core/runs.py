"""The renderings under way: makes their jobs, and accepts or drops their outcomes.

At most one run a document, and a limited number at once. An outcome counts only if everything it read is finished and
still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from kahnd.core import decision
from kahnd.core.builds import Forced
from kahnd.core.changes import ChangeIntake
from kahnd.core.declarations import Declarations, declared_in_the_way, reads_to_check, staged_declared, to_look_at
from kahnd.core.events import Command, Finished, LookAtDeclared, Looked, Publish, Published, Remove
from kahnd.core.graph import Graph
from kahnd.core.hashing import effective_hash, outputs_at
from kahnd.core.model import (
    CONTENT_KINDS,
    Dependency,
    Digest,
    DocumentId,
    Failed,
    Job,
    Kind,
    KnownLinks,
    OutputPath,
    Problem,
    Rendered,
    RunId,
    Unmet,
)
from kahnd.core.nodes import Node, only_discovered, outputs_used, place_of
from kahnd.core.output_paths import (
    HASH,
    is_complete,
    outputs_in_the_way,
    paths_of,
    source_of,
    stage_folder,
    stage_name,
    staged_outputs,
    with_places,
)
from kahnd.core.project_files import STAGES
from kahnd.core.render_loops import HeldDocuments, RetryLimit
from kahnd.core.renderings import is_rendering
from kahnd.core.rules import is_collection, last_change_id
from kahnd.core.transitions import EdgeWriter, Transitions

SHORT_MS: Final = 5.0
"""Jobs expected to be shorter are given out before a worker is free, so that it need not wait for the next decision.

Longer ones are not: something more urgent may be ready by then.
"""


@dataclass(slots=True)
class _Publication:
    """An accepted result. `is_settling`: it is in place, and what it declares is being looked at."""

    finished: Finished
    is_settling: bool = False


class Runs:
    """Owns the jobs that are out. `expected_ms`: how long a document will take."""

    def __init__(
        self,
        graph: Graph,
        intake: ChangeIntake,
        slots: int,
        expected_ms: Callable[[DocumentId], float],
    ) -> None:
        self._graph = graph
        self._intake = intake
        self._slots = slots
        self._expected_ms = expected_ms
        self._jobs: dict[RunId, Job] = {}
        self._durations: dict[RunId, float] = {}
        self._changed_during: dict[RunId, set[DocumentId]] = {}
        self._publications: dict[RunId, _Publication] = {}
        self._run_of: dict[DocumentId, RunId] = {}
        self._last_run = 0
        self._last_stage = 0
        self._free_stages: list[str] = []

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Every worker has a job; if all jobs are short, every worker has two."""
        out = len(self._jobs)
        return out >= self._slots and (out >= 2 * self._slots or max(self._durations.values()) > SHORT_MS)

    def start(self, node: Node, content_hash: Digest, rule: int, output: OutputPath) -> Job:
        """Makes a new job for a document."""
        self._last_run += 1
        run, document = RunId(self._last_run), node.facts.id
        collections = dict.fromkeys(each.target for each in node.dependencies if each.kind is Kind.COLLECTION)
        if self._graph.layout.last_change:
            collections[last_change_id(node.document)] = None
        files, missing = self._files(node)
        job = Job(
            run,
            node.document,
            content_hash,
            rule,
            output,
            stage=f"{self._stage()}/{stage_name((output, *node.more))}",
            deps=tuple(files),
            targets=tuple(files.values()),
            discovered=only_discovered(node),
            missing=missing,
            collections=tuple((each, self._intake.members(each, document)) for each in collections),
            links=self._links(node),
            more=node.more,
            hashed=self._hashed(node),
            routed=self._graph.has_routes,
            own=self._intake.declarations.all_of(node.document),
        )
        self._jobs[run], self._run_of[document], self._durations[run] = job, run, self._expected_ms(document)
        self._changed_during[run] = set()
        return job

    def job(self, run: RunId) -> Job | None:
        """Returns the job of a run; None if it has ended or was cancelled."""
        return self._jobs.get(run)

    def node(self, job: Job) -> Node:
        """Returns the rendering that a job makes."""
        return self._graph[self._graph.layout.rendering_by(job.document, job.rule)]

    def note_changed(self, documents: Collection[DocumentId]) -> None:
        """Records that the bytes or the outputs of these have changed while the present runs go on."""
        for changed in self._changed_during.values():
            changed.update(documents)

    def changed_during(self, run: RunId) -> Collection[DocumentId]:
        """Returns the documents whose bytes or outputs have changed since the run began."""
        return self._changed_during[run]

    def publish(self, event: Finished) -> None:
        """Keeps an accepted result until its output is in place."""
        self._publications[event.run] = _Publication(event)

    def published(self, run: RunId) -> Finished:
        """Returns the result whose output was being put in place."""
        return self._publications[run].finished

    @property
    def publishing(self) -> bool:
        """Outputs are being put in place."""
        return not all(each.is_settling for each in self._publications.values())

    def settle(self, run: RunId) -> None:
        """Keeps a published result until what it declares was looked at."""
        self._publications[run].is_settling = True

    def is_settling(self, document: DocumentId) -> bool:
        """Tells whether the document was rendered, and what it declares is being looked at."""
        publication = self._publications.get(self._run_of.get(document, RunId(0)))
        return publication is not None and publication.is_settling

    def has_same_members(self, job: Job) -> bool:
        """Tells whether the collections of a job have the members that it was given."""
        known = [given for given in job.collections if given[0] in self._graph]
        reader = self.node(job).facts.id
        return all(self._intake.members(each, reader) == members for each, members in known)

    def end(self, job: Job) -> None:
        """Ends a run; its stage is used again."""
        self._forget(self.node(job).facts.id)
        self._free_stages.append(stage_folder(job))

    def cancel(self, document: DocumentId) -> Job | None:
        """Returns a document's job, to be cancelled. Its stage is not used again: the run may still write there."""
        return self._forget(document)

    def _forget(self, document: DocumentId) -> Job | None:
        run = self._run_of.pop(document, None)
        if run is None:
            return None
        self._publications.pop(run, None)
        self._durations.pop(run)
        self._changed_during.pop(run)
        return self._jobs.pop(run)

    def _stage(self) -> str:
        if not self._free_stages:
            self._last_stage += 1
            self._free_stages.append(f"{STAGES}/{self._last_stage}")
        return self._free_stages.pop()

    def _files(self, node: Node) -> tuple[dict[str, DocumentId], tuple[DocumentId, ...]]:
        """Returns the direct dependencies in the order found, by the file each is or renders to; and those missing."""
        needs = [each for each in node.dependencies if each.kind not in {*CONTENT_KINDS, Kind.DECLARER}]
        files: dict[str, DocumentId] = {}
        missing: list[DocumentId] = []
        for each in needs:
            needed = self._graph[each.target]
            if is_rendering(each.target) and not needed.exists:
                continue  # it is no file, and its output is gone
            for path in outputs_used(each, needed) or (place_of(needed) or source_of(needed.facts),):
                if path not in files:  # an output named by its path comes before the document that renders to it
                    files[path] = each.target
                    if not needed.exists:
                        missing.append(each.target)
        return files, tuple(missing)

    def _hashed(self, node: Node) -> tuple[tuple[OutputPath, OutputPath], ...]:
        """Returns the files that stand for those claims of direct dependencies which have a hash."""
        if not self._graph.layout.hashes_paths:
            return ()
        needs = (self._graph[each.target] for each in node.dependencies if each.kind not in CONTENT_KINDS)
        claims = ((claim, needed.facts) for needed in needs for claim in needed.claims if HASH in claim)
        return tuple((claim, path) for claim, facts in claims for path, _ in outputs_at(facts, claim))

    def _links(self, node: Node) -> KnownLinks:
        outputs: list[OutputPath] = []
        dead: list[DocumentId] = []
        for each in node.dependencies:
            if each.kind is Kind.LINK:
                target = self._graph[each.target]
                if target.claim:
                    outputs.extend(target.claims)
                elif self._graph.makers(each.target):
                    outputs.append(OutputPath(each.target))
                else:
                    dead.append(each.target)
        return KnownLinks(tuple(outputs), tuple(dead))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Turns the outcome of a run into a transition, or sends the document back to the schedule."""

    transitions: Transitions
    edges: EdgeWriter
    runs: Runs
    confirm: Callable[[DocumentId], None]
    retries: RetryLimit
    forced: Forced
    held: HeldDocuments
    intake: ChangeIntake
    declarations: Declarations

    def finished(self, event: Finished) -> Iterable[Command]:
        """A worker has finished a run."""
        job = self.runs.job(event.run)
        if job is None:
            return
        transitions = self.transitions
        node = self.runs.node(job)
        yield from self.edges.connect(node, decision.edges_after(node, event.outcome))
        self.confirm(node.facts.id)
        changed = self.runs.changed_during(event.run)
        reads = reads_to_check(job, event.outcome, are_published=False)
        check = decision.check(transitions.graph, node, reads, transitions.schedule, changed)
        match check, event.outcome:
            case decision.Retry(paths), _ if absent := self.declarations.absent(paths):
                needs = next(each.dependency for each in reads if each.dependency.target == absent)
                yield from self._unmet(node, job, event, needs)
            case decision.Retry(paths), _:
                yield from self._retry(node, job, event, paths)
            case _, Rendered() as made if is_complete(job, made):
                # Only the rendering by the document's own rule declares: the others would declare the same.
                own = replace(made, declared=()) if is_rendering(node.facts.id) else made
                yield from self._publish(node, job, event, with_places(job, own))
            case _, Rendered():
                self.runs.end(job)
                problem = Problem("the renderer made other outputs than its rule names", job.document)
                yield from transitions.fail(node, problem, finished=event)
            case _, Failed(problem):
                self.runs.end(job)
                yield from transitions.fail(node, problem, finished=event)
            case _, Unmet(needs):
                yield from self._unmet(node, job, event, needs)

    def published(self, event: Published) -> Iterable[Command]:
        """An output is in place, or could not be put there."""
        self.intake.publications += 1
        finished, job = self.runs.published(event.run), self.runs.job(event.run)
        if job is None or not isinstance(finished.outcome, Rendered):
            raise AssertionError(f"run {event.run} was published but not rendered")
        node = self.runs.node(job)
        if effective_hash(finished.outcome) != node.facts.effective_hash:
            self.runs.note_changed((node.facts.id,))
        if event.problem:
            self.runs.end(job)
            yield from self.transitions.fail(node, event.problem, finished=finished)
            return
        node.published, paths = self.intake.publications, paths_of(job, finished.outcome)
        replaced = frozenset(outputs_in_the_way(node.facts, job, finished.outcome))
        former = (each for each in self.transitions.former_outputs(node, paths) if each not in replaced)
        for path in (*former, *self.intake.earlier.replaced(node.facts.id, paths)):
            yield Remove(path, node.facts.id)
        if finished.outcome.declared or node.facts.declares:
            self.runs.settle(event.run)
            self.intake.earlier.add(paths)
            documents = to_look_at(self.transitions.graph, finished.outcome.declared)
            yield LookAtDeclared(event.run, node.facts.id, documents)
        else:
            yield from self._complete(node, job, finished)

    def looked(self, event: Looked) -> Iterable[Command]:
        """Accepts a result whose declared documents were looked at, unless its inputs have changed meanwhile."""
        if (job := self.runs.job(event.run)) is None:
            return
        graph, finished = self.transitions.graph, self.runs.published(event.run)
        node, outcome = self.runs.node(job), finished.outcome
        declared = outcome.declared if isinstance(outcome, Rendered) else ()
        self.forced.add_damaged([node])  # until it is complete: its former outputs were replaced
        is_same = node.facts.content_hash == job.content_hash and node.claim == job.output
        changed = self.runs.changed_during(event.run)
        reads = reads_to_check(job, outcome, are_published=True)
        checked = decision.check(graph, node, reads, self.transitions.schedule, changed)
        if not is_same:  # its next rendering must not find what this one has declared
            self.declarations.settle(node.facts.id, node.facts.declares or ())
            yield from self._retry(node, job, finished, ())
        elif isinstance(checked, decision.Retry):
            yield from self._retry(node, job, finished, checked.paths or (job.document,))
        elif not self.runs.has_same_members(job):
            yield from self._retry(node, job, finished, ())
        elif conflict := self.declarations.conflict(node, declared):
            self.runs.end(job)
            self.declarations.withdraw(node.facts.id, declared)
            yield from self.transitions.fail_declaring(node, *conflict)
        elif to_look_at(graph, declared):
            yield from self._retry(node, job, finished, (job.document,))
        else:
            yield from self._complete(node, job, finished)

    def _publish(self, node: Node, job: Job, event: Finished, outcome: Rendered) -> Iterable[Command]:
        """Puts the outputs of a rendering in place, and what it declares, unless that can't stand."""
        if conflict := self.declarations.accept(node, outcome.declared):
            self.runs.end(job)
            yield from self.transitions.fail_declaring(node, *conflict)
            return
        self.runs.publish(replace(event, outcome=outcome))
        declared = staged_declared(node, job, outcome, all_of_it=node.facts.id in self.forced)
        staged = (*staged_outputs(job, outcome), *declared)
        earlier = self.intake.earlier.in_the_way([each.output for each in staged])
        for path in (*outputs_in_the_way(node.facts, job, outcome), *declared_in_the_way(node, outcome), *earlier):
            yield Remove(path, node.facts.id)
        yield Publish(event.run, staged)

    def _complete(self, node: Node, job: Job, finished: Finished) -> Iterable[Command]:
        self.runs.end(job)
        self.forced.rendered(node.facts.id)
        self.retries.succeeded(node.facts.id)
        if isinstance(finished.outcome, Rendered):
            self.intake.earlier.recorded(paths_of(job, finished.outcome))
            yield from self.transitions.complete(node, job, finished.outcome, finished)

    def _unmet(self, node: Node, job: Job, event: Finished, needs: Dependency) -> Iterable[Command]:
        """A run lacked a new collection, a missing document, an output, or its own former bytes."""
        judges = node.rule is not None and node.rule.judges_missing
        if needs.kind is Kind.DISCOVERED and (needs.target == job.document or not judges):
            yield from self._retry(node, job, event, (needs.target,))
            return
        graph = self.transitions.graph
        target = graph[needs.target]
        is_absent = not target.exists or needs.target in job.own
        if is_collection(needs.target) and needs.target not in dict(job.collections):
            yield from self._retry(node, job, event, ())
        elif is_absent or (target.status in decision.BROKEN and not needs.kind.is_content):
            self.runs.end(job)
            reported = event.outcome.problem if isinstance(event.outcome, Unmet) else None
            culprit = needs.target if is_absent else decision.culprit_of(target)
            own = None if is_absent else reported
            problem = own or decision.missing(graph, job.document, needs, reported)
            yield from self.transitions.fail(node, problem, culprit)
        else:
            yield from self._retry(node, job, event, (needs.target,))

    def _retry(self, node: Node, job: Job, event: Finished, paths: tuple[DocumentId, ...]) -> Iterable[Command]:
        """Drops a result made from outdated inputs; runs again once these paths are checked (none: when scheduled)."""
        document = node.facts.id
        self.runs.end(job)
        yield from self.transitions.write_edges(node)
        if not paths:
            self.transitions.enqueue([node])
            return
        if any(self.runs.is_settling(each) for path in paths for each in self.declarations.declarers(path)):
            self.held.until_looked(document, paths)
            return
        if problem := self.retries.drop(document, event.outcome, paths[0]):
            yield from self.transitions.fail(node, problem, finished=event)
            return
        yield self.held.until_checked(document, paths)
