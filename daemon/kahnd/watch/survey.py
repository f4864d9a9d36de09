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

    Links to files inside the project are read through; links to folders are not followed, and links out of the
    project or into what kahnd itself makes are no documents.
    """

    def __init__(self, root: str, sources: Iterable[str], ignore: Ignore, say: Callable[..., None]) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._ignore = ignore
        self._sources = frozenset(sources)
        self._say = say
        self._unnamed: set[str] = set()

    def full(self, path: str) -> str:
        """A project path as the operating system takes it."""
        return posixpath.join(self._root, path)

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
            return os.lstat(self.full(path))
        except OSError as error:
            if is_missing(error):
                return None
            raise

    def unlinked(self, path: str) -> str | None:
        """The path without symbolic links among the folders above it; None if it then leads out of the project."""
        above, name = posixpath.split(path)
        return self._inside(posixpath.join(os.path.realpath(self.full(above)), name))

    def target(self, link: str) -> str | None:
        """The project path a link leads to, there or not; None out of the project and into what kahnd itself makes."""
        inner = self._inside(os.path.realpath(self.full(link)))
        return None if inner is None or not is_utf8(inner) or self._ignore.is_derived(inner) else inner

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
            if path not in self._unnamed and os.path.lexists(self.full(path)):
                self._unnamed.add(path)
                shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                self._say("document.unnamed", document=shown, error="its name is not UTF-8", remedy="rename it")

    def _inside(self, real: str) -> str | None:
        prefix = self._real_root.rstrip("/") + "/"
        return real[len(prefix) :] if real.startswith(prefix) else "" if real == self._real_root else None

    def _list(self, folder: str) -> tuple[Listing, list[str]]:
        listing = Listing(folder)
        folders: list[str] = []
        try:
            with os.scandir(self.full(folder)) as entries:
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
            self._take_link(name, path, listing)

    def _take_file(self, entry: os.DirEntry[str], path: str, listing: Listing) -> None:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            if not is_missing(error):
                listing.problems[entry.name] = unreadable(path, error)
        else:
            if modes.S_ISREG(found.st_mode):
                listing.files[entry.name] = found

    def _take_link(self, name: str, path: str, listing: Listing) -> None:
        target = listing.links[name] = self.target(path)
        if (found := self.file(target)) is not None:
            listing.files[name] = found
