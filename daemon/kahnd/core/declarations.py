"""Generated documents: who declares which, and which declarations can't stand.

The bytes of a generated document are published with the outputs of the rendering that declares it, in a folder of
kahnd's own. Then they are looked at as a save would be, before that rendering counts as finished. From there on it is a
document like others, which needs its declarer finished first.

A document is declared by one other at most, and a file of the project by none. Otherwise all that declare it fail,
whichever came first, and none of their versions of it exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from kahnd.core.events import StagedOutput
from kahnd.core.graph import Graph
from kahnd.core.model import (
    Declared,
    Dependency,
    DocumentId,
    Job,
    Kind,
    Observation,
    Outcome,
    OutputPath,
    Problem,
    Read,
    Rendered,
)
from kahnd.core.nodes import Node
from kahnd.core.output_paths import Claims, clash, generated_file, in_the_way, stage_of_declared
from kahnd.core.renderings import document_of, is_file

LONGEST: Final = 4
"""How many generated documents may declare one another in turn."""
REFUSALS: Final = 3
"""Times that what a document declares is refused in one build, before it fails for as long as that build goes on."""


class Conflict(NamedTuple):
    """The reason why what a rendering declares can't stand; `rival` is another document that is involved."""

    problem: Problem
    rival: DocumentId


class FollowUp(NamedTuple):
    """The consequences of new declarations.

    `undeclared`: documents that are declared no more, with those that did. `freed`: documents that may have failed
    because of these. `contested`: documents whose last good rendering has declared what another now declares too.
    """

    undeclared: dict[DocumentId, DocumentId]
    freed: set[DocumentId]
    contested: dict[DocumentId, frozenset[DocumentId]]


