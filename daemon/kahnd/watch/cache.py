"""What was last known of every document, by folder: the cache that saves hashing. Knows nothing of the file system."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from kahnd.core.model import Digest, DocumentId, Problem, Stat
from kahnd.core.rules import is_below
from kahnd.watch.hashing import is_racy


class Entry(msgspec.Struct, frozen=True):
    """One document as last seen: its hash and stat, or the problem that kept it from being read."""

    content_hash: Digest | None = None
    stat: Stat | None = None
    problem: Problem | None = None

    def agrees(self, found: os.stat_result) -> bool:
        """Whether a fresh stat proves that the bytes are still the ones hashed."""
        return self.resembles(found) and self.stat is not None and not is_racy(self.stat)

    def resembles(self, found: os.stat_result | None) -> bool:
        """Whether a fresh stat is the one that was there when the bytes were hashed."""
        stat = self.stat
        return (
            stat is not None
            and found is not None
            and stat.mtime_ns == found.st_mtime_ns
            and stat.ctime_ns == found.st_ctime_ns
            and stat.size == found.st_size
            and stat.inode == found.st_ino
        )


_EMPTY: Final[Mapping[str, Entry]] = {}


class StatCache:
    """Entries by folder and name: a path's folder is kept once, and a folder's entries are found at once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, Entry]] = {}

    def get(self, document: str) -> Entry | None:
        """What is known of a document, if anything."""
        folder, _, name = document.rpartition("/")
        return self._folders.get(folder, _EMPTY).get(name)

    def put(self, document: str, entry: Entry) -> None:
        """Know this of a document from now on."""
        folder, _, name = document.rpartition("/")
        self._folders.setdefault(folder, {})[name] = entry

    def drop(self, document: str) -> None:
        """Know nothing of a document any more."""
        folder, _, name = document.rpartition("/")
        entries = self._folders.get(folder, {})
        entries.pop(name, None)
        if not entries:
            self._folders.pop(folder, None)

    def within(self, folder: str) -> Mapping[str, Entry]:
        """The entries directly in a folder, by name."""
        return self._folders.get(folder, _EMPTY)

    def folders(self) -> Iterator[str]:
        """All folders with entries ("" is the project)."""
        return iter(self._folders)

    def below(self, path: str) -> Iterator[DocumentId]:
        """All known documents at or below a path."""
        if path and self.get(path) is not None:
            yield DocumentId(path)
        for folder, entries in self._folders.items():
            if is_below(folder, path or "."):
                yield from (DocumentId(posixpath.join(folder, name)) for name in entries)
