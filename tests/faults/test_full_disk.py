"""A disk that is full or read-only, and too few open files: told, outlived, and made good once mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Project, eventually
from e2e.rules import COPIES, PAGES, SUMS, TEXTS
from faults.trouble import Disk, allow_files, disk, lives, open_files, told

LARGE = b"x" * 3_000_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path / "disk") as small:
        yield small


@pytest.fixture
def site(project: Project) -> Iterator[Disk]:
    """The output folder, on a file system of its own."""
    with disk(project.path("site")) as site:
        yield site


def _project_on(disk: Disk) -> Project:
    project = Project(disk.place / "project")
    project.configure(COPIES, PAGES, SUMS, TEXTS)
    project.write_all({"docs/a.txt": "A", "docs/b.sum": "needs a.txt"})
    return project


def test_a_daemon_on_a_full_disk_goes_on_and_catches_up_once_there_is_room(small: Disk) -> None:
    project = _project_on(small)
    with project.daemon() as daemon:
        project.write("docs/c.txt", "C")
        project.wait()
        small.fill()
        project.path("docs/a.txt").write_text("B")
        eventually(lambda: project.status()["state"] == "degraded" or project.status()["failures"], "it is told")
        assert lives(daemon)
        assert project.status()["pid"] == daemon.pid
        small.clear()
        project.build()
        assert project.output("a.txt") == "B"
        assert project.status()["state"] == "idle"
    assert project.outputs() == project.fresh_outputs()


def test_an_output_that_does_not_fit_fails_with_a_remedy_and_leaves_the_last_good_one(
    project: Project, site: Disk
) -> None:
    site.resize(2_000)
    project.write_all({"docs/a.bin": b"small", "docs/b.txt": "B"})
    with project.daemon():
        project.write("docs/a.bin", LARGE)
        project.write("docs/b.txt", "another")
        answer = project.wait(code=1)
        assert [each["document"] for each in answer["failed"]] == ["docs/a.bin"]
        assert "No space left" in answer["failed"][0]["error"]
        assert "make room" in answer["failed"][0]["error"]
        assert project.outputs() == {"a.bin": b"small", "b.txt": b"another"}
        site.resize(8_000)
        project.kahnd("retry")
        assert project.outputs()["a.bin"] == LARGE


def test_a_read_only_output_folder_fails_what_goes_there_and_nothing_is_torn(project: Project, site: Disk) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        site.protect(on=True)
        project.write("docs/a.txt", "another")
        project.write("docs/b.txt", "B")
        answer = project.wait(code=1)
        assert sorted(each["document"] for each in answer["failed"]) == ["docs/a.txt", "docs/b.txt"]
        assert all("Read-only file system" in each["error"] for each in answer["failed"])
        assert all("writable" in each["error"] for each in answer["failed"])
        assert project.outputs() == {"a.txt": b"A"}
        assert lives(daemon)
        site.protect(on=False)
        project.kahnd("retry")
        assert project.outputs() == {"a.txt": b"another", "b.txt": b"B"}


@pytest.mark.slow
def test_what_failed_for_want_of_room_is_rendered_once_there_is_without_being_asked(
    project: Project, site: Disk
) -> None:
    project.write_all({"docs/a.txt": "A", "docs/bad.txt": "{{ nothing"})
    with project.daemon():
        site.fill()
        project.write_all({"docs/a.bin": LARGE, "docs/b.sum": "needs a.bin"})
        assert [each["document"] for each in project.wait(code=1)["failed"]] == ["docs/a.bin", "docs/bad.txt"]
        site.clear()
        mark = project.mark()
        eventually(lambda: project.exists("site/b.cksum"), "all is there")
        assert project.rendered(mark) == ["docs/a.bin", "docs/b.sum"]
        assert not [each for each in project.log("document.failed", mark) if each["document"] == "docs/bad.txt"]


def test_an_output_that_can_not_be_removed_is_told_and_removed_later(project: Project, site: Disk) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    with project.daemon():
        site.protect(on=True)
        project.remove("docs/b.txt")
        project.wait(code=None)
        assert told(project, "output.stuck")
        site.protect(on=False)
    project.build()
    assert project.outputs() == {"a.txt": b"A"}


@pytest.mark.parametrize("built", [False, True], ids=["never built", "built"])
def test_a_command_on_a_full_disk_says_so(small: Disk, *, built: bool) -> None:
    project = _project_on(small)
    if built:
        project.build()
    small.fill()
    for word in ("build", "run"):
        said = project.kahnd(word, code=5).told
        assert "No space left" in said
        assert "check space" in said
    small.clear()
    assert bool(project.build()["rendered"]) is not built


def test_a_command_in_a_read_only_project_says_so(small: Disk) -> None:
    project = _project_on(small)
    small.protect(on=True)
    for word in ("build", "run"):
        said = project.kahnd(word, code=2).told
        assert "Read-only file system" in said
        assert "check the folder" in said


def test_without_open_files_to_spare_a_daemon_lives_and_catches_up(project: Project) -> None:
    project.write_all({f"docs/{number}.sum": f"{number}" for number in range(20)})
    with project.daemon() as daemon:
        allow_files(daemon.pid, open_files(daemon.pid) + 1)
        project.write_all({f"docs/{number}.sum": f"another {number}" for number in range(20)})
        project.write("docs/fresh/a.txt", "A")
        eventually(lambda: project.status(code=None), "it was asked meanwhile")
        assert lives(daemon)
        allow_files(daemon.pid, None)
        project.build()
    assert project.outputs() == project.fresh_outputs()


def test_what_could_not_be_read_for_want_of_files_is_rendered_once_there_are_some(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        allow_files(daemon.pid, 0)
        project.write("docs/a.txt", "another")
        eventually(lambda: told(project, "document.failed"), "it is told")
        allow_files(daemon.pid, None)
        eventually(lambda: project.output("a.txt") == "another", "it is rendered by itself")
        project.wait()
        assert len(project.log("document.failed")) == 1
