"""Whether a program's inputs stayed as they were while it read them; it can't tell us what bytes it got."""

from __future__ import annotations

import os

from kahnd.core.model import Dependency, Digest, DocumentId, Kind, Problem
from kahnd.render.files import digest_of
from kahnd.render.rendering import Rendering, UnmetError

Stamp = tuple[int, int, int, int] | None


class Still:
    """A look at the document and its dependencies before the program runs, to be compared with one after."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._before = self._stamps()
        self._check_own()

    def check(self) -> None:
        """Raise UnmetError if any of them is another file, or was written to, since."""
        after = self._stamps()
        for path, stamp in self._before.items():
            if after[path] != stamp:
                problem = Problem(f"{path} changed while a program read it", self._rendering.job.document)
                raise UnmetError(Dependency(self._document_at(path), Kind.DISCOVERED), problem)

    def _check_own(self) -> None:
        job = self._rendering.job
        if self._own_digest() != job.content_hash:
            raise self._rendering.changed()

    def _own_digest(self) -> Digest | None:
        try:
            return digest_of(f"{self._rendering.root}/{self._rendering.job.document}")
        except OSError:
            return None

    def _document_at(self, path: str) -> DocumentId:
        """Which document a file is, or is rendered from."""
        job = self._rendering.job
        return dict(zip(job.deps, job.targets, strict=True)).get(path, DocumentId(path))

    def _stamps(self) -> dict[str, Stamp]:
        job, root = self._rendering.job, str(self._rendering.root)
        return {path: _stamp(f"{root}/{path}") for path in (job.document, *job.deps)}


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - an index over thousands of documents is looked at twice
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
