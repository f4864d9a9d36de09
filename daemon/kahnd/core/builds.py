"""Bookkeeping: the build under way, and those who wait for it. From a cause to quiet."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from msgspec.structs import replace

from kahnd.core.graph import Graph
from kahnd.core.messages import Answer, Asked, Report
from kahnd.core.model import BuildId, BuildRecord, DocumentId, OutputPath, Problem, Status, Ticket


@dataclass(slots=True)
class Tally:
    """What has happened since some moment; dictionaries for their order."""

    rendered: dict[DocumentId, None] = field(default_factory=dict)
    skipped: dict[DocumentId, None] = field(default_factory=dict)
    failed: dict[DocumentId, None] = field(default_factory=dict)
    blocked: dict[DocumentId, None] = field(default_factory=dict)
    removed: dict[OutputPath, None] = field(default_factory=dict)
    warnings: dict[DocumentId, Problem] = field(default_factory=dict)
    settled: int = 0
    generations: int = 0

    def place(self, document: DocumentId, status: str) -> None:
        """Count a document's last word: it is in one of the lists at the most."""
        for each in (self.rendered, self.skipped, self.failed, self.blocked):
            each.pop(document, None)
        getattr(self, status)[document] = None


@dataclass(slots=True)
class _Build:
    id: BuildId
    cause: str
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class _Waiter:
    asked: Asked
    tally: Tally


class Builds:
    """The build under way and the open tickets; both keep a tally."""

    def __init__(self, ids: Iterator[BuildId]) -> None:
        self._ids = ids
        self._current: _Build | None = None
        self._waiters: list[_Waiter] = []
        self._latest = DocumentId("")

    @property
    def current(self) -> tuple[BuildId, str] | None:
        """The build under way: its id and its cause."""
        return (self._current.id, self._current.cause) if self._current else None

    def begin(self, cause: str) -> tuple[BuildId, str] | None:
        """Begin a build, unless one is under way: then what is to be done is part of that."""
        if self._current:
            return None
        self._current = _Build(next(self._ids), cause)
        return self.current

    def ask(self, asked: Asked, *, from_start: bool = False) -> None:
        """Open a ticket; `from_start`: what the build under way has already done counts for it."""
        tally = deepcopy(self._current.tally) if from_start and self._current else Tally()
        self._waiters.append(_Waiter(asked, tally))

    def withdraw(self, ticket: Ticket) -> bool:
        """Close a ticket whose answer nobody waits for any more; whether others ask by force."""
        self._waiters = [each for each in self._waiters if each.asked.ticket != ticket]
        return any(each.asked.force for each in self._waiters)

    def place(self, document: DocumentId, status: str, generation: int = 0) -> None:
        """Count what a document came to: "rendered", "skipped", "failed" or "blocked"."""
        self._latest = document
        for tally in self._tallies():
            tally.place(document, status)
            if status == "rendered":
                tally.generations = max(tally.generations, generation + 1)

    def removed(self, output: OutputPath) -> None:
        """Count a removed output."""
        for tally in self._tallies():
            tally.removed[output] = None

    def warned(self, document: DocumentId, problem: Problem) -> None:
        """Keep what a rendering that went well has to say."""
        for tally in self._tallies():
            tally.warnings[document] = problem

    def settled(self) -> None:
        """Count a plain document, of which nothing more is to be said."""
        for tally in self._tallies():
            tally.settled += 1

    def progress(self) -> tuple[int, DocumentId] | None:
        """How many documents the build under way is done with, and the last of them."""
        if self._current is None:
            return None
        tally = self._current.tally
        done = len(tally.rendered) + len(tally.skipped) + len(tally.failed) + len(tally.blocked) + tally.settled
        return done, self._latest

    def end(self) -> BuildRecord | None:
        """All is quiet: the build's record, its times left open."""
        build, self._current = self._current, None
        if build is None:
            return None
        tally = build.tally
        return BuildRecord(
            build.id,
            build.cause,
            "",
            0.0,
            rendered=len(tally.rendered),
            skipped=len(tally.skipped),
            failed=len(tally.failed),
            blocked=len(tally.blocked),
            removed=len(tally.removed),
            generations=tally.generations,
        )

    def answers(self, graph: Graph, unfinished: Container[DocumentId], *, quiet: bool) -> list[Answer]:
        """Answers for the tickets whose targets are finished; those are closed."""
        due = [each for each in self._waiters if quiet or _is_due(each.asked.targets, unfinished)]
        self._waiters = [each for each in self._waiters if each not in due]
        return [Answer(each.asked.ticket, report(graph, each.tally, each.asked.targets)) for each in due]

    def _tallies(self) -> list[Tally]:
        current = [self._current.tally] if self._current else []
        return [*current, *(each.tally for each in self._waiters)]


def report(graph: Graph, tally: Tally, targets: frozenset[DocumentId] = frozenset()) -> Report:
    """What happened, and what is wrong now, with the targets or (none given) with everything."""
    wrong = [node for node in graph.wrong() if not targets or node.facts.id in targets]
    return Report(
        rendered=tuple(tally.rendered),
        skipped=tuple(tally.skipped),
        failed=tuple(
            (node.facts.id, node.facts.problem or Problem("failed")) for node in wrong if node.status is Status.FAILED
        ),
        blocked=tuple(
            (node.facts.id, node.facts.because or node.facts.id, node.facts.problem or Problem("blocked"))
            for node in wrong
            if node.status is Status.BLOCKED
        ),
        removed=tuple(tally.removed),
        warnings=tuple(tally.warnings.items()),
        cycles=tuple(sorted({node.cycle for node in wrong if node.cycle})),
    )


def corrected(answer: Report, graph: Graph, refused: Iterable[DocumentId]) -> Report:
    """A report that was made before the database refused what it tells of."""
    nodes = [node for each in refused if (node := graph.get(each)) and node.status is Status.FAILED]
    failed = {node.facts.id: node.facts.problem or Problem("failed") for node in nodes}
    told = {*answer.rendered, *answer.skipped}
    return replace(
        answer,
        rendered=tuple(each for each in answer.rendered if each not in failed),
        skipped=tuple(each for each in answer.skipped if each not in failed),
        failed=(*answer.failed, *(each for each in failed.items() if each[0] in told)),
    )


def _is_due(targets: frozenset[DocumentId], unfinished: Container[DocumentId]) -> bool:
    return bool(targets) and not any(target in unfinished for target in targets)
