"""Which paths can be documents: names that never are, the project's own files, `.gitignore` and the config's patterns.

Decided folder by folder, from a source downwards, so that whole ignored folders are left out at their top.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from kahnd.core.globs import LONGEST_PATTERN
from kahnd.core.rules import Layout, is_below
from kahnd.watch.git import GITIGNORE, IgnoreFile, ignore_files_around
from kahnd.watch.hashing import is_passing, read_file

if TYPE_CHECKING:
    import re2

CONFIG_FILE: Final = "kahnd.toml"
OWN_FOLDER: Final = ".kahnd"

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


_STARS: Final = re.compile(r"\*+")
MOST_STARS: Final = 2
"""So many in one pattern take at most the square of a path's length."""
MOST_PATTERNS: Final = 5_000
"""Of one file; those after these count for nothing."""
_BRACKETS: Final = re.compile(r"\\.|\[(?P<negated>[!^]?)(?P<inner>\]?(?:\[:[a-z]+:\]|[^\]])*)\]", re.DOTALL)
_SLASH: Final = "\ufdd0"
"""Stands for a slash in brackets, at which pathspec would split the pattern."""
_CLASS: Final = re.compile(r"\[:([a-z]+):\]")
_CLASSES: Final = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "blank": " \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": ":-@[-`{-~!-.",
    "space": " \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_Regex: TypeAlias = "re.Pattern[str] | re2._Regexp"  # noqa: SLF001 - it has no public name
"""An `re.Pattern`, or RE2's, which has the same methods."""


def never_document(name: str) -> bool:
    """Whether a file or folder of this name is no document anywhere: an editor's, version control's, kahnd's own."""
    return _NEVER.fullmatch(name) is not None or not is_utf8(name)


def is_utf8(name: str) -> bool:
    """Whether a name from the file system is UTF-8; one that is not must never be opened: it would end the watcher."""
    return name.isascii() or not any("\udc80" <= each <= "\udcff" for each in name)


class Patterns:
    """One list of `.gitignore` patterns and the folder it counts from.

    `prefix`: where that is above the project, the way from there to the project. `is_cut`: some were too many.
    """

    def __init__(self, folder: str, lines: Iterable[str], prefix: str = "") -> None:
        self._start = len(folder) + 1 if folder else 0
        self._prefix = prefix
        compiled = _compiled(lines)
        self._patterns = tuple(islice(compiled, MOST_PATTERNS))[::-1]
        self.is_cut = next(compiled, None) is not None
        simple = [regex for _, regex in self._patterns if isinstance(regex, re.Pattern)]
        self._any = re.compile("|".join(map(_ungrouped, simple)) or r"(?!)").search
        self._linear = [regex.search for _, regex in self._patterns if not isinstance(regex, re.Pattern)]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Whether this very path is ignored; None where no pattern fits. The last that fits counts."""
        inner = self._prefix + path[self._start :]
        whole = f"{inner}/" if folder else inner
        if not self._any(whole) and not any(search(whole) for search in self._linear):
            return None
        return next((ignored for ignored, regex in self._patterns if _fits(regex, inner, folder=folder)), None)


def _compiled(lines: Iterable[str]) -> Iterator[tuple[bool, _Regex]]:
    for line in lines:
        try:
            is_short = len(line) <= LONGEST_PATTERN  # the search takes the square of a line's length
            pattern = GitIgnoreSpecPattern(_BRACKETS.sub(_written_out, line) if is_short else line)
        except (GitIgnorePatternError, re.error, ValueError):
            continue  # git, too, passes over a line it can't read
        if pattern.include is not None and pattern.regex is not None:
            found = pattern.regex
            if _SLASH in found.pattern:
                found = re.compile(found.pattern.replace(_SLASH, "/"))
            regex = found if len(_STARS.findall(line)) <= MOST_STARS else _linear(found)
            if regex is not None:
                yield pattern.include, regex


def _written_out(bracket: re.Match[str]) -> str:
    """`[[:digit:]]` as `[0-9]`, and no slash for `[!a]`, which pathspec leaves undone."""
    if (inner := bracket["inner"]) is None:
        return bracket[0]
    named = _CLASS.sub(lambda each: _CLASSES.get(each[1], each[0]), inner)
    return f"[{bracket['negated']}{named}{_SLASH if bracket['negated'] else ''}]"


def _linear(regex: re.Pattern[str]) -> _Regex | None:
    """The expression by an engine that never backtracks; None for one that it can't hold, and so no name matches."""
    import re2  # noqa: PLC0415 - hardly any pattern needs it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?s){regex.pattern}", options)
    except (re2.error, UnicodeEncodeError):
        return None


def _ungrouped(regex: re.Pattern[str]) -> str:
    """The expression with nothing captured, so that many can be tried as one."""
    return f"(?:{re.sub(r'[(][?]P<[^>]+>', '(?:', regex.pattern)})"


def _fits(regex: _Regex, path: str, *, folder: bool) -> bool:
    """Whether the pattern means this very path.

    The one group in pathspec's expression is the slash after a matched folder: if that is not the path's last, a
    folder further up was meant, which was judged on the way down.
    """
    if not regex.groups:
        return regex.search(path) is not None
    path = f"{path}/" if folder else path
    last = None
    for last in regex.finditer(path):  # noqa: B007  the last match is the deepest
        pass
    return last is not None and last.start(1) in {-1, len(path) - 1}


Around = tuple[tuple[str, bytes], ...]
"""The ignore files outside the project, the nearest first: the way from each one's folder to the project, its text."""


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8-sig", "surrogateescape").splitlines()


