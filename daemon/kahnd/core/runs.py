"""The renderings under way: at most one a document, at most so many at once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from kahnd.core.graph import Graph, Node
from kahnd.core.messages import Finished
from kahnd.core.model import CONTENT_KINDS, Digest, DocumentId, Job, Kind, OutputPath, RunId

STAGES: Final = ".kahnd/stage"
SHORT_MS: Final = 5.0
"""What takes less is given out before a worker is free for it, which then need not wait for the next decision.

What takes longer is not: something more urgent may be ready by then.
"""


class Runs:
    """Makes jobs, and knows which are out. `expected`: the milliseconds that a document will take."""

    def __init__(
        self,
        graph: Graph,
        members: Callable[[DocumentId], tuple[DocumentId, ...]],
        slots: int,
        expected: Callable[[DocumentId], float],
    ) -> None:
        self._graph = graph
        self._members = members
        self._slots = slots
        self._expected = expected
        self._takes: dict[RunId, float] = {}
        self._last = 0
        self._stages: list[str] = []
        self._made = 0
        self._jobs: dict[RunId, Job] = {}
        self._published: dict[RunId, Finished] = {}
        self._of: dict[DocumentId, RunId] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether every worker has its hands full; where all is short, with one more in store."""
        out = len(self._jobs)
        return out >= self._slots and (out >= 2 * self._slots or max(self._takes.values()) > SHORT_MS)

    def start(self, node: Node, content_hash: Digest, rule: int, output: OutputPath) -> Job:
        """A new job for a document."""
        self._last += 1
        run, document = RunId(self._last), node.facts.id
        collections = dict.fromkeys(each.target for each in node.dependencies if each.kind is Kind.COLLECTION)
        files = self._files(node)
        job = Job(
            run,
            document,
            content_hash,
            rule,
            output,
            stage=f"{self._stage()}/{posixpath.basename(output)}",
            deps=tuple(files),
            targets=tuple(files.values()),
            discovered=_only_discovered(node),
            missing=tuple(each for each in files.values() if not self._graph[each].exists),
            collections=tuple((each, self._members(each)) for each in collections),
        )
        self._jobs[run], self._of[document], self._takes[run] = job, run, self._expected(document)
        return job

    def job(self, run: RunId) -> Job | None:
        """The job of a run, unless that is over or was stopped."""
        return self._jobs.get(run)

    def publish(self, event: Finished) -> None:
        """A run's result is good, and on its way into place."""
        self._published[event.run] = event

    def published(self, run: RunId) -> Finished:
        """The result on its way into place."""
        return self._published[run]

    def end(self, job: Job) -> None:
        """A run is over; its stage is used again."""
        self._forget(job.document)
        self._stages.append(posixpath.dirname(job.stage))

    def cancel(self, document: DocumentId) -> Job | None:
        """The job out for this document, now to be cancelled. Its stage is not used again: it may yet write there."""
        return self._forget(document)

    def _forget(self, document: DocumentId) -> Job | None:
        run = self._of.pop(document, None)
        if run is None:
            return None
        self._published.pop(run, None)
        self._takes.pop(run)
        return self._jobs.pop(run)

    def _stage(self) -> str:
        if not self._stages:
            self._made += 1
            self._stages.append(f"{STAGES}/{self._made}")
        return self._stages.pop()

    def _files(self, node: Node) -> dict[str, DocumentId]:
        """The direct dependencies in the order found, by the file that each renders to, or is."""
        graph, needs = self._graph, [each.target for each in node.dependencies if each.kind not in CONTENT_KINDS]
        files: dict[str, DocumentId] = {}
        for each in needs:  # an output that is named by its path goes before what renders to it
            files.setdefault(graph[each].claim or each, each)
        return files


def _only_discovered(node: Node) -> tuple[DocumentId, ...]:
    found = [each.target for each in node.dependencies if each.kind is Kind.DISCOVERED]
    known = {each.target for each in node.dependencies if each.kind is not Kind.DISCOVERED} if found else set()
    return tuple(each for each in found if each not in known)
