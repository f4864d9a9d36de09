"""Orders the affected set: the frontier, generations, and cycles. Knows only ids."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from itertools import count, islice
from typing import Final, TypeVar

import msgspec

from kahnd.core.model import DocumentId

T = TypeVar("T")
PART: Final = 200
"""Work on many documents is done in parts of so many, a few milliseconds each: the caller may pause between them."""


def parts(items: Iterable[T]) -> Iterator[list[T]]:
    """Yields lists of PART items, the last one perhaps shorter. The next one is drawn when it is asked for."""
    iterator = iter(items)
    while part := list(islice(iterator, PART)):
        yield part


class Readiness(msgspec.Struct, frozen=True, gc=False):
    """Since when a document has been ready (see `Schedule.moment`), and its generation.

    `after`: the rendering that was finished last of those that the document waited for, if it did.
    """

    since: float
    generation: int = 0
    after: DocumentId | None = None


class Preference:
    """The documents that go before all others: those asked for, with what they need of what is unfinished."""

    def __init__(self) -> None:
        self.roots: frozenset[DocumentId] = frozenset()
        """The documents asked for, also those that have nothing to do."""
        self._members: set[DocumentId] = set()

    def __contains__(self, document: DocumentId) -> bool:
        return document in self._members

    def discard(self, document: DocumentId) -> None:
        """Removes a document that is finished."""
        self._members.discard(document)

    def spread(self, needs: Mapping[DocumentId, Collection[DocumentId]]) -> set[DocumentId]:
        """Finds the members anew, given what the unfinished documents wait for; returns those that joined or left."""
        before, pending = self._members, [root for root in self.roots if root in needs]
        self._members = set(pending)
        while pending:
            fresh = [each for each in needs[pending.pop()] if each not in self._members]
            self._members.update(fresh)
            pending += fresh
        return before ^ self._members


class Schedule:
    """Owns the unfinished documents and what each still waits for (Kahn's algorithm, run as documents finish).

    A document is *waiting* until all its dependencies are finished, then *ready* until taken, then *running* until
    finished. Of the ready ones, those that are preferred go first; of these, and of the others, that with the longest
    path of work above it. `weigh` gives a document's expected duration. (The upward rank of H. Topcuoglu et al.,
    "Performance-effective and low-complexity task scheduling", 2002.)
    """

    def __init__(self, weigh: Callable[[DocumentId], float] = lambda _: 1.0) -> None:
        self._weigh = weigh
        self._needs: dict[DocumentId, set[DocumentId]] = {}
        self._dependents: dict[DocumentId, set[DocumentId]] = {}
        self._queue: list[tuple[bool, float, int, DocumentId]] = []
        self._ready: dict[DocumentId, int] = {}
        self._numbers = count()
        self._ranks: dict[DocumentId, float] = {}
        self._generation: dict[DocumentId, int] = {}
        self._after: dict[DocumentId, DocumentId] = {}
        self._since: dict[DocumentId, float] = {}
        self._preference = Preference()
        self.moment = 0.0
        """The time of the event that is being handled, by the clock of the caller."""

    def __contains__(self, document: object) -> bool:
        return document in self._needs

    def __len__(self) -> int:
        return len(self._needs)

    def __iter__(self) -> Iterator[DocumentId]:
        return iter(tuple(self._needs))

    def add(self, documents: Mapping[DocumentId, Collection[DocumentId]]) -> None:
        """Adds documents (or again), each with its dependencies; those that are not scheduled count as finished."""
        deque(self.add_in_parts(documents), maxlen=0)

    def add_in_parts(self, documents: Mapping[DocumentId, Collection[DocumentId]]) -> Iterator[None]:
        """Adds documents as `add` does, and yields between parts; before the end the schedule may only be iterated."""
        for part in parts(documents):
            for document in part:
                self._release(document)
                self._needs[document] = set()
            yield
        for part in parts(documents):
            for document in part:
                self._wait_for(document, documents[document])
            yield
        yield from self._rank(documents)
        self._spread()
        for part in parts(documents):
            for document in part:
                self._ready.pop(document, None)
                self._offer(document)
            yield

    def take(self) -> DocumentId | None:
        """Takes the next ready document; of equals the first that became ready. It stays unfinished."""
        while self._queue:
            _, _, number, document = heappop(self._queue)
            if self._ready.get(document) == number:
                del self._ready[document]
                return document
        return None

    def prefer(self, documents: Collection[DocumentId]) -> None:
        """From now on these go first, with what they need, instead of those preferred before; unknown ones may come.

        Takes time in proportion to what is preferred, now and whenever documents are added.
        """
        self._preference.roots = frozenset(documents)
        self._spread()

    def hold(self, document: DocumentId) -> bool:
        """Takes this document, if it is ready; tells whether it was."""
        return self._ready.pop(document, None) is not None

    def finish(self, document: DocumentId, *, rendered: bool) -> None:
        """Finishes a document, whatever its outcome; dependents that wait for nothing else become ready."""
        level = self.generation(document) + rendered
        latest = document if rendered else self._after.get(document)
        self._leave(document)
        for dependent in self._dependents.pop(document, ()):
            self._generation[dependent] = max(self.generation(dependent), level)
            if latest is not None:
                self._after[dependent] = latest
            self._needs[dependent].discard(document)
            self._offer(dependent)
        if not self._needs:
            self._generation.clear()
            self._after.clear()

    def discard(self, document: DocumentId) -> None:
        """Removes a document that no longer exists; those that wait for it go on waiting."""
        if document in self._needs:
            self._leave(document)

    def generation(self, document: DocumentId) -> int:
        """Returns the number of renderings on the longest chain below a document, since the schedule was last empty."""
        return self._generation.get(document, 0)

    def readiness(self, document: DocumentId) -> Readiness:
        """Returns since when a document has been ready, and what it waited for."""
        since = self._since.get(document, self.moment)
        return Readiness(since, self.generation(document), self._after.get(document))

    def needs(self) -> dict[DocumentId, frozenset[DocumentId]]:
        """Returns every unfinished document with those it waits for."""
        return {document: frozenset(needs) for document, needs in self._needs.items()}

    def stuck(self) -> list[frozenset[DocumentId]]:
        """Returns the members of cycles, one set for each group of connected cycles; call it when nothing is ready.

        Groups that wait for another are left out: the outcome of that one may decide theirs.
        """
        return [members for members in cyclic(self._needs) if all(self._needs[each] <= members for each in members)]

    def _wait_for(self, document: DocumentId, needs: Collection[DocumentId]) -> None:
        waits = {need for need in needs if need in self._needs}
        self._needs[document] = waits
        for need in waits:
            self._dependents.setdefault(need, set()).add(document)

    def _offer(self, document: DocumentId) -> None:
        """Makes a document ready, if it waits for nothing."""
        if not self._needs[document]:
            self._since[document] = self.moment
            self._push(document)

    def _push(self, document: DocumentId) -> None:
        number = self._ready[document] = next(self._numbers)
        heappush(self._queue, (document not in self._preference, -self._ranks[document], number, document))

    def _spread(self) -> None:
        """Puts the ready documents whose preference has changed into the queue again."""
        for document in self._preference.spread(self._needs):
            if document in self._ready:
                self._push(document)

    def _rank(self, documents: Collection[DocumentId]) -> Iterator[None]:
        """Ranks each document after its dependents; one on a cycle has only its own weight. Yields between parts."""
        unranked: dict[DocumentId, int] = {}
        for part in parts(documents):
            for document in part:
                unranked[document] = sum(above in documents for above in self._dependents.get(document, ()))
                self._ranks[document] = self._weigh(document)
            yield
        free = [each for each, left in unranked.items() if not left]
        for number, document in enumerate(free, 1):  # it grows meanwhile
            above = max((self._ranks[each] for each in self._dependents.get(document, ())), default=0.0)
            self._ranks[document] += above
            for need in self._needs[document]:
                if need in unranked:
                    unranked[need] -= 1
                    if not unranked[need]:
                        free.append(need)
            if number % PART == 0:
                yield

    def _leave(self, document: DocumentId) -> None:
        self._release(document)
        self._ready.pop(document, None)
        self._since.pop(document, None)
        self._preference.discard(document)
        del self._needs[document], self._ranks[document]

    def _release(self, document: DocumentId) -> None:
        for need in self._needs.get(document, ()):
            self._dependents.get(need, set()).discard(document)


def cyclic(needs: Mapping[DocumentId, Collection[DocumentId]]) -> list[frozenset[DocumentId]]:
    """Returns the sets of documents that depend on each other: the strongly connected components with a cycle.

    Kosaraju's algorithm, from Aho, Hopcroft, Ullman, "Data Structures and Algorithms" (1983), section 6.7.
    """
    dependents: dict[DocumentId, set[DocumentId]] = {document: set() for document in needs}
    for document, targets in needs.items():
        for target in targets:
            dependents.get(target, set()).add(document)
    seen: set[DocumentId] = set()
    finished = [each for root in needs if root not in seen for each in _postorder(root, needs, seen)]
    seen = set()
    groups = [frozenset(_postorder(root, dependents, seen)) for root in reversed(finished) if root not in seen]
    return [group for group in groups if len(group) > 1 or any(each in needs[each] for each in group)]


def _postorder(
    root: DocumentId, edges: Mapping[DocumentId, Collection[DocumentId]], seen: set[DocumentId]
) -> list[DocumentId]:
    """Returns the unseen documents reachable from the root, each after all it leads to; without recursion."""
    finished = []
    seen.add(root)
    path = [(root, iter(edges[root]))]
    while path:
        step = next((each for each in path[-1][1] if each in edges and each not in seen), None)
        if step is None:
            finished.append(path.pop()[0])
        else:
            seen.add(step)
            path.append((step, iter(edges[step])))
    return finished


def shortest_cycle(member: DocumentId, needs: Mapping[DocumentId, Collection[DocumentId]]) -> list[DocumentId]:
    """Returns a shortest path from a document back to itself, without its start, by breadth-first search."""
    came_from: dict[DocumentId, DocumentId] = {}
    queue = deque([member])
    while queue and member not in came_from:
        document = queue.popleft()
        for target in needs.get(document, ()):
            if target not in came_from:
                came_from[target] = document
                queue.append(target)
    path: list[DocumentId] = []
    at = member
    while member in came_from and (not path or at != member):
        path.append(at)
        at = came_from[at]
    return path[::-1]
