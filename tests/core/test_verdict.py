"""What is to be done with a document, and what an outcome is worth."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.world import COMMAND_RULE, LAYOUT, PAGE_RULE
from kahnd.core import verdict
from kahnd.core.graph import Graph, Node
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Facts,
    Failed,
    Kind,
    OutputPath,
    Problem,
    Read,
    Rendered,
    Snapshot,
    Status,
    Unmet,
)

A, D, P, X = (DocumentId(each) for each in ("docs/a.md", "docs/d.cmd", "docs/p.txt", "docs/x.md"))
HASH = Digest("h")
FAULT = Problem("a fault")


def graph_of(*facts: Facts, needs: tuple[Dependency, ...] = (), by: DocumentId = A) -> Graph:
    documents = {each.id: each for each in (Facts(by, content_hash=HASH), *facts)}
    return Graph(LAYOUT, Snapshot(tuple(documents.values()), {by: needs}))


def decided(graph: Graph, document: DocumentId = A, *, forced: bool = False) -> verdict.Verdict:
    return verdict.decide(graph, graph[document], forced=forced)


def include(target: DocumentId, line: int = 0) -> Dependency:
    return Dependency(target, Kind.INCLUDE, line)


def done(document: DocumentId, **more: Digest) -> Facts:
    return Facts(document, Status.DONE, **{"content_hash": HASH, "effective_hash": HASH, **more})  # type: ignore[arg-type]


def rendered(*reads: Read) -> Rendered:
    return Rendered(Digest("o"), reads)


def test_a_document_that_was_never_rendered_is_run() -> None:
    assert decided(graph_of()) == verdict.Run(HASH, PAGE_RULE, OutputPath("site/a.html"))


def test_a_document_with_the_inputs_of_its_last_render_is_unchanged_unless_forced() -> None:
    graph = graph_of(done(P), needs=(include(P),))
    graph.remember(graph[A])
    known = Facts(A, content_hash=HASH, output=OutputPath("site/a.html"), inputs_hash=graph.inputs_hash(graph[A]))
    graph.put(known)
    assert decided(graph) == verdict.Unchanged()
    assert isinstance(decided(graph, forced=True), verdict.Run)
    graph.put(done(P, effective_hash=Digest("other")))
    assert isinstance(decided(graph), verdict.Run)


def test_a_document_whose_output_was_elsewhere_is_run() -> None:
    graph = graph_of()
    graph.put(Facts(A, content_hash=HASH, output=OutputPath("site/b.html"), inputs_hash=graph.inputs_hash(graph[A])))
    assert isinstance(decided(graph), verdict.Run)


def test_a_plain_document_is_settled() -> None:
    assert decided(graph_of(by=P), P) == verdict.Settle(HASH)


def test_a_document_that_can_not_be_read_fails_with_the_reason() -> None:
    assert decided(graph_of(Facts(A, problem=FAULT))) == verdict.Fail(FAULT)


@pytest.mark.parametrize(("status", "fate"), [(Status.FAILED, "failed"), (Status.BLOCKED, "is blocked by docs/x.md")])
def test_what_needs_something_broken_is_blocked_by_the_culprit(status: Status, fate: str) -> None:
    because = X if status is Status.BLOCKED else None
    blocked = decided(graph_of(Facts(P, status, because=because), needs=(include(P, 7),)))
    problem = Problem(f"needs docs/p.txt, which {fate}", A, 7)
    assert blocked == verdict.Block(because or P, problem)


def test_a_content_dependency_on_something_broken_does_not_block() -> None:
    broken = Facts(X, Status.FAILED, content_hash=HASH)
    assert isinstance(decided(graph_of(broken, needs=(Dependency(X, Kind.PAGE),))), verdict.Run)


def test_what_is_missing_blocks_a_command_and_leaves_a_page_to_its_renderer() -> None:
    missing = Facts(P, Status.MISSING)
    blocked = decided(graph_of(missing, needs=(include(P, 3),), by=D), D)
    problem = Problem("needs docs/p.txt, which does not exist", D, 3, "create it, or correct the reference")
    assert blocked == verdict.Block(P, problem)
    assert isinstance(decided(graph_of(missing, needs=(include(P),))), verdict.Run)


def test_what_is_declared_and_missing_blocks_a_page_too() -> None:
    missing = Facts(P, Status.MISSING)
    assert isinstance(decided(graph_of(missing, needs=(Dependency(P, Kind.DECLARED),))), verdict.Block)


def edges(needs: tuple[Dependency, ...], outcome: Rendered | Failed | Unmet, by: DocumentId = A) -> set[Dependency]:
    rule = PAGE_RULE if by == A else COMMAND_RULE
    return set(verdict.edges_after(Node(Facts(by), rule, dependencies=needs), outcome))


DECLARED, FOUND, SCANNED = Dependency(P, Kind.DECLARED, sure=True), Dependency(X, Kind.DISCOVERED), include(P)


def test_what_a_page_read_replaces_all_but_what_is_declared() -> None:
    assert edges((SCANNED, DECLARED), rendered(Read(include(X)))) == {DECLARED, include(X)}


def test_a_command_keeps_what_was_scanned_and_replaces_what_was_discovered() -> None:
    other = Dependency(DocumentId("docs/other.md"), Kind.DISCOVERED)
    assert edges((SCANNED, FOUND), rendered(Read(other)), D) == {SCANNED, other}


def test_a_rendering_that_did_not_end_well_adds_what_it_read() -> None:
    sure = replace(SCANNED, sure=True)
    for known, kept in ((sure, {SCANNED}), (SCANNED, set())):
        assert edges((known,), Failed(FAULT, (Read(include(X)),))) == {*kept, include(X)}
        assert edges((known,), Unmet(include(X), FAULT)) == {*kept, include(X)}


def test_a_run_that_found_its_own_source_changed_does_not_need_itself() -> None:
    assert edges((), Unmet(Dependency(A, Kind.DISCOVERED), FAULT)) == set()


def checked(graph: Graph, *reads: Read, unfinished: tuple[DocumentId, ...] = ()) -> verdict.Accept | verdict.Again:
    return verdict.check(graph, graph[A], reads, unfinished)


def test_reads_that_are_what_the_graph_says_are_accepted() -> None:
    reads = (Read(include(P), HASH), Read(Dependency(X, Kind.OUTPUT), Digest("o")))
    assert checked(graph_of(done(P), done(X, output_hash=Digest("o"))), *reads) == verdict.Accept()


def test_bytes_that_the_graph_does_not_know_are_looked_at() -> None:
    reads = (Read(include(P), Digest("newer")), Read(Dependency(X, Kind.OUTPUT), HASH))
    assert checked(graph_of(done(P), done(X)), *reads) == verdict.Again((P, X))


def test_something_unfinished_that_was_read_is_waited_for() -> None:
    read = Read(Dependency(X, Kind.OUTPUT), HASH)
    assert checked(graph_of(done(X)), read, unfinished=(X,)) == verdict.Again()


def test_something_unfinished_whose_content_alone_was_read_is_not_waited_for() -> None:
    read = Read(Dependency(X, Kind.PAGE), HASH)
    assert checked(graph_of(done(X)), read, unfinished=(X,)) == verdict.Accept()


def test_something_broken_that_was_read_is_as_if_it_had_been_known_before() -> None:
    broken = Facts(X, Status.FAILED, content_hash=HASH)
    assert checked(graph_of(broken), Read(include(X), HASH)) == verdict.Again()


def test_a_missing_file_that_is_there_by_now_is_looked_at() -> None:
    assert checked(graph_of(done(P)), Read(include(P))) == verdict.Again((P,))
    assert checked(graph_of(Facts(P, Status.MISSING)), Read(include(P))) == verdict.Accept()


@pytest.mark.parametrize("known", [(), (Facts(P, Status.MISSING),)], ids=["never one", "no more"])
def test_a_file_that_is_no_document_is_named_as_what_will_never_fit(known: tuple[Facts, ...]) -> None:
    problem = verdict.unfit(graph_of(*known), [Read(include(P, 4), HASH)])
    assert problem is not None
    assert (problem.message, problem.line) == (
        "docs/p.txt is not a document: it is ignored, or outside the project's sources",
        4,
    )
    assert verdict.unfit(graph_of(done(P)), [Read(include(P), Digest("other"))]) is None


def test_a_long_cycle_is_told_by_its_beginning() -> None:
    path = tuple(DocumentId(str(number)) for number in range(100))
    told = verdict.on_cycle((*path, path[0]), path[0]).message
    assert told.startswith("depends on itself: 0 → 1 → 2 →")
    assert told.endswith("→ 17 → (82 more) → 0")
