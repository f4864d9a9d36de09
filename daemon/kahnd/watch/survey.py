"""What stands in the source folders right now: listings of folders with a stat of every document, nothing read."""

from __future__ import annotations

import os
import posixpath
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from kahnd.core.model import Problem
from kahnd.watch.hashing import is_missing, unreadable
from kahnd.watch.ignore import FolderRules, Ignore, is_utf8
from kahnd.watch.links import Links


@dataclass(slots=True)
class Listing:
    """The documents directly in one folder ("" is the project), by name.

    `links` are all symbolic links with the project path each leads to (None: out of the project), those that
    stand for a file being among the `files`; `problems` what can't be looked at, and for the folder itself
    `denied`: why it can't be listed.
    """

    folder: str
    files: dict[str, os.stat_result] = field(default_factory=dict)
    links: dict[str, str | None] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    denied: Problem | None = None


class Survey:
    """Looks at folders and files below the sources.

    Links to files inside the project are read through; those to folders are followed as `links` says.
    """

    def __init__(self, links: Links, sources: Iterable[str], ignore: Ignore, say: Callable[..., None]) -> None:
        self._links = links
        self._ignore = ignore
        self._sources = frozenset(sources)
        self._say = say
        self._unnamed: set[str] = set()

    def subtree(self, top: str) -> Iterator[Listing]:
        """A folder and the folders below it. Other sources below are left out: they are looked at on their own."""
        pending = [top]
        while pending:
            listing, folders = self._list(pending.pop())
            yield listing
            pending += [folder for folder in folders if folder not in self._sources]

    def stat(self, path: str) -> os.stat_result | None:
        """What stands at a path, links not followed; None if nothing does. Raises OSError where it can't be told."""
        try:
            return os.lstat(self._links.full(path))
        except OSError as error:
            if is_missing(error):
                return None
            raise

    def file(self, path: str | None) -> os.stat_result | None:
        """The stat of a regular file, if one stands there within reach."""
        try:
            found = None if path is None else self.stat(path)
        except OSError:
            return None
        return found if found is not None and modes.S_ISREG(found.st_mode) else None

    def tell_unnamed(self, paths: Iterable[str]) -> None:
        """Say, once of each, that what has such a name (one that is not UTF-8) is no document."""
        for path in paths:
            if path not in self._unnamed and os.path.lexists(self._links.full(path)):
                self._unnamed.add(path)
                shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                self._say("document.unnamed", document=shown, error="its name is not UTF-8", remedy="rename it")

    def _list(self, folder: str) -> tuple[Listing, list[str]]:
        listing = Listing(folder)
        folders: list[str] = []
        try:
            with os.scandir(self._links.full(folder)) as entries:
                rules = self._ignore.reread(folder)
                for entry in entries:
                    self._take(entry, rules, listing, folders)
        except OSError as error:
            if not is_missing(error):
                listing.denied = unreadable(folder or ".", error)
        return listing, folders

    def _take(self, entry: os.DirEntry[str], rules: FolderRules, listing: Listing, folders: list[str]) -> None:
        name = entry.name
        if not is_utf8(name):
            self.tell_unnamed([posixpath.join(listing.folder, name)])
            return
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.ignores(name, folder=is_folder):
            return
        path = f"{listing.folder}/{name}" if listing.folder else name
        if self._ignore.is_own(path):
            return
        if is_folder:
            folders.append(path)
        elif entry.is_file(follow_symlinks=False):
            self._take_file(entry, path, listing)
        elif entry.is_symlink():
            self._take_link(name, path, listing, folders)

    def _take_file(self, entry: os.DirEntry[str], path: str, listing: Listing) -> None:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            if not is_missing(error):
                listing.problems[entry.name] = unreadable(path, error)
        else:
            if modes.S_ISREG(found.st_mode):
                listing.files[entry.name] = found

    def _take_link(self, name: str, path: str, listing: Listing, folders: list[str]) -> None:
        target = listing.links[name] = self._links.target(path)
        if (found := self.file(target)) is not None:
            listing.files[name] = found
        elif self._links.follows(path):
            folders.append(path)