class FolderRules:
    """What is ignored directly in one folder; remembers each answer. `is_cut`: its own file has too many patterns."""

    def __init__(
        self, folder: str, own: bytes, above: FolderRules | None, first: Patterns, around: Around = ()
    ) -> None:
        self.own = own
        self.above = above
        self.around = around
        self._prefix = f"{folder}/" if folder else ""
        patterns = Patterns(folder, _lines(own))
        self.is_cut = patterns.is_cut
        outside = (Patterns("", _lines(content), prefix) for prefix, content in around)
        inherited = above.nearest_first if above else tuple(filter(None, outside))
        self.nearest_first: tuple[Patterns, ...] = (patterns, *inherited) if patterns else inherited
        self._asked = (first, *self.nearest_first) if first else self.nearest_first
        self._answers: dict[str, bool] = {}

    def ignores(self, name: str, *, folder: bool) -> bool:
        """Whether the file or folder of this name, directly in here, is ignored."""
        key = f"{name}/" if folder else name
        if (answer := self._answers.get(key)) is None:
            answer = self._answers[key] = self._judge(name, folder=folder)
        return answer

    def _judge(self, name: str, *, folder: bool) -> bool:
        if never_document(name) or (name == GITIGNORE and not folder):
            return True
        path = self._prefix + name
        for each in self._asked:
            if (verdict := each.verdict(path, folder=folder)) is not None:
                return verdict
        return False


class Ignore:
    """The project's ignore rules: the config's patterns first, then the `.gitignore` files from the nearest up.

    In a git repository that begins above the project, up to its root; then its `info/exclude`. A source folder is
    looked into even where a pattern would ignore it: it was named. `say` writes a log line.
    """

    def __init__(
        self,
        root: str,
        layout: Layout,
        patterns: Iterable[str],
        say: Callable[..., None] = lambda _event, **_fields: None,
    ) -> None:
        self._root = root
        self._say = say
        self._layout = layout
        self._configured = Patterns("", patterns)
        self._around: tuple[IgnoreFile, ...] = ignore_files_around(root)
        self._folders: dict[str, FolderRules] = {}
        self._contents: dict[str, bytes] = {}
        self._unread: set[str] = set()
        self._said: set[str] = set()

    @property
    def is_unsure(self) -> bool:
        """Whether a `.gitignore` could not be read for the machine's sake: everything is to be looked at again."""
        return bool(self._unread)

    def rules(self, folder: str) -> FolderRules:
        """A folder's rules as last read ("" is the project)."""
        return self._folders.get(folder) or self.reread(folder)

    def reread(self, folder: str) -> FolderRules:
        """A folder's rules after reading its `.gitignore` again; the same object if nothing changed."""
        above = self.rules(posixpath.dirname(folder)) if folder else None
        own = self._read(self._gitignore(folder))
        around = () if folder else tuple((each.prefix, self._read(each.path)) for each in self._around)
        known = self._folders.get(folder)
        if known is None or known.own != own or known.above is not above or known.around != around:
            if known is None or known.own != own:
                self._said.discard(folder)
            known = self._folders[folder] = FolderRules(folder, own, above, self._configured, around)
            self._tell_cut(folder, known)
        return known

    def _tell_cut(self, folder: str, rules: FolderRules) -> None:
        """Say, once for each text of the file, that it has too many patterns."""
        if rules.is_cut and folder not in self._said:
            self._said.add(folder)
            error = f"has more than {MOST_PATTERNS:,} patterns; those after are passed over"
            file = posixpath.join(folder, GITIGNORE)
            self._say("ignore.cut", document=file, error=error, remedy="ignore whole folders instead")

    def reread_above(self, folder: str) -> None:
        """Read the `.gitignore` files of all folders above this one again."""
        for above in reversed([*upwards(posixpath.dirname(folder))]):
            self.reread(above)

    def _gitignore(self, folder: str) -> str:
        return posixpath.join(self._root, folder, GITIGNORE)

    def _read(self, file: str) -> bytes:
        """A file of patterns; empty where there is none. What can't be read for the machine's sake is as it was."""
        try:
            content = read_file(file) or b""
        except OSError as error:
            if is_passing(error):
                self._unread.add(file)
                return self._contents.get(file, b"")
            content = b""  # unreadable: git goes on without it as well
        self._unread.discard(file)
        if content:
            self._contents[file] = content
        else:
            self._contents.pop(file, None)
        return content

    def keep_only(self, folders: Iterable[str]) -> None:
        """Forget the rules of all folders but these and those above them."""
        kept = {above for folder in folders for above in upwards(folder)}
        self._folders = {folder: rules for folder, rules in self._folders.items() if folder in kept}
        files = {self._gitignore(folder) for folder in kept}.union(each.path for each in self._around)
        self._contents = {file: content for file, content in self._contents.items() if file in files}
        self._unread &= files

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether this path is ignored by its own name, the folders above it apart."""
        if self.is_own(path):
            return True
        above, name = posixpath.split(path)
        return self.rules(above).ignores(name, folder=folder)

    def is_own(self, path: str) -> bool:
        """Whether kahnd itself made or reads this path: the output folder, or the config."""
        return path in {self._layout.output, CONFIG_FILE}

    def excludes(self, path: str) -> bool:
        """Whether this path is outside all sources, or ignored together with a folder between it and its source."""
        source = self._layout.source_of(path)
        return source is None or any(self.ignores(each, folder=True) for each in _between(source, path))


def _between(source: str, path: str) -> list[str]:
    """The folders below the source and above the path, from the top."""
    above = [*upwards(posixpath.dirname(path))]
    return [each for each in reversed(above) if each not in {"", source} and is_below(each, source)]


def upwards(folder: str) -> Iterator[str]:
    """The folder, those above it, and the project ("")."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""
