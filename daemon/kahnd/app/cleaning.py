"""`kahnd clean`: removes outputs, and on request the database and the state folder; only what kahnd made."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio

from kahnd.api import answers
from kahnd.app.session import begin_outputs, outputs_of, schemas, stored
from kahnd.config.loader import Config, load
from kahnd.core.model import OutputPath, Problem
from kahnd.core.output_paths import is_generated
from kahnd.core.project_files import (
    CACHES,
    CONTROL_SOCKET,
    COOKIES,
    EMBEDDED,
    GENERATED,
    LOCK_FILE,
    OUTPUT_JOURNAL,
    STAGES,
    STATE_FOLDER,
    is_cache_name,
)
from kahnd.core.rules import is_below
from kahnd.errors import AlreadyRunningError, UsageError, unwrap_groups
from kahnd.outputs.journal import is_journal
from kahnd.platform.files import remove_any
from kahnd.platform.owned_files import (
    NotOwnError,
    folder_problem,
    is_link_free,
    open_file,
    open_folder,
    ownership_problem,
    remove_file,
    state_file_error,
)
from kahnd.platform.project_lock import project_lock
from kahnd.platform.resources import ensure_resources
from kahnd.platform.unix_socket import check_private, remove_socket, socket_path
from kahnd.store import database_folder
from kahnd.store.database_folder import DatabaseFolder
from kahnd.telemetry.log import is_log

_UNFINISHED_JOURNAL: Final = re.compile(r"outputs\.[0-9a-f]{8}\.new")
_LOG: Final = f"{STATE_FOLDER}/log/kahnd.jsonl"
_FOLDERS: Final = (STATE_FOLDER, STAGES, CACHES, GENERATED, COOKIES, f"{STATE_FOLDER}/log")
_KEPT: Final = (*_FOLDERS, LOCK_FILE, OUTPUT_JOURNAL)
"""The files that kahnd opens at a start, without the database, which checks its own."""


def clean(root: Path, *, state: bool, dry_run: bool) -> answers.Clean:
    """Removes all outputs and what programs kept between runs; with `state` everything else that kahnd keeps, too.

    Returns what was removed (or would be, in a dry run) and what could not be. Raises AlreadyRunningError while another
    process works on the project: a daemon would make the outputs again at once.
    """
    config = load(root, schemas(), os.environ)
    if dry_run:
        stays = _database_kept(config) if state else ()
        return _answer(_there(config), stays, _state_of(config) if state else (), dry_run=True)
    with _alone(root):
        if state:
            _check_unused(config)
        there = (root / STATE_FOLDER).is_dir()
        removed, kept, is_stuck = _remove_outputs(root, config) if there else ((), (), False)
        if state and is_stuck:
            raise UsageError(*kept, Problem("the state was kept, since it tells whose these outputs are"))
        gone = _remove_state(config) if state else ()
        stays = _database_kept(config) if state else ()
    return _answer(removed, (*kept, *stays), gone, dry_run=False)


def _answer(
    removed: tuple[OutputPath, ...], kept: tuple[Problem, ...], state: tuple[str, ...], *, dry_run: bool
) -> answers.Clean:
    entries: list[answers.Kept] = [{"output": each.file, "error": str(each)} for each in kept]
    return {"removed": list(removed), "kept": entries, "state": list(state), "dry_run": dry_run}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keeps other processes out. A project that was never built needs no lock, and gets no state folder."""
    if not os.path.lexists(root / STATE_FOLDER):
        yield
        return
    try:
        with project_lock(root):
            yield
    except AlreadyRunningError as held:
        remedy = "a daemon would make the outputs again at once: stop it first"
        raise AlreadyRunningError(replace(held.problems[0], remedy=remedy)) from None


def _there(config: Config) -> tuple[OutputPath, ...]:
    """Returns the outputs that exist as kahnd made them."""
    return tuple(sorted(outputs_of(config, kept=False).removable()))


