"""`kahnd service`, with a stand-in for `systemctl` that notes what it is asked.

The files are real, and so is what systemd itself says of them: see tests/service/test_units.py.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.control_server import serving
from kahnd.platform import systemd

KAHND = Path(sys.executable).with_name("kahnd")
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {notes}
case "$*" in
  *Version*) {version} ;;
  *"show "*) cat {shown} ;;
  *"enable --now"*) {enable} ;;
esac
"""
STOPPED = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "UnitFileState": "", "MainPID": "0"}
RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "MainPID": "4242",
    "StatusText": "idle: 1 document, 1 done",
    "NRestarts": "0",
}


@dataclass
class Home:
    """A user's home, their project, and what they have on their PATH."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "hand book"

    @property
    def unit(self) -> str:
        return systemd.unit_name(self.root.resolve())

    @property
    def file(self) -> Path:
        return self.folder / ".config/systemd/user" / self.unit

    def service(self, *words: str, code: int = 0, program: Path | str = KAHND) -> subprocess.CompletedProcess[str]:
        environment = {"HOME": str(self.folder), "PATH": f"{self.folder}/bin:/usr/bin:/bin", **self.env}
        done = subprocess.run(
            [program, "-C", str(self.root), "service", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def manager(self, *, version: str = "echo 252", enable: str = ":", **shown: str) -> None:
        """Systemd is there, and says this."""
        (self.folder / "shown").write_text("".join(f"{key}={value}\n" for key, value in (STOPPED | shown).items()))
        program = self.folder / "bin/systemctl"
        program.parent.mkdir(exist_ok=True)
        quoted = {name: shlex.quote(str(self.folder / name)) for name in ("notes", "shown")}
        program.write_text(SYSTEMCTL.format(**quoted, version=version, enable=enable))
        program.chmod(0o755)

    def asked(self) -> list[str]:
        """Returns the commands that systemctl got since the last call, without those that only ask."""
        notes = self.folder / "notes"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.write_text("")
        return [line.removeprefix("--user --no-pager ") for line in lines if " show " not in line]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.root.mkdir()
    (home.root / "kahnd.toml").write_text('[project]\nsources = ["."]\n')
    return home


@pytest.fixture
def managed(home: Home) -> Home:
    home.manager()
    return home


@pytest.fixture
def nowhere(home: Home) -> Home:
    """As where there is no systemd."""
    home.env["PATH"] = f"{home.folder}/bin"
    return home


def file_version(file: Path) -> tuple[int, int, int]:
    """Differs once a file has been written; that it was read shows in its access time alone."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def test_install_writes_the_unit_and_starts_it(managed: Home) -> None:
    told = managed.service("install").stdout
    assert managed.file.read_text() == systemd.project_unit(
        managed.root.resolve(), [str(KAHND)], f"{managed.folder}/bin:/usr/bin:/bin"
    )
    assert managed.asked() == ["daemon-reload", f"enable --now {managed.unit}"]
    assert str(managed.file) in told
    assert managed.unit in told


def test_installing_twice_changes_nothing(managed: Home) -> None:
    managed.service("install")
    before = file_version(managed.file)
    managed.asked()
    managed.service("install")
    assert file_version(managed.file) == before
    assert managed.asked() == ["daemon-reload", f"enable --now {managed.unit}"]


def test_a_changed_unit_is_restarted(managed: Home) -> None:
    managed.service("install")
    managed.asked()
    managed.env["PATH"] = f"{managed.folder}/bin:/usr/local/bin:/usr/bin:/bin"
    managed.service("install")
    assert "/usr/local/bin" in managed.file.read_text()
    assert managed.asked() == ["daemon-reload", f"try-restart {managed.unit}", f"enable --now {managed.unit}"]


def test_the_unit_is_written_below_xdg_config_home(managed: Home) -> None:
    managed.env["XDG_CONFIG_HOME"] = f"{managed.folder}/settings"
    managed.service("install")
    assert (managed.folder / "settings/systemd/user" / managed.unit).exists()
    assert not managed.file.exists()


def test_a_link_to_kahnd_is_what_is_started(managed: Home) -> None:
    """An upgrade puts another file where it leads."""
    link = managed.folder / "bin" / "kahnd"
    link.symlink_to(KAHND)
    managed.service("install", program=link)
    assert f'ExecStart=:"{link}" "-C"' in managed.file.read_text()


