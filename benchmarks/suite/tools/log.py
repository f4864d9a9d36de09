"""kahnd's log file, followed while it grows and is rotated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

Entry = dict[str, Any]


class Log:
    """The entries that come after this moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = path.open("rb") if path.exists() else None
        if self._file:
            self._file.seek(0, 2)
        self.entries: list[Entry] = []
        self._told = 0

    def read(self) -> list[Entry]:
        """All entries so far."""
        while True:
            self.entries += self._lines()
            if not self._rotated():
                return self.entries
            self.entries += self._lines()  # written between the last line read and the rotation
            self._open()

    def of(self, event: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.read() if entry["event"] == event]

    def rendered(self) -> list[str]:
        """The documents rendered since the last call, one rendered twice standing there twice."""
        fresh = self.read()[self._told :]
        self._told += len(fresh)
        return sorted(entry["document"] for entry in fresh if entry["event"] == "document.rendered")

    def quiet(self) -> bool:
        """Whether a build has ended since, and none runs."""
        builds = [entry["event"] for entry in self.read() if entry["event"] in ("build.started", "build.finished")]
        return bool(builds) and builds[-1] == "build.finished"

    def _lines(self) -> Iterator[Entry]:
        while self._file and (line := self._file.readline()):
            if not line.endswith(b"\n"):
                self._file.seek(-len(line), 1)
                return
            yield json.loads(line)

    def _rotated(self) -> bool:
        """Whether the path is another file than the one that is read: lines go to the next one then."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        return self._file is None or stat.st_ino != _inode(self._file)

    def _open(self) -> None:
        """The file after the one that was read: the oldest that is younger."""
        read = _inode(self._file) if self._file else 0
        kept = [self._path, *(self._path.with_name(f"{self._path.name}.{number}") for number in range(1, 4))]
        following = self._path
        for each in kept:
            if not each.exists() or each.stat().st_ino == read:
                break
            following = each
        self.close()
        self._file = following.open("rb")

    def close(self) -> None:
        """Read no more."""
        if self._file:
            self._file.close()
            self._file = None


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
