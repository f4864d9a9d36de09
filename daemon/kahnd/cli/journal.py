"""Reads the log of the project's systemd user unit from the journal, by journalctl, and follows it.

The journal has what the log's file has, and what the file can't have: the manager's own words on the unit, and what a
process said that could log no more.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kahnd.cli.logfile import Entry, Line, Wanted
from kahnd.core.problem import Problem
from kahnd.errors import UsageError
from kahnd.service import units

_LEVELS: Final = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
"""By syslog's priorities."""


class Journal:
    """As a LogFile: `follow` goes on where `last` has ended."""

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self._wanted = wanted
        self._unit = units.name(root)
        self._cursor = ""
        self._reading: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Read no more."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.kill()
            reading.wait()
            if reading.stdout is not None:
                reading.stdout.close()

    def last(self, count: int | None) -> list[Line]:
        """The newest entries that are wanted, oldest first: so many, or all. Raises UsageError."""
        since = [f"--since=@{self._wanted.since.timestamp():.6f}"] if self._wanted.since else []
        newest: list[Line] = []
        for record in self._records("--reverse", *since):
            self._cursor = self._cursor or str(record.get("__CURSOR", ""))
            line = _line(record)
            if self._wanted.fits(line.entry):
                newest.append(line)
            if count is not None and len(newest) >= count:
                break
        self.close()
        return newest[::-1]

    def follow(self) -> Iterator[Line]:
        """Entries as they are written, for ever. Raises UsageError."""
        start = ["--no-tail", f"--after-cursor={self._cursor}"] if self._cursor else ["--lines=0"]
        for record in self._records("--follow", *start):
            line = _line(record)
            if self._wanted.fits(line.entry):
                yield line

    def _records(self, *words: str) -> Iterator[dict[str, Any]]:
        """What journalctl prints: an object a line. `--all`: also of messages that are long, or no text."""
        command = ("journalctl", "--user", f"--unit={self._unit}", "--output=json", "--all", "--quiet", "--no-pager")
        try:
            self._reading = subprocess.Popen(  # noqa: S603 (a program's words, and no shell's)
                [*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise UsageError(
                Problem(f"journalctl can't be started: {error.strerror}", remedy="without --journal, the file is read")
            ) from None
        reading = self._reading
        assert reading.stdout is not None  # noqa: S101 (it is a pipe)
        for text in reading.stdout:
            yield dict(json.loads(text))
        said = reading.communicate()[1].decode(errors="replace").strip()
        if reading.returncode:
            raise UsageError(Problem(f"journalctl: {said or reading.returncode}", remedy="see journalctl(1)"))


def _line(record: dict[str, Any]) -> Line:
    """The daemon's own line as it was; anybody else's words as an event of that name."""
    message = record.get("MESSAGE") or ""
    text = message if isinstance(message, str) else bytes(message).decode(errors="replace")
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if isinstance(entry, dict):
        return Line(text, entry)
    foreign = _foreign(text, record)
    return Line(json.dumps(foreign), foreign)


def _foreign(text: str, record: dict[str, Any]) -> Entry:
    moment = datetime.fromtimestamp(int(record.get("__REALTIME_TIMESTAMP", 0)) / 1e6, UTC)
    level = _LEVELS[min(int(record.get("PRIORITY", 6)), len(_LEVELS) - 1)]
    return {"timestamp": moment.isoformat().replace("+00:00", "Z"), "level": level, "event": text}
