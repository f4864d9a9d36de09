"""The dependency graph in memory: a mirror of the database's facts and edges, changed only here.

The database propagates changes. The mirror gives the hashes of dependencies, for every document rendered, without a
query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from kahnd.core import hashing
from kahnd.core.hashing import ABSENT, AS_PAGE, UNRENDERED, edge_hash
from kahnd.core.model import (
    CONTENT_KINDS,
    SOURCE_KINDS,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facet,
    Facts,
    Kind,
    OutputPath,
    Scan,
    Snapshot,
    Status,
)
from kahnd.core.nodes import Appearances, FormerOutputs, Node, place_of, public_place
from kahnd.core.output_paths import Claims, files_of, published_files
from kahnd.core.renderings import StatusIndex, is_rendering
from kahnd.core.rules import Layout, Rule, is_collection, public_path
from kahnd.core.text import SimilarNames, find_similar


class Graph:
    """Owns all nodes, by id, and indexes that follow every change: counts, broken, warned of, claims, dependents."""

    def __init__(self, layout: Layout, snapshot: Snapshot) -> None:
        self.layout = layout
        self._nodes: dict[DocumentId, Node] = {}
        self._statuses = StatusIndex(self._nodes)
        self.counts = self._statuses.counts
        self.appearances = Appearances()
        self.has_routes = False  # whether the front matter of some document says, or has said, where its outputs are
        self._dependents: Counter[DocumentId] = Counter()  # how many each document has
        self._needing: Counter[DocumentId] = Counter()  # the same without those that only link to it
        self._claims = Claims()
        self._former = FormerOutputs()
        self._similar: SimilarNames | None = None
        self._changed: set[DocumentId] | None = None
        for facts in snapshot.documents:
            self.put(facts)
        for document, dependencies in snapshot.dependencies.items():
            self._nodes[document].dependencies = dependencies
        self._dependents.update(
            each for known in snapshot.dependencies.values() for each in {one.target for one in known}
        )
        self._needing.update(each for known in snapshot.dependencies.values() for each in _needed(known))

    def __contains__(self, document: DocumentId) -> bool:
        return document in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, document: DocumentId) -> Node:
        return self._nodes[document]

    def get(self, document: DocumentId) -> Node | None:
        """Returns the node; None if the document is unknown."""
        return self._nodes.get(document)

    def snapshot(self) -> Snapshot:
        """Returns a copy of the facts and edges, as the database has them."""
        documents = tuple(node.facts for node in self)
        return Snapshot(documents, {node.facts.id: node.dependencies for node in self if node.dependencies})

    def follow(self) -> set[DocumentId]:
        """Returns a set to which every node is added whose facts or edges change from now on; the caller empties it."""
        self._changed = set() if self._changed is None else self._changed
        return self._changed

    @property
    def is_empty(self) -> bool:
        """No document is known."""
        return not self._nodes

    @property
    def is_sound(self) -> bool:
        """No document is failed, blocked or missing, so that none can block another."""
        return not (self._statuses.broken or self._statuses.missing)

    @property
    def missing(self) -> list[DocumentId]:
        """The missing documents that others need; those that are only linked to do not count."""
        return [each for each in self._statuses.missing if self._needing[each] and not is_rendering(each)]

    def renderings(self, document: DocumentId) -> list[Node]:
        """Returns the nodes of a document's renderings, its own first."""
        return list(map(self._nodes.__getitem__, self._statuses.renderings(document)))

    def broken(self) -> list[Node]:
        """Returns the renderings that are FAILED or BLOCKED, sorted by id, in time proportional to their number."""
        return [self._nodes[each] for each in sorted(self._statuses.broken)]

    def warned(self) -> list[Node]:
        """Returns the renderings with standing warnings, sorted by id, in time proportional to those with any."""
        nodes = map(self._nodes.__getitem__, sorted(self._statuses.warned))
        return [node for node in nodes if node.facts.standing_warnings]

    def needed(self, document: DocumentId) -> bool:
        """Tells whether anything depends on the document."""
        return self._dependents[document] > 0

    def count_needing(self, document: DocumentId) -> int:
        """Returns how many documents depend on this one by more than a link."""
        return self._needing[document]

    def claimants(self, output: OutputPath | None) -> frozenset[DocumentId]:
        """Returns the documents whose rules give them this output path, or a folder that it lies in."""
        return frozenset(self._claims.makers(output)) if output else frozenset()

    def makers(self, path: str) -> tuple[DocumentId, ...]:
        """Returns the claimants of a path in the order of their claims; none if it is no output."""
        return self._claims.makers(path)

    def published_at(self, path: OutputPath) -> list[Node]:
        """Returns the nodes that may have published a file at a path: the claimants, and one that claimed it before."""
        former = self._former.keeper(path)
        return [self._nodes[each] for each in (*self.makers(path), *((former,) if former else ()))]

    def claims(self) -> Iterator[str]:
        """Yields the claimed output paths: files, and folders that documents fill."""
        return iter(self._claims)

    def rivals(self, node: Node) -> frozenset[DocumentId]:
        """Returns the other documents that claim one of its output paths, or a path that can't exist beside them."""
        return self._claims.rivals(node.claims, node.facts.id) if node.claim else frozenset()

    def similar_to(self, document: str) -> DocumentId | None:
        """Returns an existing document whose name looks the same; the first call builds an index for that."""
        if self._similar is None:
            self._similar = SimilarNames(each for each in self._nodes if not is_rendering(each))
        similar = (self.get(DocumentId(each)) for each in self._similar.of(document))
        found = find_similar(document, (node.facts.id for node in similar if node and node.exists))
        return None if found is None else DocumentId(found)

    def outputs(self) -> frozenset[OutputPath]:
        """Returns the output paths that documents claim, and those of last good renderings."""
        claimed = map(OutputPath, self._claims)
        return frozenset(claimed).union(path for node in self for path, _ in published_files(node.facts))

    def is_made_by_others(self, output: OutputPath, document: DocumentId) -> bool:
        """Tells whether another document claims this output, and has rendered it last."""
        others = (self._nodes[each] for each in self.claimants(output) - {document})
        return any(output == path for each in others for path, _ in files_of(each.facts))

    def recipe_of(self, document: DocumentId, found: Scan | Facts) -> Digest | None:
        """Returns the recipe hash: over all but the inputs that decides how a document is rendered or scanned."""
        if is_collection(document):
            return None
        layout, route = self.layout, found.route
        rule = None if layout.hides(found.appears_at) else layout.rule_of(document)
        return _recipe(rule or layout.scanned_as(document), layout.claims_by(rule, document, route) if rule else ())

    def has_current_recipe(self, node: Node) -> bool:
        """Tells whether an existing rendering's recipe is still the one with which it was last scanned."""
        return node.facts.recipe_hash == _recipe(node.rule or self.layout.scanned_as(node.facts.id), node.claims)

    def put(self, facts: Facts) -> Node:
        """Replaces a document's facts; makes the node if it is new."""
        self._note_change(facts.id)
        node, before = self._nodes.get(facts.id), None
        if node is None:
            if is_rendering(facts.id):
                self._statuses.enter(facts.id)
            node = self._nodes[facts.id] = Node(facts)
            if self._similar is not None and not is_rendering(facts.id):
                self._similar.add(facts.id)
        else:
            before = node.facts
            self._statuses.count(node.facts, -1)
            if node.facts.route != facts.route:
                self._unclaim(node)
        node.facts = facts
        self.has_routes |= facts.route is not None
        self._statuses.count(facts, +1)
        self._claim(node)
        if self.layout.hashes_paths or facts.declares or (before and before.declares):
            self._claims.place(before, facts)
        if facts.output is not node.claim or facts.outputs or self._former.by_document:
            self._former.note(node)
        return node

    def drop(self, document: DocumentId) -> None:
        """Removes a node that nothing depends on."""
        node = self._nodes[document]
        self._note_change(document, (each.target for each in node.dependencies))
        self._statuses.count(node.facts, -1)
        del self._nodes[document]
        self._statuses.leave(document)
        self._unclaim(node)
        self._former.forget(document)
        self._dependents.subtract({dependency.target for dependency in node.dependencies})
        self._needing.subtract(_needed(node.dependencies))

    def connect(self, document: DocumentId, dependencies: Iterable[Dependency]) -> Edges:
        """Replaces a node's edges and returns the difference for the database.

        The database keeps edges in the order they were added. If a new one of a command belongs before a kept one, all
        are dropped and added: a command is given its dependencies in order, after a restart too.
        """
        node = self._nodes[document]
        old = node.dependencies
        new = tuple(
            _with_hash(each, getattr(node.trace.get(each), "hash", None)) for each in dict.fromkeys(dependencies)
        )
        was, after = _by_target(old), _by_target(new)
        node.connect(new)
        self._note_change(document, (*was, *after))
        self._dependents.update(after.keys() - was.keys())
        self._dependents.subtract(was.keys() - after.keys())
        self._needing.update(_needed(new))
        self._needing.subtract(_needed(old))
        sure = {each for each in old if each.sure}
        add = tuple(each for each in new if was.get(each.target) != after[each.target] or each.sure != (each in sure))
        drop = tuple(target for target in was if not was[target] <= after.get(target, frozenset()))
        if node.rule is not None and node.rule.judges_missing:
            return Edges(add, drop)
        stored = dict.fromkeys([*(each for each in old if each.target not in drop), *add])
        return Edges(add, drop) if tuple(stored) == new else Edges(new, tuple(was))

    def _note_change(self, document: DocumentId, targets: Iterable[DocumentId] = ()) -> None:
        """Notes for the follower that a node has changed; targets that are missing may count now, or no more."""
        if self._changed is not None:
            self._changed.add(document)
            self._changed.update(each for each in targets if each in self._statuses.missing)

    def orphans(self, targets: Iterable[DocumentId]) -> tuple[DocumentId, ...]:
        """Returns those of the targets that no file stands for and that nothing depends on any more."""
        return tuple(
            target
            for target in dict.fromkeys(targets)
            if not self.needed(target) and (node := self.get(target)) and (not node.exists or is_collection(target))
        )

    def hash_of(self, dependency: Dependency) -> str:
        """Returns the edge hash: the part of the target that matters to the dependent, by the kind of dependency."""
        node = self._nodes.get(dependency.target)
        if node is None or node.facts.status is Status.MISSING:
            return " ".join(sorted(self.makers(dependency.target))) or ABSENT
        facts, kind = node.facts, dependency.kind
        if dependency.facets is not None:
            if kind is Kind.OUTPUT and node.claim is None:
                return UNRENDERED  # so that it differs from an output with the same bytes
            place = public_path(place_of(node), node.rule, facts.route)
            return edge_hash(facts, place, dependency.facets, self._claims_of(node.document, dependency.facets))
        if kind in CONTENT_KINDS:
            return f"{facts.content_hash} {public_place(node)}"
        read = AS_PAGE if node.paged and kind in {Kind.INCLUDE, Kind.TEMPLATE} else ""
        if node.claim and kind in SOURCE_KINDS:
            return f"{facts.content_hash}{read}"
        # A program that reports a source has read the source; otherwise it reports the output.
        named = f" {facts.content_hash}" if node.claim and kind is Kind.DISCOVERED else ""
        return f"{facts.effective_hash}{read} {node.claim or ''}{named}"

    def _claims_of(self, document: DocumentId, facets: frozenset[str]) -> list[OutputPath]:
        """Returns the outputs that the rules give a document, if they are in use."""
        nodes = self.renderings(document) if Facet.RENDERINGS in facets else ()
        return [claim for node in nodes for claim in node.claims]

    def update_trace(self, node: Node) -> Edges:
        """Takes the present edge hashes as the trace of a good render; returns the edges that this changes.

        Until anything else changes, `inputs_hash` returns the trace's hash.
        """
        hash_of = self.hash_of
        now = tuple([_with_hash(each, hash_of(each)) for each in node.dependencies])
        changed = tuple(new for new, old in zip(now, node.dependencies, strict=True) if new is not old)
        node.connect_traced(now)
        return Edges(mark=changed)

    def traced_hashes(self, node: Node) -> list[hashing.Input]:
        """Returns the known dependencies of a node's last good render, with their edge hashes then."""
        return [(each.target, each.kind, each.hash or "") for each in node.trace.values()]

    def inputs_of_trace(self, node: Node) -> Iterator[hashing.Input]:
        """Yields the inputs of the last good render as they are now; dependencies found since do not count."""
        hash_of = self.hash_of
        hashes = [(each.target, each.kind, hash_of(each)) for each in node.trace.values()]
        return hashing.trace_inputs(node.facts.recipe_hash or "", _content(node), hashes)

    def is_as_rendered(self, node: Node) -> bool:
        """Verifies the trace: tells whether all inputs are as at the last good render, so that it would be repeated."""
        known = node.facts.inputs_hash
        return known is not None and known == hashing.hash_inputs(self.inputs_of_trace(node))

    def verified_trace(self, node: Node) -> tuple[Dependency, ...] | None:
        """Returns the edges of the last good render if its inputs are unchanged: they are the true ones.

        None if they are the present ones, or if the inputs have changed.
        """
        trace = tuple(node.trace.values())
        return trace if trace != node.dependencies and self.is_as_rendered(node) else None

    def inputs_hash(self, node: Node) -> Digest:
        """Returns the inputs hash of a node whose trace was just updated."""
        return hashing.hash_inputs(
            hashing.trace_inputs(node.facts.recipe_hash or "", _content(node), self.traced_hashes(node))
        )

    def effective_hash(self, node: Node) -> Digest:
        """Returns a plain document's effective hash, over its present inputs.

        Conditional includes do not count: documents whose rendering reaches them depend on them directly.
        """
        counting = (each for each in node.dependencies if not each.kind.is_content and not each.is_conditional)
        return hashing.hash_plain(_content(node), [(each.target, each.kind, self.hash_of(each)) for each in counting])

    def _claim(self, node: Node) -> None:
        document, is_hidden = node.facts.id, self.layout.hides(node.facts.appears_at)
        self.appearances.put(document, node.facts.appears_at if is_hidden else None)
        if is_hidden or not node.exists:
            self._unclaim(node)
        if node.claim is None and node.exists and not is_collection(document):
            node.rule = None if is_hidden else self.layout.rule_of(document)
            node.paged = self.layout.is_written_as_page(document, node.rule)
            claims = self.layout.claims_by(node.rule, document, node.facts.route) if node.rule else ()
            node.rule = node.rule if claims else None  # front matter may leave out all that a rule makes
            if claims:
                is_known = node.facts.output == claims[0]  # then it is mostly the same object
                node.claim, node.more = node.facts.output if is_known else claims[0], claims[1:]
                self._claims.add(node.claims, document)

    def _unclaim(self, node: Node) -> None:
        if node.claim:
            self._claims.remove(node.claims, node.facts.id)
            node.rule, node.claim, node.more = None, None, ()


def _recipe(scanned_as: Rule | None, outputs: tuple[OutputPath, ...]) -> Digest:
    return hashing.hash_recipe((scanned_as and scanned_as.recipe) or "", *(outputs or ("",)))


def _content(node: Node) -> Digest:
    return node.facts.content_hash or Digest(ABSENT)


def _with_hash(dependency: Dependency, known: str | None) -> Dependency:
    return dependency if dependency.hash == known else replace(dependency, hash=known)


def _needed(dependencies: Iterable[Dependency]) -> frozenset[DocumentId]:
    return frozenset(each.target for each in dependencies if each.kind is not Kind.LINK)


def _by_target(dependencies: Iterable[Dependency]) -> Mapping[DocumentId, frozenset[Kind]]:
    kinds: dict[DocumentId, set[Kind]] = {}
    for each in dependencies:
        kinds.setdefault(each.target, set()).add(each.kind)
    return {target: frozenset(each) for target, each in kinds.items()}
