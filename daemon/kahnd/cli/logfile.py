"""Reads the log file and those it was rotated into, and follows it."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from kahnd.core.problem import Problem
from kahnd.errors import UsageError

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
POLL_S: Final = 0.2
_REMEDY: Final = "move it away: kahnd makes its log anew"

Entry = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """Which entries are asked for; what is None does not matter."""

    level: str | None = None
    document: str | None = None
    build: str | None = None
    since: datetime | None = None

    def fits(self, entry: Entry) -> bool:
        """Whether this entry is one of them."""
        return (
            (self.level is None or _rank(entry.get("level")) >= _rank(self.level))
            and (self.document is None or entry.get("document") == self.document)
            and (self.build is None or entry.get("build") == self.build)
            and (self.since is None or _time(entry) >= self.since)
        )


@dataclass(frozen=True)
class Line:
    """One line of the log as JSON, and what it says."""

    text: str
    entry: Entry


class LogFile:
    """A log, open at its end once `last` has been read, so that `follow` misses nothing and repeats nothing."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        self._file = _opened(path)
        self._rest = ""

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()

    def last(self, count: int | None) -> list[Line]:
        """The newest entries that are wanted, oldest first: so many, or all."""
        newest = deque(self._new(), maxlen=count)
        for older in self._rotated():
            if count is not None and len(newest) >= count:
                break
            file = _opened(older)
            if file is None:
                continue
            with file:
                lines = deque(self._chosen(file), maxlen=None if count is None else count - len(newest))
            newest.extendleft(reversed(lines))
        return list(newest)

    def follow(self, pause: Callable[[float], None] = time.sleep) -> Iterator[Line]:
        """Entries as they are written, for ever; across rotations, deletions and a log that is not there yet."""
        while True:
            yield from self._new()
            if self._moved():
                yield from self._new()  # what was written between the last look and the move
                self.close()
                self._file, self._rest = _opened(self._path), ""
            else:
                pause(POLL_S)

    def _new(self) -> Iterator[Line]:
        if self._file is not None:
            yield from self._chosen(self._whole_lines(self._file))

    def _whole_lines(self, file: TextIOWrapper) -> Iterator[str]:
        """Lines that have their end; the beginning of one that is being written waits for the rest."""
        for part in file:
            self._rest += part
            if self._rest.endswith("\n"):
                line, self._rest = self._rest, ""
                yield line

    def _chosen(self, lines: Iterator[str] | TextIOWrapper) -> Iterator[Line]:
        return (line for line in map(_line, lines) if self._wanted.fits(line.entry))

    def _moved(self) -> bool:
        """Whether another file is in the log's place, or the same one was cut short."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        mine = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino) or there.st_size < self._file.tell()

    def _rotated(self) -> list[Path]:
        """What the log was renamed to, newest first."""
        older = [path for path in self._path.parent.glob(f"{self._path.name}.*") if path.suffix[1:].isdigit()]
        return sorted(older, key=lambda path: int(path.suffix[1:]))


def _opened(path: Path) -> TextIOWrapper | None:
    """None where there is no such file; a pipe, which would be waited for, is none, and no link is followed."""
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


def _line(text: str) -> Line:
    """A line of the file. One that is no JSON, because a crash tore it, becomes an event of its own words."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        entry = None
    if isinstance(entry, dict):
        return Line(text.rstrip("\n"), entry)
    torn = {"event": text.strip()}
    return Line(json.dumps(torn), torn)


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _time(entry: Entry) -> datetime:
    try:
        return datetime.fromisoformat(str(entry.get("timestamp"))).astimezone()
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
