"""Code fences: what stands after a fence, and code coloured by Pygments, with a highlighter for each language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pygments
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from kahnd.render.cache import Cache
from kahnd.render.fast import FastPath

_LANGUAGE: Final = re.compile(r"[^\s,{}:=]*")
_ATTRIBUTES: Final = re.compile(r"\{([^}]*)\}?")
_QUOTED: Final = re.compile(r"(?<!\S)[^\s=]*+=(?:\"[^\"]*\"|'[^']*')")
_PAIR: Final = re.compile(r"""([A-Za-z][\w-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|\[([^\]]*)\]|([^\s,{}"'\[\]]+))""")
_MARKED: Final = re.compile(r"\{([\d\s,-]+)\}")
_NUMBERED: Final = re.compile(r"(?<!\S)[{]?\.(?:numberLines|number-lines|line-numbers)\b")
_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_NAMES: Final = {
    "filename": "title",
    "linenums": "line_numbers",
    "linenos": "line_numbers",
    "linenostart": "first_line",
    "startFrom": "first_line",
    "start-from": "first_line",
    "hl-lines": "hl_lines",
}
"""Other programs' names of attributes, and ours."""
_OFF: Final = frozenset({"", "false", "off", "no"})
_SAMPLE: Final = """\
def f(a, b='x < y & "z"'):  # 1
    \"""two

    lines\"""
    return {a: [1, 0x2F, 3.5]} // 4 /* 5 */; é

<p class="q">{{ x }}</p>
- key: $value `code`
"""


@dataclass(frozen=True, slots=True)
class Fence:
    """A code fence: its language, its code, and what else stands after it, such as `title`, by name.

    `info` is all that stands after the fence, as written.
    """

    language: str
    code: str
    attributes: Mapping[str, str]
    info: str = ""

    @classmethod
    def read(cls, info: str, code: str) -> Fence:
        """The fence with what stands after it, as MkDocs, mdBook, Hugo, Pandoc and Quarto write that."""
        found: dict[str, str] = {}
        if marked := _MARKED.search(_PAIR.sub("", info)):
            found["hl_lines"] = marked[1]
        if _NUMBERED.search(info):
            found["line_numbers"] = "true"
        for each in _PAIR.finditer(info):
            value = next((value for value in each.groups()[1:] if value is not None), "")
            found[_NAMES.get(each[1], each[1])] = value
        return cls(next(iter(languages_of(info)), ""), code, found, info)

    def with_code(self, code: str) -> Fence:
        """The same with other code."""
        return replace(self, code=code)

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing after it changes how the code looks."""
        return self.attributes.keys().isdisjoint(("hl_lines", "title", "line_numbers", "first_line"))

    def formatter(self) -> HtmlFormatter[str]:
        """Pygments' formatter with the marked lines, the line numbers and the title."""
        numbers = self.attributes.get("line_numbers", "").lower()
        first = self.attributes.get("first_line", numbers if numbers.isdecimal() else "1")
        is_numbered = numbers not in _OFF or "first_line" in self.attributes
        return HtmlFormatter[str](
            cssclass="highlight",
            wrapcode=True,
            hl_lines=list(self._marked_lines()),
            linenos="inline" if is_numbered else False,
            linenostart=int(first) if first.isdecimal() and len(first) < _DIGITS else 1,
            filename=self.attributes.get("title", ""),
        )

    def _marked_lines(self) -> frozenset[int]:
        last = self.code.count("\n") + 1
        ranges = _RANGE.finditer(self.attributes.get("hl_lines", ""))
        return frozenset(
            line for each in ranges for line in range(int(each[1]), min(int(each[2] or each[1]), last) + 1)
        )


_DIGITS: Final = 9


class Highlighter:
    """Colours code in any language that Pygments knows."""

    def __init__(self) -> None:
        self._formatter = HtmlFormatter[str](cssclass="highlight", wrapcode=True)
        self._functions: Cache[str, Callable[[str], str] | None] = Cache(64, 64)

    def colour(self, info: str, code: str) -> str | None:
        """The code's HTML; None for a language that Pygments does not know. `info` is what stands after a fence."""
        function = self._functions.get(info, lambda: self._function_for(info), 1)
        return function(code) if function else None

    def formatted(self, fence: Fence) -> str:
        """The HTML of a fence whose attributes count; without colours if Pygments does not know the language."""
        return pygments.highlight(fence.code, _lexer(fence.language) or TextLexer(), fence.formatter())

    def _function_for(self, info: str) -> Callable[[str], str] | None:
        lexer = next((lexer for each in languages_of(info) if (lexer := _lexer(each))), None)
        return _with_fast_path(lexer, self._formatter) if lexer else None


def _with_fast_path(lexer: Lexer, formatter: HtmlFormatter[str]) -> Callable[[str], str]:
    def fast() -> Callable[[str], str]:
        from kahnd.render.fast.highlighting import FastHighlighter  # noqa: PLC0415 - fails if a private part is gone

        return FastHighlighter(lexer, formatter)

    def plain(code: str) -> str:
        return pygments.highlight(code, lexer, formatter)

    return FastPath("highlighting", fast, plain, _SAMPLE)


def languages_of(info: str) -> list[str]:
    """The words after a fence that may name its language: the first one, or the classes between braces.

    That is `python` in ```` ```python,ignore ````, `python:main.py`, `{python}`, `{.python .numberLines}` and
    `{#listing .python}`, which other programs write.
    """
    braced = _ATTRIBUTES.match(info)
    if not braced:
        return [word] if (match := _LANGUAGE.match(info.removeprefix("."))) and (word := match[0]) else []
    words = _QUOTED.sub("", braced[1]).split()
    bare = words[:1] if words and words[0][0] not in ".#" and "=" not in words[0] else []
    return [*(word.partition(",")[0] for word in bare), *(word[1:] for word in words if word[0] == ".")]


def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None
