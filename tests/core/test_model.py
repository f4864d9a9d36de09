"""Two changes to edges applied one after the other equal their combination."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kahnd.core.model import Dependency, DocumentId, Edges, Kind

targets = st.sampled_from([DocumentId(each) for each in "abc"])
dependencies = st.builds(Dependency, targets, st.sampled_from([Kind.INCLUDE, Kind.PAGE]), st.integers(1, 9))
several = st.lists(dependencies, max_size=3, unique=True).map(tuple)
edges = st.builds(Edges, several, st.lists(targets, max_size=2, unique=True).map(tuple), several)


def applied(known: dict[Dependency, int], edges: Edges) -> dict[Dependency, int]:
    """Returns the lines of edges by dependency, in the order they were added."""
    left = {each: line for each, line in known.items() if each.target not in edges.drop}
    left |= {each: each.line for each in edges.add}
    return left | {each: each.line for each in edges.mark if each in left}


@given(several, st.lists(edges, max_size=4))
def test_combined_changes_equal_the_single_ones(start: tuple[Dependency, ...], changes: list[Edges]) -> None:
    known = {each: each.line for each in start}
    expected, joined = known, Edges()
    for each in changes:
        expected, joined = applied(expected, each), joined.then(each)
    assert applied(known, joined) == expected


def test_an_edge_found_on_another_line_is_the_same() -> None:
    edge = Dependency(DocumentId("a"), Kind.INCLUDE, 1)
    moved = replace(edge, line=2)
    assert edge == moved
    assert not edge != moved  # noqa: SIM202 - it has an answer of its own
    assert edge != replace(edge, kind=Kind.DATA)


def test_an_edge_added_and_dropped_is_not_added() -> None:
    edge = Dependency(DocumentId("a"), Kind.INCLUDE)
    assert Edges(add=(edge,)).then(Edges(drop=(edge.target,))) == Edges(drop=(edge.target,))


def test_an_edge_added_and_marked_is_added_as_marked() -> None:
    edge = Dependency(DocumentId("a"), Kind.INCLUDE, 1)
    (added,) = Edges(add=(edge,)).then(Edges(mark=(replace(edge, line=2),))).add
    assert added.line == 2
