"""A daemon of a real systemd user manager, that has a mount name space and a home of its own.

Skipped where no such manager may be started.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e import knots
from e2e.harness import DEADLINE_S, Project, environment, eventually, living_in
from e2e.rules import SCRIPTS, TEXTS

SYSTEMD = "/lib/systemd/systemd"
BOOT = f"mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user && exec {SYSTEMD} --user --log-target=null"


@dataclass(frozen=True)
class Systemd:
    """A user's service manager."""

    process: subprocess.Popen[bytes]
    home: Path

    @property
    def env(self) -> Mapping[str, str]:
        return environment({"HOME": str(self.home), "XDG_RUNTIME_DIR": "/run/user"})

    @property
    def inside(self) -> tuple[str, ...]:
        """The words that run a command where this manager is."""
        return ("nsenter", "--mount", f"--target={self.process.pid}", "--")

    def ctl(self, *words: str) -> str:
        """Returns the output of `systemctl --user`."""
        words = (*self.inside, "systemctl", "--user", *words)
        return subprocess.run(words, env=self.env, capture_output=True, text=True, check=False).stdout.strip()

    def shows(self, unit: str, what: str) -> str:
        return self.ctl("show", f"--property={what}", "--value", unit)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.skip("no user manager can be started here")
        return self.ctl("is-system-running") in {"running", "degraded"}


@pytest.fixture(scope="module")
def systemd() -> Iterator[Systemd]:
    if os.geteuid() or not all(map(shutil.which, (SYSTEMD, "unshare", "nsenter"))):
        pytest.skip("no user manager can be started here")
    with tempfile.TemporaryDirectory(prefix="home") as home:
        words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT)
        env = environment({"HOME": home, "XDG_RUNTIME_DIR": "/run/user"})
        process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        manager = Systemd(process, Path(home))
        try:
            eventually(manager.answers, "it answers")
            yield manager
        finally:
            process.send_signal(signal.SIGRTMIN + 24)  # systemd's word for: stop all, and end
            try:
                process.wait(DEADLINE_S)
            finally:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Service:
    """A project, installed."""

    project: Project
    systemd: Systemd
    unit: str

    def pid(self) -> int:
        return int(self.systemd.shows(self.unit, "MainPID"))

    def set(self, **settings: str) -> None:
        """As `systemctl edit` does it."""
        folder = self.systemd.home / ".config/systemd/user" / f"{self.unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "own.conf").write_text("".join(f"[Service]\n{key}={value}\n" for key, value in settings.items()))
        self.systemd.ctl("daemon-reload")


@pytest.fixture
def service(systemd: Systemd, tmp_path: Path) -> Iterator[Service]:
    project = Project(tmp_path / "half%i", dict(systemd.env))
    project.configure(TEXTS, SCRIPTS)
    project.write("docs/a.txt", "A")
    told = _service(project, systemd, "install")
    (unit,) = {word.strip(".") for word in told.split() if word.startswith("kahnd@")}
    yield Service(project, systemd, unit)
    _service(project, systemd, "uninstall")
    assert systemd.ctl("list-units", "--all", "--no-legend", unit) == ""
    assert not living_in(project.root)


def _service(project: Project, systemd: Systemd, word: str, *options: str) -> str:
    return project.kahnd("-C", str(project.root), "service", word, *options, through=systemd.inside).stdout


def test_systemd_starts_reloads_and_stops_the_daemon(service: Service) -> None:
    project, systemd, unit = service.project, service.systemd, service.unit
    assert systemd.shows(unit, "ActiveState") == "active"
    assert project.status()["pid"] == service.pid()
    eventually(lambda: systemd.shows(unit, "StatusText") == "idle: 1 document, 1 done", "its status is known")
    assert '"pid": ' + str(service.pid()) in _service(project, systemd, "status", "--json")
    systemd.ctl("reload", unit)  # which only sends the signal
    eventually(lambda: systemd.shows(unit, "ActiveState") == "active", "it has reloaded")
    assert systemd.shows(unit, "SubState") == "running"
    gate = project.gate()
    project.write("docs/slow.sh", gate.script())
    gate.reached()
    systemd.ctl("stop", "--no-block", unit)
    eventually(lambda: project.log("daemon.stopping"), "it lets the rendering finish")
    gate.open()
    eventually(lambda: systemd.shows(unit, "ActiveState") == "inactive", "it has stopped")
    assert systemd.shows(unit, "Result") == "success"
    assert project.output("slow.out") == "it\n"


def test_systemd_restarts_a_daemon_that_hangs(service: Service) -> None:
    project = service.project
    service.set(WatchdogSec="1", RestartSec="100ms", Environment=f"PYTHONPATH={knots.install(project)}")
    project.configure(TEXTS, SCRIPTS, knots.RULE)
    service.systemd.ctl("restart", service.unit)
    first = service.pid()
    project.write("docs/a.knot", "a" * 60)
    eventually(lambda: int(service.systemd.shows(service.unit, "NRestarts")) > 0, "it is started again")
    project.remove("docs/a.knot")
    eventually(lambda: service.systemd.shows(service.unit, "ActiveState") == "active", "it is there again")
    assert service.pid() != first
    project.configure(TEXTS, SCRIPTS)
    with project.renders("docs/b.txt"):
        project.write("docs/b.txt", "B")


def test_systemd_restarts_a_killed_daemon_but_not_one_with_a_broken_configuration(service: Service) -> None:
    project, systemd, unit = service.project, service.systemd, service.unit
    service.set(RestartSec="100ms")
    os.kill(service.pid(), signal.SIGKILL)
    eventually(lambda: systemd.shows(unit, "NRestarts") == "1", "it is started again")
    eventually(lambda: systemd.shows(unit, "ActiveState") == "active", "it is there again")
    systemd.ctl("stop", unit)
    project.write("kahnd.toml", "[broken")
    systemd.ctl("start", unit)
    assert systemd.shows(unit, "ActiveState") == "failed"
    assert (systemd.shows(unit, "ExecMainStatus"), systemd.shows(unit, "NRestarts")) == ("2", "0")
    project.configure(TEXTS)
