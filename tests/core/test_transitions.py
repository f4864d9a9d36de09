"""A document moves only from one status to a legal next one."""

from __future__ import annotations

import pytest

from core.world import LAYOUT
from kahnd.core.declarations import Declarations
from kahnd.core.graph import Graph
from kahnd.core.model import BuildId, DocumentId, Facts, Problem, Snapshot, Status
from kahnd.core.transitions import Transitions

A = DocumentId("docs/a.md")


def _transitions(facts: Facts) -> Transitions:
    graph = Graph(LAYOUT, Snapshot((facts,)))
    return Transitions(graph, iter([BuildId("b1")]), Declarations(graph))


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.DIRTY])
def test_a_document_that_is_not_dirty_can_not_finish(status: Status) -> None:
    transitions = _transitions(Facts(A, status))
    transitions.reasons[A] = "content changed"
    with pytest.raises(AssertionError, match=rf"docs/a\.md can't become DONE, since it is {status} .*content changed"):
        list(transitions.skip(transitions.graph[A]))


def test_a_dirty_document_is_refused_only_once_it_is_finished() -> None:
    transitions = _transitions(Facts(A))
    transitions.refuse(A, Problem("too large"))
    assert transitions.graph[A].status is Status.DIRTY
    transitions.enqueue([transitions.graph[A]])
    list(transitions.skip(transitions.graph[A]))
    transitions.refuse(A, Problem("too large"))
    assert transitions.graph[A].status is Status.FAILED
