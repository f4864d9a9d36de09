"""What kahnd keeps in `.kahnd/`, name by name: what is wrong with it, and how it is removed without anybody else's."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.rules import is_below
from kahnd.core.runs import STAGES
from kahnd.own_files import STATE_FOLDER, NotOwnError, folder, folder_problem, open_file, problem_of, remove_file
from kahnd.render.account import ACCOUNT
from kahnd.render.files import clear
from kahnd.service.logs import is_log
from kahnd.store import folders
from kahnd.watch.watcher import COOKIES

_OWN: Final = re.compile(r"lock|control\.sock|outputs(\.[0-9a-f]{8}\.new|\.new)?")
_LOG: Final = f"{STATE_FOLDER}/log/kahnd.jsonl"
_FOLDERS: Final = (STATE_FOLDER, STAGES, COOKIES, f"{STATE_FOLDER}/log")
_KEPT: Final = (*_FOLDERS, f"{STATE_FOLDER}/lock", ACCOUNT)
"""What kahnd opens at a start; the database looks after itself."""


def problems(root: Path, log: str) -> Iterator[NotOwnError]:
    """What stands in the place of kahnd's own files and can't be used as such."""
    for path in (*_KEPT, log):
        try:
            error = folder_problem(root, path) if path in _FOLDERS else problem_of(root, path)
        except OSError:  # others tell of a folder that can't be looked into
            return
        if error:
            yield error
        if error and path == STATE_FOLDER:
            return


def own(root: Path, log: str) -> tuple[str, ...]:
    """The files and folders in the state folder that kahnd made, and so may remove."""
    names = _names(root, STATE_FOLDER)
    files = (f"{STATE_FOLDER}/{name}" for name in names if _OWN.fullmatch(name) and _is_file(root, STATE_FOLDER, name))
    databases = (f"{STATE_FOLDER}/{name}" for name in names if folders.is_own(root, f"{STATE_FOLDER}/{name}"))
    stages = (f"{STAGES}/{name}" for name in _names(root, STAGES) if name.isdecimal())
    cookies = (f"{COOKIES}/{name}" for name in _names(root, COOKIES) if name.isdecimal() and _is_cookie(root, name))
    logs = [_LOG, *([log] if is_below(log, STATE_FOLDER) and log != _LOG else [])]
    kept = {STAGES, COOKIES}
    found = (*stages, *cookies, *(each for path in logs for each in _logs(root, path)), *databases, *files)
    return tuple(each for each in found if each not in kept)


def going(root: Path, log: str) -> tuple[str, ...]:
    """What `remove` would remove: the state folder, or what of it is kahnd's own, where somebody else's is there."""
    if not (root / STATE_FOLDER).is_dir() or (root / STATE_FOLDER).is_symlink():
        return ()
    mine = own(root, log)
    foreign = (each for each in _below(root, log) if not any(is_below(each, path) for path in mine))
    return _lasting(mine) if any(foreign) else (STATE_FOLDER,)


def remove(root: Path, log: str) -> tuple[str, ...]:
    """Remove all of kahnd's own in the state folder, and that if nothing is left; what went. Raises OSError."""
    if not (root / STATE_FOLDER).is_dir():
        return ()
    mine = own(root, log)
    for path in mine:
        if path.startswith(f"{STAGES}/"):
            clear(root / path)
        elif not folders.remove(root, path):
            remove_file(root, path)
    for path in (*_FOLDERS[1:], posixpath.dirname(log), STATE_FOLDER):
        if is_below(path, STATE_FOLDER):
            with suppress(OSError):  # it is not there, or holds what kahnd did not make
                (root / path).rmdir()
    if not os.path.lexists(root / STATE_FOLDER):
        return (STATE_FOLDER,)
    return tuple(each for each in _lasting(mine) if not os.path.lexists(root / each))


def _lasting(paths: tuple[str, ...]) -> tuple[str, ...]:
    """What is worth telling of: stages and cookies come and go."""
    return tuple(each for each in paths if not (is_below(each, STAGES) or is_below(each, COOKIES)))


def _names(root: Path, path: str) -> list[str]:
    """What is in a folder of kahnd's own; nothing where it is not there, or something else is."""
    with suppress(NotOwnError, FileNotFoundError), folder(root, path) as here:
        return sorted(os.listdir(here))  # noqa: PTH208 - of a descriptor
    return []


def _below(root: Path, log: str) -> Iterator[str]:
    """All files in the state folder, and folders that kahnd does not make, by their paths in the project."""
    ours = {*_FOLDERS, posixpath.dirname(log)}
    for here, folders_there, files in os.walk(root / STATE_FOLDER):
        paths = (str(Path(here, name).relative_to(root)) for name in (*folders_there, *files))
        yield from (path for path in paths if path not in ours or (root / path).is_symlink())


def _is_file(root: Path, path: str, name: str) -> bool:
    """Whether it is a regular file, or a socket."""
    mode = (root / path / name).lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _is_cookie(root: Path, name: str) -> bool:
    found = (root / COOKIES / name).lstat()
    return stat.S_ISREG(found.st_mode) and not found.st_size


def _logs(root: Path, path: str) -> Iterator[str]:
    """The log, and what it was renamed to."""
    above, _, name = path.rpartition("/")
    for each in _names(root, above):
        if re.fullmatch(rf"{re.escape(name)}(\.[0-9]+)?", each) and _is_log(root, f"{above}/{each}"):
            yield f"{above}/{each}"


def _is_log(root: Path, path: str) -> bool:
    try:
        descriptor = open_file(root, path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return is_log(descriptor)
    finally:
        os.close(descriptor)
