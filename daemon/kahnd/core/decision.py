"""Decides what to do with a document whose dependencies are finished, and whether a rendering's outcome is accepted.

`decide` is where a document is skipped, blocked, failed or rendered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Container, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from kahnd.core.graph import Graph
from kahnd.core.hashing import PRESENT, outputs_at
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
from kahnd.core.nodes import Node
from kahnd.core.output_paths import clash, is_of, self_clash
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.renderings import document_of, documents_of
from kahnd.core.rules import Rule, dated_by
from kahnd.core.text import similar_name_remedy

SHOWN: Final = 20
"""Documents of a cycle that a message names."""
_ANOTHER_ROUTE: Final = "correct `aliases`, `slug` or `permalink` in the front matter of one of them"
_ANOTHER_OUTPUT: Final = "give one of them another output"
BROKEN: Final = frozenset({Status.FAILED, Status.BLOCKED})


class Rehash(msgspec.Struct, frozen=True, gc=False):
    """A plain document: only its effective hash is updated."""

    effective: Digest


class Skip(msgspec.Struct, frozen=True, gc=False):
    """Its inputs and its output path are those of its last good rendering."""


class Block(msgspec.Struct, frozen=True, gc=False):
    """A dependency failed or is missing."""

    because: DocumentId
    problem: Problem


class Fail(msgspec.Struct, frozen=True, gc=False):
    """It can't be rendered, whatever its dependencies; `rival` is another document that claims its output."""

    problem: Problem
    rival: DocumentId | None = None


class Run(msgspec.Struct, frozen=True, gc=False):
    """Render it: these bytes, by this rule, to this path."""

    content_hash: Digest
    rule: Rule
    output: OutputPath


class Accept(msgspec.Struct, frozen=True, gc=False):
    """The outcome counts."""


class Retry(msgspec.Struct, frozen=True, gc=False):
    """The outcome was made from something unfinished or changed: check these paths (none: wait), then run again."""

    paths: tuple[DocumentId, ...] = ()


Decision = Rehash | Skip | Block | Fail | Run


def decide(graph: Graph, node: Node, *, forced: bool, unconfirmed: bool = False) -> Decision:
    """Decides on a document whose dependencies are all finished.

    `forced`: render it even if its inputs have not changed. `unconfirmed`: it was not rendered with its present inputs
    yet, so some of its edges may be wrong; if its inputs have changed, only its certain edges may block it.
    """
    content_hash, rule, output = node.facts.content_hash, node.rule, node.claim
    if content_hash is None:
        return Fail(node.facts.problem or Problem("can't be read", node.document))
    changed = forced or not graph.is_as_rendered(node)
    rivals = graph.rivals(node)
    if blocked := _blocked(graph, node, certain_only=unconfirmed and (changed or bool(rivals))):
        return blocked
    if rule is None or output is None:
        return Rehash(graph.effective_hash(node))
    if contested := _contested(graph, node, rivals):
        return contested
    if node.facts.output == output and not changed:
        return Skip()
    return Run(content_hash, rule, output)


def edges_after(node: Node, outcome: Outcome) -> tuple[Dependency, ...]:
    """Returns a document's dependencies after a run: those it read replace those that were scanned.

    An unsuccessful run keeps the certain ones too. A renderer that can't tell all it read (a command) keeps the scanned
    ones; if it failed, also those of earlier runs, since a change of one of them may be the remedy.
    """
    kept = [each for each in node.dependencies if _outlives(each, node, outcome)]
    needs = (outcome.needs,) if isinstance(outcome, Unmet) else ()
    if not (outcome.reads or needs) and len(kept) == len(node.dependencies):
        return node.dependencies
    read = (each for each in (*(read.dependency for read in outcome.reads), *needs) if _is_edge(each, node))
    found = dict.fromkeys((*kept, *read))
    sure = {each for each in node.dependencies if each.sure}
    return tuple(replace(each, sure=True) if each in sure and not each.sure else each for each in found)


