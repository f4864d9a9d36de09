"""A daemon among other processes: alone in its project, private, and gone without a trace."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Daemon, Project, eventually, living_in
from e2e.rules import command, rule


def _sockets(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_socket()]


def test_a_second_daemon_is_refused_with_the_firsts_pid(live: Daemon) -> None:
    told = live.project.kahnd("run", code=4).told
    assert str(live.pid) in told
    assert live.project.status()["pid"] == live.pid


def test_daemons_of_two_projects_live_side_by_side(live: Daemon, project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as other:
        assert project.status()["pid"] == other.pid
        assert live.project.status()["pid"] == live.pid
        assert project.output("a.txt") == "A"


def test_the_control_socket_is_its_owners_alone(live: Daemon) -> None:
    (socket,) = _sockets(live.project.path(".kahnd"))
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_what_kahnd_keeps_is_not_for_others(live: Daemon) -> None:
    assert stat.S_IMODE(live.project.path(".kahnd").stat().st_mode) & 0o007 == 0


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory, with a path as short as the real ones have."""
    with tempfile.TemporaryDirectory(prefix="run") as folder:
        yield Path(folder)


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path, runtime: Path) -> None:
    project = Project(tmp_path / ("long" * 20) / ("path" * 20) / "project", {"XDG_RUNTIME_DIR": str(runtime)})
    project.configure(rule("docs/*", "copy", "{name}"))
    project.write("docs/a.txt", "A")
    with project.daemon():
        (socket,) = _sockets(runtime)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        with project.renders("docs/b.txt"):
            project.write("docs/b.txt", "B")
    assert not _sockets(runtime)


def test_no_process_is_left_when_it_ends_while_something_renders(project: Project) -> None:
    gate = project.gate()
    project.write_all({"docs/a.txt": "A", "docs/b.sh": gate.script()})
    with project.daemon(settled=False) as daemon:
        gate.reached()
        assert len(living_in(project.root)) > 1
        daemon.stop()
        eventually(lambda: not living_in(project.root), "the daemon's children have ended")


def test_no_process_is_left_when_a_command_times_out(project: Project) -> None:
    project.configure(_SLEEPER, extra="[pool]\nworkers = 2\ntimeout_s = 1\n")
    project.write("docs/a.sh", "sleep 987654 & sleep 987654")
    project.build(code=1)
    eventually(lambda: not living_in(project.root), "the command's own children have ended")


_SLEEPER = rule("docs/*.sh", "command", "{stem}", command("sh", "{source}", stdout=True))


def test_a_worker_that_is_killed_is_replaced(project: Project) -> None:
    project.write("docs/a.sh", 'kill -9 $PPID; sleep 5; echo A > "$1"')
    with project.daemon():
        answer = project.wait(code=1)
        assert [each["document"] for each in answer["failed"]] == ["docs/a.sh"]
        with project.renders("docs/a.sh", "docs/b.txt"):
            project.write_all({"docs/a.sh": 'echo A > "$1"', "docs/b.txt": "B"})


def test_status_has_its_documented_shape(live: Daemon) -> None:
    project = live.project
    project.write("docs/status.txt", "S")
    project.wait()
    status = project.status()
    assert status["project"] == "small"
    assert Path(status["root"]) == project.root
    assert status["state"] == "idle"
    assert set(status["documents"]) >= {"total", "done", "dirty", "failed", "blocked", "missing"}
    assert status["documents"]["dirty"] == 0
    assert set(status["last_build"]) >= _BUILD_KEYS
    assert status["last_build"]["rendered"] == 1
    assert status["watch"]["backend"]
    assert {status["watch"]["overflows"], status["watch"]["rescans"]} <= set(range(1000))
    assert status["store"]["url"].startswith("surrealkv://")
    assert "idle" in project.kahnd("status").stdout


_BUILD_KEYS = {"id", "cause", "rendered", "skipped", "failed", "blocked", "removed", "duration_ms", "generations"}


def test_polling_watches_as_well(project: Project) -> None:
    project.write("kahnd.toml", f'{project.read("kahnd.toml")}\n[watch]\npolling = "always"\n')
    with project.daemon():
        assert project.status()["watch"]["backend"] == "polling"
        with project.renders("docs/a.txt"):
            project.write("docs/a.txt", "A")


def test_an_output_folder_below_a_source_folder_feeds_nothing_back(project: Project) -> None:
    """The daemon's own outputs are no sources, though they lie where sources do."""
    project.write("kahnd.toml", project.read("kahnd.toml").replace('"site"', '"docs/site"', 1))
    with project.daemon():
        with project.renders("docs/a.txt"):
            project.write("docs/a.txt", "A")
        with project.renders():
            os.utime(project.path("docs/a.txt"))
        assert [each.name for each in project.path("docs/site").iterdir()] == ["a.txt"]
