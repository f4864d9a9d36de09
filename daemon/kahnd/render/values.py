"""Which values can become text in an output, and in which order values stand.

An output is a function of its inputs, so nothing becomes text whose text tells of the process that made it: a memory
address, the machine's clock, its zone or its locale.
"""

from __future__ import annotations

import datetime as dt
import locale
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jinja2 import Undefined
from jinja2.environment import TemplateModule

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError

_SCALARS: Final = (str, int, float, type(None), dt.date, dt.time, dt.timedelta, dt.tzinfo)
_COMMON: Final = frozenset({str, int, float, bool, type(None)})

CLOCKLESS: Final = frozenset(
    {"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold", "utc", "min", "max"}
    | {"weekday", "isoweekday", "isocalendar", "isoformat", "ctime", "toordinal", "date", "time", "timetz", "replace"}
    | {"utcoffset", "tzname", "dst", "resolution", "fromisoformat", "fromordinal", "combine"}
)
"""The attributes of dates and times that read neither the machine's clock nor its zone."""
_LOCAL_DIRECTIVE: Final = re.compile(r"%[-_0^#]*[EO]?s")
_DATE: Final = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d*)?)?\s*(?:Z|UTC|GMT|([-+])(\d{1,2}):?(\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)


class Readable:
    """An object of kahnd's that has a text of its own."""


def plain(value: Any) -> Any:
    """The value, if it can become text. Raises ProblemError where its text would be no value of the document's."""
    if type(value) in _COMMON or isinstance(value, (Readable, Undefined, TemplateModule)) or hasattr(value, "__html__"):
        return value
    try:
        _check(value, set())
    except RecursionError:
        raise ProblemError(Problem("a value is nested too deep to be text", remedy="name a key of it")) from None
    return value


def _check(value: Any, seen: set[int]) -> None:
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, Undefined):
        str(value)  # says what is undefined
    if not isinstance(value, list | tuple | dict):
        raise ProblemError(_unfit(value))
    if id(value) in seen:
        return
    seen.add(id(value))
    for each in value:
        _check(each, seen)
        if isinstance(value, dict):
            _check(value[each], seen)


def _unfit(value: Any) -> Problem:
    if isinstance(value, Readable):
        remedy = 'name what is to be shown of them: `| map(attribute="title") | join(", ")`'
        return Problem(f"a list with a {_kind(value)} in it is no text", remedy=remedy)
    if isinstance(value, Iterator | range) or type(value).__name__.startswith(("dict_", "odict_")):
        return Problem(f"a {_kind(value)} is no text", remedy="add `| list` after it, or `| join`")
    if isinstance(value, bytes | bytearray):
        return Problem("bytes are no text", remedy="write `.decode()` after them")
    if callable(value):
        name = getattr(value, "__name__", None) or getattr(value, "name", None)
        name = name.lstrip("_") if isinstance(name, str) else None
        told = f"`{name}` is a {_kind(value)}, and no text" if name else f"a {_kind(value)} is no text"
        return Problem(told, remedy="call it: write `()` after it, or name a key")
    return Problem(f"a {_kind(value)} is no text", remedy="name what is to be shown of it: a key, or `| list`")


def _kind(value: Any) -> str:
    if isinstance(value, types.BuiltinFunctionType | types.MethodType):
        return "method"
    return type(value).__name__.lstrip("_").replace("_", " ")


def formatted(value: dt.date | dt.time, pattern: str) -> str:
    """A date as `strftime` writes it, in the same words in every locale."""
    if _LOCAL_DIRECTIVE.search(pattern.replace("%%", "")):
        raise ProblemError(Problem("`%s` depends on the machine's time zone", remedy="use other directives"))
    before = locale.setlocale(locale.LC_TIME)
    if before == "C":
        return value.strftime(pattern)
    locale.setlocale(locale.LC_TIME, "C")  # a plug-in may have set another
    try:
        return value.strftime(pattern)
    finally:
        locale.setlocale(locale.LC_TIME, before)


def instant(value: Any) -> dt.datetime | None:
    """The moment that a date means, or a text that spells one; without a zone, in UTC. None for anything else."""
    if isinstance(value, str):
        return _spelled(value)
    if isinstance(value, dt.datetime):
        return _in_utc(value)
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC) if isinstance(value, dt.date) else None


def _spelled(text: str) -> dt.datetime | None:
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    *numbers, sign, hours, minutes = found.groups()
    distance = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = dt.timezone(-distance if sign == "-" else distance)
        year, month, day, hour, minute, second = (int(each or 0) for each in numbers)
        return _in_utc(dt.datetime(year, month, day, hour, minute, second, tzinfo=zone))
    except ValueError:
        return None


def _in_utc(value: dt.datetime) -> dt.datetime:
    try:
        return value.replace(tzinfo=dt.UTC) if value.utcoffset() is None else value.astimezone(dt.UTC)
    except OverflowError:  # within hours of the first or the last day that there is
        return value.replace(tzinfo=dt.UTC)


class UnorderedError(ValueError):
    """A value has no place among the others; `index` says which."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def instants(values: Sequence[Any]) -> list[dt.datetime] | None:
    """The moments that the values mean, where all are dates; None where none is, and all texts spell none."""
    found = [instant(each) for each in values]
    if found and all(each is not None for each in found):
        return [each for each in found if each is not None]
    return None


def in_order(values: Sequence[Any], *, as_dates: bool = False) -> list[Any]:
    """Keys that sort the values: dates by what they mean, else numbers first, and then texts, whatever their case.

    Raises UnorderedError for a list or a mapping, and for a date's neighbour that is none, where there are dates or
    where these are asked for.
    """
    dates = as_dates or any(isinstance(each, dt.date) for each in values)
    if dates or instants(values):
        return [_date_key(index, each) for index, each in enumerate(values)]
    return [_key(index, each) for index, each in enumerate(values)]


def _date_key(index: int, value: Any) -> dt.datetime:
    found = instant(value)
    if found is None:
        raise UnorderedError(index, f"{_told(value)} is no date")
    return found


def _key(index: int, value: Any) -> tuple[int, float, str]:
    if isinstance(value, str):
        return (1, 0, value.casefold())
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 - not a number is in no order
        return (0, value, "")
    if isinstance(value, dt.time | bytes):
        return (1, 0, str(value))
    raise UnorderedError(index, f"{_told(value)} has no place in an order")


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return "a list"
    text = str(value)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"  # noqa: PLR2004 - enough to find it by
