"""The compact picture of the graph: what it holds of each document, folders as ranges, generations, and keeping up."""

from __future__ import annotations

from itertools import pairwise

import anyio
from hypothesis import example, given
from hypothesis import strategies as st

from core.world import LAYOUT
from kahnd.app.document_graph import CODES, PART, DocumentGraph, Entry, document_graph, entries_of
from kahnd.app.graph_model import GraphModel
from kahnd.core.graph import Graph
from kahnd.core.model import CONTENT_KINDS, Dependency, DocumentId, Facts, Kind, Snapshot, Status

NAMES = [
    DocumentId(each)
    for each in (
        "a.md", "docs/a.md", "docs/b.md", "docs/b/c.md", "docs/b/d/e.md", "docs/b/d/f.md", "docs-x/a.md", "docs/z/y.md",
        "/docs/*.md", "/docs/b/**/*.md", "data/sales.csv",
    )
]  # fmt: skip
names = st.sampled_from(NAMES)
edges = st.builds(Dependency, names, st.sampled_from([Kind.INCLUDE, Kind.OUTPUT, Kind.PAGE, Kind.LINK]))
entries = st.dictionaries(
    names, st.builds(Entry, st.sampled_from([*CODES.values()]), st.booleans(), st.lists(edges, max_size=6).map(tuple))
)
steps = st.lists(
    st.tuples(st.just("put"), names, st.sampled_from(Status))
    | st.tuples(st.just("connect"), names, st.lists(edges, max_size=4))
    | st.tuples(st.just("drop"), names, st.none())
    | st.tuples(st.just("look"), names, st.none()),
    max_size=25,
)


def order_of(picture: DocumentGraph, document: DocumentId) -> set[DocumentId]:
    """The dependencies that must be finished first."""
    shape = picture.shape
    return {shape.names[each] for each in shape.order.of(shape.numbers[document])}


def told(picture: DocumentGraph) -> dict[DocumentId, tuple[int, bool, set[DocumentId], set[DocumentId]]]:
    """All that a picture says of each document."""
    shape = picture.shape
    return {
        each: (
            picture.statuses[number],
            bool(shape.rendered[number]),
            order_of(picture, each),
            {shape.names[one] for one in shape.content.of(number)},
        )
        for number, each in enumerate(shape.names)
    }


@given(entries=entries)
def test_all_documents_are_there_with_their_statuses_and_edges(entries: dict[DocumentId, Entry]) -> None:
    shown = told(document_graph(entries, 1))
    assert shown.keys() == entries.keys()
    for document, (code, rendered, order, content) in shown.items():
        entry = entries[document]
        targets = {each.target: each for each in entry.dependencies if each.target in entries}
        first = {each.target for each in entry.dependencies if each.kind not in CONTENT_KINDS}
        assert (code, rendered) == (entry.code, entry.rendered)
        assert order | content == targets.keys() - {document}
        assert order == (first & targets.keys()) - {document}


@given(entries=entries)
def test_a_folder_is_a_range_of_documents_with_its_own_first(entries: dict[DocumentId, Entry]) -> None:
    shape = document_graph(entries, 1).shape
    for folder in shape.folders.values():
        inside = {
            each for each in shape.names if f"/{each.lstrip('/')}".startswith(f"/{folder.path}/".replace("//", "/"))
        }
        assert set(shape.names[folder.start : folder.end]) == inside
        below = [shape.folders[each] for each in folder.folders]
        ends = [folder.own_end, *(each.end for each in below)]
        assert [each.start for each in below] == ends[:-1], "its folders follow one another"
        assert ends[-1] == folder.end
        assert all(each.parent == folder.path for each in below)


@given(entries=entries)
def test_the_edges_from_above_are_the_same_as_from_below(entries: dict[DocumentId, Entry]) -> None:
    shape = document_graph(entries, 1).shape
    for down, up in ((shape.order, shape.order_above), (shape.content, shape.content_above)):
        numbers = range(len(shape.names))
        below = {
            (each, to, kind) for each in numbers for to, kind in zip(down.of(each), down.kinds_of(each), strict=True)
        }
        above = {(to, each, kind) for each in numbers for to, kind in zip(up.of(each), up.kinds_of(each), strict=True)}
        assert below == above


