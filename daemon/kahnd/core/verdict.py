"""What is to be done with a document whose needs are finished, and what a rendering's outcome is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from kahnd.core import twins
from kahnd.core.graph import Graph, Node
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Kind,
    Outcome,
    OutputPath,
    Problem,
    Read,
    Rendered,
    Status,
    Unmet,
)
from kahnd.core.rules import Rule

SHOWN: Final = 20
"""How many documents of a cycle are named in a message."""
BROKEN: Final = frozenset({Status.FAILED, Status.BLOCKED})


class Settle(msgspec.Struct, frozen=True):
    """A plain document: its effective hash is all there is to it."""

    effective: Digest


class Unchanged(msgspec.Struct, frozen=True):
    """Its inputs are those of its last good rendering."""


class Block(msgspec.Struct, frozen=True):
    """Something it depends on failed or is missing."""

    because: DocumentId
    problem: Problem


class Fail(msgspec.Struct, frozen=True):
    """It can't be rendered, whatever it depends on; `rival` is another document that claims its output."""

    problem: Problem
    rival: DocumentId | None = None


class Run(msgspec.Struct, frozen=True):
    """It is to be rendered: these bytes, by this rule, to this place."""

    content_hash: Digest
    rule: Rule
    output: OutputPath


class Accept(msgspec.Struct, frozen=True):
    """The outcome stands."""


class Again(msgspec.Struct, frozen=True):
    """It was made from something that is not finished, or has changed: these are to be looked at first."""

    look: tuple[DocumentId, ...] = ()


Verdict = Settle | Unchanged | Block | Fail | Run


def decide(graph: Graph, node: Node, *, forced: bool, doubtful: bool = False) -> Verdict:
    """What a document comes to, now that all it needs is finished.

    `doubtful`: no rendering of its present inputs has told what it needs. Where these are others since its last one,
    a need that may not be one does not block: a rendering is to find out.
    """
    content_hash, rule, output = node.facts.content_hash, node.rule, node.claim
    if content_hash is None:
        return Fail(node.facts.problem or Problem("can't be read", node.facts.id))
    changed = forced or not graph.is_as_rendered(node)
    rivals = graph.rivals(node)
    blocked = _culprit(graph, node, sure_only=doubtful and (changed or bool(rivals)))
    if blocked:
        return blocked
    if rule is None or output is None:
        return Settle(graph.effective_hash(node))
    if rivals:
        return Fail(_contested(graph, node, rivals), min(rivals))
    unchanged = node.facts.output == output and not changed
    return Unchanged() if unchanged else Run(content_hash, rule, output)


def edges_after(node: Node, outcome: Outcome) -> tuple[Dependency, ...]:
    """A document's dependencies after a run: what was really read replaces what was scanned.

    What did not get to its end keeps what it is sure to need. A renderer that can't tell all it read (a command) keeps
    what was scanned; where it failed, what it read before as well: that may be what mends it.
    """
    kept = [each for each in node.dependencies if _outlives(each, node, outcome)]
    needs = (outcome.needs,) if isinstance(outcome, Unmet) else ()
    if not (outcome.reads or needs) and len(kept) == len(node.dependencies):
        return node.dependencies
    found = dict.fromkeys((*kept, *(read.dependency for read in outcome.reads), *needs))
    sure = {each for each in node.dependencies if each.sure}
    counting = (each for each in found if _counts(each, node))
    return tuple(replace(each, sure=True) if each in sure and not each.sure else each for each in counting)


def _outlives(dependency: Dependency, node: Node, outcome: Outcome) -> bool:
    whole = type(outcome) is Rendered
    if node.rule is not None and node.rule.judges_missing:
        return dependency.sure and (not whole or dependency.kind is Kind.DECLARED)
    return not whole or dependency.kind is not Kind.DISCOVERED


def check(graph: Graph, node: Node, reads: Iterable[Read], unfinished: Container[DocumentId]) -> Accept | Again:
    """Whether what a run read is what the graph says is there, and finished well.

    What it read of a document that failed, or of itself, must not depend on which of the two came first.
    """
    stale = []
    for read in reads:
        if _is_ordered(read.dependency, node) and _is_unfit(graph, node, read.dependency.target, unfinished):
            return Again()
        if _is_stale(graph, node, read):
            stale.append(read.dependency.target)
    return Again(tuple(stale)) if stale else Accept()


def _is_unfit(graph: Graph, node: Node, target: DocumentId, unfinished: Container[DocumentId]) -> bool:
    """Whether a document that was read, or what renders to it, is unfinished or broken."""
    makers = (each for each in graph.makers(target) if each != node.facts.id)
    return any(each in unfinished or (each in graph and graph[each].status in BROKEN) for each in (target, *makers))


def unfit(graph: Graph, reads: Iterable[Read]) -> Problem | None:
    """Why a run that keeps reading something else than the graph knows will never be accepted."""
    for read in reads:
        target = graph.get(read.dependency.target)
        if read.dependency.kind is Kind.DISCOVERED:
            continue  # a program may read files that are none, and say so
        if read.hash is not None and (target is None or not target.exists):
            return Problem(
                f"{read.dependency.target} is not a document: it is ignored, or outside the project's sources",
                line=read.dependency.line,
                remedy="take it out of the ignore rules, or refer to another file",
            )
    return None


