"""A daemon whose database goes away, comes back, is damaged, or belongs to another kahnd."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Project, eventually, processor_seconds
from e2e.manager import Manager
from e2e.rules import SCRIPTS, TEXTS
from faults.environment import DatabaseServer, is_logged

MEASURED_S = 3.0
WATCHDOG_S, BEATS = 0.6, 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DatabaseServer]:
    with DatabaseServer(tmp_path / "server") as server:
        yield server


@pytest.fixture
def remote(tmp_path: Path, server: DatabaseServer) -> Project:
    """Creates a project whose database is on the server."""
    project = Project(tmp_path / "project", server.environment)
    project.configure(TEXTS)
    project.write("docs/a.txt", "A")
    return project


def test_changes_made_while_the_server_is_away_are_rendered_later(remote: Project, server: DatabaseServer) -> None:
    remote.write("docs/b.txt", "B")
    with remote.daemon() as daemon:
        server.kill()
        remote.write("docs/a.txt", "another")
        eventually(lambda: is_logged(remote, "store.lost"), "the loss is told")
        assert remote.status()["state"] == "degraded"
        remote.write("docs/c.txt", "C")
        remote.remove("docs/b.txt")
        before = processor_seconds(daemon.pid)
        eventually(lambda: "can't be reached" in str(remote.log("store.lost")), "it says why")
        server.start()
        eventually(lambda: is_logged(remote, "store.restored"), "the return is told")
        remote.wait()
        assert processor_seconds(daemon.pid) - before < 2
        assert len(remote.log("store.lost")) == 1
        assert remote.outputs() == {"a.txt": b"another", "c.txt": b"C"}
        assert remote.status()["state"] == "idle"
    assert remote.build()["rendered"] == []


def test_a_lost_database_uses_no_processor_time(remote: Project, server: DatabaseServer) -> None:
    with remote.daemon() as daemon:
        server.kill()
        remote.write("docs/a.txt", "another")
        eventually(lambda: is_logged(remote, "store.lost"), "the loss is told")
        lines, worked, until = remote.mark(), processor_seconds(daemon.pid), time.monotonic() + MEASURED_S
        eventually(lambda: time.monotonic() > until, "it was watched for so long")
        assert processor_seconds(daemon.pid) - worked < 0.2 * MEASURED_S
        assert remote.mark() == lines


def test_a_daemon_that_waits_for_its_database_feeds_the_watchdog(remote: Project, server: DatabaseServer) -> None:
    """The watchdog does not end it, and the service's status shows what it waits for."""
    with tempfile.TemporaryDirectory(prefix="run") as folder, Manager(Path(folder)) as manager:
        remote.env.update(manager.environment(WATCHDOG_S))
        with remote.daemon():
            server.kill()
            remote.write("docs/a.txt", "another")
            since = manager.hears("STATUS", "degraded: the database is away, and waited for")
            eventually(lambda: len(manager.heard("WATCHDOG", since)) > 3 * BEATS, "signs of life go on coming")
            server.start()
            manager.hears("STATUS", "idle: 1 document, 1 done", since)
    assert not remote.log("daemon.hung")


def test_wait_reports_that_the_server_is_away(remote: Project, server: DatabaseServer) -> None:
    with remote.daemon():
        server.kill()
        remote.write("docs/a.txt", "another")
        eventually(lambda: is_logged(remote, "store.lost"), "the loss is told")
        said = remote.kahnd("wait", "--timeout", "0.5", code=4).told
        assert "the database is away" in said
        assert "can't be reached" in said


def test_a_config_saved_while_the_server_is_away_takes_effect_later(remote: Project, server: DatabaseServer) -> None:
    with remote.daemon():
        server.kill()
        remote.write("kahnd.toml", remote.read("kahnd.toml").replace('"{dir}/{name}"', '"{dir}/{stem}.out"'))
        eventually(lambda: is_logged(remote, "store.lost"), "the loss is told")
        assert remote.status()["pid"]
        server.start()
        eventually(lambda: remote.exists("site/a.out"), "the new rule's output is there")
        remote.wait()
        assert remote.outputs() == {"a.out": b"A"}
    assert is_logged(remote, "store.restored")


