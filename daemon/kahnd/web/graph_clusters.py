"""Decides what of the graph is drawn: folders that stand for their documents, opened ones, a document's neighbourhood.

Pure, and for any thread. However large the project is, no more than MOST_NODES nodes and MOST_EDGES edges are drawn.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, nlargest, nsmallest
from operator import itemgetter
from typing import Final, Literal

from kahnd.app.document_graph import CODES, PART, DocumentGraph, Folder, GraphShape
from kahnd.core.model import Status

MOST_NODES: Final = 2_000
MOST_EDGES: Final = 6_000
ROOM: Final = 60
"""Folders are opened without being asked as long as so many nodes are not exceeded."""
_URGENCY: Final = (Status.FAILED, Status.BLOCKED, Status.MISSING, Status.DIRTY, Status.DONE)
"""Where not all are shown, documents with the first of these statuses come first."""
_RANKS: Final = tuple(_URGENCY.index(status) for status in sorted(CODES, key=lambda each: CODES[each]))

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ShownNode:
    """A node that is drawn, and the numbers of the documents that it stands for, as ranges.

    `name`: the folder's path, or the document. A node of kind "more" stands for those that are left out: of the folder
    `name`, or in a neighbourhood, where it has none.
    """

    kind: Literal["folder", "document", "more"]
    name: str
    ranges: tuple[Range, ...]

    @property
    def count(self) -> int:
        """How many documents it stands for."""
        return sum(end - start for start, end in self.ranges)


def folders(graph: DocumentGraph, opened: Iterable[str], limit: int) -> tuple[ShownNode, ...]:
    """Returns the nodes for all documents: those of opened folders one by one, up to a limit each, others by folder.

    Folders above an opened one are open too, and so are others, the largest first, while there is room.
    """
    wanted = {"", *(above for each in opened for above in _with_all_above(each))}
    shown: list[ShownNode] = []
    closed: list[Folder] = []
    waiting = [graph.shape.folders[""]]
    while waiting:
        folder = waiting.pop()
        room = min(limit, MOST_NODES - len(shown) - len(closed) - len(waiting) - 1)
        below, documents, more = _content(graph, folder, room)
        shown += (*documents, *more)
        for each in below:
            (waiting if each.path in wanted else closed).append(each)
    return (*shown, *_opened_while_there_is_room(graph, closed, len(shown)))


def neighbourhood(
    graph: DocumentGraph, document: int, levels: tuple[int, int], limit: int, *, content: bool
) -> tuple[ShownNode, ...]:
    """Returns a document, and so many levels of what depends on it and of what it needs, up to a limit a level."""
    shape = graph.shape
    above = (shape.order_above, shape.content_above) if content else (shape.order_above,)
    below = (shape.order, shape.content) if content else (shape.order,)
    seen, shown = {document}, [_single(shape, document)]
    for relations, depth in zip((above, below), levels, strict=True):
        level: Sequence[int] = [document]
        for _ in range(depth):
            found = {each for number in level for one in relations for each in one.of(number)} - seen
            level = nsmallest(min(limit, MOST_NODES - len(shown) - 1), found, _urgency(graph))
            seen |= found
            shown += (_single(shape, each) for each in level)
            if left_out := found.difference(level):
                shown.append(ShownNode("more", "", tuple(_ranges(left_out))))
    return tuple(shown[:MOST_NODES])


def edges(
    shape: GraphShape, shown: Sequence[ShownNode], *, content: bool
) -> tuple[tuple[tuple[int, int, int], ...], int]:
    """Returns the edges among shown nodes: positions of dependent and dependency, and how many edges they stand for.

    The ones that stand for the most are kept; also returns how many are left out.
    """
    owners = array("i", [-1]) * len(shape.names)
    for position, node in enumerate(shown):
        for start, end in node.ranges:
            owners[start:end] = array("i", [position]) * (end - start)
    found: defaultdict[int, int] = defaultdict(int)
    for relation in (shape.order, shape.content) if content else (shape.order,):
        offsets, targets = relation.offsets, relation.targets
        for number, position in enumerate(owners):
            if position >= 0:
                for target in targets[offsets[number] : offsets[number + 1]]:
                    if position != (owner := owners[target]) and owner >= 0:
                        found[position * MOST_NODES + owner] += 1
            if number % PART == 0:
                shape.pause()
    kept = nlargest(MOST_EDGES, found.items(), key=itemgetter(1))
    return tuple((*divmod(pair, MOST_NODES), count) for pair, count in kept), len(found) - len(kept)


def generation_of(shape: GraphShape, node: ShownNode) -> int:
    """Returns the highest generation of the documents that a node stands for."""
    return max(max(shape.generations[start:end]) for start, end in node.ranges)


def counts_of(graph: DocumentGraph, node: ShownNode) -> list[int]:
    """Returns how many of a node's documents have which status, the worst first."""
    if node.count == 1:
        code = graph.statuses[node.ranges[0][0]]
        return [int(each == code) for each in CODES.values()]
    return [sum(graph.statuses.count(code, *each) for each in node.ranges) for code in CODES.values()]


