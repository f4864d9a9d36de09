"""The contract that every store fulfils, checked on each of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kahnd.core.model import (
    Attempt,
    BuildId,
    BuildRecord,
    Change,
    Dependency,
    Digest,
    DocumentId,
    Edges,
    Facet,
    Facets,
    Facts,
    Kind,
    OutputPath,
    Problem,
    Reason,
    ReasonKind,
    Result,
    Snapshot,
    Stat,
    Status,
)
from kahnd.core.output_paths import facet_of
from kahnd.core.renderings import rendering_id
from kahnd.core.routes import Route
from kahnd.ports import Store
from store.graphs import changed, done, facts, forgotten, ids, missing, needs

EVERYTHING = Facts(
    id=DocumentId("docs/ünï code's `x`.md"),
    status=Status.FAILED,
    content_hash=Digest("1" * 32),
    last_rendered_hash=Digest("2" * 32),
    inputs_hash=Digest("3" * 32),
    output_hash=Digest("4" * 32),
    effective_hash=Digest("5" * 32),
    recipe_hash=Digest("6" * 32),
    last_recipe_hash=Digest("7" * 32),
    output=OutputPath("site/x.html"),
    problem=Problem("no such partial", "docs/x.md", 7, "make it", "a renderer's\nown words", column=3),
    because=DocumentId("docs/y.md"),
    stat=Stat(12, 1_700_000_000_000_000_001, 1_700_000_000_000_000_002, 2**64 - 5, 1_700_000_000_000_000_003),
    facets=Facets(Digest("8" * 32), Digest("9" * 32), Digest("a" * 32)),
    warnings=(Problem("no such link", "docs/x.md", 8, "correct it", column=12), Problem("is long", "docs/z.md")),
    took_ms=1.5,
    limits="timeout_s 60",
    outputs=((OutputPath("site/x.html"), Digest("4" * 32)), (OutputPath("site/ünï x's.pdf"), Digest("b" * 32))),
    route=Route(
        "ünï x's",
        "/a/",
        ("/old/index.html", "older.html"),
        ("html",),
        (("meta.year", "2026"), ("meta.section", "x's")),
        Problem("is missing", "docs/x.md", 2, "write it", column=1),
    ),
)


def build(number: int) -> BuildRecord:
    return BuildRecord(BuildId(str(number)), "save", f"2026-11-23T10:00:0{number}Z", 12.5, 4, 3, 2, 1, 0, 2)


def attempt(document: str, second: int, status: Status = Status.DONE) -> Result:
    problem = Problem("broken", "a.md", 3) if status is Status.FAILED else None
    history = Attempt(BuildId("7"), "save", f"2026-11-23T10:00:0{second}Z", 1.5)
    return Result(replace(facts(document, status), problem=problem), attempt=history)


async def chain(store: Store, *documents: str) -> None:
    """Each document includes the next; all DONE."""
    pairs = zip(documents, (*documents[1:], ""), strict=True)
    await store.propagate([changed(document, add=target) for document, target in pairs])
    await store.commit([done(document) for document in documents])


async def statuses(store: Store) -> dict[str, Status]:
    return {each.id: each.status for each in (await store.load()).documents}


async def test_a_new_store_knows_nothing(store: Store) -> None:
    assert await store.load() == Snapshot()
    assert await store.frontier() == ()
    assert await store.history(None, 10) == ()


async def test_every_fact_survives(store: Store) -> None:
    await store.commit([Result(EVERYTHING)])
    assert (await store.load()).documents == (EVERYTHING,)


async def test_facts_replace_all_earlier_ones(store: Store) -> None:
    await store.commit([Result(EVERYTHING)])
    bare = Facts(EVERYTHING.id, Status.DONE)
    await store.commit([Result(bare)])
    assert (await store.load()).documents == (bare,)


async def test_the_outputs_of_a_large_folder_survive(store: Store) -> None:
    outputs = tuple((OutputPath(f"site/tree/{number:05}.html"), Digest(f"{number:032}")) for number in range(10_000))
    large = Facts(DocumentId("docs/tree"), Status.DONE, output=OutputPath("site/tree/"), outputs=outputs)
    await store.commit([Result(large)])
    assert (await store.load()).documents == (large,)


async def test_the_facets_of_one_of_several_outputs_survive(store: Store) -> None:
    facets = frozenset({Facet.URL, facet_of(Facet.OUTPUT, "site/x y.pdf")})
    edge = Dependency(DocumentId("docs/x.md"), Kind.OUTPUT, 3, facets=facets)
    await store.propagate([Change(facts("docs/a.md"), Edges(add=(edge,))), changed("docs/x.md")])
    (found,) = (await store.load()).dependencies[DocumentId("docs/a.md")]
    assert found.facets == facets


async def test_changes_are_written_with_status_dirty(store: Store) -> None:
    await store.propagate([Change(EVERYTHING)])
    assert (await store.load()).documents == (replace(EVERYTHING, status=Status.DIRTY),)


async def test_dependencies_keep_the_order_they_were_added_in(store: Store) -> None:
    await store.propagate([changed(each) for each in ("z", "m", "b")])
    await store.propagate([changed("page", add="z b:data b")])
    await store.commit([done("page", add="m z")])
    assert (await store.load()).dependencies == {"page": needs("z b:data b m")}


async def test_an_edge_added_again_takes_the_new_line(store: Store) -> None:
    for line in (3, 8):
        await store.propagate([Change(facts("a"), Edges((Dependency(DocumentId("a"), Kind.PAGE, line),)))])
    assert (await store.load()).dependencies[DocumentId("a")][0].line == 8


async def test_dropping_a_target_drops_all_its_kinds_before_anything_is_added(store: Store) -> None:
    await store.propagate([changed("b"), changed("c"), changed("a", add="b b:data c")])
    await store.propagate([changed("a", add="b:page", drop="b")])
    assert (await store.load()).dependencies == {"a": needs("c b:page")}


async def test_a_change_reaches_every_transitive_dependent(store: Store) -> None:
    await chain(store, "d", "c", "b", "a")
    await chain(store, "aside")
    assert set(await store.propagate([changed("b")])) == set(ids("b c d"))
    assert [document for document, status in (await statuses(store)).items() if status is Status.DONE] == ["a", "aside"]


async def test_new_edges_propagate_at_once(store: Store) -> None:
    await chain(store, "b", "a")
    await chain(store, "d", "c")
    assert set(await store.propagate([changed("c", add="b"), changed("a")])) == set(ids("a b c d"))


async def test_a_change_reaches_content_dependents_and_their_ordered_dependents(store: Store) -> None:
    await store.propagate([changed("a"), changed("b", add="a:page"), changed("c", add="b"), changed("d", add="b:page")])
    await store.commit([done(each) for each in "abcd"])
    assert set(await store.propagate([changed("a")])) == set(ids("a b c"))


async def test_content_dependents_are_only_reached_by_a_change_of_content(store: Store) -> None:
    await store.propagate([changed("a"), changed("b", add="a:page a:collection"), changed("c", add="a:data")])
    await store.commit([done(each) for each in "abc"])
    assert set(await store.propagate([changed("a", content=False)])) == set(ids("a c"))


@pytest.mark.parametrize(
    ("change", "reached"),
    [
        (changed("a", linked=False), "a b c"),
        (changed("a", content=False), "a d e"),
        (changed("a", content=False, linked=False), "a"),
    ],
)
async def test_documents_that_link_are_reached_by_what_matters_to_links(
    store: Store, change: Change, reached: str
) -> None:
    edges = {"a": "", "b": "a:page", "c": "b", "d": "a:link", "e": "d", "f": "d:link"}
    await store.propagate([changed(each, add=needed) for each, needed in edges.items()])
    await store.commit([done(each) for each in edges])
    assert set(await store.propagate([change])) == set(ids(reached))


async def test_content_dependents_are_not_reached_by_changes_below_their_target(store: Store) -> None:
    await store.propagate([changed("a"), changed("b", add="a"), changed("c", add="b:page")])
    await store.commit([done(each) for each in "abc"])
    assert set(await store.propagate([changed("a")])) == set(ids("a b"))


async def test_a_document_gone_missing_reaches_its_dependents_but_not_itself(store: Store) -> None:
    await store.propagate([changed("a"), changed("b", add="a"), changed("c", add="a:page")])
    await store.commit([done(each) for each in "abc"])
    assert set(await store.propagate([missing("a")])) == set(ids("b c"))
    assert await statuses(store) == {"a": Status.MISSING, "b": Status.DIRTY, "c": Status.DIRTY}


async def test_a_missing_document_is_never_made_dirty(store: Store) -> None:
    await store.propagate([changed("a"), Change(Facts(DocumentId("b"), Status.MISSING), Edges(needs("a")))])
    await store.propagate([changed("c", add="b")])
    await store.commit([done("a"), done("c")])
    assert set(await store.propagate([changed("a")])) == set(ids("a c"))
    assert (await statuses(store))["b"] is Status.MISSING


async def test_forgetting_a_document_removes_its_edges_and_reaches_its_dependents(store: Store) -> None:
    await store.propagate([changed("a"), changed("b", add="a"), changed("c", add="b:page")])
    await store.commit([done(each) for each in "abc"])
    assert set(await store.propagate([forgotten("b")])) == set(ids("c"))
    snapshot = await store.load()
    assert [each.id for each in snapshot.documents] == ["a", "c"]
    assert snapshot.dependencies == {}


async def test_propagating_is_idempotent(store: Store) -> None:
    await chain(store, "c", "b", "a")
    changes = [changed("a", add="x"), missing("x"), changed("b", add="a:data", drop="a"), forgotten("gone")]
    first = await store.propagate(changes)
    before = await store.load()
    assert set(await store.propagate(changes)) == set(first)
    assert await store.load() == before


async def test_nothing_changed_nothing_affected(store: Store) -> None:
    assert await store.propagate([]) == ()


async def test_the_frontier_needs_nothing_dirty(store: Store) -> None:
    await chain(store, "d", "c", "b", "a")
    await chain(store, "y", "x")
    await store.propagate([changed("b"), changed("x")])
    assert set(await store.frontier()) == set(ids("b x"))
    await store.commit([done("b")])
    assert set(await store.frontier()) == set(ids("c x"))


async def test_content_dependencies_ask_for_no_order(store: Store) -> None:
    await store.propagate([changed("a", add="b:page"), changed("b", add="a:page a:collection")])
    assert set(await store.frontier()) == set(ids("a b"))


async def test_members_of_a_cycle_are_never_in_the_frontier(store: Store) -> None:
    await store.propagate([changed("a", add="b"), changed("b", add="a"), changed("self", add="self"), changed("c")])
    assert set(await store.frontier()) == set(ids("c"))


async def test_a_subgraph_is_the_targets_and_all_they_need(store: Store) -> None:
    await chain(store, "d", "c", "b", "a")
    await chain(store, "other")
    await store.propagate([changed("c", add="data:page other:link"), missing("data")])
    assert await store.subgraph(ids("c")) == set(ids("c b a data"))
    assert await store.subgraph(ids("a other")) == set(ids("a other"))
    assert await store.subgraph([]) == frozenset()


async def test_a_shortest_cycle_follows_dependencies(store: Store) -> None:
    await store.propagate(
        [changed("a", add="b c"), changed("b", add="x"), changed("x", add="a"), changed("c", add="a")]
    )
    assert await store.cycle(DocumentId("a")) == ids("a c a")
    assert await store.cycle(DocumentId("x")) == ids("x a b x")


async def test_a_document_may_depend_on_itself(store: Store) -> None:
    await store.propagate([changed("a", add="a")])
    assert await store.cycle(DocumentId("a")) == ids("a a")


async def test_pages_that_name_each_other_are_no_cycle(store: Store) -> None:
    await store.propagate([changed("a", add="b:page"), changed("b", add="a")])
    assert await store.cycle(DocumentId("a")) == ()


async def test_a_document_that_depends_on_a_cycle_is_not_on_it(store: Store) -> None:
    await store.propagate([changed("a", add="b"), changed("b", add="a"), changed("c", add="a")])
    assert await store.cycle(DocumentId("c")) == ()
    assert await store.cycle(DocumentId("unknown")) == ()


async def test_chains_of_a_thousand_have_no_limit(store: Store) -> None:
    documents = [f"{number:04}" for number in range(1000, 0, -1)]
    await chain(store, *documents)
    assert len(await store.propagate([changed("0001")])) == 1000
    assert len(await store.subgraph(ids("1000"))) == 1000
    assert await store.frontier() == ids("0001")


async def test_a_long_chain_above_many_dependents_has_no_limit(store: Store) -> None:
    beside = [f"beside-{number:03}" for number in range(300)]
    await store.propagate([changed("hub"), *(changed(each, add="hub") for each in beside)])
    await chain(store, *[f"above-{number:03}" for number in range(400, 0, -1)], beside[0])
    assert len(await store.propagate([changed("hub")])) == 1 + 300 + 400


async def test_cycles_of_three_hundred_have_no_limit(store: Store) -> None:
    documents = [f"{number:03}" for number in range(300)]
    await chain(store, *documents)
    assert len(await store.propagate([changed("299", add="000")])) == 300
    assert await store.cycle(DocumentId("000")) == ids(" ".join([*documents, "000"]))
    assert len(await store.subgraph(ids("150"))) == 300
    assert await store.frontier() == ()


async def test_history_is_returned_newest_first(store: Store) -> None:
    await store.commit([attempt("a", 1), attempt("b", 2), done("c")])
    await store.commit([attempt("a", 3, Status.FAILED)])
    newest, *others = await store.history(None, 2)
    assert (newest.document, newest.status, newest.error) == ("a", Status.FAILED, "a.md:3: broken")
    assert [(each.document, each.build, each.cause, each.duration_ms, each.error) for each in others] == [
        ("b", "7", "save", 1.5, None)
    ]
    assert [each.started_at[-3:] for each in await store.history(DocumentId("a"), 10)] == ["03Z", "01Z"]


async def test_history_has_the_reasons_and_the_chain(store: Store) -> None:
    document, other = ids("a ünï/b")
    reasons = (
        Reason(ReasonKind.CONTENT, document, "1" * 32, "2" * 32),
        Reason(ReasonKind.DEPENDENCY, other, None, None),
    )
    history = Attempt(BuildId("7"), "save", "2026-11-23T10:00:01Z", 1.5, reasons, (other, document))
    await store.commit([Result(facts("a", Status.DONE), attempt=history)])
    (entry,) = await store.history(document, 10)
    assert (entry.reasons, entry.chain) == (reasons, (other, document))


async def test_the_renders_of_a_build_are_found_with_their_timing(store: Store) -> None:
    timing = (1, 2, 3.5, DocumentId("a ünï/b"))
    other = Attempt(BuildId("8"), "save", "2026-11-23T10:00:02Z", 1.5)
    timed = Attempt(BuildId("7"), "save", "2026-11-23T10:00:02Z", 1.5, timing=timing)
    await store.commit([attempt("a", 1), Result(facts("b", Status.DONE), attempt=timed)])
    await store.commit([Result(facts("c", Status.DONE), attempt=other)])
    found = {each.document: each.timing for each in await store.renders_of(replace(build(1), id=BuildId("7")))}
    assert found == {"a": None, "b": timing}


async def test_finished_builds_are_returned_newest_first(store: Store) -> None:
    for number in (1, 3, 2):
        await store.commit([], build(number))
    assert await store.builds(2) == (build(3), build(2))


async def test_an_edge_keeps_the_hash_it_had_and_its_place(store: Store) -> None:
    first, second = (replace(each, hash="1" * 32) for each in needs("x y"))
    await store.commit([replace(done("a"), edges=Edges((first, second)))])
    await store.commit([replace(done("a"), edges=Edges((replace(first, hash="2" * 32),)))])
    found = (await store.load()).dependencies[DocumentId("a")]
    assert [(each.target, each.hash) for each in found] == [("x", "2" * 32), ("y", "1" * 32)]
    await store.propagate([changed("a", drop="x"), changed("b")])
    await store.propagate([changed("a", add="x")])
    found = (await store.load()).dependencies[DocumentId("a")]
    assert [(each.target, each.hash) for each in found] == [("y", "1" * 32), ("x", None)]


async def test_marking_an_edge_does_not_create_it(store: Store) -> None:
    there, elsewhere = (replace(each, hash="1" * 32, line=7) for each in needs("x y"))
    await store.commit([done("x"), done("y"), done("a", add="x")])
    await store.commit([replace(done("a"), edges=Edges(mark=(there, elsewhere)))])
    found = (await store.load()).dependencies[DocumentId("a")]
    assert [(each.target, each.hash, each.line) for each in found] == [("x", "1" * 32, 7)]


async def test_a_later_result_in_a_batch_replaces_an_earlier_one(store: Store) -> None:
    await store.commit([done("x"), done("y"), done("a", add="x"), done("a", add="y", drop="x")])
    assert (await store.load()).dependencies[DocumentId("a")] == needs("y")


async def test_an_edges_certainty_is_that_of_the_last_commit(store: Store) -> None:
    for sure in (True, False, True):
        await store.commit([replace(done("a"), edges=Edges((replace(*needs("x"), sure=sure),)))])
        assert [each.sure for each in (await store.load()).dependencies[DocumentId("a")]] == [sure]


async def test_an_edge_distinguishes_no_facets_from_all_facets(store: Store) -> None:
    used = (frozenset({Facet.URL, Facet.TITLE}), frozenset[Facet](), None)
    edges = tuple(replace(each, facets=facets) for each, facets in zip(needs("x y z"), used, strict=True))
    await store.commit([done("x"), done("y"), done("z"), replace(done("a"), edges=Edges(edges))])
    found = (await store.load()).dependencies[DocumentId("a")]
    assert tuple(each.facets for each in found) == used
    await store.commit([replace(done("a"), edges=Edges((replace(edges[0], facets=None),)))])
    assert (await store.load()).dependencies[DocumentId("a")][0].facets is None


async def test_committing_is_idempotent(store: Store) -> None:
    for _ in range(2):
        await store.commit([attempt("a", 1), done("b", add="a", drop="x")])
    assert len(await store.history(None, 10)) == 1
    assert (await store.load()).dependencies == {"b": needs("a")}


async def test_a_finished_build_is_kept_with_its_results(store: Store) -> None:
    await store.commit([done("x"), attempt("a", 1)], build(1))
    snapshot = await store.load()
    assert ([each.id for each in snapshot.documents], snapshot.last_build) == (["a", "x"], build(1))
    assert len(await store.history(None, 10)) == 1


async def test_nothing_to_commit_changes_nothing(store: Store) -> None:
    await store.commit(())
    assert await store.load() == Snapshot()


async def test_the_last_build_is_the_one_that_started_last(store: Store) -> None:
    for number in (2, 3, 1, 3):
        await store.commit((), build(number))
    assert (await store.load()).last_build == build(3)


async def test_large_stores_are_loaded_whole(store: Store) -> None:
    names = [f"{number:05}" for number in range(3000)]
    await store.propagate([changed(name, add="00000") for name in names])
    snapshot = await store.load()
    assert [each.id for each in snapshot.documents] == names
    assert len(snapshot.dependencies) == 3000


async def test_a_first_scan_of_any_size_propagates(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large scan takes several transactions, so a document may be needed by one that is written before it."""
    monkeypatch.setattr("kahnd.store.surreal_store.CHUNK", 7)
    names = [f"{number:02}" for number in range(30)]
    changes = [changed(name, add=f"{other} x") for name, other in zip(names, [*names[1:], "00"], strict=True)]
    assert set(await store.propagate([*changes, missing("x")])) == set(names)
    assert await statuses(store) == dict.fromkeys(names, Status.DIRTY) | {"x": Status.MISSING}
    assert len(await store.subgraph(ids("00"))) == 31


