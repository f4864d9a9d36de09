"""A compact and immutable picture of the dependency graph, made to be drawn: numbers for names, and no facts.

Building one takes a second for 100,000 documents, so it belongs in a thread. It calls `pause` every millisecond or so
of work: a thread that never lets go of the interpreter would slow the daemon's event loop down.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from kahnd.core.graph import Graph
from kahnd.core.model import CONTENT_KINDS, Dependency, DocumentId, Kind, Status
from kahnd.core.nodes import Node
from kahnd.core.renderings import MARK, WORST_FIRST, document_of, is_rendering
from kahnd.core.rules import is_collection

T = TypeVar("T")
PART: Final = 1_000
"""So many documents are worked on between two pauses."""
CODES: Final[Mapping[Status, int]] = {each: code for code, each in enumerate(WORST_FIRST)}
"""The numbers that stand for statuses in `DocumentGraph.statuses`: the worst has the lowest."""
KINDS: Final = tuple(Kind)
_KIND_CODES: Final = {each: code for code, each in enumerate(KINDS)}
_UNSEEN, _OPEN = -1, -2
_GLOB: Final = re.compile(r"[*?\[{]")
_RUN: Final = 5_000

Pause = Callable[[], None]


class Entry(NamedTuple):
    """A document as the graph has it, all its renderings as one. `rendered`: a rule renders it."""

    code: int
    rendered: bool
    dependencies: tuple[Dependency, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; `path` is without a slash at its end, and empty for the project.

    The numbers of the documents in it and below it go from `start` to `end`; those up to `own_end` lie right in it.
    """

    path: str
    start: int
    own_end: int
    end: int
    folders: tuple[str, ...] = ()

    @property
    def parent(self) -> str:
        """The path of the folder that it lies in."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Relation:
    """Edges from every document: those of number n are in `targets` from `offsets[n]` to `offsets[n + 1]`."""

    offsets: array[int] = field(default_factory=lambda: array("i", [0]))
    targets: array[int] = field(default_factory=lambda: array("i"))
    kinds: bytes = b""

    def of(self, number: int) -> Sequence[int]:
        """Returns the numbers of a document's targets."""
        return self.targets[self.offsets[number] : self.offsets[number + 1]]

    def kinds_of(self, number: int) -> bytes:
        """Returns the positions in KINDS of the kinds of a document's edges."""
        return self.kinds[self.offsets[number] : self.offsets[number + 1]]

    def reversed(self, pause: Pause) -> Relation:
        """Returns the same edges from their targets."""
        count = len(self.offsets) - 1
        sizes = array("i", bytes(4 * (count + 1)))
        for part in _parts(self.targets, pause):
            for target in part:
                sizes[target + 1] += 1
        for number in range(count):
            sizes[number + 1] += sizes[number]
        free, sources = array("i", sizes), array("i", bytes(4 * len(self.targets)))
        kinds = bytearray(len(self.kinds))
        for part in _parts(range(count), pause):
            for number in part:
                for target, kind in zip(self.of(number), self.kinds_of(number), strict=True):
                    sources[free[target]], kinds[free[target]] = number, kind
                    free[target] += 1
        return Relation(sizes, sources, bytes(kinds))


@dataclass(frozen=True)
class GraphShape:
    """All but the statuses. The documents are numbered so that those of a folder, with all below it, follow each other.

    `order`: the dependencies that must be finished first. `content`: those on bytes only, which ask for no order.
    `generations`: how many of `order` are on the longest chain below a document, without edges that close a cycle.
    """

    revision: int = 0
    names: Sequence[DocumentId] = ()
    numbers: Mapping[DocumentId, int] = field(default_factory=dict)
    rendered: bytes = b""
    generations: array[int] = field(default_factory=lambda: array("i"))
    folders: Mapping[str, Folder] = field(default_factory=lambda: {"": Folder("", 0, 0, 0)})
    order: Relation = field(default_factory=Relation)
    content: Relation = field(default_factory=Relation)
    pause: Pause = lambda: None

    @cached_property
    def order_above(self) -> Relation:
        """The dependents along `order`."""
        return self.order.reversed(self.pause)

    @cached_property
    def content_above(self) -> Relation:
        """The dependents along `content`."""
        return self.content.reversed(self.pause)

    def has(self, document: DocumentId, entry: Entry | None) -> bool:
        """Tells whether this is the shape of a document as it is now (None: it is not there)."""
        number = self.numbers.get(document)
        if number is None or entry is None:
            return (number is None) == (entry is None)
        order, content = targets_of(number, entry.dependencies, self.numbers)
        return (
            bool(self.rendered[number]) is entry.rendered
            and order.keys() == frozenset(self.order.of(number))
            and content.keys() == frozenset(self.content.of(number))
        )


@dataclass(frozen=True, slots=True)
class DocumentGraph:
    """The graph at one moment. `statuses` has the code of each document's status; `revision` counts their changes."""

    shape: GraphShape = field(default_factory=GraphShape)
    statuses: bytes = b""
    revision: int = 0


def entry_of(graph: Graph, document: DocumentId) -> Entry | None:
    """Returns a document's entry; None if it is not there, or is missing and no more than linked to."""
    found = None
    for node in graph.renderings(document):
        found = _with(found, node)
    return found if found and _counts(graph, document, found) else None


def entries_of(graph: Graph, nodes: Iterable[Node], pause: Pause) -> dict[DocumentId, Entry]:
    """Returns the entries of all documents and collections; for any thread, with the nodes of one moment."""
    found: dict[DocumentId, Entry] = {}
    for part in _parts(nodes, pause):
        for node in part:
            document = document_of(node.facts.id)
            if node.facts.status is not Status.MISSING or not is_rendering(node.facts.id):
                found[document] = _with(found.get(document), node)
    return {each: entry for each, entry in found.items() if _counts(graph, each, entry)}


