"""Walks the source folders as they are now, and compares them with the stat cache. Reads no document."""

from __future__ import annotations

import os
import posixpath
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kahnd.core.model import DocumentId, Problem
from kahnd.core.rules import Layout, is_below
from kahnd.watch.file_hashing import is_missing, unreadable
from kahnd.watch.ignore import FolderRules, IgnoreRules, is_utf8, normal_path, with_ancestors
from kahnd.watch.tree.links import HardLinks, Links
from kahnd.watch.tree.stat_cache import StatCache


@dataclass(slots=True)
class Listing:
    """The documents directly in one folder ("" is the project), by name.

    `links` are all symbolic links, with the project path that each leads to (None: out of the project). Links to files
    are among the `files`, too. `problems` are those of single entries; `unreadable` tells why the folder itself can't
    be listed.
    """

    folder: str
    files: dict[str, os.stat_result] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    unreadable: Problem | None = None


@dataclass(slots=True)
class Differences:
    """The differences between the source folders and the stat cache.

    `suspects` are documents that may have changed, with the absolute path of the file to read.
    """

    suspects: dict[DocumentId, str] = field(default_factory=dict)
    unreadable: dict[DocumentId, Problem] = field(default_factory=dict)
    removed: set[DocumentId] = field(default_factory=set)


@dataclass(slots=True)
class _Pass(Differences):
    """Differences while they are being collected.

    `visited` are the listed folders. Every cached document below a `swept` path, in a folder that was not visited, is
    removed.
    """

    visited: set[str] = field(default_factory=set)
    swept: set[str] = field(default_factory=set)


class TreeWalk:
    """Lists the folders below the sources.

    A link to a file inside the project has that file's stat; `links` decides which links to folders are followed.
    """

    def __init__(self, links: Links, sources: Iterable[str], ignore: IgnoreRules, log: Callable[..., None]) -> None:
        self.links = links
        self.ignore = ignore
        self.sources = tuple(sources)
        self._log = log
        self._reported: set[str] = set()

    def everything(self) -> Iterator[Listing]:
        """Lists all folders below all sources."""
        self.reload_ignore_files()
        for source in self.sources:
            yield from self.subtree(source)

    def reload_ignore_files(self) -> None:
        """Reads the ignore files above the sources again; those below are read with their folders."""
        for source in self.sources:
            self.ignore.reload_above(source)

    def subtree(self, top: str) -> Iterator[Listing]:
        """Lists a folder and the folders below it, but no other sources there: these are walked on their own."""
        pending = [top]
        while pending:
            listing, folders = self._list(pending.pop())
            yield listing
            pending += [folder for folder in folders if folder not in self.sources]

    def stat(self, path: str) -> os.stat_result | None:
        """Returns the stat of a path, links not followed; None if it does not exist. Raises OSError."""
        try:
            return os.lstat(self.links.absolute(path))
        except OSError as error:
            if is_missing(error):
                return None
            raise

    def file_stat(self, path: str | None) -> os.stat_result | None:
        """Returns the stat of a regular file; None if there is none, or it can't be reached."""
        try:
            found = None if path is None else self.stat(path)
        except OSError:
            return None
        return found if found is not None and modes.S_ISREG(found.st_mode) else None

    def report_undecodable(self, paths: Iterable[str]) -> None:
        """Warns, once for each path, that a file whose name is not UTF-8 is no document."""
        for path in paths:
            if path not in self._reported and os.path.lexists(self.links.absolute(path)):
                self._reported.add(path)
                shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                self._log("document.unnamed", document=shown, error="its name is not UTF-8", remedy="rename it")

    def _list(self, folder: str) -> tuple[Listing, list[str]]:
        listing = Listing(folder)
        folders: list[str] = []
        try:
            with os.scandir(self.links.absolute(folder)) as entries:
                rules = self.ignore.reload(folder)
                for entry in entries:
                    self._add(entry, rules, listing, folders)
        except OSError as error:
            if not is_missing(error):
                listing.unreadable = unreadable(folder or ".", error)
        return listing, folders

    def _add(self, entry: os.DirEntry[str], rules: FolderRules, listing: Listing, folders: list[str]) -> None:
        name = entry.name
        if not is_utf8(name):
            self.report_undecodable([posixpath.join(listing.folder, name)])
            return
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.ignores(name, folder=is_folder):
            return
        path = f"{listing.folder}/{name}" if listing.folder else name
        if self.ignore.is_own(path):
            return
        if is_folder:
            folders.append(path)
        elif entry.is_file(follow_symlinks=False):
            _add_file(entry, path, listing)
        elif entry.is_symlink():
            self._add_link(name, path, listing, folders)

    def _add_link(self, name: str, path: str, listing: Listing, folders: list[str]) -> None:
        target = listing.links[name] = self.links.target(path)
        if (found := self.file_stat(target)) is not None:
            listing.files[name] = found
        elif self.links.follows(path):
            folders.append(path)


