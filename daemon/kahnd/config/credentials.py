"""Where the store's user and password may be sent: only to a server that the environment names.

A project's `kahnd.toml` may be anybody's, such as a clone's, and could name any server.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

USER: Final = "KAHND_STORE__USER"
PASSWORD: Final = "KAHND_STORE__PASSWORD"  # noqa: S105 (a variable's name)
PASSWORD_FOR: Final = "KAHND_STORE__PASSWORD_FOR"  # noqa: S105 (likewise)
URL: Final = "KAHND_STORE__URL"
_PORTS: Final = {"ws": 80, "wss": 443}
_RPC: Final = "/rpc"
_PLAIN: Final = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without a backslash: no two parsers read such a URL differently."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A server: `host` in lower case, an address in its shortest form."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read what is sent there: it is encrypted, or stays on this machine."""
        return self.scheme == "wss" or _is_loopback(self.host)


def origin_of(url: str) -> Origin | None:
    """The server that a `ws://` or `wss://` URL names; None where it is not plain which one that is."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    unclear = "@" in parts.netloc or parts.query or parts.fragment or "%" in parts.netloc or not _is_plain(parts.path)
    if scheme not in _PORTS or not host or unclear:
        return None
    return Origin(scheme, _shortest(host), port if port is not None else _PORTS[scheme])


def refusal(url: str, *, named: bool, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Why user and password may not be sent to this URL, and the remedy; None where they may, or there are none.

    `named`: the environment itself names the URL.
    """
    if not environ.get(USER):
        return None
    origin = origin_of(url)
    if origin is None:
        message = f"store.url can't be understood, and {PASSWORD} is not sent there"
        return message, "write ws://HOST:PORT/rpc or wss://HOST:PORT/rpc"
    if not named and origin not in allowed(environ):
        message = f"kahnd.toml names the server {origin}, and {PASSWORD} is not sent to a server that only a file names"
        return message, f"if the server is yours, set {PASSWORD_FOR}={origin} in the environment"
    if not origin.is_private:
        message = f"{PASSWORD} is not sent to {origin}, since the connection is not encrypted"
        return message, "use wss://, or a tunnel to a port of this machine"
    return None


def allowed(environ: Mapping[str, str]) -> frozenset[Origin | None]:
    """The servers that may have the password, besides one that KAHND_STORE__URL names."""
    return frozenset(map(origin_of, environ.get(PASSWORD_FOR, "").split())) - {None}


def unclear_servers(environ: Mapping[str, str]) -> list[int]:
    """Which words of KAHND_STORE__PASSWORD_FOR name no server, from 1 on: a word may hold the password."""
    words = environ.get(PASSWORD_FOR, "").split()
    return [number for number, word in enumerate(words, 1) if origin_of(word) is None]


def _is_plain(path: str) -> bool:
    """Whether `/rpc` is at the path's end, if anywhere: the database's client removes it wherever it stands."""
    return _RPC not in path.rstrip("/").removesuffix(_RPC)


def _shortest(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
