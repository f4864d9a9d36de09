"""Decides what to do with a ready document, and whether an outcome counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.world import COMMAND_RULE, LAYOUT, PAGE_RULE
from kahnd.core import decision
from kahnd.core.graph import Graph
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
from kahnd.core.nodes import Node

A, D, P, X = (DocumentId(each) for each in ("docs/a.md", "docs/d.cmd", "docs/p.txt", "docs/x.md"))
HASH = Digest("h")
FAULT = Problem("a fault")


def graph_of(*facts: Facts, needs: tuple[Dependency, ...] = (), by: DocumentId = A) -> Graph:
    documents = {each.id: each for each in (Facts(by, content_hash=HASH), *facts)}
    return Graph(LAYOUT, Snapshot(tuple(documents.values()), {by: needs}))


def decided(graph: Graph, document: DocumentId = A, *, forced: bool = False) -> decision.Decision:
    return decision.decide(graph, graph[document], forced=forced)


def include(target: DocumentId, line: int = 0) -> Dependency:
    return Dependency(target, Kind.INCLUDE, line)


def done(document: DocumentId, **more: Digest) -> Facts:
    return Facts(document, Status.DONE, **{"content_hash": HASH, "effective_hash": HASH, **more})  # type: ignore[arg-type]


def rendered(*reads: Read) -> Rendered:
    return Rendered(Digest("o"), reads)


def test_a_document_that_was_never_rendered_is_rendered() -> None:
    assert decided(graph_of()) == decision.Run(HASH, PAGE_RULE, OutputPath("site/a.html"))


def test_a_document_with_the_inputs_of_its_last_render_is_skipped_unless_forced() -> None:
    graph = graph_of(done(P), needs=(include(P),))
    graph.update_trace(graph[A])
    known = Facts(A, content_hash=HASH, output=OutputPath("site/a.html"), inputs_hash=graph.inputs_hash(graph[A]))
    graph.put(known)
    assert decided(graph) == decision.Skip()
    assert isinstance(decided(graph, forced=True), decision.Run)
    graph.put(done(P, effective_hash=Digest("other")))
    assert isinstance(decided(graph), decision.Run)


def test_a_document_whose_output_path_changed_is_rendered() -> None:
    graph = graph_of()
    graph.put(Facts(A, content_hash=HASH, output=OutputPath("site/b.html"), inputs_hash=graph.inputs_hash(graph[A])))
    assert isinstance(decided(graph), decision.Run)


def test_a_plain_document_is_rehashed() -> None:
    assert decided(graph_of(by=P), P) == decision.Rehash(HASH)


def test_an_unreadable_document_fails_with_the_reason() -> None:
    assert decided(graph_of(Facts(A, problem=FAULT))) == decision.Fail(FAULT)


@pytest.mark.parametrize(("status", "fate"), [(Status.FAILED, "failed"), (Status.BLOCKED, "is blocked by docs/x.md")])
def test_a_document_with_a_broken_dependency_is_blocked_by_the_culprit(status: Status, fate: str) -> None:
    because = X if status is Status.BLOCKED else None
    blocked = decided(graph_of(Facts(P, status, because=because), needs=(include(P, 7),)))
    problem = Problem(f"needs docs/p.txt, which {fate}", A, 7)
    assert blocked == decision.Block(because or P, problem)


def test_a_broken_content_dependency_does_not_block() -> None:
    broken = Facts(X, Status.FAILED, content_hash=HASH)
    assert isinstance(decided(graph_of(broken, needs=(Dependency(X, Kind.PAGE),))), decision.Run)


def test_a_missing_dependency_blocks_a_command_but_not_a_page() -> None:
    missing = Facts(P, Status.MISSING)
    blocked = decided(graph_of(missing, needs=(include(P, 3),), by=D), D)
    problem = Problem("needs docs/p.txt, which does not exist", D, 3, "create it, or correct the reference")
    assert blocked == decision.Block(P, problem)
    assert isinstance(decided(graph_of(missing, needs=(include(P),))), decision.Run)


def test_a_missing_declared_dependency_blocks_a_page_too() -> None:
    missing = Facts(P, Status.MISSING)
    assert isinstance(decided(graph_of(missing, needs=(Dependency(P, Kind.DECLARED),))), decision.Block)


def edges(needs: tuple[Dependency, ...], outcome: Rendered | Failed | Unmet, by: DocumentId = A) -> set[Dependency]:
    rule = PAGE_RULE if by == A else COMMAND_RULE
    return set(decision.edges_after(Node(Facts(by), rule, dependencies=needs), outcome))


DECLARED, FOUND, SCANNED = Dependency(P, Kind.DECLARED, sure=True), Dependency(X, Kind.DISCOVERED), include(P)


def test_the_reads_of_a_page_replace_all_but_its_declared_dependencies() -> None:
    assert edges((SCANNED, DECLARED), rendered(Read(include(X)))) == {DECLARED, include(X)}


def test_a_command_keeps_scanned_dependencies_and_replaces_discovered_ones() -> None:
    other = Dependency(DocumentId("docs/other.md"), Kind.DISCOVERED)
    assert edges((SCANNED, FOUND), rendered(Read(other)), D) == {SCANNED, other}


def test_a_failed_rendering_adds_what_it_read() -> None:
    sure = replace(SCANNED, sure=True)
    for known, kept in ((sure, {SCANNED}), (SCANNED, set())):
        assert edges((known,), Failed(FAULT, (Read(include(X)),))) == {*kept, include(X)}
        assert edges((known,), Unmet(include(X), FAULT)) == {*kept, include(X)}


def test_a_run_that_found_its_own_source_changed_does_not_depend_on_itself() -> None:
    assert edges((), Unmet(Dependency(A, Kind.DISCOVERED), FAULT)) == set()


def checked(graph: Graph, *reads: Read, unfinished: tuple[DocumentId, ...] = ()) -> decision.Accept | decision.Retry:
    return decision.check(graph, graph[A], reads, unfinished)


def test_reads_that_match_the_graph_are_accepted() -> None:
    reads = (Read(include(P), HASH), Read(Dependency(X, Kind.OUTPUT), Digest("o")))
    assert checked(graph_of(done(P), done(X, output_hash=Digest("o"))), *reads) == decision.Accept()


def test_a_read_of_unknown_bytes_is_checked() -> None:
    reads = (Read(include(P), Digest("newer")), Read(Dependency(X, Kind.OUTPUT), HASH))
    assert checked(graph_of(done(P), done(X)), *reads) == decision.Retry((P, X))


def test_an_unfinished_dependency_that_was_read_is_waited_for() -> None:
    read = Read(Dependency(X, Kind.OUTPUT), HASH)
    assert checked(graph_of(done(X)), read, unfinished=(X,)) == decision.Retry()


def test_what_a_program_read_at_a_time_when_it_changed_is_read_again() -> None:
    read = Read(Dependency(X, Kind.DISCOVERED))
    graph = graph_of(done(X), by=D)
    assert decision.check(graph, graph[D], (read,), (), {X}) == decision.Retry()
    assert decision.check(graph, graph[D], (read,), (), {P}) == decision.Accept()


def test_an_unfinished_content_dependency_is_not_waited_for() -> None:
    read = Read(Dependency(X, Kind.PAGE), HASH)
    assert checked(graph_of(done(X)), read, unfinished=(X,)) == decision.Accept()


def test_a_broken_dependency_that_was_read_is_treated_as_if_known_before() -> None:
    broken = Facts(X, Status.FAILED, content_hash=HASH)
    assert checked(graph_of(broken), Read(include(X), HASH)) == decision.Retry()


def test_a_missing_file_that_exists_by_now_is_checked() -> None:
    assert checked(graph_of(done(P)), Read(include(P))) == decision.Retry((P,))
    assert checked(graph_of(Facts(P, Status.MISSING)), Read(include(P))) == decision.Accept()


@pytest.mark.parametrize("known", [(), (Facts(P, Status.MISSING),)], ids=["never one", "no more"])
def test_a_read_of_a_file_that_is_no_document_can_never_be_accepted(known: tuple[Facts, ...]) -> None:
    problem = decision.unknown_read(graph_of(*known), [Read(include(P, 4), HASH)])
    assert problem is not None
    assert (problem.message, problem.line) == (
        "docs/p.txt is not a document: it is ignored, or outside the project's sources",
        4,
    )
    assert decision.unknown_read(graph_of(done(P)), [Read(include(P), Digest("other"))]) is None


def test_a_long_cycle_is_described_by_its_beginning() -> None:
    path = tuple(DocumentId(str(number)) for number in range(100))
    told = decision.on_cycle((*path, path[0]), path[0]).message
    assert told.startswith("depends on itself: 0 → 1 → 2 →")
    assert told.endswith("→ 17 → (82 more) → 0")
