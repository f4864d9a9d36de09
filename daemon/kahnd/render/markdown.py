"""Markdown to HTML: pyromark (pulldown-cmark in Rust), with heading ids and code coloured by Pygments.

Ids are GitHub's: lower case, letters, digits, `-` and `_`, blanks to `-`, and `-1`, `-2`, … where one is taken.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

import pyromark

from kahnd.render.cache import Cache
from kahnd.render.colouring import Colouring

_Options = pyromark.Options
_OPTIONS: Final = (
    _Options.ENABLE_TABLES
    | _Options.ENABLE_FOOTNOTES
    | _Options.ENABLE_TASKLISTS
    | _Options.ENABLE_STRIKETHROUGH
    | _Options.ENABLE_HEADING_ATTRIBUTES
    | _Options.ENABLE_GFM
)
_HEADING: Final = re.compile(r"<h([1-6])([^>]*)>((?:(?!<h[1-6]).)*?)</h\1>", re.DOTALL)
"""A heading holds no other: so one that is never closed is given up at the next, and not at the end of the page."""
_ID: Final = re.compile(r"id=\"(?<=\bid=\")([^\"]*)\"")
"""What it begins with is looked for in a tenth of the time that a mere word's beginning takes."""
_TAG: Final = re.compile(r"<[^>]*>")
_COLOURED: Final = 16
"""How many bytes coloured code takes for each of the code's, at the most."""
_PLAIN: Final = pyromark.Markdown(options=_OPTIONS)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as a table of contents shows it; `title` is plain text."""

    level: int
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Html:
    """A text's HTML and its headings, in order."""

    content: str
    headings: tuple[Heading, ...]


def first_heading(markdown: str) -> str | None:
    """The first heading's plain text."""
    found = _HEADING.search(_PLAIN.html(markdown))
    return _text_of(found[3]) if found else None


class Markdown:
    """Converts; keeps code it has coloured."""

    def __init__(self) -> None:
        self._coloured: Cache[tuple[str, str], str | None] = Cache(128, 16 << 20)
        self._colouring = Colouring()
        self._markdown = pyromark.Markdown(options=_OPTIONS, highlight=self._highlight)

    def convert(self, text: str) -> Html:
        """The text's HTML; never fails, since every text is Markdown."""
        return _with_ids(self._markdown.html(text))

    def forget(self) -> None:
        """Keep no code."""
        self._coloured.clear()

    def _highlight(self, language: str | None, code: str) -> str | None:
        if not language:
            return None
        return self._coloured.get(
            (language, code), lambda: self._colouring.colour(language, code), _COLOURED * len(code)
        )


class _Ids:
    """Gives each heading an id that nothing else in the text has."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._last: dict[str, int] = {}
        self.headings: list[Heading] = []

    def put(self, match: re.Match[str]) -> str:
        """The heading with its id."""
        level, attributes, inner = match.groups()
        given = _ID.search(attributes)
        heading = Heading(int(level), given[1] if given else self._free(_slug(inner)), _text_of(inner))
        self.headings.append(heading)
        return match[0] if given else f'<h{level} id="{heading.id}"{attributes}>{inner}</h{level}>'

    def _free(self, slug: str) -> str:
        name = slug
        while name in self._taken:
            self._last[slug] = self._last.get(slug, 0) + 1
            name = f"{slug}-{self._last[slug]}"
        self._taken.add(name)
        return name


def _with_ids(content: str) -> Html:
    ids = _Ids(set(_ID.findall(content)))
    return Html(_HEADING.sub(ids.put, content), tuple(ids.headings))


def _text_of(inner: str) -> str:
    return html.unescape(_TAG.sub("", inner)).strip()


def _slug(inner: str) -> str:
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", _text_of(inner).lower())) or "section"
