"""What kahnd keeps in `.kahnd/`, name by name: what is wrong with it, and how it is removed without anybody else's."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.rules import is_below
from kahnd.core.runs import STAGES
from kahnd.own_files import STATE_FOLDER, NotOwnError, folder, open_file, problem_of, remove_file
from kahnd.render.account import ACCOUNT
from kahnd.render.files import clear
from kahnd.service.logs import is_log
from kahnd.store import folders
from kahnd.watch.watcher import COOKIES

_OWN: Final = re.compile(r"lock|control\.sock|outputs(\.[0-9a-f]{8}\.new|\.new)?")
_FOLDERS: Final = (STATE_FOLDER, STAGES, COOKIES, f"{STATE_FOLDER}/log")
_KEPT: Final = (*_FOLDERS, f"{STATE_FOLDER}/lock", ACCOUNT)
"""What kahnd opens at a start; the database looks after itself."""


def problems(root: Path, log: str) -> Iterator[NotOwnError]:
    """What stands in the place of kahnd's own files and can't be used as such."""
    for path in (*_KEPT, log):
        try:
            error = _folder_problem(root, path) if path in _FOLDERS else problem_of(root, path)
        except OSError:  # others tell of a folder that can't be looked into
            return
        if error:
            yield error
        if error and path == STATE_FOLDER:
            return


def remove(root: Path, log: str) -> None:
    """Remove all of kahnd's own in the state folder, and that if nothing is left. Raises NotOwnError, OSError."""
    try:
        with folder(root, STATE_FOLDER) as here:
            names = sorted(os.listdir(here))  # noqa: PTH208 - of a descriptor
    except FileNotFoundError:
        return
    for path in (f"{STATE_FOLDER}/{name}" for name in names):
        if path in {STAGES, COOKIES}:
            _empty(root, path)
        elif folders.is_own(root, path):
            folders.remove(root, path)
    _remove_logs(root, f"{STATE_FOLDER}/log/kahnd.jsonl")
    if is_below(log, STATE_FOLDER):
        _remove_logs(root, log)
    for name in names:
        if _OWN.fullmatch(name):
            remove_file(root, f"{STATE_FOLDER}/{name}")
    with suppress(OSError):  # it holds what kahnd did not make
        (root / STATE_FOLDER).rmdir()


def _folder_problem(root: Path, path: str) -> NotOwnError | None:
    try:
        with folder(root, path):
            return None
    except NotOwnError as error:
        return error
    except FileNotFoundError:
        return None


def _empty(root: Path, path: str) -> None:
    """Remove what kahnd numbers in a folder of its own, and that if it is empty then."""
    with suppress(NotOwnError), folder(root, path) as here:
        for name in os.listdir(here):  # noqa: PTH208
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
            is_cookie = path == COOKIES and stat.S_ISREG(found.st_mode) and not found.st_size
            if name.isdecimal() and (is_cookie or path == STAGES):
                clear(root / path / name)
        with suppress(OSError):
            (root / path).rmdir()


def _remove_logs(root: Path, path: str) -> None:
    """The log and what it was renamed to, and the folder it was in, if nothing else is there."""
    above, _, name = path.rpartition("/")
    with suppress(OSError), folder(root, above) as here:
        for each in os.listdir(here):  # noqa: PTH208
            if re.fullmatch(rf"{re.escape(name)}(\.[0-9]+)?", each) and _is_log(root, f"{above}/{each}"):
                os.unlink(each, dir_fd=here)
        if above != STATE_FOLDER:
            (root / above).rmdir()


def _is_log(root: Path, path: str) -> bool:
    try:
        descriptor = open_file(root, path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return is_log(descriptor)
    finally:
        os.close(descriptor)
