"""Decides which paths are documents: none named like editors' files, kahnd's own, or ignored by git or the config.

Decided folder by folder, from a source downwards, so that an ignored folder is skipped with everything in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.rules import Layout, is_below
from kahnd.watch.file_hashing import is_passing, read_file
from kahnd.watch.git import GITIGNORE, MAX_PATTERNS, Patterns, outer_ignore_files

MAX_BYTES: Final = 1 << 20
"""No more of an ignore file is read."""
_NEVER: Final = re.compile(
    r"""
      .*~ | \.\#.* | \#.*\# | 4913                    # Emacs and Vim: backups, locks, auto-saves, Vim's probe
    | .*\.sw[opx]                                     # Vim: swap files
    | .*___jb_(?:tmp|old)___                          # JetBrains: safe write
    | \.goutputstream-.*                              # GNOME: atomic save
    | sed(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6}             # sed -i: six random characters, hardly ever all lower case
    | \.~lock\..*\#                                   # LibreOffice
    | ~\$.* | ~WR[A-Z]\d+\.tmp                        # Microsoft Office: locks, saves
    | \..*\.kate-swp                                  # Kate
    | \.DS_Store | \._.*                              # macOS, and what it leaves on other file systems
    | \.git | \.hg | \.svn | \.kahnd
    """,
    re.VERBOSE | re.DOTALL,
)


def is_never_document(name: str) -> bool:
    """Returns whether no document may have this name, because editors, version control or kahnd use it."""
    return _NEVER.fullmatch(name) is not None or not is_utf8(name)


def is_utf8(name: str) -> bool:
    """Returns whether a name from the file system is UTF-8. Others must never be opened: they would end the watcher."""
    return name.isascii() or not any("\udc80" <= character <= "\udcff" for character in name)


def normal_path(path: str) -> str:
    """Returns a project path in normal form; the project itself is ""."""
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def with_ancestors(folder: str) -> Iterator[str]:
    """Yields a folder, each folder above it, and the project ("")."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


