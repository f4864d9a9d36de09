"""The Unix socket where a daemon and its clients meet: its path, its folder, and the user at the other end."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.problem import Problem
from kahnd.core.project_files import CONTROL_SOCKET
from kahnd.errors import UsageError

MAX_ADDRESS_BYTES: Final = 107
"""The longest address of a Unix socket on Linux (`sun_path`, less its closing zero)."""
_ROOT_USER: Final = 0
_UCRED: Final = struct.Struct("3i")
"""Linux's `struct ucred`: process, user, group."""
_XUCRED: Final = struct.Struct("=II")
"""The beginning of `struct xucred` on macOS and FreeBSD: version, user."""
_XUCRED_SIZE: Final = 128
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1


def check_private(folder: Path, owners: Collection[int] = ()) -> None:
    """Check that only this user or `owners` can write to a folder; anybody else could have put a socket there.

    Raises UsageError if others can, and OSError.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.getuid(), *owners}:
        raise UsageError(Problem(f"{folder} is not a folder of your own", remedy="remove it, or set XDG_RUNTIME_DIR"))
    if status.st_mode & 0o022:
        raise UsageError(Problem("others may write there", str(folder), remedy=f"chmod go-w {folder}"))


def project_identity(root: Path) -> str:
    """Return an identifier of a project's folder that is the same whatever path leads to it."""
    status = root.stat()
    return f"{status.st_dev:x}-{status.st_ino:x}"


def socket_path(root: Path) -> Path:
    """Return the path of a project's control socket: in the state folder, or in the runtime folder if that is too long.

    There it is named after the root's real path, so that a daemon and its clients agree. The folder may not exist yet.
    """
    real = root.resolve()
    path = real / CONTROL_SOCKET
    if _fits(path):
        return path
    import hashlib  # noqa: PLC0415 (slow to import, and seldom needed)

    name = f"{hashlib.blake2b(os.fsencode(real), digest_size=16).hexdigest()}.sock"
    return next(path for path in (folder / name for folder in _runtime_folders()) if _fits(path))


def remove_socket(path: Path) -> None:
    """Remove the socket, if there is one."""
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_ADDRESS_BYTES


def _runtime_folders() -> list[Path]:
    """Return folders of the user's own, best first; the last one always fits."""
    uid = os.getuid()
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    runtime = [Path(given)] if given.startswith("/") else []  # XDG Base Directory: ignore a relative path
    usual = Path(f"/run/user/{uid}")
    runtime += [usual] if usual.is_dir() else []
    # Not $TMPDIR: a daemon's environment and a terminal's seldom share it. The server makes the folder private.
    return [*(folder / "kahnd" for folder in runtime), Path(f"/tmp/kahnd-{uid}")]  # noqa: S108


def may_ask(peer: socket.socket) -> bool:
    """Tell whether it is this process's own user, or root; nobody is let in whom the kernel does not know."""
    try:
        return user_of(peer) in {os.geteuid(), _ROOT_USER}
    except (OSError, struct.error):
        return False


def user_of(peer: socket.socket) -> int:
    """The user who connected; raises OSError where the kernel does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(credentials)[1])
    return user_of_bsd(peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE))


def user_of_bsd(credentials: bytes) -> int:
    """The user in a `struct xucred`."""
    version, user = _XUCRED.unpack_from(credentials)
    if version:
        raise OSError(f"credentials of an unknown version: {version}")
    return int(user)
