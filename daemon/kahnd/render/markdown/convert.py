r"""Markdown to HTML by pyromark (pulldown-cmark in Rust), with heading ids and code coloured by Pygments.

Headings are those of the page: not the ones in a script, a text field, a comment, an attribute's value, or between
`<pre>` and `</pre>`. The HTML is read as browsers read it, in one pass that is linear in the text's length: the
expressions consume what they try.

Ids are those of GitHub (html-pipeline's TableOfContentsFilter): lower case, of Ruby's `\p{Word}`, `-` and spaces, which
become `-`; and `-1`, `-2`, … if one is taken.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pyromark

from kahnd.render.cache import Cache
from kahnd.render.markdown import MarkdownOptions, blocks, extensions
from kahnd.render.markdown.blocks import Heading as Heading  # noqa: PLC0414 - part of this module's results
from kahnd.render.markdown.highlight import Fence, Highlighter, languages_of

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
"""The most bytes that coloured code takes per byte of code."""
_BLANK: Final = "\ufdd1"
"""Replaces a space between braces after a fence, since pyromark passes on the first word only."""
_FENCE_WITH_BRACES: Final = re.compile(
    r"^[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+(?:`{3,}+|~{3,}+)[ \t]*+\{[^}\n]*+", re.MULTILINE
)
_LONE_RETURN: Final = re.compile(r"\r(?!\n)")
_PLAIN: Final = pyromark.Markdown(options=_OPTIONS)


def _with_line_feeds(text: str) -> str:
    """The text with line feeds in place of carriage returns that stand alone, which pulldown-cmark takes for text."""
    return _LONE_RETURN.sub("\n", text) if "\r" in text else text


@dataclass(frozen=True, slots=True)
class Outline:
    """A Markdown text's HTML without colours, which shows its title and the ids that links can lead to."""

    html: str
    by_hand: bool
    """Not all of it is pyromark's."""

    @classmethod
    def of(cls, markdown: str, options: MarkdownOptions | None = None) -> Outline:
        """The outline of a text, without the changes that hooks of the project make."""
        if options is None or options == _NO_OPTIONS:
            markdown = _with_line_feeds(markdown)
            return cls(_PLAIN.html(markdown), WRITTEN_BY_HAND.search(markdown) is not None)
        nowhere = extensions.Target("")
        extras = Extras(options, lambda _page, _part, _in: nowhere, lambda fence: fence, lambda _fence: None)
        return cls(_extended(markdown, extras, lambda _info, _code: ""), by_hand=True)

    @property
    def title(self) -> str | None:
        """The plain text of the first heading."""
        first = next(_Reader(self.html, self._token).headings(), None)
        return text_of(first.inner).strip() if first else None

    @property
    def structure(self) -> str:
        """A text that differs whenever the ids do: all that makes some, unless HTML in the text takes a closer look."""
        if self.by_hand:
            return "\n".join(sorted(self.ids()))
        return "\n".join(_MAKES_IDS.findall(self.html))

    def ids(self) -> frozenset[str]:
        """The ids, and the names of `<a name>`, that a link can lead to; perhaps more, in HTML that is not shown."""
        return ids_in(_with_ids(self.html, self._token).content)

    @property
    def _token(self) -> re.Pattern[str]:
        return _TOKEN if self.by_hand else _OF_MARKDOWN


def ids_in(content: str) -> frozenset[str]:
    """The ids in HTML that a link can lead to, and perhaps more."""
    found = (each[1] or each[2] or each[3] for each in _ID_OR_NAME.finditer(content))
    return frozenset(as_seen(html.unescape(each)) for each in found)


@dataclass(frozen=True, slots=True)
class Extras:
    """A page's extensions of Markdown.

    `resolve`: the address of a wiki link. `take`: a fence with the code that it takes from a file. `by_hand`: the HTML
    of a fence, None for those that are coloured. `formulas`: makes HTML of math; None leaves it to a script.
    """

    options: MarkdownOptions
    resolve: extensions.Resolve | None
    take: Callable[[Fence], Fence]
    by_hand: Callable[[Fence], str | None]
    formulas: extensions.Render | None = None

    @property
    def parser_options(self) -> pyromark.Options:
        """The options of pyromark."""
        chosen = (
            (self.options.definition_lists, _Options.ENABLE_DEFINITION_LIST),
            (self.options.smart_quotes, _Options.ENABLE_SMART_PUNCTUATION),
        )
        return _OPTIONS | sum(option for is_on, option in chosen if is_on)


