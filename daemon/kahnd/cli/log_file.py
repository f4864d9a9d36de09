"""Reads the log and follows it: from the file with its rotated predecessors, or from the systemd journal."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from kahnd.core.problem import Problem
from kahnd.core.text import shortened
from kahnd.errors import UsageError
from kahnd.platform import systemd

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
POLL_S: Final = 0.2
MAX_CHARACTERS: Final = 1 << 22
"""No more of a line is read: kahnd writes shorter ones, and a damaged file may be a single line."""
_REMEDY: Final = "move it away: kahnd makes its log anew"

Entry = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The filter of entries. None matches any value."""

    level: str | None = None
    document: str | None = None
    build: str | None = None
    since: datetime | None = None

    def fits(self, entry: Entry) -> bool:
        """Tells whether the filter matches the entry."""
        return (
            (self.level is None or _rank(entry.get("level")) >= _rank(self.level))
            and (self.document is None or entry.get("document") == self.document)
            and (self.build is None or entry.get("build") == self.build)
            and (self.since is None or _time(entry) >= self.since)
        )


@dataclass(frozen=True)
class Line:
    """One line of the log: its JSON text and the parsed entry."""

    text: str
    entry: Entry


class LogFile:
    """The log file. After `last` it is open at its end, so that `follow` misses and repeats nothing."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        self._file = _open(path)
        self._unfinished = ""

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def last(self, count: int | None) -> list[Line]:
        """Returns the newest matching entries, oldest first: `count` of them, or all."""
        newest = deque(self._new(), maxlen=count)
        for older in self._rotated():
            if count is not None and len(newest) >= count:
                break
            file = _open(older)
            if file is None:
                continue
            with file:
                found = self._matching(line for line, _ in _lines(file))
                lines = deque(found, maxlen=None if count is None else count - len(newest))
            newest.extendleft(reversed(lines))
        return list(newest)

    def follow(self, pause: Callable[[float], None] = time.sleep) -> Iterator[Line]:
        """Yields matching entries as they are written, forever. The file may be rotated, deleted and created."""
        while True:
            yield from self._new()
            if self._moved():
                yield from self._new()  # lines written between the last read and the rotation
                self.close()
                self._file, self._unfinished = _open(self._path), ""
            else:
                pause(POLL_S)

    def _new(self) -> Iterator[Line]:
        if self._file is not None:
            yield from self._matching(self._whole_lines(self._file))

    def _whole_lines(self, file: TextIOWrapper) -> Iterator[str]:
        """Yields complete lines. The beginning of an unfinished line is kept for the next read."""
        for line, is_whole in _lines(file, self._unfinished):
            self._unfinished = "" if is_whole else line
            if is_whole:
                yield line

    def _matching(self, lines: Iterator[str]) -> Iterator[Line]:
        return (line for line in map(_line, lines) if self._wanted.fits(line.entry))

    def _moved(self) -> bool:
        """Tells whether the file was replaced or truncated."""
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        opened = os.fstat(self._file.fileno())
        return (current.st_dev, current.st_ino) != (opened.st_dev, opened.st_ino) or current.st_size < self._file.tell()

    def _rotated(self) -> list[Path]:
        """Returns the rotated files, newest first."""
        older = [path for path in self._path.parent.glob(f"{self._path.name}.*") if path.suffix[1:].isdigit()]
        return sorted(older, key=lambda path: int(path.suffix[1:]))


def _open(path: Path) -> TextIOWrapper | None:
    """Opens the file; None if it does not exist. Raises UsageError for links, pipes and devices."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UsageError(Problem("this is a symbolic link", str(path), remedy=_REMEDY)) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise UsageError(Problem("this is not a file", str(path), remedy=_REMEDY))
    return os.fdopen(descriptor, encoding="utf-8", errors="replace")


def _lines(file: TextIOWrapper, unfinished: str = "") -> Iterator[tuple[str, bool]]:
    """Yields every line, cut if it is too long, and whether its end was found; `unfinished` is before the first."""
    while part := file.readline(MAX_CHARACTERS):
        unfinished = (unfinished + part)[:MAX_CHARACTERS]
        if part.endswith("\n"):
            yield unfinished, True
            unfinished = ""
    if unfinished:
        yield unfinished, False


def _line(text: str) -> Line:
    """Parses a line. One that is not JSON, because a crash tore it, becomes an event named after its text."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        entry = None
    if isinstance(entry, dict):
        return Line(text.rstrip("\n"), entry)
    torn = {"event": shortened(text.strip())}
    return Line(json.dumps(torn), torn)


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _time(entry: Entry) -> datetime:
    try:
        return datetime.fromisoformat(str(entry.get("timestamp"))).astimezone()
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


_LEVELS: Final = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
"""Levels by syslog priority."""


class Journal:
    """The journal, with the methods of LogFile: `follow` continues where `last` ended."""

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self._wanted = wanted
        self._unit = systemd.unit_name(root)
        self._cursor = ""
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Ends journalctl."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def last(self, count: int | None) -> list[Line]:
        """Returns the newest matching entries, oldest first: `count` of them, or all. Raises UsageError."""
        since = [f"--since=@{self._wanted.since.timestamp():.6f}"] if self._wanted.since else []
        newest: list[Line] = []
        for record in self._records("--reverse", *since):
            self._cursor = self._cursor or str(record.get("__CURSOR", ""))
            line = _journal_line(record)
            if self._wanted.fits(line.entry):
                newest.append(line)
            if count is not None and len(newest) >= count:
                break
        self.close()
        return newest[::-1]

    def follow(self) -> Iterator[Line]:
        """Yields matching entries as they are written, forever. Raises UsageError."""
        start = ["--no-tail", f"--after-cursor={self._cursor}"] if self._cursor else ["--lines=0"]
        for record in self._records("--follow", *start):
            line = _journal_line(record)
            if self._wanted.fits(line.entry):
                yield line

    def _records(self, *words: str) -> Iterator[dict[str, Any]]:
        """Yields journalctl's records, one per line. `--all` includes long and binary messages."""
        command = ("journalctl", "--user", f"--unit={self._unit}", "--output=json", "--all", "--quiet", "--no-pager")
        try:
            self._process = subprocess.Popen(  # noqa: S603 (no shell)
                [*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise UsageError(
                Problem(f"journalctl can't be started: {error.strerror}", remedy="without --journal, the file is read")
            ) from None
        process = self._process
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        for text in process.stdout:
            yield dict(json.loads(text))
        errors = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode:
            raise UsageError(Problem(f"journalctl: {errors or process.returncode}", remedy="see journalctl(1)"))


def _journal_line(record: dict[str, Any]) -> Line:
    """Returns the daemon's own line unchanged, and any other message as an event named after its text."""
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