class FolderRules:
    """The rules for the names directly in one folder; remembers each answer.

    `own` is the text of the folder's `.gitignore`. `outer` has, for the project's folder, the prefix and the text of
    each ignore file outside of it, the nearest first. `is_cut` tells whether the folder's file is too long, or has
    too many patterns.
    """

    def __init__(
        self,
        folder: str,
        own: bytes,
        parent: FolderRules | None,
        configured: Patterns,
        outer: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        self.own = own
        self.parent = parent
        self.outer = outer
        self._prefix = f"{folder}/" if folder else ""
        patterns = Patterns(folder, _lines(own))
        self.is_cut = patterns.is_cut or len(own) > MAX_BYTES
        outside = (Patterns("", _lines(content), prefix) for prefix, content in outer)
        inherited = parent.nearest_first if parent else tuple(filter(None, outside))
        self.nearest_first: tuple[Patterns, ...] = (patterns, *inherited) if patterns else inherited
        self._in_order = (configured, *self.nearest_first) if configured else self.nearest_first
        self._answers: dict[str, bool] = {}

    def ignores(self, name: str, *, folder: bool) -> bool:
        """Returns whether the file or folder of this name, directly in this folder, is ignored."""
        key = f"{name}/" if folder else name
        if (answer := self._answers.get(key)) is None:
            answer = self._answers[key] = self._decide(name, folder=folder)
        return answer

    def _decide(self, name: str, *, folder: bool) -> bool:
        if is_never_document(name) or (name == GITIGNORE and not folder):
            return True
        path = self._prefix + name
        for patterns in self._in_order:
            if (is_ignored := patterns.match(path, folder=folder)) is not None:
                return is_ignored
        return False


class IgnoreRules:
    """The project's ignore rules: the config's patterns first, then the `.gitignore` files from the nearest one up.

    In a git repository that begins above the project, these go up to its root, followed by its `info/exclude`. A source
    folder is never ignored itself, since the config names it. `log` writes a log line.
    """

    def __init__(
        self,
        root: str,
        layout: Layout,
        patterns: Iterable[str],
        log: Callable[..., None] = lambda _event, **_fields: None,
    ) -> None:
        self._root = root
        self._log = log
        self._layout = layout
        self._configured = Patterns("", patterns)
        self._outer_files = outer_ignore_files(root)
        self._folders: dict[str, FolderRules] = {}
        self._contents: dict[str, bytes] = {}
        self._unread: set[str] = set()
        self._reported: set[str] = set()

    @property
    def is_incomplete(self) -> bool:
        """True if a file of patterns could not be read for lack of resources, so that everything must be rechecked."""
        return bool(self._unread)

    def folder_rules(self, folder: str) -> FolderRules:
        """Returns a folder's rules as last read ("" is the project)."""
        return self._folders.get(folder) or self.reload(folder)

    def reload(self, folder: str) -> FolderRules:
        """Reads a folder's `.gitignore` again and returns its rules: the same object if nothing changed."""
        parent = self.folder_rules(posixpath.dirname(folder)) if folder else None
        own = self._read(self._gitignore(folder))
        outer = () if folder else tuple((file.prefix, self._read(file.path)) for file in self._outer_files)
        rules = self._folders.get(folder)
        if rules is None or rules.own != own or rules.parent is not parent or rules.outer != outer:
            if rules is None or rules.own != own:
                self._reported.discard(folder)
            rules = self._folders[folder] = FolderRules(folder, own, parent, self._configured, outer)
            self._report_cut(folder, rules)
        return rules

    def reload_above(self, folder: str) -> None:
        """Reads the `.gitignore` files of all folders above this one again."""
        for above in reversed([*with_ancestors(posixpath.dirname(folder))]):
            self.reload(above)

    def retain(self, folders: Iterable[str]) -> None:
        """Forgets the rules of all folders but these and those above them."""
        kept = {above for folder in folders for above in with_ancestors(folder)}
        self._folders = {folder: rules for folder, rules in self._folders.items() if folder in kept}
        files = {self._gitignore(folder) for folder in kept}.union(file.path for file in self._outer_files)
        self._contents = {file: content for file, content in self._contents.items() if file in files}
        self._unread &= files

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Returns whether this path is ignored by its own name; the folders above it are not checked."""
        if self.is_own(path):
            return True
        above, name = posixpath.split(path)
        return self.folder_rules(above).ignores(name, folder=folder)

    def is_own(self, path: str) -> bool:
        """Returns whether this path is the output folder or the config file."""
        return path in {self._layout.output, CONFIG_FILE}

    def excludes(self, path: str) -> bool:
        """Returns whether this path is outside all sources, or a folder between it and its source is ignored."""
        source = self._layout.source_of(path)
        return source is None or any(self.ignores(folder, folder=True) for folder in _between(source, path))

    def _report_cut(self, folder: str, rules: FolderRules) -> None:
        """Warns of too many patterns or bytes, once for each version of the file."""
        if rules.is_cut and folder not in self._reported:
            self._reported.add(folder)
            limit = f"{MAX_PATTERNS:,} patterns" if len(rules.own) <= MAX_BYTES else f"{MAX_BYTES >> 20} MiB"
            error = f"has more than {limit}; those after are passed over"
            file = posixpath.join(folder, GITIGNORE)
            self._log("ignore.cut", document=file, error=error, remedy="ignore whole folders instead")

    def _gitignore(self, folder: str) -> str:
        return posixpath.join(self._root, folder, GITIGNORE)

    def _read(self, file: str) -> bytes:
        """Reads a file of patterns; empty if there is none. Keeps the last text if resources are short."""
        try:
            content = read_file(file, MAX_BYTES + 1) or b""
        except OSError as error:
            if is_passing(error):
                self._unread.add(file)
                return self._contents.get(file, b"")
            content = b""  # unreadable: git, too, continues without it
        self._unread.discard(file)
        if content:
            self._contents[file] = content
        else:
            self._contents.pop(file, None)
        return content


def _between(source: str, path: str) -> list[str]:
    """Returns the folders below the source and above the path, from the top."""
    above = [*with_ancestors(posixpath.dirname(path))]
    return [folder for folder in reversed(above) if folder not in {"", source} and is_below(folder, source)]


def _lines(content: bytes) -> list[str]:
    if len(content) > MAX_BYTES:
        content = content[: content.rfind(b"\n", 0, MAX_BYTES) + 1]
    return content.decode("utf-8-sig", "surrogateescape").splitlines()
