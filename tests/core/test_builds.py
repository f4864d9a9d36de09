from __future__ import annotations

from kahnd.core.builds import Builds, Tally, report
from kahnd.core.events import BuildRequested
from kahnd.core.graph import Graph
from kahnd.core.model import BuildId, DocumentId, Facts, OutputPath, Problem, RequestId, Snapshot, Status
from kahnd.core.rules import Layout

A, B = DocumentId("a"), DocumentId("b")
EMPTY = Graph(Layout(("docs",), "site"), Snapshot())


def builds() -> Builds:
    return Builds(iter([BuildId("1"), BuildId("2")]))


def asked(ticket: str, *targets: DocumentId) -> BuildRequested:
    return BuildRequested(RequestId(ticket), "asked", frozenset(targets))


def test_one_build_at_a_time() -> None:
    book = builds()
    assert book.begin("first") == ("1", "first")
    assert book.begin("second") is None
    assert book.current == ("1", "first")
    assert book.end() is not None
    assert book.end() is None
    assert book.begin("second") == ("2", "second")


def test_a_document_counts_under_its_latest_outcome() -> None:
    tally = Tally()
    tally.count(A, "failed")
    tally.count(A, "rendered")
    assert (list(tally.rendered), list(tally.failed)) == ([A], [])


def test_a_record_counts_what_happened() -> None:
    book = builds()
    book.begin("saved")
    for document, status, generation in ((A, "rendered", 2), (B, "skipped", 0), (DocumentId("c"), "failed", 0)):
        book.count(document, status, generation)
    book.count_removed(OutputPath("o"))
    record = book.end()
    assert record is not None
    counts = (record.rendered, record.skipped, record.failed, record.blocked, record.removed, record.generations)
    assert counts == (1, 1, 1, 0, 1, 3)


def test_a_request_reports_what_happened_since_it_was_opened() -> None:
    book = builds()
    book.begin("saved")
    book.count(A, "rendered")
    book.open(asked("late"))
    book.open(asked("from start"), from_start=True)
    book.count(B, "rendered")
    told = {each.ticket: each.report.rendered for each in book.answers(EMPTY, (), quiet=True)}
    assert told == {"late": (B,), "from start": (A, B)}
    assert book.answers(EMPTY, (), quiet=True) == []


def test_a_request_is_answered_when_its_targets_are_finished_or_all_is_quiet() -> None:
    book = builds()
    book.open(asked("of a", A))
    book.open(asked("of both", A, B))
    book.open(asked("of all"))
    assert [each.ticket for each in book.answers(EMPTY, {B}, quiet=False)] == ["of a"]
    assert [each.ticket for each in book.answers(EMPTY, (), quiet=False)] == ["of both"]
    assert [each.ticket for each in book.answers(EMPTY, (), quiet=True)] == ["of all"]


def test_progress_counts_all_finished_documents() -> None:
    book = builds()
    assert book.progress() is None
    book.begin("saved")
    for document, status in ((A, "rendered"), (B, "blocked")):
        book.count(document, status)
    book.count_rehashed()
    assert book.progress() == (3, B)


def test_a_report_lists_broken_documents_by_name() -> None:
    fault, blocked = Problem("fault"), Problem("needs a")
    graph = Graph(
        Layout(("docs",), "site"),
        Snapshot((Facts(B, Status.BLOCKED, problem=blocked, because=A), Facts(A, Status.FAILED, problem=fault))),
    )
    assert report(graph, Tally()).failed == ((A, fault),)
    assert report(graph, Tally()).blocked == ((B, A, blocked),)
    assert report(graph, Tally(), frozenset({B})).failed == ()
