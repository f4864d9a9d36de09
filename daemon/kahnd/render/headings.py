r"""The headings of a text's HTML: their titles, and ids for those that have none.

Only elements of the page count: not what stands in a script, a text field, a comment, an attribute's value, or between
`<pre>` and `</pre>`. The HTML is read as browsers read it, in one pass: whatever an expression tries here, it consumes,
so that the time is linear in the text's length.

Ids are those of GitHub (html-pipeline's TableOfContentsFilter): lower case, of Ruby's `\p{Word}`, `-` and blanks, which
become `-`; and `-1`, `-2`, … where one is taken.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final


def _in_any_case(name: str) -> str:
    """An expression for a name. The flag for it would make every try some five times as slow."""
    return "".join(f"[{each}{each.upper()}]" for each in name)


_ATTRIBUTES: Final = r"""(?:[^>=]|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|))*+"""
_NAMES: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_TEXT_ONLY: Final = tuple(map(_in_any_case, _NAMES))
_OF_INTEREST: Final = "|".join(("h[1-6]", "pre", "template", *_NAMES))
_NOT_MARKUP: Final = "|".join(
    (
        r"!--(?:-?>|.*?(?:--!?>|\Z)) | !\[CDATA\[.*?(?:\]\]>|\Z) | \?.*?(?:\?>|\Z)",
        *(rf"{each}(?=[\s/>]){_ATTRIBUTES}(?:>.*?(?:</{each}(?=[\s/>])|\Z)|\Z)" for each in _TEXT_ONLY),
    )
)
"""What holds no elements: comments and the like, and what browsers take as text, up to where it ends."""
_TOKEN: Final = re.compile(
    rf"""
    <(?!/(?![hH]) | (?!{_OF_INTEREST})[a-z][a-z0-9]*+(?:\ (?:class|href|src|alt|title|style)="[^"<>]*+")*+(?:\ /)?+>)
    (?:{_NOT_MARKUP}
      | (?P<heading>/?[hH][1-6])(?=[\s/>])(?P<of_heading>{_ATTRIBUTES})(?:>|\Z)
      | (?P<quiet>{_in_any_case("pre")}|{_in_any_case("template")})(?=[\s/>])(?P<of_quiet>{_ATTRIBUTES})(?:>|\Z)
      | [a-zA-Z](?P<of_other>{_ATTRIBUTES})(?:>|\Z))
    """,
    re.DOTALL | re.VERBOSE,
)
"""All that matters: it passes by the tags without an id that Markdown and Pygments make first, for they are many."""
_OF_MARKDOWN: Final = re.compile(
    r'<(?:(?P<heading>/?h[1-6])(?P<of_heading>[^>]*)>|div(?P<of_other> class="footnote[^>]*)>|(?P<quiet>(?!)))'
)
"""The same, in a fraction of the time, for HTML in which there is only what Markdown makes."""
_WRITTEN_BY_HAND: Final = re.compile("<[A-Za-z/!?]")
_TAG: Final = re.compile(
    rf"<(?:{_NOT_MARKUP}|/?(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>{_ATTRIBUTES})(?:>|\Z))",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE: Final = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>]++)))?""")
_MAY_BE_ID: Final = re.compile(r"[iI][dD]\s*=")


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


@dataclass(frozen=True, slots=True)
class _Element:
    """A heading in the HTML: `name_end` is where its tag's name ends, `id` the one that it has."""

    level: int
    name_end: int
    id: str
    inner: str


