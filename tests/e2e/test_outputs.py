"""Outputs: what is spoilt is made again, what nobody stands for goes, and what is not kahnd's is left alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from e2e.harness import Corner, Daemon, Project, eventually


def _foreign(told: str) -> bool:
    return "a file that kahnd did not make is there" in told


@pytest.fixture
def built(project: Project) -> Project:
    project.write_all({"docs/a.txt": "A", "docs/deep/b.txt": "B", "docs/deep/c.txt": "C"})
    project.build()
    return project


# Spoilt while nobody looks


def test_a_build_makes_again_what_was_altered_or_removed(built: Project) -> None:
    built.write("site/a.txt", "spoilt")
    built.remove("site/deep/b.txt")
    assert sorted(built.build()["rendered"]) == ["docs/a.txt", "docs/deep/b.txt"]
    assert built.outputs() == built.fresh_outputs()
    assert built.build()["rendered"] == []


def test_a_touched_output_is_as_good_as_before(built: Project) -> None:
    os.utime(built.path("site/a.txt"), (1, 1))
    assert built.build()["rendered"] == []


def test_the_daemons_start_makes_again_what_was_altered(built: Project) -> None:
    built.write("site/a.txt", "spoilt")
    with built.daemon():
        built.wait()
        assert built.output("a.txt") == "A"


def test_an_altered_output_that_is_kept_does_not_count_as_removed(built: Project) -> None:
    built.write("site/a.txt", "mine")
    built.remove("docs/a.txt")
    built.remove("docs/deep/b.txt")
    assert built.build()["removed"] == ["site/deep/b.txt"]
    assert built.output("a.txt") == "mine"
    assert [each["output"] for each in built.log("document.removed")] == ["site/deep/b.txt"]
    assert [each["output"] for each in built.log("output.stuck")] == ["site/a.txt"]
    assert built.build()["removed"] == []


# Spoilt while the daemon runs


def _again(corner: Corner, name: str, text: str) -> None:
    eventually(lambda: corner.outputs().get(name) == text.encode(), f"{name} is made again")


@pytest.fixture
def place(corner: Corner) -> Corner:
    corner.write_all({"a.txt": "A", "deep/b.txt": "B", "deep/c.txt": "C", "needs.sum": "needs a.txt"})
    corner.wait()
    return corner


def test_an_altered_output_is_made_again_at_once(place: Corner) -> None:
    with place.renders("a.txt"):
        place.project.write(f"site/{place.name}/a.txt", "spoilt")
    assert place.output("a.txt") == "A"


def test_it_is_made_again_without_being_asked_for(place: Corner) -> None:
    place.project.path(f"site/{place.name}/a.txt").write_text("spoilt in place")
    _again(place, "a.txt", "A")
    place.wait()


def test_a_removed_output_is_made_again_at_once(place: Corner) -> None:
    with place.renders("deep/b.txt"):
        place.project.remove(f"site/{place.name}/deep/b.txt")
    assert place.output("deep/b.txt") == "B"


@pytest.mark.parametrize("way", ["removed", "moved away", "replaced"])
def test_a_whole_folder_of_outputs_is_made_again(place: Corner, tmp_path: Path, way: str) -> None:
    folder = place.project.path(f"site/{place.name}/deep")
    with place.renders("deep/b.txt", "deep/c.txt"):
        if way == "removed":
            shutil.rmtree(folder, ignore_errors=True)  # one can be made again before the folder is empty
        else:
            folder.rename(tmp_path / "elsewhere")
        if way == "replaced":
            folder.mkdir()
    assert (place.output("deep/b.txt"), place.output("deep/c.txt")) == ("B", "C")


def test_outputs_of_a_removed_output_folder_are_made_again(live: Daemon) -> None:
    project = live.project
    project.write("docs/whole.txt", "whole")
    project.wait()
    before = project.outputs()
    project.path("site").rename(project.path("former"))
    eventually(lambda: project.outputs() == before, "all are made again")
    project.wait()
    project.remove("site/whole.txt")
    eventually(lambda: project.exists("site/whole.txt"), "the new folder is watched, too")


def test_foreign_files_and_unchanged_bytes_in_the_output_folder_cause_no_work(place: Corner) -> None:
    with place.renders("a.txt", "needs.sum"):
        place.write("a.txt", "A again")
    with place.renders():
        place.project.write(f"site/{place.name}/a.txt", "A again")
        place.project.write(f"site/{place.name}/someone.else", "x")
        place.project.write(f"site/{place.name}/someone.else", "y")


# What is not kahnd's


def test_a_file_that_kahnd_did_not_make_is_not_replaced(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B", "site/a.txt": "mine"})
    report = project.build(code=1)
    (failed,) = report["failed"]
    assert failed["document"] == "docs/a.txt"
    assert _foreign(str(failed))
    assert "site/a.txt" in str(failed)
    assert project.outputs() == {"a.txt": b"mine", "b.txt": b"B"}
    project.remove("docs/a.txt")
    project.build()
    assert project.output("a.txt") == "mine"


def test_a_file_that_kahnd_did_not_make_survives_another_output_path(built: Project) -> None:
    built.write("site/a.html", "mine")
    built.write(
        "kahnd.toml", built.read("kahnd.toml").replace('output = "{dir}/{name}"', 'output = "{dir}/{stem}.html"')
    )
    built.build(code=1)
    assert (built.output("a.html"), built.output("a.txt"), built.output("deep/b.html")) == ("mine", "A", "B")


def test_once_it_is_moved_away_the_output_takes_its_place(corner: Corner) -> None:
    theirs = corner.project.path(f"site/{corner.name}/a.txt")
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    corner.write("a.txt", "A")
    corner.wait(code=1)
    theirs.unlink()
    _again(corner, "a.txt", "A")
    corner.wait()


def test_a_file_with_the_outputs_bytes_is_adopted(project: Project) -> None:
    """As in a checkout that holds the outputs, too."""
    project.write_all({"docs/a.txt": "A", "site/a.txt": "A"})
    project.build()
    project.write("docs/a.txt", "B")
    project.build()
    assert project.output("a.txt") == "B"
    project.remove("docs/a.txt")
    project.build()
    assert project.outputs() == {}


def test_outputs_are_kahnds_though_its_database_is_lost(built: Project) -> None:
    shutil.rmtree(built.path(".kahnd/db"))
    built.remove("docs/deep/b.txt")
    built.remove("docs/deep/c.txt")
    built.write("docs/a.txt", "new")
    built.build()
    assert built.outputs() == {"a.txt": b"new"}
    assert not built.exists("site/deep")


def test_a_project_built_before_the_journal_existed_owns_its_outputs(built: Project) -> None:
    built.remove(".kahnd/outputs")
    built.write("docs/a.txt", "new")
    built.remove("docs/deep/b.txt")
    built.build()
    assert built.outputs() == {"a.txt": b"new", "deep/c.txt": b"C"}


# What nobody stands for


def test_an_output_that_was_never_committed_goes_with_its_document(project: Project) -> None:
    """As after kill -9 between putting it in place and telling the database, and a removed source."""
    project.write_all({"docs/kept.txt": "kept", "docs/deep/a.txt": "A"})
    project.build()
    before = project.path(".kahnd/db")
    shutil.copytree(before, project.path("db"))
    project.write("docs/deep/orphan.txt", "orphan")
    project.build()
    shutil.rmtree(before)
    project.path("db").rename(before)
    project.remove("docs/deep/orphan.txt")
    project.remove("docs/deep/a.txt")
    mark = project.mark()
    assert set(project.build()["removed"]) == {"site/deep/a.txt", "site/deep/orphan.txt"}
    assert project.outputs() == {"kept.txt": b"kept"}
    assert not project.exists("site/deep")
    assert {each["output"] for each in project.log("document.removed", mark)} == {
        "site/deep/a.txt",
        "site/deep/orphan.txt",
    }
