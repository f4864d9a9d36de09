"""git's lock: as long as it stands, a checkout, merge or rebase is under way."""

from __future__ import annotations

from pathlib import Path


class GitLock:
    """The lock of the repository that a folder is in, if it is in one. One that was given up on is not waited for."""

    def __init__(self, folder: str) -> None:
        self._folders = (Path(folder), *Path(folder).parents)
        self._stale: tuple[int, int] | None = None

    def held(self) -> bool:
        """Whether git is at work."""
        found = self._found()
        return found is not None and found != self._stale

    def give_up(self) -> None:
        """Take the lock that is there now for one that a dead git left."""
        self._stale = self._found()

    def _found(self) -> tuple[int, int] | None:
        folder = next((each / ".git" for each in self._folders if (each / ".git").exists()), None)
        try:
            found = None if folder is None else (_real(folder) / "index.lock").stat()
        except OSError:
            return None
        return found and (found.st_ino, found.st_mtime_ns)


def _real(git: Path) -> Path:
    """A worktree's `.git` is a file that names the folder. Raises OSError."""
    if git.is_dir():
        return git
    return git.parent / git.read_text(errors="surrogateescape").removeprefix("gitdir:").strip()