async def test_a_cleared_workspace_knows_nothing_and_can_be_filled_again(store: Store) -> None:
    await store.propagate([changed("a", "b c:page"), changed("b"), changed("c")])
    await store.commit([attempt("a", 1)], build(1))
    await store.clear()
    assert await store.load() == Snapshot()
    assert await store.history(None, 10) == ()
    await store.propagate([changed("a", "b"), changed("b")])
    assert [each.id for each in (await store.load()).documents] == list(ids("a b"))


async def test_renderings_of_one_document_are_apart(store: Store) -> None:
    """A rendering beside a document's own is a row of its own, with an id that no path can have."""
    own, beside = "docs/a.md", rendering_id(DocumentId("docs/a.md"), "{dir}/{stem}.pdf")
    await store.propagate([changed(own), changed(beside, add="p"), changed("p"), changed("q", add=f"{beside}:output")])
    await store.commit([attempt(own, 1), attempt(beside, 2, Status.FAILED)])
    assert {each.id: each.status for each in (await store.load()).documents if each.id != "p"} == {
        own: Status.DONE,
        beside: Status.FAILED,
        "q": Status.DIRTY,
    }
    assert [each.document for each in await store.history(beside, 10)] == [beside]
    assert set(await store.propagate([changed("p")])) == {"p", beside, "q"}
    assert set(await store.propagate([changed(own)])) == {own}
    assert await store.subgraph([DocumentId("q")]) == {"q", beside, "p"}
    await store.propagate([forgotten(beside)])
    assert {each.id for each in (await store.load()).documents} == {own, "p", "q"}
