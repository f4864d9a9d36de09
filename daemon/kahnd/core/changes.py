"""Turns observations into changes: new facts and edges in the graph, and what to write to the database."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from kahnd.core.declarations import Declarations, with_declarer
from kahnd.core.earlier_outputs import EarlierOutputs
from kahnd.core.graph import Graph
from kahnd.core.members import Collections
from kahnd.core.model import (
    NO_EDGES,
    Change,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facet,
    Facts,
    Kind,
    Observation,
    OutputPath,
    Scan,
    Status,
)
from kahnd.core.nodes import Node, public_place, reach
from kahnd.core.output_paths import clash, facet_of, files_of, generated_file, without_output
from kahnd.core.reasons import FAILED_BEFORE, ON_A_CYCLE
from kahnd.core.renderings import by_rendering
from kahnd.core.rules import is_collection

NEW, CONTENT, RECIPE, GONE, CONTESTED, MEMBERS, COMMITTED = (
    "new",
    "content changed",
    "recipe changed",
    "removed",
    "another document claims its output",
    "other documents match",
    "committed",
)
_BY_PATH: Final = frozenset({Kind.DECLARED, Kind.DISCOVERED, Kind.LINK})
_OF_BYTES: Final = frozenset({Kind.PAGE, Kind.LINK})
_ITS_OUTPUT: Final = frozenset({Facet.OUTPUT})
_ITS_URL: Final = frozenset({Facet.URL})


@dataclass(slots=True)
class ChangeSet:
    """The changes that follow from some observations or a request, each with its reason.

    `touched`: documents of which only the stat changed. `removed`: outputs that no document
    renders to any more, with the document that did.
    """

    changes: dict[DocumentId, Change] = field(default_factory=dict)
    touched: list[DocumentId] = field(default_factory=list)
    removed: list[tuple[OutputPath, DocumentId]] = field(default_factory=list)
    reasons: dict[DocumentId, str] = field(default_factory=dict)

    def add(self, change: Change, reason: str) -> None:
        """Adds a changed document."""
        self.changes[change.facts.id] = change
        self.reasons[change.facts.id] = reason

    def rewritten(self) -> list[DocumentId]:
        """Returns the documents with new bytes."""
        return [each for each in self.changes if self.reasons[each] in {NEW, CONTENT}]

    def revisit(self, nodes: Iterable[Node], reason: str) -> None:
        """Adds documents to decide on again although nothing about them has changed."""
        for node in nodes:
            if node.facts.id not in self.changes:
                self.add(Change(node.facts, content=False, linked=False), reason)


class ChangeIntake:
    """Applies observations to the graph. Owns the members of collections."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._orphans: set[DocumentId] = set()
        self.earlier = EarlierOutputs(graph)
        self.publications = 0
        self._collections = Collections(graph)
        self.declarations = Declarations(graph)
        self._named_outputs: set[str] = set()
        """Outputs that programs read by path. Each is a missing document; those that render to it stand in for it."""
        for node in graph:
            if not node.exists and graph.layout.is_output(node.facts.id):
                self._named_outputs.add(node.facts.id)
            if is_collection(node.facts.id):
                self._collections.restore(node.facts.id)

    def members(self, collection: DocumentId, reader: DocumentId | None = None) -> tuple[DocumentId, ...]:
        """Returns the members of a known collection, sorted, without documents that its reader has declared."""
        found = self._collections.members(collection)
        own = self.declarations.own(reader, found) if reader else ()
        return tuple(each for each in found if each not in own) if own else found

    def date(self, dates: Mapping[DocumentId, int | None], changes: ChangeSet, *, all_of_them: bool = False) -> None:
        """Takes in when commits have changed documents last; `all_of_them`: others have no such date."""
        self._take_members(self._collections.date(dates, all_of_them=all_of_them), COMMITTED, changes)

    def observe(self, observations: Iterable[Observation]) -> ChangeSet:
        """Applies observations to the graph and returns what changed."""
        changes = ChangeSet()
        for observation in observations:
            if self.declarations.is_outdated(observation, self._graph.get(observation.document)):
                continue
            for each in self._with_renderings(observation, changes):
                if each.content_hash is None and each.problem is None:
                    self._remove(each.document, changes)
                else:
                    self._update(each, changes)
        self._update_collections(changes)
        self._drop_orphans(changes)
        return changes

    def follow_up(self) -> ChangeSet:
        """Returns what follows from new declarations: documents go, and others are freed or contested."""
        changes = ChangeSet()
        if follow_up := self.declarations.take_follow_up():
            for document, declarer in follow_up.undeclared.items():
                self._undeclare(document, declarer, changes)
            for declarer, documents in follow_up.contested.items():
                self._withdraw_declared(declarer, documents, changes)
            freed = (node for each in sorted(follow_up.freed) if (node := self._graph.get(each)) and node.exists)
            changes.revisit(freed, CONTESTED)
            self._update_collections(changes)
            self._drop_orphans(changes)
        return changes

    def _undeclare(self, document: DocumentId, declarer: DocumentId, changes: ChangeSet) -> None:
        """Removes a generated document, unless another declares it by now."""
        node = self._graph.get(document)
        if not self.declarations.declarers(document):
            changes.removed.append((generated_file(document), declarer))
            if node and node.facts.declarer:
                self._remove_all(document, changes)

    def _withdraw_declared(self, declarer: DocumentId, documents: frozenset[DocumentId], changes: ChangeSet) -> None:
        """Removes what a document has declared and can't keep. It is rendered again, and fails if that is still so."""
        node = self._graph[declarer]
        lost = [each for each in node.facts.declares or () if each[0] in documents]
        kept = tuple(each for each in node.facts.declares or () if each not in lost)
        if lost:
            facts = self._graph.put(replace(node.facts, declares=kept or None, inputs_hash=None)).facts
            if known := changes.changes.get(declarer):
                changes.changes[declarer] = replace(known, facts=facts)
            changes.revisit([node], CONTESTED)
        for document in sorted(documents):
            changes.removed.append((generated_file(document), declarer))
            target = self._graph.get(document)
            if target and target.facts.declarer:
                self._remove_all(document, changes)

    def _remove_all(self, document: DocumentId, changes: ChangeSet) -> None:
        """Removes a document with all its renderings."""
        for each in self._graph.renderings(document):
            self._remove(each.facts.id, changes)

    def damaged(
        self, outputs: Iterable[OutputPath], forced: Container[DocumentId], since: int | None = None
    ) -> list[Node]:
        """Returns the documents whose outputs these are.

        It leaves out `forced` ones that could not be rendered yet, and those with a later publication than `since`.
        """
        makers = dict.fromkeys(each for output in sorted(outputs) for each in sorted(self._graph.claimants(output)))
        nodes = (node for node in map(self._graph.__getitem__, makers) if since is None or node.published <= since)
        return [node for node in nodes if node.facts.id not in forced or node.facts.output != node.claim]

    def abandoned_outputs(self, made: frozenset[OutputPath], changes: ChangeSet) -> list[OutputPath]:
        """Returns the outputs of earlier sessions to which nothing renders any more, or may be found to."""
        return self.earlier.begin(made, [output for output, _ in changes.removed])

    def revisit_conflicts(self, changes: ChangeSet) -> None:
        """At a start, adds the documents that failed by a cycle or a rival: the conflict may have gone."""
        failed = [node for node in self._graph if node.status is Status.FAILED and node.facts.because]
        changes.revisit((each for each in failed if each.facts.because == each.facts.id), ON_A_CYCLE)
        changes.revisit(failed, CONTESTED)

    def revisit_limited(self, changes: ChangeSet) -> None:
        """At a start, adds the documents whose rendering failed under other limits than today's."""
        failed = (node for node in self._graph if node.status is Status.FAILED and node.facts.limits is not None)
        changes.revisit(
            (each for each in failed if each.rule and each.rule.limits.text != each.facts.limits), FAILED_BEFORE
        )

    def connect(self, document: DocumentId, dependencies: Collection[Dependency]) -> tuple[Edges, tuple[Facts, ...]]:
        """Replaces a document's edges; also returns the facts of new targets (missing documents, collections)."""
        node = self._graph[document]
        dependencies = with_declarer(node, dependencies)
        if dependencies is node.dependencies:
            return NO_EDGES, ()
        after = tuple(dict.fromkeys(self._with_makers(document, tuple(dependencies))))
        if [(each, each.sure) for each in after] == [(each, each.sure) for each in node.dependencies]:
            node.connect(after)  # only their lines may differ
            return NO_EDGES, ()
        before = {each.target for each in node.dependencies}
        edges = self._graph.connect(document, after)
        self._orphans.update(before - {each.target for each in node.dependencies})
        new = [each.target for each in node.dependencies if each.target not in self._graph]
        return edges, tuple(self._add_target(target) for target in dict.fromkeys(new))

    def names_outputs(self, node: Node) -> bool:
        """Tells whether the node reads outputs by path, so that its dependencies change with the rules."""
        return bool(self._named_outputs) and any(each.target in self._named_outputs for each in node.dependencies)

    def _with_makers(self, document: DocumentId, dependencies: tuple[Dependency, ...]) -> Iterable[Dependency]:
        """Returns the dependencies and, for each that names an output, those on the documents that render to it.

        The output itself stays a dependency if the text names it, if nothing renders to it, or if a link leads to one
        after a document's first.
        """
        is_output = self._graph.layout.is_output
        named = {each for each in dependencies if each.kind in _BY_PATH and is_output(each.target)}
        if not named:
            return dependencies
        listed = {each.target for each in dependencies if each.kind in _BY_PATH and each.facets is None}
        links = {each.target for each in dependencies if each.kind is Kind.LINK}
        found: dict[Dependency, Dependency] = {}
        for each in dependencies:
            makers = self._graph.makers(each.target) if each in named else ()
            declared = each.kind is Kind.DECLARED
            if each.kind is Kind.LINK and any(OutputPath(each.target) in self._graph[maker].more for maker in makers):
                makers = ()  # it may go although the document does not move
            if declared or not makers:
                found.setdefault(each, each)
            for maker in sorted(set(makers) - {document}):
                if each.kind is Kind.LINK and maker not in links:
                    made = Dependency(maker, Kind.LINK, each.line, facets=_ITS_URL)
                    found.setdefault(made, made)
                elif each.kind is not Kind.LINK and maker not in listed:
                    facets = self._used_output(self._graph[maker], each.target)
                    made = Dependency(maker, Kind.DISCOVERED, each.line, facets=facets, sure=declared)
                    known = found.get(made, made)
                    found[made] = replace(known, facets=facets.union(known.facets or ()), sure=known.sure or declared)
        return found.values()

    def _used_output(self, maker: Node, output: str) -> frozenset[str]:
        """Returns the facet of an output that is read by its path."""
        is_one_of_several = maker.more or output != maker.claim
        return frozenset({facet_of(Facet.OUTPUT, output)}) if is_one_of_several else _ITS_OUTPUT

    def _add_target(self, target: DocumentId) -> Facts:
        if is_collection(target):
            return self._graph.put(self._collections.add(target)).facts
        if self._graph.layout.is_output(target):
            self._named_outputs.add(target)
        return self._graph.put(Facts(target, Status.MISSING)).facts

    def _with_renderings(self, observation: Observation, changes: ChangeSet) -> Iterator[Observation]:
        """Yields an observation of a document, and what it says of the renderings beside the document's own."""
        document, is_gone = observation.document, observation.content_hash is None and observation.problem is None
        there = [node.facts.id for node in self._graph.renderings(document) if node.facts.id != document]
        wanted = () if is_gone else self._graph.layout.renderings_of(document)
        yield from by_rendering(observation, there, wanted)
        if not is_gone and set(there) != set(wanted):  # then whatever names one of its outputs is decided on
            known = changes.changes.get(document) or Change(self._graph[document].facts)
            reached = replace(known, content=True, facets=None, linked=True)
            changes.add(reached, changes.reasons.get(document, RECIPE))

    def _update(self, observation: Observation, changes: ChangeSet) -> None:
        node = self._graph.get(observation.document)
        facts = node.facts if node else Facts(observation.document, Status.MISSING)
        recipe = self._graph.recipe_of(observation.document, observation.scan or facts)
        same = facts.content_hash == observation.content_hash and observation.problem in {None, facts.problem}
        if node and node.exists and same and facts.recipe_hash == recipe and observation.scan is None:
            changes.touched.append(self._graph.put(replace(facts, stat=observation.stat)).facts.id)
            return
        reason = NEW if facts.status is Status.MISSING else RECIPE if same else CONTENT
        claims, place, rivals = (node.claims, public_place(node), self._graph.rivals(node)) if node else ((), "", ())
        edges, new = self._rewrite(observation, replace(facts, recipe_hash=recipe))
        node = self._graph[observation.document]
        has_moved = claims[:1] != node.claims[:1] or place != public_place(node)
        is_elsewhere = reason == NEW or has_moved
        content, used, linked = reach(facts, node, is_elsewhere=is_elsewhere, has_content=reason == CONTENT)
        changes.add(Change(node.facts, edges, content=content, facets=used, linked=linked), reason)
        for each in new:
            changes.add(Change(each, content=is_collection(each.id), linked=False), NEW)
        if reason != CONTENT or facts.recipe_hash != recipe or claims != node.claims:
            self._revisit_named_outputs({*claims, *node.claims}, changes)
        if claims != node.claims:
            changes.revisit(map(self._graph.__getitem__, rivals), CONTESTED)
        self._revisit_rivals(node, changes)
        self._remove_unrecorded(facts, set(claims).difference(node.claims), changes)
        if node.claim is None:
            self._remove_output(facts, changes)
            self.declarations.settle(facts.id, ())
        if observation.declarer is None:
            self.declarations.appeared(facts.id)

    def _rewrite(self, observation: Observation, facts: Facts) -> tuple[Edges, tuple[Facts, ...]]:
        scan, before = observation.scan or Scan(), self._graph.get(facts.id)
        unread = self._unread(before, scan) if before and before.facts.recipe_hash == facts.recipe_hash else ()
        node = self._graph.put(_observed(facts, observation, scan))
        if node.claim is None and facts.output:
            self._graph.put(without_output(node.facts))
        changed = self.connect(facts.id, (*scan.dependencies, *unread))
        node.unread = frozenset(unread)
        return changed

    def _unread(self, before: Node, scan: Scan) -> list[Dependency]:
        """Returns the last rendering's edges to bytes of documents that a scan of new bytes does not show."""
        known = before.trace.values() if before.rule and before.rule.judges_missing else ()
        shown = frozenset(scan.dependencies)
        read = (each for each in known if each.kind in _OF_BYTES and each not in shown)
        return [replace(each, sure=False) for each in read if (to := self._graph.get(each.target)) and to.exists]

    def _remove(self, document: DocumentId, changes: ChangeSet) -> None:
        node = self._graph.get(document)
        if node is None or not node.exists or is_collection(document):
            return
        rivals, claims = self._graph.rivals(node), node.claims
        self._remove_output(node.facts, changes)
        self._remove_unrecorded(node.facts, claims, changes)
        edges, _ = self.connect(document, ())
        self._graph.put(Facts(document, Status.MISSING))
        changes.add(Change(Facts(document, Status.MISSING), edges), GONE)
        self._orphans.add(document)
        self._revisit_named_outputs(claims, changes)
        changes.revisit(map(self._graph.__getitem__, rivals), CONTESTED)
        self.declarations.settle(document, ())
        self.declarations.disappeared(document)

    def _revisit_named_outputs(self, claims: Iterable[OutputPath], changes: ChangeSet) -> None:
        """Adds the outputs that are read or linked to by path, when a document begins or ends to render to them."""
        for claim in claims if self._named_outputs else ():
            below = (each for each in self._named_outputs if f"{each}/".startswith(claim))
            for name in below if claim.endswith("/") else self._named_outputs.intersection({claim}):
                changes.add(Change(self._graph[DocumentId(name)].facts, content=False, linked=True), NEW)

    def _remove_output(self, facts: Facts, changes: ChangeSet) -> None:
        files = [(path, facts.id) for path, _ in files_of(facts)]
        changes.removed += [each for each in files if not self._graph.is_made_by_others(*each)]

    def _remove_unrecorded(self, facts: Facts, claims: Collection[OutputPath], changes: ChangeSet) -> None:
        """Removes outputs that no facts name, at paths that a document claimed and others do not."""
        changes.removed += [(each, facts.id) for each in self.earlier.of_claims(facts, claims)]

    def _revisit_rivals(self, node: Node, changes: ChangeSet) -> None:
        rivals = [self._graph[each] for each in sorted(self._graph.rivals(node))]
        clashing = [each for each in rivals if clash(node.claims, each.claims)]
        for each in (*clashing, *([node] if clashing else [])):
            self._withdraw_output(each, changes)
        changes.revisit(rivals, CONTESTED)

    def _withdraw_output(self, node: Node, changes: ChangeSet) -> None:
        """Removes an output where another document needs a folder, or the reverse: the first there has no priority."""
        if node.facts.output is None:
            return
        self._remove_output(node.facts, changes)
        facts = self._graph.put(without_output(node.facts)).facts
        if known := changes.changes.get(facts.id):
            changes.changes[facts.id] = replace(known, facts=facts)

    def _update_collections(self, changes: ChangeSet) -> None:
        """Adds each collection whose members have appeared or gone."""
        self._take_members(self._collections.update(changes.changes.keys()), MEMBERS, changes)

    def _take_members(self, hashes: Iterable[tuple[DocumentId, Digest]], reason: str, changes: ChangeSet) -> None:
        for document, members_hash in hashes:
            node = self._graph.get(document)
            if node and node.facts.content_hash != members_hash:
                facts = replace(node.facts, status=Status.DIRTY, content_hash=members_hash)
                changes.add(Change(self._graph.put(facts).facts), reason)

    def _drop_orphans(self, changes: ChangeSet) -> None:
        """Drops missing documents and collections that nothing depends on any more."""
        for document in self._graph.orphans(self._orphans):
            change = changes.changes.get(document) or Change(self._graph[document].facts, content=False, linked=False)
            changes.add(replace(change, forget=True), GONE)
            self._collections.drop(document)
            self._named_outputs.discard(document)
            self._graph.drop(document)
        self._orphans.clear()


def _observed(facts: Facts, observation: Observation, scan: Scan) -> Facts:
    return replace(
        facts,
        status=Status.DIRTY,
        content_hash=observation.content_hash,
        stat=observation.stat,
        problem=observation.problem,
        because=None,
        facets=scan.facets,
        appears_at=scan.appears_at,
        route=scan.route,
        declarer=observation.declarer,
    )
