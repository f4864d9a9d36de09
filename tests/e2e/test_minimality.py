"""Nothing is rendered unless its inputs changed or its output is gone."""

from __future__ import annotations

import os

import pytest

from e2e.harness import Project


@pytest.fixture
def built(project: Project) -> Project:
    """`end.sum` needs `middle.head` (rendered: its first line), and `other.txt` stands alone."""
    project.write_all(
        {
            "docs/middle.head": "first\nsecond\n",
            "docs/end.sum": "needs middle.head",
            "docs/other.txt": "other",
        }
    )
    project.build()
    return project


def test_a_touch_renders_nothing(built: Project) -> None:
    os.utime(built.path("docs/middle.head"))
    assert built.build()["rendered"] == []


def test_saving_it_unchanged_renders_nothing(built: Project) -> None:
    built.write("docs/middle.head", "first\nsecond\n")
    assert built.build()["rendered"] == []


def test_an_edit_renders_it_and_its_dependents(built: Project) -> None:
    before = built.output("end.cksum")
    built.write("docs/middle.head", "new first\nsecond\n")
    assert sorted(built.build()["rendered"]) == ["docs/end.sum", "docs/middle.head"]
    assert built.output("end.cksum") != before


def test_an_edit_that_changes_no_bytes_of_the_output_goes_no_further(built: Project) -> None:
    built.write("docs/middle.head", "first\nnew second\n")
    assert built.build()["rendered"] == ["docs/middle.head"]


def test_the_cutoff_reaches_through_a_plain_document(built: Project) -> None:
    """`page.txt` includes a plain partial, and that needs what `middle.head` renders to."""
    built.write_all(
        {
            "docs/_part.txt": 'part {{ output("/docs/middle.head").text }}',
            "docs/page.txt": 'page {% include "/docs/_part.txt" %}',
        }
    )
    built.build()
    assert "part first" in built.output("page.txt")
    built.write("docs/middle.head", "first\nnew second\n")
    assert built.build()["rendered"] == ["docs/middle.head"]
    built.write("docs/middle.head", "new first\n")
    assert "docs/page.txt" in built.build()["rendered"]
    assert "part new first" in built.output("page.txt")


def test_a_rules_parameter_renders_just_its_documents(built: Project) -> None:
    built.write("kahnd.toml", built.read("kahnd.toml").replace('"-n", "1"', '"-n", "2"'))
    assert sorted(built.build()["rendered"]) == ["docs/end.sum", "docs/middle.head"]
    built.write("kahnd.toml", built.read("kahnd.toml").replace('["cksum", ', '["wc", "-c", '))
    assert built.build()["rendered"] == ["docs/end.sum"]


def test_a_comment_in_the_configuration_renders_nothing(built: Project) -> None:
    built.write("kahnd.toml", f"# a comment\n{built.read('kahnd.toml')}")
    assert built.build()["rendered"] == []


def test_another_output_path_moves_the_output(built: Project) -> None:
    built.write("kahnd.toml", built.read("kahnd.toml").replace("{stem}.line", "{stem}.first"))
    built.build()
    assert set(built.outputs()) == {"middle.first", "end.cksum", "other.txt"}


def test_a_deleted_output_is_made_again(built: Project) -> None:
    built.remove("site/middle.line")
    assert built.build()["rendered"] == ["docs/middle.head"]
    assert built.output("middle.line") == "first\n"


def test_an_edit_taken_back_renders_nothing(built: Project) -> None:
    """Bytes decide, not times: the tree of the last build is up to date however it came back."""
    built.write("docs/other.txt", "changed")
    built.write("docs/other.txt", "other")
    assert built.build()["rendered"] == []


def test_a_diamond_renders_its_far_end_once(built: Project) -> None:
    built.write_all(
        {
            "docs/left.sum": "needs middle.head",
            "docs/right.sum": "needs middle.head",
            "docs/far.sum": "needs left.sum needs right.sum",
        }
    )
    built.build()
    mark = built.mark()
    built.write("docs/middle.head", "changed\n")
    built.build()
    assert built.rendered(mark) == [
        "docs/end.sum",
        "docs/far.sum",
        "docs/left.sum",
        "docs/middle.head",
        "docs/right.sum",
    ]
