"""The git repository around a project: its lock, and what it ignores from above the project.

As long as the lock stands, a checkout, merge or rebase is under way.
"""

from __future__ import annotations

import os
import posixpath
import time
from pathlib import Path
from typing import Final, NamedTuple

from kahnd.watch.hashing import read_file

GITIGNORE: Final = ".gitignore"
LONGEST_S: Final = 5.0
"""A lock that is older than this was left behind by a git that died, or is not worth waiting for."""


class GitLock:
    """The lock of the repository that a folder is in, if it is in one."""

    def __init__(self, folder: str) -> None:
        self._folders = (Path(folder), *Path(folder).parents)
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def held(self) -> bool:
        """Whether git is at work."""
        found, now = self._found(), time.monotonic()
        if found != self._seen:
            self._seen, self._since = found, now
        if found is None:
            return False
        return max(now - self._since, time.time() - found[1] / 1e9) < LONGEST_S

    def _found(self) -> tuple[int, int] | None:
        """The lock's inode and time."""
        git = next((each / ".git" for each in self._folders if (each / ".git").exists()), None)
        try:
            found = None if git is None else (_real(git) / "index.lock").stat()
        except OSError:
            return None
        return found and (found.st_ino, found.st_mtime_ns)


class IgnoreFile(NamedTuple):
    """A file of patterns outside the project. `prefix`: from the folder that its patterns count from to the project."""

    path: str
    prefix: str


def ignore_files_around(project: str) -> tuple[IgnoreFile, ...]:
    """What is ignored by files outside the project, the nearest first: none without a repository, as git has it.

    The `.gitignore` files of the folders above the project, up to the root of the nearest repository, and that
    repository's `info/exclude`. Not the user's own excludes (`core.excludesFile`): with these, the same project would
    have other documents on another machine.
    """
    folders = [Path(project), *Path(project).parents]
    root = next((each for each in folders if os.path.lexists(each / ".git")), None)
    if root is None:
        return ()
    above = folders[1 : folders.index(root) + 1]
    found = [IgnoreFile(str(each / GITIGNORE), _prefix(project, each)) for each in above]
    try:
        exclude = _common(_real(root / ".git")) / "info" / "exclude"
    except OSError:
        return tuple(found)
    return (*found, IgnoreFile(str(exclude), _prefix(project, root)))


def _prefix(project: str, folder: Path) -> str:
    inner = posixpath.relpath(project, str(folder))
    return "" if inner == "." else f"{inner}/"


def _real(git: Path) -> Path:
    """A worktree's `.git` is a file that names the folder. Raises OSError."""
    if git.is_dir():
        return git
    return git.parent / _line(git).removeprefix("gitdir:").strip()


def _common(git: Path) -> Path:
    """What a worktree shares with its repository is in the repository's own folder. Raises OSError."""
    return git / _line(git / "commondir")


def _line(file: Path) -> str:
    """A small file's text; empty where there is none. Raises OSError."""
    return os.fsdecode(read_file(str(file)) or b"").strip().replace("\0", "")
