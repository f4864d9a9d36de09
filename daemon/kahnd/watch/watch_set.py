"""Decides which paths are watched, and how: by the kernel's events, by polling, or not at all.

A folder is polled if the kernel refuses to watch it, or if its file system can change without this machine's kernel:
a network file system, or one by which a virtual machine or a container sees its host's files.
"""

from __future__ import annotations

import errno
import math
import os
import posixpath
import re
import stat as modes
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kahnd.core.project_files import CONFIG_FILE, COOKIES
from kahnd.core.rules import is_below
from kahnd.watch.backends.protocol import Backend
from kahnd.watch.git import GITIGNORE, outer_ignore_files
from kahnd.watch.ignore import (
    is_never_document,
    is_utf8,
    normal_path,
    with_ancestors,
)
from kahnd.watch.tree.links import Links

Polling = Literal["auto", "always", "never"]
Events = Literal["auto", "inotify", "watchfiles"]

_REMOTE_TYPES: Final = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|virtiofs|afs|ceph|coda|lustre|gfs2|ocfs2|fuse(\..*)?|fakeowner|vboxsf|prl_fs|vmhgfs|drvfs"
)
"""File system types (see proc(5)) that others can change without an event here."""
_MOUNTS: Final = Path("/proc/self/mountinfo")
_RAISE_LIMITS: Final = "sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024"
_REMEDIES: Final = {
    errno.ENOSYS: 'set events in [watch] to "auto"',
    errno.EIO: "remove the cause that the error names",
}
_SHORT_LIFE_S: Final = 10.0
"""A watch that failed this soon will probably fail again, so it is not restarted at once."""
_MAX_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """The part of the configuration that decides what is watched, and how.

    `session_files` are the files that a session is built on besides kahnd.toml (plug-ins), absolute or relative to the
    project. `output` is the output folder.
    """

    root: Path
    sources: tuple[str, ...]
    session_files: frozenset[str] = frozenset()
    output: str | None = None
    settle_ms: int = 10
    polling: Polling = "auto"
    events: Events = "auto"


class Scope:
    """The paths that matter to a watcher, and what each is. Project paths; the project itself is "".

    `tops` are watched with everything below them that can be a document: the sources and the output folder. `shallow`
    folders are watched without their subfolders, for the `single_files` in them: session files and ignore files.
    """

    def __init__(self, settings: WatchSettings) -> None:
        self.root = os.path.abspath(settings.root)  # noqa: PTH100  a link to the project folder stays as it was given
        self.sources = tuple(sorted(set(map(normal_path, settings.sources))))
        output = settings.output
        if output is not None and any(is_below(source, output) for source in self.sources):
            output = None
        self.output = None if output is None else normal_path(output)
        self.session_files = frozenset(map(self._relative, settings.session_files)) | {CONFIG_FILE}
        parents = {folder for source in self.sources for folder in with_ancestors(posixpath.dirname(source))} | {""}
        session_folders = {posixpath.dirname(file) for file in self.session_files if not file.startswith("../")}
        self.tops = (*self.sources, *([self.output] if self.output else []))
        self.shallow = tuple(parents | session_folders)
        outer = outer_ignore_files(self.root)
        self._outer_ignore_files = frozenset(posixpath.relpath(file.path, self.root) for file in outer)
        gitignores = {posixpath.join(parent, GITIGNORE) for parent in parents}
        self.single_files = self.session_files | self._outer_ignore_files | gitignores

    def absolute(self, path: str) -> str:
        """Returns a project path as an absolute one."""
        return posixpath.normpath(posixpath.join(self.root, path))

    def file_size(self, path: str) -> int | None:
        """Returns a regular file's size in bytes; None if there is none."""
        try:
            found = os.lstat(self.absolute(path))
        except OSError:
            return None
        return found.st_size if modes.S_ISREG(found.st_mode) else None

    def can_be_document(self, path: str) -> bool:
        """Returns whether a path lies in a source, outside the output folder, and has no name that is never a document.

        A name that is not UTF-8 passes: the tree warns of it.
        """
        return (
            any(is_below(path, source or ".") for source in self.sources)
            and not self.is_output(path)
            and (not is_utf8(path) or not any(map(is_never_document, path.split("/"))))
        )

    def is_output(self, path: str) -> bool:
        """Returns whether a path is the output folder or lies below it."""
        return self.output is not None and is_below(path, self.output)

    def has_ignore_file(self, paths: Iterable[str]) -> bool:
        """Returns whether ignore rules may have changed with these paths."""
        return any(posixpath.basename(path) == GITIGNORE or path in self._outer_ignore_files for path in paths)

    def has_session_file(self, paths: Iterable[str]) -> bool:
        """Returns whether one of these paths is a file that the session is built on."""
        return not self.session_files.isdisjoint(paths)

    def _relative(self, file: str) -> str:
        return normal_path(posixpath.relpath(self.absolute(file), self.root))


