"""How a daemon ends, and what its signals mean: what renders is finished, for a while; nobody is left behind."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2e.harness import DEADLINE_S, Daemon, Gate, Project, eventually, living_in, opened_by
from e2e.rules import SCRIPTS, TEXTS


@pytest.fixture
def gate(project: Project) -> Gate:
    """Of a document that renders for as long as it is shut."""
    gate = project.gate()
    project.write_all({"docs/a.txt": "A", "docs/slow.sh": gate.script()})
    return gate


@contextmanager
def rendering(project: Project, gate: Gate) -> Iterator[Daemon]:
    """A daemon in the midst of a rendering; when it has ended, nobody of its is left."""
    with project.daemon(settled=False) as daemon:
        gate.reached()
        eventually(lambda: project.exists("site/a.txt"), "the other document is rendered")
        yield daemon
    eventually(lambda: not living_in(project.root), "all that it started has ended")


def _stopping(project: Project) -> None:
    eventually(lambda: project.log("daemon.stopping"), "it lets the rendering finish")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_running_renderings_are_finished_and_kept(project: Project, gate: Gate, how: signal.Signals, code: int) -> None:
    with rendering(project, gate) as daemon:
        daemon.send(how)
        _stopping(project)
        gate.open()
        daemon.ends(code)
    assert project.output("slow.out") == "it\n"
    assert project.log("daemon.stopped")[-1]["signal"] == how.name
    assert project.build()["rendered"] == []


def test_no_new_rendering_begins_after_the_signal(project: Project, gate: Gate) -> None:
    with rendering(project, gate) as daemon:
        daemon.send(signal.SIGTERM)
        _stopping(project)
        mark = project.mark()
        project.write("docs/late.txt", "late")
        eventually(lambda: project.log("watch.batch", mark), "the save is seen")
        gate.open()
        daemon.ends(0)
    assert project.rendered(mark) == ["docs/slow.sh"]
    assert project.build()["rendered"] == ["docs/late.txt"]


def test_a_configuration_saved_meanwhile_ends_no_rendering(project: Project, gate: Gate) -> None:
    with rendering(project, gate) as daemon:
        daemon.send(signal.SIGTERM)
        _stopping(project)
        project.configure(TEXTS, SCRIPTS, extra="[log]\nlevel = 'debug'\n")
        daemon.send(signal.SIGHUP)
        daemon.send(signal.SIGUSR1)
        eventually(lambda: project.log("daemon.state"), "later signals are heeded")
        gate.open()
        daemon.ends(0)
    assert project.output("slow.out") == "it\n"
    assert not project.log("config.reloaded")


def _connections(daemon: Daemon) -> int:
    """And whatever else is a socket of its."""
    return sum(each.startswith("socket:") for each in opened_by(daemon.pid))


def test_a_waiting_client_gets_an_error_at_the_end(project: Project, gate: Gate) -> None:
    with rendering(project, gate) as daemon:
        daemon.send(signal.SIGTERM)
        _stopping(project)
        project.write("docs/late.txt", "late")
        before = _connections(daemon)
        waiting = project.begin("wait")
        eventually(lambda: _connections(daemon) > before, "it waits")
        gate.open()
        daemon.ends(0)
        told, _ = waiting.communicate(timeout=DEADLINE_S)
    assert waiting.returncode == 4
    assert "stopped before it was done" in told


def test_a_rendering_longer_than_the_grace_time_is_killed_with_its_children(project: Project, gate: Gate) -> None:
    project.configure(TEXTS, SCRIPTS, extra="[pool]\nworkers = 2\ngrace_s = 0.2\n")
    with rendering(project, gate) as daemon:
        daemon.stop()
    assert project.log("daemon.stopping")[-1]["renderings"] == 1
    assert project.log("daemon.stopped")[-1]["unfinished"] == ["docs/slow.sh"]
    assert not project.exists("site/slow.out")
    gate.open()
    assert project.build()["rendered"] == ["docs/slow.sh"]


@pytest.mark.parametrize(("first", "second", "code"), [("SIGINT", "SIGINT", 130), ("SIGTERM", "SIGTERM", 0)])
def test_a_second_signal_ends_the_daemon_at_once(
    project: Project, gate: Gate, first: str, second: str, code: int
) -> None:
    project.configure(TEXTS, SCRIPTS, extra="[pool]\nworkers = 2\ngrace_s = 3600\n")
    with rendering(project, gate) as daemon:
        daemon.send(signal.Signals[first])
        _stopping(project)
        daemon.send(signal.Signals[second])
        daemon.ends(code)
    assert not project.exists("site/slow.out")
    assert not [each for each in project.path(".kahnd").rglob("*") if each.is_socket()]


def test_an_idle_daemon_ends_without_a_word_about_renderings(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        daemon.stop()
    assert not project.log("daemon.stopping")
    assert "unfinished" not in project.log("daemon.stopped")[-1]


def test_sigusr1_logs_the_state(project: Project, gate: Gate) -> None:
    with rendering(project, gate) as daemon:
        daemon.send(signal.SIGUSR1)
        (state,) = eventually(lambda: project.log("daemon.state"), "it is told")
        gate.open()
        project.wait()
    assert state["state"] == "rendering"
    assert state["documents"]["done"] == 1
    assert state["scheduled"] == 1
    assert [each["document"] for each in state["jobs"]] == ["docs/slow.sh"]
    assert state["jobs"][0]["age_s"] > 0
    assert state["queues"].keys() == {"events", "uncommitted"}
    assert state["store"] == {"url": "surrealkv://.kahnd/db", "lost": None}
    assert state["watch"]["unwatched"] == 0
    assert state["memory_mb"] > 10
    assert state["open_files"] > 5


# In the middle of a start


def _lives(project: Project) -> bool:
    return bool(living_in(project.root))


def _holds(project: Project) -> bool:
    return project.exists(".kahnd/lock")


def _has_workers(project: Project) -> bool:
    return len(living_in(project.root)) > 1


def _listens(project: Project) -> bool:
    return project.exists(".kahnd/control.sock")


def _has_a_database(project: Project) -> bool:
    return project.exists(".kahnd/db")


@pytest.mark.parametrize(
    ("how", "moment"),
    [
        *((signal.SIGTERM, each) for each in (_lives, _holds, _listens, _has_workers, _has_a_database)),
        *((signal.SIGINT, each) for each in (_holds, _has_workers)),
        (signal.SIGKILL, _has_workers),
    ],
)
def test_a_daemon_stopped_during_its_start_leaves_no_process(
    project: Project, how: signal.Signals, moment: Callable[[Project], bool]
) -> None:
    project.write_all({f"docs/{number}.txt": "text" for number in range(50)})
    starting = project.begin("run", stdout=subprocess.DEVNULL)
    eventually(lambda: moment(project), "it has come so far")
    starting.send_signal(how)
    code = starting.wait(DEADLINE_S)
    assert code in {0, 130, -how}
    eventually(lambda: not living_in(project.root), "all that it started has ended")
    project.build()
    assert len(project.outputs()) == 50
