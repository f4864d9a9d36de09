"""The nodes of the dependency graph in memory: a document or collection each. Only the graph changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from kahnd.core import hashing
from kahnd.core.model import Dependency, DocumentId, Facet, Facts, Kind, OutputPath, Status
from kahnd.core.output_paths import HASH, facet_of, files_of, is_of
from kahnd.core.renderings import document_of
from kahnd.core.rules import Rule, public_path


@dataclass(slots=True)
class Node:
    """A document or collection: its facts, its edges, and what the rules say of its path.

    `claim`: the output path that its rule gives it, and `more` those after the first, with its aliases. `paged`: it is
    written as pages are, rendered or not, so includes leave out its front matter. `cycle`: the path from it back to
    itself, if one was found. `unread`: edges of its last rendering that it keeps until the next one. `published`: the
    number of its last publication in this session.
    """

    facts: Facts
    rule: Rule | None = None
    claim: OutputPath | None = None
    more: tuple[OutputPath, ...] = ()
    paged: bool = False
    dependencies: tuple[Dependency, ...] = ()
    cycle: tuple[DocumentId, ...] = ()
    unread: frozenset[Dependency] = frozenset()
    published: int = 0
    _trace: Mapping[Dependency, Dependency] | None = None

    @property
    def trace(self) -> Mapping[Dependency, Dependency]:
        """The edges of its last good render, with their edge hashes then; each key equals its value.

        Computed on demand: most documents of a start never need it.
        """
        if self._trace is None:
            self._trace = {each: each for each in self.dependencies if each.hash is not None}
        return self._trace

    def connect(self, dependencies: tuple[Dependency, ...]) -> None:
        """Replaces the edges and keeps the trace."""
        self._trace = self.trace
        self.dependencies, self.unread = dependencies, frozenset()

    def connect_traced(self, dependencies: tuple[Dependency, ...]) -> None:
        """Replaces the edges and the trace: a good render has used these."""
        self.dependencies, self._trace = dependencies, {each: each for each in dependencies}

    @property
    def document(self) -> DocumentId:
        """The document that it is, or is a rendering of; this name is shown."""
        return document_of(self.facts.id)

    @property
    def claims(self) -> tuple[OutputPath, ...]:
        """All output paths that its rule gives it, in order."""
        return (self.claim, *self.more) if self.claim else ()

    @property
    def exists(self) -> bool:
        """There is such a file (or collection)."""
        return self.facts.status is not Status.MISSING

    @property
    def status(self) -> Status:
        """The status in the database."""
        return self.facts.status


class Appearances:
    """The times at which the pages appear that are not rendered now, with the earliest at hand."""

    def __init__(self) -> None:
        self._times: dict[DocumentId, int] = {}
        self._earliest: float | None = inf

    @property
    def earliest(self) -> float:
        """When the first of them appears, in seconds since 1970. Takes time in their number only after a change."""
        if self._earliest is None:
            self._earliest = min(self._times.values(), default=inf)
        return self._earliest

    def put(self, document: DocumentId, time: int | None) -> None:
        """Notes when a document appears; None if it is rendered, or gone."""
        if self._times.get(document) == time:
            return
        if time is None:
            del self._times[document]
        else:
            self._times[document] = time
        self._earliest = None


class FormerOutputs:
    """The published files at paths that their documents do not claim any more: they stay until the next good rendering.

    Nearly always, there are none. `by_document`: those paths of each document that has any.
    """

    def __init__(self) -> None:
        self.by_document: dict[DocumentId, tuple[OutputPath, ...]] = {}
        self._by_path: dict[OutputPath, DocumentId] = {}

    def note(self, node: Node) -> None:
        """Notes the files of a node whose facts or claims have changed."""
        facts = node.facts
        self.forget(facts.id)
        if facts.output and (facts.output != node.claim or facts.outputs):
            claims = node.claims
            former = tuple(path for path, _ in files_of(facts) if not any(is_of(each, path) for each in claims))
            if former:
                self.by_document[facts.id] = former
                self._by_path.update(dict.fromkeys(former, facts.id))

    def forget(self, document: DocumentId) -> None:
        """Drops what is noted of a document."""
        for path in self.by_document.pop(document, ()) if self.by_document else ():
            if self._by_path.get(path) == document:
                del self._by_path[path]

    def keeper(self, path: OutputPath) -> DocumentId | None:
        """Returns the document whose last good rendering has left a file there."""
        return self._by_path.get(path)


def place_of(node: Node) -> OutputPath | None:
    """Returns the path of a node's first output; None if it has none, or its path has a hash that is not known yet."""
    if node.claim is None or HASH not in node.claim:
        return node.claim
    return next((path for path, _ in hashing.outputs_at(node.facts, node.claim)), None)


def public_place(node: Node) -> str:
    """Returns the path of a node's first output as URLs show it; empty if it has none."""
    return public_path(node.claim, node.rule, node.facts.route)


def has_other_anchors(before: Facts, after: Facts) -> bool:
    """Tells whether links may lead to other places in new bytes; always if these are no page."""
    return not (before.facets and after.facets and before.facets.anchors == after.facets.anchors)


def changed_facets(before: Facts, after: Facts) -> frozenset[Facet] | None:
    """Returns the facets that new bytes have changed; None if they are not known."""
    then, now = before.facets, after.facets
    if then is None or now is None:
        return None
    parts = (Facet.FRONT_MATTER, Facet.TEXT, Facet.TITLE)
    return frozenset(each for each in parts if getattr(then, each) != getattr(now, each))


def reach(
    before: Facts, node: Node, *, is_elsewhere: bool, has_content: bool
) -> tuple[bool, frozenset[Facet] | None, bool]:
    """Tells whether content dependents are dirty, those of which facets, and whether documents that link to it are.

    The change is from these facts: `is_elsewhere`, a new document or path; `has_content`, new bytes; else a new recipe.
    A new recipe may read the same bytes otherwise, so that a page has another title or other anchors.
    """
    if is_elsewhere or _may_have_moved(before, node):
        return True, None, True
    changed = changed_facets(before, node.facts)
    anchors = has_other_anchors(before, node.facts)
    if has_content:
        return True, changed, anchors
    return bool(changed), changed or None, changed is not None and anchors


def _may_have_moved(before: Facts, node: Node) -> bool:
    """Tells whether a new recipe may have moved the output, whose path is known only if the last one rendered.

    A folder's index may have got another URL at the same path.
    """
    if before.recipe_hash == node.facts.recipe_hash:
        return False
    if node.claim and node.claim.endswith("/index.html"):
        return True
    return before.recipe_hash != before.last_recipe_hash or before.output != node.claim


def outputs_used(dependency: Dependency, needed: Node) -> list[str]:
    """Returns the paths of those of several outputs that a program reads."""
    prefix = facet_of(Facet.OUTPUT, "")
    used = sorted(each[len(prefix) :] for each in dependency.facets or () if each.startswith(prefix))
    files = ([path for path, _ in hashing.outputs_at(needed.facts, each)] if HASH in each else [each] for each in used)
    return [path for each in files for path in each]


def only_discovered(node: Node) -> tuple[DocumentId, ...]:
    """Returns the dependencies that only an earlier run has reported."""
    found = [each.target for each in node.dependencies if each.kind is Kind.DISCOVERED]
    known = {each.target for each in node.dependencies if each.kind is not Kind.DISCOVERED} if found else set()
    return tuple(each for each in found if each not in known)
