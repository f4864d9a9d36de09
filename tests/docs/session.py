"""A reader at work on a page: saves the files, types the commands, leaves the daemon running in a second terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from docs.reading import Call, Code, Deed
from docs.shown import fits, plain
from e2e.harness import KAHND, TRACEBACK, environment, eventually, living_in

LIMIT_S: Final = 240
DAEMON: Final = ("kahnd", "run")
STOP: Final = "stop"
HOME: Final = "/home/you"
NO_DAEMON: Final = 4


@dataclass
class Session:
    """In a folder of its own. `instead` has other commands for those that would not end, or would do too much."""

    home: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    code: int = 0

    def __post_init__(self) -> None:
        self.folder = self.home
        self._daemon: subprocess.Popen[bytes] | None = None
        self._told = self.home.with_name(f"{self.home.name}.daemon")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Steps

    def save(self, code: Code) -> None:
        """A file that the page shows."""
        path = self.folder / code.name.removeprefix("+")
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if code.name.startswith("+") else ""
        path.write_text(f"{before}{code.text}")
        self._catch_up()

    def do(self, deed: Deed) -> None:
        """Does what the page asks for in words."""
        if deed.command == STOP:
            self.stop()
            return
        self._type(deed.command)
        assert self.code == 0, f"line {deed.line}: {deed.command}: exit code {self.code}"
        self._catch_up()

    def call(self, call: Call, *, told: bool) -> None:
        """A command, which must print what is shown. Unless the page goes on to tell its exit code, that is 0."""
        command = self.instead.get(call.bare, call.bare)
        words = command.split()
        if (words[0], words[-1]) == DAEMON:
            self._start(words)
            return
        printed = self._type(command)
        assert TRACEBACK not in printed, printed
        place = f"line {call.line}: $ {call.command}"
        assert not call.shown or fits(call.shown, printed), (
            f"{place}\nshows\n{_indented(call.shown)}\nand printed\n{_indented(printed)}"
        )
        assert told or self.code == 0, f"{place}: exit code {self.code}\n{printed}"

    # The daemon

    def _start(self, words: list[str]) -> None:
        self.stop()
        self._waiting, self._waiting_at = [KAHND, *words[1:-1], "wait"], self.folder
        with self._told.open("wb") as told:
            self._daemon = subprocess.Popen(
                [KAHND, *words[1:]],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: self._wait() != NO_DAEMON, "the daemon answers")

    def stop(self) -> None:
        """As Ctrl-C does it."""
        if self._daemon is None:
            return
        daemon, self._daemon = self._daemon, None
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(LIMIT_S) == 0, self._told.read_text()
        assert TRACEBACK not in self._told.read_text()
        eventually(lambda: not living_in(self._waiting_at), "nothing of the daemon is left")

    def _catch_up(self) -> None:
        """A reader is slower than the daemon."""
        if self._daemon:
            assert self._wait() != NO_DAEMON, self._told.read_text()

    def _wait(self) -> int:
        done = subprocess.run(
            self._waiting,
            cwd=self._waiting_at,
            env=self._environment(),
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode

    # The shell

    def _type(self, command: str) -> str:
        """Returns what it prints. The folder, and the last exit code, are as a shell keeps them."""
        place = self.home.with_name(f"{self.home.name}.folder")
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.code})\n{command}\ncode=$?\npwd > '{place}'\nexit $code"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        self.code, self.folder = done.returncode, Path(place.read_text().strip())
        return done.stdout.replace(str(self.home), HOME)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return environment({"PATH": path, "HOME": str(self.home), "TERM": "dumb", "TZ": "UTC", "LC_ALL": "C.UTF-8"})


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in plain(text))


def copied(origin: Path, target: Path) -> None:
    """A folder as it is checked in."""
    shutil.copytree(origin, target, ignore=shutil.ignore_patterns(".kahnd", "site"))
