"""Whether a program's inputs stayed as they were while it read them; it can't tell us what bytes it got."""

from __future__ import annotations

from collections.abc import Iterable

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
        for document, stamp in self._before.items():
            if after[document] != stamp:
                problem = Problem(f"{document} changed while a program read it", self._rendering.job.document)
                raise UnmetError(Dependency(document, Kind.DISCOVERED), problem)

    def _check_own(self) -> None:
        job = self._rendering.job
        if self._own_digest() != job.content_hash:
            raise self._rendering.changed()

    def _own_digest(self) -> Digest | None:
        try:
            return digest_of(self._rendering.root / self._rendering.job.document)
        except OSError:
            return None

    def _stamps(self) -> dict[DocumentId, Stamp]:
        return {document: self._stamp(document) for document in self._documents()}

    def _documents(self) -> Iterable[DocumentId]:
        job = self._rendering.job
        targets = (each.target for each in job.dependencies if not each.kind.of_content)
        return dict.fromkeys((job.document, *targets))

    def _stamp(self, document: DocumentId) -> Stamp:
        own = document == self._rendering.job.document
        path = document if own else self._rendering.layout.output_of(document) or document
        try:
            found = (self._rendering.root / path).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
