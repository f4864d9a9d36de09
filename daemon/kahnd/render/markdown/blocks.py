"""Extensions of Markdown that are blocks: admonitions in their three spellings, and the table of contents.

`> [!NOTE] Title`, `!!! note "Title"` with an indented text, and `/// note | Title` up to `///` become a quotation whose
first paragraph is a masked line. So lists, code and further admonitions in them are Markdown's, and in the HTML the
quotation that begins with such a mark becomes the admonition. Fold marks (`???`, `-`, `+`, `/// details`) make it
`<details>`. `[TOC]` is a paragraph to Markdown, which the headings replace in the HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kahnd.render.markdown.extensions import ADMONITION, DIGITS, END, INFO, START, decoded, masked
from kahnd.render.markdown.page_source import FENCES, LIST_ITEM, LIST_MARKER

MAX_DEPTH: Final = 20
"""Admonitions that are nested deeper are text."""
TYPES: Final = frozenset(
    (
        *("abstract", "admonition", "attention", "bug", "caution", "danger", "details", "error", "example", "failure"),
        *("faq", "hint", "important", "info", "note", "question", "quote", "seealso", "success", "summary", "tip"),
        *("todo", "warning"),
    )
)
"""The names that `///` takes; other spellings take any name."""
_NAMES: Final = r"[\w-]+(?:[ ]+[\w-]+)*"
_MARKED: Final = re.compile(rf"(?P<indent>[ ]*)(?P<header>(?:!!!|\?\?\?\+?)[ ]?{_NAMES})(?:[ ]+\"(?P<title>.*)\")?[ ]*")
_SLASHED: Final = re.compile(
    r"(?P<indent>[ ]*)(?P<header>(?P<marks>/{3,})[ ]*(?P<name>[\w-]+))(?:[ ]*\|(?P<title>.*))?"
)
_ALERT: Final = re.compile(
    r"(?P<quote>[ ]*(?:(?:[-*+]|\d{1,9}[.)])[ ]+)*(?:>[ ]?)+)(?P<header>\[![A-Za-z][\w-]*\][-+]?)"
    r"(?:[ \t]+(?P<title>.*))?"
)
_SETTING: Final = re.compile(r"[ ]{4,}(?P<key>type|open):[ ]*(?P<value>[\w-]+)[ ]*")
_FENCE: Final = re.compile(FENCES, re.VERBOSE)
_QUOTE_MARKS: Final = re.compile(r"[ ]*(?:(?:[-*+]|\d{1,9}[.)])[ ]+)*((?:>[ ]?)*)")
_CODE: Final = 4


@dataclass(frozen=True, slots=True)
class _Container:
    """An open admonition. `indent`: of its text; `before`: what its lines get instead; `marks`: end it, if any."""

    indent: int
    before: str
    marks: str = ""


@dataclass(slots=True)
class Blocks:
    """Rewrites admonitions if that is enabled, and masks what stands after fences if it is several words."""

    enabled: bool
    _out: list[str] = field(default_factory=list)
    _open: list[_Container] = field(default_factory=list)
    _fence: str = ""
    _previous: str = ""
    _in_list: bool = False
    _settings: tuple[int, str, str] | None = None

    def rewritten(self, text: str) -> str:
        """The text, rewritten."""
        for line in text.split("\n"):
            self._take(line)
        return "\n".join(self._out)

    def _take(self, line: str) -> None:
        rest = self._within(line)
        before = "".join(each.before for each in self._open)
        if self._fence:
            self._in_fence(before, rest)
        elif not (self.enabled and (self._ends(rest) or self._sets(before, rest) or self._begins(before, rest))):
            self._put(before, self._fenced(rest))
            self._settings = None
        self._follow(rest)

    def _within(self, line: str) -> str:
        """The line without the indentation of the open admonitions; those that it is not indented for end."""
        if not self._open:
            return line
        blanks = line[: len(line) - len(line.lstrip())]
        rest = blanks.expandtabs(4) + line.lstrip()
        for number, each in enumerate(self._open):
            indent = len(rest) - len(rest.lstrip(" "))
            if line.strip() and indent < each.indent and not each.marks:
                self._close(number)
                break
            rest = rest[min(indent, each.indent) :]
        return rest

    def _close(self, number: int) -> None:
        """End the admonitions from this one on, by an empty line: Markdown would take the next line as theirs."""
        del self._open[number:]
        self._fence = ""
        self._put("".join(each.before for each in self._open), "")

    def _put(self, before: str, rest: str) -> None:
        self._out.append(f"{before}{rest}" if rest.strip() or not before else before.rstrip())

    def _in_fence(self, before: str, rest: str) -> None:
        if self._fence[0] == ">" and not rest.lstrip().startswith(">"):
            self._fence = ""
            self._put(before, self._fenced(rest))
            return
        mark = self._fence.lstrip(">")
        line = rest.lstrip("> \t").rstrip()
        if set(line) == {mark[0]} and len(line) >= len(mark):
            self._fence = ""
        self._put(before, rest)

    def _fenced(self, rest: str) -> str:
        """The line; if it opens a fence, with several words after it masked."""
        found = _FENCE.match(rest)
        if not found or (found["fence"][0] == "`" and "`" in found["info"]):
            return rest
        self._fence = (">" if ">" in found["before"] else "") + found["fence"]
        info = found["info"].strip()
        several = " " in info or info.startswith("{")
        return f"{found['before']}{found['fence']}{masked(INFO, info)}" if several else rest

    def _ends(self, rest: str) -> bool:
        if not self._open or not self._open[-1].marks or rest.strip() != self._open[-1].marks:
            return False
        self._close(len(self._open) - 1)
        return True

    def _sets(self, before: str, rest: str) -> bool:
        """Take a line `type: …` or `open: …` below `/// details`."""
        found = _SETTING.fullmatch(rest) if self._settings else None
        if not found or not self._settings:
            return False
        at, header, title = self._settings
        header += f" {found['key']}:{found['value'].lower()}"
        self._settings = at, header, title
        self._out[at] = self._out[at].partition(START)[0] + masked(ADMONITION, header) + title
        self._put(before, "")
        return True

    def _begins(self, before: str, rest: str) -> bool:
        """Take a line that begins an admonition."""
        indent = len(rest) - len(rest.lstrip(" "))
        if (indent >= _CODE and not self._in_list) or len(self._open) >= MAX_DEPTH:
            return False
        if found := _MARKED.fullmatch(rest):
            header = found["header"] + (' ""' if found["title"] == "" else "")
            self._header(before, f"{found['indent']}> ", header, found["title"] or "")
            self._open.append(_Container(indent + _CODE, f"{found['indent']}> "))
        elif (found := _SLASHED.fullmatch(rest)) and found["name"].lower() in TYPES:
            self._header(before, f"{found['indent']}> ", found["header"], found["title"] or "")
            self._open.append(_Container(indent, f"{found['indent']}> ", found["marks"]))
            self._settings = len(self._out) - 2, found["header"], (found["title"] or "").strip()
        elif (found := _ALERT.fullmatch(rest)) and _depth(self._previous) < _depth(rest):
            self._header(before, found["quote"], found["header"], found["title"] or "")
        else:
            return False
        return True

    def _header(self, before: str, quote: str, header: str, title: str) -> None:
        self._put(before, f"{quote}{masked(ADMONITION, header)}{title.strip()}")
        self._put(before, LIST_MARKER.sub(" ", quote).rstrip())

    def _follow(self, rest: str) -> None:
        if rest.strip():
            goes_on = self._in_list and (rest[0] == " " or bool(self._previous.strip()))
            self._in_list = goes_on or bool(LIST_ITEM.match(rest.lstrip()))
        self._previous = rest


def _depth(line: str) -> int:
    found = _QUOTE_MARKS.match(line)
    return found[1].count(">") if found else 0


_ADMONITION: Final = re.compile(
    rf"<blockquote[^<>]*+>(?:\n<p>{START}d(?P<header>{DIGITS}){END}(?P<title>.*?)</p>)?|</blockquote>", re.DOTALL
)


def finished(content: str) -> str:
    """The HTML with each masked quotation as an admonition."""
    if f"{START}d" not in content:
        return content
    pieces: list[str] = []
    ends: list[str] = []
    end = 0
    for found in _ADMONITION.finditer(content):
        pieces.append(content[end : found.start()])
        end = found.end()
        if found[0][1] == "/":
            pieces.append(ends.pop() if ends else found[0])
        elif found["header"] is None:
            ends.append("</blockquote>")
            pieces.append(found[0])
        else:
            opening, closing = _admonition(decoded(found["header"]), found["title"])
            ends.append(closing)
            pieces.append(opening)
    return "".join((*pieces, content[end:]))


def _admonition(header: str, title: str) -> tuple[str, str]:
    """The HTML before and after an admonition's text, from its first line as written."""
    words = [each.lower() for each in re.findall(r"(?<![\w:-])[A-Za-z][\w-]*+(?!:)", header)]
    settings = dict(re.findall(r"(type|open):([\w-]+)", header))
    if header.startswith("/") and words[0] in {"admonition", "details"}:
        folds = "?" if words[0] == "details" else ""
        words[0] = settings.get("type", "note")
    else:
        folds = "".join(sign for sign in ("?", "+", "-") if sign in header[-1:] + header[:4])
    folds += "+" if settings.get("open") == "true" else ""
    name = html.escape(" ".join(("admonition", *words)))
    is_untitled = header.endswith('""')
    title = title.strip() or html.escape(words[0].replace("-", " ").capitalize())
    if folds:
        is_open = " open" if "+" in folds else ""
        return f'<details class="{name}"{is_open}>\n<summary class="admonition-title">{title}</summary>', "</details>"
    heading = "" if is_untitled else f'\n<p class="admonition-title">{title}</p>'
    return f'<div class="{name}">{heading}', "</div>"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as a table of contents shows it; `title` is plain text."""

    level: int
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A heading in a nested table of contents, with the headings below it."""

    level: int
    id: str
    title: str
    children: list[Entry] = field(default_factory=list)


def contents_of(headings: Sequence[Heading], levels: range) -> list[Entry]:
    """The headings of these levels as a tree."""
    top = Entry(0, "", "")
    open_entries = [top]
    for each in (each for each in headings if each.level in levels):
        while open_entries[-1].level >= each.level:
            open_entries.pop()
        entry = Entry(each.level, each.id, each.title)
        open_entries[-1].children.append(entry)
        open_entries.append(entry)
    return top.children


_TOC: Final = "<p>[TOC]</p>"


def with_contents(content: str, contents: Sequence[Entry]) -> str:
    """The HTML with the table of contents in place of the first `[TOC]`."""
    before, place, after = content.partition(_TOC)
    return f'{before}<div class="toc">{_listed(contents)}\n</div>{after}' if place else content


def _listed(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    items = (
        f'<li><a href="#{html.escape(each.id)}">{html.escape(each.title, quote=False)}</a>{_listed(each.children)}</li>'
        for each in entries
    )
    return "\n".join(("\n<ul>", *items, "</ul>"))
