"""Symbolic links: which lead to documents, and by which name a file is known.

A link to a file stands for a document with that file's bytes. A link to a folder is followed where the files there have
no names of their own: outside all sources, but inside the project. On one way down no folder is entered twice, so that
a loop ends where it closes.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from kahnd.core.rules import is_below
from kahnd.watch.ignore import OWN_FOLDER, is_utf8, upwards


class Links:
    """Looks at links as they are now. Project paths; `output` is kahnd's own folder, and no place of documents."""

    def __init__(self, root: str, sources: Iterable[str], output: str | None) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._sources = frozenset(sources)
        self._output = output

    def full(self, path: str) -> str:
        """A project path as the operating system takes it."""
        return posixpath.join(self._root, path)

    def real(self, path: str) -> str | None:
        """The project path without any link, there or not; None where it leads out of the project."""
        real = os.path.realpath(self.full(path))
        prefix = self._real_root.rstrip("/") + "/"
        return real[len(prefix) :] if real.startswith(prefix) else "" if real == self._real_root else None

    def target(self, link: str) -> str | None:
        """The project path a link leads to, there or not; None out of the project and into what kahnd itself makes."""
        real = self.real(link)
        return None if real is None or not is_utf8(real) or self._is_derived(real) else real

    def follows(self, link: str) -> bool:
        """Whether what is in a folder is known by names that lead through this link to it."""
        target = self.target(link)
        if target is None or not os.path.isdir(self.full(target)):  # noqa: PTH112  asked of every link there is
            return False
        passed = () if link in self._sources else (*self._sources, *upwards(posixpath.dirname(link)))
        real = {place for each in passed if (place := self.real(each)) is not None}
        inside_a_source = any(is_below(target, self.real(each) or ".") for each in self._sources - {link})
        return not any(is_below(each, target or ".") for each in real) and not inside_a_source

    def name(self, path: str) -> str | None:
        """The path by which a file is known: with no link among the folders above it but those that are followed.

        None where it leads out of the project.
        """
        above, name = posixpath.split(path)
        known = above if self.real(above) == above else self._known(above)
        return None if known is None else posixpath.join(known, name)

    def _known(self, folder: str) -> str | None:
        known: str | None = ""
        for part in folder.split("/"):
            known = posixpath.join(known or "", part)
            if os.path.islink(self.full(known)) and not self.follows(known):  # noqa: PTH114  likewise
                known = self.real(known)
            if known is None:
                return None
        return known

    def _is_derived(self, path: str) -> bool:
        """Whether this path lies in the output folder or among kahnd's own state."""
        in_outputs = self._output is not None and is_below(path, self._output)
        return in_outputs or OWN_FOLDER in path.split("/")
