"""The dependency graph as the engine last knew it: a mirror of the database's facts, changed only here.

The database propagates; the mirror answers what must be answered for every document rendered
(its dependencies' hashes) without a query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from kahnd.core import digest, twins
from kahnd.core.facets import ABSENT, AS_PAGE, UNRENDERED, of_facets
from kahnd.core.model import (
    CONTENT_KINDS,
    SOURCE_KINDS,
    TEXT_KINDS,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facts,
    Kind,
    OutputPath,
    Snapshot,
    Status,
)
from kahnd.core.rules import Layout, Rule, is_collection


@dataclass(slots=True)
class Node:
    """One document (or collection): its facts, its edges, and what the rules make of its path.

    `paged`: it is written as pages are, rendered or not, so that its front matter is cut where it is included.
    `cycle`: the way from it back to itself, if one was found.
    """

    facts: Facts
    rule: Rule | None = None
    claim: OutputPath | None = None
    paged: bool = False
    dependencies: tuple[Dependency, ...] = ()
    cycle: tuple[DocumentId, ...] = ()
    _hung_on: Mapping[Dependency, Dependency] | None = None

    @property
    def hung_on(self) -> Mapping[Dependency, Dependency]:
        """The edges that its last good render had, with what it hung on, by the edge they are the same as.

        Found out when it is asked for: most documents of a start never are.
        """
        if self._hung_on is None:
            self._hung_on = {each: each for each in self.dependencies if each.hash is not None}
        return self._hung_on

    def depend(self, dependencies: tuple[Dependency, ...]) -> None:
        """Have other edges from now on; what the last good render hung on stays as it was."""
        self._hung_on = self.hung_on
        self.dependencies = dependencies

    def remember(self, dependencies: tuple[Dependency, ...]) -> None:
        """Have these edges, as a good render hung on them."""
        self.dependencies, self._hung_on = dependencies, {each: each for each in dependencies}

    @property
    def exists(self) -> bool:
        """Whether there is a file (or a collection) behind it."""
        return self.facts.status is not Status.MISSING

    @property
    def status(self) -> Status:
        """Its status in the database."""
        return self.facts.status


class Graph:
    """All nodes by id; counts, what is wrong, claims and the number of dependents follow every change."""

    def __init__(self, layout: Layout, snapshot: Snapshot) -> None:
        self.layout = layout
        self.counts: Counter[Status] = Counter()
        self._nodes: dict[DocumentId, Node] = {}
        self._wrong: set[DocumentId] = set()
        self._needed: Counter[DocumentId] = Counter()
        self._claims: dict[str, tuple[DocumentId, ...]] = {}
        self._folders: Counter[str] = Counter()
        """Folders that outputs need: how many outputs and folders are claimed directly in each."""
        self._alike: dict[str, list[DocumentId]] | None = None
        for facts in snapshot.documents:
            self.put(facts)
        for document, dependencies in snapshot.dependencies.items():
            self._nodes[document].dependencies = dependencies
        self._needed.update(each for known in snapshot.dependencies.values() for each in {one.target for one in known})

    def __contains__(self, document: DocumentId) -> bool:
        return document in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, document: DocumentId) -> Node:
        return self._nodes[document]

    def get(self, document: DocumentId) -> Node | None:
        """The node, if it is known at all."""
        return self._nodes.get(document)

    def snapshot(self) -> Snapshot:
        """A copy of the facts and edges, as the database has them."""
        documents = tuple(node.facts for node in self)
        return Snapshot(documents, {node.facts.id: node.dependencies for node in self if node.dependencies})

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known."""
        return not self._nodes

    @property
    def is_sound(self) -> bool:
        """Whether nothing is failed, blocked or missing, so that nothing can keep another from being rendered."""
        return not (self.counts[Status.FAILED] or self.counts[Status.BLOCKED] or self.counts[Status.MISSING])

    def wrong(self) -> list[Node]:
        """The documents that are FAILED or BLOCKED, in the order of their names; however many others there are."""
        return [self._nodes[document] for document in sorted(self._wrong)]

    def needed(self, document: DocumentId) -> bool:
        """Whether anything depends on it."""
        return self._needed[document] > 0

    def claimants(self, output: OutputPath | None) -> frozenset[DocumentId]:
        """The documents whose rule puts their rendering there."""
        return frozenset(self._claims.get(output, ())) if output else frozenset()

    def makers(self, path: str) -> tuple[DocumentId, ...]:
        """The documents that render to this path, where it names an output."""
        return self._claims.get(path, ())

    def rivals(self, node: Node) -> frozenset[DocumentId]:
        """The other documents that claim its place: as a file, as a file where it needs a folder, or the reverse."""
        claim = node.claim
        if claim is None:
            return frozenset()
        found = set(self._claims[claim])
        folder: str = claim
        while folder := folder.rpartition("/")[0]:
            found.update(self._claims.get(folder, ()))
        if claim in self._folders:
            below = f"{claim}/"
            found.update(
                each for path, claimants in self._claims.items() if path.startswith(below) for each in claimants
            )
        return frozenset(found) - {node.facts.id}

    def twin_of(self, document: str) -> DocumentId | None:
        """A document that is there, and whose name looks the same; searched by an index that the first call makes."""
        if self._alike is None:
            self._alike = {}
            for each in self._nodes:
                self._alike.setdefault(twins.key(each), []).append(each)
        alike = (self.get(each) for each in self._alike.get(twins.key(document), ()))
        found = twins.twin(document, (node.facts.id for node in alike if node and node.exists))
        return None if found is None else DocumentId(found)

    def outputs(self) -> frozenset[OutputPath]:
        """Where a document is to be rendered to, or a last good rendering lies."""
        claimed = map(OutputPath, self._claims)
        return frozenset(claimed).union(node.facts.output for node in self if node.facts.output)

    def is_made_by_others(self, output: OutputPath, document: DocumentId) -> bool:
        """Whether another document's last good rendering is what lies there, and is still meant to."""
        others = self.claimants(output) - {document}
        return any(self._nodes[each].facts.output == output for each in others)

    def recipe_of(self, document: DocumentId) -> Digest | None:
        """Everything but the inputs that decides this document's rendering, or how its dependencies are found."""
        layout = self.layout
        return None if is_collection(document) else _recipe(layout.scanned_as(document), layout.output_of(document))

    def is_as_seen(self, node: Node) -> bool:
        """Whether an existing document's recipe is still the one with which it was last looked at."""
        return node.facts.recipe_hash == _recipe(node.rule or self.layout.scanned_as(node.facts.id), node.claim)

    def put(self, facts: Facts) -> Node:
        """Take these facts for true; the node is made if it is new."""
        node = self._nodes.get(facts.id)
        if node is None:
            node = self._nodes[facts.id] = Node(facts)
            if self._alike is not None:
                self._alike.setdefault(twins.key(facts.id), []).append(facts.id)
        else:
            self._count(node.facts, -1)
        node.facts = facts
        self._count(facts, +1)
        self._claim(node)
        return node

    def drop(self, document: DocumentId) -> None:
        """Forget a node that nothing depends on."""
        node = self._nodes.pop(document)
        self._count(node.facts, -1)
        self._unclaim(node)
        self._needed.subtract({dependency.target for dependency in node.dependencies})

    def connect(self, document: DocumentId, dependencies: Iterable[Dependency]) -> Edges:
        """Replace a node's edges; the answer says what that changes.

        The database keeps edges in the order they were added. Where a new one belongs before a kept one, all are
        dropped and added: a command is given its dependencies in order, after a restart too.
        """
        node = self._nodes[document]
        old, new = (
            node.dependencies,
            tuple(_with_hash(each, _hash_then(node, each)) for each in dict.fromkeys(dependencies)),
        )
        before, after = _by_target(old), _by_target(new)
        node.depend(new)
        self._needed.update(after.keys() - before.keys())
        self._needed.subtract(before.keys() - after.keys())
        sure = {each for each in old if each.sure}
        add = tuple(
            each for each in new if before.get(each.target) != after[each.target] or each.sure != (each in sure)
        )
        drop = tuple(target for target in before if not before[target] <= after.get(target, frozenset()))
        stored = dict.fromkeys([*(each for each in old if each.target not in drop), *add])
        return Edges(add, drop) if tuple(stored) == new else Edges(new, tuple(before))

    def orphans(self, targets: Iterable[DocumentId]) -> tuple[DocumentId, ...]:
        """Those of the targets that are there only because something depended on them, and nothing does now."""
        return tuple(
            target
            for target in dict.fromkeys(targets)
            if not self.needed(target) and (node := self.get(target)) and (not node.exists or is_collection(target))
        )

    def with_dirty_needs(
        self, nodes: Iterable[Node], free: Container[DocumentId], known: Container[DocumentId]
    ) -> dict[DocumentId, list[DocumentId]]:
        """These nodes and all DIRTY ones they need, but for `known` ones, each with its needs (`free` ones: none)."""
        found: dict[DocumentId, list[DocumentId]] = {}
        rest = list(nodes)
        while rest:
            node = rest.pop()
            ordered = () if node.facts.id in free else node.dependencies
            found[node.facts.id] = needs = [each.target for each in ordered if each.kind not in CONTENT_KINDS]
            for need in needs:
                needed = self._nodes.get(need)
                if needed is None or needed.facts.status is not Status.DIRTY:
                    continue
                if need not in known and need not in found:
                    rest.append(needed)
        return found

    def hash_of(self, dependency: Dependency) -> str:
        """What of the target the dependent's rendering hangs on, by the kind of the dependency."""
        node = self._nodes.get(dependency.target)
        if node is None or node.facts.status is Status.MISSING:
            return " ".join(sorted(self.makers(dependency.target))) or ABSENT
        facts, kind = node.facts, dependency.kind
        if dependency.facets is not None:
            if kind is Kind.OUTPUT and node.claim is None:
                return UNRENDERED  # its own bytes may be those that a rule made of them
            return of_facets(facts, node.claim, dependency.facets)
        if kind in CONTENT_KINDS:
            return f"{facts.content_hash} {node.claim or ''}"
        read = AS_PAGE if node.paged and kind in TEXT_KINDS else ""
        if node.claim and kind in SOURCE_KINDS:
            return f"{facts.content_hash}{read}"
        # A program that names a source read the source; one that read its output names the output instead.
        named = f" {facts.content_hash}" if node.claim and kind is Kind.DISCOVERED else ""
        return f"{facts.effective_hash}{read} {node.claim or ''}{named}"

    def remember(self, node: Node) -> Edges:
        """A good render: what it hung on is what there is now; the answer says which edges that changes.

        Before anything else changes, `inputs_hash` is its trace.
        """
        hash_of = self.hash_of
        now = tuple([_with_hash(each, hash_of(each)) for each in node.dependencies])
        changed = tuple(new for new, old in zip(now, node.dependencies, strict=True) if new is not old)
        node.remember(now)
        return Edges(mark=changed)

    def hashes_then(self, node: Node) -> list[digest.Input]:
        """Every dependency of a node's last good render as (id, kind, hash), as far as it is known."""
        return [(each.target, each.kind, each.hash or "") for each in node.hung_on.values()]

    def hashes(self, node: Node) -> list[digest.Input]:
        """Every dependency of a node as (id, kind, hash)."""
        hash_of = self.hash_of
        return [(each.target, each.kind, hash_of(each)) for each in node.dependencies]

    def inputs_of_trace(self, node: Node) -> Iterator[digest.Input]:
        """The walk over what its last good render hung on, as that is now; dependencies found since do not count."""
        hash_of = self.hash_of
        hashes = [(each.target, each.kind, hash_of(each)) for each in node.hung_on.values()]
        return digest.inputs(node.facts.recipe_hash or "", _content(node), hashes)

    def is_as_rendered(self, node: Node) -> bool:
        """Whether all is as at its last good render, so that another would give the same: the trace is verified."""
        known = node.facts.inputs_hash
        return known is not None and known == digest.of_inputs(self.inputs_of_trace(node))

    def verified_trace(self, node: Node) -> tuple[Dependency, ...] | None:
        """Where all is as its last good render had it, that tells what it needs, whatever was scanned or read since.

        None where that is nothing new.
        """
        trace = tuple(node.hung_on.values())
        return trace if trace != node.dependencies and self.is_as_rendered(node) else None

    def inputs_hash(self, node: Node) -> Digest:
        """The verifying trace of a node whose good render has just been remembered."""
        return digest.of_inputs(digest.inputs(node.facts.recipe_hash or "", _content(node), self.hashes_then(node)))

    def effective_hash(self, node: Node) -> Digest:
        """A plain document's effective hash as its inputs are now."""
        ordering = (each for each in self.hashes(node) if not Kind(each[1]).of_content)
        return digest.of_plain(_content(node), ordering)

    def _count(self, facts: Facts, by: int) -> None:
        if is_collection(facts.id):
            return
        self.counts[facts.status] += by
        if facts.status is Status.FAILED or facts.status is Status.BLOCKED:
            (self._wrong.add if by > 0 else self._wrong.discard)(facts.id)

    def _claim(self, node: Node) -> None:
        document = node.facts.id
        if node.claim is None and node.exists and not is_collection(document):
            node.rule = self.layout.rule_of(document)
            node.paged = self.layout.is_written_as_page(document, node.rule)
            claim = self.layout.output_by(node.rule, document) if node.rule else None
            node.claim = node.facts.output if node.facts.output == claim else claim  # equal, and mostly the same
            if node.claim:
                others = self._claims.get(node.claim, ())
                self._claims[node.claim] = (*others, document)
                if not others:
                    self._occupy(node.claim)
        elif not node.exists:
            self._unclaim(node)

    def _unclaim(self, node: Node) -> None:
        if node.claim:
            others = tuple(each for each in self._claims.pop(node.claim) if each != node.facts.id)
            if others:
                self._claims[node.claim] = others
            else:
                self._vacate(node.claim)
            node.rule = node.claim = None

    def _occupy(self, path: str) -> None:
        """Count a path in its folder, and that folder in the one above it if it is the first there."""
        while path := path.rpartition("/")[0]:
            self._folders[path] += 1
            if self._folders[path] > 1:
                return

    def _vacate(self, path: str) -> None:
        while path := path.rpartition("/")[0]:
            self._folders[path] -= 1
            if self._folders[path]:
                return
            del self._folders[path]


def _recipe(scanned_as: Rule | None, output: OutputPath | None) -> Digest:
    return digest.of_recipe((scanned_as and scanned_as.recipe) or "", output or "")


def _content(node: Node) -> Digest:
    return node.facts.content_hash or Digest(ABSENT)


def _hash_then(node: Node, dependency: Dependency) -> str | None:
    known = node.hung_on.get(dependency)
    return known.hash if known else None


def _with_hash(dependency: Dependency, known: str | None) -> Dependency:
    return dependency if dependency.hash == known else replace(dependency, hash=known)


def _by_target(dependencies: Iterable[Dependency]) -> Mapping[DocumentId, frozenset[Kind]]:
    kinds: dict[DocumentId, set[Kind]] = {}
    for each in dependencies:
        kinds.setdefault(each.target, set()).add(each.kind)
    return {target: frozenset(each) for target, each in kinds.items()}
