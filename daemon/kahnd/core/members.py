"""Collections: the documents that match a pattern, kept up to date as documents appear and go; and dates of commits.

When a commit has changed a document last is a collection, too, with that moment as its one member.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from kahnd.core import hashing
from kahnd.core.globs import glob_matcher
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Facts, Status
from kahnd.core.renderings import is_rendering
from kahnd.core.rules import dated_by, is_collection, last_change_id


@dataclass(slots=True)
class _Collection:
    matches: Callable[[DocumentId], bool]
    members: set[DocumentId]
    is_new: bool = True


class Collections:
    """Owns the members of all collections in the graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._collections: dict[DocumentId, _Collection] = {}
        self._dates: dict[DocumentId, int | None] = {}

    def members(self, collection: DocumentId) -> tuple[DocumentId, ...]:
        """Returns the documents in a known collection, sorted by path; or when its document was changed last."""
        if (document := dated_by(collection)) is None:
            return tuple(sorted(self._collections[collection].members))
        date = self._dates.get(document)
        return () if date is None else (DocumentId(str(date)),)

    def add(self, collection: DocumentId) -> Facts:
        """Finds the members of a new collection; returns its facts."""
        self.restore(collection)
        return Facts(collection, Status.DIRTY, content_hash=hashing.hash_members(self.members(collection)))

    def restore(self, collection: DocumentId) -> None:
        """Finds the members of a collection that the database knows."""
        if dated_by(collection) is None:
            self._collect(collection)

    def date(self, dates: Mapping[DocumentId, int | None], *, all_of_them: bool) -> Iterator[tuple[DocumentId, Digest]]:
        """Takes in when commits have changed documents last; yields each collection of such a date, with its hash now.

        `all_of_them`: others have no such date.
        """
        if all_of_them:
            self._dates.clear()
        self._dates.update(dates)
        dated = [node.facts.id for node in self._graph if dated_by(node.facts.id)] if all_of_them else []
        for each in dated or map(last_change_id, dates):
            yield each, hashing.hash_members(self.members(each))

    def drop(self, collection: DocumentId) -> None:
        """Forgets a collection that nothing depends on any more, if it is one."""
        self._collections.pop(collection, None)

    def update(self, changed: Collection[DocumentId]) -> Iterator[tuple[DocumentId, Digest]]:
        """Yields each collection that may have other members since these documents changed, with its hash now."""
        for document, collection in self._collections.items():
            if self._update_members(collection, changed):
                yield document, hashing.hash_members(collection.members)

    def _update_members(self, collection: _Collection, documents: Collection[DocumentId]) -> bool:
        """Tells whether the members may differ from before."""
        changed, collection.is_new = collection.is_new, False
        for document in documents:
            belongs = collection.matches(document) and self._graph[document].exists
            if (document in collection.members) is not belongs:
                (collection.members.add if belongs else collection.members.discard)(document)
                changed = True
        return changed

    def _collect(self, collection: DocumentId) -> None:
        matches = self._matcher(collection)
        members = {node.facts.id for node in self._graph if node.exists and matches(node.facts.id)}
        self._collections[collection] = _Collection(matches, members)

    def _matcher(self, collection: DocumentId) -> Callable[[DocumentId], bool]:
        """Returns a test for members: documents that match the pattern and are no partials or drafts."""
        fits, graph = glob_matcher(collection[1:]), self._graph

        def matches(each: DocumentId) -> bool:
            if is_collection(each) or is_rendering(each) or not fits(each) or graph.layout.is_partial(each):
                return False
            node = graph.get(each)
            return node is None or not graph.layout.hides(node.facts.appears_at)

        return matches