def test_a_server_that_comes_back_empty_is_filled_again(
    remote: Project, server: DatabaseServer, tmp_path: Path
) -> None:
    with remote.daemon():
        server.kill()
        (tmp_path / "server").rename(tmp_path / "gone")
        server.start()
        remote.write("docs/a.txt", "another")
        remote.wait()
        assert remote.outputs() == {"a.txt": b"another"}


def test_results_that_were_not_committed_when_the_server_went_are_committed_when_it_is_back(
    remote: Project, server: DatabaseServer
) -> None:
    remote.configure(SCRIPTS)
    gate = remote.gate()
    remote.write("docs/a.sh", gate.script())
    with remote.daemon(settled=False):
        gate.reached()
        server.kill()
        gate.open()
        eventually(lambda: is_logged(remote, "store.lost"), "the loss is told")
        eventually(lambda: remote.exists("site/a.out"), "what was being rendered is put in place")
        server.start()
        remote.wait()
    assert remote.build()["rendered"] == []


def test_a_daemon_killed_between_output_and_commit_resumes_from_the_last_commit(
    remote: Project, server: DatabaseServer
) -> None:
    """While the server is away, certainly nothing is committed."""
    remote.configure(SCRIPTS)
    gate = remote.gate()
    remote.write_all({"docs/a.sh": gate.script(), "docs/b.sh": 'echo b > "$1"\n'})
    with remote.daemon(settled=False) as daemon:
        gate.reached()
        eventually(lambda: remote.exists("site/b.out"), "what waits for nothing is in place")
        # The history is read from the database after all results so far are written there.
        assert [each["document"] for each in remote.kahnd("history", "--json").json] == ["docs/b.sh"]
        server.kill()
        gate.open()
        eventually(lambda: remote.exists("site/a.out"), "the output is in place")
        daemon.kill()
    server.start()
    mark = remote.mark()
    remote.build()
    assert remote.rendered(mark) == ["docs/a.sh"]
    assert remote.outputs() == {"a.out": b"it\n", "b.out": b"b\n"}


def test_a_flipped_byte_in_an_embedded_database_loses_no_output(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.sum": "needs a.txt"})
    project.build()
    files = [each for each in project.path(".kahnd/db").rglob("*") if each.is_file() and each.stat().st_size]
    for number, file in enumerate(files):
        content = bytearray(file.read_bytes()) if file.exists() else bytearray(1)
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
        project.write("docs/a.txt", f"{number}")
        project.build()
        assert project.output("a.txt") == f"{number}"
        assert project.build()["rendered"] == []
    assert project.outputs() == project.fresh_outputs()


def test_a_daemon_that_is_stopped_closes_its_database(project: Project) -> None:
    """A closed database has written all of its log into its tables."""
    project.write("docs/a.txt", "A")
    with project.daemon():
        assert not list(project.path(".kahnd/db/sstables").iterdir())
    assert list(project.path(".kahnd/db/sstables").iterdir())


def test_an_unreadable_database_is_moved_aside_and_reported(project: Project) -> None:
    project.write("docs/a.txt", "A")
    project.build()
    for file in project.path(".kahnd/db/manifest").iterdir():
        file.write_bytes(b"nonsense")
    with project.daemon():
        (line,) = project.log("store.rebuilt")
        assert "built anew from the sources" in line["error"]
        (aside,) = project.path(".kahnd").glob("db.unusable-*")
        assert str(aside) in line["error"]
        assert project.status()["state"] == "idle"


@pytest.mark.parametrize("word", ["status", "plan", "history", "build"])
def test_a_command_logs_that_the_database_is_unusable(project: Project, word: str) -> None:
    project.write("docs/a.txt", "A")
    project.build()
    for file in project.path(".kahnd/db/manifest").iterdir():
        file.write_bytes(b"nonsense")
    project.kahnd(word, code=None)
    (line,) = project.log("store.rebuilt")
    assert "db.unusable-" in line["error"]


def test_without_a_server_commands_fail_and_no_daemon_starts(remote: Project, server: DatabaseServer) -> None:
    server.kill()
    for word in ("build", "run"):
        assert "can't be reached" in remote.kahnd(word, code=5).told
