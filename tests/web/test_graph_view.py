"""What of the graph is drawn, and where: every document is in one node, within bounds, and each edge is counted."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.app.document_graph import CODES, DocumentGraph, Entry, document_graph
from kahnd.core.model import Dependency, DocumentId, Kind, Status
from kahnd.web.graph_clusters import MOST_EDGES, MOST_NODES, ROOM
from kahnd.web.graph_view import GraphAnswer, GraphViews, ViewRequest, found

DONE, FAILED, DIRTY = CODES[Status.DONE], CODES[Status.FAILED], CODES[Status.DIRTY]
FOLDERS = ["", "docs/", "docs/a/", "docs/a/deep/down/", "docs/b/", "data/"]


def include(target: str, kind: Kind = Kind.INCLUDE) -> Dependency:
    return Dependency(DocumentId(target), kind)


def graph_of(needs: dict[str, list[str]], **statuses: int) -> DocumentGraph:
    """A graph of documents and what they include; all are done but those whose first letter has another status."""
    return document_graph(
        {
            DocumentId(each): Entry(
                statuses.get(each.rpartition("/")[2][0], DONE), rendered=True, dependencies=tuple(map(include, targets))
            )
            for each, targets in needs.items()
        },
        1,
    )


documents = st.builds(lambda folder, number: f"{folder}{number}.md", st.sampled_from(FOLDERS), st.integers(0, 30))
graphs = st.dictionaries(documents, st.lists(documents, max_size=3), min_size=1, max_size=150).map(graph_of)
requests = st.builds(
    ViewRequest,
    opened=st.frozensets(st.sampled_from([each.rstrip("/") for each in FOLDERS] + ["no/such"]), max_size=3),
    limit=st.integers(1, 40),
    content=st.booleans(),
)


def view(graph: DocumentGraph, request: ViewRequest | None = None) -> GraphAnswer:
    return GraphViews().answer(graph, request or ViewRequest())


def names(answer: GraphAnswer) -> list[str]:
    return [f"{each.kind} {each.name}" for each in answer.nodes or ()]


@given(graph=graphs, request=requests)
def test_every_document_is_in_exactly_one_node_and_every_status_is_counted(
    graph: DocumentGraph, request: ViewRequest
) -> None:
    answer = view(graph, request)
    nodes = answer.nodes or ()
    assert sum(each.count for each in nodes) == len(graph.shape.names)
    assert [sum(column) for column in zip(*(each.counts for each in nodes), strict=True)] == [
        graph.statuses.count(code) for code in CODES.values()
    ]
    assert len({(each.kind, each.name) for each in nodes}) == len(nodes) <= MOST_NODES


@given(graph=graphs, request=requests)
def test_every_edge_between_two_nodes_is_counted(graph: DocumentGraph, request: ViewRequest) -> None:
    answer = view(graph, request)
    nodes = answer.nodes or ()
    edges = Counter({(source, target): count for source, target, count in answer.edges or ()})
    single = {each.name: place for place, each in enumerate(nodes) if each.kind == "document"}
    shape = graph.shape
    for name, place in single.items():
        outside = list(shape.order.of(shape.numbers[DocumentId(name)]))
        assert sum(count for (source, _), count in edges.items() if source == place) == len(outside)
        for to in outside:
            if shape.names[to] in single:
                assert edges[place, single[shape.names[to]]] == 1
    assert all(source != target for source, target in edges)


@given(graph=graphs, request=requests)
def test_no_two_nodes_have_the_same_place_and_what_is_needed_is_on_the_left(
    graph: DocumentGraph, request: ViewRequest
) -> None:
    nodes = view(graph, request).nodes or ()
    assert len({(each.x, each.y) for each in nodes}) == len(nodes)
    for left, right in combinations(nodes, 2):
        if left.generation != right.generation:
            assert (left.x < right.x) is (left.generation < right.generation)


@given(graph=graphs, up=st.integers(0, 3), down=st.integers(0, 3), limit=st.integers(1, 5))
def test_a_neighbourhood_has_what_is_within_reach_or_says_how_much_it_leaves_out(
    graph: DocumentGraph, up: int, down: int, limit: int
) -> None:
    shape = graph.shape
    nodes = view(graph, ViewRequest(document=shape.names[0], up=up, down=down, limit=limit)).nodes or ()
    whole = view(graph, ViewRequest(document=shape.names[0], up=up, down=down, limit=500)).nodes or ()
    reached = {0}
    for relation, depth in ((shape.order_above, up), (shape.order, down)):
        level = {0}
        for _ in range(depth):
            level = {each for one in level for each in relation.of(one)} - reached
            reached |= level
    assert {each.name for each in whole} == {shape.names[each] for each in reached}
    shown = [each for each in nodes if each.kind != "more"]
    assert {each.name for each in shown} <= {each.name for each in whole}
    assert len(shown) <= 1 + limit * (up + down)


def test_a_small_project_is_shown_whole_and_a_large_one_by_folders() -> None:
    small = {"docs/index.md": ["docs/a.md"], "docs/a.md": ["data/x.csv"], "data/x.csv": []}
    assert sorted(names(view(graph_of(small)))) == [f"document {each}" for each in sorted(small)]
    large: dict[str, list[str]] = {f"docs/{number}.md": [] for number in range(ROOM + 1)}
    assert names(view(graph_of({**large, "data/x.csv": []}))) == ["document data/x.csv", "folder docs"]


def test_folders_that_hold_nothing_but_a_folder_are_passed_over() -> None:
    deep: dict[str, list[str]] = {f"src/site/content/posts/{number}.md": [] for number in range(100)}
    assert names(view(graph_of({**deep, "a.md": []}))) == ["document a.md", "folder src/site/content/posts"]


def test_an_opened_folder_shows_urgent_documents_first_and_counts_the_rest() -> None:
    many: dict[str, list[str]] = {f"docs/{letter}{number:02}.md": [] for letter in "dfp" for number in range(50)}
    graph = graph_of(many, f=FAILED, p=DIRTY)
    answer = view(graph, ViewRequest(opened=frozenset({"docs"}), limit=60))
    nodes = answer.nodes or ()
    assert [each.name for each in nodes if each.kind == "document"] == [
        *(f"docs/f{number:02}.md" for number in range(50)),
        *(f"docs/p{number:02}.md" for number in range(10)),
    ]
    (more,) = (each for each in nodes if each.kind == "more")
    assert (more.name, more.count, more.counts[DONE], more.counts[DIRTY]) == ("docs", 90, 50, 40)


def test_no_more_is_drawn_than_the_bounds_allow() -> None:
    """Thousands of folders with thousands of documents, all opened, and everything needs everything nearby."""
    needs = {
        f"docs/{folder}/{number}.md": [f"docs/{folder}/{each}.md" for each in range(12)]
        for folder in range(400)
        for number in range(12)
    }
    answer = view(graph_of(needs), ViewRequest(opened=frozenset(f"docs/{each}" for each in range(400)), limit=500))
    nodes = answer.nodes or ()
    assert ROOM < len(nodes) <= MOST_NODES
    assert sum(each.count for each in nodes) == len(needs)
    assert len(answer.edges or ()) == MOST_EDGES
    assert answer.left_out > 0


def test_a_hub_shows_some_of_its_dependents_and_how_many_more_there_are() -> None:
    needs: dict[str, list[str]] = {f"docs/{number:04}.md": ["page.html"] for number in range(5_000)}
    answer = view(graph_of({**needs, "page.html": []}), ViewRequest(document="page.html", limit=20))
    nodes = answer.nodes or ()
    assert Counter(each.kind for each in nodes) == {"document": 21, "more": 1}
    assert next(each.count for each in nodes if each.kind == "more") == 4_980


def test_only_the_counts_are_sent_to_who_has_the_view() -> None:
    views, needs = GraphViews(), {"docs/a.md": ["docs/b.md"], "docs/b.md": []}
    graph = graph_of(needs)
    first = views.answer(graph, ViewRequest())
    changed = DocumentGraph(graph.shape, bytes([FAILED, DONE]), graph.revision + 1)
    second = views.answer(changed, ViewRequest(), first.shape)
    assert (second.nodes, second.edges, second.revision) == (None, None, 1)
    assert views.answer(graph, ViewRequest(opened=frozenset({"docs"}))).edges is not None
    assert second.counts == ([1, 0, 0, 0, 0], [0, 0, 0, 1, 0])
    assert views.answer(changed, ViewRequest(content=True), first.shape).nodes is not None, "it is another view"


def test_a_document_that_is_not_there_is_said_to_be_unknown_and_an_empty_graph_has_no_nodes() -> None:
    assert view(graph_of({"a.md": []}), ViewRequest(document="b.md")).unknown
    assert view(DocumentGraph()).nodes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INDEX", ["docs/index.md", "docs/posts/index.md", "docs/old-index.md"]),
        ("posts/", ["docs/posts/index.md"]),
        ("nothing", []),
    ],
)
def test_a_search_finds_paths_and_puts_names_that_begin_so_first(text: str, expected: list[str]) -> None:
    shape = graph_of({"docs/old-index.md": [], "docs/posts/index.md": [], "docs/index.md": [], "a.md": []}).shape
    assert found(shape, text, 10) == (tuple(expected), len(expected))
    assert found(shape, text, 1) == (tuple(expected[:1]), len(expected))