def document_graph(entries: Mapping[DocumentId, Entry], revision: int, pause: Pause = lambda: None) -> DocumentGraph:
    """Builds the picture from the entries."""
    keys = {_key(each): each for each in entries}
    ordered = _sorted(keys, pause)
    names = [keys[each] for each in ordered]
    numbers = {each: number for number, each in enumerate(names)}
    order, content = _relations(names, numbers, entries, pause)
    shape = GraphShape(
        revision,
        names,
        numbers,
        bytes(entries[each].rendered for each in names),
        _generations(order, pause),
        _folders(ordered),
        order,
        content,
        pause,
    )
    return DocumentGraph(shape, bytes(entries[each].code for each in names))


def targets_of(
    own: int, dependencies: Iterable[Dependency], numbers: Mapping[DocumentId, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Returns the targets that must be finished first, and the others, each with the code of its kind.

    `own` is the document's number: edges between its renderings do not count.
    """
    order: dict[int, int] = {}
    content: dict[int, int] = {}
    for each in dependencies:
        number = numbers.get(each.target)
        if number is None and MARK in each.target:
            number = numbers.get(document_of(each.target))
        if number is not None and number != own:
            (content if each.kind in CONTENT_KINDS else order).setdefault(number, _KIND_CODES[each.kind])
    for number in order.keys() & content.keys() if content else ():
        del content[number]
    return order, content


def _with(known: Entry | None, node: Node) -> Entry:
    """Adds a rendering to what is known of its document."""
    code, rendered, dependencies = CODES[node.facts.status], node.rule is not None, node.dependencies
    if known is None:
        return Entry(code, rendered, dependencies)
    return Entry(min(code, known.code), rendered or known.rendered, known.dependencies + dependencies)


def _counts(graph: Graph, document: DocumentId, entry: Entry) -> bool:
    return entry.code != CODES[Status.MISSING] or graph.count_needing(document) > 0


def _key(document: DocumentId) -> str:
    """Returns what documents are sorted by: a folder's own come first, then those of each folder below it.

    A collection lies in the folder that its pattern begins with.
    """
    if not is_collection(document):
        folder, slash, name = document.rpartition("/")
        return f"{folder}{slash}\0{name}"
    pattern = document.removeprefix("/")
    glob = _GLOB.search(pattern)
    folder, slash, _ = pattern[: glob.start() if glob else len(pattern)].rpartition("/")
    return f"{folder}{slash}\0{pattern[len(folder) + len(slash) :]}\0"


def _sorted(keys: Iterable[str], pause: Pause) -> list[str]:
    """Sorts in runs, since a sort of all keys would be one call that holds every thread up."""
    iterator, runs = iter(keys), []
    while run := sorted(islice(iterator, _RUN)):
        runs.append(run)
        pause()
    return list(merge(*runs))


def _folders(keys: Sequence[str]) -> dict[str, Folder]:
    """Returns all folders by path, from the sorted keys of the documents."""
    starts: dict[str, int] = {"": 0}
    own: dict[str, int] = {"": 0}
    for number, key in enumerate(keys):
        path = key.partition("\0")[0].removesuffix("/")
        if path not in starts:
            above = path
            while above not in starts:
                starts[above], own[above] = number, 0
                above = above.rpartition("/")[0]
        own[path] += 1
    totals, below = dict(own), dict[str, list[str]]()
    for path in sorted(starts, key=lambda each: each.count("/"), reverse=True):
        if path:
            parent = path.rpartition("/")[0]
            totals[parent] += totals[path]
            below.setdefault(parent, []).append(path)
    return {
        path: Folder(
            path,
            start,
            start + own[path],
            start + totals[path],
            tuple(sorted(below.get(path, ()), key=starts.__getitem__)),
        )
        for path, start in starts.items()
    }


def _relations(
    names: Sequence[DocumentId], numbers: Mapping[DocumentId, int], entries: Mapping[DocumentId, Entry], pause: Pause
) -> tuple[Relation, Relation]:
    offsets = (array("i", [0]), array("i", [0]))
    targets = (array("i"), array("i"))
    kinds = (bytearray(), bytearray())
    for part in _parts(enumerate(names), pause):
        for number, document in part:
            for which, found in enumerate(targets_of(number, entries[document].dependencies, numbers)):
                targets[which].extend(found)
                kinds[which].extend(found.values())
                offsets[which].append(len(targets[which]))
    order, content = (Relation(offsets[which], targets[which], bytes(kinds[which])) for which in (0, 1))
    return order, content


def _generations(order: Relation, pause: Pause) -> array[int]:
    """Returns the generation of each document: one more than the highest below it.

    A depth-first search, without recursion. An edge to a document that the search is still below closes a cycle.
    """
    offsets, targets = order.offsets, order.targets
    found = array("i", [_UNSEEN]) * (len(offsets) - 1)
    finished = 0
    for root in range(len(found)):
        path = [(root, offsets[root])] if found[root] == _UNSEEN else []
        while path:
            number, begin = path.pop()
            end = offsets[number + 1]
            for edge in range(begin, end):
                if found[targets[edge]] == _UNSEEN:
                    found[number] = _OPEN
                    path += (number, edge + 1), (targets[edge], offsets[targets[edge]])
                    break
            else:
                below = map(found.__getitem__, targets[offsets[number] : end])
                found[number] = max(max(below, default=_UNSEEN), _UNSEEN) + 1
                finished += 1
                if finished % PART == 0:
                    pause()
    return found


def _parts(items: Iterable[T], pause: Pause) -> Iterator[list[T]]:
    iterator = iter(items)
    while part := list(islice(iterator, PART)):
        yield part
        pause()
