"""`why`: of a document that is up to date, the reasons of its last render; of another, why it would be rendered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kahnd.core.machine import Machine
from kahnd.core.model import Because, DocumentId, HistoryEntry, Reason, Status
from kahnd.core.preview import preview


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons, the chain from the edited document, and the past render that they are of, if they are of one."""

    document: DocumentId
    status: Status
    reasons: tuple[Reason, ...]
    chain: tuple[DocumentId, ...]
    rendered: HistoryEntry | None = None


def explain(machine: Machine, document: DocumentId, past: Iterable[HistoryEntry]) -> Explanation:
    """Explain a document that is there; `past` are its latest renders, newest first."""
    node = machine.graph[document]
    match node.status:
        case Status.DIRTY:
            coming = preview(machine)
            if document in coming.because:
                return Explanation(document, Status.DIRTY, coming.because[document], coming.chains[document])
            found = next((each for each in past if each.status is Status.DONE), None)
        case Status.DONE:
            found = next((each for each in past if each.status is Status.DONE), None)
        case _:
            found = next((each for each in past if each.status is node.status), None)
    if found:
        return Explanation(document, node.status, found.reasons, found.chain or (document,), found)
    culprit = node.facts.because or document
    broken = (Reason(Because.FAILED, culprit),) if node.status in {Status.FAILED, Status.BLOCKED} else ()
    return Explanation(document, node.status, broken, tuple(dict.fromkeys((culprit, document))))
