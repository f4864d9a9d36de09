"""Conditional requests and ranges, as RFC 9110 has them: what of an output a request wants, given the output's tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_RANGE: Final = re.compile(r"bytes=\s*(?P<first>[0-9]*)\s*-\s*(?P<last>[0-9]*)\s*", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers of a request that say which part of an output is wanted, and when; empty if absent."""

    if_none_match: str = ""
    if_range: str = ""
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an output that is sent: bytes from `start` until before `end`, none of them with some statuses."""

    status: HTTPStatus
    start: int = 0
    end: int = 0


def wanted_part(conditions: Conditions, tag: str, size: int) -> Part:
    """Returns the part that a request is answered with. `tag` is the output's entity tag, in quotes.

    A request for several ranges, or with a range of other bytes than these (`If-Range`), is answered with the whole.
    """
    none_match = conditions.if_none_match.strip()
    if none_match == "*" or tag in _TAG.findall(none_match):
        return Part(HTTPStatus.NOT_MODIFIED)
    whole = Part(HTTPStatus.OK, 0, size)
    found = _RANGE.fullmatch(conditions.wanted.strip())
    if found is None or (conditions.if_range and conditions.if_range.strip() != tag):
        return whole
    first, last = found["first"][:_MOST_DIGITS], found["last"][:_MOST_DIGITS]
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return Part(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return Part(HTTPStatus.PARTIAL_CONTENT, start, end)