class Markdown:
    """Converts Markdown; caches coloured code."""

    def __init__(self) -> None:
        self._coloured: Cache[tuple[str, str], str | None] = Cache(128, 16 << 20)
        self._colouring = Highlighter()
        self._markdown = pyromark.Markdown(options=_OPTIONS, highlight=self._highlight)

    def convert(self, text: str) -> Html:
        """The HTML of a text. Never fails, since every text is Markdown."""
        text = _with_line_feeds(text)
        if "{" not in text or _BLANK in text:
            return with_ids(self._markdown.html(text), text)
        # All spaces are restored, also those in lines that turn out to be no fence.
        joined = _FENCE_WITH_BRACES.sub(_as_one_word, text)
        return with_ids(self._markdown.html(joined).replace(_BLANK, " "), text)

    def convert_extended(self, text: str, extras: Extras) -> Html:
        """The HTML of a text in extended Markdown. Raises what the functions in `extras` raise."""
        made = _with_ids(_extended(text, extras, partial(self._fenced, extras)), _TOKEN)
        content = made.content
        if extras.formulas:
            content = extensions.with_formulas(content, extras.formulas)
        if extras.options.toc:
            content = blocks.with_contents(content, blocks.contents_of(made.headings, extras.options.toc_levels))
        return Html(content, made.headings)

    def _fenced(self, extras: Extras, info: str | None, code: str) -> str | None:
        """The code's HTML; `info` is the first word after the fence, or all of it, masked."""
        fence = Fence.read(extensions.restored(info or ""), extensions.restored(code))
        made = extras.by_hand(fence)
        if made is not None or not fence.info:
            return made
        if extras.options.code:
            fence = extras.take(fence)
            if not fence.is_plain:
                key = (f"{fence.info}\0", fence.code)
                return self._coloured.get(key, lambda: self._colouring.formatted(fence), _COLOURED * len(fence.code))
        return self._of_language(fence.info, fence.code) or _named(fence.info, fence.code)

    def clear(self) -> None:
        """Remove all cached code."""
        self._coloured.clear()

    def _highlight(self, info: str | None, code: str) -> str | None:
        """The code's HTML; `info` is the first word after the fence, or everything between braces there."""
        if not info:
            return None
        info, code = info.replace(_BLANK, " "), code.replace(_BLANK, " ")
        return self._of_language(info, code) or (_named(info, code) if info[0] == "{" else None)

    def _of_language(self, info: str, code: str) -> str | None:
        return self._coloured.get((info, code), lambda: self._colouring.colour(info, code), _COLOURED * len(code))


_NO_OPTIONS: Final = MarkdownOptions()


def _extended(text: str, extras: Extras, highlight: Callable[[str | None, str], str | None]) -> str:
    """The HTML of a text in extended Markdown, with formulas as scripts find them and without ids of headings."""
    rewritten = blocks.Blocks(enabled=extras.options.admonitions).rewritten(_with_line_feeds(text))
    prepared = extensions.prepared(rewritten, extras.options, extras.resolve)
    parser = pyromark.Markdown(options=extras.parser_options, highlight=highlight)
    return extensions.finished(blocks.finished(parser.html(prepared)))


def _as_one_word(fence: re.Match[str]) -> str:
    before, brace, attributes = fence[0].partition("{")
    return f"{before}{brace}{attributes.replace(' ', _BLANK)}"


def _named(info: str, code: str) -> str:
    """Code without colours, with the language in its class, where scripts look for it."""
    name = next(iter(languages_of(info)), "")
    language = f' class="language-{html.escape(name)}"' if name else ""
    return f"<pre><code{language}>{html.escape(code, quote=False)}</code></pre>"


def _in_any_case(name: str) -> str:
    """An expression for a name in any case; the flag IGNORECASE would be about five times as slow."""
    return "".join(f"[{each}{each.upper()}]" for each in name)


