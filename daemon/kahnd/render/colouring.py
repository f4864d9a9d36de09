"""Code as Pygments colours it: the bytes of its HtmlFormatter, which takes most of its time with options not used here.

A span is a line's: it ends at the line's end and is opened again in the next. Tokens side by side that have the same
class share one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Final

from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import _TokenType
from pygments.util import ClassNotFound

from kahnd.render.cache import Cache
from kahnd.render.lexing import quickened

_LANGUAGE: Final = re.compile(r"[^\s,{}:=]*")
_ATTRIBUTES: Final = re.compile(r"\{([^}]*)\}?")
_QUOTED: Final = re.compile(r"(?<!\S)[^\s=]*+=(?:\"[^\"]*\"|'[^']*')")


class Colouring:
    """Keeps lexers."""

    def __init__(self) -> None:
        self._lexers: Cache[str, Lexer | None] = Cache(64, 64)
        self._openers = _Openers()
        self._before, code, after = _formatted(HtmlFormatter(cssclass="highlight", wrapcode=True)).partition("</code>")
        self._after = code + after

    def colour(self, info: str, code: str) -> str | None:
        """The code's HTML; None for a language that Pygments does not know. `info` is what stands after a fence."""
        lexer = self._lexers.get(info, lambda: _lexer_of(info), 1)
        return f"{self._before}{self._lines(lexer.get_tokens(code))}{self._after}" if lexer else None

    def _lines(self, tokens: Iterable[tuple[_TokenType, str]]) -> str:
        pieces: list[str] = []
        put, openers = pieces.append, self._openers
        opened = None  # the span that is open, empty for text without one; None where a line begins
        for kind, value in tokens:
            # Hardly ever: the looks take less.
            text = _escaped(value) if "&" in value or "<" in value or ">" in value else value
            opener = openers[kind]
            if "\n" in text:
                *lines, text = text.split("\n")
                for line in lines:
                    if line and opener != opened:
                        put("</span>" + opener if opened else opener)
                        opened = opener
                    put(line)
                    put("</span>\n" if opened else "\n")
                    opened = None
            if text:
                if opener != opened:
                    put("</span>" + opener if opened else opener)
                    opened = opener
                put(text)
        if opened is not None:
            put("</span>\n" if opened else "\n")
        return "".join(pieces)


class _Openers(dict[_TokenType, str]):
    """A type's span as Pygments opens it; empty where it has none."""

    def __init__(self) -> None:
        super().__init__()
        self._bare = HtmlFormatter[str](nowrap=True)

    def __missing__(self, kind: _TokenType) -> str:
        self[kind] = opener = _formatted(self._bare, (kind, "*")).partition("*")[0]
        return opener


def _formatted(formatter: HtmlFormatter[str], *tokens: tuple[_TokenType, str]) -> str:
    text = io.StringIO()
    formatter.format(iter(tokens), text)
    return text.getvalue()


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def languages_of(info: str) -> list[str]:
    """What may be the language in what stands after a fence: one word, or the classes between braces.

    That is `python` of ```` ```python,ignore ````, `python:main.py`, `{python}`, `{.python .numberLines}` and
    `{#listing .python}`, as other programs write it.
    """
    braced = _ATTRIBUTES.match(info)
    if not braced:
        return [word] if (found := _LANGUAGE.match(info.removeprefix("."))) and (word := found[0]) else []
    words = _QUOTED.sub("", braced[1]).split()
    bare = words[:1] if words and words[0][0] not in ".#" and "=" not in words[0] else []
    return [*(word.partition(",")[0] for word in bare), *(word[1:] for word in words if word[0] == ".")]


def _lexer_of(info: str) -> Lexer | None:
    return next((lexer for each in languages_of(info) if (lexer := _lexer(each))), None)


def _lexer(language: str) -> Lexer | None:
    try:
        return quickened(get_lexer_by_name(language))
    except ClassNotFound:
        return None
