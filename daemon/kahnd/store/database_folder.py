"""The folder of an embedded database: which folders are kahnd's own, and what is done to one while it is closed.

Own are those that kahnd made, or found empty, and marked. A folder below the state folder that holds only what the
engine makes counts as well: databases used to have no mark, and a mark can be damaged. In a database, kahnd only ever
removes files with the engine's names.
"""

from __future__ import annotations

import fcntl
import os
import posixpath
import re
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem, Snapshot
from kahnd.core.project_files import EMBEDDED, STATE_FOLDER
from kahnd.errors import StoreError, StoreLostError
from kahnd.platform.owned_files import NotOwnError, open_file, open_folder, ownership_problem
from kahnd.ports import PRESSING
from kahnd.store import queries
from kahnd.store.connection import FIRST_PAGE, Connection, Limits, WorkspaceCalls

MARK: Final = "kahnd"
"""The name of the file that marks a database as kahnd's."""
_MARK_TEXT: Final = b"This folder is a database that kahnd made. kahnd may remove it, and makes it anew.\n"
_LOCK: Final = "LOCK"
_TABLES: Final = "sstables"
_FILES: Final = frozenset({MARK, _LOCK})
_FOLDERS: Final = frozenset({"manifest", _TABLES, "vlog", "wal"})
_NUMBERED: Final = re.compile(r"[0-9]{6,20}(?:\.[a-z]+)+")
"""The names of the engine's files in those folders."""

NEW, OLD = "new", "old"
"""Suffixes of the folders beside a database while it is rewritten."""
MAX_KEPT_ASIDE: Final = 2
"""How many unusable databases are kept."""
_TIMESTAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
"""The end of the name of a folder that was moved aside."""


def path_of(url: str) -> tuple[str, str]:
    """Split a surrealkv:// url into its folder in the project, and the options. Raises StoreError."""
    given, mark, options = url.removeprefix(EMBEDDED).partition("?")
    path = posixpath.normpath(given)
    if path in {".", ".."} or path.startswith(("/", "../")) or "\0" in path:
        message = "the embedded database must be in a folder of its own in the project"
        raise StoreError(Problem(message, given, remedy="set store.url to another folder, or leave it out"))
    return path, mark + options


