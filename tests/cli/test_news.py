"""What a desktop is told, and what not."""

from __future__ import annotations

from kahnd.cli.desktop import news

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
