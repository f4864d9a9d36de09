"""The build under way, the requests that wait for it, and the documents to render even if no input has changed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from kahnd.core.changes import ChangeSet
from kahnd.core.events import Answer, BuildReport, BuildRequested
from kahnd.core.graph import Graph
from kahnd.core.model import BuildId, BuildRecord, DocumentId, OutputPath, Problem, RequestId, Status
from kahnd.core.nodes import Node
from kahnd.core.reasons import FAILED_BEFORE, FORCED
from kahnd.core.render_loops import RenderLoops
from kahnd.core.renderings import document_of, documents_of, summed_up, worst

_WORST_FIRST: Final = ("failed", "blocked", "rendered", "skipped")


@dataclass(slots=True)
class Tally:
    """Counts what has happened since some moment; its dictionaries are ordered sets."""

    rendered: dict[DocumentId, None] = field(default_factory=dict)
    skipped: dict[DocumentId, None] = field(default_factory=dict)
    failed: dict[DocumentId, None] = field(default_factory=dict)
    blocked: dict[DocumentId, None] = field(default_factory=dict)
    removed: dict[OutputPath, None] = field(default_factory=dict)
    rehashed: int = 0
    generations: int = 0

    def count(self, document: DocumentId, outcome: str) -> None:
        """Counts a document under its latest outcome only."""
        for each in (self.rendered, self.skipped, self.failed, self.blocked):
            each.pop(document, None)
        getattr(self, outcome)[document] = None

    def named(self, outcome: str) -> tuple[DocumentId, ...]:
        """Returns the documents with this outcome, each under the worst of those of its renderings."""
        worse = _WORST_FIRST[: _WORST_FIRST.index(outcome)]
        elsewhere = frozenset().union(*(documents_of(getattr(self, each)) for each in worse))
        return tuple(each for each in documents_of(getattr(self, outcome)) if each not in elsewhere)


@dataclass(slots=True)
class _Build:
    id: BuildId
    cause: str
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class _OpenRequest:
    request: BuildRequested
    tally: Tally


class Builds:
    """Owns the build under way and the open requests, and keeps a tally for each of them."""

    def __init__(self, ids: Iterator[BuildId]) -> None:
        self._ids = ids
        self._current: _Build | None = None
        self._requests: list[_OpenRequest] = []
        self._latest = DocumentId("")

    @property
    def current(self) -> tuple[BuildId, str] | None:
        """The id and the cause of the build under way."""
        return (self._current.id, self._current.cause) if self._current else None

    def begin(self, cause: str) -> tuple[BuildId, str] | None:
        """Begins a build; None if one is under way, which then includes the new work."""
        if self._current:
            return None
        self._current = _Build(next(self._ids), cause)
        return self.current

    def open(self, request: BuildRequested, *, from_start: bool = False) -> None:
        """Opens a request; `from_start`: count what the build under way has done already."""
        tally = deepcopy(self._current.tally) if from_start and self._current else Tally()
        self._requests.append(_OpenRequest(request, tally))

    def withdraw(self, ticket: RequestId) -> bool:
        """Closes a request without an answer; tells whether another open request has `force`."""
        self._requests = [each for each in self._requests if each.request.ticket != ticket]
        return any(each.request.force for each in self._requests)

    @property
    def cause(self) -> str:
        """The cause of the build under way; empty without one."""
        return self._current.cause if self._current else ""

    def count(self, document: DocumentId, outcome: str, generation: int = 0) -> None:
        """Counts a document's outcome: "rendered", "skipped", "failed" or "blocked"."""
        self._latest = document
        for tally in self._tallies():
            tally.count(document, outcome)
            if outcome == "rendered":
                tally.generations = max(tally.generations, generation + 1)

    def count_removed(self, output: OutputPath) -> None:
        """Counts a removed output."""
        for tally in self._tallies():
            tally.removed[output] = None

    def count_rehashed(self) -> None:
        """Counts a plain document; reports do not name those."""
        for tally in self._tallies():
            tally.rehashed += 1

    def progress(self) -> tuple[int, DocumentId] | None:
        """Returns how many documents the build under way has finished, and the latest; None without a build."""
        if self._current is None:
            return None
        tally = self._current.tally
        done = len(tally.rendered) + len(tally.skipped) + len(tally.failed) + len(tally.blocked) + tally.rehashed
        return done, document_of(self._latest)

    def end(self) -> BuildRecord | None:
        """Ends the build under way and returns its record, without its times."""
        build, self._current = self._current, None
        if build is None:
            return None
        tally = build.tally
        return BuildRecord(
            build.id,
            build.cause,
            "",
            0.0,
            rendered=len(tally.named("rendered")),
            skipped=len(tally.named("skipped")),
            failed=len(tally.named("failed")),
            blocked=len(tally.named("blocked")),
            removed=len(tally.removed),
            generations=tally.generations,
        )

    def answers(self, graph: Graph, unfinished: Container[DocumentId], *, quiet: bool) -> list[Answer]:
        """Answers and closes the requests whose targets are finished; all of them when the machine is `quiet`."""
        due = [each for each in self._requests if quiet or _is_due(each.request.targets, unfinished)]
        self._requests = [each for each in self._requests if each not in due]
        return [Answer(each.request.ticket, report(graph, each.tally, each.request.targets)) for each in due]

    def _tallies(self) -> list[Tally]:
        current = [self._current.tally] if self._current else []
        return [*current, *(each.tally for each in self._requests)]


