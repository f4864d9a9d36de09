"""What a rule's `scan` finds in the plain files that a document refers to, and in those that they refer to.

A chapter has no rule of its own, so nobody else scans it: what it reads is read by the document's program.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from kahnd.core.model import Dependency, DocumentId, Kind, Problem
from kahnd.core.rules import resolve
from kahnd.render.files import OutsideError, ProblemError, UnfitError, read_inside
from kahnd.render.listed import likely
from kahnd.render.rendering import Rendering
from kahnd.render.scan_expressions import find

MOST_FILES: Final = 10_000
LARGEST: Final = 16 * 1024 * 1024
"""Bytes; a larger file is data, and refers to nothing."""
_REMEMBERED: Final = 10_000
_RACY_NS: Final = 2_000_000_000
_BINARY: Final = 8192

_Version = tuple[int, int, int, int]


class Chapters:
    """A worker's: remembers what it found in each version of a file."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, tuple[str, ...]], tuple[_Version, tuple[str, ...]]] = OrderedDict()

    def follow(self, rendering: Rendering, expressions: Sequence[str]) -> tuple[tuple[str, ...], Problem | None]:
        """Put all that is found into the account; the files it is found to read, and a word where there are too many.

        Raises ProblemError where a file can't be searched.
        """
        job = rendering.job
        known = {job.document, *job.targets}
        rest = deque(each for each in job.targets if each not in job.discovered)
        seen: dict[DocumentId, None] = dict.fromkeys(rest)
        files: dict[str, None] = {}
        while rest:
            chapter = rest.popleft()
            for target in self._of_chapter(rendering, chapter, expressions):
                if target in seen or target == job.document:
                    continue
                if len(seen) >= MOST_FILES:
                    message = f"refers to more than {MOST_FILES:,} files through others: not all are followed"
                    return tuple(files), Problem(message, job.document, remedy="split the document")
                seen[target] = None
                rest.append(target)
                rendering.note(Dependency(target, Kind.DISCOVERED))
                if target not in known:
                    files[rendering.layout.output_of(target) or target] = None
        return tuple(files), None

    def _of_chapter(
        self, rendering: Rendering, chapter: DocumentId, expressions: Sequence[str]
    ) -> Iterator[DocumentId]:
        layout = rendering.layout
        if layout.rule_of(chapter) is not None or layout.source_of(chapter) is None:
            return
        for path in self._paths(rendering, chapter, tuple(expressions)):
            yield from _places(rendering, path, chapter)

    def _paths(self, rendering: Rendering, chapter: DocumentId, expressions: tuple[str, ...]) -> tuple[str, ...]:
        key, version = (chapter, expressions), _version(f"{rendering.root}/{chapter}")
        if version is None:
            return ()
        known = self._found.get(key)
        if known and known[0] == version:
            self._found.move_to_end(key)
            return known[1]
        paths = _search(rendering, chapter, expressions)
        if _is_old(version):
            self._found[key] = version, paths
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return paths


def _search(rendering: Rendering, chapter: DocumentId, expressions: tuple[str, ...]) -> tuple[str, ...]:
    try:
        content = read_inside(rendering.root, chapter)
    except (OSError, OutsideError, UnfitError):
        return ()  # the program says what it can't read
    if b"\0" in content[:_BINARY]:
        return ()
    try:
        return tuple(dict.fromkeys(path for _, path in find(expressions, content.decode(errors="replace"), chapter)))
    except ProblemError:
        rendering.note(Dependency(chapter, Kind.DISCOVERED))
        raise


def _places(rendering: Rendering, path: str, chapter: DocumentId) -> Iterator[DocumentId]:
    """What a path in a chapter means: relative to it, to the document or to the project, as programs differ.

    The first that is there; where none is, each may come to be.
    """
    origins = (chapter, rendering.job.document, "")
    targets = dict.fromkeys(target for origin in origins if (target := resolve(path, origin)) is not None)
    layout = rendering.layout
    followed = [each for each in targets if layout.is_output(each) or layout.source_of(each) is not None]
    there = [each for each in followed if os.path.exists(f"{rendering.root}/{each}")]  # noqa: PTH110
    yield from map(DocumentId, there[:1] or likely(followed, str(rendering.root)))


def _version(path: str) -> _Version | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - of each chapter, with each run
    except OSError:
        return None
    if found.st_size > LARGEST:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _is_old(version: _Version) -> bool:
    """Whether another change would show in the file's times."""
    return time.time_ns() - max(version[:2]) > _RACY_NS