def _add_file(entry: os.DirEntry[str], path: str, listing: Listing) -> None:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError as error:
        if not is_missing(error):
            listing.problems[entry.name] = unreadable(path, error)
    else:
        if modes.S_ISREG(found.st_mode):
            listing.files[entry.name] = found


class Comparison:
    """Finds how the source folders differ from the stat cache. Keeps what it needs to know about links.

    `checkpoint` is called before each folder, and may end the comparison by raising.
    """

    def __init__(
        self, walk: TreeWalk, layout: Layout, cache: StatCache, hard_links: HardLinks, checkpoint: Callable[[], None]
    ) -> None:
        self._walk = walk
        self._links = walk.links
        self._ignore = walk.ignore
        self._layout = layout
        self._cache = cache
        self._hard_links = hard_links
        self._checkpoint = checkpoint
        self._link_targets: dict[DocumentId, str | None] = {}

    def everywhere(self) -> Differences:
        """Compares all sources."""
        found = _Pass()
        self._link_targets.clear()
        self._walk.reload_ignore_files()
        self._compare("", found)
        self._ignore.retain(found.visited)
        return self._completed(found)

    def at(self, paths: Iterable[str]) -> Differences:
        """Compares these paths and everything below them."""
        paths = frozenset(paths)
        found = _Pass()
        links_before = dict(self._link_targets)
        self._walk.report_undecodable(path for path in paths if not is_utf8(path))
        for path in sorted(self._affected(filter(is_utf8, paths))):
            self._compare(path, found)
        if self._link_targets != links_before:  # other links that lead through these may have changed with them
            for link in [*self._link_targets]:
                self._compare(link, found)
        return self._completed(found)

    def _affected(self, paths: Iterable[str]) -> set[str]:
        """Returns the names by which the paths are known, and every link that leads to or through one of them."""
        normal = {normal_path(path) for path in paths}
        known = {name for path in normal if (name := self._links.canonical(path)) is not None}
        known |= {former for path in normal for former in self._former_names(path)}
        links = self._link_targets.items()
        return known | {link for link, target in links if not known.isdisjoint(_depends_on(link, target))}

    def _former_names(self, path: str) -> Iterator[str]:
        """Yields where the path led before a link in it changed: an event can name a file by a link that is gone."""
        for folder in with_ancestors(posixpath.dirname(path)):
            if (target := self._link_targets.get(DocumentId(folder))) is not None:
                yield posixpath.join(target, path[len(folder) + 1 :])

    def _compare(self, path: str, found: _Pass) -> None:
        """Compares a path, if it is in a source, and every source below it."""
        if self._layout.source_of(path) is not None:
            self._compare_path(path, found)
        else:
            found.swept.add(path)
        for source in self._walk.sources:
            if source != path and is_below(source, path or "."):
                self._compare_path(source, found)

    def _compare_path(self, path: str, found: _Pass) -> None:
        document = DocumentId(path)
        try:
            is_folder = self._compare_by_type(document, found)
        except OSError as error:
            found.unreadable[document] = unreadable(path, error)
            return
        entry = self._cache.get(path)
        if is_folder or entry is None:
            found.swept.add(path)
        if entry is not None and document not in found.suspects:
            found.removed.add(document)

    def _compare_by_type(self, document: DocumentId, found: _Pass) -> bool:
        """Compares a file, folder or link, and returns whether it is a folder. Raises OSError if that is unknown."""
        is_canonical = self._links.canonical(document) == document
        stat = self._walk.stat(document) if is_canonical else None
        is_folder = stat is not None and modes.S_ISDIR(stat.st_mode)
        self._link_targets.pop(document, None)
        if stat is None or self._is_ignored(document, folder=is_folder):
            return is_folder
        is_link = modes.S_ISLNK(stat.st_mode)
        if is_link:
            self._link_targets[document] = self._links.target(document)
            is_folder = self._links.follows(document)
        if is_folder and document not in found.visited:
            self._compare_folders(document, found)
        elif modes.S_ISREG(stat.st_mode):
            found.suspects[document] = file = self._links.absolute(document)
            self._hard_links.note(document, file, stat)
        elif is_link:
            self._compare_link(document, found)
        return is_folder

    def _compare_link(self, document: DocumentId, found: _Pass) -> None:
        target = self._link_targets[document]
        if target is not None and self._walk.file_stat(target) is not None:
            found.suspects[document] = self._links.absolute(target)
        elif document in self._walk.sources and self._links.resolve(document) is None:
            remedy = "name a folder that is in the project"
            found.unreadable[document] = Problem("the source folder leads out of the project", document, remedy=remedy)

    def _is_ignored(self, path: str, *, folder: bool) -> bool:
        if path in self._walk.sources:
            return False
        return self._ignore.excludes(path) or self._ignore.ignores(path, folder=folder)

    def _compare_folders(self, top: str, found: _Pass) -> None:
        for listing in self._walk.subtree(top):
            self._checkpoint()
            found.visited.add(listing.folder)
            if listing.unreadable is None:
                self._compare_listing(listing, found)
            else:
                found.unreadable[DocumentId(listing.folder or ".")] = listing.unreadable

    def _compare_listing(self, listing: Listing, found: _Pass) -> None:
        cached = self._cache.entries_in(listing.folder)
        prefix = f"{listing.folder}/" if listing.folder else ""
        for name, stat in listing.files.items():
            entry = cached.get(name)
            is_suspect = entry is None or not entry.is_proven_by(stat)
            if not is_suspect and stat.st_nlink == 1:
                continue
            document = DocumentId(prefix + name)
            file = self._links.absolute(listing.links.get(name) or document)
            if is_suspect:
                found.suspects[document] = file
            if stat.st_nlink > 1:
                self._hard_links.note(document, file, stat)
        self._link_targets.update({DocumentId(prefix + name): target for name, target in listing.links.items()})
        found.unreadable.update({DocumentId(prefix + name): problem for name, problem in listing.problems.items()})
        found.removed.update(DocumentId(prefix + name) for name in cached if name not in listing.files)

    def _completed(self, found: _Pass) -> Differences:
        """Adds what follows for cached documents below folders that are unreadable or no longer there."""
        problems = found.unreadable.items()
        below = {known: problem for path, problem in problems for known in self._cache.documents_below(path)}
        unreadable = below | found.unreadable
        removed = (found.removed | self._unvisited(found)) - unreadable.keys() - found.suspects.keys()
        return Differences(found.suspects, unreadable, removed)

    def _unvisited(self, found: _Pass) -> set[DocumentId]:
        """Returns every cached document below a swept path in a folder that was not visited."""
        if not found.swept:
            return set()
        folders = [
            folder
            for folder in self._cache.folders()
            if folder not in found.visited and not found.swept.isdisjoint(with_ancestors(folder))
        ]
        return {
            DocumentId(posixpath.join(folder, name)) for folder in folders for name in self._cache.entries_in(folder)
        }


def _depends_on(link: str, target: str | None) -> Iterator[str]:
    """Yields all paths whose change can change where a link leads."""
    yield from with_ancestors(link)
    yield from with_ancestors(target or "")
