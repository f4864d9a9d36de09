"""The pages and outputs that templates see, and which values can become text in an output.

An output depends on its inputs alone, so no value becomes text that reveals the process or machine that rendered it: a
memory address, the clock, the time zone or the locale.
"""

from __future__ import annotations

import datetime as dt
import locale
import re
import types
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

from jinja2 import Undefined
from jinja2.environment import TemplateModule

from kahnd.core.model import DocumentId, Problem
from kahnd.render.files import ProblemError
from kahnd.render.markdown.blocks import Entry

NO_LOCATION: Final = ("", 0)
PAGE_KEYS: Final = frozenset({"title", "url", "path", "text"})
"""The keys that do not come from the front matter: `map(attribute="url")` is the same as `page.url`."""


@dataclass(frozen=True)
class PageFields:
    """The lazy fields of a page: a rendering depends only on those that it asks for."""

    meta: Callable[[], Mapping[str, Any]]
    title: Callable[[], str]
    url: Callable[[], str]
    text: Callable[[], str]


class Page:
    """A page as templates see it: `title`, `url`, `path`, `text`, and its front matter by name or key."""

    def __init__(self, path: DocumentId, fields: PageFields) -> None:
        self.path = path
        self._fields = fields

    @property
    def title(self) -> str:
        """The front matter's title, else the first heading, else the file's name."""
        return self._fields.title()

    @property
    def url(self) -> str:
        """The URL of its output, relative to the page that asks. Raises ProblemError for a plain document."""
        return self._fields.url()

    @property
    def text(self) -> str:
        """Its source after the front matter."""
        return self._fields.text()

    def get(self, key: str, default: object = None) -> Any:
        """A front matter value, or the default."""
        return self._fields.meta().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key) if key in PAGE_KEYS else self._fields.meta()[key]

    def __str__(self) -> str:
        return self.title


class PlainPage(Page):
    """A page as plug-ins see it, which may change the values that they get: they are copies."""

    def __init__(self, path: DocumentId, fields: PageFields) -> None:
        super().__init__(path, replace(fields, meta=lambda: deepcopy(fields.meta())))

    @property
    def meta(self) -> Mapping[str, Any]:
        """Its front matter."""
        return self._fields.meta()


class CurrentPage(Page):
    """The page being rendered; calling it returns another page."""

    def __init__(self, path: DocumentId, fields: PageFields, other: Callable[..., Page]) -> None:
        super().__init__(path, fields)
        self._other = other
        self._contents: list[Entry] | None = None

    @property
    def toc(self) -> Any:
        """In a layout, with the option `toc`: the headings as a tree. A `toc` in the front matter counts instead."""
        if self._contents is None:
            raise AttributeError("toc")
        return self._fields.meta().get("toc", self._contents)

    def set_toc(self, contents: list[Entry]) -> None:
        """Set the headings, when they are known."""
        self._contents = contents

    def __call__(self, reference: str, _location: tuple[str, int] = NO_LOCATION) -> Page:
        """The page at a path."""
        return self._other(reference, _location)


class Output:
    """The output of another document: its URL, which is also its text form, and its content."""

    def __init__(self, url: Callable[[], str], text: Callable[[], str], data: Callable[[], Any]) -> None:
        self._url = url
        self._text = text
        self._data = data

    @property
    def url(self) -> str:
        """The output's URL, relative to the page that asks."""
        return self._url()

    @property
    def text(self) -> str:
        """The output's content. Raises ProblemError if it is not UTF-8."""
        return self._text()

    @property
    def data(self) -> Any:
        """The output's content as a value, as `data()` reads a data file."""
        return self._data()

    def __str__(self) -> str:
        return self.url


_SCALARS: Final = (str, int, float, type(None), dt.date, dt.time, dt.timedelta, dt.tzinfo)
_KINDS: Final = (
    (Output, "an output"),
    (str, "a text"),
    (bool, "true or false"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (type(None), "nothing"),
    (dt.date, "a date"),
    (dt.time, "a time"),
)
_COMMON: Final = frozenset({str, int, float, bool, type(None)})

CLOCKLESS: Final = frozenset(
    {"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold", "utc", "min", "max"}
    | {"weekday", "isoweekday", "isocalendar", "isoformat", "ctime", "toordinal", "date", "time", "timetz", "replace"}
    | {"utcoffset", "tzname", "dst", "resolution", "fromisoformat", "fromordinal", "combine"}
)
"""The attributes of dates and times that read neither the machine's clock nor its zone."""
_WRITE_WHOLE: Final = r"look for an escape such as \ud800 in it, and write the character itself"
_LOCAL_DIRECTIVE: Final = re.compile(r"%[-_0^#]*[EO]?s")


def described(value: Any) -> str:
    """A value in words that begin a message: "a text", "a list"; a page is named by its path."""
    if isinstance(value, Page):
        return value.path
    kinds = (name for kind, name in _KINDS if isinstance(value, kind))
    return next(kinds, "a function" if callable(value) else "this value")


def plain(value: Any) -> Any:
    """The value, if it can become text. Raises ProblemError if its text would depend on more than the inputs."""
    if type(value) is str and value.isascii():
        return value  # the most common case
    if isinstance(value, str) and not value.isascii() and _has_surrogate(value):
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


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _check(value: Any, seen: set[int]) -> None:
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, Undefined):
        str(value)  # raises with the name
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
        message = f"`{name}` is a {_kind(value)}, and no text" if name else f"a {_kind(value)} is no text"
        return Problem(message, remedy="call it: write `()` after it, or name a key")
    return Problem(f"a {_kind(value)} is no text", remedy="name what is to be shown of it: a key, or `| list`")


def _kind(value: Any) -> str:
    if isinstance(value, types.BuiltinFunctionType | types.MethodType):
        return "method"
    return type(value).__name__.lstrip("_").replace("_", " ")


def formatted(value: dt.date | dt.time, pattern: str) -> str:
    """The result of `strftime` in the C locale, whatever the process's locale."""
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


def as_filter(kind: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the project as a filter or test.

    It is given copies of lists and mappings, since a value is shared by all that read it, and returns data, so that
    templates reach no object of its module.
    """

    def called(*arguments: Any, **named: Any) -> Any:
        given = [_copied(each) for each in arguments]
        try:
            return _data(function(*given, **{key: _copied(each) for key, each in named.items()}))
        except ProblemError as error:
            problem = error.problem
            place = f" ({problem.file}:{problem.line})" if problem.file else ""
            message = f"the {kind} `{name}` failed: {problem.message}{place}"
            raise ProblemError(replace(problem, message=message, file="", line=0)) from error

    return called


def _copied(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises with the name
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list | tuple) else value


def _data(value: Any) -> Any:
    """The value, if it is made of plain values, pages and outputs only. Raises ProblemError."""
    if isinstance(value, list | tuple):
        return [_data(each) for each in value]
    if isinstance(value, dict):
        return {_data(key): _data(each) for key, each in value.items()}
    if isinstance(value, (*_SCALARS, Page, Output)):
        return value
    message = f"it returned a {_kind(value)}"
    raise ProblemError(Problem(message, remedy="return text, numbers, dates, or lists and mappings of these"))