def check(
    graph: Graph,
    node: Node,
    reads: Iterable[Read],
    unfinished: Container[DocumentId],
    changed: Container[DocumentId] = (),
) -> Accept | Retry:
    """Checks that everything a run read is finished, not broken, and as the graph knows it.

    `changed`: the documents that have changed since the run began.
    """
    stale = []
    for read in reads:
        if _is_ordered(read.dependency, node) and _is_unusable(graph, node, read.dependency.target, unfinished):
            return Retry()
        if _is_uncertain(graph, node, read, changed) or _is_misjudged(graph, read) or _has_moved(graph, read, changed):
            return Retry()
        if _is_outdated(graph, read):
            return Retry()
        if _is_stale(graph, node, read):
            stale.append(read.dependency.target)
    return Retry(tuple(stale)) if stale else Accept()


def unknown_read(graph: Graph, reads: Iterable[Read]) -> Problem | None:
    """Returns why a run can never be accepted: it keeps reading a file that is no document."""
    for read in reads:
        target = graph.get(read.dependency.target)
        if read.dependency.kind in {Kind.DISCOVERED, Kind.LINK}:
            continue  # programs may read, and pages may link to, files that are no documents
        if read.hash is not None and (target is None or not target.exists):
            return Problem(
                f"{read.dependency.target} is not a document: it is ignored, or outside the project's sources",
                line=read.dependency.line,
                remedy="take it out of the ignore rules, or refer to another file",
            )
    return None


def unusable_read(graph: Graph, document: DocumentId, read: DocumentId) -> Problem | None:
    """Returns why a run can never be accepted: it reads another document that its scan or its reading refuses."""
    target = graph.get(read)
    return target.facts.problem if target and read != document and target.facts.content_hash is None else None


def is_certain(dependency: Dependency, node: Node) -> bool:
    """Tells whether the dependency follows from the document's own bytes, so that no rendering need confirm it."""
    if node.rule is None or dependency.sure:
        return True
    return not node.rule.judges_missing and dependency.kind is not Kind.DISCOVERED


def is_optional(dependency: Dependency, node: Node) -> bool:
    """Tells whether a plain document includes it conditionally; the documents that render the plain one find out."""
    return node.rule is None and dependency.is_conditional


def is_certainly_in(node: Node, members: Container[DocumentId]) -> bool:
    """Tells whether certain edges alone put the document into the cycle with these members."""
    needs = [each for each in node.dependencies if each.target in members and not each.kind.is_content]
    return any(is_certain(each, node) for each in needs)


def culprit_of(node: Node) -> DocumentId:
    """Returns the document to blame if another needs this one: the one that blocks it, or itself."""
    blocked = node.status is Status.BLOCKED and node.facts.because
    return blocked or node.facts.id


def missing(graph: Graph, document: DocumentId, dependency: Dependency, reported: Problem | None = None) -> Problem:
    """Describes a dependency that does not exist, as a rendering `reported` it; suggests a file of a similar name."""
    problem = reported or Problem(
        f"needs {document_of(dependency.target)}, which does not exist",
        document_of(document),
        dependency.line,
        "create it, or correct the reference",
    )
    wanted = document_of(dependency.target)
    similar = graph.similar_to(wanted)
    remedy = similar_name_remedy(wanted, similar, problem.remedy)
    return problem if remedy == problem.remedy else dataclasses.replace(problem, remedy=remedy)


def on_cycle(path: tuple[DocumentId, ...], document: DocumentId) -> Problem:
    """Describes a cycle, for one of its documents; of a long path only the beginning."""
    names = tuple(map(document_of, path))
    shown = names if len(path) <= SHOWN else (*names[: SHOWN - 2], f"({len(path) - SHOWN + 1} more)", names[-1])
    return Problem(f"depends on itself: {' → '.join(shown)}", document_of(document), remedy="break the cycle")


