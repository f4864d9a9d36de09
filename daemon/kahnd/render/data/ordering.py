"""Sort keys for values: numbers, texts, and dates in any notation. Sorts pages by them, and groups pages by tags."""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, Protocol, TypeVar
from unicodedata import normalize

from kahnd.core.globs import glob_matcher, is_pattern
from kahnd.core.model import DocumentId

_DATE: Final = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d*)?)?\s*(?:Z|UTC|GMT|([-+])(\d{1,2}):?(\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY: Final = r"(\d{1,2})(?:st|nd|rd|th)?"
_WITH_MONTH: Final = (
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
    rf"(?:{_DAY}[\s-]+{_MONTH}|{_MONTH}\s+{_DAY})[\s,-]+(\d{{4}})(\s.*)?"
)
_NAMED_MONTH: Final = re.compile(_WITH_MONTH, re.ASCII | re.IGNORECASE)
_LIKE_DATE: Final = re.compile(
    rf"\d{{4}}[-/]\d\d?[-/]\d\d?(?!\d).*|\d\d?([-/.])\d\d?\1(?:\d\d|\d{{4}})(?:\s.*)?|{_WITH_MONTH}",
    re.ASCII | re.IGNORECASE,
)
"""Dates, and texts meant as dates: impossible days, month and day in either order, years of two digits."""


def instant(value: Any) -> dt.datetime | None:
    """The time that a date, or a text that is a date, means; in UTC without a zone. None for other values."""
    if isinstance(value, str):
        return _spelled(value)
    if isinstance(value, dt.datetime):
        return _in_utc(value)
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC) if isinstance(value, dt.date) else None


def day(value: Any) -> dt.date | None:
    """The day that a date, or a text that is a date, names, in its own zone. None for other values."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    found = _DATE.fullmatch(_numbered(value.strip())) if isinstance(value, str) else None
    try:
        return dt.date(*(int(each) for each in found.groups()[:3])) if found else None
    except ValueError:
        return None


def _spelled(text: str) -> dt.datetime | None:
    found = _DATE.fullmatch(_numbered(text.strip()))
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


def _numbered(text: str) -> str:
    """A date with the name of its month replaced by a number; any other text unchanged."""
    found = _NAMED_MONTH.fullmatch(text)
    if not found:
        return text
    day, month, month_first, day_after, year, time = found.groups()
    number = _MONTHS.index((month or month_first)[:3].lower()) + 1
    return f"{year}-{number}-{day or day_after}{time or ''}"


def _in_utc(value: dt.datetime) -> dt.datetime:
    try:
        return value.replace(tzinfo=dt.UTC) if value.utcoffset() is None else value.astimezone(dt.UTC)
    except OverflowError:  # within hours of the first or the last day that there is
        return value.replace(tzinfo=dt.UTC)


class UnorderedError(ValueError):
    """The value at `index` can't be compared with the others."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def instants(values: Sequence[Any]) -> list[dt.datetime] | None:
    """The times that the values mean, if all are dates; otherwise None.

    Raises UnorderedError if all look like dates and one can't be read, since sorting it as text would misplace it.
    """
    found = [instant(each) for each in values]
    if None not in found:
        return [each for each in found if each is not None] or None
    if all(map(_looks_like_date, values)):
        index = found.index(None)
        raise UnorderedError(index, f"{_shown(values[index])} is no date that can be read")
    return None


def _looks_like_date(value: Any) -> bool:
    return isinstance(value, dt.date) or (isinstance(value, str) and bool(_LIKE_DATE.fullmatch(value.strip())))


def in_order(values: Sequence[Any], *, as_dates: bool = False) -> list[Any]:
    """Sort keys of the values: dates by time; otherwise numbers first, then texts regardless of case.

    Raises UnorderedError for a list or a mapping, and for a value that is no date if others are dates or `as_dates`.
    """
    dates = as_dates or any(isinstance(each, dt.date) for each in values)
    if dates or instants(values):
        return [_date_key(index, each) for index, each in enumerate(values)]
    return [_key(index, each) for index, each in enumerate(values)]


def _date_key(index: int, value: Any) -> dt.datetime:
    found = instant(value)
    if found is None:
        raise UnorderedError(index, f"{_shown(value)} is no date")
    return found


def _key(index: int, value: Any) -> tuple[int, float, str]:
    if isinstance(value, str):
        return (1, 0, value.casefold())
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 - not a number is in no order
        return (0, value, "")
    if isinstance(value, dt.time | bytes):
        return (1, 0, str(value))
    raise UnorderedError(index, f"{_shown(value)} has no place in an order")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return "a list"
    text = str(value)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"  # noqa: PLR2004 - enough to find it by


class Sortable(Protocol):
    """A page, as far as its order is concerned."""

    path: DocumentId

    def get(self, key: str, default: object = None) -> Any:
        """A front matter value, or the default."""
        ...


S = TypeVar("S", bound=Sortable)


def by_key(pages: Sequence[S], sort: str) -> list[S]:
    """The pages in a stable order by the key; those without it come last, in both directions.

    Raises UnsortableError for a page whose value can't be compared with the others.
    """
    key, backwards = sort.removeprefix("-"), sort.startswith("-")
    if key in {"title", "path"}:
        return sorted(pages, key=lambda page: str(getattr(page, key)).casefold(), reverse=backwards)
    values = [page.get(key) for page in pages]
    having = [index for index, value in enumerate(values) if value is not None]
    lacking = [page for page, value in zip(pages, values, strict=True) if value is None]
    try:
        keys = dict(zip(having, in_order([values[each] for each in having], as_dates=key == "date"), strict=True))
    except UnorderedError as error:
        raise UnsortableError(pages[having[error.index]].path, key, str(error)) from error
    return [pages[index] for index in sorted(having, key=keys.__getitem__, reverse=backwards)] + lacking


class UnsortableError(ValueError):
    """A page can't be sorted by the value of its key."""

    def __init__(self, page: DocumentId, key: str, message: str) -> None:
        super().__init__(message)
        self.page = page
        self.key = key


def groupby_each(pages: Iterable[S], key: str) -> list[tuple[str, list[S]]]:
    """The pages by each of their values of a front matter key, such as a list of tags; in the order of the values.

    A page without the key is in no group. Values are compared as texts.
    """
    groups: dict[str, list[S]] = {}
    for page in pages:
        value = page.get(key)
        values = () if value is None else value if isinstance(value, list | tuple) else (value,)
        for each in dict.fromkeys(map(str, values)):
            groups.setdefault(each, []).append(page)
    return sorted(groups.items(), key=lambda group: (group[0].casefold(), group[0]))


# -- Pages by their tags

_NO_PART_OF_NAMES: Final = re.compile(r'[\s/\\?*:"<>|{}\[\]\0-\x1f\x7f-\x9f-]+')
_LONGEST_TAG: Final = 200
"""Bytes: names of files are limited to 255."""
_NO_DATE: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


def tags_of(page: Sortable, pattern: str, index: str) -> list[dict[str, str]]:
    """The tags in a page's front matter: each has a `name`, and the `path` of its page beside the index of tags.

    The path is "" for a tag that can't name a page, and if the page itself does not match the pattern.
    """
    is_counted = glob_matcher(pattern.strip("/"))(page.path)
    named = [(_text_of(each), _path_of_tag(each, pattern, index) if is_counted else "") for each in _tags_in(page)]
    return [{"name": name, "path": path} for name, path in dict.fromkeys(named)]


def tag_pages(pages: Iterable[S], pattern: str, index: str) -> dict[str, Any]:
    """The tags in the front matter of pages; those with the same path are one.

    A mapping with `index`, the path of the page with all tags; `tags` by their names, each with `name`, `path` and
    `pages`, mappings with `page` and `date`, newest first; and `problems`, texts about values that can't be tags.
    """
    tags: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for page in pages:
        dated = {"page": page, "date": instant(page.get("date"))}
        for value in _tags_in(page):
            if path := _path_of_tag(value, pattern, index):
                tag = tags.setdefault(path, {"name": _text_of(value), "path": path, "pages": []})
                tag["pages"] += [dated] if tag["pages"][-1:] != [dated] else []
            else:
                problems.append(f"{page.path} has the tag {_shown(value)}, which can't name a page")
    for tag in tags.values():
        tag["pages"].sort(key=lambda each: each["date"] or _NO_DATE, reverse=True)
    by_name = sorted(tags.values(), key=lambda tag: (tag["name"].casefold(), tag["name"]))
    return {"index": _index_of(pattern, index), "tags": by_name, "problems": problems}


def fixed_folder(pattern: str) -> str:
    """The folder that all documents are in that match a pattern."""
    return "/".join(takewhile(lambda name: not is_pattern(name), pattern.strip("/").split("/")[:-1]))


def _tags_in(page: Sortable) -> list[Any]:
    value = page.get("tags")
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _text_of(tag: Any) -> str:
    return _shown(tag) if isinstance(tag, Mapping | list | tuple) else " ".join(str(tag).split())


def _index_of(pattern: str, index: str) -> str:
    return posixpath.normpath(posixpath.join(fixed_folder(pattern), index.strip("/")))


def _path_of_tag(tag: Any, pattern: str, index: str) -> str:
    """The path of a tag's page: of its name in small letters, without what is special in paths. "" if it has none."""
    text = str(tag) if isinstance(tag, str | int | float | dt.date) else ""
    name = _NO_PART_OF_NAMES.sub("-", normalize("NFC", text.lower())).strip("-._~")
    name = name if len(name.encode(errors="replace")) <= _LONGEST_TAG else ""
    name = f"{name}-" if name == "index" else name  # `index.md` would be the page of the folder
    folder, extension = posixpath.splitext(_index_of(pattern, index))
    return f"{folder}/{name}{extension}" if name else ""
