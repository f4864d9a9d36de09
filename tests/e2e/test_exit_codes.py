"""Every exit code that scripts may rely on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from e2e.harness import TRACEBACK, Daemon, Project, eventually, living_in
from e2e.rules import TEXTS


def test_0_all_good(project: Project) -> None:
    project.write("docs/a.txt", "A")
    for words in (("build",), ("plan",), ("--help",), ("--version",)):
        project.kahnd(*words, code=0)


def test_1_a_document_failed_and_reports_of_it_exit_0(project: Project) -> None:
    project.write("docs/a.sh", "exit 1")
    project.build(code=1)
    for words in (("plan",), ("graph",), ("logs", "-n", "1")):
        project.kahnd(*words, code=0)


COMMANDS = (
    ("init", "fresh"),
    ("import", "mkdocs"),
    ("run",),
    ("build",),
    ("plan",),
    ("retry",),
    ("status",),
    ("wait",),
    ("why", "docs/a.txt"),
    ("graph",),
    ("history",),
    ("logs",),
    ("open",),
    ("service", "status"),
    ("clean",),
    ("doctor",),
    ("completion", "bash"),
)
ANYWHERE = {"init", "import", "completion"}
"""They need no project."""


@pytest.mark.smoke
def test_every_command_is_covered(project: Project) -> None:
    listed = project.kahnd("--help").stdout.partition("Commands:")[2].partition("Exit codes:")[0]
    named = {line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2:3].isalpha()}
    assert named == {words[0] for words in COMMANDS}


@pytest.mark.parametrize("words", [*COMMANDS, ("bild",)])
def test_2_wrong_arguments(project: Project, words: tuple[str, ...]) -> None:
    told = project.kahnd(*words, "--nonsense", code=2)
    assert "--help" in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("build", "docs/nowhere.txt"),
        ("why", "docs/nowhere.txt"),
        ("graph", "../x"),
        ("completion", "tcsh"),
        ("import", "mkdocs"),
    ],
)
@pytest.mark.smoke
def test_2_an_unknown_name(project: Project, words: tuple[str, ...]) -> None:
    assert project.kahnd(*words, code=2).stderr.startswith("kahnd: error: ")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project for all that leaves its document as it is."""
    project = Project(tmp_path_factory.mktemp("built") / "project")
    project.configure(TEXTS)
    project.write("docs/a.txt", "A")
    project.build()
    return project


@pytest.mark.parametrize(
    "words", [each for each in COMMANDS if each[0] not in {*ANYWHERE, "run", "wait", "open", "service"}]
)
def test_0_commands_in_a_built_project(built: Project, words: tuple[str, ...]) -> None:
    built.kahnd(*words, code=4 if words[0] == "status" else 0)


@pytest.mark.parametrize("words", [("init", "fresh"), ("completion", "bash")])
def test_0_commands_that_need_no_project(tmp_path: Path, words: tuple[str, ...]) -> None:
    Project(tmp_path / "nothing").kahnd(*words, code=0)


def test_1_a_document_is_blocked(project: Project) -> None:
    project.write("docs/a.sum", "needs nowhere")
    project.build(code=1)


def test_2_an_unknown_target_is_named_with_the_nearest(project: Project) -> None:
    project.write("docs/report.txt", "A")
    told = project.kahnd("build", "docs/reprot.txt", code=2).told
    assert "docs/reprot.txt" in told
    assert "docs/report.txt" in told


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] not in ANYWHERE])
def test_2_there_is_no_project_here(tmp_path: Path, words: tuple[str, ...]) -> None:
    told = Project(tmp_path / "nothing").kahnd(*words, code=2).told
    assert "kahnd.toml" in told
    assert "kahnd init" in told


@pytest.mark.parametrize(
    "words", [words for words in COMMANDS if words[0] not in {*ANYWHERE, "wait", "open", "logs", "doctor", "service"}]
)
def test_2_the_configuration_is_broken(project: Project, words: tuple[str, ...]) -> None:
    project.write("kahnd.toml", "[project]\nsauces = 1\n")
    assert "kahnd.toml:2: " in project.kahnd(*words, code=2).stderr


