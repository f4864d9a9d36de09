"""Markdown to HTML: pyromark (pulldown-cmark in Rust), with heading ids and code coloured by Pygments."""

from __future__ import annotations

import html
import re
from typing import Final

import pyromark

from kahnd.render.cache import Cache
from kahnd.render.colouring import Colouring, languages_of
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
_BLANK: Final = "\ufdd1"
"""Stands for a blank between braces after a fence, since the library hands on the first word only."""
_FENCE_WITH_BRACES: Final = re.compile(
    r"^[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+(?:`{3,}+|~{3,}+)[ \t]*+\{[^}\n]*+", re.MULTILINE
)
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
        if "{" not in text or _BLANK in text:
            return with_ids(self._markdown.html(text), text)
        # A line that turns out to be no fence gets its blanks back, in code as elsewhere.
        joined = _FENCE_WITH_BRACES.sub(_as_one_word, text)
        return with_ids(self._markdown.html(joined).replace(_BLANK, " "), text)

    def forget(self) -> None:
        """Keep no code."""
        self._coloured.clear()

    def _highlight(self, info: str | None, code: str) -> str | None:
        """The code's HTML; `info` is the first word after the fence, or all that stands there between braces."""
        if not info:
            return None
        info, code = info.replace(_BLANK, " "), code.replace(_BLANK, " ")
        return self._of_language(info, code) or (_named(info, code) if info[0] == "{" else None)

    def _of_language(self, info: str, code: str) -> str | None:
        return self._coloured.get((info, code), lambda: self._colouring.colour(info, code), _COLOURED * len(code))


def _as_one_word(fence: re.Match[str]) -> str:
    before, brace, attributes = fence[0].partition("{")
    return f"{before}{brace}{attributes.replace(' ', _BLANK)}"


def _named(info: str, code: str) -> str:
    """Code that is not coloured, with its language's name alone, as scripts look for it."""
    name = next(iter(languages_of(info)), "")
    language = f' class="language-{html.escape(name)}"' if name else ""
    return f"<pre><code{language}>{html.escape(code, quote=False)}</code></pre>"
