"""Which folders are kahnd's databases: those that it made, or found empty, and marked.

A folder below `.kahnd/` that holds what the engine makes and nothing else counts as well: databases used to
have no mark, and a mark can be damaged. Of a database only files with the engine's names are ever removed.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import StoreError
from kahnd.own_files import STATE_FOLDER, NotOwnError, folder, open_file, problem_of

MARK: Final = "kahnd"
"""A file in each database of kahnd's."""
_MARKED: Final = b"This folder is a database that kahnd made. kahnd may remove it, and makes it anew.\n"
_LOCK: Final = "LOCK"
_FILES: Final = frozenset({MARK, _LOCK})
_FOLDERS: Final = frozenset({"manifest", "sstables", "vlog", "wal"})
_NUMBERED: Final = re.compile(r"[0-9]{6,20}(?:\.[a-z]+)+")
"""The engine's files in those folders."""


def path_of(url: str) -> tuple[str, str]:
    """The folder in the project that a surrealkv:// url means, and the options behind it. Raises StoreError."""
    written, mark, options = url.removeprefix("surrealkv://").partition("?")
    path = posixpath.normpath(written)
    if path in {".", ".."} or path.startswith(("/", "../")) or "\0" in path:
        message = "the embedded database must be in a folder of its own in the project"
        raise StoreError(Problem(message, written, remedy="set store.url to another folder, or leave it out"))
    return path, mark + options


def prepare(root: Path, path: str) -> None:
    """Make the folder, or see that it is kahnd's, and mark it. Raises NotOwnError where it is not, and OSError."""
    with folder(root, path, make=True) as here:
        marked = MARK in os.listdir(here)  # noqa: PTH208 - of a descriptor
    _check(root, path, marked=marked)
    if not marked:
        mark = open_file(root, f"{path}/{MARK}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.write(mark, _MARKED)
        finally:
            os.close(mark)


def is_own(root: Path, path: str) -> bool:
    """Whether a database of kahnd's is there, with nothing of anybody else's in it."""
    try:
        with folder(root, path) as here:
            marked = _is_marked(root, path)
            if not marked and _is_empty(here):
                return path.startswith(f"{STATE_FOLDER}/")
        _check(root, path, marked=marked)
        return not foreign_in(root, path)
    except OSError:
        return False


def foreign_in(root: Path, path: str) -> list[str]:
    """What is in a database that the engine did not make, by its path below the project."""
    return sorted(f"{path}/{name}" for name, own in _entries(root, path) if not own)


def remove(root: Path, path: str) -> bool:
    """Remove a database of kahnd's; whether that is gone. What others put into it stays."""
    try:
        with folder(root, path) as here:
            _check(root, path, marked=_is_marked(root, path))
            for name, own in _entries(root, path):
                if own:
                    os.unlink(name, dir_fd=here)
            for name in _FOLDERS:
                with suppress(OSError):  # not there, or it holds what others put into it
                    os.rmdir(name, dir_fd=here)
        os.rmdir(root / path)  # noqa: PTH106
    except OSError:
        return False
    return True


def _check(root: Path, path: str, *, marked: bool) -> None:
    """Raise NotOwnError where a link or another user's file is in it, or it has no mark and is not like a database."""
    for name, own in _entries(root, path):
        if own and (error := problem_of(root, f"{path}/{name}")):
            raise error
        if not own and not marked:
            raise NotOwnError(f"{path}/{name}", "kahnd did not make this", "set store.url to a folder of its own")
    if not (marked or path.startswith(f"{STATE_FOLDER}/")) and next(_entries(root, path), None):
        remedy = "set store.url to another folder; if kahnd made it, remove it: it is made anew"
        raise NotOwnError(path, "this database has no mark of kahnd's", remedy)


def _entries(root: Path, path: str) -> Iterator[tuple[str, bool]]:
    """The paths of all files in the folder and the engine's folders in it, and whether the engine makes such."""
    with folder(root, path) as here:
        top = [(each, _mode(here, each)) for each in sorted(os.listdir(here))]  # noqa: PTH208 - of a descriptor
    for name, mode in top:
        if name in _FOLDERS and stat.S_ISDIR(mode):
            with folder(root, f"{path}/{name}") as below:
                inner = sorted(os.listdir(below))  # noqa: PTH208
            yield from ((f"{name}/{each}", bool(_NUMBERED.fullmatch(each))) for each in inner)
        else:
            yield name, name in _FILES | _FOLDERS


def _mode(here: int, name: str) -> int:
    return os.stat(name, dir_fd=here, follow_symlinks=False).st_mode


def _is_empty(here: int) -> bool:
    return not os.listdir(here)


def _is_marked(root: Path, path: str) -> bool:
    try:
        os.close(open_file(root, f"{path}/{MARK}", os.O_RDONLY))
    except OSError:
        return False
    return True
