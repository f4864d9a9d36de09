"""Uses of git: its pattern language, the ignore files around a project, and the repository's lock."""

from __future__ import annotations

import os
import posixpath
import re
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from kahnd.core.globs import LONGEST_PATTERN
from kahnd.watch.file_hashing import read_file

if TYPE_CHECKING:
    import re2

GITIGNORE: Final = ".gitignore"
MAX_LOCK_AGE_S: Final = 5.0
"""An older lock was left behind by a git that died, or is not worth waiting for."""
MAX_PATTERNS: Final = 5_000
"""Patterns of one file; those after these are skipped, and so are longer ones than LONGEST_PATTERN."""
_MAX_STARS: Final = 2
"""A pattern with more wildcards could take more than quadratic time in a path's length when it backtracks."""
_STARS: Final = re.compile(r"\*+")
_BRACKETS: Final = re.compile(r"\\.|\[(?P<negated>[!^]?)(?P<inner>\]?(?:\[:[a-z]+:\]|[^\]])*)\]", re.DOTALL)
_SLASH: Final = "\ufdd0"
"""Replaces a slash in brackets, at which pathspec would split the pattern."""
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
"""Python's compiled expression, or RE2's, which has the same methods."""


class Patterns:
    """The patterns of one `.gitignore` file, which are relative to its folder.

    If that folder is above the project, `prefix` is the path from there to the project. `is_cut` tells whether there
    were too many patterns.
    """

    def __init__(self, folder: str, lines: Iterable[str], prefix: str = "") -> None:
        self._start = len(folder) + 1 if folder else 0
        self._prefix = prefix
        compiled = _compiled(lines)
        self._patterns = tuple(islice(compiled, MAX_PATTERNS))[::-1]
        self.is_cut = next(compiled, None) is not None
        simple = [regex for _, regex in self._patterns if isinstance(regex, re.Pattern)]
        self._any = re.compile("|".join(map(_without_groups, simple)) or r"(?!)").search
        self._linear = [regex.search for _, regex in self._patterns if not isinstance(regex, re.Pattern)]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, path: str, *, folder: bool) -> bool | None:
        """Returns whether the last pattern that matches ignores this path (not one above it); None if none matches."""
        relative = self._prefix + path[self._start :]
        subject = f"{relative}/" if folder else relative
        if not self._any(subject) and not any(search(subject) for search in self._linear):
            return None
        return next((ignored for ignored, regex in self._patterns if _matches(regex, relative, folder=folder)), None)


def _compiled(lines: Iterable[str]) -> Iterator[tuple[bool, _Regex]]:
    for line in lines:
        try:
            if len(line) > LONGEST_PATTERN or line.startswith("#"):
                continue
            pattern = GitIgnoreSpecPattern(_with_rewritten_brackets(line))
        except (GitIgnorePatternError, re.error, ValueError):
            continue  # git skips invalid lines, too
        if pattern.include is not None and pattern.regex is not None:
            regex = pattern.regex
            if _SLASH in regex.pattern:
                regex = re.compile(regex.pattern.replace(_SLASH, "/"))
            safe = regex if len(_STARS.findall(line)) <= _MAX_STARS else _linear(regex)
            if safe is not None:
                yield pattern.include, safe


def _with_rewritten_brackets(line: str) -> str:
    """Rewrites all brackets. None begins after the last `]`, where each `[` would be searched for its end in vain."""
    before, end, rest = line.rpartition("]")
    return f"{_BRACKETS.sub(_rewritten, before + end)}{rest}"


def _rewritten(bracket: re.Match[str]) -> str:
    """Turns `[[:digit:]]` into `[0-9]` and excludes the slash from `[!a]`: pathspec does neither."""
    if (inner := bracket["inner"]) is None:
        return bracket[0]
    named = _CLASS.sub(lambda name: _CLASSES.get(name[1], name[0]), inner)
    return f"[{bracket['negated']}{named}{_SLASH if bracket['negated'] else ''}]"