def _content(
    graph: DocumentGraph, folder: Folder, limit: int
) -> tuple[list[Folder], list[ShownNode], tuple[ShownNode, ...]]:
    """Returns the folders and the documents right in a folder; those beyond the limit as one more node."""
    shape = graph.shape
    inner = [_shortened(shape, shape.folders[each]) for each in folder.folders]
    nearest = nsmallest(limit, inner, lambda each: (_worst(graph, each), each.start - each.end))
    below = [each for each in nearest if each.end - each.start > 1]
    own = range(folder.start, folder.own_end)
    numbers = sorted(
        (
            *(each.start for each in nearest if each.end - each.start == 1),
            *nsmallest(limit - len(nearest), own, _urgency(graph)),
        )
    )
    taken = [(each.start, each.end) for each in below] + [(each, each + 1) for each in numbers]
    left = _without((folder.start, folder.end), sorted(taken))
    documents = [_single(shape, each) for each in numbers]
    return below, documents, (ShownNode("more", folder.path, left),) if left else ()


def _opened_while_there_is_room(graph: DocumentGraph, closed: Iterable[Folder], count: int) -> Iterator[ShownNode]:
    """Yields folders, and the content of those that fit; the largest are opened first."""
    waiting = [(each.start - each.end, each.path) for each in closed]
    heapify(waiting)
    while waiting:
        _, path = heappop(waiting)
        folder = graph.shape.folders[path]
        size = len(folder.folders) + folder.own_end - folder.start
        if count + len(waiting) + size > ROOM:
            yield ShownNode("folder", path, ((folder.start, folder.end),))
            count += 1
            continue
        below, documents, _ = _content(graph, folder, size)
        yield from documents
        count += len(documents)
        for each in below:
            heappush(waiting, (each.start - each.end, each.path))


def _shortened(shape: GraphShape, folder: Folder) -> Folder:
    """Returns the first folder below that holds more than another folder."""
    while len(folder.folders) == 1 and folder.own_end == folder.start:
        folder = shape.folders[folder.folders[0]]
    return folder


def _single(shape: GraphShape, number: int) -> ShownNode:
    return ShownNode("document", shape.names[number], ((number, number + 1),))


def _urgency(graph: DocumentGraph) -> Callable[[int], tuple[int, int]]:
    statuses = graph.statuses
    return lambda number: (_RANKS[statuses[number]], number)


def _worst(graph: DocumentGraph, folder: Folder) -> int:
    """Returns the rank of the most urgent status in a folder."""
    return min(rank for code, rank in enumerate(_RANKS) if graph.statuses.find(code, folder.start, folder.end) >= 0)


def _with_all_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _without(whole: Range, taken: Iterable[Range]) -> tuple[Range, ...]:
    """Returns what is left of a range without others in it, which are sorted."""
    begin, left = whole[0], []
    for start, end in (*taken, (whole[1], whole[1])):
        if begin < start:
            left.append((begin, start))
        begin = end
    return tuple(left)


def _ranges(numbers: Iterable[int]) -> Iterator[Range]:
    """Yields ranges that cover exactly these numbers."""
    begin = end = -1
    for number in sorted(numbers):
        if number != end:
            if begin >= 0:
                yield begin, end
            begin = number
        end = number + 1
    if begin >= 0:
        yield begin, end