def _is_stale(graph: Graph, node: Node, read: Read) -> bool:
    kind, target = read.dependency.kind, graph.get(read.dependency.target)
    if kind is Kind.COLLECTION:
        return False
    if read.hash is None:
        judges = node.rule is not None and node.rule.judges_missing
        return judges and kind not in {Kind.OUTPUT, Kind.DECLARED} and target is not None and target.exists
    return read.hash != _bytes_of(graph, node, read.dependency)


def _bytes_of(graph: Graph, node: Node, dependency: Dependency) -> Digest | None:
    """The hash of the file that a rendering reads for a dependency, as the graph knows it."""
    for maker in graph.makers(dependency.target):
        return graph[maker].facts.output_hash
    target = graph.get(dependency.target)
    if target is None or not target.exists:
        return None
    by_program = node.rule is not None and not node.rule.judges_missing and dependency.kind is not Kind.INCLUDE
    is_output = dependency.kind is Kind.OUTPUT or (by_program and target.claim is not None)
    return target.facts.output_hash if is_output else target.facts.content_hash


def _is_ordered(dependency: Dependency, node: Node) -> bool:
    return not dependency.kind.of_content and _counts(dependency, node)


def _counts(dependency: Dependency, node: Node) -> bool:
    """A run that found its own source changed names itself; that is no edge. A real self-dependency is scanned."""
    return dependency.target != node.facts.id or dependency.kind is not Kind.DISCOVERED


def is_sure(dependency: Dependency, node: Node) -> bool:
    """Whether this follows from the document's own bytes, whatever else has changed since its last rendering."""
    if node.rule is None or dependency.sure:
        return True
    return not node.rule.judges_missing and dependency.kind is not Kind.DISCOVERED


def is_optional(dependency: Dependency, node: Node) -> bool:
    """Whether a plain document includes it on a condition: then it is for those to judge who render the plain one."""
    return node.rule is None and dependency.kind is Kind.INCLUDE and not dependency.sure


def is_tied(node: Node, knot: Container[DocumentId]) -> bool:
    """Whether it is in the knot by its own bytes."""
    needs = [each for each in node.dependencies if each.target in knot and not each.kind.of_content]
    return any(is_sure(each, node) for each in needs)


def _culprit(graph: Graph, node: Node, *, sure_only: bool) -> Block | None:
    if graph.is_sound:
        return None
    for each in node.dependencies:
        target = graph.get(each.target)
        if each.kind.of_content or target is None or (sure_only and not is_sure(each, node)):
            continue
        if is_optional(each, node):
            continue
        if target.status in BROKEN:
            culprit = culprit_of(target)
            return Block(
                culprit, Problem(f"needs {each.target}, which {_fate(target, culprit)}", node.facts.id, each.line)
            )
        if not target.exists and _has_to_exist(each, node) and not graph.makers(each.target):
            return Block(each.target, missing(graph, node.facts.id, each))
    return None


def _has_to_exist(dependency: Dependency, node: Node) -> bool:
    """What an earlier run told of may be an option, or gone for good: a run finds out."""
    if node.rule is None or dependency.kind is Kind.DISCOVERED:
        return False
    return dependency.kind is Kind.DECLARED or not node.rule.judges_missing


def culprit_of(node: Node) -> DocumentId:
    """Who is to blame where something needs this one: it itself, unless it is BLOCKED by another."""
    blocked = node.status is Status.BLOCKED and node.facts.because
    return blocked or node.facts.id


def _fate(target: Node, culprit: DocumentId) -> str:
    return "failed" if target.status is Status.FAILED else f"is blocked by {culprit}"


def missing(graph: Graph, document: DocumentId, dependency: Dependency, told: Problem | None = None) -> Problem:
    """The words for a dependency that does not exist: those a rendering `told`, and its twin."""
    words = told or Problem(
        f"needs {dependency.target}, which does not exist",
        document,
        dependency.line,
        "create it, or correct the reference",
    )
    found = graph.twin_of(dependency.target)
    remedy = twins.remedy(dependency.target, found, words.remedy)
    return words if remedy == words.remedy else dataclasses.replace(words, remedy=remedy)


def on_cycle(path: tuple[DocumentId, ...], document: DocumentId) -> Problem:
    """The words for a document on a cycle; of a long one, its beginning."""
    shown = path if len(path) <= SHOWN else (*path[: SHOWN - 2], f"({len(path) - SHOWN + 1} more)", path[-1])
    return Problem(f"depends on itself: {' → '.join(shown)}", document, remedy="break the cycle")


def _contested(graph: Graph, node: Node, rivals: Iterable[DocumentId]) -> Problem:
    clashing = sorted(each for each in rivals if graph[each].claim != node.claim)
    if clashing:
        return _clashing(graph, node, clashing)
    names = " and ".join(sorted((node.facts.id, *rivals)))
    return Problem(f"{names} both render to {node.claim}", node.facts.id, remedy="give one of them another output")


def _clashing(graph: Graph, node: Node, others: list[DocumentId]) -> Problem:
    """The words for a file where another document needs a folder."""
    claim, other = node.claim or "", graph[others[0]].claim or ""
    file, folder = (node.facts.id, others[0]) if len(claim) < len(other) else (others[0], node.facts.id)
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    message = f"{file} renders to {min(claim, other, key=len)}, where {folder} needs a folder{more}"
    return Problem(message, node.facts.id, remedy="give one of them another output")
