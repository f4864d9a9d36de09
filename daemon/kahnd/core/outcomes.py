"""What a worker brings back: it counts only if all that was read is finished and still the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kahnd.core import verdict
from kahnd.core.book import Book
from kahnd.core.connections import Connections
from kahnd.core.doubts import Doubts
from kahnd.core.forced import Forced
from kahnd.core.graph import Node
from kahnd.core.messages import Command, Finished, Look, Publish, Published, Remove
from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Rendered, Unmet
from kahnd.core.rules import is_collection
from kahnd.core.runs import Runs
from kahnd.core.tries import Tries


class Held:
    """Documents that are out of the schedule until something was looked at, or until they have rested, too."""

    def __init__(self) -> None:
        self._rests: dict[DocumentId, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._rests)

    def rest(self, document: DocumentId) -> Look:
        """Hold it for a while, and look at it then."""
        self._rests[document] = True
        return Look((document,), document, rest=True)

    def until_looked_at(self, document: DocumentId, look: tuple[DocumentId, ...]) -> Look:
        """Hold it until others were looked at."""
        self._rests[document] = False
        return Look(look, document)

    def release(self, document: DocumentId, *, rested: bool) -> bool:
        """Whether it was held for this, and is not any more."""
        if self._rests.get(document) is not rested:
            return False
        del self._rests[document]
        return True

    def drop(self, document: DocumentId) -> None:
        """It is not waited for any more."""
        self._rests.pop(document, None)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Leads the outcome of each run to the book, or the document back into the schedule."""

    book: Book
    edges: Connections
    runs: Runs
    doubts: Doubts
    tries: Tries
    forced: Forced
    held: Held

    def finished(self, event: Finished) -> Iterable[Command]:
        """A worker is done with a run."""
        job = self.runs.job(event.run)
        if job is None:
            return
        node = self.book.graph[job.document]
        yield from self.edges.connect(node, verdict.edges_after(node, event.outcome))
        self.doubts.found(job.document)
        check = verdict.check(self.book.graph, node, event.outcome.reads, self.book.schedule)
        match check, event.outcome:
            case verdict.Again(look), _:
                yield from self._again(node, job, event, look)
            case _, Rendered() as outcome:
                self.runs.publish(event)
                yield Publish(event.run, job.stage, job.output, outcome.output_hash)
            case _, Failed(problem):
                self.runs.end(job)
                yield from self.book.fail(node, problem, finished=event)
            case _, Unmet(needs):
                yield from self._unmet(node, job, event, needs)

    def _unmet(self, node: Node, job: Job, event: Finished, needs: Dependency) -> Iterable[Command]:
        """A run found something not there: a new collection, a missing document, an output, its own old bytes."""
        if needs.kind is Kind.DISCOVERED and not (node.rule and node.rule.judges_missing):
            yield from self._again(node, job, event, (needs.target,))
            return
        target = self.book.graph[needs.target]
        if is_collection(needs.target) and needs.target not in dict(job.collections):
            yield from self._again(node, job, event, ())
        elif not target.exists or (target.status in verdict.BROKEN and not needs.kind.of_content):
            self.runs.end(job)
            told = event.outcome.problem if isinstance(event.outcome, Unmet) else None
            culprit = verdict.culprit_of(target) if target.exists else needs.target
            problem = told if told and target.exists else verdict.missing(self.book.graph, job.document, needs, told)
            yield from self.book.fail(node, problem, culprit)
        else:
            yield from self._again(node, job, event, (needs.target,))

    def _again(self, node: Node, job: Job, event: Finished, look: tuple[DocumentId, ...]) -> Iterable[Command]:
        """Drop a result made from what is not so (any more); run again once that is finished, or was looked at."""
        document = node.facts.id
        self.runs.end(job)
        yield from self.book.keep_edges(node)
        if not look:
            self.book.enter([node])
            return
        if problem := self.tries.dropped(document, event.outcome, look[0]):
            yield from self.book.fail(node, problem, finished=event)
            return
        yield self.held.until_looked_at(document, look)

    def published(self, event: Published) -> Iterable[Command]:
        """An output is in its place, or could not be put there."""
        finished, job = self.runs.published(event.run), self.runs.job(event.run)
        if job is None or not isinstance(finished.outcome, Rendered):
            raise AssertionError(f"run {event.run} was published but not rendered")
        node = self.book.graph[job.document]
        self.runs.end(job)
        if event.problem:
            yield from self.book.fail(node, event.problem, finished=finished)
            return
        if former := self.book.replaced(node, job.output):
            yield Remove(former, job.document)
        self.forced.made(job.document)
        self.tries.succeeded(job.document)
        yield from self.book.rendered(node, job, finished.outcome, finished)
