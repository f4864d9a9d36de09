"""Reasons and the inputs hash agree; chains lead to the edited document."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.world import PAGE_RULE, World, at_rest, now, with_recipe
from kahnd.core import hashing, reasons
from kahnd.core.explanation import explain, plan_build
from kahnd.core.model import NO_EDGES, Digest, DocumentId, HistoryEntry, ReasonKind
from kahnd.core.reasons import LEFT_OUT, LONGEST, ChangeChains

names = st.text(max_size=2)
walks = st.builds(
    lambda recipe, content, hashes: tuple(
        hashing.trace_inputs(recipe, content, [(*key, each) for key, each in hashes.items()])
    ),
    names,
    names,
    st.dictionaries(st.tuples(names.map("d{}".format), names), names, max_size=3),
)
CHAIN = {
    "docs/p.txt": "one",
    "docs/q.txt": "include docs/p.txt",
    "docs/a.md": "include docs/q.txt",
    "docs/b.md": "output docs/a.md",
}


@given(one=walks, other=walks)
def test_there_are_differences_exactly_if_the_hashes_differ(
    one: list[hashing.Input], other: list[hashing.Input]
) -> None:
    assert (list(hashing.compare_inputs(one, other)) == []) == (hashing.hash_inputs(one) == hashing.hash_inputs(other))


lines = st.sampled_from(
    ["text", "include docs/p.txt", "find docs/p.txt", "page docs/b.md", "output docs/c.md", "pages docs/*.md"]
)
documents = st.sampled_from(["docs/a.md", "docs/b.md", "docs/p.txt", "docs/q.txt", "docs/c.md"])
edits = st.lists(st.tuples(documents, st.lists(lines, max_size=2).map("\n".join) | st.none()), max_size=6)


@given(edits=edits)
def test_finished_documents_differ_in_nothing_and_each_rendering_has_a_reason(
    edits: list[tuple[str, str | None]],
) -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt", "docs/p.txt": "one", "docs/b.md": "find docs/a.md"})
    for path, text in edits:
        if text is not None:
            world.write(path, text)
        elif path in world.sources.texts:
            world.delete(path)
        world.start()
        world.settle()
        for node in world.machine.graph:
            if node.claim and node.status == "DONE":
                assert reasons.differences(world.machine.graph, node) == ()
    entries = _history(world)
    assert all(each.reasons for each in entries)
    assert all(each.chain[-1] == each.document for each in entries)


def _history(world: World, document: str | None = None) -> tuple[HistoryEntry, ...]:
    return now(world.store.history(DocumentId(document) if document else None, 1000))


def _latest(world: World, document: str) -> HistoryEntry:
    return max(_history(world, document), key=lambda each: int(each.build[1:]))


def test_a_chain_goes_through_plain_and_rendered_documents() -> None:
    world = at_rest(CHAIN)
    world.save("docs/p.txt", "two")
    world.settle()
    assert _latest(world, "docs/b.md").chain == ("docs/p.txt", "docs/q.txt", "docs/a.md", "docs/b.md")
    (reason,) = _latest(world, "docs/b.md").reasons
    assert (reason.kind, reason.document) == (ReasonKind.DEPENDENCY, "docs/a.md")
    assert reason.before != reason.after == world.machine.graph[DocumentId("docs/a.md")].facts.output_hash


def test_the_next_render_is_explained_by_the_same_chain() -> None:
    world = at_rest(CHAIN)
    world.write("docs/p.txt", "two")
    world.slots = 0
    world.start()
    told = explain(world.machine, DocumentId("docs/b.md"), ())
    assert told.chain == ("docs/p.txt", "docs/q.txt", "docs/a.md", "docs/b.md")
    assert told.reasons == plan_build(world.machine).reasons[DocumentId("docs/b.md")]


def test_a_recipe_an_output_and_a_failure_are_reasons() -> None:
    world = at_rest({"docs/a.md": "one", "docs/b.md": "fail"})
    world.layout = with_recipe(PAGE_RULE, "2")
    world.start()
    world.settle()
    assert [each.kind for each in _latest(world, "docs/a.md").reasons] == [ReasonKind.RECIPE]
    world.lose_output("site/a.html")
    world.settle()
    assert [each.kind for each in _latest(world, "docs/a.md").reasons] == [ReasonKind.OUTPUT]
    world.ask(retry=True)
    world.settle()
    assert ReasonKind.FAILED in [each.kind for each in _latest(world, "docs/b.md").reasons]


def test_only_hashes_that_changed_are_written() -> None:
    """An index over many is told of one change by one edge."""
    pages = {f"docs/{number}.txt": "one" for number in range(50)}
    world = at_rest(pages | {"docs/i.md": "\n".join(f"include {path}" for path in pages)})
    graph = world.machine.graph
    node, other = graph[DocumentId("docs/i.md")], graph[DocumentId("docs/7.txt")]
    assert graph.update_trace(node) == NO_EDGES
    graph.put(replace(other.facts, effective_hash=Digest("2" * 32)))
    (changed,) = graph.update_trace(node).mark
    assert (changed.target, changed.hash) == ("docs/7.txt", f"{'2' * 32} ")


def test_a_long_chain_is_shown_by_its_ends() -> None:
    trail = ChangeChains(())
    ids = [DocumentId(f"d{number}") for number in range(100)]
    trail.add(ids[0], ())
    for one, other in pairwise(ids):
        chain = trail.add(other, (one,))
    assert (chain[:2], chain[-1], len(chain)) == (("d0", LEFT_OUT), "d99", LONGEST + 2)