class Forced:
    """The documents to render even if their inputs are those of their last render.

    These are the documents whose output is damaged, and those that an open request with `force` names.
    """

    def __init__(self) -> None:
        self.damaged: set[DocumentId] = set()
        self._requested: set[DocumentId] = set()

    def __contains__(self, document: object) -> bool:
        return document in self.damaged or document in self._requested

    def add_damaged(self, nodes: Iterable[Node]) -> None:
        """Adds documents whose outputs are absent or altered."""
        self.damaged.update(node.facts.id for node in nodes)

    def add_requested(self, nodes: Iterable[Node]) -> None:
        """Adds documents that a request names."""
        self._requested.update(node.facts.id for node in nodes)

    def drop_requested(self) -> None:
        """Drops all requested ones, after the last request with `force` was withdrawn."""
        self._requested.clear()

    def rendered(self, document: DocumentId) -> None:
        """Drops a document that was rendered."""
        self.damaged.discard(document)
        self._requested.discard(document)


def requested_changes(graph: Graph, request: BuildRequested, forced: Forced, loops: RenderLoops) -> ChangeSet:
    """Returns the documents to decide on again for a request: all with `force`, the failed ones with `retry`."""
    changes = ChangeSet()
    wanted = [node for node in graph if not request.targets or node.facts.id in request.targets]
    if request.force:
        claiming = [node for node in wanted if node.claim]
        forced.add_requested(claiming)
        changes.revisit(claiming, FORCED)
    if request.retry:
        failed = [node for node in wanted if node.status is Status.FAILED]
        for node in failed:
            loops.allow_retry(node.facts.id)
        changes.revisit(failed, FAILED_BEFORE)
    return changes


def report(graph: Graph, tally: Tally, targets: frozenset[DocumentId] = frozenset()) -> BuildReport:
    """Reports the tally, and what is broken or warned of now among the targets (none: anywhere), by document."""
    broken = [node for node in graph.broken() if not targets or node.facts.id in targets]
    warned = [node for node in graph.warned() if not targets or node.facts.id in targets]
    warnings = dict.fromkeys((node.document, each) for node in warned for each in node.facts.standing_warnings)
    failed, blocked = problems(graph, broken)
    named = frozenset((*(each for each, _ in failed), *(each for each, _, _ in blocked)))
    return BuildReport(
        rendered=tuple(each for each in tally.named("rendered") if each not in named),
        skipped=tuple(each for each in tally.named("skipped") if each not in named),
        failed=failed,
        blocked=blocked,
        removed=tuple(tally.removed),
        warnings=tuple(warnings),
        cycles=tuple(sorted({tuple(map(document_of, node.cycle)) for node in broken if node.cycle})),
    )


def problems(
    graph: Graph, broken: Iterable[Node]
) -> tuple[tuple[tuple[DocumentId, Problem], ...], tuple[tuple[DocumentId, DocumentId, Problem], ...]]:
    """Returns what failed among broken renderings, and what is blocked and by which document: each document once."""
    by_document: dict[DocumentId, list[Node]] = {}
    for node in broken:
        by_document.setdefault(node.document, []).append(node)
    failed, blocked = [], []
    for document, nodes in by_document.items():
        status = worst(node.status for node in nodes)
        found = [node for node in nodes if node.status is status]
        problem = described(graph, found)
        if status is Status.FAILED:
            failed.append((document, problem))
        else:
            blocked.append((document, document_of(found[0].facts.because or document), problem))
    return tuple(failed), tuple(blocked)


def described(graph: Graph, nodes: Sequence[Node]) -> Problem:
    """Returns the problem of these renderings of one document; with their outputs, if it has several renderings.

    One problem in another file is told without outputs, so that it is the same for all documents that have it.
    """
    found = [(node.claim or "", node.facts.problem or Problem(node.status.lower())) for node in nodes]
    first, document = found[0][1], nodes[0].document
    is_elsewhere = first.file not in {"", document} and all(each == first for _, each in found)
    return first if is_elsewhere or len(graph.renderings(document)) == 1 else summed_up(found)


def corrected(answer: BuildReport, graph: Graph, refused: Iterable[DocumentId]) -> BuildReport:
    """Returns the report with the documents that the database has refused since listed as failed."""
    nodes = [node for each in refused if (node := graph.get(each)) and node.status is Status.FAILED]
    failed = {node.document: node.facts.problem or Problem("failed") for node in nodes}
    reported = {*answer.rendered, *answer.skipped}
    return replace(
        answer,
        rendered=tuple(each for each in answer.rendered if each not in failed),
        skipped=tuple(each for each in answer.skipped if each not in failed),
        failed=(*answer.failed, *(each for each in failed.items() if each[0] in reported)),
    )


def _is_due(targets: frozenset[DocumentId], unfinished: Container[DocumentId]) -> bool:
    return bool(targets) and not any(target in unfinished for target in targets)
