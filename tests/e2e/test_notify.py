"""A daemon's notifications to the service manager, over a real socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from e2e import knots
from e2e.harness import Project, eventually, processor_seconds
from e2e.manager import Manager
from e2e.rules import TEXTS

WATCHDOG_S = 0.6
BEATS = 3


@pytest.fixture
def manager() -> Iterator[Manager]:
    with tempfile.TemporaryDirectory(prefix="run") as folder, Manager(Path(folder)) as manager:
        yield manager


@pytest.fixture
def managed(project: Project, manager: Manager) -> Project:
    """A project whose daemon has somebody to tell."""
    project.env.update(manager.environment())
    project.write("docs/a.txt", "A")
    return project


def test_it_is_ready_once_all_is_watched_and_looked_at(managed: Project, manager: Manager) -> None:
    """Renderings may take longer than any manager waits."""
    gate = managed.gate()
    managed.write("docs/b.sh", gate.script())
    with managed.daemon(settled=False):
        manager.hears("READY", "1")
        assert managed.log("scan.finished")
        eventually(lambda: managed.rendered() == ["docs/a.txt"], "the other one is rendered")
        with managed.renders("docs/b.sh", "docs/c.txt"):
            managed.write("docs/c.txt", "C")
            gate.open()
        assert manager.heard("READY") == ["1"]


def test_the_status_line_shows_the_state(managed: Project, manager: Manager) -> None:
    gate = managed.gate()
    managed.write_all({"docs/b.sh": gate.script(), "docs/c.txt": "{% broken"})
    with managed.daemon(settled=False):
        manager.hears("STATUS", "rendering 2 of 3")
        gate.open()
        manager.hears("STATUS", "idle: 3 documents, 2 done, 1 failed")
        since = manager.hears("STATUS")
        managed.write("docs/c.txt", "C")
        manager.hears("STATUS", "idle: 3 documents, 3 done", since)
        assert manager.heard("STATUS")[0] == "scanning the sources"


def test_its_status_is_told_when_it_changes_and_once_a_second_at_the_most(managed: Project, manager: Manager) -> None:
    with managed.daemon():
        manager.hears("STATUS", "idle: 1 document, 1 done")
        before, began = len(manager.messages()), time.monotonic()
        for number in range(40):
            managed.write(f"docs/more-{number}.txt", "more")
            managed.wait()
        manager.hears("STATUS", "idle: 41 documents, 41 done")
        told = manager.heard("STATUS", before)
        assert len(told) <= time.monotonic() - began + 2  # one may have been sent before, and heard later
        assert all(one != another for one, another in pairwise(told))


def test_a_reload_is_told_and_its_end(managed: Project, manager: Manager) -> None:
    with managed.daemon() as daemon:
        since = manager.hears("READY")
        before = time.monotonic_ns() // 1000
        daemon.send(signal.SIGHUP)
        manager.hears("READY", "1", since)
        (reloading,) = [each for each in manager.messages() if "RELOADING" in each]
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert [key for each in manager.messages() for key in each if key in {"READY", "RELOADING"}] == [
            "READY",
            "RELOADING",
            "READY",
        ]


def test_a_saved_configuration_is_reported_as_a_reload_and_ready_follows_once_it_is_in_force(
    managed: Project, manager: Manager
) -> None:
    with managed.daemon():
        since = manager.hears("READY")
        managed.write("kahnd.toml", managed.read("kahnd.toml").replace('"{dir}/{name}"', '"new/{name}"', 1))
        since = manager.hears("RELOADING", "1", since)
        manager.hears("READY", "1", since)
        assert managed.log("config.reloaded")
        managed.wait()
        assert managed.output("new/a.txt") == "A"


def test_after_a_failed_reload_the_daemon_is_ready_again(managed: Project, manager: Manager) -> None:
    good = managed.read("kahnd.toml")
    with managed.daemon() as daemon:
        managed.write("kahnd.toml", "[broken")
        eventually(lambda: managed.log("config.invalid"), "it is told")
        since = len(manager.messages())
        daemon.send(signal.SIGHUP)
        since = manager.hears("RELOADING", "1", since)
        manager.hears("READY", "1", since)
        managed.write("docs/b.txt", "B")
        eventually(lambda: managed.exists("site/b.txt"), "the last good configuration is in force")
        managed.write("kahnd.toml", good)


def test_the_end_is_told_with_how_long_it_may_take(managed: Project, manager: Manager) -> None:
    with managed.daemon() as daemon:
        daemon.stop()
        (stopping,) = [each for each in manager.messages() if "STOPPING" in each]
        assert stopping["STOPPING"] == "1"
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 10_000_000


def test_a_manager_that_does_not_read_does_not_block_the_daemon(project: Project) -> None:
    """The queue of a socket that nobody reads is soon full; and a socket may be gone."""
    with tempfile.TemporaryDirectory(prefix="run") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(f"{folder}/notify")
        project.env.update({"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "3000"})
        with project.daemon():
            eventually(lambda: _is_full(f"{folder}/notify"), "the queue is full")
            with project.renders("docs/a.txt"):
                project.write("docs/a.txt", "A")
            Path(folder, "notify").unlink()
            with project.renders("docs/a.txt"):
                project.write("docs/a.txt", "another")


def _is_full(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.sendto(b"", address)
        except BlockingIOError:
            return True
    return False


def test_programs_of_rules_do_not_get_the_notify_socket(managed: Project, manager: Manager) -> None:
    managed.env.update(manager.environment(WATCHDOG_S) | {"WATCHDOG_PID": ""})
    managed.write("docs/env.sh", 'env > "$1"')
    with managed.daemon():
        said = managed.output("env.out")
    assert "PATH=" in said
    assert not re.search("^(NOTIFY_SOCKET|WATCHDOG_)", said, re.MULTILINE)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys()


# The watchdog


def test_heartbeats_arrive_in_time(managed: Project, manager: Manager) -> None:
    managed.env.update(manager.environment(WATCHDOG_S))
    with managed.daemon():
        eventually(lambda: len(manager.heard("WATCHDOG")) > BEATS, "they come")


def test_no_heartbeats_are_sent_for_another_process(managed: Project, manager: Manager) -> None:
    managed.env.update(manager.environment(WATCHDOG_S) | {"WATCHDOG_PID": "1"})
    with managed.daemon() as daemon:
        manager.hears("STATUS", "idle: 1 document, 1 done")
        daemon.stop()
        assert manager.heard("WATCHDOG") == []


def _seconds_for(letters: int) -> float:
    """Of the processor: whoever else uses it makes none of them longer."""

    def seconds() -> float:
        began = time.thread_time()
        re.search(knots.EXPRESSION, "a" * letters)
        return time.thread_time() - began

    return min(seconds() for _ in range(3))


def test_an_engine_that_hangs_sends_no_heartbeat(managed: Project, manager: Manager) -> None:
    """A renderer keeps the interpreter busy for ever; ended as systemd does it, it says where it stood."""
    managed.env.update(manager.environment(WATCHDOG_S) | {"PYTHONPATH": knots.install(managed)})
    managed.configure(knots.RULE, TEXTS)
    with managed.daemon() as daemon:
        manager.hears("WATCHDOG")
        before = processor_seconds(daemon.pid)
        managed.write("docs/a.knot", "a" * 60)
        # A busy machine may keep signs back, too: the daemon must have been at work meanwhile.
        eventually(lambda: processor_seconds(daemon.pid) - before > 3 * WATCHDOG_S, "it is at work")
        eventually(lambda: manager.silence_s("WATCHDOG") > 3 * WATCHDOG_S, "no more signs come")
        daemon.send(signal.SIGABRT)
        daemon.ends(-signal.SIGABRT)
        assert "Fatal Python error: Aborted" in daemon.told
        assert "scan" in daemon.told


def test_a_long_look_does_not_count_as_hung(managed: Project, manager: Manager) -> None:
    """Holds before the daemon is ready, when it asks for more time, and later."""
    documents = [f"docs/{number}.knot" for number in range(8 * BEATS)]
    letters = next(each for each in range(12, 40) if _seconds_for(each) > WATCHDOG_S / 10)
    managed.env.update(manager.environment(WATCHDOG_S) | {"PYTHONPATH": knots.install(managed)})
    managed.configure(knots.RULE, TEXTS)
    managed.write_all(dict.fromkeys(documents, "a" * letters))
    with managed.daemon():
        before_ready = [each for each in _until_ready(manager) if "EXTEND_TIMEOUT_USEC" in each]
        assert len(before_ready) >= 2 * BEATS
        assert all(int(each["EXTEND_TIMEOUT_USEC"]) == round(WATCHDOG_S * 1e6) for each in before_ready)
        since = len(manager.messages())
        managed.write_all(dict.fromkeys(documents, "a" * letters + " "))
        managed.wait()
        assert len(manager.heard("WATCHDOG", since)) >= 2 * BEATS
    assert not managed.log("daemon.hung")


def _until_ready(manager: Manager) -> list[dict[str, str]]:
    return manager.messages()[: manager.hears("READY")]
