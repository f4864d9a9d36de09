r"""Resolves the paths that a program reports as read to documents and collections, and parses its list of them.

Programs write paths relative to the folder they run in, which is the project's, or to the document's folder, where some
of them change to. Paths that do not exist are warned of, since they would be dependencies that never change.

The list is a Makefile-style depfile, as compilers write it (`gcc -MD`, `typst --make-deps`, `latexmk -deps-out`):
`target…: dependency…`, with `\` at the end of a line to continue, `\ ` `\#` `\:` for the character itself, `$$`
for `$`, and `#` before a comment. The bytes of order-only dependencies of ninja and make, behind `|`, count here too.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from kahnd.core.globs import glob_matcher, is_pattern
from kahnd.core.model import Dependency, DocumentId, Kind, Problem
from kahnd.core.output_paths import documents_of, outputs_of
from kahnd.core.project_files import CONFIG_FILE, STATE_FOLDER
from kahnd.core.rules import collection_id, resolve
from kahnd.core.text import shortened
from kahnd.render.context import RenderContext
from kahnd.render.files import document_at, place_of

MAX_IN_FOLDER: Final = 10_000
"""So many files of a folder that was read are dependencies; the others count by their presence only."""
_SHOWN: Final = 3


@dataclass(slots=True)
class ReportedPaths:
    """The documents and collections of a list of paths.

    `files`: those of the documents that the job does not list. `missing`: paths that do not exist. `outside_sources`:
    paths of files that are in no source folder, each with its project path.
    """

    documents: dict[DocumentId, None] = field(default_factory=dict)
    collections: dict[DocumentId, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    outside_sources: dict[str, str] = field(default_factory=dict)

    def record(self, rendering: RenderContext) -> None:
        """Record the documents and collections as dependencies."""
        for document in self.documents:
            rendering.record(Dependency(document, Kind.DISCOVERED))
        for collection in self.collections:
            rendering.record(Dependency(collection, Kind.COLLECTION))

    def ignore(self, followed: Collection[str]) -> None:
        """Leave files out of `outside_sources` that are followed in another way, such as the rule's scripts."""
        self.outside_sources = {
            path: candidate for path, candidate in self.outside_sources.items() if candidate not in followed
        }

    def warnings(self, document: DocumentId, source: str, remedy: str) -> Iterator[Problem]:
        """Warnings of the paths that can't be followed; each begins with `source`, the words for what names them."""
        if self.missing:
            yield Problem(f"{source} {_some(self.missing)}, which is not there", document, remedy=remedy)
        if self.outside_sources:
            message = f"{source} {_some(self.outside_sources)}, which is in none of the project's sources"
            add = f"add the folder to `sources` in {CONFIG_FILE}"
            yield Problem(f"{message}: a change there is not noticed", document, remedy=add)


def resolve_reported(paths: Iterable[str], rendering: RenderContext, folder: str = "") -> ReportedPaths:
    """Resolve paths that a program reports. `folder`: where it ran, if not in the project's folder."""
    resolver = _Resolver(rendering, folder)
    for path in paths:
        resolver.add(path)
    return resolver.paths


class _Resolver:
    def __init__(self, rendering: RenderContext, folder: str) -> None:
        job = rendering.job
        self._root, self._layout = str(rendering.root), rendering.layout
        self._folders, self._outputs = (folder, "", posixpath.dirname(job.document)), outputs_of(job)
        self._by_file: Mapping[str, DocumentId] = documents_of(job)
        self._known = {job.document, *job.targets}.difference(job.discovered)
        self.paths = ReportedPaths()

    def add(self, path: str) -> None:
        candidates = self._candidates(path)
        if not candidates or any(map(self._is_own_output, candidates)):
            return
        known = next((candidate for candidate in candidates if self._target(candidate) in self._known), None)
        if known is not None:
            return
        there = next(filter(self._exists, candidates), None)
        if there is not None:
            self._add_existing(there, path)
        elif is_pattern(path) and any(self._add_pattern(candidate) for candidate in candidates):
            return
        else:
            self.paths.missing[path] = None
            for candidate in likely_paths(filter(self._is_followed, candidates), self._root):
                self.paths.documents[self._target(candidate)] = None

    def _exists(self, candidate: str) -> bool:
        return os.path.exists(f"{self._root}/{place_of(self._root, candidate)}")  # noqa: PTH110 - for each of many

    def _is_own_output(self, candidate: str) -> bool:
        folder = self._outputs[0] if self._outputs[0].endswith("/") else None
        return candidate in self._outputs or (folder is not None and f"{candidate}/".startswith(folder))

    def _candidates(self, path: str) -> list[str]:
        """The project paths that a path may mean; none if it leads to an existing file outside the project."""
        if path.startswith("/"):
            candidates = [_inside(path, self._root)]
        else:
            candidates = [posixpath.normpath(posixpath.join(folder, path)) for folder in self._folders]
            if candidates[0].startswith("../") and os.path.exists(f"{self._root}/{candidates[0]}"):  # noqa: PTH110
                return []
        candidates = [document_at(each) for each in candidates]
        if candidates[0].partition("/")[0] == STATE_FOLDER:
            return []
        return [each for each in dict.fromkeys(candidates) if each and each != ".." and not each.startswith("../")]

    def _target(self, candidate: str) -> DocumentId:
        return self._by_file.get(candidate, DocumentId(candidate))

    def _is_followed(self, candidate: str) -> bool:
        return self._layout.is_output(candidate) or self._layout.source_of(candidate) is not None

    def _add_existing(self, candidate: str, path: str) -> None:
        if os.path.isdir(f"{self._root}/{candidate}") and not self._layout.is_output(candidate):  # noqa: PTH112
            self._add_folder(candidate)
        elif self._is_followed(candidate):
            self.paths.documents[self._target(candidate)] = None
            if candidate not in self._by_file:
                self.paths.files[candidate] = None
        else:
            self.paths.outside_sources[path] = candidate

    def _add_folder(self, folder: str) -> None:
        """Depend on all files in and below a folder that was read, now and later."""
        prefix = "" if folder == "." else f"{folder}/"
        if self._may_hold_documents(folder):
            self.paths.collections[collection_id(f"{prefix}**")] = None
            self._add_files(_files(self._root, folder))

    def _add_pattern(self, pattern: str) -> bool:
        parts = pattern.split("/")
        fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
        try:
            fits = glob_matcher(pattern)
        except Exception:  # noqa: BLE001 - wcmatch's own, of too many braces, is of no public type
            return False
        base = "/".join(parts[:fixed]) or "."
        if not self._may_hold_documents(base):
            return False
        matching = [each for each in _files(self._root, base) if fits(each)]
        self.paths.collections[collection_id(pattern)] = None
        self._add_files(matching)
        return bool(matching)

    def _may_hold_documents(self, folder: str) -> bool:
        within = folder == "." or any(each.startswith(f"{folder}/") for each in self._layout.sources)
        return within or self._layout.source_of(folder) is not None

    def _add_files(self, files: Iterable[str]) -> None:
        for each in files:
            if self._target(each) not in self._known and self._layout.source_of(each) is not None:
                self.paths.documents[self._target(each)] = None