ATTRIBUTES: Final = r"""(?:[^>=]|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|))*+"""
_NAMES: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_TEXT_ONLY: Final = tuple(map(_in_any_case, _NAMES))
_OF_INTEREST: Final = "|".join(("h[1-6]", "pre", "template", *_NAMES))
NOT_MARKUP: Final = "|".join(
    (
        r"!--(?:-?>|.*?(?:--!?>|\Z)) | !\[CDATA\[.*?(?:\]\]>|\Z) | \?.*?(?:\?>|\Z)",
        *(rf"{each}(?=[\s/>]){ATTRIBUTES}(?:>.*?(?:</{each}(?=[\s/>])|\Z)|\Z)" for each in _TEXT_ONLY),
    )
)
"""Comments and the like, and elements whose content browsers take as text, up to their end."""
_TOKEN: Final = re.compile(
    rf"""
    <(?!/(?![hH]) | (?!{_OF_INTEREST})[a-z][a-z0-9]*+(?:\ (?:class|href|src|alt|title|style)="[^"<>]*+")*+(?:\ /)?+>)
    (?:{NOT_MARKUP}
      | (?P<heading>/?[hH][1-6])(?=[\s/>])(?P<of_heading>{ATTRIBUTES})(?:>|\Z)
      | (?P<quiet>{_in_any_case("pre")}|{_in_any_case("template")})(?=[\s/>])(?P<of_quiet>{ATTRIBUTES})(?:>|\Z)
      | [a-zA-Z](?P<of_other>{ATTRIBUTES})(?:>|\Z))
    """,
    re.DOTALL | re.VERBOSE,
)
"""The tags of interest. The many tags without an id that Markdown and Pygments make are passed over first."""
_OF_MARKDOWN: Final = re.compile(
    r'<(?:(?P<heading>/?h[1-6])(?P<of_heading>[^>]*)>|div(?P<of_other> class="footnote[^>]*)>|(?P<quiet>(?!)))'
)
"""The same in a fraction of the time, for HTML that comes from Markdown alone."""
WRITTEN_BY_HAND: Final = re.compile("<[A-Za-z/!?]")
_TAG: Final = re.compile(
    rf"<(?:{NOT_MARKUP}|/?(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>{ATTRIBUTES})(?:>|\Z))",
    re.DOTALL | re.VERBOSE,
)
ATTRIBUTE: Final = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>]++)))?""")
_ID_OR_NAME: Final = re.compile(r"""\b(?:[iI][dD]|[nN][aA][mM][eE])\s*+=\s*+(?:"([^"]++)"|'([^']++)'|([^\s"'>]++))""")
_MAKES_IDS: Final = re.compile(r"<h[1-6][^>]*+>.*?</h[1-6]>|<div class=\"footnote[^>]*+>", re.DOTALL)
_MAY_BE_ID: Final = re.compile(r"[iI][dD]\s*=")


@dataclass(frozen=True, slots=True)
class Html:
    """A text's HTML and its headings, in order."""

    content: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class _Element:
    """A heading element: `name_end` is the end of its tag's name, `id` the id in its tag, if any."""

    level: int
    name_end: int
    id: str
    inner: str


@dataclass(slots=True)
class _Reader:
    """Finds headings in HTML; `taken` has the ids found so far."""

    content: str
    token: re.Pattern[str]
    taken: set[str] = field(default_factory=set)
    _open: dict[str, bool] = field(default_factory=dict)

    def headings(self) -> Iterator[_Element]:
        """The heading elements in order of their ends. One that is not closed is dropped when the next begins."""
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
        """The end of an element whose headings do not count; if it is not closed, its content counts."""
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
            self.taken.add(as_seen(found))
        return found


class _Slug(dict[int, "str | None"]):
    """A table for `str.translate` that turns a heading's text into an id."""

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
    """The HTML of a Markdown text, with a unique id for each heading that has none."""
    return _with_ids(content, _token_for(markdown))


def _with_ids(content: str, token: re.Pattern[str]) -> Html:
    reader = _Reader(content, token)
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


def _token_for(markdown: str) -> re.Pattern[str]:
    return _TOKEN if WRITTEN_BY_HAND.search(markdown) else _OF_MARKDOWN


def text_of(inner: str, *, images: bool = True) -> str:
    """HTML as plain text: without tags, and with the alternative text of images."""

    def plain(tag: re.Match[str]) -> str:
        return _attribute_as_written("alt", tag["attributes"]) if images and _is_image(tag) else ""

    if "<" in inner:
        inner = _TAG.sub(plain if images and "img" in inner.lower() else "", inner)
    return html.unescape(inner)


def _is_image(tag: re.Match[str]) -> bool:
    return (tag["name"] or "").lower() == "img"


def _attribute(name: str, attributes: str) -> str:
    return html.unescape(_attribute_as_written(name, attributes))


def _attribute_as_written(name: str, attributes: str) -> str:
    """An attribute's value, as browsers read it the first of several; empty if there is none."""
    if name not in attributes.lower():
        return ""
    found = (each for each in ATTRIBUTE.finditer(attributes) if each[1].lower() == name)
    first = next(found, None)
    return (first[2] or first[3] or first[4] or "") if first else ""


def _slug_of(inner: str) -> str:
    """GitHub's id for a heading; if it is empty, one from the alternative text of its images."""
    return slug(text_of(inner, images=False)) or slug(text_of(inner).strip()) or "section"


def slug(text: str) -> str:
    """A text as a part of paths and URLs; for a heading's, the id that GitHub gives it."""
    return text.lower().translate(_SLUG)


def _free(wanted: str, taken: set[str], last: dict[str, int]) -> str:
    name = wanted
    while as_seen(name) in taken:
        last[wanted] = last.get(wanted, 0) + 1
        name = f"{wanted}-{last[wanted]}"
    taken.add(as_seen(name))
    return name


def as_seen(name: str) -> str:
    """The id in normal form, since ids that look the same are the same to a reader."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