def test_0_logs_and_doctor_with_a_broken_configuration(project: Project) -> None:
    project.write("kahnd.toml", "[project]\nsauces = 1\n")
    project.kahnd("logs", code=0)
    assert "kahnd.toml:2: " in project.kahnd("doctor", code=0).stdout


@pytest.mark.smoke
def test_3_a_cycle_whatever_else_failed(project: Project) -> None:
    project.write_all({"docs/a.sum": "needs b.sum", "docs/b.sum": "needs a.sum", "docs/c.sh": "exit 1"})
    project.build(code=3)
    with project.daemon():
        project.wait(code=3)


@pytest.mark.smoke
def test_4_there_is_no_daemon(project: Project) -> None:
    status = project.status(code=4)
    assert (status["pid"], status["state"]) == (None, "stopped")
    for command in ("wait", "open"):
        assert "kahnd run" in project.kahnd(command, code=4).told


def test_4_the_project_is_held_by_another(project: Project) -> None:
    with project.daemon() as daemon:
        for words in (("run",), ("clean",)):
            assert str(daemon.pid) in project.kahnd(*words, code=4).told


def test_4_a_wait_that_takes_too_long(project: Project) -> None:
    gate = project.gate()
    project.write("docs/a.txt", "A")
    with project.daemon():
        project.write("docs/b.sh", gate.script())
        gate.reached()
        assert "--timeout" in project.kahnd("wait", "--timeout", "0.1", code=4).told
        gate.open()
        project.wait()


def test_1_and_3_of_retry(project: Project) -> None:
    project.write("docs/a.sh", "exit 1")
    project.build(code=1)
    project.kahnd("retry", code=1)
    project.write("docs/c.sum", "needs c.sum")
    project.build(code=3)
    project.kahnd("retry", code=3)


def test_4_a_daemon_that_was_killed_is_no_daemon(project: Project) -> None:
    with project.daemon() as daemon:
        daemon.kill()
        assert project.status(code=4)["state"] == "stopped"


def test_5_the_store_cannot_be_reached(project: Project) -> None:
    project.write("docs/a.txt", "A")
    away = Project(project.root, {"KAHND_STORE__URL": "ws://127.0.0.1:9/rpc"})
    for words in (("build",), ("plan",), ("status",), ("run",), ("retry",), ("history",), ("clean", "--state")):
        assert "127.0.0.1:9" in away.kahnd(*words, code=5).told


def test_5_the_store_url_makes_no_sense(project: Project) -> None:
    """An unknown kind of store is a fault of the configuration, and is told as one."""
    project.write("docs/a.txt", "A")
    odd = Project(project.root, {"KAHND_STORE__URL": "gopher://db"})
    assert "gopher" in odd.kahnd("build", code=2).told


def test_130_a_build_is_interrupted(project: Project) -> None:
    gate = project.gate()
    project.write_all({"docs/a.sh": gate.script(), "docs/b.txt": "B"})
    build = project.begin("build")
    gate.reached()
    build.send_signal(signal.SIGINT)
    told, _ = build.communicate(timeout=120)
    assert build.returncode == 130, told
    assert TRACEBACK not in told
    eventually(lambda: not living_in(project.root), "nothing of the build is left")
    gate.open()
    project.build()
    assert project.outputs() == {"a.out": b"it\n", "b.txt": b"B"}


@pytest.mark.smoke
def test_130_the_daemon_is_interrupted_and_0_it_is_asked_to_end(project: Project) -> None:
    with project.daemon() as daemon:
        daemon.stop(signal.SIGINT, code=130)
    with project.daemon() as daemon:
        daemon.stop(signal.SIGTERM, code=0)
    assert [each["event"] for each in project.log() if each["event"].startswith("daemon.")] == [
        "daemon.started",
        "daemon.stopped",
    ] * 2


def test_a_build_through_a_daemon_has_the_same_codes(live: Daemon) -> None:
    project = live.project
    project.write("docs/codes/a.sh", "exit 1")
    project.build(code=1)
    project.write("docs/codes/a.sh", 'echo A > "$1"')
    project.build()
    project.write("docs/codes/b.sum", "needs b.sum")
    project.build(code=3)
    project.remove("docs/codes/b.sum")
    project.build()
    project.kahnd("build", "docs/nowhere", code=2)