class Declarations:
    """Owns what each document declares, by its latest rendering, even if that was refused because of it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._of: dict[DocumentId, frozenset[DocumentId]] = {}
        self._claims = Claims()
        self._refusals: Counter[DocumentId] = Counter()
        self._follow_up = FollowUp({}, set(), {})
        for node in graph:
            if node.facts.declares:
                self._set(node.facts.id, _paths(node.facts.declares))
        for node in graph:  # what was not committed any more
            declarer = node.facts.declarer
            if declarer and is_file(node.facts.id) and node.facts.id not in self._of.get(declarer, ()):
                self._follow_up.undeclared[node.facts.id] = declarer
                for each in self.declarers(node.facts.id):  # had another before, by the last commit
                    self._contest(each, (node.facts.id,))

    def declarers(self, document: DocumentId) -> tuple[DocumentId, ...]:
        """Returns the documents that declare this one, without those that it or another of them has declared."""
        found = self._claims.makers(document)
        known = {document, *found}
        return tuple(each for each in found if each != document and known.isdisjoint(self._line(each)))

    def accept(self, node: Node, declared: tuple[Declared, ...]) -> Conflict | None:
        """Takes note of what a rendering declares; returns why it is refused.

        If it is, then what the last good rendering declared stays.
        """
        document, paths = node.facts.id, _paths(declared)
        if not paths:
            self.settle(document, ())
            return None
        self._set(document, paths | _paths(node.facts.declares or ()))
        if conflict := self.conflict(node, declared):
            self._refusals[document] += 1
            return conflict
        self._set(document, paths)
        return None

    def settle(self, document: DocumentId, declared: Iterable[Declared]) -> None:
        """Takes note that a document declares these alone: it is as rendered, or it is rendered no more."""
        if document in self._of:
            self._set(document, _paths(declared))

    def failed(self, document: DocumentId, declared: Iterable[Declared]) -> None:
        """Takes note that a document has failed for another reason, so that it declares what it has before.

        One that is refused as often as it gets what it needs, since it declares that itself, stays in conflict.
        """
        if self._refusals[document] < REFUSALS:
            self.settle(document, declared)

    def build_ended(self) -> None:
        """Takes note that everything is decided on."""
        self._refusals.clear()

    def absent(self, paths: Iterable[DocumentId]) -> DocumentId | None:
        """Returns the first of these that is declared and does not exist: not yet, or because others declare it too."""
        there = ((each, self._graph.get(each)) for each in paths if self.declarers(each))
        return next((each for each, node in there if node is None or not node.exists), None)

    def appeared(self, document: DocumentId) -> None:
        """Takes note of a file of the project, which no document may declare."""
        for each in self._claims.makers(document):
            self._contest(each, (document,))

    def disappeared(self, document: DocumentId) -> None:
        """Takes note that a document has gone, so that those that failed because of it can declare it."""
        self._follow_up.freed.update(self._claims.makers(document))

    def withdraw(self, document: DocumentId, declared: Iterable[Declared]) -> None:
        """Takes note that what a rendering declares was published, and can't stand."""
        earlier = self._follow_up.contested.get(document, frozenset())
        self._follow_up.contested[document] = earlier | _paths(declared)

    def conflict(self, node: Node, declared: tuple[Declared, ...]) -> Conflict | None:
        """Returns why a rendering of this document can't declare these; other declarers are noted as contested."""
        document = node.facts.id
        paths = sorted(_paths(declared).intersection(self._of.get(document, ())))
        rivals = self._claims.rivals(_outputs(paths), document) if paths else ()
        for each in rivals:
            if each not in self._line(document):
                self._contest(each, paths)
        standing = [each for each in rivals if document not in self._line(each)]
        if standing:  # those that it has declared itself, and that declare the same, fail alone
            return self._declared_twice(document, paths, min(standing))
        for path, _, line in declared:
            target = self._graph.get(path)
            if target and target.exists and target.facts.declarer is None:
                message = f"{document_of(document)} declares {path}, which is a file of the project"
                remedy = "move the file away, or declare another path"
                return Conflict(Problem(message, document_of(document), line, remedy), path)
        if paths and len([*self._line(document)]) >= LONGEST:
            origin = [*self._line(document)][-1]
            message = f"more than {LONGEST} documents declare one another in turn, beginning with {origin}"
            return Conflict(Problem(message, document, remedy="declare these documents by fewer others"), origin)
        return None

    def is_outdated(self, observation: Observation, node: Node | None) -> bool:
        """Tells whether an observation is not of the file that stands for the document now."""
        is_there = node is not None and node.exists
        is_generated = node is not None and node.facts.declarer is not None
        if observation.declarer:
            return (is_there and not is_generated) or self.declarers(observation.document) != (observation.declarer,)
        return is_generated and observation.content_hash is None and observation.problem is None

    def own(self, rendering: DocumentId, members: Collection[DocumentId]) -> list[DocumentId]:
        """Returns those of the members that the document of a rendering has declared, itself or through others."""
        document = document_of(rendering)
        return [each for each in members if document in self._line(each)] if document in self._of else []

    def all_of(self, document: DocumentId) -> tuple[DocumentId, ...]:
        """Returns the generated documents that this one has declared, itself or through others."""
        found = dict.fromkeys(self._of.get(document, ()))
        pending = list(found)
        while pending:
            more = [each for each in self._of.get(pending.pop(), ()) if each not in found]
            found.update(dict.fromkeys(more))
            pending += more
        return tuple(self.own(document, found)) if found else ()

    def take_follow_up(self) -> FollowUp | None:
        """Returns what has followed since the last call, if anything."""
        follow_up, self._follow_up = self._follow_up, FollowUp({}, set(), {})
        return follow_up if any(follow_up) else None

    @property
    def has_follow_up(self) -> bool:
        """Something has followed from new declarations."""
        return any(self._follow_up)

    def _set(self, document: DocumentId, paths: frozenset[DocumentId]) -> None:
        before = self._of.pop(document, frozenset())
        gone = before - paths
        if gone:
            self._follow_up.freed.update(self._claims.rivals(_outputs(gone), document))
            self._claims.remove(_outputs(gone), document)
            self._follow_up.undeclared.update(dict.fromkeys(sorted(gone), document))
        self._claims.add(_outputs(paths - before), document)
        if paths:
            self._of[document] = paths

    def _contest(self, rival: DocumentId, paths: Iterable[DocumentId]) -> None:
        """Notes what a rival has published and can't keep."""
        published = _paths(self._graph[rival].facts.declares or ())
        lost = frozenset(each for each in published if _overlaps(each, paths))
        if lost:
            self._follow_up.contested[rival] = lost | self._follow_up.contested.get(rival, frozenset())

    def _declared_twice(self, document: DocumentId, paths: list[DocumentId], rival: DocumentId) -> Conflict:
        theirs, names = self._of[rival], " and ".join(sorted(map(document_of, (document, rival))))
        if both := sorted(theirs.intersection(paths)):
            message = f"{names} both declare {both[0]}"
        else:
            own, other = clash(_outputs(paths), _outputs(sorted(theirs))) or (paths[0], "")
            message = f"{document_of(document)} declares {own} and {document_of(rival)} {other}, which can't both exist"
        return Conflict(Problem(message, document_of(document), remedy="have one of them declare another path"), rival)

    def _line(self, document: DocumentId) -> Iterator[DocumentId]:
        """Yields the declarer of a document, its declarer, and so on."""
        seen = {document}
        node = self._graph.get(document)
        while node and (declarer := node.facts.declarer) and declarer not in seen:
            yield declarer
            seen.add(declarer)
            node = self._graph.get(declarer)


