from __future__ import annotations

import pytest

from e2e.harness import Daemon, Project, below
from e2e.rules import rule, toml


@pytest.mark.smoke
def test_every_document_with_a_rule_is_rendered_once_and_no_plain_one(project: Project) -> None:
    project.write_all(
        {
            "docs/a.txt": 'A {% include "_part.txt" %}',
            "docs/deep/er/b.txt": "B",
            "docs/_part.txt": "part",
            "docs/_notes/c.txt": "C",
            "docs/data.csv": "x,y",
        }
    )
    answer = project.build()
    assert sorted(answer["rendered"]) == ["docs/a.txt", "docs/deep/er/b.txt"]
    assert all(answer[key] == [] for key in ("failed", "blocked", "removed", "cycles"))
    assert answer["duration_ms"] > 0
    assert project.outputs() == {"a.txt": b"A part", "deep/er/b.txt": b"B"}
    assert project.build()["rendered"] == []


@pytest.mark.smoke
def test_a_target_is_built_with_what_it_needs_and_nothing_else(project: Project) -> None:
    project.write_all(
        {"docs/a.sum": "needs b.sum", "docs/b.sum": "needs c.sum", "docs/c.sum": "C", "docs/other.sum": "other"}
    )
    assert sorted(project.build("docs/a.sum")["rendered"]) == ["docs/a.sum", "docs/b.sum", "docs/c.sum"]
    assert project.build()["rendered"] == ["docs/other.sum"]


def test_force_renders_again_what_is_up_to_date(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    project.wait()
    assert project.build("--force", "docs/a.txt")["rendered"] == ["docs/a.txt"]
    assert {"docs/a.txt", "docs/b.txt"} <= set(project.build("--force")["rendered"])


def test_force_without_a_daemon(project: Project) -> None:
    project.write("docs/a.txt", "A")
    project.build()
    assert project.build("--force")["rendered"] == ["docs/a.txt"]


def test_the_project_is_found_upwards_and_by_option(project: Project) -> None:
    project.write("docs/deep/a.txt", "A")
    inside = Project(project.path("docs/deep"))
    assert inside.build()["rendered"] == ["docs/deep/a.txt"]
    project.write("docs/deep/a.txt", "B")
    outside = Project(project.root.with_name("elsewhere"))
    assert outside.kahnd("-C", str(project.root), "build", "--json").json["rendered"] == ["docs/deep/a.txt"]


def test_what_is_ignored_is_no_document(project: Project) -> None:
    project.write("kahnd.toml", project.read("kahnd.toml").replace('output = "site"', _IGNORING, 1))
    project.write_all(
        {
            ".gitignore": "*.tmp.txt\n/docs/private/\n",
            "docs/a.txt": "A",
            "docs/b.tmp.txt": "ignored by git",
            "docs/private/c.txt": "ignored by git",
            "docs/drafts/d.txt": "ignored by the project",
            "docs/.a.txt.swp": "an editor's",
            "docs/a.txt~": "an editor's",
        }
    )
    project.build()
    assert project.outputs() == {"a.txt": b"A"}


_IGNORING = 'output = "site"\nignore = ["docs/drafts/"]'


@pytest.mark.smoke
def test_an_output_whose_source_went_goes_too_and_a_foreign_file_stays(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/deep/b.txt": "B", "docs/c.txt": "C"})
    project.build()
    project.write("site/deep/foreign.txt", "not kahnd's")
    project.remove("docs/a.txt")
    project.remove("docs/deep/b.txt")
    project.path("docs/c.txt").rename(project.path("docs/d.txt"))
    answer = project.build()
    assert project.outputs() == {"d.txt": b"C", "deep/foreign.txt": b"not kahnd's"}
    assert len(answer["removed"]) == 3


def test_an_output_that_no_rule_makes_any_more_goes(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.md": "B"})
    project.build()
    rules = project.read("kahnd.toml")
    project.write("kahnd.toml", rules.replace("docs/**/*.txt", "docs/**/*.text"))
    project.build()
    assert set(project.outputs()) == {"b.html"}


def test_another_output_folder_takes_all_outputs_with_it(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/deep/b.txt": "B"})
    project.build()
    project.write("kahnd.toml", project.read("kahnd.toml").replace('"site"', '"public"', 1))
    project.build()
    assert below(project.path("public")) == {"a.txt": b"A", "deep/b.txt": b"B"}
    assert project.outputs() == {}


def test_a_file_in_the_way_that_is_not_kahnds_is_not_lost_unsaid(project: Project) -> None:
    """An output folder where a document's output should be: a failure that names it, and the folder stays."""
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B", "site/a.txt/kept": "kept"})
    answer = project.build(code=1)
    assert [each["document"] for each in answer["failed"]] == ["docs/a.txt"]
    assert project.outputs() == {"a.txt/kept": b"kept", "b.txt": b"B"}


def test_a_lost_or_broken_database_is_derived_again(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    project.build()
    for path in sorted(project.path(".kahnd/db").rglob("*")):
        if path.is_file():
            path.write_bytes(b"no database")
    project.write("docs/a.txt", "A2")
    project.build()
    assert project.outputs() == {"a.txt": b"A2", "b.txt": b"B"}
    assert project.build()["rendered"] == []


def test_init_makes_a_project_that_renders(project: Project) -> None:
    folder = Project(project.root.with_name("new"))
    folder.kahnd("init")
    answer = folder.build()
    assert answer["rendered"]
    assert folder.build()["rendered"] == []


def test_init_does_not_write_over_a_project(project: Project) -> None:
    before = project.read("kahnd.toml")
    project.kahnd("init", code=2)
    assert project.read("kahnd.toml") == before


def test_several_sources_and_names_that_need_care(project: Project) -> None:
    project.write(
        "kahnd.toml",
        toml(rule("**/*.txt", "template", "{dir}/{stem}.{ext}"), sources=("docs", "more/docs")),
    )
    project.write_all({"docs/ä ö.txt": "1", "docs/a'b`c⟩.txt": "2", "more/docs/x/[y] $z.txt": "3", "docs/-f.txt": "4"})
    project.build()
    assert project.outputs() == {"ä ö.txt": b"1", "a'b`c⟩.txt": b"2", "x/[y] $z.txt": b"3", "-f.txt": b"4"}
