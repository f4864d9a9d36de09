"""One daemon per project, whatever happens to its state folder, its lock and its socket."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from e2e.harness import DEADLINE_S, Daemon, Project, eventually


def _remove(folder: Path, root: Path) -> None:
    """Removes a folder at once, so that the daemon's writes meanwhile do not get in the way."""
    aside = root.with_name("removed")
    folder.rename(aside)
    shutil.rmtree(aside)


def _remove_state(project: Project) -> None:
    _remove(project.path(".kahnd"), project.root)


def _answers_again(daemon: Daemon) -> None:
    """Waits until the same process has its lock and its socket again."""
    project = daemon.project
    eventually(lambda: project.path(".kahnd/control.sock").exists(), "the control socket is bound again")
    project.wait()
    assert project.status()["pid"] == daemon.pid
    assert project.path(".kahnd/lock").read_text() == f"{daemon.pid}\n"


def test_a_daemon_recreates_its_removed_state_folder(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.sum": "needs a.txt"})
    with project.daemon() as daemon:
        _remove_state(project)
        _answers_again(daemon)
        assert project.log("state.removed")
        with project.renders("docs/a.txt", "docs/b.sum"):
            project.write("docs/a.txt", "another")
    assert project.outputs() == project.fresh_outputs()


def test_an_edit_while_the_state_folder_is_removed_is_rendered(project: Project) -> None:
    """The outputs still belong to kahnd: new ones replace them."""
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B"})
    with project.daemon() as daemon:
        _remove_state(project)
        project.write("docs/a.txt", "another")
        project.remove("docs/b.txt")
        _answers_again(daemon)
        assert project.outputs() == {"a.txt": b"another"}


def test_no_second_daemon_starts_after_the_state_folder_was_removed(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        _remove_state(project)
        told = project.kahnd("run", code=4).told
        assert str(daemon.pid) in told
        _answers_again(daemon)


def test_no_second_daemon_starts_before_the_first_has_noticed(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        daemon._process.send_signal(signal.SIGSTOP)
        try:
            _remove_state(project)
            assert "already works on this project" in project.kahnd("run", code=4).told
            assert not project.exists(".kahnd")
        finally:
            daemon._process.send_signal(signal.SIGCONT)
        _answers_again(daemon)


def test_a_daemon_whose_project_is_removed_exits_with_a_message(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        _remove(project.root, project.root)
        assert daemon._process.wait(DEADLINE_S) == 5
        assert "the project's folder is gone" in daemon.told
        assert "Traceback" not in daemon.told
    assert not project.root.exists()


def test_lock_and_socket_that_a_killed_daemon_left_are_taken_over(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        killed = daemon.pid
        daemon.kill()
    assert project.path(".kahnd/control.sock").exists()
    assert project.path(".kahnd/lock").read_text() == f"{killed}\n"
    assert project.status(code=4)["state"] == "stopped"
    with project.daemon() as daemon:
        assert project.status()["pid"] == daemon.pid


def test_a_hanging_daemon_is_not_taken_for_dead(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        daemon._process.send_signal(signal.SIGSTOP)
        try:
            assert str(daemon.pid) in project.kahnd("run", code=4).told
        finally:
            daemon._process.send_signal(signal.SIGCONT)


def test_a_script_that_locks_the_project_folder_may_build(project: Project) -> None:
    """Many cron jobs hold such a lock with `flock`."""
    project.write("docs/a.txt", "A")
    project.build()
    project.write("docs/a.txt", "B")
    project.kahnd("build", through=("flock", "."))
    assert project.output("a.txt") == "B"
