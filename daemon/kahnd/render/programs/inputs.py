"""The files that a document's program reads: follows references through plain files, and notices changes.

A plain file, such as a chapter, has no rule of its own, so nothing else scans it; the document's program reads what it
refers to. A program can't say which bytes it read, so the files are compared before and after it runs. Only bytes
count: a file that is written again with the same bytes (a program's own `.aux`) has not changed.

What a program keeps between runs (`{cache}` in a command) is an input, too, that a fresh build does not have. So a run
begins with an empty folder if the former one was cut short or had another recipe, and a run that fails over what a
former one left is repeated with an empty folder: what is in there never makes a document fail.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kahnd.core.hashing import cache_folder
from kahnd.core.model import Dependency, Digest, DocumentId, Failed, Kind, Outcome, Problem
from kahnd.core.output_paths import documents_of
from kahnd.core.project_files import CACHE_STATE, CACHES
from kahnd.core.renderings import document_of
from kahnd.core.rules import resolve
from kahnd.platform.files import hash_file, remedy_for, remove_any
from kahnd.platform.owned_files import open_file, open_folder
from kahnd.ports import PRESSING
from kahnd.render.context import RenderContext, UnmetError
from kahnd.render.files import OutsideError, ProblemError, UnreadableError, document_at, place_of, read_inside
from kahnd.render.programs.reported_paths import likely_paths
from kahnd.render.scan.expressions import find

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 16 * 1024 * 1024
"""Larger files are taken for data without references."""
_MAX_CACHED: Final = 10_000
_RACY_NS: Final = 2_000_000_000
_BINARY: Final = 8192

_Version = tuple[int, int, int, int]


class IncludedFiles:
    """Finds references by a rule's `scan` in files that documents refer to; caches them by version of the file."""

    def __init__(self) -> None:
        self._cached: OrderedDict[tuple[str, tuple[str, ...]], tuple[_Version, tuple[str, ...]]] = OrderedDict()

    def follow(self, rendering: RenderContext, expressions: Sequence[str]) -> tuple[str, ...]:
        """Record all references, and warn if there are too many; return those files that the job does not list.

        Raises ProblemError if a file can't be searched.
        """
        job = rendering.job
        known = {job.document, *job.targets}
        seen: dict[DocumentId, None] = dict.fromkeys(each for each in job.targets if each not in job.discovered)
        rendered = {target for path, target in zip(job.deps, job.targets, strict=True) if document_at(path) != target}
        rest = deque(each for each in seen if each not in rendered)
        files: dict[str, None] = {}
        while rest:
            file = rest.popleft()
            for target in self._references_of(rendering, file, expressions):
                if target in seen or target == job.document:
                    continue
                if len(seen) >= MAX_FILES:
                    message = f"refers to more than {MAX_FILES:,} files through others: not all are followed"
                    rendering.warn(Problem(message, job.document, remedy="split the document"))
                    return tuple(files)
                seen[target] = None
                rest.append(target)
                rendering.record(Dependency(target, Kind.DISCOVERED))
                if target not in known:
                    place = rendering.documents.place_of(target)
                    files[next(iter(rendering.outputs_of(target)), place)] = None
        return tuple(files)

    def _references_of(
        self, rendering: RenderContext, file: DocumentId, expressions: Sequence[str]
    ) -> Iterator[DocumentId]:
        layout = rendering.layout
        if layout.rule_of(file) is not None or layout.source_of(file) is None:
            return
        for path in self._paths(rendering, file, tuple(expressions)):
            yield from _candidates(rendering, path, file)

    def _paths(self, rendering: RenderContext, file: DocumentId, expressions: tuple[str, ...]) -> tuple[str, ...]:
        key, version = (file, expressions), _version(f"{rendering.root}/{rendering.documents.place_of(file)}")
        if version is None:
            return ()
        known = self._cached.get(key)
        if known and known[0] == version:
            self._cached.move_to_end(key)
            return known[1]
        paths = _search(rendering, file, expressions)
        if _is_old(version):
            self._cached[key] = version, paths
            if len(self._cached) > _MAX_CACHED:
                self._cached.popitem(last=False)
        return paths


def _search(rendering: RenderContext, file: DocumentId, expressions: tuple[str, ...]) -> tuple[str, ...]:
    try:
        content = read_inside(rendering.root, file)
    except (OSError, OutsideError, UnreadableError):
        return ()  # the program reports what it can't read
    if b"\0" in content[:_BINARY]:
        return ()
    try:
        return tuple(dict.fromkeys(path for _, path in find(expressions, content.decode(errors="replace"), file)))
    except ProblemError:
        rendering.record(Dependency(file, Kind.DISCOVERED))
        raise


def _candidates(rendering: RenderContext, path: str, file: DocumentId) -> Iterator[DocumentId]:
    """The documents that a path in a file may mean: relative to the file, to the document or to the project.

    Programs differ, so it is the first that exists, or else all that may be created.
    """
    origins = (file, rendering.job.document, "")
    targets = dict.fromkeys(target for origin in origins if (target := resolve(path, origin)) is not None)
    layout = rendering.layout
    followed = [each for each in targets if layout.is_output(each) or layout.source_of(each) is not None]
    existing = [each for each in followed if os.path.exists(f"{rendering.root}/{place_of(rendering.root, each)}")]  # noqa: PTH110
    yield from map(DocumentId, existing[:1] or likely_paths(followed, str(rendering.root)))


