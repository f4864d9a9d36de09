"""The control socket itself: where it stands, for whose eyes, and what becomes of it without files to be had."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kahnd.own_files import NotOwnError
from kahnd.service.paths import check_private, unkept

REST_S: Final = 0.5
"""Half of what the event loop rests after it was told that there is no file for a connection."""
_REMEDIES: Final = {
    errno.EISDIR: "remove the folder that stands there",
    errno.EPERM: "remove what stands there",
    errno.EADDRINUSE: "remove what stands there",
}


class _Listener(socket.socket):
    """After a connection that could not be accepted, none is tried for a while.

    The event loop calls again at once, a hundred times, and adds as many later tries.
    """

    _resting_until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; BlockingIOError where there is none, or none is tried for now."""
        if time.monotonic() < self._resting_until:
            raise BlockingIOError
        try:
            return super().accept()
        except BlockingIOError:
            raise
        except OSError:
            self._resting_until = time.monotonic() + REST_S
            raise


def bound(path: Path) -> socket.socket:
    """A socket there, that only its owner can open; one that was left there goes. Raises UsageError, PlaceError."""
    place = path.parent
    try:
        _make_private(place)
        place = path
        listener = _Listener(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind(listener, path)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see to space and permissions there")
        raise unkept("the control socket can't be made", place, remedy, error) from error
    return listener


def _bind(listener: socket.socket, path: Path) -> None:
    mask = os.umask(0o177)
    try:
        _clear(path)
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)


def remove_socket(path: Path) -> None:
    """Remove the socket, if one stands there, when its server is done."""
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _clear(path: Path) -> None:
    """Remove a socket that was left there; anything else is not kahnd's."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISDIR(mode)):  # a folder is for the system to refuse
            raise NotOwnError(str(path), "this is no socket", "move it away: kahnd makes it anew")
        path.unlink()


def _make_private(folder: Path) -> None:
    """Raises UsageError where somebody else made it, or could write there."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    check_private(folder)
