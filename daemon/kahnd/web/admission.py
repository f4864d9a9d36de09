"""Admits or refuses requests to the preview, by their heads alone, before anything else looks at them.

Any page in any tab can send requests to this machine. Three facts tell kahnd's own pages from those: the Host, which a
name that was pointed here does not have (DNS rebinding); the Origin and Sec-Fetch headers, which pages can't forge; and
a token that only kahnd's own pages know. No answer lets another origin read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from secrets import compare_digest
from typing import Final

READING: Final = frozenset({"GET", "HEAD"})
_AUTHORITY: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN: Final = re.compile(r"null|(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^\s/?#@]*)")
_SCHEMES: Final = {"http": "80", "https": "443"}
"""The schemes of pages that kahnd may have served (https: behind a proxy), with their usual ports."""
_OWN_SITES: Final = frozenset({"", "none", "same-origin"})
"""Values of Sec-Fetch-Site: not sent, typed by the user, by a page of the same origin."""
_PAGES: Final = frozenset({"", "document", "iframe", "frame"})
"""Values of Sec-Fetch-Dest for what a browser shows as a page of its own, which the page around it can't read."""


@dataclass(frozen=True, slots=True)
class Head:
    """The parts of a request's head that tell who sent it. Headers that are absent are empty.

    `hosts` and `origins` are all values of these headers. `tokens` are those that it shows in its address or a header,
    `cookie` the one in its cookie.
    """

    method: str
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    fetch_dest: str = ""
    forwarded_host: str = ""
    is_upgrade: bool = False
    tokens: Sequence[str] = ()
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where the preview is: the names that it has, its port, the token, and whether reading needs that too.

    With `is_locked`, other machines can reach it: any Host may name it (a proxy may have any), since the token proves
    more than a name does.
    """

    names: frozenset[str]
    port: int
    token: str
    is_locked: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status of a refused request, and the reason as text."""

    status: HTTPStatus
    reason: str


def refusal(head: Head, entrance: Entrance) -> Refusal | None:
    """Returns why a request is refused; None if it is admitted."""
    checks: tuple[Callable[[Head, Entrance], Refusal | None], ...] = (_host, _method, _origin, _site, _token)
    return next((found for check in checks if (found := check(head, entrance))), None)


def shows_token(head: Head, entrance: Entrance) -> bool:
    """Tells whether the request's address or header, not only its cookie, has the token."""
    return any(_is_token(each, entrance) for each in head.tokens)


def _host(head: Head, entrance: Entrance) -> Refusal | None:
    if len(head.hosts) != 1 or not (host := _AUTHORITY.fullmatch(head.hosts[0])):
        return Refusal(HTTPStatus.BAD_REQUEST, "the request has no Host, or one that is no name")
    if entrance.is_locked:
        return None
    if host["name"].lower() not in entrance.names or int(host["port"] or 80) != entrance.port:
        return Refusal(HTTPStatus.FORBIDDEN, "the request's Host is not the address of this preview")
    return None


def _origin(head: Head, entrance: Entrance) -> Refusal | None:
    if not head.origins:
        is_needed = head.is_upgrade or head.method not in READING
        return Refusal(HTTPStatus.FORBIDDEN, "the request has no Origin") if is_needed else None
    if len(head.origins) > 1 or not _ORIGIN.fullmatch(head.origins[0]):
        return Refusal(HTTPStatus.BAD_REQUEST, "the request's Origin is no origin")
    return None if _is_own(head.origins[0], head, entrance) else _FOREIGN


def _is_own(origin: str, head: Head, entrance: Entrance) -> bool:
    """Tells whether an origin is the preview's. Behind a proxy it is that of the proxy, which may replace the Host."""
    found = _ORIGIN.fullmatch(origin)
    usual = _SCHEMES.get(found["scheme"] or "") if found else None
    if found is None or usual is None or not (found["scheme"] == "http" or entrance.is_locked):
        return False
    hosts = {head.hosts[0], head.forwarded_host} if entrance.is_locked else {head.hosts[0]}
    same = _with_port(found["authority"], usual) in {_with_port(each, usual) for each in hosts if each}
    return same or (entrance.is_locked and head.fetch_site == "same-origin")


_FOREIGN: Final = Refusal(HTTPStatus.FORBIDDEN, "the request comes from a page of another origin")


def _with_port(authority: str, usual: str) -> str:
    found = _AUTHORITY.fullmatch(authority)
    return f"{found['name'].lower()}:{int(found['port'] or usual)}" if found else ""


def _site(head: Head, _: Entrance) -> Refusal | None:
    """Refuses what a page of another site loads (scripts, data, images), and admits that it leads somebody here."""
    if head.fetch_site in _OWN_SITES:
        return None
    is_visit = head.fetch_mode == "navigate" and head.fetch_dest in _PAGES and head.method in READING
    return None if is_visit and not head.is_upgrade else _FOREIGN


def _method(head: Head, _: Entrance) -> Refusal | None:
    if head.method in READING or head.method == "POST":
        return None
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "the preview takes GET, HEAD and POST")


def _token(head: Head, entrance: Entrance) -> Refusal | None:
    if head.is_upgrade or head.method not in READING:
        if not shows_token(head, entrance):
            return Refusal(HTTPStatus.FORBIDDEN, "the request lacks the token of this daemon's pages")
    elif entrance.is_locked and not (shows_token(head, entrance) or _is_token(head.cookie, entrance)):
        return Refusal(HTTPStatus.UNAUTHORIZED, "this preview opens with the URL that `kahnd run` has printed")
    return None


def _is_token(text: str, entrance: Entrance) -> bool:
    return compare_digest(text.encode(errors="surrogateescape"), entrance.token.encode())
