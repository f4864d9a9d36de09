"""What the overlay shows of a failure: lines of the project's own files, and links that only open editors."""

from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.web.failures import MAX_LINE, editor_link, lines_around
from kahnd.web.messages import SourceLine

EDITOR = "vscode://file/{path}:{line}:{column}"


def test_an_excerpt_has_the_lines_around_the_failing_one(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("".join(f"line {number}\n" for number in range(1, 21)))
    assert [each.line for each in lines_around(tmp_path, "a.md", 10)] == list(range(6, 15))
    assert lines_around(tmp_path, "a.md", 1)[0] == SourceLine(1, "line 1")
    assert [each.line for each in lines_around(tmp_path, "a.md", 20)] == [16, 17, 18, 19, 20]


def test_a_line_beyond_the_end_has_no_excerpt(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("short\n")
    assert lines_around(tmp_path, "a.md", 100) == ()


def test_long_lines_and_bytes_that_are_no_text_are_shown_as_far_as_they_can(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff" + b"x" * 10_000)
    (line,) = lines_around(tmp_path, "a.md", 1)
    assert len(line.text) == MAX_LINE
    assert line.text.startswith("�x")


@pytest.mark.parametrize(
    "file", ["../secret", "/etc/passwd", "a/../../secret", "", "\0", "gone.md", "folder", "link.md"]
)
def test_only_files_of_the_project_are_shown(tmp_path: Path, file: str) -> None:
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "link.md").symlink_to(tmp_path / "secret")
    assert lines_around(root, file, 1) == ()


def test_a_link_opens_the_file_at_its_place() -> None:
    assert editor_link(EDITOR, Path("/p"), "docs/a.md", (3, 7)) == "vscode://file/p/docs/a.md:3:7"
    assert editor_link(EDITOR, Path("/p"), "docs/a.md", (0, 0)) == "vscode://file/p/docs/a.md:1:1"
    assert (
        editor_link("idea://open?file={path}&line={line}", Path("/p"), "a.md", (3, 0))
        == "idea://open?file=/p/a.md&line=3"
    )


@pytest.mark.parametrize(
    ("template", "link"),
    [
        ("zed://file{path}:{line}:{column}", "zed://file/p/a.md:3:1"),
        ("subl://open?url=file://{path}&line={line}", "subl://open?url=file:///p/a.md&line=3"),
    ],
)
def test_a_path_has_its_first_slash_once(template: str, link: str) -> None:
    assert editor_link(template, Path("/p"), "a.md", (3, 0)) == link


def test_a_name_can_not_break_out_of_a_link() -> None:
    link = editor_link(EDITOR, Path("/p q"), 'a&b" onclick="x{line}?#.md', (1, 1))
    assert link == "vscode://file/p%20q/a%26b%22%20onclick%3D%22x%7Bline%7D%3F%23.md:1:1"


def test_without_an_editor_there_is_no_link() -> None:
    assert editor_link("", Path("/p"), "a.md", (1, 1)) == ""


def test_files_elsewhere_have_no_link() -> None:
    assert editor_link(EDITOR, Path("/p"), "/usr/share/texmf/x.tex", (1, 1)) == ""
