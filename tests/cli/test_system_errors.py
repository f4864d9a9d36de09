"""Errors of the system are reported like any other: in words, in JSON, with a code, and without a traceback."""

from __future__ import annotations

import errno
import json
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import kahnd.__main__
import kahnd.cli.main
from api.control_server import serving

KAHND = f"{shlex.quote(sys.executable)} -c 'from kahnd.cli.main import main; main()'"

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "kahnd.toml").write_text('[project]\nsources = ["docs"]\n')
    return tmp_path


def _shell(folder: Path, line: str) -> Finished:
    """A line of the shell's, in which `kahnd` is the command."""
    told = subprocess.run(
        ["bash", "-c", f'kahnd() {{ {KAHND} "$@"; }}; {line}'],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("KAHND_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in told.stderr
    return told


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = _shell(tmp_path, "kahnd init file/notes --json")
    error = json.loads(told.stdout)["error"]
    assert (told.returncode, error["exit_code"]) == (2, 2)
    assert (error["message"], error["file"]) == ("not a directory", f"{tmp_path}/file/notes/data")
    assert f"kahnd: error: {tmp_path}/file/notes/data: not a directory\n  see to" in told.stderr


def test_a_log_that_is_a_folder_is_named(root: Path) -> None:
    (root / ".kahnd" / "log" / "kahnd.jsonl").mkdir(parents=True)
    told = _shell(root, "kahnd logs")
    assert told.returncode == 2
    assert ".kahnd/log/kahnd.jsonl: is a directory" in told.stderr


def test_a_removed_current_folder_is_an_error(root: Path) -> None:
    told = _shell(root, 'mkdir gone && cd gone && rmdir "$PWD" && kahnd status')
    assert told.returncode == 2
    assert told.stderr.startswith("kahnd: error: the current folder has been removed\n")


def test_from_a_folder_that_has_been_removed_a_project_can_be_named(root: Path) -> None:
    assert (
        _shell(root, 'mkdir gone && cd gone && rmdir "$PWD" && kahnd -C .. status; kahnd -C / status').returncode == 2
    )
    told = _shell(root, f'mkdir gone && cd gone && rmdir "$PWD" && kahnd -C {root} status')
    assert (told.returncode, told.stderr) == (4, "")


def test_output_that_can_not_be_written_is_told_once(root: Path) -> None:
    told = _shell(root, "kahnd status > /dev/full")
    assert told.returncode == 2
    assert told.stderr == "kahnd: error: no space left on device\n  see to the machine's space and limits\n"
    assert _shell(root, "kahnd status --json > /dev/full 2> /dev/full").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(root: Path, closed: str) -> None:
    (root / "docs" / "a.md").write_text("A")
    (root / "kahnd.toml").write_text('[project]\nsources = ["docs"]\n[[rules]]\nmatch = "**/*.md"\nrenderer = "copy"\n')
    told = _shell(root, f"kahnd build {closed}")
    assert (told.returncode, told.stderr) == (0, "")
    assert (root / "site" / "a.md").exists()
    assert _shell(root, f"kahnd why docs/nowhere.md {closed}").returncode == 2


def test_a_reader_that_has_seen_enough_is_no_error(root: Path) -> None:
    told = _shell(root, "set -o pipefail; kahnd completion bash | true; kahnd build --help | head -n 1")
    assert (told.stdout, told.stderr) == ("Usage: kahnd build [OPTIONS] [TARGET]...\n", "")


@pytest.mark.parametrize("limit", ["1e10", "inf", "nan"])
def test_a_time_limit_may_be_very_long(root: Path, limit: str) -> None:
    report = {"rendered": [], "skipped": [], "failed": [], "blocked": [], "removed": [], "cycles": [], "duration_ms": 1}
    with serving(root) as daemon:
        daemon.answers({"report": report})
        told = _shell(root, f"kahnd wait --timeout {limit}")
    assert (told.returncode, told.stderr) == (0, "")
    assert daemon.asked == [("POST", "/v1/wait", {"targets": [], "timeout": 2_000_000})]


@pytest.mark.parametrize("words", ["kahnd", "kahnd service"])
def test_without_arguments_the_help_is_shown(root: Path, words: str) -> None:
    told = _shell(root, words)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"Usage: {words} [OPTIONS] COMMAND [ARGS]...\n")
    assert "Commands:\n" in told.stderr


_LACKS = [
    MemoryError(),
    ExceptionGroup("of tasks", [ExceptionGroup("", [MemoryError()])]),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "/usr/lib/a-package"),
]


@pytest.mark.parametrize("error", _LACKS)
def test_too_little_memory_is_told_wherever_it_ran_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(kahnd.cli.main, "main", fail)
    with pytest.raises(SystemExit) as ended:
        kahnd.__main__.main()
    assert ended.value.code == 2
    assert "too little memory" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ImportError("libx.so: failed to map segment"), SystemError("no exception set")])
def test_a_failed_import_is_taken_for_too_little_memory_only_where_memory_is_limited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(kahnd.cli.main, "main", fail)
    with pytest.raises(type(error)):
        kahnd.__main__.main()
    monkeypatch.setattr(resource, "getrlimit", lambda _limit: (30 << 20, 30 << 20))
    with pytest.raises(SystemExit):
        kahnd.__main__.main()
    assert "too little memory" in capsys.readouterr().err


def test_other_faults_in_a_group_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ExceptionGroup("of tasks", [MemoryError(), ValueError()])

    monkeypatch.setattr(kahnd.cli.main, "main", fail)
    with pytest.raises(ExceptionGroup):
        kahnd.__main__.main()
