"""Requests: the documents they ask for, their tickets, and their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from operator import attrgetter
from typing import Final

import anyio

from kahnd.core.events import BuildReport
from kahnd.core.explanation import Explanation, explain
from kahnd.core.graph import Graph
from kahnd.core.machine import Machine
from kahnd.core.model import DocumentId, HistoryEntry, OutputPath, Problem, RequestId, Status
from kahnd.core.renderings import document_of, is_file
from kahnd.core.text import similar_name_remedy
from kahnd.errors import UsageError

OnProgress = Callable[[int, int, str], None]
"""Takes the number of documents done, their total, and the last one done."""
PastRenders = Callable[[DocumentId | None, int], Awaitable[tuple[HistoryEntry, ...]]]
"""The signature of `ports.Store.history`."""
_RECENT: Final = 20
"""How many past renders are searched for the last successful one."""


@dataclass(frozen=True, slots=True)
class TimedReport:
    """A report, and how long it took in milliseconds."""

    report: BuildReport
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Workload:
    """The engine's present work: the running jobs, each with its seconds so far, and the length of its queues."""

    jobs: tuple[tuple[DocumentId, float], ...]
    scheduled: int
    events: int
    uncommitted: int


@dataclass(slots=True)
class _Request:
    answered: anyio.Event
    on_progress: OnProgress | None
    report: BuildReport | None = None


class PendingRequests:
    """The requests that are not answered yet."""

    def __init__(self) -> None:
        self._requests: dict[RequestId, _Request] = {}
        self._last_ticket = 0

    def open(self, on_progress: OnProgress | None = None) -> RequestId:
        """Open a request and return its ticket."""
        self._last_ticket += 1
        ticket = RequestId(str(self._last_ticket))
        self._requests[ticket] = _Request(anyio.Event(), on_progress)
        return ticket

    def answer(self, ticket: RequestId, report: BuildReport) -> None:
        """Answer a request, unless nobody waits for it any more."""
        request = self._requests.get(ticket)
        if request:
            request.report = report
            request.answered.set()

    async def wait_for(self, ticket: RequestId) -> BuildReport:
        """Wait for the answer to a request."""
        request = self._requests[ticket]
        try:
            await request.answered.wait()
        finally:
            del self._requests[ticket]
        assert request.report is not None  # noqa: S101 - set before `answered`
        return request.report

    def report_progress(self, progress: tuple[int, DocumentId] | None, unfinished: int) -> None:
        """Log all requests how a build goes: how many documents are done, and the last of them; None without one."""
        for request in self._requests.values() if progress else ():
            if request.on_progress and progress:
                done, latest = progress
                request.on_progress(done, done + unfinished, latest)


def resolve(graph: Graph, targets: Iterable[str]) -> frozenset[DocumentId]:
    """Return what the targets name: all renderings of a document, or those that make an output.

    Raises UsageError, with the nearest name, for one that is unknown.
    """
    documents: set[DocumentId] = set()
    problems = []
    for target in targets:
        node = graph.get(DocumentId(target))
        claimants = graph.claimants(OutputPath(target))
        if node and node.exists and is_file(node.facts.id):
            documents.update(each.facts.id for each in graph.renderings(node.facts.id))
        elif claimants:
            documents |= claimants
        else:
            problems.append(_unknown(graph, target))
    if problems:
        raise UsageError(*problems)
    return frozenset(documents)


def retriable(graph: Graph) -> frozenset[DocumentId]:
    """Return what failed for a reason that may pass by itself, and what that blocks.

    Documents that could not be read are left out: the tree retries those.
    """
    if not graph.counts[Status.FAILED]:
        return frozenset()
    read = (node.facts for node in graph if node.facts.content_hash is not None)
    failed = {facts.id for facts in read if facts.problem and facts.problem.passing}
    return frozenset(failed.union(node.facts.id for node in graph if node.facts.because in failed))


async def past_renders(graph: Graph, ask: PastRenders, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
    """Return past renders, newest first: all, or those of a document (even a removed one) or an output's document.

    Raises UsageError for a target that does not exist and was never rendered.
    """
    if target is None:
        return await ask(None, limit)
    document = DocumentId(target)
    claimants = graph.claimants(OutputPath(target)) or (document, *graph.layout.renderings_of(document))
    entries = [entry for each in claimants for entry in await ask(each, limit)]
    entries.sort(key=attrgetter("started_at"), reverse=True)
    return tuple(entries[:limit]) if entries or resolve(graph, (target,)) else ()


async def why(machine: Machine, target: str, ask: PastRenders) -> tuple[Explanation, ...]:
    """Explain why a document, or an output's document, was rendered or would be: each of its renderings, by id.

    Raises UsageError if it is unknown.
    """
    graph, wanted = machine.graph, sorted(resolve(machine.graph, (target,)))
    nodes = [graph[each] for each in wanted if document_of(each) == document_of(wanted[0])]
    found = [explain(machine, node.facts.id, await ask(node.facts.id, _RECENT)) for node in nodes]
    if len(graph.renderings(nodes[0].document)) > 1:
        found = [replace(each, output=node.claim or "") for each, node in zip(found, nodes, strict=True)]
    return tuple(found)


def _unknown(graph: Graph, target: str) -> Problem:
    twin = graph.similar_to(target)
    if twin:
        return Problem(f"{target} is neither a document nor an output", remedy=similar_name_remedy(target, twin))
    names = [node.facts.id for node in graph if node.exists and is_file(node.facts.id)]
    near = get_close_matches(target, names, n=1)
    return Problem(f"{target} is neither a document nor an output", remedy=f"did you mean {near[0]}?" if near else "")