def with_declarer(node: Node, dependencies: Collection[Dependency]) -> Collection[Dependency]:
    """Returns the dependencies and, first of a generated document's, that on its declarer: no part of that is used.

    A document that is generated no more loses it.
    """
    declarer, first = node.facts.declarer, next(iter(dependencies), None)
    known = first.target if first and first.kind is Kind.DECLARER else None
    if known == declarer:
        return dependencies
    others = (each for each in dependencies if each.kind is not Kind.DECLARER)
    own = (Dependency(declarer, Kind.DECLARER, facets=frozenset(), sure=True),) if declarer else ()
    return (*own, *others)


def reads_to_check(job: Job, outcome: Outcome, *, are_published: bool) -> Iterable[Read]:
    """Returns what a run has read, without what its document has declared before, and declares now.

    `are_published`: the documents that it declares now are in place, and are to be checked too.
    """
    declared = _paths(outcome.declared if isinstance(outcome, Rendered) else ())
    own = frozenset(job.own) - declared if are_published else declared.union(job.own)
    return [each for each in outcome.reads if each.dependency.target not in own] if own else outcome.reads


def staged_declared(node: Node, job: Job, outcome: Rendered, *, all_of_it: bool) -> Iterator[StagedOutput]:
    """Yields the declared documents to publish: all, or those that are not in place already."""
    there = {each: digest for each, digest, _ in node.facts.declares or ()}
    for number, (each, digest, _) in enumerate(outcome.declared):
        if all_of_it or there.get(each) != digest:
            yield StagedOutput(stage_of_declared(job, number), generated_file(each), digest)


def declared_in_the_way(node: Node, outcome: Rendered) -> list[OutputPath]:
    """Returns the files of formerly declared documents that those of the present ones can't exist beside."""
    former = [generated_file(each) for each, _, _ in node.facts.declares or ()]
    return in_the_way(former, [generated_file(each) for each, _, _ in outcome.declared]) if former else []


def to_look_at(graph: Graph, declared: Iterable[Declared]) -> tuple[DocumentId, ...]:
    """Returns the declared documents that the graph does not know as they are now, to be looked at."""
    return tuple(each for each, digest, _ in declared if not _is_known(graph.get(each), digest))


def at_its_declarer(graph: Graph, node: Node, problem: Problem) -> Problem:
    """Returns the problem of a generated document as one of its declarer, where somebody can mend it."""
    declarer = graph.get(node.facts.declarer) if node.facts.declarer else None
    if declarer is None or problem.file != node.facts.id:
        return problem
    line = next((line for each, _, line in declarer.facts.declares or () if each == node.facts.id), 0)
    place = f"{node.facts.id}:{problem.line}" if problem.line else node.facts.id
    message = f"{problem.message} (at {place}, which this document declares)"
    return replace(problem, message=message, file=declarer.facts.id, line=line, column=0)


def _is_known(node: Node | None, digest: str) -> bool:
    return node is not None and node.exists and node.facts.declarer is not None and node.facts.content_hash == digest


def _paths(declared: Iterable[Declared]) -> frozenset[DocumentId]:
    return frozenset(each for each, _, _ in declared)


def _outputs(paths: Iterable[DocumentId]) -> list[OutputPath]:
    return [OutputPath(each) for each in paths]


def _overlaps(path: str, others: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") or each.startswith(f"{path}/") for each in others)