def unresolved_paths(paths: Iterable[str], rendering: RenderContext) -> ReportedPaths:
    """Sort paths in a document that name no document of the project: missing, or outside the sources."""
    found, root = ReportedPaths(), str(rendering.root)
    for path in paths:
        target = resolve(path, rendering.job.document)
        if target and os.path.exists(f"{root}/{target}"):  # noqa: PTH110
            found.outside_sources[path] = target
        elif "://" not in path and not os.path.exists(os.path.join(root, path)):  # noqa: PTH110, PTH118
            found.missing[path] = None
    return found


def likely_paths(candidates: Iterable[str], root: str) -> list[str]:
    """Of paths that do not exist, those that may be created: the ones in existing folders, if any."""
    given = list(candidates)
    return [each for each in given if os.path.isdir(f"{root}/{posixpath.dirname(each)}")] or given  # noqa: PTH112


def _files(root: str, folder: str) -> list[str]:
    """The files in and below a folder without hidden ones, at most MAX_IN_FOLDER."""
    found: list[str] = []
    for above, folders, names in os.walk(root if folder == "." else f"{root}/{folder}"):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        inner = posixpath.relpath(above, root)
        prefix = "" if inner == "." else f"{inner}/"
        found += [f"{prefix}{name}" for name in sorted(names) if not name.startswith(".")]
        if len(found) > MAX_IN_FOLDER:
            break
    return found[:MAX_IN_FOLDER]


def _inside(path: str, root: str) -> str:
    """An absolute path relative to the project, beginning with `..` outside it; links in its folder are resolved."""
    inner = posixpath.relpath(path, root)
    if inner.startswith("../"):
        folder, name = posixpath.split(posixpath.normpath(path))
        return posixpath.relpath(posixpath.join(_real(folder), name), root)
    return inner


@lru_cache(maxsize=1024)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _some(paths: Iterable[str]) -> str:
    names = list(paths)
    more = f" (and {len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
    return ", ".join(map(shortened, names[:_SHOWN])) + more


_CONTINUED: Final = re.compile(r"\\(?:\r?\n|[ \t\r]*\Z)")
_WORD: Final = re.compile(r"(?:\\[ #:]|[^ \t\r\n\f\v])+")
"""A path; other white space, such as a no-break space, is part of it."""
_ESCAPED: Final = re.compile(r"\\([ #:])|\$(\$)")
_TARGETS: Final = re.compile(r"(?:\\.|[^\\\n])*?::?(?=[ \t\r\f\v]|$)")
_ORDER_ONLY: Final = "|"
"""Separates normal dependencies from order-only ones, which only have to exist."""


def dependencies(text: str) -> list[str]:
    """The paths after the colons, in order, each once."""
    return list(dict.fromkeys(name for line in _lines(text) for name in _right_side(line)))


def first_unreadable_line(text: str) -> str | None:
    """The first line without a target that is neither empty nor a comment; None if there is none."""
    return next((line.strip() for line in _lines(text) if line.strip() and not _TARGETS.match(line)), None)


def _lines(text: str) -> list[str]:
    lines = _CONTINUED.sub(" ", text.removeprefix("\ufeff")).split("\n")
    return [line for line in lines if not line.lstrip().startswith("#")]


def _right_side(line: str) -> Iterator[str]:
    targets = _TARGETS.match(line)
    for word in _WORD.findall(line[targets.end() :] if targets else ""):
        if word.startswith("#"):
            return
        if word != _ORDER_ONLY:
            yield _ESCAPED.sub(lambda match: match[1] or match[2], word)