def _outlives(dependency: Dependency, node: Node, outcome: Outcome) -> bool:
    succeeded = type(outcome) is Rendered
    if node.rule is not None and node.rule.judges_missing:
        return dependency.sure and (not succeeded or dependency.kind is Kind.DECLARED)
    return not succeeded or dependency.kind is not Kind.DISCOVERED


def _is_unusable(graph: Graph, node: Node, target: DocumentId, unfinished: Container[DocumentId]) -> bool:
    """Tells whether a document that was read, or one that renders to that path, is unfinished or broken."""
    makers = (each for each in graph.makers(target) if each != node.facts.id)
    return any(each in unfinished or (each in graph and graph[each].status in BROKEN) for each in (target, *makers))


def _is_uncertain(graph: Graph, node: Node, read: Read, changed: Container[DocumentId]) -> bool:
    """Tells whether a program may have read a file before it changed: it says what it read, but not which bytes."""
    if (
        read.hash is not None
        or read.dependency.kind is not Kind.DISCOVERED
        or not node.rule
        or node.rule.judges_missing
    ):
        return False
    target = read.dependency.target
    return target != node.document and (target in changed or any(each in changed for each in graph.makers(target)))


def _is_misjudged(graph: Graph, read: Read) -> bool:
    """Tells whether a run took a link to lead nowhere, or somewhere, and the graph knows better; its next job will."""
    if read.dependency.kind is not Kind.LINK:
        return False
    target = graph.get(read.dependency.target)
    if target is not None and target.exists and target.claim:
        return False  # `_is_stale` has a file that is gone looked for
    return (read.hash is None) is bool(graph.makers(read.dependency.target))


def _has_moved(graph: Graph, read: Read, changed: Container[DocumentId]) -> bool:
    """Tells whether a run may have used the place of a document from front matter that has changed since."""
    return graph.has_routes and read.hash in {None, PRESENT} and read.dependency.target in changed


def _is_outdated(graph: Graph, read: Read) -> bool:
    """Tells whether a commit has changed the document since the run was told when the last one had."""
    target = graph.get(read.dependency.target) if dated_by(read.dependency.target) is not None else None
    return target is not None and target.facts.content_hash != read.hash


def _is_stale(graph: Graph, node: Node, read: Read) -> bool:
    kind, target = read.dependency.kind, graph.get(read.dependency.target)
    if kind is Kind.COLLECTION or read.hash == PRESENT:
        return False
    if any(digest != _hash_of_output(target, output) for output, digest in read.outputs):
        return True
    if read.hash is None:
        judges = node.rule is not None and node.rule.judges_missing
        if kind is Kind.LINK:  # to a document that no rule renders, it leads nowhere
            return target is not None and target.exists and target.claim is not None
        return judges and kind not in {Kind.OUTPUT, Kind.DECLARED} and target is not None and target.exists
    return read.hash != _bytes_of(graph, node, read.dependency)


def _bytes_of(graph: Graph, node: Node, dependency: Dependency) -> Digest | None:
    """Returns the hash that the graph knows of the file which a rendering reads for a dependency."""
    for maker in graph.makers(dependency.target):
        return _hash_of_output(graph[maker], dependency.target)
    target = graph.get(dependency.target)
    if target is None or not target.exists:
        return None
    by_program = node.rule is not None and not node.rule.judges_missing and dependency.kind is not Kind.INCLUDE
    is_output = dependency.kind is Kind.OUTPUT or (by_program and target.claim is not None)
    return target.facts.output_hash if is_output else target.facts.content_hash


def _hash_of_output(node: Node | None, output: str) -> Digest | None:
    """Returns the hash of one of a document's outputs; None if it has not made that."""
    made = outputs_at(node.facts, output) if node else []
    return next((digest for path, digest in made if path == output or is_of(output, path)), None)


def _is_ordered(dependency: Dependency, node: Node) -> bool:
    return not dependency.kind.is_content and _is_edge(dependency, node)


