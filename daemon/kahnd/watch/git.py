"""git's lock: as long as it stands, a checkout, merge or rebase is under way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

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


def _real(git: Path) -> Path:
    """A worktree's `.git` is a file that names the folder. Raises OSError."""
    if git.is_dir():
        return git
    return git.parent / git.read_text(errors="surrogateescape").removeprefix("gitdir:").strip()
