"""kahnd's own files in a project: opened and removed only where they are regular and nobody else's.

A project may be a clone of a stranger's repository, and a state folder may come with it. So no link is followed on the
way from the project's folder to such a file, nothing waits for a pipe, and the owner is checked. Files and folders
belong to the user who runs kahnd, or to whoever owns the project's folder: root may run kahnd in a user's project, and
some file systems show one owner for all files.
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

STATE_FOLDER: Final = ".kahnd"
"""kahnd's own folder in a project."""

_STAYING: Final = frozenset({"", ".", ".."})
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REFUSALS: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EEXIST})
"""What the system says where something else than a regular file, or a folder, stands."""


class NotOwnError(OSError):
    """Something stands in the place of one of kahnd's own files that kahnd can't use. `remedy` says what to do."""

    def __init__(self, path: str, message: str, remedy: str) -> None:
        super().__init__(errno.ELOOP, message, path)
        self.remedy = remedy


@contextmanager
def folder(root: Path, path: str, *, make: bool = False) -> Iterator[int]:
    """A descriptor of a folder below `root`; `make` creates what is missing of it, for its owner alone.

    Raises NotOwnError where a link, a file or another user's folder stands on the way, and OSError.
    """
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        owner, way = os.fstat(here).st_uid, root
        for name in path.split("/"):
            way /= name
            below = _enter(here, name, way, make=make)
            os.close(here)
            here = below
            _check_owner(os.fstat(here).st_uid, owner, way)
        yield here
    finally:
        os.close(here)


def open_file(root: Path, path: str, flags: int, *, mode: int = 0o600, make: bool = False) -> int:
    """Open a file below `root`; `make` creates the folders above it.

    Raises NotOwnError where it is no regular file with one name and an owner as it should be, and OSError.
    """
    above, _, name = path.rpartition("/")
    with _above(root, above, make=make) as here:
        try:
            descriptor = os.open(name, flags | _FILE, mode, dir_fd=here)
        except OSError as error:
            if error.errno in _REFUSALS and (found := _status(here, name)) is not None:
                raise _not_regular(root / path, found.st_mode) from None
            raise
    try:
        _check_file(os.fstat(descriptor), os.stat(root).st_uid, root / path)  # noqa: PTH116 - with each line of a log
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def replace_file(root: Path, path: str, write: Callable[[int], None], *, mode: int = 0o600) -> None:
    """Write a file anew, whole or not at all. What stands there must be kahnd's. Raises NotOwnError and OSError."""
    above, _, name = path.rpartition("/")
    fresh = f"{name}.{os.urandom(4).hex()}.new"
    with _above(root, above, make=True) as here:
        found = _status(here, name)
        if found is not None:
            _check_file(found, os.stat(root).st_uid, root / path, names=False)  # noqa: PTH116
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, mode, dir_fd=here)
        try:
            try:
                write(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(fresh, name, src_dir_fd=here, dst_dir_fd=here)
        except BaseException:
            with suppress(OSError):
                os.unlink(fresh, dir_fd=here)
            raise


def remove_file(root: Path, path: str) -> bool:
    """Remove a file of kahnd's own, or its socket; whether it was there and went. Anything else is left alone."""
    above, _, name = path.rpartition("/")
    with suppress(OSError), _above(root, above, make=False) as here:
        found = _status(here, name)
        if found is not None and (stat.S_ISREG(found.st_mode) or stat.S_ISSOCK(found.st_mode)):
            os.unlink(name, dir_fd=here)
            return True
    return False


def problem_of(root: Path, path: str) -> NotOwnError | None:
    """Why kahnd can't use what stands there, a file or a folder; None where nothing does, or what should."""
    above, _, name = path.rpartition("/")
    try:
        with _above(root, above, make=False) as here:
            found = _status(here, name)
            if found is None:
                return None
            if not stat.S_ISDIR(found.st_mode):
                _check_file(found, os.stat(root).st_uid, root / path)  # noqa: PTH116
            else:
                _check_owner(found.st_uid, os.stat(root).st_uid, root / path)  # noqa: PTH116
    except NotOwnError as error:
        return error
    except OSError:
        return None
    return None


def folder_problem(root: Path, path: str) -> NotOwnError | None:
    """Why kahnd can't use what stands in the place of a folder of its own; None where nothing does, or what should."""
    try:
        with folder(root, path):
            return None
    except NotOwnError as error:
        return error
    except FileNotFoundError:
        return None


def leads_straight(folder: str, path: str) -> bool:
    """Whether neither links nor dots lead elsewhere on the way from a folder to a path in it, itself included."""
    names = path.split("/") if path else []
    if not _STAYING.isdisjoint(names):
        return False
    way = folder
    try:
        for name in names:  # for every file that is read and every output: `os.path.islink` takes twice as long
            way = f"{way}/{name}"
            if stat.S_ISLNK(os.lstat(way).st_mode):
                return False
    except (OSError, ValueError):
        pass  # what is not there, or can't be looked at, is no link
    return True


@contextmanager
def _above(root: Path, path: str, *, make: bool) -> Iterator[int]:
    if path:
        with folder(root, path, make=make) as here:
            yield here
        return
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield here
    finally:
        os.close(here)


def _enter(here: int, name: str, way: Path, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=here)
    try:
        return os.open(name, _FOLDER, dir_fd=here)
    except OSError as error:
        found = _status(here, name) if error.errno in _REFUSALS else None
        if found is None:
            raise
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no folder"
        raise NotOwnError(str(way), f"this is {what}", f"move it away: {_advice(way)}") from None


def _status(here: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _check_file(found: os.stat_result, owner: int, path: Path, *, names: bool = True) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _not_regular(path, found.st_mode)
    _check_owner(found.st_uid, owner, path)
    if names and found.st_nlink > 1:
        message = "this file has another name elsewhere (a hard link)"
        raise NotOwnError(str(path), message, f"remove this name of it: {_advice(path)}")


def _check_owner(owner: int, of_project: int, path: Path) -> None:
    if owner not in {os.geteuid(), of_project}:
        remedy = f"give it to yourself (chown), or move it away: {_advice(path)}"
        raise NotOwnError(str(path), f"this belongs to another user, {_name(owner)}", remedy)


def _advice(path: Path) -> str:
    return "kahnd makes it anew" if STATE_FOLDER in path.parts else "kahnd makes its own"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _not_regular(path: Path, mode: int) -> NotOwnError:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}
    kinds |= {stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    what = kinds.get(stat.S_IFMT(mode), "no regular file")
    return NotOwnError(str(path), f"this is {what}, not a file of kahnd's", f"move it away: {_advice(path)}")
