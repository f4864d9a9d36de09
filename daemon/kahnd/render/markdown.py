"""Markdown to HTML: pyromark (pulldown-cmark in Rust), with heading ids and code coloured by Pygments."""

from __future__ import annotations

from typing import Final

import pyromark

from kahnd.render.cache import Cache
from kahnd.render.colouring import Colouring
from kahnd.render.headings import Html, first_title, with_ids

_Options = pyromark.Options
_OPTIONS: Final = (
    _Options.ENABLE_TABLES
    | _Options.ENABLE_FOOTNOTES
    | _Options.ENABLE_TASKLISTS
    | _Options.ENABLE_STRIKETHROUGH
    | _Options.ENABLE_HEADING_ATTRIBUTES
    | _Options.ENABLE_GFM
)
_COLOURED: Final = 16
"""How many bytes coloured code takes for each of the code's, at the most."""
_PLAIN: Final = pyromark.Markdown(options=_OPTIONS)


def first_heading(markdown: str) -> str | None:
    """The first heading's plain text."""
    return first_title(_PLAIN.html(markdown), markdown)


class Markdown:
    """Converts; keeps code it has coloured."""

    def __init__(self) -> None:
        self._coloured: Cache[tuple[str, str], str | None] = Cache(128, 16 << 20)
        self._colouring = Colouring()
        self._markdown = pyromark.Markdown(options=_OPTIONS, highlight=self._highlight)

    def convert(self, text: str) -> Html:
        """The text's HTML; never fails, since every text is Markdown."""
        return with_ids(self._markdown.html(text), text)

    def forget(self) -> None:
        """Keep no code."""
        self._coloured.clear()

    def _highlight(self, info: str | None, code: str) -> str | None:
        """The code's HTML; `info` is the first word after the fence."""
        if not info:
            return None
        return self._coloured.get((info, code), lambda: self._colouring.colour(info, code), _COLOURED * len(code))