@dataclass(slots=True)
class _Reader:
    """Reads elements out of HTML; `taken` are the ids seen so far."""

    content: str
    token: re.Pattern[str]
    taken: set[str] = field(default_factory=set)
    _open: dict[str, bool] = field(default_factory=dict)

    def headings(self) -> Iterator[_Element]:
        """The heading elements, each as it ends. One that is not closed is given up where the next begins."""
        opened: re.Match[str] | None = None
        given, position = "", 0
        while token := self.token.search(self.content, position):
            position = token.end()
            if name := token["heading"]:
                if name[0] != "/":
                    opened, given = token, self._id_in(token["of_heading"])
                elif opened:
                    inner = self.content[opened.end() : token.start()]
                    yield _Element(int(opened["heading"][1]), opened.end("heading"), given, inner)
                    opened = None
            elif name := token["quiet"]:
                self._id_in(token["of_quiet"])
                position = self._after(name, position)
            elif attributes := token["of_other"]:
                self._id_in(attributes)

    def _after(self, name: str, start: int) -> int:
        """Where an element ends whose headings are none; what is not closed is passed by."""
        end = self.content.find(f"</{name}>", start) if self._open.get(name, True) else -1
        if end < 0:
            self._open[name] = False
            return start
        if _MAY_BE_ID.search(self.content, start, end):
            for token in _TAG.finditer(self.content, start, end):
                self._id_in(token["attributes"] or "")
        return end

    def _id_in(self, attributes: str) -> str:
        found = _attribute("id", attributes)
        if found:
            self.taken.add(_as_seen(found))
        return found


class _Slug(dict[int, "str | None"]):
    """What becomes of a character in an id, as `str.translate` asks for it."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        is_word = kind[0] in "LM" or kind in {"Nd", "Nl", "Pc"} or any(code in each for each in _CIRCLED)
        self[code] = kept = character if is_word or character == "-" else "-" if character == " " else None
        return kept


_CIRCLED: Final = (range(0x24B6, 0x24EA), range(0x1F130, 0x1F14A), range(0x1F150, 0x1F16A), range(0x1F170, 0x1F18A))
"""Letters in circles and squares, which are alphabetic and yet symbols."""
_SLUG: Final = _Slug()


def with_ids(content: str, markdown: str) -> Html:
    """The HTML of a Markdown text, with an id for each of its headings that has none, and that nothing else has."""
    reader = _Reader(content, _token_for(markdown))
    elements = list(reader.headings())
    headings: list[Heading] = []
    pieces: list[str] = []
    last: dict[str, int] = {}
    end = 0
    for each in elements:
        name = each.id or _free(_slug_of(each.inner), reader.taken, last)
        headings.append(Heading(each.level, name, text_of(each.inner).strip()))
        if not each.id:
            pieces.append(f'{content[end : each.name_end]} id="{name}"')
            end = each.name_end
    return Html("".join((*pieces, content[end:])), tuple(headings))


def first_title(content: str, markdown: str) -> str | None:
    """The plain text of the first heading in a Markdown text's HTML."""
    first = next(_Reader(content, _token_for(markdown)).headings(), None)
    return text_of(first.inner).strip() if first else None


def _token_for(markdown: str) -> re.Pattern[str]:
    return _TOKEN if _WRITTEN_BY_HAND.search(markdown) else _OF_MARKDOWN


def text_of(inner: str, *, images: bool = True) -> str:
    """HTML as plain text: without tags, and with the words that stand for an image."""

    def plain(tag: re.Match[str]) -> str:
        return _attribute_as_written("alt", tag["attributes"]) if images and _is_image(tag) else ""

    return html.unescape(_TAG.sub(plain, inner) if "<" in inner else inner)


def _is_image(tag: re.Match[str]) -> bool:
    return (tag["name"] or "").lower() == "img"


def _attribute(name: str, attributes: str) -> str:
    return html.unescape(_attribute_as_written(name, attributes))


def _attribute_as_written(name: str, attributes: str) -> str:
    """An attribute's value; empty where there is none. Of several the first counts."""
    if name not in attributes.lower():
        return ""
    found = (each for each in _ATTRIBUTE.finditer(attributes) if each[1].lower() == name)
    first = next(found, None)
    return (first[2] or first[3] or first[4] or "") if first else ""


def _slug_of(inner: str) -> str:
    """GitHub's id for a heading. Where it leaves nothing, an image's words are better than none."""
    return _slug(text_of(inner, images=False)) or _slug(text_of(inner).strip()) or "section"


def _slug(text: str) -> str:
    return text.lower().translate(_SLUG)


def _free(slug: str, taken: set[str], last: dict[str, int]) -> str:
    name = slug
    while _as_seen(name) in taken:
        last[slug] = last.get(slug, 0) + 1
        name = f"{slug}-{last[slug]}"
    taken.add(_as_seen(name))
    return name


def _as_seen(name: str) -> str:
    """The same for both spellings of a letter with an accent: ids that look the same are the same to a reader."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