class WatchSet:
    """Keeps the backend's watches as they should be.

    `backend_name` is "inotify" or "watchfiles"; `backend` is None while there are no events. `unwatched` are the
    topmost folders that the kernel refuses to watch. `overflows` counts how often events were lost or may have been.
    """

    def __init__(self, links: Links, scope: Scope, settings: WatchSettings, log: Callable[..., None]) -> None:
        self._links = links
        self._scope = scope
        self._polling = settings.polling
        self._log = log
        default = "inotify" if sys.platform == "linux" else "watchfiles"
        self.backend_name = default if settings.events == "auto" else settings.events
        self.backend: Backend | None = None
        self.unwatched: tuple[str, ...] = ()
        self.overflows = 0
        self._started_at = self._retry_at = -math.inf
        self._failures = 0
        self._remote: frozenset[str] = frozenset()

    @property
    def polled(self) -> frozenset[str]:
        """The topmost folders that have to be polled."""
        refused = () if self._polling == "never" else (folder for folder in self.unwatched if folder != COOKIES)
        return self._remote.union(refused)

    def is_watched(self, top: str) -> bool:
        """Returns whether changes in one of the tops are reported as events."""
        without_events = (*self._remote, *self.unwatched)
        return self.backend is not None and not any(is_below(top, folder or ".") for folder in without_events)

    def is_link_target(self, path: str) -> bool:
        """Returns whether a link in one of the tops leads to this path, which lies outside of all of them."""
        return self.backend is not None and self.backend.is_link_target(path)

    async def renew(self) -> None:
        """Compares the watched folders with those that should be watched, and corrects them."""
        if self._polling == "always":
            self._remote = frozenset(self._scope.tops)
            return
        if self.backend is None:
            self._start()
        if self.backend is None:
            return
        self._find_remote()
        try:
            await self.backend.watch([COOKIES, *(top for top in self._scope.tops if top not in self._remote)])
        except OSError as error:
            self._failures += 1
            self._pause(error)
        else:
            self.report_refused()

    def close(self) -> None:
        """Ends the watch."""
        if self.backend is not None:
            with suppress(OSError):  # it is closed all the same
                self.backend.close()

    def abandon(self, error: OSError) -> None:
        """Gives up a watch that failed. `renew` starts a new one, after a growing pause if watches keep failing."""
        is_short = time.monotonic() - self._started_at < _SHORT_LIFE_S
        self._failures = self._failures + 1 if is_short else 1
        if self._failures > 1:
            self._pause(error)
        else:
            self._log("watch.renewed", reason=str(error))
            self._end()

    async def retry_refused(self) -> None:
        """Tries again to watch the refused folders: the kernel's limits may have been raised."""
        if self.backend is not None and self.backend.refused:
            await self.backend.retry_refused()

    def report_refused(self) -> None:
        """Logs which folders the kernel refuses to watch, if that has changed."""
        if self.backend is not None:
            self._report(self.backend.refused)

    def report_overflow(self, reason: str) -> None:
        """Counts and logs that events were lost or may have been."""
        self.overflows += 1
        self._log("watch.overflow", reason=reason)

    def _start(self) -> None:
        if time.monotonic() < self._retry_at:
            return
        try:
            self.backend = self._new_backend()
            self._started_at = time.monotonic()
        except OSError as error:
            self._report(dict.fromkeys(self._scope.tops, error))

    def _new_backend(self) -> Backend:
        """Imports a backend only when it is used: not every system has each, and imports slow down the start."""
        if self.backend_name == "watchfiles":
            from kahnd.watch.backends.watchfiles import WatchfilesBackend  # noqa: PLC0415

            return WatchfilesBackend(self._links, self._is_deep, COOKIES)
        if sys.platform == "linux":
            from kahnd.watch.backends.inotify import InotifyBackend  # noqa: PLC0415

            return InotifyBackend(self._links, self._is_deep, self._scope.shallow)
        raise OSError(errno.ENOSYS, "this system has no inotify")

    def _pause(self, error: OSError) -> None:
        """Does without events for a while."""
        self._end()
        self._retry_at = time.monotonic() + min(2.0**self._failures, _MAX_PAUSE_S)
        self._report(dict.fromkeys(self._scope.tops, error))

    def _end(self) -> None:
        self.close()
        self.backend = None

    def _find_remote(self) -> None:
        mounts = mount_table() if self._polling == "auto" else ""
        remote = frozenset(top for top in self._scope.tops if is_remote(self._links.absolute(top), mounts))
        if remote - self._remote:
            self._log(
                "watch.polling", folders=sorted(remote), reason="their file system tells of no changes made elsewhere"
            )
        self._remote = remote

    def _report(self, refused: Mapping[str, OSError]) -> None:
        before, self.unwatched = self.unwatched, tuple(sorted(refused))
        if before == self.unwatched:
            return
        if refused:
            error = next(iter(refused.values()))
            then = "not watched" if self._polling == "never" else "looked at every second instead"
            remedy = _REMEDIES.get(error.errno or 0, _RAISE_LIMITS)
            self._log("watch.unwatched", folders=self.unwatched, then=then, error=str(error), remedy=remedy)
        else:
            self._log("watch.restored")

    def _is_deep(self, path: str) -> bool:
        in_top = any(is_below(path, top or ".") for top in (COOKIES, *self._scope.tops))
        return in_top and not is_never_document(posixpath.basename(path))


# File systems without events


def mount_table() -> str:
    """Returns the kernel's table of mounts; empty on a system without one."""
    try:
        return _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return ""


def is_remote(path: str, mounts: str) -> bool:
    """Returns whether a path's file system can change without this machine's kernel; `mounts` from `mount_table`."""
    real = os.path.realpath(path)
    matching = [(point, kind) for point, kind in map(_mount, mounts.splitlines()) if f"{real}/".startswith(f"{point}/")]
    innermost = max(enumerate(matching), key=lambda each: (len(each[1][0]), each[0]), default=(0, ("", "")))
    return _REMOTE_TYPES.fullmatch(innermost[1][1]) is not None


def _mount(line: str) -> tuple[str, str]:
    """Returns the mount point (the root as "") and the file system type of a line."""
    words, _, kinds = line.partition(" - ")
    point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words.split(" ")[4])
    return point.rstrip("/"), kinds.split(" ")[0]
