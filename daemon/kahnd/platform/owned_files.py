"""Opens, replaces and removes kahnd's own files in a project, and refuses anything that is not kahnd's own.

A project may be a clone of a stranger's repository, and a state folder may come with it. So no link below the
project's folder is followed, opening never waits for a pipe, and a file must be regular and have the right owner:
the user who runs kahnd, or the owner of the project's folder, since root may run kahnd in a user's project and some
file systems show one owner for all files.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kahnd.core.problem import Problem
from kahnd.core.project_files import STATE_FOLDER
from kahnd.errors import DiskError, KahndError, UsageError

_DOTS: Final = frozenset({"", ".", ".."})
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRONG_KIND: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EEXIST})
"""Errors that opening gives if the path is neither a regular file nor a folder."""
_PERMANENT: Final = frozenset(
    {
        errno.EACCES,
        errno.EADDRINUSE,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.EPERM,
    }
)
"""Errors that somebody has to fix; all others (a disk that is full, read-only or away) may pass by themselves."""


class NotOwnError(OSError):
    """The path of one of kahnd's own files is taken by something that kahnd can't use. `remedy` says what to do."""

    def __init__(self, path: str, message: str, remedy: str) -> None:
        super().__init__(errno.ELOOP, message, path)
        self.remedy = remedy


def state_file_error(message: str, path: Path, remedy: str, error: OSError) -> KahndError:
    """Return the exception for a file of kahnd's own that can't be written.

    Its class, and so the exit code, tells a service manager whether restarting may help.
    """
    if isinstance(error, NotOwnError):
        return UsageError(Problem(f"{message}: {error.strerror}", str(error.filename), remedy=error.remedy))
    kind = UsageError if error.errno in _PERMANENT else DiskError
    return kind(Problem(f"{message}: {error.strerror or error}", str(path), remedy=remedy))


@contextmanager
def open_folder(root: Path, path: str, *, make: bool = False) -> Iterator[int]:
    """Yield a descriptor of a folder below `root`; `make` creates missing folders, accessible to their owner alone.

    Raises NotOwnError if the path leads through a link, a file or another user's folder, and OSError.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        project_owner, current = os.fstat(descriptor).st_uid, root
        for name in path.split("/"):
            current /= name
            child = _open_child(descriptor, name, current, make=make)
            os.close(descriptor)
            descriptor = child
            _check_owner(os.fstat(descriptor).st_uid, project_owner, current)
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(root: Path, path: str, flags: int, *, mode: int = 0o600, make: bool = False) -> int:
    """Open a file below `root`, and return its descriptor; `make` creates missing folders.

    Raises NotOwnError if it is not a regular file with a single name and the right owner, and OSError.
    """
    parent, _, name = path.rpartition("/")
    with _open_parent(root, parent, make=make) as folder:
        try:
            descriptor = os.open(name, flags | _FILE_FLAGS, mode, dir_fd=folder)
        except OSError as error:
            if error.errno in _WRONG_KIND and (status := _status(folder, name)) is not None:
                raise _not_regular(root / path, status.st_mode) from None
            raise
    try:
        _check_file(os.fstat(descriptor), _owner(root), root / path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_below(root: Path, path: str) -> int:
    """Open a regular file below `root` to read it, whoever owns it, and return its descriptor.

    No link is followed on the way. Raises OSError.
    """
    *folders, name = path.split("/")
    if not _DOTS.isdisjoint((*folders, name)):
        raise OSError(errno.EINVAL, "the path leads elsewhere", path)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for each in folders:
            inner = os.open(each, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(name, os.O_RDONLY | _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", path)
    return descriptor


def replace_file(root: Path, path: str, write: Callable[[int], None], *, mode: int = 0o600) -> None:
    """Replace a file atomically; `write` fills the new one.

    Raises NotOwnError if the old file is not kahnd's, and OSError.
    """
    parent, _, name = path.rpartition("/")
    new_name = f"{name}.{os.urandom(4).hex()}.new"
    with _open_parent(root, parent, make=True) as folder:
        status = _status(folder, name)
        if status is not None:
            _check_file(status, _owner(root), root / path, single_name=False)
        descriptor = os.open(new_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE_FLAGS, mode, dir_fd=folder)
        try:
            try:
                write(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(new_name, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(new_name, dir_fd=folder)
            raise


def remove_file(root: Path, path: str) -> bool:
    """Remove a file or a socket, and return whether one was removed. Anything else is left alone."""
    parent, _, name = path.rpartition("/")
    with suppress(OSError), _open_parent(root, parent, make=False) as folder:
        status = _status(folder, name)
        if status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            os.unlink(name, dir_fd=folder)
            return True
    return False


def ownership_problem(root: Path, path: str) -> NotOwnError | None:
    """Return why kahnd can't use the file or folder at this path; None if it can, or if nothing is there."""
    parent, _, name = path.rpartition("/")
    try:
        with _open_parent(root, parent, make=False) as folder:
            status = _status(folder, name)
            if status is None:
                return None
            if stat.S_ISDIR(status.st_mode):
                _check_owner(status.st_uid, _owner(root), root / path)
            else:
                _check_file(status, _owner(root), root / path)
    except NotOwnError as error:
        return error
    except OSError:
        return None
    return None


def folder_problem(root: Path, path: str) -> NotOwnError | None:
    """Return why kahnd can't use this path as a folder; None if it can, or if nothing is there."""
    try:
        with open_folder(root, path):
            return None
    except NotOwnError as error:
        return error
    except FileNotFoundError:
        return None


def is_link_free(folder: str, path: str) -> bool:
    """Tell whether no part of a path below a folder, the last included, is a symbolic link, `.` or `..`."""
    names = path.split("/") if path else []
    if not _DOTS.isdisjoint(names):
        return False
    current = folder
    try:
        for name in names:  # runs for every file read and every output; `os.path.islink` takes twice as long
            current = f"{current}/{name}"
            if stat.S_ISLNK(os.lstat(current).st_mode):
                return False
    except (OSError, ValueError):
        pass  # a path that does not exist, or can't be looked at, is no link
    return True


@contextmanager
def _open_parent(root: Path, path: str, *, make: bool) -> Iterator[int]:
    if path:
        with open_folder(root, path, make=make) as folder:
            yield folder
        return
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _open_child(folder: int, name: str, path: Path, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=folder)
    except OSError as error:
        status = _status(folder, name) if error.errno in _WRONG_KIND else None
        if status is None:
            raise
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no folder"
        raise NotOwnError(str(path), f"this is {kind}", f"move it away: {_replacement(path)}") from None


def _owner(root: Path) -> int:
    return os.stat(root).st_uid  # noqa: PTH116 - runs for each line of a log


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _check_file(status: os.stat_result, project_owner: int, path: Path, *, single_name: bool = True) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path, status.st_mode)
    _check_owner(status.st_uid, project_owner, path)
    if single_name and status.st_nlink > 1:
        message = "this file has another name elsewhere (a hard link)"
        raise NotOwnError(str(path), message, f"remove this name of it: {_replacement(path)}")


def _check_owner(owner: int, project_owner: int, path: Path) -> None:
    if owner not in {os.geteuid(), project_owner}:
        remedy = f"give it to yourself (chown), or move it away: {_replacement(path)}"
        raise NotOwnError(str(path), f"this belongs to another user, {_user_name(owner)}", remedy)


def _replacement(path: Path) -> str:
    return "kahnd makes it anew" if STATE_FOLDER in path.parts else "kahnd makes its own"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _not_regular(path: Path, mode: int) -> NotOwnError:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}
    kinds |= {stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    return NotOwnError(str(path), f"this is {kind}, not a file of kahnd's", f"move it away: {_replacement(path)}")
