"""One process a project: a lock that a crash releases.

It is on a file in the state folder, which also says who holds it, and on the project's folder: that one is still
there when somebody removes the state folder below a running daemon, so that no second one can begin beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import AlreadyRunningError, PlaceError
from kahnd.own_files import STATE_FOLDER, open_file
from kahnd.service.paths import socket_path, unkept

_LOCK: Final = f"{STATE_FOLDER}/lock"
PATIENCE_S: Final = 5.0
"""How long a command that only looks (`status`, `plan`) is waited for, before its lock counts as held."""
_PAUSE_S: Final = 0.02
_LONGEST_PID: Final = 32
_UNLOCKABLE: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP})
"""What network file systems say to a lock on a folder: there the file alone must do."""


class ProjectLock:
    """One process's hold on a project, from `take` to `release`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / _LOCK
        try:
            self._folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise unkept("the project's folder can't be opened", root, "check the folder", error) from error
        self._file: int | None = None

    @property
    def lost(self) -> bool:
        """Whether the file that is held is not there any more: the state folder was removed, and all in it."""
        assert self._file is not None  # noqa: S101  it was taken
        try:
            return not os.path.samestat(os.fstat(self._file), self._path.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # out of reach is not gone
            return False

    def take(self, patience_s: float) -> None:
        """Hold the project. Raises AlreadyRunningError with the holder's pid, at once if that is a daemon."""
        deadline = time.monotonic() + patience_s
        while not self._taken():
            if _answers(self._root) or time.monotonic() > deadline:
                raise AlreadyRunningError(_held(self._holder()))
            time.sleep(_PAUSE_S)

    def renew(self, patience_s: float = PATIENCE_S) -> None:
        """Hold a lost lock again, its file made anew; the project was held all the time.

        Raises PlaceError where that is not there any more.
        """
        self._close_file()
        if not self._has_root():
            message = "the project's folder is gone, or is another one by now"
            raise PlaceError(Problem(message, str(self._root), remedy="start kahnd where the project is now"))
        self.take(patience_s)

    def release(self) -> None:
        """Give the project up. The file stays: without it, two processes could hold two files of the same name."""
        self._close_file()
        os.close(self._folder)

    def _has_root(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._folder), self._root.stat())
        except OSError:
            return False

    def _taken(self) -> bool:
        """Who has the folder makes the file.

        Others may have locked the folder for reasons of their own, and leave a file that nobody holds. Without one,
        the folder's holder may be a daemon whose state folder was just removed.
        """
        alone = _locked(self._folder)
        try:
            self._file = self._open_file(os.O_CREAT if alone else 0)
        except FileNotFoundError:
            return False
        if not _locked(self._file):
            self._close_file()
            return False
        with suppress(OSError):  # a full disk: that it is held is what counts, who holds it is only told
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return True

    def _open_file(self, how: int) -> int:
        try:
            return open_file(self._root, _LOCK, os.O_RDWR | how, make=bool(how))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not how:
                raise
            message, remedy = "kahnd's own files can't be kept here", "check the folder and its permissions"
            raise unkept(message, self._path, remedy, error) from error

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _holder(self) -> str:
        try:
            descriptor = open_file(self._root, _LOCK, os.O_RDONLY)
        except OSError:
            return ""
        with os.fdopen(descriptor, errors="replace") as file:
            return file.read(_LONGEST_PID).strip()


@contextmanager
def project_lock(root: Path, patience_s: float = PATIENCE_S) -> Iterator[ProjectLock]:
    """Hold the project. Raises AlreadyRunningError; UsageError or PlaceError where it can't be written to."""
    lock = ProjectLock(root)
    try:
        lock.take(patience_s)
        yield lock
    finally:
        lock.release()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNLOCKABLE:
            raise
    return True


def _answers(root: Path) -> bool:
    """Whether a daemon listens."""
    path = socket_path(root)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return not path.is_symlink() and probe.connect_ex(str(path)) == 0


def _held(pid: str) -> Problem:
    return Problem(
        f"kahnd already works on this project, in process {pid or 'unknown'}",
        remedy="`kahnd status` asks it; stop it before starting another",
    )
