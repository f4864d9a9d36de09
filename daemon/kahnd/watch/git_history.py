"""When commits of the repository have changed files last, as the program `git` tells it.

Nothing that a repository configures can run another program here: no hooks, pagers, diff programs or remotes. git's
folder is not watched. A look at the files that name the commit which is checked out tells whether there is news.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from kahnd.core.model import DocumentId
from kahnd.watch.git import first_line, git_folder, repository_of, shared_git_folder

TIMEOUT_S: Final = 120.0
"""The limit on one call of git; to read a million commits takes less."""
RETRY_S: Final = 10.0
"""When git is asked again after a failure."""
_GRANULARITY_S: Final = 2.0
_SAFE: Final = (
    *("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "log.showSignature=false", "-c", "protocol.allow=never"),
)
_VARIABLES: Final = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_LOG: Final = (
    *("log", "--no-merges", "--relative", "--name-only", "--no-renames", "--diff-filter=d", "-z", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--no-show-signature", "--ignore-submodules=all", "--encoding=UTF-8"),
)
_REFS: Final = ("packed-refs", "reftable/tables.list", "shallow")
_CHUNK: Final = 1 << 16
_NO_COMMIT: Final = 1
"""git's exit code for a name that no commit has."""
_Stat: TypeAlias = tuple[int, int, int] | None


class GitHistory:
    """When commits have changed the files of a project last; `told` is called with the reason if that is not known.

    The date of a file is the latest of the commits that have changed it, without merges. So it does not depend on the
    order of commits, and where commits have only been added, reading these is enough.
    """

    def __init__(self, root: Path, told: Callable[[str, str], None], is_source: Callable[[str], bool]) -> None:
        self._root = root
        self._told = told
        self._is_source = is_source
        self._stats: tuple[_Stat, ...] | None = None
        self._head: tuple[str, tuple[str, ...]] = ("", ())
        """The commit that is checked out, and the oldest ones of a shallow clone, which seem to have made all files."""
        self._dates: dict[DocumentId, int] = {}
        self._due = 0.0
        self._told_last = ""

    def look(self) -> Mapping[DocumentId, int | None]:
        """Returns the dates that differ from those of the last look; None for a file without one. Blocking.

        After a failure, the dates stay as they are until a later look succeeds.
        """
        now = time.time()
        if now < self._due:
            return {}
        try:
            stats = self._look_at_refs()
            if stats == self._stats and not _is_recent(stats, now):
                return {}
            head = (self._commit(), self._oldest()) if stats else ("", ())
            changed = self._changed(head) if head != self._head else {}
        except (OSError, _GitError) as error:
            self._tell(f"it can't be told when commits have changed pages last: {error}", "see what `git log` says")
            self._due = now + RETRY_S
            return {}
        self._stats, self._head = stats, head
        return changed

    def _changed(self, head: tuple[str, tuple[str, ...]]) -> Mapping[DocumentId, int | None]:
        """Takes in the commits that the last look did not know; returns the dates that differ."""
        commit, oldest = head
        if oldest:
            message = "the clone is shallow: pages that no later commit has changed have no date"
            self._tell(message, "get all commits by `git fetch --unshallow`")
        if commit and self._head[0] and oldest == self._head[1] and self._is_ancestor(self._head[0], commit):
            new = self._latest(f"{self._head[0]}..{commit}", oldest)
            later = {path: date for path, date in new.items() if date > self._dates.get(path, -1)}
            self._dates |= later
            return dict(later)
        known, self._dates = self._dates, self._latest(commit, oldest) if commit else {}
        gone = dict.fromkeys(known.keys() - self._dates.keys())
        return {**{path: date for path, date in self._dates.items() if known.get(path) != date}, **gone}

    def _latest(self, commits: str, oldest: Iterable[str]) -> dict[DocumentId, int]:
        """Returns the latest date of each file that some commits have changed."""
        found: dict[DocumentId, int] = {}
        mark, date, is_first, cut = secrets.token_hex(16), -1, False, frozenset(oldest)
        for field in _fields(self._run(*_LOG, f"--format=%x00{mark} %H %ct", commits, "--")):
            if field.startswith(mark):
                _, commit, seconds = field.split(" ")
                date, is_first = (-1 if commit in cut else max(int(seconds), 0)), True
            elif field:
                path = DocumentId(field.removeprefix("\n") if is_first else field)
                is_first = False
                if date > found.get(path, -1) and self._is_source(path):
                    found[path] = date
        return found

    def _tell(self, message: str, remedy: str) -> None:
        if message != self._told_last:
            self._told_last = message
            self._told(message, remedy)

    def _look_at_refs(self) -> tuple[_Stat, ...]:
        """Returns the stats of the files that name the commit which is checked out; empty without a repository."""
        git = repository_of(self._root)
        if git is None:
            return ()
        own = git_folder(git)
        shared = shared_git_folder(own)
        named = first_line(own / "HEAD").removeprefix("ref:").strip()
        return tuple(map(_stat_of, (own / "HEAD", own / named, *(shared / each for each in (named, *_REFS)))))

    def _commit(self) -> str:
        """Returns the commit that is checked out; empty before the first one."""
        try:
            return b"".join(self._run("rev-parse", "--verify", "--quiet", "HEAD")).decode("ascii").strip()
        except _GitError as error:
            if error.code == _NO_COMMIT:
                return ""
            raise

    def _oldest(self) -> tuple[str, ...]:
        git = repository_of(self._root)
        return tuple(first_line(shared_git_folder(git_folder(git)) / "shallow").split()) if git else ()

    def _is_ancestor(self, one: str, other: str) -> bool:
        try:
            list(self._run("merge-base", "--is-ancestor", one, other))
        except _GitError:
            return False  # also if that commit is there no more
        return True

    def _run(self, *words: str) -> Iterator[bytes]:
        """Yields the output of git, in pieces. Raises _GitError if it fails or takes too long, and OSError."""
        program = shutil.which("git")
        if program is None:
            raise _GitError("there is no program `git`", -1)
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        with subprocess.Popen(  # noqa: S603 - git, by its path
            (program, *_SAFE, *words),
            cwd=self._root,
            env=own | _VARIABLES,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            timer = threading.Timer(TIMEOUT_S, running.kill)
            timer.start()
            try:
                assert running.stdout is not None  # noqa: S101 - a pipe
                assert running.stderr is not None  # noqa: S101 - a pipe
                while piece := running.stdout.read(_CHUNK):
                    yield piece
                message = running.stderr.read(_CHUNK).decode(errors="replace").strip().partition("\n")[0]
                running.wait()
            finally:
                timer.cancel()
                running.kill()
        if running.returncode:
            raise _GitError(message or f"`git {words[0]}` ended with {running.returncode}", running.returncode)


class _GitError(Exception):
    """The program `git` failed, with this exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def _fields(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yields the texts between the NULs of an output."""
    rest = b""
    for piece in pieces:
        *fields, rest = (rest + piece).split(b"\0")
        yield from map(os.fsdecode, fields)
    yield os.fsdecode(rest)


def _stat_of(file: Path) -> _Stat:
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _is_recent(stats: tuple[_Stat, ...], now: float) -> bool:
    """Tells whether a file is so new that a further change of it may leave the same stat."""
    return any(each and now - each[2] / 1e9 < _GRANULARITY_S for each in stats)
