"""Which values can become text in an output.

An output is a function of its inputs, so nothing becomes text whose text tells of the process that made it: a memory
address, the machine's clock, its zone or its locale.
"""

from __future__ import annotations

import datetime as dt
import locale
import re
import types
from collections.abc import Iterator
from typing import Any, Final

from jinja2 import Undefined
from jinja2.environment import TemplateModule

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError
from kahnd.render.references import Output, Page

_SCALARS: Final = (str, int, float, type(None), dt.date, dt.time, dt.timedelta, dt.tzinfo)
_COMMON: Final = frozenset({str, int, float, bool, type(None)})

CLOCKLESS: Final = frozenset(
    {"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold", "utc", "min", "max"}
    | {"weekday", "isoweekday", "isocalendar", "isoformat", "ctime", "toordinal", "date", "time", "timetz", "replace"}
    | {"utcoffset", "tzname", "dst", "resolution", "fromisoformat", "fromordinal", "combine"}
)
"""The attributes of dates and times that read neither the machine's clock nor its zone."""
_WRITE_WHOLE: Final = r"look for an escape such as \ud800 in it, and write the character itself"
_LOCAL_DIRECTIVE: Final = re.compile(r"%[-_0^#]*[EO]?s")


def plain(value: Any) -> Any:
    """The value, if it can become text. Raises ProblemError where its text would be no value of the document's."""
    if isinstance(value, str) and not value.isascii() and _has_half(value):
        raise ProblemError(Problem("a text has half a character", remedy=_WRITE_WHOLE))
    if (
        type(value) in _COMMON
        or isinstance(value, Page | Output | Undefined | TemplateModule)
        or hasattr(value, "__html__")
    ):
        return value
    try:
        _check(value, set())
    except RecursionError:
        raise ProblemError(Problem("a value is nested too deep to be text", remedy="name a key of it")) from None
    return value


def _has_half(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


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
    if isinstance(value, Page | Output):
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
