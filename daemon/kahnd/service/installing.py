"""`kahnd service`: a project's unit in the user's own service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kahnd.core.model import Problem
from kahnd.errors import NoDaemonError, UsageError
from kahnd.service import units
from kahnd.service.client import ControlClient

_ELSEWHERE: Final = "docs/service.md says how to run kahnd by launchd, tmux or a plain shell"
_SHOWN: Final = ("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "StatusText", "NRestarts")


@dataclass(frozen=True, slots=True)
class Installed:
    """What `install` did: `written` is whether the file is another than before."""

    unit: str
    file: Path
    written: bool
    started: bool


def install(root: Path, program: Sequence[str], path: str, *, start: bool) -> Installed:
    """Write the unit; then enable and `start` it, anew where it runs and has become another.

    Raises UsageError where that can't be, or a file is there that is somebody else's.
    """
    unit, file = units.name(root), _file(root)
    text, before = units.for_project(root, program, path), _content(file)
    if before is not None and not _is_ours(before):
        raise UsageError(Problem("this unit was not written by kahnd", str(file), remedy="move it away first"))
    manager = Manager.found() if start else None
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
    """What `uninstall` did; `unstopped` is why nothing could be stopped, if so."""

    unit: str
    file: Path
    unstopped: str


def uninstall(root: Path) -> Removed | None:
    """Stop the unit that `install` wrote and remove it; None where there was none.

    Where no manager answers there may be nothing to stop, and what was written is removed all the same.
    Raises UsageError where it is somebody else's.
    """
    unit, file = units.name(root), _file(root)
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
    """The manager, or why there is none."""
    try:
        return Manager.found(), ""
    except UsageError as error:
        return None, error.problems[0].message


def status(root: Path) -> dict[str, Any]:
    """Whether there is a unit for this project, and how it is. Raises UsageError where nobody can tell."""
    unit = units.name(root)
    shown = Manager.found().show(unit)
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
    """`systemctl --user`. Every method raises UsageError with its words where it fails."""

    PROGRAM: Final = "systemctl"

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def found(cls) -> Manager:
        """The user's manager, which answers. Raises UsageError where there is none."""
        program = shutil.which(cls.PROGRAM)
        if program is None:
            raise UsageError(Problem("there is no systemd here: systemctl is not installed", remedy=_ELSEWHERE))
        manager = cls(program)
        asked = manager._ask("show", "--property=Version", "--value")
        if asked.returncode:
            message = f"your systemd user manager does not answer: {_words(asked)}"
            remedy = f"log in as the user it is for (not by su or sudo), or `loginctl enable-linger`; {_ELSEWHERE}"
            raise UsageError(Problem(message, remedy=remedy))
        return manager

    def is_active(self, unit: str) -> bool:
        """Whether it runs, or is about to."""
        return self.show(unit)["ActiveState"] not in {"inactive", "failed"}

    def show(self, unit: str) -> dict[str, str]:
        """What the manager knows of a unit: "" for what it does not."""
        told = self.run("show", f"--property={','.join(_SHOWN)}", unit)
        found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        return {each: found.get(each, "") for each in _SHOWN}

    def run(self, verb: str, *words: str) -> str:
        """Have it do something, to the end; what it says."""
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
    """Where a user's own units are: see systemd.unit(5)."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(given) if given.startswith("/") else Path.home() / ".config"
    return home / "systemd" / "user" / units.name(root)


def _content(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(file, error) from error


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
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
    return text.startswith(units.MARK)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"it failed with exit code {done.returncode}"
