"""The affected set → frontier, generations, and what is on a cycle. Works on ids alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from heapq import heappop, heappush
from itertools import count

from kahnd.core.model import DocumentId


class Schedule:
    """The unfinished documents and what each still waits for (Kahn's algorithm, run as documents finish).

    A document is *waiting* until all it needs is finished, then *ready* until taken, then out for work until finished.
    Of what is ready, that goes first which the longest way of work begins with, by `weigh`: what a document is expected
    to take. (The upward rank of H. Topcuoglu et al., "Performance-effective and low-complexity task scheduling", 2002.)
    """

    def __init__(self, weigh: Callable[[DocumentId], float] = lambda _: 1.0) -> None:
        self._weigh = weigh
        self._needs: dict[DocumentId, set[DocumentId]] = {}
        self._dependents: dict[DocumentId, set[DocumentId]] = {}
        self._queue: list[tuple[float, int, DocumentId]] = []
        self._ready: dict[DocumentId, int] = {}
        self._numbers = count()
        self._ranks: dict[DocumentId, float] = {}
        self._generation: dict[DocumentId, int] = {}

    def __contains__(self, document: object) -> bool:
        return document in self._needs

    def __len__(self) -> int:
        return len(self._needs)

    def __iter__(self) -> Iterator[DocumentId]:
        return iter(tuple(self._needs))

    def add(self, documents: Mapping[DocumentId, Collection[DocumentId]]) -> None:
        """Take documents in (or again), each with what it needs; needs that are not unfinished don't count."""
        for document in documents:
            self._release(document)
            self._needs[document] = set()
        for document, needs in documents.items():
            waits = {need for need in needs if need in self._needs}
            self._needs[document] = waits
            for need in waits:
                self._dependents.setdefault(need, set()).add(document)
        self._rank(documents)
        for document in documents:
            self._ready.pop(document, None)
            self._offer(document)

    def take(self) -> DocumentId | None:
        """The next ready document; of equals the one that was so first. It stays unfinished."""
        while self._queue:
            _, number, document = heappop(self._queue)
            if self._ready.get(document) == number:
                del self._ready[document]
                return document
        return None

    def hold(self, document: DocumentId) -> bool:
        """Take this very document, if it is ready."""
        return self._ready.pop(document, None) is not None

    def finish(self, document: DocumentId, *, rendered: bool) -> None:
        """Done with, one way or another; what waited for nothing else is ready."""
        level = self.generation(document) + rendered
        self._leave(document)
        for dependent in self._dependents.pop(document, ()):
            self._generation[dependent] = max(self.generation(dependent), level)
            self._needs[dependent].discard(document)
            self._offer(dependent)
        if not self._needs:
            self._generation.clear()

    def discard(self, document: DocumentId) -> None:
        """No longer a document: out, with nothing said about those that wait for it."""
        if document in self._needs:
            self._leave(document)

    def generation(self, document: DocumentId) -> int:
        """How many renderings, one needing the other, went before it since the schedule was last empty."""
        return self._generation.get(document, 0)

    def needs(self) -> dict[DocumentId, frozenset[DocumentId]]:
        """Every unfinished document with what it waits for."""
        return {document: frozenset(needs) for document, needs in self._needs.items()}

    def stuck(self) -> list[frozenset[DocumentId]]:
        """With nothing ready and nothing out for work: the cycles' members, one set for each knot of cycles.

        Of knots that wait for one another only the first: what becomes of it may say what becomes of the others.
        """
        return [knot for knot in cyclic(self._needs) if all(self._needs[each] <= knot for each in knot)]

    def _offer(self, document: DocumentId) -> None:
        """Ready, if it waits for nothing."""
        if not self._needs[document]:
            self._ready[document] = next(self._numbers)
            heappush(self._queue, (-self._ranks[document], self._ready[document], document))

    def _rank(self, documents: Collection[DocumentId]) -> None:
        """Each after its dependents; on a cycle, which is found when all else is done, by itself."""
        ahead = {each: sum(above in documents for above in self._dependents.get(each, ())) for each in documents}
        free = [each for each, left in ahead.items() if not left]
        self._ranks.update((each, self._weigh(each)) for each in documents)
        for document in free:
            above = max((self._ranks[each] for each in self._dependents.get(document, ())), default=0.0)
            self._ranks[document] += above
            for need in self._needs[document]:
                if need in ahead:
                    ahead[need] -= 1
                    if not ahead[need]:
                        free.append(need)

    def _leave(self, document: DocumentId) -> None:
        self._release(document)
        self._ready.pop(document, None)
        del self._needs[document], self._ranks[document]

    def _release(self, document: DocumentId) -> None:
        for need in self._needs.get(document, ()):
            self._dependents.get(need, set()).discard(document)


def cyclic(needs: Mapping[DocumentId, Collection[DocumentId]]) -> list[frozenset[DocumentId]]:
    """The sets of documents that need each other, in a circle or in several (strongly connected components).

    Source: Kosaraju's algorithm, in Aho, Hopcroft, Ullman, "Data Structures and Algorithms" (1983), section 6.7.
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
    """What can be reached from the root and was not seen yet, each after all it leads to; a walk without recursion."""
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
