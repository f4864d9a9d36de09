from __future__ import annotations

import os
from pathlib import Path

import pytest

from kahnd.cli.context import CommandContext
from kahnd.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    (root / "docs" / "deep").mkdir(parents=True)
    for name in ("kahnd.toml", "docs/a.md", "docs/docs.md", "a.md", "b.md"):
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("start", "text", "target"),
    [
        (".", "docs/a.md", "docs/a.md"),
        (".", "./docs/../docs/a.md", "docs/a.md"),
        ("docs", "docs.md", "docs/docs.md"),
        ("docs", "docs/docs.md", "docs/docs.md"),
        ("docs", "a.md", "docs/a.md"),
        ("docs", "../a.md", "a.md"),
        ("docs", "b.md", "b.md"),
        ("docs/deep", "../a.md", "docs/a.md"),
        (".", "docs/gone.md", "docs/gone.md"),
        ("docs", "gone.md", "docs/gone.md"),
        ("docs", "docs/gone.md", "docs/gone.md"),
        ("docs", "site/not-yet.html", "site/not-yet.html"),
        ("docs", "../site/not-yet.html", "site/not-yet.html"),
    ],
)
def test_a_path_is_relative_to_the_current_folder_or_else_to_the_project(
    root: Path, start: str, text: str, target: str
) -> None:
    assert CommandContext(root / start).target(text) == target


def test_an_absolute_path_is_itself(root: Path) -> None:
    assert CommandContext(root / "docs").target(str(root / "a.md")) == "a.md"


def test_a_document_that_is_a_link_is_not_what_it_points_to(root: Path) -> None:
    (root / "docs" / "link.md").symlink_to(root / "a.md")
    assert CommandContext(root).target("docs/link.md") == "docs/link.md"


def test_a_project_can_be_reached_through_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert CommandContext(link / "docs").target("a.md") == "docs/a.md"
    assert CommandContext(root).target(str(link / "docs" / "a.md")) == "docs/a.md"


@pytest.mark.parametrize("text", ["../elsewhere.md", "/etc/passwd", "docs/../../x"])
def test_a_path_outside_the_project_is_refused(root: Path, text: str) -> None:
    with pytest.raises(UsageError, match="outside the project"):
        CommandContext(root).target(text)


def test_circular_links_are_an_ordinary_name(root: Path) -> None:
    (root / "docs" / "circle").symlink_to("circle")
    assert CommandContext(root).target("docs/circle/a.md") == "docs/circle/a.md"


def test_a_name_that_is_no_utf8_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="no UTF-8"):
        CommandContext(root).target(os.fsdecode(b"docs/\xff.md"))


def test_a_target_named_twice_is_one(root: Path) -> None:
    assert CommandContext(root).targets(("docs/a.md", "./docs/a.md", "a.md")) == ("docs/a.md", "a.md")
