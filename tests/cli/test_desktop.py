"""The choice of desktop notifications."""

from __future__ import annotations

from kahnd.app.status import DocumentProblem, StatusSnapshot
from kahnd.cli.listeners.problems import failures, news
from kahnd.core.model import DocumentId
from kahnd.core.problem import Problem

A, B = {"docs/a.md": "docs/a.md:1: broken"}, {"docs/b.md": "docs/b.md:2: broken"}


def test_no_new_failure_gives_no_notification() -> None:
    assert news({}, {}) is None
    assert news(A, A) is None


def test_only_new_failures_are_reported() -> None:
    assert news(A, A | B) == ("1 document failed", "docs/b.md:2: broken")


def test_a_recovery_is_reported_once_nothing_fails() -> None:
    assert news(A | B, A) is None
    assert news(A | B, {}) == ("mended", "2 documents that failed are well again")


def test_many_failures_are_counted() -> None:
    many = {f"{number}": f"docs/{number}.md: no" for number in range(5)}
    assert news({}, many) == ("5 documents failed", "docs/0.md: no\ndocs/1.md: no\ndocs/2.md: no\nand 2 more")


def _glance(*numbers: int) -> StatusSnapshot:
    """Of these documents that failed, two of which are told one by one."""
    names = [DocumentId(f"docs/{number}.md") for number in numbers]
    return StatusSnapshot(
        "idle", problems=tuple(DocumentProblem(name, Problem("no", name, 1)) for name in names[:2]), broken=tuple(names)
    )


def test_of_many_failures_only_new_ones_are_reported() -> None:
    before = failures(_glance(1, 2, 3, 4))
    assert news(before, failures(_glance(2, 3, 4))) is None, "one is mended, and the next one is told in its place"
    assert news(before, failures(_glance(0, 1, 2, 3, 4))) == ("1 document failed", "docs/0.md:1: no")
    assert news(before, failures(_glance(1, 2, 3, 4, 5))) == ("1 document failed", "docs/5.md")
    assert news(before, failures(_glance())) == ("mended", "4 documents that failed are well again")
