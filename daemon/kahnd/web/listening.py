"""Finds a port that is free, and the addresses under which the preview is reached."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from kahnd.core.problem import Problem

TRIED: Final = 100
"""The number of ports that are tried after the one that is configured."""
LAST_PORT: Final = 65_535
Address = tuple[int, str | int]
"""A family of addresses, and an address of it."""
_BACKLOG: Final = 128
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to recognise it
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REMEDIES: Final = {
    errno.EACCES: "choose a port above 1023 for `port` in [serve]",
    errno.EADDRNOTAVAIL: "name an address of this machine as the host",
    errno.EADDRINUSE: "end what uses these ports, or choose another `port` in [serve]",
}


class CannotListenError(Exception):
    """There is no port to be had at the host; `problem` says why, and what to do."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        words = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "correct `host` in [serve], or --host")
        self.problem = Problem(f"the preview can't be served at {shown_host(host)}:{port}: {words}", remedy=remedy)
        super().__init__(self.problem.message)


@dataclass(frozen=True, slots=True)
class Bound:
    """Sockets that are bound to one port at all addresses of a host."""

    sockets: Sequence[socket.socket]
    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Tells whether only this machine can reach it."""
        return all(ipaddress.ip_address(each.getsockname()[0]).is_loopback for each in self.sockets)

    @property
    def names(self) -> frozenset[str]:
        """The names that a request's Host may have."""
        return _LOOPBACK | {shown_host(self.host)}

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        host = "127.0.0.1" if self.host in _ANY else self.host
        return f"http://{shown_host(host)}:{self.port}/"


def bind(host: str, port: int) -> Bound:
    """Binds the port at all addresses of a host, or the next one that is free. Raises CannotListenError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CannotListenError(host, port, OSError(0, f"the host can't be found: {error}")) from None
    addresses = _usable(list(dict.fromkeys((family, address[0]) for family, _, _, _, address in found)))
    failure = OSError(errno.EADDRINUSE, "no port is free")
    for each in range(port, min(port + TRIED, LAST_PORT) + 1) if port else (0,):
        try:
            return Bound(_bound(addresses, each), host, each) if each else _any_port(addresses, host)
        except OSError as error:
            failure = error
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                break
    raise CannotListenError(host, port, failure)


def shown_host(host: str) -> str:
    """Returns a host as URLs and Host headers have it."""
    return f"[{host}]".lower() if ":" in host else host.lower()


def _usable(addresses: Sequence[Address]) -> Sequence[Address]:
    """Leaves out addresses that the machine does not have (a `localhost` of IPv6), unless it has none of them."""
    usable = []
    for each in addresses if len(addresses) > 1 else ():
        with suppress(OSError):
            _bound([each], 0)[0].close()
            usable.append(each)
    return usable or addresses


def _any_port(addresses: Sequence[Address], host: str) -> Bound:
    first = _bound(addresses[:1], 0)
    port = first[0].getsockname()[1]
    try:
        return Bound([*first, *_bound(addresses[1:], port)], host, port)
    except OSError:
        first[0].close()
        raise


def _bound(addresses: Sequence[Address], port: int) -> list[socket.socket]:
    with ExitStack() as undo:
        sockets = [undo.enter_context(socket.socket(family, socket.SOCK_STREAM)) for family, _ in addresses]
        for each, (family, address) in zip(sockets, addresses, strict=True):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, len(addresses) > 1)  # `::` alone is both
            each.bind((address, port))
            each.listen(_BACKLOG)
        undo.pop_all()
        return sockets
