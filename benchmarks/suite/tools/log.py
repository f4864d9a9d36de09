"""kahnd's log file, followed while it grows and is rotated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

Entry = dict[str, Any]
ROTATED: Final = 3
"""The number of older files that are kept."""


class Log:
    """The log entries written since this object was created."""

    def __init__(self, path: Path) -> None:
        self._paths = [path, *(path.with_name(f"{path.name}.{number + 1}") for number in range(ROTATED))]
        self._inode, self._offset = (path.stat().st_ino, path.stat().st_size) if path.exists() else (0, 0)
        self._entries: list[Entry] = []
        self._read = 0

    def read(self) -> list[Entry]:
        """Returns all entries so far."""
        with ExitStack() as files:
            for file in reversed(self._unread(files)):
                self._entries += self._rest_of(file)
        return self._entries

    def of(self, event: str) -> list[Entry]:
        """Returns the entries of one event."""
        return [entry for entry in self.read() if entry["event"] == event]

    def rendered(self) -> list[str]:
        """Returns the documents rendered since the last call, once for each rendering."""
        fresh = self.read()[self._read :]
        self._read += len(fresh)
        return sorted(entry["document"] for entry in fresh if entry["event"] == "document.rendered")

    def quiet(self) -> bool:
        """Returns whether a build has ended since, and none is running."""
        builds = [entry["event"] for entry in self.read() if entry["event"] in ("build.started", "build.finished")]
        return bool(builds) and builds[-1] == "build.finished"

    def _unread(self, files: ExitStack) -> list[BinaryIO]:
        """Opens the file that was read last and those after it, the newest first.

        In this order, a rotation meanwhile can at most show a file twice.
        """
        found: dict[int, BinaryIO] = {}
        for path in self._paths:
            with suppress(FileNotFoundError):
                file = files.enter_context(path.open("rb"))
                found.setdefault(os.fstat(file.fileno()).st_ino, file)
            if self._inode in found:
                break
        return list(found.values())

    def _rest_of(self, file: BinaryIO) -> Iterator[Entry]:
        """Returns the complete lines since the last read."""
        inode = os.fstat(file.fileno()).st_ino
        if inode != self._inode:
            self._inode, self._offset = inode, 0
        file.seek(self._offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._offset += len(line)
            yield json.loads(line)
