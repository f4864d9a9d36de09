"""Ensures that one process at a time works on a project, by a lock that a crash releases.

Two locks are held: on a file in the state folder, which also names the holder, and on the project's folder. The second
one still excludes other processes after somebody removes the state folder of a running daemon.
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
from kahnd.core.project_files import LOCK_FILE
from kahnd.errors import AlreadyRunningError, DiskError
from kahnd.platform.owned_files import open_file, state_file_error
from kahnd.platform.unix_socket import socket_path

WAIT_S: Final = 10.0
"""How long to wait for a command that holds the lock briefly (`status`, `plan`)."""
_POLL_S: Final = 0.02
_MAX_PID_CHARACTERS: Final = 32
_NOT_LOCKABLE: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP})
"""Errors of network file systems that can't lock a folder; there the lock on the file has to do."""


class ProjectLock:
    """One process's hold on a project, from `take` to `release`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / LOCK_FILE
        try:
            self._folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise state_file_error("the project's folder can't be opened", root, "check the folder", error) from error
        self._file: int | None = None

    @property
    def lost(self) -> bool:
        """Tell whether the locked file is gone, because somebody removed the state folder."""
        assert self._file is not None  # noqa: S101  it was taken
        try:
            return not os.path.samestat(os.fstat(self._file), self._path.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # out of reach is not gone
            return False

    def take(self, wait_s: float) -> None:
        """Lock the project.

        Raises AlreadyRunningError with the holder's pid: at once if it is a daemon, else after `wait_s`.
        """
        deadline = time.monotonic() + wait_s
        while not self._try_take():
            if _is_daemon_listening(self._root) or time.monotonic() > deadline:
                raise AlreadyRunningError(_already_running(self._holder()))
            time.sleep(_POLL_S)

    def renew(self, wait_s: float = WAIT_S) -> None:
        """Make a lost lock file anew and lock it; the lock on the project's folder was held all the time.

        Raises DiskError if the project's folder itself is gone.
        """
        self._close_file()
        if not self._is_root_unchanged():
            message = "the project's folder is gone, or is another one by now"
            raise DiskError(Problem(message, str(self._root), remedy="start kahnd where the project is now"))
        self.take(wait_s)

    def release(self) -> None:
        """Unlock the project. The file stays: if it were removed, two processes could lock two files of one name."""
        self._close_file()
        os.close(self._folder)

    def _is_root_unchanged(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._folder), self._root.stat())
        except OSError:
            return False

    def _try_take(self) -> bool:
        """Try to take both locks, and return whether the file is locked.

        Only the process that has locked the folder creates the file. Another program may have locked the folder for
        reasons of its own, so a lock on the file of a former holder counts without it. If there is no file, or one
        without a pid in it, the folder may be locked by a daemon that is replacing its removed state folder.
        """
        has_folder = _try_lock(self._folder)
        try:
            self._file = self._open_file(os.O_CREAT if has_folder else 0)
        except FileNotFoundError:
            return False
        if not _try_lock(self._file) or not (has_folder or os.fstat(self._file).st_size):
            self._close_file()
            return False
        with suppress(OSError):  # a full disk: the lock counts, the pid in it only informs
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return True

    def _open_file(self, create_flag: int) -> int:
        try:
            return open_file(self._root, LOCK_FILE, os.O_RDWR | create_flag, make=bool(create_flag))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not create_flag:
                raise
            message, remedy = "kahnd's own files can't be kept here", "check the folder and its permissions"
            raise state_file_error(message, self._path, remedy, error) from error

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _holder(self) -> str:
        try:
            descriptor = open_file(self._root, LOCK_FILE, os.O_RDONLY)
        except OSError:
            return ""
        with os.fdopen(descriptor, errors="replace") as file:
            return file.read(_MAX_PID_CHARACTERS).strip()


@contextmanager
def project_lock(root: Path, wait_s: float = WAIT_S) -> Iterator[ProjectLock]:
    """Lock the project. Raises AlreadyRunningError, or UsageError or DiskError if it can't be written to."""
    lock = ProjectLock(root)
    try:
        lock.take(wait_s)
        yield lock
    finally:
        lock.release()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NOT_LOCKABLE:
            raise
    return True


def _is_daemon_listening(root: Path) -> bool:
    path = socket_path(root)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return not path.is_symlink() and probe.connect_ex(str(path)) == 0


def _already_running(pid: str) -> Problem:
    return Problem(
        f"kahnd already works on this project, in process {pid or 'unknown'}",
        remedy="`kahnd status` asks it; stop it before starting another",
    )
