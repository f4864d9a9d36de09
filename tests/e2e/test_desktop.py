"""`kahnd run --notify`, over a real session bus."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.desktop import Desktop, desktop
from e2e.harness import DEADLINE_S, Project, eventually


@pytest.fixture
def told(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with desktop(tmp_path_factory.mktemp("bus")) as found:
        project.env["DBUS_SESSION_BUS_ADDRESS"] = found.address
        yield found


@contextmanager
def notifying(project: Project, code: int = 0) -> Iterator[None]:
    """A daemon that tells the desktop, at rest."""
    with Path(f"{project.root}.run").open("w") as output:
        daemon = project.begin("run", "--notify", stdout=output)
        try:
            eventually(lambda: project.log("daemon.started"), "it starts")  # a command before could be first
            eventually(lambda: project.status(code=None)["state"] in {"idle", "degraded"}, "the daemon is at rest")
            yield
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(DEADLINE_S) == code
        finally:
            daemon.kill()
            daemon.wait()


def test_failures_of_a_build_are_one_notification_and_the_recovery_another(project: Project, told: Desktop) -> None:
    names = [f"docs/{name}.sh" for name in "abcde"]
    project.write_all(dict.fromkeys(names, 'echo fine > "$1"'))
    with notifying(project):
        project.write_all(dict.fromkeys(names, "exit 1"))
        project.wait(code=1)
        eventually(lambda: told.told, "the desktop is told")
        project.write_all(dict.fromkeys(names, 'echo well > "$1"'))
        project.wait()
        eventually(lambda: len(told.told) == 2, "the desktop is told again")
    (broken, text), (mended, _) = told.told
    assert broken == "project: 5 documents failed"
    assert [line.partition(":")[0] for line in text.splitlines()] == [*names[:3], "and 2 more"]
    assert mended == "project: mended"
    assert told.replaced == [0, 1]


def test_names_and_messages_are_escaped(project: Project, told: Desktop) -> None:
    project.write("docs/<b>a.sh", "exit 1")
    with notifying(project):
        eventually(lambda: told.told, "the desktop is told")
    assert told.told[0][1].startswith("docs/&lt;b&gt;a.sh")


def test_an_unchanged_failure_is_not_reported_again(project: Project, told: Desktop) -> None:
    project.write_all({"docs/a.sh": "exit 1", "docs/b.txt": "B"})
    with notifying(project):
        eventually(lambda: len(told.told) == 1, "what fails at the start is told")
        project.write("docs/b.txt", "B2")
        project.wait(code=1)
        project.write("docs/c.sh", "exit 1")
        project.wait(code=1)
        eventually(lambda: len(told.told) == 2, "the next failure is told")
    assert "docs/c.sh" in told.told[1][1]
    assert "docs/a.sh" not in told.told[1][1]


def test_a_desktop_that_does_not_answer_does_not_block_the_daemon(project: Project, told: Desktop) -> None:
    told.silent = True
    with notifying(project):
        project.write("docs/a.sh", "exit 1")
        project.wait(code=1)
        project.write("docs/a.sh", 'echo A > "$1"')
        project.wait()
        assert project.output("a.out") == "A\n"
        eventually(lambda: project.log("notify.failed"), "the log tells")


def test_without_a_desktop_the_log_tells_once_and_the_daemon_goes_on(project: Project) -> None:
    project.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"
    with notifying(project):
        for number in range(3):
            project.write(f"docs/{number}.sh", "exit 1")
            project.wait(code=1)
        (failed,) = eventually(lambda: project.log("notify.failed"), "the log tells")
        assert failed["level"] == "warning"
        assert "DBUS_SESSION_BUS_ADDRESS" in failed["remedy"]


def test_without_the_package_the_error_says_how_to_install_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "jeepney.py").write_text("raise ImportError\n")
    project.env["PYTHONPATH"] = str(tmp_path / "absent")
    assert "pip install 'kahnd[notify]'" in project.kahnd("run", "--notify", code=2).told
