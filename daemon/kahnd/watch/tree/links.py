"""Symbolic and hard links: the one name by which each file is known, and changes made through other names.

A symbolic link to a file is a document with that file's bytes. A link to a folder is followed if the files there have
no names of their own: outside all sources, but inside the project. No folder is entered twice on the same path, so a
loop ends where it closes.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

from kahnd.core.model import DocumentId
from kahnd.core.project_files import STATE_FOLDER
from kahnd.core.rules import is_below
from kahnd.watch.ignore import is_utf8, with_ancestors
from kahnd.watch.tree.stat_cache import StatCache

BRIEF_S: Final = 0.005
"""The time limit of a brief check of hard links: once a second, that is half a percent of a core."""
_CHECKS_PER_CLOCK_READ: Final = 64


class Links:
    """Resolves symbolic links as they are now. Takes and returns project paths; `output` is the output folder."""

    def __init__(self, root: str, sources: Iterable[str], output: str | None) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._sources = frozenset(sources)
        self._output = output

    def absolute(self, path: str) -> str:
        """Returns a project path as an absolute one."""
        return posixpath.join(self._root, path)

    def resolve(self, path: str) -> str | None:
        """Returns the project path without any link, whether it exists or not; None if it leads out of the project."""
        real = os.path.realpath(self.absolute(path))
        prefix = self._real_root.rstrip("/") + "/"
        return real[len(prefix) :] if real.startswith(prefix) else "" if real == self._real_root else None

    def target(self, link: str) -> str | None:
        """Returns the project path a link leads to, whether it exists or not.

        None if it leads out of the project, to an output or to kahnd's own state.
        """
        real = self.resolve(link)
        return None if real is None or not is_utf8(real) or self._is_generated(real) else real

    def follows(self, link: str) -> bool:
        """Returns whether a link is followed to a folder, so that the files there are known by the link's name."""
        target = self.target(link)
        if target is None or not os.path.isdir(self.absolute(target)):  # noqa: PTH112  for every link
            return False
        entered = () if link in self._sources else (*self._sources, *with_ancestors(posixpath.dirname(link)))
        real = {path for folder in entered if (path := self.resolve(folder)) is not None}
        is_in_source = any(is_below(target, self.resolve(source) or ".") for source in self._sources - {link})
        return not any(is_below(path, target or ".") for path in real) and not is_in_source

    def canonical(self, path: str) -> str | None:
        """Returns the path by which a file is known: the links in it are those that are followed.

        None if it leads out of the project.
        """
        above, name = posixpath.split(path)
        known = above if self.resolve(above) == above else self._canonical_folder(above)
        return None if known is None else posixpath.join(known, name)

    def _canonical_folder(self, folder: str) -> str | None:
        known: str | None = ""
        for part in folder.split("/"):
            known = posixpath.join(known or "", part)
            if os.path.islink(self.absolute(known)) and not self.follows(known):  # noqa: PTH114  likewise
                known = self.resolve(known)
            if known is None:
                return None
        return known

    def _is_generated(self, path: str) -> bool:
        """Returns whether this path lies in the output folder or in kahnd's own state."""
        is_output = self._output is not None and is_below(path, self._output)
        return is_output or STATE_FOLDER in path.split("/")


class HardLinks:
    """Documents whose file has several hard links.

    A write through a name outside the sources makes no event here, so their stats are compared every so often.
    """

    def __init__(self, cache: StatCache) -> None:
        self._cache = cache
        self._files: dict[DocumentId, str] = {}
        self._queue: deque[DocumentId] = deque()

    def __len__(self) -> int:
        return len(self._files)

    def note(self, document: DocumentId, file: str, found: os.stat_result) -> None:
        """Takes in the stat of a document's file."""
        if found.st_nlink > 1:
            if document not in self._files:
                self._queue.append(document)
            self._files[document] = file
        elif self._files:
            self._files.pop(document, None)

    def changed(self, *, briefly: bool) -> list[DocumentId]:
        """Returns the documents whose stat is not the cached one; `briefly`: of as many as BRIEF_S allows, in turn."""
        until = time.perf_counter() + BRIEF_S if briefly else inf
        changed: list[DocumentId] = []
        for number in range(len(self._queue)):
            if number % _CHECKS_PER_CLOCK_READ == 0 and time.perf_counter() > until:
                break
            document = self._queue.popleft()
            file, entry = self._files.get(document), self._cache.get(document)
            if file is None or entry is None:
                self._files.pop(document, None)  # removed, or left with one name
                continue
            self._queue.append(document)
            if entry.stat is not None and not entry.has_stat(_stat(file)):
                changed.append(document)
        return changed


def _stat(file: str) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 - for thousands of files
    except OSError:
        return None
