"""Where a daemon and its clients meet."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from kahnd.core.problem import Problem
from kahnd.errors import KahndError, PlaceError, UsageError
from kahnd.own_files import NotOwnError

LONGEST_ADDRESS: Final = 107
"""Bytes that fit a Unix socket's address on Linux (`sun_path`, less its closing zero)."""

_LASTING: Final = frozenset(
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
"""What somebody has to mend; all else (a disk that is full, read-only or away) may pass by itself."""


def unkept(message: str, path: Path, remedy: str, error: OSError) -> KahndError:
    """What to raise where a file of kahnd's own can't be kept: whoever restarts daemons tells by it whether to try."""
    if isinstance(error, NotOwnError):
        return UsageError(Problem(f"{message}: {error.strerror}", str(error.filename), remedy=error.remedy))
    kind = UsageError if error.errno in _LASTING else PlaceError
    return kind(Problem(f"{message}: {error.strerror or error}", str(path), remedy=remedy))


def check_private(folder: Path, owners: Collection[int] = ()) -> None:
    """In a folder that others can write to, anybody could have put a socket. Raises UsageError, OSError.

    `owners` may have it, beside the user of this process.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), *owners}:
        raise UsageError(Problem(f"{folder} is not a folder of your own", remedy="remove it, or set XDG_RUNTIME_DIR"))
    if found.st_mode & 0o022:
        raise UsageError(Problem("others may write there", str(folder), remedy=f"chmod go-w {folder}"))


def identity(root: Path) -> str:
    """What tells one project's folder from another, whichever way one came to it."""
    found = root.stat()
    return f"{found.st_dev:x}-{found.st_ino:x}"


def socket_path(root: Path) -> Path:
    """A project's control socket: below `.kahnd/`, or in the user's runtime folder where that path is too long.

    The name there comes from the root's real path, so that a daemon and its clients agree. The folder may have to
    be made.
    """
    real = root.resolve()
    near = real / ".kahnd" / "control.sock"
    if _fits(near):
        return near
    import hashlib  # noqa: PLC0415 (slow to import, and seldom needed)

    name = f"{hashlib.blake2b(os.fsencode(real), digest_size=16).hexdigest()}.sock"
    return next(path for path in (folder / name for folder in _runtime_folders()) if _fits(path))


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_ADDRESS


def _runtime_folders() -> list[Path]:
    """Folders of the user's own, best first; the last is always short enough."""
    uid = os.getuid()
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    own = [Path(given)] if given.startswith("/") else []  # a relative one is to be ignored (XDG Base Directory)
    usual = Path(f"/run/user/{uid}")
    own += [usual] if usual.is_dir() else []
    # Not $TMPDIR, which a daemon's environment and a terminal's seldom share. The server makes the folder its own.
    return [*(folder / "kahnd" for folder in own), Path(f"/tmp/kahnd-{uid}")]  # noqa: S108
