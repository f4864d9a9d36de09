"""What a desktop is told, and what not."""

from __future__ import annotations

from kahnd.cli.desktop import news, wrongs
from kahnd.core.model import DocumentId
from kahnd.core.problem import Problem
from kahnd.service.glance import Glance, Wrong

A, B = {"docs/a.md": "docs/a.md:1: broken"}, {"docs/b.md": "docs/b.md:2: broken"}


def test_nothing_new_is_no_news() -> None:
    assert news({}, {}) is None
    assert news(A, A) is None


def test_only_what_is_new_is_told() -> None:
    assert news(A, A | B) == ("1 document failed", "docs/b.md:2: broken")


def test_what_is_mended_is_told_once_nothing_is_left() -> None:
    assert news(A | B, A) is None
    assert news(A | B, {}) == ("mended", "2 documents that failed are well again")


def test_many_are_counted() -> None:
    many = {f"{number}": f"docs/{number}.md: no" for number in range(5)}
    assert news({}, many) == ("5 documents failed", "docs/0.md: no\ndocs/1.md: no\ndocs/2.md: no\nand 2 more")


def _glance(*numbers: int) -> Glance:
    """Of these documents that failed, two of which are told one by one."""
    names = [DocumentId(f"docs/{number}.md") for number in numbers]
    return Glance("idle", wrong=tuple(Wrong(name, Problem("no", name, 1)) for name in names[:2]), broken=tuple(names))


def test_of_many_only_what_is_new_is_told_whichever_are_told_one_by_one() -> None:
    before = wrongs(_glance(1, 2, 3, 4))
    assert news(before, wrongs(_glance(2, 3, 4))) is None, "one is mended, and the next one is told in its place"
    assert news(before, wrongs(_glance(0, 1, 2, 3, 4))) == ("1 document failed", "docs/0.md:1: no")
    assert news(before, wrongs(_glance(1, 2, 3, 4, 5))) == ("1 document failed", "docs/5.md")
    assert news(before, wrongs(_glance())) == ("mended", "4 documents that failed are well again")
