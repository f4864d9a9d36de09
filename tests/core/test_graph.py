from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.world import COMMAND_RULE, LAYOUT, PAGE_RULE, PAGES_ALONE
from kahnd.core.graph import Graph
from kahnd.core.hashing import ABSENT
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facet,
    Facets,
    Facts,
    Kind,
    OutputPath,
    Scan,
    Snapshot,
    Status,
)
from kahnd.core.nodes import Appearances
from kahnd.core.rules import is_collection

IDS = [DocumentId(each) for each in ("docs/a.md", "docs/a.alt", "docs/d.cmd", "docs/p.txt", "/docs/*.md")]
A, _, D, P, ALL = IDS

ids = st.sampled_from(IDS)
dependencies = st.builds(Dependency, ids, st.sampled_from([Kind.INCLUDE, Kind.PAGE, Kind.OUTPUT]))
puts = st.tuples(st.just("put"), ids, st.sampled_from(Status))
connects = st.tuples(st.just("connect"), ids, st.lists(dependencies, max_size=4))
drops = st.tuples(st.just("drop"), ids, st.none())
steps = st.lists(puts | connects | drops, max_size=20)


def graph_of(*documents: Facts, **edges: list[Dependency]) -> Graph:
    return Graph(LAYOUT, Snapshot(documents))


def facts(document: DocumentId, status: Status = Status.DONE, **more: str) -> Facts:
    return Facts(document, status, **{name: Digest(value) for name, value in more.items()})  # type: ignore[arg-type]


def include(target: DocumentId, line: int = 0) -> Dependency:
    return Dependency(target, Kind.INCLUDE, line)


@given(steps=steps)
def test_counts_claims_and_dependents_follow_every_change(steps: list[tuple[str, DocumentId, object]]) -> None:
    graph = Graph(LAYOUT, Snapshot())
    for step, document, what in steps:
        match step, what:
            case "put", Status():
                graph.put(Facts(document, what))
            case "connect", list() if document in graph:
                graph.connect(document, what)
            case "drop", _ if document in graph:
                graph.drop(document)
    _assert_recomputed(graph)


def _assert_recomputed(graph: Graph) -> None:
    nodes = {node.facts.id: node for node in graph}
    counts = Counter(node.status for each, node in nodes.items() if not is_collection(each))
    needed = {dependency.target for node in nodes.values() for dependency in node.dependencies}
    claims: dict[OutputPath, set[DocumentId]] = {}
    for each, node in nodes.items():
        output = None if is_collection(each) or not node.exists else LAYOUT.output_of(each)
        assert node.claim == output
        if output:
            claims.setdefault(output, set()).add(each)
    assert {each: graph.counts[each] for each in Status} == {each: counts[each] for each in Status}
    wrong = {each for each, node in nodes.items() if node.status in {Status.FAILED, Status.BLOCKED}}
    assert [node.facts.id for node in graph.broken()] == sorted(each for each in wrong if not is_collection(each))
    assert {each for each in IDS if graph.needed(each)} == needed
    for output in (OutputPath("site/a.html"), OutputPath("site/d.out")):
        assert graph.claimants(output) == claims.get(output, set())


@given(before=st.lists(dependencies, max_size=4), after=st.lists(dependencies, max_size=4))
def test_the_difference_turns_the_old_edges_into_the_new_and_those_of_commands_in_order(
    before: list[Dependency], after: list[Dependency]
) -> None:
    """Applies a change as a store does: drops by target, adds at the end, and leaves known edges in place."""
    for document in (A, D):
        graph = graph_of(facts(document))
        graph.connect(document, before)
        edges = graph.connect(document, after)
        stored = dict.fromkeys(each for each in dict.fromkeys(before) if each.target not in edges.drop)
        stored |= dict.fromkeys(edges.add)
        new = list(dict.fromkeys(after))
        assert list(stored) == new if document == D else set(stored) == set(new)
        assert graph[document].dependencies == tuple(new)


@pytest.mark.parametrize("used", [(), (Facet.OUTPUT,), (Facet.URL,)])
def test_a_plain_document_has_no_output_to_use(used: tuple[Facet, ...]) -> None:
    output = Dependency(D, Kind.OUTPUT, facets=frozenset(used))
    rendered = graph_of(facts(D, content_hash="same", effective_hash="same"))
    plain = Graph(PAGES_ALONE, Snapshot((facts(D, content_hash="same", effective_hash="same"),)))
    assert plain.hash_of(output) != rendered.hash_of(output)


def test_connecting_the_same_edges_changes_nothing() -> None:
    graph = graph_of(facts(A))
    graph.connect(A, [include(P, line=1), Dependency(P, Kind.PAGE)])
    assert graph.connect(A, [include(P, line=7), Dependency(P, Kind.PAGE)]) == Edges()


def test_a_dropped_kind_drops_its_target_and_adds_the_kinds_left() -> None:
    graph = graph_of(facts(A))
    graph.connect(A, [include(P), Dependency(P, Kind.PAGE)])
    assert graph.connect(A, [include(P)]) == Edges((include(P),), (P,))


def test_a_graph_begins_with_a_snapshot() -> None:
    graph = Graph(LAYOUT, Snapshot((facts(A), facts(P)), {A: (include(P),)}))
    assert graph[A].dependencies == (include(P),)
    assert graph.needed(P)
    assert graph[A].rule is PAGE_RULE
    assert graph.counts[Status.DONE] == 2


