"""Keeps every document's hash and stat, so that unchanged files are not hashed again; and watches a few paths by stat.

`StatCache` does no I/O. `Sentinels` are paths whose changes must be noticed whatever happens to the folders around
them: a kernel watch belongs to an inode and dies with it. Source folders and config files are few, so comparing their
stats is exact and cheaper than more watches.
"""

from __future__ import annotations

import os
import posixpath
import stat as modes
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kahnd.core.model import Digest, DocumentId, Facts, Problem, Stat
from kahnd.core.rules import is_below
from kahnd.watch.file_hashing import is_racy


class CacheEntry(msgspec.Struct, frozen=True, gc=False):
    """One document as last seen: its hash and stat, or the problem that kept it from being read."""

    content_hash: Digest | None = None
    stat: Stat | None = None
    problem: Problem | None = None

    @classmethod
    def from_facts(cls, facts: Facts) -> CacheEntry:
        """Returns the entry for what the store kept of a document."""
        is_unread = facts.content_hash is None
        return cls(facts.content_hash, None if is_unread else facts.stat, facts.problem if is_unread else None)

    def is_proven_by(self, found: os.stat_result) -> bool:
        """Returns whether a fresh stat proves that the file still has the bytes that were hashed."""
        return self.has_stat(found) and self.stat is not None and not is_racy(self.stat)

    def has_stat(self, found: os.stat_result | None) -> bool:
        """Returns whether a fresh stat is the one that the file had when it was hashed."""
        stat = self.stat
        return (
            stat is not None
            and found is not None
            and stat.mtime_ns == found.st_mtime_ns
            and stat.ctime_ns == found.st_ctime_ns
            and stat.size == found.st_size
            and stat.inode == found.st_ino
        )


_EMPTY: Final[Mapping[str, CacheEntry]] = {}


class StatCache:
    """Entries by folder and name, so that each folder's path is stored once and its entries are found at once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, CacheEntry]] = {}

    def get(self, document: str) -> CacheEntry | None:
        """Returns a document's entry, if there is one."""
        folder, _, name = document.rpartition("/")
        return self._folders.get(folder, _EMPTY).get(name)

    def put(self, document: str, entry: CacheEntry) -> None:
        """Sets a document's entry."""
        folder, _, name = document.rpartition("/")
        self._folders.setdefault(folder, {})[name] = entry

    def drop(self, document: str) -> None:
        """Removes a document's entry, if there is one."""
        folder, _, name = document.rpartition("/")
        entries = self._folders.get(folder, {})
        entries.pop(name, None)
        if not entries:
            self._folders.pop(folder, None)

    def entries_in(self, folder: str) -> Mapping[str, CacheEntry]:
        """Returns the entries directly in a folder, by name."""
        return self._folders.get(folder, _EMPTY)

    def folders(self) -> Iterator[str]:
        """Yields all folders with entries ("" is the project)."""
        return iter(self._folders)

    def documents_below(self, path: str) -> Iterator[DocumentId]:
        """Yields all documents at or below a path that have entries."""
        if path and self.get(path) is not None:
            yield DocumentId(path)
        for folder, entries in self._folders.items():
            if is_below(folder, path or "."):
                yield from (DocumentId(posixpath.join(folder, name)) for name in entries)


_Signature = tuple[int, ...] | None


class Sentinels:
    """Remembers a signature of each path, and reports which changed since the last call.

    A file's signature tells its version, a folder's only which folder it is; links are followed. `absolute` turns a
    project path into an absolute one.
    """

    def __init__(
        self, absolute: Callable[[str], str], *, files: Iterable[str] = (), folders: Iterable[str] = ()
    ) -> None:
        self._absolute = absolute
        self._files = {path: _file_signature(absolute(path)) for path in files}
        self._folders = {path: _folder_signature(absolute(path)) for path in folders}

    def changed_files(self) -> frozenset[str]:
        """Returns the files that changed since the last call."""
        before, self._files = self._files, {path: _file_signature(self._absolute(path)) for path in self._files}
        return frozenset(path for path, signature in self._files.items() if before[path] != signature)

    def changed_folders(self) -> frozenset[str]:
        """Returns the folders that were removed, created or replaced since the last call."""
        before, self._folders = self._folders, {path: _folder_signature(self._absolute(path)) for path in self._folders}
        return frozenset(path for path, signature in self._folders.items() if before[path] != signature)


def _file_signature(path: str) -> _Signature:
    found = _stat(path)
    return found and (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _folder_signature(path: str) -> _Signature:
    found = _stat(path)
    return (found.st_dev, found.st_ino) if found is not None and modes.S_ISDIR(found.st_mode) else None


def _stat(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None  # unreadable counts as missing: it matters only that this changes
