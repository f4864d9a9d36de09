"""What the service manager is told: sd_notify(3), by datagrams; never blocking, and no error of the daemon's.

By a socket of our own: of the libraries, sdnotify has had no release since 2017 and blocks where the manager does not
read; systemd-python and cysystemd are bindings to a C library that has to be there, for one call of it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final, Self

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_USEC: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
VARIABLES: Final = frozenset({SOCKET, WATCHDOG_USEC, WATCHDOG_PID})
"""What the manager says to this process alone: neither workers nor the programs they run are to speak for it."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """`address` is the manager's socket ("": there is none); it wants a sign of life each `watchdog_s`, if any."""

    address: str = ""
    watchdog_s: float | None = None

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Self:
        """As the environment says, and out of that: nobody is to inherit it."""
        given = {name: environ.pop(name, "") for name in VARIABLES}
        address = given[SOCKET]
        if not address.startswith(("/", "@")):
            return cls()
        ours = given[WATCHDOG_PID] in {"", str(os.getpid())}
        limit = given[WATCHDOG_USEC] if ours and given[WATCHDOG_USEC].isdecimal() else "0"
        return cls(address, int(limit) / 1e6 or None)

    def tell(self, *lines: str) -> bool:
        """Send one message; whether it has gone. One that has not (the manager is busy, or gone) may be sent again."""
        # a leading @ stands for a zero byte: a name that is in no folder
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(), name)
        except OSError:  # also where this process may open no more files
            return False
        return True
