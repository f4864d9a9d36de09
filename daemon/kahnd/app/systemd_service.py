"""kahnd under systemd: a project's unit in the user's own service manager, and what a daemon reports to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio

from kahnd.api.client import ControlClient
from kahnd.core.events import LogEvent
from kahnd.core.model import Problem
from kahnd.errors import NoDaemonError, UsageError
from kahnd.platform import systemd
from kahnd.platform.systemd import Notifier

_ELSEWHERE: Final = "docs/service.md says how to run kahnd by launchd, tmux or a plain shell"
_SHOWN: Final = ("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "NRestarts")
STATUS_S: Final = 1.0
"""The status line is sent no more often."""
BEAT_S: Final = 20.0
"""How often the engine is checked where no watchdog is configured."""
BEATS: Final = 3
"""Heartbeats within the watchdog's time."""
CLOSING_S: Final = 20.0
"""Time for what is closed after the last rendering: the database and connections."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The result of `install`; `written` tells whether the file has changed."""

    unit: str
    file: Path
    written: bool
    started: bool


def install(root: Path, program: Sequence[str], path: str, *, start: bool) -> Installed:
    """Writes the unit; with `start` also enables and starts it, or restarts it if it runs and its text has changed.

    Raises UsageError if that fails, or if the file was not written by kahnd.
    """
    unit, file = systemd.unit_name(root), _file(root)
    text, before = systemd.project_unit(root, program, path), _content(file)
    if before is not None and not _is_ours(before):
        raise UsageError(Problem("this unit was not written by kahnd", str(file), remedy="move it away first"))
    manager = Manager.find() if start else None
    if manager and not manager.is_active(unit):
        _check_free(root)
    if text != before:
        _write(file, text)
    if manager:
        manager.run("daemon-reload")
        if before not in {None, text}:
            manager.run("try-restart", unit)
        manager.run("enable", "--now", unit)
    return Installed(unit, file, text != before, start)


@dataclass(frozen=True, slots=True)
class Removed:
    """The result of `uninstall`; `unstopped` is the reason if the unit could not be stopped."""

    unit: str
    file: Path
    unstopped: str


def uninstall(root: Path) -> Removed | None:
    """Stops and removes the unit that `install` wrote. Returns None if there is none.

    Without a manager that answers, the file is removed all the same, and nothing is stopped.
    Raises UsageError if the file was not written by kahnd.
    """
    unit, file = systemd.unit_name(root), _file(root)
    text = _content(file)
    if text is None:
        return None
    if not _is_ours(text):
        raise UsageError(Problem("this unit was not written by kahnd", str(file), remedy="remove it yourself"))
    manager, unstopped = _manager_if_any()
    if manager:
        manager.run("disable", "--now", unit)
        if manager.show(unit)["ActiveState"] == "failed":  # which would be remembered
            manager.run("reset-failed", unit)
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(Problem(f"the unit can't be removed: {error.strerror}", str(file))) from error
    if manager:
        manager.run("daemon-reload")
    return Removed(unit, file, unstopped)


def _manager_if_any() -> tuple[Manager | None, str]:
    """Returns the manager, or the reason why there is none."""
    try:
        return Manager.find(), ""
    except UsageError as error:
        return None, error.problems[0].message


def status(root: Path) -> dict[str, Any]:
    """Returns the state of this project's unit. Raises UsageError if no manager answers."""
    unit = systemd.unit_name(root)
    shown = Manager.find().show(unit)
    return {
        "unit": unit,
        "file": str(_file(root)),
        "installed": shown["LoadState"] == "loaded",
        "enabled": shown["UnitFileState"].startswith("enabled"),
        "active": shown["ActiveState"],
        "state": shown["SubState"],
        "pid": int(shown["MainPID"] or 0) or None,
        "status": shown["StatusText"],
        "restarts": int(shown["NRestarts"] or 0),
    }