def _remove_outputs(root: Path, config: Config) -> tuple[tuple[OutputPath, ...], tuple[Problem, ...], bool]:
    """Returns what was removed, why the rest was not, and whether the journal still lists any of the rest."""
    with closing(outputs_of(config)) as outputs:
        begin_outputs(outputs, {}, root)
        made = outputs.made()
        there = sorted(each for each in made if os.path.lexists(root / each))
        problems = {each: problem for each in sorted(made) if (problem := outputs.remove(each))}
        is_stuck = not outputs.made().isdisjoint(problems)
        outputs.discard_caches(())
    if is_link_free(str(root), config.layout.output):
        with suppress(OSError):  # not empty, or gone
            (root / config.layout.output).rmdir()
    return tuple(each for each in there if each not in problems), tuple(problems.values()), is_stuck


def _state_of(config: Config) -> tuple[str, ...]:
    """Returns what `_remove_state` would remove."""
    kept = _removable_state(config.root, config.log.file, tuple(filter(is_generated, _there(config))))
    return (*(str(config.root / each) for each in kept), *_database(config))


def _database(config: Config) -> tuple[str, ...]:
    """Returns the database's path or address, unless it is in the state folder."""
    if not config.store.url.startswith(EMBEDDED):
        return (config.store.url,)
    path, _ = database_folder.path_of(config.store.url)
    mine = is_below(path, STATE_FOLDER)
    return () if mine or not database_folder.is_own(config.root, path) else (str(config.root / path),)


def _check_unused(config: Config) -> None:
    """Raises UsageError if another process, as of a project in one of this one's folders, uses the database."""
    if config.store.url.startswith(EMBEDDED):
        path, _ = database_folder.path_of(config.store.url)
        if database_folder.is_own(config.root, path) and DatabaseFolder(config.root, path).is_locked():
            raise UsageError(Problem("another process has the database open", path, 0, "stop it, or wait for it"))


def _database_kept(config: Config) -> tuple[Problem, ...]:
    """Returns why the database is kept: its folder holds foreign files."""
    if not config.store.url.startswith(EMBEDDED):
        return ()
    path, _ = database_folder.path_of(config.store.url)
    with suppress(OSError):
        if others := database_folder.foreign_in(config.root, path):
            message = f"the database is kept: kahnd did not make {', '.join(others)}"
            return (Problem(message, path, 0, "move it away, and clean again"),)
    return ()


def _remove_state(config: Config) -> tuple[str, ...]:
    """Returns what was removed. The state folder goes last, since its journal says which outputs are kahnd's."""
    databases = _database(config)
    for each in databases:
        if each == config.store.url:
            with unwrap_groups():
                anyio.run(_clear, config)
        else:
            database_folder.remove(config.root, database_folder.path_of(config.store.url)[0])
    try:
        kept = _remove_state_folder(config.root, config.log.file)
    except OSError as error:
        message, remedy = "the state can't be removed", "check the folder and its permissions"
        raise state_file_error(message, config.root / STATE_FOLDER, remedy, error) from error
    _remove_socket(config.root)
    gone = (each for each in databases if each == config.store.url or not os.path.lexists(each))
    return (*(str(config.root / each) for each in kept), *gone)


def _remove_socket(root: Path) -> None:
    """Removes a socket left in the runtime folder, if only this user can write there."""
    address = socket_path(root)
    if not address.is_relative_to(root.resolve()):
        with suppress(UsageError, OSError):
            check_private(address.parent)
            remove_socket(address)


async def _clear(config: Config) -> None:
    ensure_resources()
    async with stored(config, lambda _event, **_fields: None) as store:
        await store.clear()


# The state folder


def state_problems(root: Path, log: str) -> Iterator[NotOwnError]:
    """Yields what stands in the place of kahnd's own files and can't be used as such."""
    for path in (*_KEPT, log):
        try:
            error = folder_problem(root, path) if path in _FOLDERS else ownership_problem(root, path)
        except OSError:  # another check reports an unreadable folder
            return
        if error:
            yield error
        if error and path == STATE_FOLDER:
            return


def _own_state(root: Path, log: str) -> tuple[str, ...]:
    """Returns the files and folders in the state folder that kahnd made, and so may remove."""
    names = _names(root, STATE_FOLDER)
    files = (f"{STATE_FOLDER}/{name}" for name in names if _is_own_file(root, name))
    databases = (f"{STATE_FOLDER}/{name}" for name in names if database_folder.is_own(root, f"{STATE_FOLDER}/{name}"))
    stages = (f"{STAGES}/{name}" for name in _names(root, STAGES) if name.isdecimal())
    caches = (f"{CACHES}/{name}" for name in _names(root, CACHES) if is_cache_name(name))
    cookies = (f"{COOKIES}/{name}" for name in _names(root, COOKIES) if name.isdecimal() and _is_cookie(root, name))
    logs = [_LOG, *([log] if is_below(log, STATE_FOLDER) and log != _LOG else [])]
    kept = {STAGES, CACHES, COOKIES}
    own = (*stages, *caches, *cookies, *(each for path in logs for each in _logs(root, path)), *databases, *files)
    return tuple(each for each in own if each not in kept)