def prepare(root: Path, path: str) -> None:
    """Make and mark the folder, or check that it is kahnd's. Raises NotOwnError if it is not, and OSError."""
    with open_folder(root, path, make=True) as folder:
        marked = MARK in os.listdir(folder)  # noqa: PTH208 - of a descriptor
    _check(root, path, marked=marked)
    if not marked:
        mark = open_file(root, f"{path}/{MARK}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.write(mark, _MARK_TEXT)
        finally:
            os.close(mark)


def is_own(root: Path, path: str) -> bool:
    """Tell whether the folder is a database of kahnd's, and holds nothing else."""
    try:
        with open_folder(root, path) as folder:
            marked = _is_marked(root, path)
            if not marked and not os.listdir(folder):  # noqa: PTH208 - of a descriptor
                return path.startswith(f"{STATE_FOLDER}/")
        _check(root, path, marked=marked)
        return not foreign_in(root, path)
    except OSError:
        return False


def foreign_in(root: Path, path: str) -> list[str]:
    """Return the paths in a database that the engine did not make, relative to the project."""
    return sorted(f"{path}/{name}" for name, own in _entries(root, path) if not own)


def remove(root: Path, path: str) -> bool:
    """Remove a database of kahnd's, and return whether all of it is gone. Files of others in it stay."""
    try:
        with open_folder(root, path) as folder:
            _check(root, path, marked=_is_marked(root, path))
            for name, own in _entries(root, path):
                if own:
                    os.unlink(name, dir_fd=folder)
            for name in _FOLDERS:
                with suppress(OSError):  # it does not exist, or holds files of others
                    os.rmdir(name, dir_fd=folder)
        os.rmdir(root / path)  # noqa: PTH106
    except OSError:
        return False
    return True


class DatabaseFolder:
    """One embedded database's folder; `path` is relative to the project, `full` is absolute."""

    def __init__(self, root: Path, path: str) -> None:
        self.root = root
        self.path = path
        self.full = root / path
        if "?" in str(self.full):  # the engine would take the rest for options
            message = "the embedded database can't be in a folder with a question mark in its name"
            raise StoreError(Problem(message, file=str(self.full), remedy="set store.url to another folder"))

    def prepare(self) -> None:
        """Make and mark the folder, or check that it is kahnd's. Raises StoreError, or StoreLostError."""
        try:
            prepare(self.root, self.path)
        except NotOwnError as error:
            message = f"the database's folder can't be made or used: {error.strerror}"
            raise StoreError(Problem(message, str(self.root / str(error.filename)), remedy=error.remedy)) from error
        except OSError as error:
            raise self.os_error("the database's folder can't be made", error, "check store.url") from error

    def size(self) -> int:
        """Return the bytes in the engine's log and tables. Takes 50 µs. Raises OSError."""
        total = 0
        for entry in os.scandir(self.full):
            if entry.is_dir():
                total += sum(each.stat().st_size for each in os.scandir(entry.path))
        return total

    def tables(self) -> frozenset[Path]:
        """Return the engine's tables: a compaction replaces some by others. Empty if they can't be listed."""
        try:
            return frozenset((self.full / _TABLES).iterdir())
        except OSError:
            return frozenset()

    def is_locked(self) -> bool:
        """Tell whether the engine's own lock is held, by this process or another."""
        try:
            with (self.full / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # there is no lock file, and so no holder
            return False
        return False

    def break_lock(self) -> None:
        """Remove a held lock: an engine that failed to start never releases its own while this process lives."""
        if self.is_locked():
            (self.full / _LOCK).unlink()

    def beside(self, suffix: str) -> str:
        """Return the path of a folder beside this one, relative to the project."""
        return f"{self.path}.{suffix}"

    def finish_replacement(self) -> None:
        """Finish or undo a replacement that was interrupted. Folders that are not kahnd's stay."""
        if not os.path.lexists(self.full) and is_own(self.root, self.beside(OLD)):
            (self.root / self.beside(OLD)).rename(self.full)
        for suffix in (NEW, OLD):
            if is_own(self.root, self.beside(suffix)):
                remove(self.root, self.beside(suffix))

    def check_replaceable(self) -> None:
        """Raise StoreLostError if files that are not kahnd's prevent replacing this folder."""
        self.finish_replacement()
        taken = [each for each in map(self.beside, (NEW, OLD)) if os.path.lexists(self.root / each)]
        if taken or foreign_in(self.root, self.path):
            message = "the database can't be written anew: kahnd did not make all that is in"
            raise self.lost(f"{message} {taken[0] if taken else self.path}", "move it away")

    def replace_by_new(self) -> None:
        """Put the folder `new` in this one's place; a crash at any moment leaves one of them whole."""
        try:
            self.full.rename(self.root / self.beside(OLD))
            (self.root / self.beside(NEW)).rename(self.full)
        except OSError as error:
            raise self.os_error("the database can't be written anew", error, "check its folder") from error
        self.finish_replacement()

    def move_aside(self) -> Path:
        """Rename an unusable database, and return its new path.

        Raises StoreError if files that are not kahnd's are in it, or it can't be renamed.
        """
        if self.full.exists() and (others := foreign_in(self.root, self.path)):
            message = f"the database is unusable, and holds files that kahnd did not make: {', '.join(others)}"
            raise self.error(message, "move them away")
        aside = self.full.with_name(f"{self.full.name}.unusable-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        try:
            self.full.rename(aside)
        except FileNotFoundError:
            return self.full
        except OSError as error:
            raise self.os_error("the database is unusable and can't be moved aside", error, "move it away") from error
        return aside

    def remove_oldest_aside(self) -> None:
        """Remove all databases that were moved aside but the newest few."""
        prefix = f"{self.full.name}.unusable-"
        names = (each.name for each in self.full.parent.iterdir())
        aside = sorted(each for each in names if each.startswith(prefix) and _TIMESTAMP.fullmatch(each[len(prefix) :]))
        for each in aside[:-MAX_KEPT_ASIDE]:
            path = f"{self.path.removesuffix(self.full.name)}{each}"
            if is_own(self.root, path):
                remove(self.root, path)

    def os_error(self, message: str, error: OSError, remedy: str) -> StoreError:
        """Return the exception for an error of the system: StoreLostError if it may pass by itself."""
        text = f"{message}: {error.strerror}"
        return self.lost(text) if error.errno in PRESSING else self.error(text, remedy)

    def lost(self, message: str, remedy: str = "check space, permissions and open files") -> StoreLostError:
        """Return the exception for a problem that may be fixed while kahnd waits."""
        return StoreLostError(Problem(message, file=str(self.full), remedy=remedy))

    def error(self, message: str, remedy: str) -> StoreError:
        """Return the exception for a problem that ends the session."""
        return StoreError(Problem(message, file=str(self.full), remedy=remedy))


def _check(root: Path, path: str, *, marked: bool) -> None:
    """Raise NotOwnError if a link or another user's file is in it, or if it is not marked and not like a database."""
    for name, own in _entries(root, path):
        if own and (error := ownership_problem(root, f"{path}/{name}")):
            raise error
        if not own and not marked:
            raise NotOwnError(f"{path}/{name}", "kahnd did not make this", "set store.url to a folder of its own")
    if not (marked or path.startswith(f"{STATE_FOLDER}/")) and next(_entries(root, path), None):
        remedy = "set store.url to another folder; if kahnd made it, remove it: it is made anew"
        raise NotOwnError(path, "this database has no mark of kahnd's", remedy)


def _entries(root: Path, path: str) -> Iterator[tuple[str, bool]]:
    """Yield all files in the folder and in the engine's folders below it, and whether the engine makes such files."""
    with open_folder(root, path) as folder:
        top = [(each, _mode(folder, each)) for each in sorted(os.listdir(folder))]  # noqa: PTH208 - of a descriptor
    for name, mode in top:
        if name in _FOLDERS and stat.S_ISDIR(mode):
            with open_folder(root, f"{path}/{name}") as below:
                inner = sorted(os.listdir(below))  # noqa: PTH208
            yield from ((f"{name}/{each}", bool(_NUMBERED.fullmatch(each))) for each in inner)
        else:
            yield name, name in _FILES | _FOLDERS


def _mode(folder: int, name: str) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode


def _is_marked(root: Path, path: str) -> bool:
    try:
        os.close(open_file(root, f"{path}/{MARK}", os.O_RDONLY))
    except OSError:
        return False
    return True


TOLERANCE_DIVISOR: Final = 20
"""A history table may exceed its limit by a twentieth, so that it is not pruned by a few records at a time."""

Rewrite = Callable[[], Awaitable[None]]
"""Writes all of the database's records into a new one that takes its place."""


class Maintenance:
    """The upkeep of one workspace's database. A rewrite that fails for want of resources is left for later."""

    def __init__(self, connection: Connection, calls: WorkspaceCalls, limits: Limits) -> None:
        self._connection = connection
        self._calls = calls
        self._limits = limits
        self._max_records = {"render": limits.renders, "build": limits.builds}
        self._records = dict.fromkeys(self._max_records, 0)
        self._has_read_much = False
        self._openings = connection.openings

    async def count_history(self) -> None:
        """Count the history's records. Part of loading: to count them later would use more of the engine's memory."""
        self._records = {table: await self._count(table) for table in self._max_records}

    async def after_load(self, snapshot: Snapshot, rewrite: Rewrite) -> None:
        """Rewrite the database if it is much larger than what was loaded from it."""
        warnings = sum(len(facts.warnings) for facts in snapshot.documents)
        records = len(snapshot.documents) + sum(map(len, snapshot.dependencies.values())) + warnings
        if self._limits.is_swollen(self._connection.size(), records):
            with suppress(StoreLostError):
                await rewrite()
        self._has_read_much = len(snapshot.documents) > FIRST_PAGE
        self._openings = self._connection.openings

    async def release_memory(self) -> None:
        """Free the memory that loading has taken. Mostly takes 130 ms; more if the engine compacts its tables."""
        if self._has_read_much:
            await self._connection.renew()
        self._has_read_much = False

    def added_renders(self, number: int) -> None:
        """Count records that were added to the history."""
        self._records["render"] += number

    async def after_build(self, records: int, rewrite: Rewrite) -> None:
        """Prune the history; and once after each opening, rewrite the database if it has swollen.

        `records`: how many documents and warnings there are.
        """
        self._records["build"] += 1
        await self._prune_history()
        if self._openings == self._connection.openings:
            return
        if await self._is_swollen(records):
            with suppress(StoreLostError):
                await rewrite()
        self._openings = self._connection.openings

    async def _prune_history(self) -> None:
        for table, limit in self._max_records.items():
            if self._records[table] > limit + limit // TOLERANCE_DIVISOR:
                await self._calls.run(queries.prune(table), bound=limit)
                self._records[table] = limit

    async def _is_swollen(self, records: int) -> bool:
        """Edges are only counted if they decide: reading them takes seconds, and they stay in the engine's memory."""
        size = self._connection.size()
        if not self._limits.is_swollen(size, records):
            return False
        return self._limits.is_swollen(size, records + await self._count("depends_on"))

    async def _count(self, table: str) -> int:
        return await self._calls.ask(queries.count(table), int)
