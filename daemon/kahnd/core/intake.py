"""What was seen → what changed: new facts and edges in the graph, and the changes to tell the database."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from kahnd.core import digest
from kahnd.core.globs import glob_matcher
from kahnd.core.graph import Graph, Node
from kahnd.core.model import (
    NO_EDGES,
    Change,
    Dependency,
    DocumentId,
    Edges,
    Facet,
    Facts,
    Kind,
    OutputPath,
    Result,
    Scan,
    Sighting,
    Status,
)
from kahnd.core.rules import is_collection
from kahnd.core.why import ON_A_CYCLE

NEW, CONTENT, RECIPE, GONE, CONTESTED, MEMBERS = (
    "new",
    "content changed",
    "recipe changed",
    "removed",
    "another document claims its output",
    "other documents match",
)
_BY_PATH: Final = frozenset({Kind.DECLARED, Kind.DISCOVERED})
_ITS_OUTPUT: Final = frozenset({Facet.OUTPUT})


@dataclass(slots=True)
class Noticed:
    """What a look came to: changes for the database, by document; facts to commit; outputs nobody stands for."""

    changes: dict[DocumentId, Change] = field(default_factory=dict)
    touched: list[Result] = field(default_factory=list)
    removed: list[tuple[OutputPath, DocumentId]] = field(default_factory=list)
    reasons: dict[DocumentId, str] = field(default_factory=dict)

    def note(self, change: Change, reason: str) -> None:
        """One more changed document."""
        self.changes[change.facts.id] = change
        self.reasons[change.facts.id] = reason

    def written(self) -> list[DocumentId]:
        """The documents with other bytes than before."""
        return [each for each in self.changes if self.reasons[each] in {NEW, CONTENT}]

    def again(self, nodes: Iterable[Node], reason: str) -> None:
        """Documents to be decided on although nothing of theirs has changed."""
        for node in nodes:
            if node.facts.id not in self.changes:
                self.note(Change(node.facts, content=False), reason)


@dataclass(slots=True)
class _Collection:
    matches: Callable[[DocumentId], bool]
    members: set[DocumentId]
    is_new: bool = True


class Intake:
    """Takes in what was seen. Owns the collections' membership."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._orphans: set[DocumentId] = set()
        self._unrecorded: frozenset[OutputPath] = frozenset()
        self._collections: dict[DocumentId, _Collection] = {}
        self._named: set[str] = set()
        """Outputs that programs read by their own paths: each is a missing document, which its makers stand for."""
        for node in graph:
            if not node.exists and graph.layout.is_output(node.facts.id):
                self._named.add(node.facts.id)
            if is_collection(node.facts.id):
                self._gather(node.facts.id)

    def members(self, collection: DocumentId) -> tuple[DocumentId, ...]:
        """Which documents are in a known collection, by path."""
        return tuple(sorted(self._collections[collection].members))

    def observe(self, sightings: Iterable[Sighting]) -> Noticed:
        """Take sightings for true."""
        noticed = Noticed()
        for sighting in sightings:
            if sighting.content_hash is None and sighting.problem is None:
                self._gone(sighting.document, noticed)
            else:
                self._present(sighting, noticed)
        self._regather(noticed)
        self._forget(noticed)
        return noticed

    def spoilt(self, outputs: Iterable[OutputPath], forced: Container[DocumentId]) -> list[Node]:
        """Whose outputs these are, to be made again; not those told before that could not be made since."""
        nodes = [self._graph[each] for output in sorted(outputs) for each in sorted(self._graph.claimants(output))]
        return [node for node in nodes if node.facts.id not in forced or node.facts.output != node.claim]

    def disowned(self, made: frozenset[OutputPath], noticed: Noticed) -> list[OutputPath]:
        """What a session left behind that ended before it could say whose it is, and nobody stands for now."""
        self._unrecorded = made - {node.facts.output for node in self._graph}
        return sorted(made - {output for output, _ in noticed.removed} - self._graph.outputs())

    def entangled(self, noticed: Noticed) -> None:
        """At a start: who failed over a cycle or a rival, which may be none any more."""
        failed = [node for node in self._graph if node.status is Status.FAILED and node.facts.because]
        noticed.again((each for each in failed if each.facts.because == each.facts.id), ON_A_CYCLE)
        noticed.again(failed, CONTESTED)

    def connect(self, document: DocumentId, dependencies: Iterable[Dependency]) -> tuple[Edges, tuple[Facts, ...]]:
        """Replace a document's edges; also the facts of targets first heard of (missing ones, collections)."""
        node = self._graph[document]
        if dependencies is node.dependencies:
            return NO_EDGES, ()
        after = tuple(dict.fromkeys(self._with_makers(document, tuple(dependencies))))
        if after == node.dependencies and all(map(_as_sure, after, node.dependencies)):
            node.depend(after)  # the lines may be others
            return NO_EDGES, ()
        before = {each.target for each in node.dependencies}
        edges = self._graph.connect(document, after)
        self._orphans.update(before - {each.target for each in node.dependencies})
        new = [each.target for each in node.dependencies if each.target not in self._graph]
        return edges, tuple(self._first_heard(target) for target in dict.fromkeys(new))

    def names_outputs(self, node: Node) -> bool:
        """Whether it reads outputs by their own paths, whose makers may be others by now."""
        return bool(self._named) and any(each.target in self._named for each in node.dependencies)

    def _with_makers(self, document: DocumentId, dependencies: tuple[Dependency, ...]) -> Iterator[Dependency]:
        """The dependencies and, for each that names an output, those on what renders to it: to be finished first.

        The name stays beside them where a text has it, and where nothing renders to it.
        """
        is_output = self._graph.layout.is_output
        named = [each for each in dependencies if each.kind in _BY_PATH and is_output(each.target)]
        if not named:
            yield from dependencies
            return
        told = {each.target for each in dependencies if each.kind in _BY_PATH and each.facets is None}
        for each in dependencies:
            makers = self._graph.makers(each.target) if each in named else ()
            declared = each.kind is Kind.DECLARED
            if declared or not makers:
                yield each
            for maker in sorted(makers):
                if maker != document and maker not in told:
                    yield Dependency(maker, Kind.DISCOVERED, each.line, facets=_ITS_OUTPUT, sure=declared)

    def _first_heard(self, target: DocumentId) -> Facts:
        if is_collection(target):
            return self._graph.put(self._membership(target)).facts
        if self._graph.layout.is_output(target):
            self._named.add(target)
        return self._graph.put(Facts(target, Status.MISSING)).facts

    def _present(self, sighting: Sighting, noticed: Noticed) -> None:
        node = self._graph.get(sighting.document)
        facts = node.facts if node else Facts(sighting.document, Status.MISSING)
        recipe = self._graph.recipe_of(sighting.document)
        same = facts.content_hash == sighting.content_hash and (
            sighting.problem is None or facts.problem == sighting.problem
        )
        if node and node.exists and same and facts.recipe_hash == recipe and sighting.scan is None:
            noticed.touched.append(Result(self._graph.put(replace(facts, stat=sighting.stat)).facts))
            return
        reason = NEW if facts.status is Status.MISSING else RECIPE if same else CONTENT
        edges, new = self._rewrite(sighting, replace(facts, recipe_hash=recipe))
        node = self._graph[sighting.document]
        content = reason != RECIPE or _may_have_moved(facts, node)
        noticed.note(Change(node.facts, edges, content=content), reason)
        for each in new:
            noticed.note(Change(each, content=is_collection(each.id)), NEW)
        if reason != CONTENT:
            self._appears(node.claim, noticed)
        self._contest(node, noticed)
        if node.claim is None:
            self._abandon(facts, noticed)

    def _rewrite(self, sighting: Sighting, facts: Facts) -> tuple[Edges, tuple[Facts, ...]]:
        scan = sighting.scan or Scan()
        node = self._graph.put(_as_seen(facts, sighting, scan))
        if node.claim is None and facts.output:
            self._graph.put(replace(node.facts, output=None, output_hash=None, inputs_hash=None))
        return self.connect(facts.id, scan.dependencies)

    def _gone(self, document: DocumentId, noticed: Noticed) -> None:
        node = self._graph.get(document)
        if node is None or not node.exists or is_collection(document):
            return
        others, rivals = self._graph.claimants(node.claim) - {document}, self._graph.rivals(node)
        self._abandon(node.facts, noticed)
        if node.claim in self._unrecorded and node.claim != node.facts.output and not others:
            noticed.removed.append((node.claim, document))
        edges, _ = self.connect(document, ())
        self._graph.put(Facts(document, Status.MISSING))
        noticed.note(Change(Facts(document, Status.MISSING), edges), GONE)
        self._orphans.add(document)
        noticed.again(map(self._graph.__getitem__, rivals), CONTESTED)

    def _appears(self, claim: OutputPath | None, noticed: Noticed) -> None:
        """Something renders to an output that programs read by its path: they are to be looked at again."""
        if claim in self._named and (named := self._graph.get(DocumentId(claim or ""))):
            noticed.note(Change(named.facts, content=False), NEW)

    def _abandon(self, facts: Facts, noticed: Noticed) -> None:
        if facts.output and not self._graph.is_made_by_others(facts.output, facts.id):
            noticed.removed.append((facts.output, facts.id))

    def _contest(self, node: Node, noticed: Noticed) -> None:
        rivals = [self._graph[each] for each in sorted(self._graph.rivals(node))]
        clashing = [each for each in rivals if each.claim != node.claim]
        for each in (*clashing, *([node] if clashing else [])):
            self._withdraw(each, noticed)
        noticed.again(rivals, CONTESTED)

    def _withdraw(self, node: Node, noticed: Noticed) -> None:
        """Remove its output: a file and a folder can't be in one place, and neither may stay for having been first."""
        if node.facts.output is None:
            return
        self._abandon(node.facts, noticed)
        facts = self._graph.put(replace(node.facts, output=None, output_hash=None, inputs_hash=None)).facts
        if known := noticed.changes.get(facts.id):
            noticed.changes[facts.id] = replace(known, facts=facts)

    def _regather(self, noticed: Noticed) -> None:
        """Bring every collection's membership up to what has appeared and gone."""
        for collection, kept in self._collections.items():
            if not self._regather_one(kept, noticed):
                continue
            facts = self._graph[collection].facts
            membership = digest.of_members(kept.members)
            if facts.content_hash != membership:
                changed = self._graph.put(replace(facts, status=Status.DIRTY, content_hash=membership)).facts
                noticed.note(Change(changed), MEMBERS)

    def _regather_one(self, kept: _Collection, noticed: Noticed) -> bool:
        """Whether the members may be others than before."""
        changed, kept.is_new = kept.is_new, False
        for document in noticed.changes:
            if kept.matches(document) and (document in kept.members) is not self._graph[document].exists:
                (kept.members.add if self._graph[document].exists else kept.members.discard)(document)
                changed = True
        return changed

    def _forget(self, noticed: Noticed) -> None:
        """Let go of what was only there because something depended on it."""
        for document in self._graph.orphans(self._orphans):
            change = noticed.changes.get(document) or Change(self._graph[document].facts, content=False)
            noticed.note(replace(change, forget=True), GONE)
            self._collections.pop(document, None)
            self._named.discard(document)
            self._graph.drop(document)
        self._orphans.clear()

    def _membership(self, collection: DocumentId) -> Facts:
        members = self._gather(collection)
        return Facts(collection, Status.DIRTY, content_hash=digest.of_members(members))

    def _gather(self, collection: DocumentId) -> set[DocumentId]:
        matches = self._matcher(collection)
        members = {node.facts.id for node in self._graph if node.exists and matches(node.facts.id)}
        self._collections[collection] = _Collection(matches, members)
        return members

    def _matcher(self, collection: DocumentId) -> Callable[[DocumentId], bool]:
        """Whether a document is in it: none that is only part of others."""
        fits, layout = glob_matcher(collection[1:]), self._graph.layout
        return lambda each: not is_collection(each) and fits(each) and not layout.is_partial(each)


def _as_seen(facts: Facts, sighting: Sighting, scan: Scan) -> Facts:
    return replace(
        facts,
        status=Status.DIRTY,
        content_hash=sighting.content_hash,
        stat=sighting.stat,
        problem=sighting.problem,
        because=None,
        facets=scan.facets,
    )


def _may_have_moved(before: Facts, node: Node) -> bool:
    """Whether its rule may put it elsewhere now; where that was before is known of what its last recipe rendered."""
    if before.recipe_hash == node.facts.recipe_hash:
        return False
    return before.recipe_hash != before.last_recipe_hash or before.output != node.claim


def _as_sure(one: Dependency, other: Dependency) -> bool:
    return one.sure == other.sure
