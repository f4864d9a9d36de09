"""A disk that is full or read-only, and too few open files: reported, survived, and recovered from."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.harness import Project, eventually, processor_seconds
from e2e.rules import COPIES, PAGES, SUMS, TEXTS
from faults.environment import Disk, allow_files, disk, is_logged, is_running, open_files

MEASURED_S = 3.0
LARGE = b"x" * 3_000_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path / "disk") as small:
        yield small


@pytest.fixture
def site(project: Project) -> Iterator[Disk]:
    """Mounts the output folder on a file system of its own."""
    with disk(project.path("site")) as site:
        yield site


def _project_on(disk: Disk) -> Project:
    project = Project(disk.place / "project")
    project.configure(COPIES, PAGES, SUMS, TEXTS)
    project.write_all({"docs/a.txt": "A", "docs/b.sum": "needs a.txt"})
    return project


def test_a_daemon_survives_a_full_disk_and_catches_up(small: Disk) -> None:
    project = _project_on(small)
    with project.daemon() as daemon:
        project.write("docs/c.txt", "C")
        project.wait()
        small.fill()
        project.path("docs/a.txt").write_text("B")
        eventually(lambda: project.status()["state"] == "degraded" or project.status()["failures"], "it is told")
        assert is_running(daemon)
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


def test_a_read_only_output_folder_fails_documents_and_tears_no_output(project: Project, site: Disk) -> None:
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
        assert is_running(daemon)
        site.protect(on=False)
        project.kahnd("retry")
        assert project.outputs() == {"a.txt": b"another", "b.txt": b"B"}


@pytest.mark.slow
def test_documents_that_failed_for_lack_of_space_are_retried(project: Project, site: Disk) -> None:
    project.write_all({"docs/a.txt": "A", "docs/bad.txt": "{{ nothing"})
    with project.daemon():
        site.fill()
        project.write_all({"docs/a.bin": LARGE, "docs/b.sum": "needs a.bin"})
        assert [each["document"] for each in project.wait(code=1)["failed"]] == ["docs/a.bin", "docs/bad.txt"]
        mark = project.mark()
        site.clear()
        eventually(lambda: project.rendered(mark)[1:], "both are rendered")
        assert project.rendered(mark) == ["docs/a.bin", "docs/b.sum"]
        assert not [each for each in project.log("document.failed", mark) if each["document"] == "docs/bad.txt"]


def test_an_output_that_can_not_be_removed_is_reported_and_removed_later(project: Project, site: Disk) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    with project.daemon():
        site.protect(on=True)
        project.remove("docs/b.txt")
        project.wait(code=None)
        assert is_logged(project, "output.stuck")
        site.protect(on=False)
    project.build()
    assert project.outputs() == {"a.txt": b"A"}


@pytest.mark.slow
def test_a_read_only_disk_is_retried_until_it_is_writable(project: Project, site: Disk) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B", "docs/c.txt": "C"})
    with project.daemon():
        project.wait()
        site.protect(on=True)
        project.write_all({"docs/a.txt": "another", "docs/new.txt": "new"})
        project.remove("docs/b.txt")
        project.path("docs/c.txt").rename(project.path("docs/d.txt"))
        project.wait(code=1)
        site.protect(on=False)
        expected = {"a.txt": b"another", "new.txt": b"new", "d.txt": b"C"}
        eventually(lambda: project.outputs() == expected, "all is as it should be")
        assert len(project.log("output.stuck")) == 2


@pytest.mark.parametrize("built", [False, True], ids=["never built", "built"])
def test_a_command_reports_a_full_disk(small: Disk, *, built: bool) -> None:
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


def test_a_command_reports_a_read_only_project(small: Disk) -> None:
    project = _project_on(small)
    small.protect(on=True)
    for word in ("build", "run"):
        said = project.kahnd(word, code=5).told
        assert "Read-only file system" in said
        assert "check the folder" in said


def test_a_daemon_survives_a_lack_of_descriptors_and_catches_up(project: Project) -> None:
    project.write_all({f"docs/{number}.sum": f"{number}" for number in range(20)})
    with project.daemon() as daemon:
        allow_files(daemon.pid, open_files(daemon.pid) + 1)
        project.write_all({f"docs/{number}.sum": f"another {number}" for number in range(20)})
        project.write("docs/fresh/a.txt", "A")
        eventually(lambda: project.status(code=None), "it was asked meanwhile")
        assert is_running(daemon)
        allow_files(daemon.pid, None)
        project.build()
    assert project.outputs() == project.fresh_outputs()


def test_documents_unread_for_lack_of_descriptors_are_rendered_later(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        allow_files(daemon.pid, 0)
        project.write("docs/a.txt", "another")
        eventually(lambda: is_logged(project, "document.failed"), "it is told")
        allow_files(daemon.pid, None)
        eventually(lambda: project.output("a.txt") == "another", "it is rendered by itself")
        project.wait()
        assert len(project.log("document.failed")) == 1


def test_a_build_reads_what_could_not_be_read_for_lack_of_descriptors(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        for number in range(5):  # the daemon tries again by itself, too, but only now and then
            _save_unreadably(project, daemon.pid, f"another {number}")
            assert project.build()["failed"] == []
            assert project.output("a.txt") == f"another {number}"


def _save_unreadably(project: Project, pid: int, text: str) -> None:
    before = project.mark()
    allow_files(pid, 0)
    project.write("docs/a.txt", text)
    eventually(lambda: project.log("document.failed", before), "it is told")
    allow_files(pid, None)


def limited(how: str) -> tuple[str, ...]:
    """Returns a command prefix that limits a resource with `ulimit`."""
    return ("sh", "-c", f'ulimit {how} && exec "$@"', "sh")


@pytest.mark.parametrize("word", ["build", "run", "status"])
def test_too_low_a_limit_on_open_files_is_reported(project: Project, word: str) -> None:
    project.path(".kahnd").mkdir()
    said = project.kahnd(word, code=2, through=limited("-n 100")).told
    assert "only 100 files may be open at once" in said
    assert "ulimit -Hn" in said


def test_a_low_limit_on_open_files_is_raised_but_not_for_commands(project: Project) -> None:
    project.write("docs/a.sh", 'ulimit -n > "$1"')
    project.kahnd("build", through=limited("-Sn 100"))
    assert [each.strip() for each in project.outputs().values()] == [b"100"]


def test_connections_without_descriptors_use_no_processor_time(project: Project) -> None:
    with project.daemon() as daemon, ExitStack() as clients:
        allow_files(daemon.pid, 0)
        for _ in range(60):
            clients.enter_context(socket.socket(socket.AF_UNIX)).connect(str(project.path(".kahnd/control.sock")))
        worked, until = processor_seconds(daemon.pid), time.monotonic() + MEASURED_S
        eventually(lambda: time.monotonic() > until, "it was watched for so long")
        assert processor_seconds(daemon.pid) - worked < 0.2 * MEASURED_S
        assert len(project.log("control.failed")) == 1
        clients.close()
        allow_files(daemon.pid, None)
        assert project.status()["state"] == "idle"