def test_a_module_that_is_run_is_what_is_started(managed: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kahnd", "-C", str(managed.root), "service", "install", "--no-start"],
        env={"HOME": str(managed.folder), "PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode == 0
    assert f'ExecStart=:"{sys.executable}" "-m" "kahnd" "-C"' in managed.file.read_text()


def test_no_start_needs_no_manager(nowhere: Home) -> None:
    told = nowhere.service("install", "--no-start").stdout
    assert nowhere.file.exists()
    assert "systemctl --user enable --now" in told


@pytest.mark.parametrize("words", [("install",), ("status",)])
def test_without_systemd_it_is_told_what_to_do_instead(nowhere: Home, words: tuple[str, ...]) -> None:
    told = nowhere.service(*words, code=2).stderr
    assert "there is no systemd here" in told
    assert "docs/service.md" in told
    assert not nowhere.file.exists()


def test_a_manager_that_does_not_answer_is_told_with_its_words_and_a_remedy(home: Home) -> None:
    home.manager(version="echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    told = home.service("install", code=2).stderr
    assert "Failed to connect to bus: No medium found" in told
    assert "enable-linger" in told
    assert not home.file.exists()


def test_one_that_can_not_be_started_is_told_with_where_to_look(home: Home) -> None:
    home.manager(enable="echo 'Job failed.' >&2; exit 1")
    told = home.service("install", code=2).stderr
    assert "Job failed." in told
    assert f"journalctl --user -u '{home.unit}'" in told


def test_a_daemon_that_runs_already_is_in_the_way(managed: Home) -> None:
    with serving(managed.root) as daemon:
        daemon.answers({"pid": 77})
        assert "process 77" in managed.service("install", code=2).stderr
    assert not managed.file.exists()
    assert managed.asked() == []


def test_the_units_own_daemon_is_not_in_the_way(home: Home) -> None:
    home.manager(**RUNNING)
    with serving(home.root) as daemon:
        daemon.answers({"pid": 4242})
        home.service("install")


@pytest.mark.parametrize("words", [("install",), ("uninstall",)])
def test_a_foreign_unit_is_left_alone(managed: Home, words: tuple[str, ...]) -> None:
    managed.file.parent.mkdir(parents=True)
    managed.file.write_text("[Service]\nExecStart=/usr/bin/mine\n")
    told = managed.service(*words, code=2).stderr
    assert "not written by kahnd" in told
    assert "mine" in managed.file.read_text()
    assert managed.asked() == []


def test_uninstall_stops_it_and_removes_what_was_written(managed: Home) -> None:
    managed.service("install")
    own = managed.file.with_name(f"{managed.file.name}.d") / "override.conf"
    own.parent.mkdir()
    own.touch()
    managed.asked()
    managed.service("uninstall")
    assert not managed.file.exists()
    assert own.exists()
    assert managed.asked() == [f"disable --now {managed.unit}", "daemon-reload"]
    assert "no unit" in managed.service("uninstall").stdout
    assert managed.asked() == []


def test_uninstall_resets_a_failed_unit(managed: Home) -> None:
    managed.service("install")
    managed.manager(ActiveState="failed", LoadState="loaded")
    managed.asked()
    managed.service("uninstall")
    assert managed.asked() == [f"disable --now {managed.unit}", f"reset-failed {managed.unit}", "daemon-reload"]


def test_what_was_only_written_can_be_removed_without_systemd(nowhere: Home) -> None:
    nowhere.service("install", "--no-start")
    nowhere.service("uninstall")
    assert not nowhere.file.exists()


def test_what_was_only_written_can_be_removed_where_no_manager_answers(home: Home) -> None:
    home.service("install", "--no-start")
    home.manager(version="echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    told = home.service("uninstall")
    assert not home.file.exists()
    assert f"{home.file} removed" in told.stdout
    assert "Nothing could be stopped" in told.stderr
    assert "Failed to connect to bus: No medium found" in told.stderr


def test_status_tells_how_it_is(home: Home) -> None:
    home.manager(**RUNNING)
    assert json.loads(home.service("status", "--json").stdout) == {
        "unit": home.unit,
        "file": str(home.file),
        "installed": True,
        "enabled": True,
        "active": "active",
        "state": "running",
        "pid": 4242,
        "status": "idle: 1 document, 1 done",
        "restarts": 0,
    }
    told = home.service("status").stdout
    assert "active (running), enabled, process 4242" in told
    assert "idle: 1 document, 1 done" in told


def test_status_tells_that_there_is_none(managed: Home) -> None:
    status = json.loads(managed.service("status", "--json").stdout)
    assert (status["installed"], status["enabled"], status["active"], status["pid"]) == (False, False, "inactive", None)
    assert "kahnd service install" in managed.service("status").stdout


def test_errors_are_json_where_that_is_asked_for(nowhere: Home) -> None:
    error = json.loads(nowhere.service("status", "--json", code=2).stdout)["error"]
    assert error["exit_code"] == 2
    assert "systemd" in error["message"]


def test_the_help_tells_what_there_is(home: Home) -> None:
    told = home.service("--help").stdout
    assert all(word in told for word in ("install", "uninstall", "status"))
