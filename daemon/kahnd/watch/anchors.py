"""A few places that must be noticed whatever happens to the folders around them: source folders and config files.

A kernel watch sits on an inode and dies with it; a parent's watch sees a folder come and go, but the parent has a
parent, too. These are few, so their stats are simply compared: exact, and cheaper than another watcher.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Signature = tuple[int, ...] | None


def folder_signature(path: str) -> Signature:
    """Which real folder stands here, or is linked to from here; None if none does."""
    found = _stat(path)
    return (found.st_dev, found.st_ino) if found is not None and modes.S_ISDIR(found.st_mode) else None


def file_signature(path: str) -> Signature:
    """Which version of a file stands here, as its stat tells it; None if there is none."""
    found = _stat(path)
    return found and (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _stat(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None  # out of reach is as good as gone: what matters is that this changes


class Anchors:
    """Remembers signatures by path, and tells which changed since last asked."""

    def __init__(self, paths: Iterable[str], signature: Callable[[str], Signature]) -> None:
        self._signature = signature
        self._seen: Mapping[str, Signature] = {path: signature(path) for path in paths}

    def changed(self) -> frozenset[str]:
        """The paths whose signature is another than when last asked."""
        before, self._seen = self._seen, {path: self._signature(path) for path in self._seen}
        return frozenset(path for path, signature in self._seen.items() if before[path] != signature)