def _removable_state(root: Path, log: str, generated: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what `_remove_state_folder` would remove: all of it, or kahnd's own files if there are foreign ones.

    The files of `generated` documents are removed before, as outputs are.
    """
    if not (root / STATE_FOLDER).is_dir() or (root / STATE_FOLDER).is_symlink():
        return ()
    mine = _own_state(root, log)
    ours = (*mine, *generated)
    foreign = (each for each in _below(root, log) if not any(is_below(each, path) for path in ours))
    return _lasting(mine) if any(foreign) else (STATE_FOLDER,)


def _remove_state_folder(root: Path, log: str) -> tuple[str, ...]:
    """Removes kahnd's own files, and the folder if it is then empty; returns what was removed. Raises OSError."""
    if not (root / STATE_FOLDER).is_dir():
        return ()
    mine = _own_state(root, log)
    for path in mine:
        if path.startswith((f"{STAGES}/", f"{CACHES}/")):
            remove_any(root / path)
        elif not database_folder.remove(root, path):
            remove_file(root, path)
    for path in (*_FOLDERS[1:], posixpath.dirname(log), STATE_FOLDER):
        if is_below(path, STATE_FOLDER):
            with suppress(OSError):  # gone, or not empty
                (root / path).rmdir()
    if not os.path.lexists(root / STATE_FOLDER):
        return (STATE_FOLDER,)
    return tuple(each for each in _lasting(mine) if not os.path.lexists(root / each))


def _lasting(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the paths without stages and cookies, which come and go."""
    return tuple(each for each in paths if not (is_below(each, STAGES) or is_below(each, COOKIES)))


def _names(root: Path, path: str) -> list[str]:
    """Returns the names in one of kahnd's folders; none if something else stands there."""
    with suppress(NotOwnError, FileNotFoundError), open_folder(root, path) as here:
        return sorted(os.listdir(here))  # noqa: PTH208 - of a descriptor
    return []


def _below(root: Path, log: str) -> Iterator[str]:
    """Yields all files in the state folder, and foreign folders, by their paths in the project."""
    ours = {*_FOLDERS, posixpath.dirname(log)}
    for here, folders_there, files in os.walk(root / STATE_FOLDER):
        names = files if is_below(str(Path(here).relative_to(root)), GENERATED) else (*folders_there, *files)
        paths = (str(Path(here, name).relative_to(root)) for name in names)
        yield from (path for path in paths if path not in ours or (root / path).is_symlink())


def _is_own_file(root: Path, name: str) -> bool:
    """Tells whether something is the lock, a journal or a control socket, and of the right type for it."""
    path = f"{STATE_FOLDER}/{name}"
    mode = (root / path).lstat().st_mode
    if path == CONTROL_SOCKET:
        return stat.S_ISSOCK(mode)
    if _UNFINISHED_JOURNAL.fullmatch(name):
        return _is_recognized(root, path, is_journal)
    return path in {LOCK_FILE, OUTPUT_JOURNAL} and stat.S_ISREG(mode)


def _is_cookie(root: Path, name: str) -> bool:
    status = (root / COOKIES / name).lstat()
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _logs(root: Path, path: str) -> Iterator[str]:
    """Yields the log and its rotated files."""
    above, _, name = path.rpartition("/")
    for each in _names(root, above):
        if re.fullmatch(rf"{re.escape(name)}(\.[0-9]+)?", each) and _is_recognized(root, f"{above}/{each}", is_log):
            yield f"{above}/{each}"


def _is_recognized(root: Path, path: str, check: Callable[[int], bool]) -> bool:
    """Tells whether a check accepts the file's content."""
    try:
        descriptor = open_file(root, path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return check(descriptor)
    finally:
        os.close(descriptor)
