"""The graph as the dashboard gets it: the nodes and edges of one view with their places, or only the new statuses.

Pure, and for any thread. A view is computed once as long as the graph has the same shape; statuses are filled in anew.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from kahnd.api import schemas
from kahnd.app.document_graph import PART, DocumentGraph, GraphShape
from kahnd.core.model import DocumentId
from kahnd.core.rules import is_collection
from kahnd.web import graph_clusters
from kahnd.web.graph_clusters import ShownNode
from kahnd.web.graph_layout import positions

KEPT: Final = 16
"""So many views are kept."""
MOST_LEVELS: Final = 5
MOST_A_LEVEL: Final = 500


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """Which part of the graph to show.

    Folders, those of `opened` by their documents; or, with a `document`, the neighbourhood of it, so many levels `up`
    (what depends on it) and `down` (what it needs). `limit`: documents of a folder or level that are shown one by one.
    `content`: with the dependencies that ask for no order.
    """

    opened: frozenset[str] = frozenset()
    document: str | None = None
    up: int = 2
    down: int = 2
    limit: int = 100
    content: bool = False


class NodeView(schemas.Answer, frozen=True):
    """A node: its place, how many documents it stands for, and how many of them have which status, the worst first."""

    kind: Literal["folder", "document", "collection", "more"]
    name: str
    x: float
    y: float
    generation: int
    count: int
    counts: list[int]


class GraphAnswer(schemas.Answer, frozen=True, kw_only=True):
    """A view. Edges are positions in `nodes`, dependent and dependency, and a number of edges.

    A browser that has the view of the same `shape` gets `counts` alone, in the order of the nodes. `left_out`: edges.
    """

    shape: int
    revision: int
    documents: int
    nodes: tuple[NodeView, ...] | None = None
    edges: tuple[tuple[int, int, int], ...] | None = None
    left_out: int = 0
    counts: tuple[list[int], ...] | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class _View:
    shown: tuple[ShownNode, ...]
    generations: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    edges: tuple[tuple[int, int, int], ...]
    left_out: int


class GraphViews:
    """Makes views and keeps the latest. One thread at a time may use it."""

    def __init__(self) -> None:
        self._views: OrderedDict[tuple[int, ViewRequest], _View] = OrderedDict()

    def answer(self, graph: DocumentGraph, request: ViewRequest, known_shape: int = -1) -> GraphAnswer:
        """Returns a view; the counts alone, if the client has the view of this shape. `unknown`: no such document."""
        shape = graph.shape
        if request.document is not None and DocumentId(request.document) not in shape.numbers:
            return GraphAnswer(shape=shape.revision, revision=graph.revision, documents=len(shape.names), unknown=True)
        key = (shape.revision, request)
        is_kept = key in self._views
        view = self._views[key] if is_kept else _viewed(graph, request)
        self._views[key] = view
        self._views.move_to_end(key)
        while len(self._views) > KEPT:
            self._views.popitem(last=False)
        counts = tuple(graph_clusters.counts_of(graph, each) for each in view.shown)
        if is_kept and known_shape == shape.revision:
            return GraphAnswer(shape=shape.revision, revision=graph.revision, documents=len(shape.names), counts=counts)
        return GraphAnswer(
            shape=shape.revision,
            revision=graph.revision,
            documents=len(shape.names),
            nodes=tuple(map(_node, view.shown, view.places, view.generations, counts)),
            edges=view.edges,
            left_out=view.left_out,
        )


def found(shape: GraphShape, text: str, limit: int) -> tuple[tuple[DocumentId, ...], int]:
    """Returns the first documents whose path holds a text, and the number of all; the best come first.

    Those are names that begin with it, and then the shorter ones. Capital letters do not matter.
    """
    wanted = text.casefold()
    matching: list[tuple[bool, int, DocumentId]] = []
    for number, each in enumerate(shape.names):
        path = each.casefold()
        if wanted in path:
            matching.append((not path.rpartition("/")[2].startswith(wanted), len(path), each))
        if number % PART == 0:
            shape.pause()
    matching.sort()
    return tuple(each for _, _, each in matching[:limit]), len(matching)


def _viewed(graph: DocumentGraph, request: ViewRequest) -> _View:
    shape, limit = graph.shape, max(1, min(request.limit, MOST_A_LEVEL))
    if request.document is None:
        shown = graph_clusters.folders(graph, request.opened, limit) if shape.names else ()
    else:
        levels = (max(0, min(request.up, MOST_LEVELS)), max(0, min(request.down, MOST_LEVELS)))
        number = shape.numbers[DocumentId(request.document)]
        shown = graph_clusters.neighbourhood(graph, number, levels, limit, content=request.content)
    edges, left_out = graph_clusters.edges(shape, shown, content=request.content)
    generations = tuple(graph_clusters.generation_of(shape, each) for each in shown)
    places = positions(generations, ((source, target) for source, target, _ in edges))
    return _View(shown, generations, tuple(places), edges, left_out)


def _node(shown: ShownNode, place: tuple[float, float], generation: int, counts: list[int]) -> NodeView:
    kind = "collection" if shown.kind == "document" and is_collection(DocumentId(shown.name)) else shown.kind
    return NodeView(kind, shown.name, *place, generation, shown.count, counts)