@given(entries=entries)
def test_what_is_needed_is_in_a_lower_generation_unless_it_needs_the_dependent_too(
    entries: dict[DocumentId, Entry],
) -> None:
    picture = document_graph(entries, 1)
    shape = picture.shape
    needs = {each: order_of(picture, each) for each in shape.names}
    generation = dict(zip(shape.names, shape.generations, strict=True))
    for document, targets in needs.items():
        for each in targets:
            assert generation[each] < generation[document] or document in reachable(each, needs)
        if not any(document in reachable(each, needs) for each in targets):
            assert generation[document] == max((generation[each] + 1 for each in targets), default=0)


def reachable(document: DocumentId, needs: dict[DocumentId, set[DocumentId]]) -> set[DocumentId]:
    found, rest = {document}, [document]
    while rest:
        fresh = needs[rest.pop()] - found
        found |= fresh
        rest += fresh
    return found


def test_a_long_chain_has_a_generation_for_each_document() -> None:
    chain = [DocumentId(f"docs/{number:05}.md") for number in range(5_000)]
    needs = {
        each: Entry(0, rendered=True, dependencies=(Dependency(to, Kind.INCLUDE),)) for each, to in pairwise(chain)
    }
    shape = document_graph({**needs, chain[-1]: Entry(0, rendered=True, dependencies=())}, 1).shape
    assert [shape.generations[shape.numbers[each]] for each in chain] == [*reversed(range(5_000))]


@example(
    steps=[
        ("put", DocumentId("a.md"), Status.MISSING),
        ("put", DocumentId("docs/a.md"), Status.DIRTY),
        ("look", DocumentId("a.md"), None),
        ("connect", DocumentId("docs/a.md"), [Dependency(DocumentId("a.md"), Kind.INCLUDE)]),
    ]
)
@given(steps=steps)
def test_the_model_keeps_up_with_every_change(steps: list[tuple[str, DocumentId, object]]) -> None:
    """However the graph changes between two looks, the picture is as one that is built from nothing."""
    graph = Graph(LAYOUT, Snapshot())
    model = GraphModel(lambda: graph, clock=lambda: 0.0)  # so that no time passes, and it may be built anew at once

    async def run() -> None:
        for step, document, what in steps:
            match step, what:
                case "put", Status():
                    graph.put(Facts(document, what))
                case "connect", list() if document in graph:
                    graph.connect(document, what)
                case "drop", _ if document in graph:
                    graph.drop(document)
                case "look", _:
                    await assert_same(model, graph)
        await assert_same(model, graph)

    anyio.run(run)


async def assert_same(model: GraphModel, graph: Graph) -> None:
    fresh = document_graph(entries_of(graph, list(graph), lambda: None), 1)
    assert told(await model.current()) == told(fresh)


def test_a_new_status_changes_no_shape_and_a_new_document_does() -> None:
    graph = Graph(LAYOUT, Snapshot((Facts(NAMES[1], Status.DIRTY),)))
    model = GraphModel(lambda: graph, clock=lambda: 0.0)

    async def run() -> None:
        first = await model.current()
        assert (await model.current()) is first, "nothing has changed"
        graph.put(Facts(NAMES[1], Status.DONE))
        done = await model.current()
        assert (done.shape, done.revision) == (first.shape, first.revision + 1)
        graph.put(Facts(NAMES[2], Status.DONE))
        more = await model.current()
        assert more.shape.revision == first.shape.revision + 1
        assert list(more.shape.names) == NAMES[1:3]

    anyio.run(run)


def test_the_picture_is_kept_for_longer_than_it_took_to_build_and_stays_after_the_session() -> None:
    graph = Graph(LAYOUT, Snapshot((Facts(NAMES[1], Status.DONE),)))
    times = iter([0.0, 1.0, 5.0, 21.0, 21.0, 22.0])
    session: list[Graph | None] = [graph]
    model = GraphModel(lambda: session[0], clock=lambda: next(times))

    async def run() -> None:
        first = await model.current()
        graph.put(Facts(NAMES[2], Status.DONE))
        assert (await model.current()).shape is first.shape, "it took a second, and is kept for twenty"
        later = await model.current()
        assert list(later.shape.names) == NAMES[1:3]
        session[0] = None
        assert (await model.current()) is later

    anyio.run(run)


def test_a_thread_that_builds_it_pauses_again_and_again() -> None:
    """It would hold the event loop up otherwise: here, no more than a few thousand documents go by without a pause."""
    pauses = []
    chain = [DocumentId(f"docs/{number:05}.md") for number in range(20_000)]
    needs = {
        each: Entry(0, rendered=True, dependencies=(Dependency(to, Kind.INCLUDE),)) for each, to in pairwise(chain)
    }
    document_graph(needs, 1, lambda: pauses.append(1))
    assert len(pauses) >= 2 * len(needs) // PART
