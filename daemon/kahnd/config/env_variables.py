"""Reads the KAHND_* variables: overrides of single keys, and the store's credentials with the servers they may go to.

A `KAHND_<TABLE>__<KEY>` variable overrides that key of `kahnd.toml`. A user and password are only sent to a server that
the environment names: the `kahnd.toml` of a cloned project could name any server.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kahnd.config.tables import TABLES
from kahnd.config.validation import KeyPath, mismatch, nearest
from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.text import is_encodable

PREFIX: Final = "KAHND_"
USER: Final = "KAHND_STORE__USER"
PASSWORD: Final = "KAHND_STORE__PASSWORD"  # noqa: S105 (a variable's name)
PASSWORD_FOR: Final = "KAHND_STORE__PASSWORD_FOR"  # noqa: S105 (likewise)
_CREDENTIALS: Final = (USER, PASSWORD, PASSWORD_FOR)
"""Variables that override no key of the file."""

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
_RPC: Final = "/rpc"
_UNAMBIGUOUS: Final = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without a backslash: no two parsers read such a URL differently."""


@dataclass(frozen=True)
class Overrides:
    """Settings from the environment: values and variable names by key path, and problems with variables."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    variables: dict[KeyPath, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_overrides(environ: Mapping[str, str]) -> Overrides:
    """Read the variables that begin with `KAHND_` and have the double underscore."""
    known = dict(_known_variables())
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and "__" in name}
    unknown = [_unknown(name, known) for name in sorted(given.keys() - known.keys() - set(_CREDENTIALS))]
    not_text = [
        Problem(f"{name}: its value is not UTF-8") for name, text in sorted(given.items()) if not is_encodable(text)
    ]
    overrides = Overrides(problems=(*unknown, *not_text, *_server_problems(environ)))
    for name in sorted(given.keys() & known.keys()):
        path, kind = known[name]
        overrides.values[path] = _value(given[name], kind)
        overrides.variables[path] = name
    return overrides


def _known_variables() -> list[tuple[str, tuple[tuple[str, str], Any]]]:
    return [
        (f"{PREFIX}{table.upper()}__{each.encode_name.upper()}", ((table, each.encode_name), each.type))
        for table, kind in TABLES.items()
        for each in msgspec.structs.fields(kind)
    ]


def _unknown(name: str, known: Mapping[str, object]) -> Problem:
    return Problem(f"{name}: there is no such key", remedy=nearest(name, [*known, *_CREDENTIALS]))


def _server_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each word of KAHND_STORE__PASSWORD_FOR that names no server, by number: it may be secret."""
    words = enumerate(environ.get(PASSWORD_FOR, "").split(), 1)
    remedy = "write servers as wss://HOST:PORT, with spaces between them"
    return [
        Problem(f"{PASSWORD_FOR}: word {number} names no server", remedy=remedy)
        for number, word in words
        if server_of(word) is None
    ]


def _value(text: str, kind: Any) -> Any:
    """Parse a variable's text as TOML; keep it as text if it is not TOML, or of the wrong type."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed["value"]
    return value if len(parsed) == 1 and (mismatch(value, kind) is None or mismatch(text, kind) is not None) else text


@dataclass(frozen=True, slots=True)
class Server:
    """A database server. `host` is in lower case; an address is in its shortest form."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Tell whether the connection can't be overheard: it is encrypted, or stays on this machine."""
        return self.scheme == "wss" or _is_loopback(self.host)


def server_of(url: str) -> Server | None:
    """Return the server that a `ws://` or `wss://` URL names, or None if the URL is ambiguous."""
    if not _UNAMBIGUOUS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    ambiguous = "@" in parts.netloc or parts.query or parts.fragment or "%" in parts.netloc or _hides_rpc(parts.path)
    if scheme not in _DEFAULT_PORTS or not host or ambiguous:
        return None
    return Server(scheme, _normalized(host), port if port is not None else _DEFAULT_PORTS[scheme])


def credentials_problem(url: str, *, from_environment: bool, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return why the credentials may not be sent to this URL, with a remedy; None if they may, or there are none.

    `from_environment` says that the environment, not the file, names the URL.
    """
    if not environ.get(USER):
        return None
    server = server_of(url)
    if server is None:
        message = f"store.url can't be understood, and {PASSWORD} is not sent there"
        return message, "write ws://HOST:PORT/rpc or wss://HOST:PORT/rpc"
    if not from_environment and server not in _allowed_servers(environ):
        message = (
            f"{CONFIG_FILE} names the server {server}, and {PASSWORD} is not sent to a server that only a file names"
        )
        return message, f"if the server is yours, set {PASSWORD_FOR}={server} in the environment"
    if not server.is_private:
        message = f"{PASSWORD} is not sent to {server}, since the connection is not encrypted"
        return message, "use wss://, or a tunnel to a port of this machine"
    return None


def _allowed_servers(environ: Mapping[str, str]) -> frozenset[Server | None]:
    return frozenset(map(server_of, environ.get(PASSWORD_FOR, "").split())) - {None}


def _hides_rpc(path: str) -> bool:
    """Tell whether `/rpc` is in the path other than at its end: the database's client removes it wherever it is."""
    return _RPC in path.rstrip("/").removesuffix(_RPC)


def _normalized(host: str) -> str:
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