def _linear(regex: re.Pattern[str]) -> _Regex | None:
    """Compiles the expression with RE2, which never backtracks; None if it is too large: then it matches nothing."""
    import re2  # noqa: PLC0415 - hardly any pattern needs it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?s){regex.pattern}", options)
    except (re2.error, UnicodeEncodeError):
        return None


def _without_groups(regex: re.Pattern[str]) -> str:
    """Returns the expression without capturing groups, so that many can be joined into one."""
    return f"(?:{re.sub(r'[(][?]P<[^>]+>', '(?:', regex.pattern)})"


def _matches(regex: _Regex, path: str, *, folder: bool) -> bool:
    """Returns whether the pattern matches this path itself, and not only a folder above it.

    The one group in pathspec's expression is the slash after a matched folder. If that is not the path's last
    character, a folder further up matched; that folder was checked on the way down.
    """
    if not regex.groups:
        return regex.search(path) is not None
    path = f"{path}/" if folder else path
    last = None
    for last in regex.finditer(path):  # noqa: B007  the last match is the deepest
        pass
    return last is not None and last.start(1) in {-1, len(path) - 1}


class OuterIgnoreFile(NamedTuple):
    """A file of patterns outside the project. `prefix` leads from the folder they are relative to, to the project."""

    path: str
    prefix: str


def outer_ignore_files(project: str) -> tuple[OuterIgnoreFile, ...]:
    """Returns the ignore files of the repository around a project, the nearest first; none without a repository.

    These are the `.gitignore` files of the folders above the project, up to the repository's root, and its
    `info/exclude`. The user's own `core.excludesFile` is left out: with it, the same project would have other documents
    on another machine.
    """
    folders = [Path(project), *Path(project).parents]
    root = next((folder for folder in folders if os.path.lexists(folder / ".git")), None)
    if root is None:
        return ()
    above = folders[1 : folders.index(root) + 1]
    files = [OuterIgnoreFile(str(folder / GITIGNORE), _prefix(project, folder)) for folder in above]
    try:
        exclude = shared_git_folder(git_folder(root / ".git")) / "info" / "exclude"
    except OSError:
        return tuple(files)
    return (*files, OuterIgnoreFile(str(exclude), _prefix(project, root)))


def repository_of(folder: Path) -> Path | None:
    """Returns the `.git` of the repository that a folder is in; None if it is in none."""
    return next((each / ".git" for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def git_folder(git: Path) -> Path:
    """Resolves a `.git`, which in a worktree is a file that names the folder. Raises OSError."""
    if git.is_dir():
        return git
    return git.parent / first_line(git).removeprefix("gitdir:").strip()


def shared_git_folder(git: Path) -> Path:
    """Returns the folder that a worktree shares with its repository. Raises OSError."""
    return git / first_line(git / "commondir")


def first_line(file: Path) -> str:
    """Returns the text of a one-line file; empty if there is none. Raises OSError."""
    return os.fsdecode(read_file(str(file)) or b"").strip().replace("\0", "")


def _prefix(project: str, folder: Path) -> str:
    relative = posixpath.relpath(project, str(folder))
    return "" if relative == "." else f"{relative}/"


class GitLock:
    """The index lock of the repository that a folder is in, if any. It stands during a checkout, merge or rebase."""

    def __init__(self, folder: str) -> None:
        self._folders = (Path(folder), *Path(folder).parents)
        self._last: tuple[int, int] | None = None
        self._since = 0.0

    def is_held(self) -> bool:
        """Returns whether git is at work: whether there is a lock that is not too old."""
        lock, now = self._find(), time.monotonic()
        if lock != self._last:
            self._last, self._since = lock, now
        if lock is None:
            return False
        return max(now - self._since, time.time() - lock[1] / 1e9) < MAX_LOCK_AGE_S

    def _find(self) -> tuple[int, int] | None:
        """Returns the lock's inode and modification time in nanoseconds."""
        git = next((folder / ".git" for folder in self._folders if (folder / ".git").exists()), None)
        try:
            found = None if git is None else (git_folder(git) / "index.lock").stat()
        except OSError:
            return None
        return found and (found.st_ino, found.st_mtime_ns)
