"""The paths in a program's list of what it read → the documents and collections that these are.

Programs write paths relative to where they run, which is the project's folder, or to the document's folder, where some
of them go first. What is nowhere is told of: it would be a dependency that nobody follows.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from kahnd.core.globs import glob_matcher
from kahnd.core.model import Dependency, DocumentId, Kind, Problem
from kahnd.core.rules import collection_id, resolve
from kahnd.core.text import shortened
from kahnd.render.rendering import CONFIG_FILE, Rendering

MOST_IN_FOLDER: Final = 10_000
"""So many files of a folder that was read are followed by their bytes; of the others, that they come and go."""
_SHOWN: Final = 3
_STATE: Final = ".kahnd"
_GLOB: Final = frozenset("*?[{")


@dataclass(slots=True)
class Listed:
    """What a list comes to.

    `files`: those among the documents that no job has told of. `nowhere`, `untracked`: paths that are not there, and
    those of the project's files that are none of its documents, each with its project path.
    """

    documents: dict[DocumentId, None] = field(default_factory=dict)
    collections: dict[DocumentId, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    nowhere: dict[str, None] = field(default_factory=dict)
    untracked: dict[str, str] = field(default_factory=dict)

    def note(self, rendering: Rendering) -> None:
        """Put it into the account of a run."""
        for document in self.documents:
            rendering.note(Dependency(document, Kind.DISCOVERED))
        for collection in self.collections:
            rendering.note(Dependency(collection, Kind.COLLECTION))

    def leave_out(self, followed: Collection[str]) -> None:
        """Files that are none of the documents, but followed in another way: the rule's scripts."""
        self.untracked = {path: place for path, place in self.untracked.items() if place not in followed}

    def warnings(self, document: DocumentId, says: str, remedy: str) -> Iterator[Problem]:
        """What of it can't be followed; `says` are the words for who names it."""
        if self.nowhere:
            yield Problem(f"{says} {_some(self.nowhere)}, which is not there", document, remedy=remedy)
        if self.untracked:
            message = f"{says} {_some(self.untracked)}, which is in none of the project's sources"
            add = f"add the folder to `sources` in {CONFIG_FILE}"
            yield Problem(f"{message}: a change there is not noticed", document, remedy=add)


def listed(paths: Iterable[str], rendering: Rendering) -> Listed:
    """Find out what the paths stand for."""
    finder = _Finder(rendering)
    for path in paths:
        finder.take(path)
    return finder.found


class _Finder:
    def __init__(self, rendering: Rendering) -> None:
        job = rendering.job
        self._root, self._layout = str(rendering.root), rendering.layout
        self._folder, self._output = posixpath.dirname(job.document), job.output
        self._by_file: Mapping[str, DocumentId] = job.documents()
        self._known = {job.document, *job.targets}.difference(job.discovered)
        self.found = Listed()

    def take(self, path: str) -> None:
        places = self._places(path)
        if not places or self._output in places:
            return
        known = next((place for place in places if self._target(place) in self._known), None)
        if known is not None:
            return
        there = next((place for place in places if os.path.exists(f"{self._root}/{place}")), None)  # noqa: PTH110
        if there is not None:
            self._take_place(there, path)
        elif not _GLOB.isdisjoint(path) and any(self._take_pattern(place) for place in places):
            return
        else:
            self.found.nowhere[path] = None
            for place in likely(filter(self._is_followed, places), self._root):
                self.found.documents[self._target(place)] = None

    def _places(self, path: str) -> list[str]:
        """Where in the project a path may lead; nowhere, if it leads out of it and there is something there."""
        if path.startswith("/"):
            places = [_inside(path, self._root)]
        else:
            places = [posixpath.normpath(path), posixpath.normpath(posixpath.join(self._folder, path))]
            if places[0].startswith("../") and os.path.exists(f"{self._root}/{path}"):  # noqa: PTH110
                return []
        if places[0].partition("/")[0] == _STATE:
            return []
        return [each for each in dict.fromkeys(places) if each and each != ".." and not each.startswith("../")]

    def _target(self, place: str) -> DocumentId:
        return self._by_file.get(place, DocumentId(place))

    def _is_followed(self, place: str) -> bool:
        return self._layout.is_output(place) or self._layout.source_of(place) is not None

    def _take_place(self, place: str, path: str) -> None:
        if os.path.isdir(f"{self._root}/{place}"):  # noqa: PTH112
            self._take_folder(place)
        elif self._is_followed(place):
            self.found.documents[self._target(place)] = None
            if place not in self._by_file:
                self.found.files[place] = None
        else:
            self.found.untracked[path] = place

    def _take_folder(self, folder: str) -> None:
        """What is in a folder that was read, directly or in others, and whatever will be."""
        prefix = "" if folder == "." else f"{folder}/"
        if self._may_hold_documents(folder):
            self.found.collections[collection_id(f"{prefix}**")] = None
            self._take_files(_files(self._root, folder))

    def _take_pattern(self, pattern: str) -> bool:
        parts = pattern.split("/")
        fixed = next(index for index, part in enumerate(parts) if not _GLOB.isdisjoint(part))
        try:
            fits = glob_matcher(pattern)
        except Exception:  # noqa: BLE001 - wcmatch's own, of too many braces, is of no public type
            return False
        base = "/".join(parts[:fixed]) or "."
        if not self._may_hold_documents(base):
            return False
        matching = [each for each in _files(self._root, base) if fits(each)]
        self.found.collections[collection_id(pattern)] = None
        self._take_files(matching)
        return bool(matching)

    def _may_hold_documents(self, folder: str) -> bool:
        within = folder == "." or any(each.startswith(f"{folder}/") for each in self._layout.sources)
        return within or self._layout.source_of(folder) is not None

    def _take_files(self, files: Iterable[str]) -> None:
        for each in files:
            if self._target(each) not in self._known and self._layout.source_of(each) is not None:
                self.found.documents[self._target(each)] = None


def stray(paths: Iterable[str], rendering: Rendering) -> Listed:
    """Of paths in a document that name none of the project's documents: which are not there, or not followed."""
    found, root = Listed(), str(rendering.root)
    for path in paths:
        target = resolve(path, rendering.job.document)
        if target and os.path.exists(f"{root}/{target}"):  # noqa: PTH110
            found.untracked[path] = target
        elif "://" not in path and not os.path.exists(os.path.join(root, path)):  # noqa: PTH110, PTH118
            found.nowhere[path] = None
    return found


def likely(places: Iterable[str], root: str) -> list[str]:
    """Of places where nothing is, those where something may well come to be: in folders that are there, if any."""
    given = list(places)
    return [each for each in given if os.path.isdir(f"{root}/{posixpath.dirname(each)}")] or given  # noqa: PTH112


def _files(root: str, folder: str) -> list[str]:
    """The files in a folder and those in it, but hidden ones; of very many, some."""
    found: list[str] = []
    for above, folders, names in os.walk(root if folder == "." else f"{root}/{folder}"):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        inner = posixpath.relpath(above, root)
        prefix = "" if inner == "." else f"{inner}/"
        found += [f"{prefix}{name}" for name in sorted(names) if not name.startswith(".")]
        if len(found) > MOST_IN_FOLDER:
            break
    return found[:MOST_IN_FOLDER]


def _inside(path: str, root: str) -> str:
    """An absolute path as one of the project; one outside of it begins with `..`. A link may lead to the project."""
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
