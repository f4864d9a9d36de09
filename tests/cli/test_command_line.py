"""The command as a process, against a socket that answers as it is told, or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from api.control_server import Daemon, serving
from kahnd.cli.main import COMMANDS, load_command

KAHND = (sys.executable, "-c", "from kahnd.cli.main import main; main()")
REPORT: dict[str, Any] = {
    "rendered": ["docs/a.md"],
    "skipped": [],
    "failed": [],
    "blocked": [],
    "removed": [],
    "cycles": [],
    "duration_ms": 5,
}
LINES = [
    {
        "timestamp": f"2026-01-01T00:00:0{number}Z",
        "level": "info",
        "event": f"e{number}",
        "document": f"docs/{number}.md",
    }
    for number in range(4)
]

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "docs").mkdir(parents=True)
    (root / "kahnd.toml").write_text('[project]\nsources = ["docs"]\n')
    (root / "docs" / "a.md").touch()
    return root


@pytest.fixture
def daemon(root: Path) -> Iterator[Daemon]:
    with serving(root) as daemon:
        yield daemon


@pytest.fixture
def log(root: Path) -> Path:
    log = root / ".kahnd" / "log" / "kahnd.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    return log


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KAHND_")}


def _kahnd(root: Path, *words: str) -> Finished:
    ended = subprocess.run(
        [*KAHND, *words], cwd=root, env=_environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in ended.stderr
    return ended


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    command = load_command(name)
    assert isinstance(command, click.Command)
    assert command.help
    assert command.short_help
    assert f"kahnd {name}" in str(command.epilog), "it has examples"


def test_help_and_version(tmp_path: Path) -> None:
    shown = _kahnd(tmp_path, "--help")
    assert shown.returncode == 0
    assert all(f"\n  {name}" in shown.stdout for name in COMMANDS)
    assert _kahnd(tmp_path, "--version").stdout.startswith("kahnd 0")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bild"], "kahnd: error: no such command 'bild'. Did you mean 'build'?\n  see `kahnd --help`\n"),
        (
            ["build", "--frce"],
            "kahnd: error: no such option '--frce'. Did you mean '--force'?\n  see `kahnd build --help`\n",
        ),
        (["graph", "--reverse"], "kahnd: error: --reverse needs a target\n  see `kahnd graph --help`\n"),
        (["logs", "--since", "soon"], '"soon" is no time'),
        (["-C", "nowhere", "status"], "nowhere"),
        (["build", "/etc/passwd"], "outside the project"),
    ],
)
def test_wrong_arguments_exit_with_2(root: Path, words: list[str], message: str) -> None:
    ended = _kahnd(root, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr


def test_an_error_is_printed_as_json_too(root: Path) -> None:
    ended = _kahnd(root, "wait", "--json")
    error = json.loads(ended.stdout)["error"]
    assert (ended.returncode, error["exit_code"]) == (4, 4)
    assert error["message"] in ended.stderr
    assert error["remedy"] == "start one with `kahnd run`"


def test_status_of_a_daemon(root: Path, daemon: Daemon) -> None:
    daemon.answers({"pid": 1, "state": "idle"})
    ended = _kahnd(root, "status", "--json")
    assert (ended.returncode, json.loads(ended.stdout)) == (0, {"pid": 1, "state": "idle"})


@pytest.mark.parametrize("command", ["build", "wait"])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"failed": [{"document": "docs/a.md", "error": "no"}]}, 1),
        ({"blocked": [{"document": "docs/a.md", "because": "docs/b.md"}]}, 1),
        ({"cycles": [["docs/a.md", "docs/a.md"]]}, 3),
    ],
)
def test_a_report_decides_the_exit_code(
    root: Path, daemon: Daemon, command: str, changes: dict[str, Any], code: int
) -> None:
    report = {**REPORT, **changes}
    daemon.answers({"progress": {"done": 1, "total": 1, "document": "docs/a.md"}}, {"report": report})
    ended = _kahnd(root, command, "--json")
    assert (ended.returncode, json.loads(ended.stdout), ended.stderr) == (code, report, "")


@pytest.mark.parametrize("code", [2, 4, 5])
def test_an_error_of_the_daemon_decides_the_exit_code(root: Path, daemon: Daemon, code: int) -> None:
    daemon.answers({"error": {"message": "so it is", "remedy": "", "exit_code": code}})
    ended = _kahnd(root, "wait", "--timeout", "1")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "kahnd: error: so it is\n")
    assert daemon.asked == [("POST", "/v1/wait", {"targets": [], "timeout": 1.0})]


@pytest.mark.parametrize("words", [("-C", "docs", "build", "a.md", "--force"), ("build", "--force", "./docs/a.md")])
def test_targets_are_project_paths(root: Path, daemon: Daemon, words: tuple[str, ...]) -> None:
    daemon.answers({"report": REPORT})
    assert "1 rendered (5 ms)\n" in _kahnd(root, *words).stdout
    assert daemon.asked == [("POST", "/v1/build", {"targets": ["docs/a.md"], "force": True})]


def test_a_sub_folder_is_in_the_project(root: Path, daemon: Daemon) -> None:
    daemon.answers({"nodes": [], "edges": []})
    assert _kahnd(root / "docs", "graph", "a.md", "--format", "mermaid").stdout == "flowchart LR\n"
    assert _kahnd(root / "docs", "graph", "a.md", "--reverse", "--json").stdout == '{"nodes": [], "edges": []}\n'
    assert [path for _, path, _ in daemon.asked] == [
        "/v1/graph?target=docs%2Fa.md",
        "/v1/graph?target=docs%2Fa.md&reverse=1",
    ]


def test_a_name_that_is_no_utf_8_is_printed_all_the_same(root: Path, daemon: Daemon) -> None:
    name = os.fsdecode(b"docs/\xff.md")
    daemon.answers({"generations": [[name]], "reasons": {name: "new"}, "cycles": []})
    assert "docs/\\udcff.md  new" in _kahnd(root, "plan").stdout
    assert json.loads(_kahnd(root, "plan", "--json").stdout)["generations"] == [[name]]


def test_ctrl_c_ends_with_130(root: Path, daemon: Daemon) -> None:
    daemon.holds = threading.Event()
    with subprocess.Popen([*KAHND, "wait"], cwd=root, env=_environment(), stderr=subprocess.PIPE, text=True) as waiting:
        _until(lambda: bool(daemon.asked))
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=120)
    assert waiting.returncode == 130
    assert "Traceback" not in said


def _until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never comes")


# The log


def test_the_log_in_json_is_as_it_stands(root: Path, log: Path) -> None:
    shown = _kahnd(root, "logs", "--json", "-n", "2").stdout
    assert shown == "".join(log.read_text().splitlines(keepends=True)[-2:])


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ([], [0, 1, 2, 3]),
        (["-n", "1"], [3]),
        (["-n", "0"], [0, 1, 2, 3]),
        (["--doc", "docs/1.md"], [1]),
        (["--since", "2026-01-01T00:00:02Z"], [2, 3]),
        (["--since", "10m"], []),
        (["--level", "error"], []),
        (["--build", "x"], []),
    ],
)
def test_the_log_for_people(root: Path, log: Path, words: list[str], numbers: list[int]) -> None:
    shown = _kahnd(root, "logs", *words).stdout.splitlines()
    assert [line.split()[3] for line in shown] == [f"e{number}" for number in numbers]


def test_the_log_of_a_broken_project_is_shown(root: Path, log: Path) -> None:
    (root / "kahnd.toml").write_text("[project\n")
    assert len(_kahnd(root, "logs").stdout.splitlines()) == len(LINES)


def test_no_log_is_no_error(root: Path) -> None:
    ended = _kahnd(root, "logs")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "nothing has been logged yet" in ended.stderr


def test_following_ends_with_its_reader(root: Path, log: Path) -> None:
    """As in `kahnd logs -f | head -1`: the first line that nobody reads ends it, quietly."""
    with subprocess.Popen(
        [*KAHND, "logs", "-f", "-n", "1"],
        cwd=root,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout
        assert following.stderr
        assert "e3" in following.stdout.readline()
        following.stdout.close()
        with log.open("a") as file:
            file.write(f"{json.dumps(LINES[0])}\n")
        following.wait(120)
        assert following.stderr.read() == ""


def test_following_ends_with_ctrl_c(root: Path, log: Path) -> None:
    with subprocess.Popen(
        [*KAHND, "logs", "-f"],
        cwd=root,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout
        following.stdout.readline()
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=120)
    assert following.returncode == 130
    assert "Traceback" not in said


# How it starts

HEAVY = (
    "asyncio",
    "aiohttp",
    "anyio",
    "jinja2",
    "msgspec",
    "rich",
    "structlog",
    "surrealdb",
    "inotify_simple",
    "watchfiles",
    "wcmatch",
)


def test_a_command_through_the_daemon_imports_nothing_heavy(root: Path, daemon: Daemon) -> None:
    """No slow module is imported: measured by the modules that are loaded, and not by a clock."""
    daemon.answers({"pid": 1, "state": "idle"})
    program = (
        "import sys; from kahnd.cli.main import run; run(['status', '--json']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
