"""Nothing is rendered unless its inputs changed or its output is gone."""

from __future__ import annotations

import os

import pytest

from e2e.harness import Corner, Project
from e2e.rules import PAGES, TEXTS


@pytest.fixture
def built(corner: Corner) -> Corner:
    """`end.sum` needs `middle.head` (rendered: its first line), and `other.txt` stands alone."""
    corner.write_all({"middle.head": "first\nsecond\n", "end.sum": "needs middle.head", "other.txt": "other"})
    corner.wait()
    return corner


def test_a_touch_renders_nothing(built: Corner) -> None:
    with built.renders():
        os.utime(built.path("middle.head"))


def test_saving_it_unchanged_renders_nothing(built: Corner) -> None:
    with built.renders():
        built.write("middle.head", "first\nsecond\n")


def test_an_edit_renders_it_and_its_dependents(built: Corner) -> None:
    before = built.output("end.cksum")
    with built.renders("middle.head", "end.sum"):
        built.write("middle.head", "new first\nsecond\n")
    assert built.output("end.cksum") != before


def test_an_edit_that_changes_no_bytes_of_the_output_goes_no_further(built: Corner) -> None:
    with built.renders("middle.head"):
        built.write("middle.head", "first\nnew second\n")


def test_the_cutoff_reaches_through_a_plain_document(built: Corner) -> None:
    """`page.txt` includes a plain partial, and that needs what `middle.head` renders to."""
    middle = built.document("middle.head")
    built.write("_part.txt", f'part {{{{ output("/{middle}").text }}}}')
    with built.renders("page.txt"):
        built.write("page.txt", 'page {% include "_part.txt" %}')
    assert "part first" in built.output("page.txt")
    with built.renders("middle.head"):
        built.write("middle.head", "first\nnew second\n")
    with built.renders("middle.head", "page.txt", "end.sum"):
        built.write("middle.head", "new first\n")
    assert "part new first" in built.output("page.txt")


def test_an_edit_taken_back_at_once_leaves_what_was_there(built: Corner) -> None:
    """Bytes decide, not times or the number of saves."""
    built.write("other.txt", "changed")
    built.write("other.txt", "other")
    built.wait()
    assert built.output("other.txt") == "other"
    with built.renders():
        built.write("other.txt", "other")


def test_a_diamond_renders_its_far_end_once(built: Corner) -> None:
    built.write_all(
        {
            "left.sum": "needs middle.head",
            "right.sum": "needs middle.head",
            "far.sum": "needs left.sum needs right.sum",
        }
    )
    built.wait()
    with built.renders("middle.head", "end.sum", "left.sum", "right.sum", "far.sum"):
        built.write("middle.head", "changed\n")


def test_a_deleted_output_is_made_again_and_nothing_else(built: Corner) -> None:
    with built.renders("middle.head"):
        built.project.remove(f"site/{built.name}/middle.line")
    assert built.output("middle.line") == "first\n"


# What a build sees that no daemon watched


@pytest.fixture
def left(project: Project) -> Project:
    """The same, built, with no daemon."""
    project.write_all({"docs/middle.head": "first\nsecond\n", "docs/end.sum": "needs middle.head", "docs/o.txt": "o"})
    project.build()
    return project


def test_a_later_build_renders_what_changed_and_what_is_gone(left: Project) -> None:
    os.utime(left.path("docs/o.txt"))
    left.write("docs/middle.head", "first\nnew second\n")
    left.remove("site/end.cksum")
    assert sorted(left.build()["rendered"]) == ["docs/end.sum", "docs/middle.head"]


def test_an_edit_taken_back_between_builds_renders_nothing(left: Project) -> None:
    left.write("docs/o.txt", "changed")
    left.write("docs/o.txt", "o")
    assert left.build()["rendered"] == []


def test_a_rules_parameter_renders_just_its_documents(left: Project) -> None:
    left.write("kahnd.toml", left.read("kahnd.toml").replace('["cksum", ', '["wc", "-c", '))
    assert left.build()["rendered"] == ["docs/end.sum"]
    left.write("kahnd.toml", "# a comment\n" + left.read("kahnd.toml").replace('"-n", "1"', '"-n", "2"'))
    assert sorted(left.build()["rendered"]) == ["docs/end.sum", "docs/middle.head"]


def test_another_output_path_moves_the_output(left: Project) -> None:
    left.write("kahnd.toml", left.read("kahnd.toml").replace("{stem}.line", "{stem}.first"))
    left.build()
    assert set(left.outputs()) == {"middle.first", "end.cksum", "o.txt"}


def test_another_output_path_renders_what_links_to_it_and_nothing_else(project: Project) -> None:
    project.configure(PAGES, TEXTS)
    project.write_all(
        {
            "docs/t.txt": "T",
            "docs/by_output.md": '{{ output("t.txt") }}',
            "docs/by_page.md": '{{ page("t.txt").url }}',
            "docs/other.md": "no link",
        }
    )
    project.build()
    project.configure(PAGES, TEXTS.replace("{name}", "moved/{name}"))
    assert sorted(project.build()["rendered"]) == ["docs/by_output.md", "docs/by_page.md", "docs/t.txt"]
    assert "moved/t.txt" in project.read("site/by_output.html")
    assert "moved/t.txt" in project.read("site/by_page.html")


def test_a_project_that_is_renamed_is_known_again(project: Project) -> None:
    project.configure(TEXTS)
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    project.build()
    project.configure(TEXTS.replace("{name}", "{stem}.out"))
    project.write("kahnd.toml", project.read("kahnd.toml").replace('"small"', '"renamed"'))
    project.remove("docs/b.txt")
    assert project.build()["removed"]
    assert set(project.outputs()) == {"a.out"}
