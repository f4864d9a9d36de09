"""A single save, rendered while the database says whom else it reaches.

What was saved is affected for certain; where all that it needs is DONE, nothing but its own run has to be waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from kahnd.core import verdict
from kahnd.core.graph import Graph, Node
from kahnd.core.model import CONTENT_KINDS, DocumentId, Job, Status
from kahnd.core.plan import Schedule
from kahnd.core.runs import Runs


class Ahead:
    """Knows which document's run was begun before the database's answer, until that is there."""

    def __init__(self, graph: Graph, schedule: Schedule, runs: Runs) -> None:
        self._graph = graph
        self._schedule = schedule
        self._runs = runs
        self._document: DocumentId | None = None

    def begin(self, changed: Collection[DocumentId], forced: Container[DocumentId]) -> Job | None:
        """The job for what has changed, if that is one document, nothing else is to be done, and it can be begun."""
        if self._schedule or self._runs.full or len(changed) != 1:
            return None
        (document,) = changed
        node = self._graph.get(document)
        if node is None or document in forced or not self._is_free(node):
            return None
        decision = verdict.decide(self._graph, node, forced=False)
        if not isinstance(decision, verdict.Run):
            return None
        self._document = document
        return self._runs.start(node, decision.content_hash, decision.rule.index, decision.output)

    def is_out(self, document: DocumentId) -> bool:
        """Whether it was begun, and the answer is not there yet."""
        return document == self._document

    def settle(self) -> DocumentId | None:
        """The answer is there: it is out for work like any other. Told, where it has to wait for something reached."""
        document, self._document = self._document, None
        return None if document is None or self._schedule.hold(document) else document

    def _is_free(self, node: Node) -> bool:
        needs = (self._graph.get(each.target) for each in node.dependencies if each.kind not in CONTENT_KINDS)
        return all(each is not None and each.status is Status.DONE for each in needs)
