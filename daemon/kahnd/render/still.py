"""Whether a program's inputs stayed as they were while it read them; it can't tell us what bytes it got.

Only bytes decide: a file that is written anew with the same bytes (a program's own `.aux`) has not changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final

from kahnd.core.model import Dependency, Digest, DocumentId, Kind, Problem
from kahnd.render.files import digest_of
from kahnd.render.rendering import Rendering, UnmetError

Stamp = tuple[int, int, int, int] | None
_TICK_NS: Final = 10_000_000
"""A file system's clock may be so much behind where it can't be asked."""


class Still:
    """A look at the document and its dependencies before the program runs, to be compared with one after.

    `more`: files that it is known to read, and that no job has told of yet.
    """

    def __init__(self, rendering: Rendering, more: Iterable[str] = ()) -> None:
        self._rendering = rendering
        self._began_ns = _now_ns()
        job = rendering.job
        self._targets = job.documents()
        self._told = frozenset(job.targets).difference(job.discovered)
        self._more = tuple(each for each in more if each not in self._targets)
        self._before = self._stamps()
        self._check_own()

    def check(self, found: Iterable[str] = ()) -> None:
        """Put what is another now into the account, with the hash of its bytes.

        `found`: the files that the program says it read and no job has told of; what bytes it got of those that were
        written meanwhile can't be known. Raises UnmetError where it has to run again because of these, or of the
        document itself.
        """
        after = self._stamps()
        changed = [path for path, stamp in self._before.items() if after[path] != stamp]
        if self._rendering.job.document in changed:
            self._check_own()
        new = [*(each for each in self._more if each in changed), *filter(self._was_written, found)]
        for path in dict.fromkeys((*changed, *new)):
            self._note(path)
        for path in new:
            problem = Problem(f"{path} changed while a program read it", self._rendering.job.document)
            raise UnmetError(Dependency(self._document_at(path), Kind.DISCOVERED), problem)

    def _note(self, path: str) -> None:
        job, target = self._rendering.job, self._document_at(path)
        if path == job.document or (target in job.missing and self._before.get(path)):
            return  # of what was there and is no document, nothing is known that it could be compared with
        kind = Kind.DECLARED if target in self._told else Kind.DISCOVERED
        digest = self._digest(path)
        if digest or path in self._targets:
            self._rendering.note(Dependency(target, kind), digest or Digest("gone"))

    def _was_written(self, path: str) -> bool:
        """Whether a file was written, or put there, since the look before."""
        if path in self._before:
            return False
        found = _status(f"{self._rendering.root}/{path}")
        return found is not None and found.st_ctime_ns >= self._began_ns

    def _check_own(self) -> None:
        job = self._rendering.job
        if self._digest(job.document) != job.content_hash:
            raise self._rendering.changed()

    def _digest(self, path: str) -> Digest | None:
        try:
            return digest_of(f"{self._rendering.root}/{path}")
        except OSError:
            return None

    def _document_at(self, path: str) -> DocumentId:
        """Which document a file is, or is rendered from."""
        return self._targets.get(path, DocumentId(path))

    def _stamps(self) -> dict[str, Stamp]:
        job, root = self._rendering.job, str(self._rendering.root)
        return {path: _stamp(f"{root}/{path}") for path in (job.document, *job.deps, *self._more)}


def _now_ns() -> int:
    """The moment by the clock that gives files their times."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    return time.time_ns() - _TICK_NS


def _stamp(path: str) -> Stamp:
    found = _status(path)
    return found and (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - an index over thousands of documents is looked at twice
    except OSError:
        return None
