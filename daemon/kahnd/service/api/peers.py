"""Who is at the other end of a Unix socket, as the kernel tells."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

_ROOT: Final = 0
_LINUX: Final = struct.Struct("3i")
"""`struct ucred`: process, user, group."""
_BSD: Final = struct.Struct("=II")
"""How `struct xucred` begins, on macOS and FreeBSD: version, user."""
_BSD_SIZE: Final = 128
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1


def may_ask(peer: socket.socket) -> bool:
    """Whether it is this process's own user, or root; nobody is let in whom the kernel does not know."""
    try:
        return user_of(peer) in {os.geteuid(), _ROOT}
    except (OSError, struct.error):
        return False


def user_of(peer: socket.socket) -> int:
    """The user who connected; raises OSError where the kernel does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX.size)
        return int(_LINUX.unpack(credentials)[1])
    return user_of_bsd(peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _BSD_SIZE))


def user_of_bsd(credentials: bytes) -> int:
    """The user in a `struct xucred`."""
    version, user = _BSD.unpack_from(credentials)
    if version:
        raise OSError(f"credentials of an unknown version: {version}")
    return int(user)