class Manager:
    """Runs `systemctl --user`. Every method raises UsageError with its message if it fails."""

    PROGRAM: Final = "systemctl"

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def find(cls) -> Manager:
        """Returns the user's manager, once it has answered. Raises UsageError if there is none."""
        program = shutil.which(cls.PROGRAM)
        if program is None:
            raise UsageError(Problem("there is no systemd here: systemctl is not installed", remedy=_ELSEWHERE))
        manager = cls(program)
        version = manager._ask("show", "--property=Version", "--value")
        if version.returncode:
            message = f"your systemd user manager does not answer: {_words(version)}"
            remedy = f"log in as the user it is for (not by su or sudo), or `loginctl enable-linger`; {_ELSEWHERE}"
            raise UsageError(Problem(message, remedy=remedy))
        return manager

    def is_active(self, unit: str) -> bool:
        """Tells whether the unit runs, or is about to."""
        return self.show(unit)["ActiveState"] not in {"inactive", "failed"}

    def show(self, unit: str) -> dict[str, str]:
        """Returns the properties of a unit; "" for an unknown one."""
        output = self.run("show", f"--property={','.join(_SHOWN)}", unit)
        values = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
        return {each: values.get(each, "") for each in _SHOWN}

    def run(self, verb: str, *words: str) -> str:
        """Runs a command to its end and returns its output."""
        done = self._ask(verb, *words)
        if done.returncode:
            remedy = f"see `journalctl --user -u '{words[-1]}'`" if words else ""
            raise UsageError(Problem(f"systemctl --user {verb}: {_words(done)}", remedy=remedy))
        return done.stdout

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - no shell, and a program from the user's own PATH
            [self._program, "--user", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def _check_free(root: Path) -> None:
    try:
        pid = ControlClient(root).status()["pid"]
    except NoDaemonError:
        return
    message = f"kahnd already works on this project, in process {pid}, and not by systemd"
    raise UsageError(Problem(message, remedy="stop it, or only write the unit: `kahnd service install --no-start`"))


def _file(root: Path) -> Path:
    """Returns the path of the unit among the user's own units: see systemd.unit(5)."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(given) if given.startswith("/") else Path.home() / ".config"
    return home / "systemd" / "user" / systemd.unit_name(root)


def _content(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(file, error) from error


def _write(file: Path, text: str) -> None:
    """Writes the file as a whole or not at all."""
    fresh = file.with_name(f"{file.name[:100]}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text)
        fresh.replace(file)
    except OSError as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: OSError) -> UsageError:
    return UsageError(Problem(f"the unit can't be kept here: {error.strerror}", str(file)))


def _is_ours(text: str) -> bool:
    return text.startswith(systemd.UNIT_MARK)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"it failed with exit code {done.returncode}"


class SystemdReporter:
    """Sends notifications. `beat` checks the engine, and returns what hangs, if anything; `status` returns the line.

    Notifications that must not be lost are queued until systemd takes them.
    """

    def __init__(
        self, notifier: Notifier, log: Callable[..., None], beat: Callable[[], str], status: Callable[[], str]
    ) -> None:
        self._notifier = notifier
        self._log = log
        self._beat = beat
        self._status = status
        self._every_s = (notifier.watchdog_s or BEAT_S * BEATS) / BEATS
        self._queue: deque[tuple[str, ...]] = deque()
        self._ready = self._stopping = self._hung = False
        self._sent_status = ""

    async def run(self) -> None:
        """Reports until cancelled; returns at once if systemd does not listen."""
        if self._notifier.address:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_status)
                tasks.start_soon(self._keep_alive)

    def ready(self) -> None:
        """Reports that the daemon watches and has scanned all sources; after a reload, with the new configuration."""
        if not self._ready and not self._stopping:
            self._ready = True
            self._send("READY=1")

    def reloading(self) -> None:
        """Reports that the configuration is read again; `ready` follows."""
        if self._ready and not self._stopping:
            self._ready = False
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, grace_s: float) -> None:
        """Reports the end, within this many seconds and the time to close."""
        self._stopping = True
        self._send("STOPPING=1", _extension(grace_s + CLOSING_S))

    def _send(self, *lines: str) -> None:
        if self._notifier.address:
            self._queue.append(lines)
            self._flush()

    def _flush(self) -> bool:
        while self._queue and self._notifier.send(*self._queue[0]):
            self._queue.popleft()
        return not self._queue

    async def _keep_status(self) -> None:
        while True:
            status = self._status()
            if self._flush() and status != self._sent_status and self._notifier.send(f"STATUS={status}"):
                self._sent_status = status
            await anyio.sleep(STATUS_S)

    async def _keep_alive(self) -> None:
        """Sends a heartbeat each third of the watchdog's time, and asks for more time until the daemon is ready."""
        while True:
            hung = self._beat()
            if not hung:
                self._heartbeat()
            elif not self._hung:
                self._log(LogEvent.DAEMON_HUNG, error=f"{hung} does not go on", remedy="a watchdog restarts it")
            self._hung = bool(hung)
            await anyio.sleep(self._every_s)

    def _heartbeat(self) -> None:
        lines = ["WATCHDOG=1"] if self._notifier.watchdog_s else []
        if not self._ready and not self._stopping:
            lines.append(_extension(self._every_s * BEATS))
        if lines:
            self._notifier.send(*lines)


def _extension(seconds: float) -> str:
    """Asks for more time to start, reload or stop."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