def _version(path: str) -> _Version | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for each file in each run
    except OSError:
        return None
    if found.st_size > MAX_BYTES:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _is_old(version: _Version) -> bool:
    """Tell whether the file is old enough for a further change to show in its times."""
    return time.time_ns() - max(version[:2]) > _RACY_NS


Stamp = tuple[int, int, int, int] | None
_TICK_NS: Final = 10_000_000
"""The most by which a file system's clock lags behind, where it can't be read."""


class InputGuard:
    """Compares the document and its dependencies before and after a program runs.

    `more`: files that the program is known to read and the job does not list.
    """

    def __init__(self, rendering: RenderContext, more: Iterable[str] = ()) -> None:
        self._rendering = rendering
        self._began_ns = _now_ns()
        self._more = tuple(each for each in more if each not in rendering.job.deps)
        self._own = rendering.documents.place_of(rendering.job.document)
        self._before = self._stamps()
        self._check_own()

    def check(self, found: Iterable[str] = ()) -> None:
        """Record the files that have changed, with their present hash.

        `found`: the files that the program reports as read and the job does not list; which bytes it read of those
        written meanwhile can't be known. Raises UnmetError if it must run again because of these or the document.
        """
        after = self._stamps()
        changed = [path for path, stamp in self._before.items() if after[path] != stamp]
        if self._own in changed:
            self._check_own()
        new = [*(each for each in self._more if each in changed), *filter(self._was_written, found)]
        for path in dict.fromkeys((*changed, *new)):
            self._record(path)
        for path in new:
            problem = Problem(f"{path} changed while a program read it", self._rendering.job.document)
            raise UnmetError(Dependency(self._document_at(path), Kind.DISCOVERED), problem)

    def _record(self, path: str) -> None:
        job, target = self._rendering.job, self._document_at(path)
        if path == self._own or (target in job.missing and self._before.get(path)):
            return  # it existed and is no document, so there is no hash to compare with
        kind = Kind.DECLARED if target in job.targets and target not in job.discovered else Kind.DISCOVERED
        digest = self._digest(path)
        if digest or path in job.deps:
            self._rendering.record(Dependency(target, kind), digest or Digest("gone"))

    def _was_written(self, path: str) -> bool:
        """Tell whether a file was written or created since the guard was made."""
        if path in self._before:
            return False
        found = _status(f"{self._rendering.root}/{path}")
        return found is not None and found.st_ctime_ns >= self._began_ns

    def _check_own(self) -> None:
        job = self._rendering.job
        if self._digest(self._own) != job.content_hash:
            raise self._rendering.changed()

    def _digest(self, path: str) -> Digest | None:
        try:
            return hash_file(f"{self._rendering.root}/{path}")
        except OSError:
            return None

    def _document_at(self, path: str) -> DocumentId:
        """The document that a file is, or is rendered from."""
        return documents_of(self._rendering.job).get(path, document_at(path))

    def _stamps(self) -> dict[str, Stamp]:
        job, root = self._rendering.job, str(self._rendering.root)
        return {path: _stamp(f"{root}/{path}") for path in (self._own, *job.deps, *self._more)}


def _now_ns() -> int:
    """The time by the clock that stamps files."""
    if hasattr(time, "CLOCK_REALTIME_COARSE"):
        return time.clock_gettime_ns(time.CLOCK_REALTIME_COARSE)
    return time.time_ns() - _TICK_NS


def _stamp(path: str) -> Stamp:
    found = _status(path)
    return found and (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - called twice for each of possibly thousands of dependencies
    except OSError:
        return None


_LONGEST_STATE: Final = 64
"""Bytes; a recipe is a hash of 32 characters, and a word comes before it."""


class CacheFolder:
    """The folder of one rendering of a document. `recipe`: what makes a folder useless for a run if it has changed."""

    def __init__(self, root: Path, rendering: DocumentId, recipe: str) -> None:
        self._root = root
        self._document = document_of(rendering)
        self._ended = f"ended {recipe}".encode()
        self._path = cache_folder(rendering)
        self._state = f"{self._path}{CACHE_STATE}"

    def run(self, render: Callable[[], Outcome]) -> Outcome:
        """Render with the folder; once more with an empty one if that fails over what a former run left."""
        try:
            is_warm = self._prepare()
            outcome = render()
            if is_warm and isinstance(outcome, Failed):
                self._empty()
                outcome = render()
            self._write_state(self._ended)
        except OSError as error:
            message = f"the folder that its program keeps can't be used: {error.strerror}"
            remedy = remedy_for(error, f"see what is at {error.filename or self._path}")
            return Failed(Problem(message, self._document, 0, remedy, passing=error.errno in PRESSING))
        return outcome

    def _prepare(self) -> bool:
        """Make the folder ready for a run, and tell whether a former run left something in it."""
        is_fit = self._read_state() == self._ended
        self._write_state(b"")  # for as long as the run lasts
        if not is_fit:
            self._empty()
            return False
        with open_folder(self._root, self._path, make=True) as folder, os.scandir(folder) as entries:
            return any(True for _ in entries)

    def _empty(self) -> None:
        with open_folder(self._root, CACHES, make=True):
            remove_any(self._root / self._path)
            (self._root / self._path).mkdir(0o700)

    def _read_state(self) -> bytes | None:
        try:
            descriptor = open_file(self._root, self._state, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_LONGEST_STATE)

    def _write_state(self, state: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_file(self._root, self._state, flags, make=True), "wb") as file:
            file.write(state)