def test_a_dependent_by_two_kinds_counts_once() -> None:
    graph = graph_of(facts(A), facts(D), facts(P))
    graph.connect(A, [include(P), Dependency(P, Kind.PAGE)])
    graph.connect(D, [include(P)])
    graph.drop(A)
    assert graph.needed(P)


def test_orphans_are_missing_documents_and_collections_without_dependents() -> None:
    graph = graph_of(facts(A), facts(P, Status.MISSING), facts(ALL), facts(D))
    graph.connect(A, [include(P)])
    assert graph.orphans([P, ALL, D, ALL, DocumentId("unknown")]) == (ALL,)
    graph.connect(A, [])
    assert graph.orphans([P, ALL, D]) == (P, ALL)


def test_an_edge_hash_goes_by_the_kind() -> None:
    rendered = facts(A, content_hash="c", effective_hash="e")
    plain = facts(P, content_hash="c", effective_hash="e")
    graph = graph_of(rendered, plain)
    trace = {kind: (graph.hash_of(Dependency(A, kind)), graph.hash_of(Dependency(P, kind))) for kind in Kind}
    assert trace[Kind.INCLUDE] == ("c,as=page", "e "), "whose front matter is cut"
    assert trace[Kind.DATA] == ("c", "e ")
    assert trace[Kind.PAGE] == ("c site/a.html", "c ")
    assert trace[Kind.OUTPUT] == ("e site/a.html", "e ")
    assert trace[Kind.DECLARED] == ("e site/a.html", "e ")


def test_an_edge_hash_has_only_the_used_facets() -> None:
    parts = Facets(front_matter=Digest("f"), text=Digest("t"), title=Digest("h"))
    page = replace(facts(A, content_hash="c", output_hash="e", effective_hash="e"), facets=parts)
    bare = facts(P, content_hash="c", effective_hash="e")
    graph = graph_of(page, bare)

    def hash_of(document: DocumentId, kind: Kind, *used: Facet) -> str:
        return graph.hash_of(Dependency(document, kind, facets=frozenset(used)))

    assert hash_of(A, Kind.PAGE, Facet.TITLE) == "title=h "
    assert hash_of(A, Kind.PAGE, Facet.URL, Facet.TEXT, Facet.FRONT_MATTER) == "front_matter=f,text=t site/a.html"
    assert hash_of(A, Kind.PAGE) == " "
    assert hash_of(A, Kind.OUTPUT, Facet.URL) == " site/a.html"
    assert hash_of(A, Kind.OUTPUT, Facet.OUTPUT) == "output=e "
    assert hash_of(P, Kind.PAGE, Facet.TITLE) == "title=c ", "what is not written as a page has no parts"
    graph.put(facts(A))
    assert hash_of(A, Kind.PAGE, Facet.URL) == "unreadable"


def test_the_edge_hash_of_a_missing_document_is_absent() -> None:
    graph = graph_of(facts(P, Status.MISSING))
    assert graph.hash_of(include(P)) == graph.hash_of(include(A)) == ABSENT


def test_an_effective_hash_leaves_out_content_dependencies() -> None:
    graph = graph_of(facts(P, content_hash="c"), facts(A, content_hash="one"))
    graph.connect(P, [Dependency(A, Kind.PAGE)])
    assert graph.effective_hash(graph[P]) == "c"


def test_an_inputs_hash_follows_recipe_content_and_dependencies() -> None:
    graph = graph_of(facts(A, recipe_hash="r", content_hash="c"), facts(P, content_hash="p", effective_hash="p"))
    graph.connect(A, [include(P)])
    graph.update_trace(graph[A])
    hashes = [graph.inputs_hash(graph[A])]
    for changed in (
        facts(P, content_hash="q", effective_hash="q"),
        facts(A, recipe_hash="s", content_hash="c"),
        facts(A, recipe_hash="s", content_hash="d"),
    ):
        graph.put(changed)
        graph.update_trace(graph[A])
        hashes.append(graph.inputs_hash(graph[A]))
    assert len(set(hashes)) == 4


def test_a_recipe_covers_the_rule_and_the_output_path() -> None:
    graph = graph_of()
    partial = DocumentId("docs/_a.md")
    recipes = {graph.recipe_of(each, Scan()) for each in (A, DocumentId("docs/b.md"), D, P, partial)}
    assert len(recipes) == 5
    assert graph.recipe_of(partial, Scan()) == graph.recipe_of(DocumentId("docs/_b.md"), Scan())
    assert graph.recipe_of(ALL, Scan()) is None


def test_a_claimed_output_belongs_to_the_document_that_rendered_it_last() -> None:
    output = OutputPath("site/a.html")
    graph = graph_of(Facts(A, Status.DONE, output=output), Facts(IDS[1], Status.FAILED))
    assert graph.claimants(output) == {A, IDS[1]}
    assert graph.is_made_by_others(output, IDS[1])
    assert not graph.is_made_by_others(output, A)


def test_a_document_that_comes_back_claims_its_output_again() -> None:
    graph = graph_of(facts(D))
    graph.put(facts(D, Status.MISSING))
    assert (graph[D].rule, graph[D].claim) == (None, None)
    graph.put(facts(D, Status.DIRTY))
    assert (graph[D].rule, graph[D].claim) == (COMMAND_RULE, "site/d.out")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 5))))
def test_the_earliest_appearance_is_that_of_all_that_are_noted(notes: list[tuple[str, int | None]]) -> None:
    appearances, times = Appearances(), dict[str, int]()
    for name, time in notes:
        appearances.put(DocumentId(name), time)
        times.pop(name, None)
        times |= {} if time is None else {name: time}
        assert appearances.earliest == min(times.values(), default=math.inf)