def _is_edge(dependency: Dependency, node: Node) -> bool:
    """A run that finds its own source changed reports itself; that is no edge. A real self-dependency is scanned."""
    return dependency.target != node.document or dependency.kind is not Kind.DISCOVERED


def _blocked(graph: Graph, node: Node, *, certain_only: bool) -> Block | None:
    if graph.is_sound:
        return None
    for each in node.dependencies:
        target = graph.get(each.target)
        if each.kind.is_content or target is None or (certain_only and not is_certain(each, node)):
            continue
        if is_optional(each, node):
            continue
        if target.status in BROKEN:
            culprit = culprit_of(target)
            message = f"needs {target.document}, which {_state_of(target, culprit)}"
            return Block(culprit, Problem(message, node.document, each.line))
        if not target.exists and _must_exist(each, node) and not graph.makers(each.target):
            return Block(each.target, missing(graph, node.facts.id, each))
    return None


def _must_exist(dependency: Dependency, node: Node) -> bool:
    """A missing dependency that an earlier run reported blocks nothing: it may be optional, and a run finds out."""
    if node.rule is None or dependency.kind is Kind.DISCOVERED:
        return False
    return dependency.kind is Kind.DECLARED or not node.rule.judges_missing


def _state_of(target: Node, culprit: DocumentId) -> str:
    return "failed" if target.status is Status.FAILED else f"is blocked by {document_of(culprit)}"


def _contested(graph: Graph, node: Node, rivals: Collection[DocumentId]) -> Fail | None:
    """Returns the failure of a document whose output paths are unknown, not its alone, or can't all exist."""
    if node.facts.route and node.facts.route.problem:
        return Fail(node.facts.route.problem)
    if rivals:
        return Fail(_claimed_twice(graph, node, rivals), min(rivals))
    both = self_clash(node.claims) if node.more else None
    return Fail(_self_contested(node, *both)) if both else None


def _claimed_twice(graph: Graph, node: Node, rivals: Iterable[DocumentId]) -> Problem:
    others = sorted(rivals)
    clashing = [each for each in others if clash(node.claims, graph[each].claims)]
    if clashing:
        return _clashing(graph, node, clashing)
    contested = next(each for each in node.claims if not graph.claimants(each) <= {node.facts.id})
    names = " and ".join(sorted(documents_of((node.facts.id, *rivals))))
    both = f"{names} both render" if names != node.document else f"{names} renders by two rules"
    is_routed = any(graph[each].facts.route for each in (node.facts.id, *rivals))
    return Problem(f"{both} to {contested}", node.document, remedy=_ANOTHER_ROUTE if is_routed else _ANOTHER_OUTPUT)


def _clashing(graph: Graph, node: Node, others: list[DocumentId]) -> Problem:
    """Describes an output at a path where another document needs a folder, or fills one."""
    document, other = node.document, document_of(others[0])
    own, theirs = clash(node.claims, graph[others[0]].claims) or (OutputPath(""), OutputPath(""))
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    (outer, outer_by), (inner, inner_by) = sorted([(own, document), (theirs, other)], key=lambda each: len(each[0]))
    if outer.endswith("/"):
        message = f"{inner_by} renders to {inner}, which is in {outer}, the folder that {outer_by} fills{more}"
    else:
        message = f"{outer_by} renders to {outer}, where {inner_by} needs a folder{more}"
    return Problem(message, document, remedy=_ANOTHER_OUTPUT)


def _self_contested(node: Node, one: OutputPath, other: OutputPath) -> Problem:
    """Describes two outputs of one document that can't both exist."""
    line, document = node.rule.line if node.rule else 0, node.document
    file, remedy = (CONFIG_FILE, line), "correct the rule's `output`"
    if node.facts.route:
        file, remedy = (document, 1), "correct `aliases`, `slug` or `permalink` in its front matter"
    message = (
        f"{document} renders to {one} twice" if one == other else f"{one} and {other} of {document} can't both exist"
    )
    return Problem(message, *file, remedy)
