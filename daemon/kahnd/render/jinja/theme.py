"""The theme that comes with kahnd: its parts, and the filters that they are made with.

A template names a part as `kahnd:NAME`. The parts are the files of `kahnd/theme`; a project replaces one by a file of
that name in its folder `theme`.
"""

from __future__ import annotations

import html
import itertools
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from operator import itemgetter
from string import punctuation
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup, escape

from kahnd.core.hashing import hash_fields, hash_text
from kahnd.core.model import Digest, DocumentId, Problem
from kahnd.core.rules import collection_id, is_below
from kahnd.core.text import find_similar, shortened, similar_name_remedy
from kahnd.render.cache import Cache
from kahnd.render.data.ordering import fixed_folder, instant, tag_pages, tags_of
from kahnd.render.files import ProblemError
from kahnd.render.jinja.values import Page, formatted
from kahnd.render.markdown.convert import Heading, text_of

PREFIX: Final = "kahnd:"
FOLDER: Final = "theme"
REPLACEMENTS: Final = collection_id(f"{FOLDER}/**")
"""The collection of a project's own parts."""
MAX_LEVELS: Final = 12
"""The limit on nested entries in a list of pages."""

_INCLUDED: Final = re.compile(rf'\{{% include "{PREFIX}([^"]+)" %\}}\n')


@cache
def parts() -> Mapping[str, str]:
    """The texts of all parts, by name."""
    folder = files("kahnd") / "theme"
    return {each.name: each.read_text("utf-8") for each in sorted(folder.iterdir(), key=lambda file: file.name)}


@cache
def fingerprint() -> Digest:
    """A hash of all parts: they belong to the recipe of whatever may use them."""
    return hash_fields(field for part in parts().items() for field in part)


def is_part(reference: object) -> bool:
    """Tell whether a reference names a part."""
    return isinstance(reference, str) and reference.startswith(PREFIX)


def replacement(reference: str) -> DocumentId:
    """The document that replaces a part."""
    return DocumentId(f"{FOLDER}/{reference.removeprefix(PREFIX)}")


def part(reference: str) -> str:
    """The text of a part. Raises ProblemError if there is none of that name."""
    name = reference.removeprefix(PREFIX)
    if name not in parts():
        close = get_close_matches(name, parts(), n=1)
        hint = f"did you mean {PREFIX}{close[0]}?" if close else f"there are {', '.join(parts())}"
        raise _unfit(f"kahnd's theme has no part {name!r}", hint)
    return parts()[name]


def assembled(name: str) -> str:
    """The text of a part with that of the parts which it includes in place, so that none can be replaced."""
    return _INCLUDED.sub(lambda tag: part(tag[1]), part(name))


# -- The order of pages

_INDEX: Final = frozenset({"index", "readme", "_index"})
_NUMBER: Final = re.compile(r"(\d+)")
_LEADING: Final = re.compile(r"\d+[-_. ]+")
_WEB: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SUMMARY_LINE: Final = re.compile(r"([ \t]*+)([-*+][ \t]++)?\[([^\]]*+)\]\(<?([^()<>]*+)>?\)[ \t]*+")
_SUMMARY_TITLE: Final = re.compile(r"#++[ \t]++(.*)")


@dataclass(slots=True)
class _Entry:
    """An entry of the navigation: a page, a link to elsewhere, or a title alone. Without a title, it has the page's."""

    path: str = ""
    title: str = ""
    url: str = ""
    counted: bool = True
    children: list[_Entry] = field(default_factory=list)

    def shown(self, number: str = "") -> dict[str, Any]:
        """The entry as templates see it; `number` is that of the entry: "2.1"."""
        children: list[dict[str, Any]] = []
        count = 0
        for each in self.children:
            count += each.counted
            children.append(each.shown(f"{number}.{count}".lstrip(".") if each.counted else ""))
        first = self.path or next((each["first"] for each in children if each["first"]), "")
        own = {"path": self.path, "title": self.title, "url": self.url, "number": number}
        return {**own, "first": first, "children": children}


def navigation(found: Iterable[Page], pattern: str, listing: object = None) -> dict[str, Any]:
    """The order of pages, from their folders, or from a list; a text is a list in Markdown, as mdBook's SUMMARY.md.

    A mapping with `tree`, entries with entries; `order`, all paths; `places`: by path, its `trail` (the indexes that
    lead to it in the tree) and its neighbours, `previous` and `next` ("" for none); and `problems`, texts about listed
    paths that are no pages, and are shown without a link.
    """
    pages = {str(each.path): each for each in found if each.get("nav", default=True) is not False}
    listed = _Listing(pages, fixed_folder(pattern))
    tree = _Entry(children=listed.entries(listing) if listing else listed.folder("")).shown()["children"]
    places: dict[str, dict[str, Any]] = {}
    for path, trail in _trails(tree):
        places.setdefault(path, {"trail": trail, "previous": "", "next": ""})
    for before, after in itertools.pairwise(places):
        places[before]["next"], places[after]["previous"] = after, before
    return {"tree": tree, "order": list(places), "places": places, "problems": listed.problems}


def _trails(tree: Sequence[Mapping[str, Any]], above: tuple[int, ...] = ()) -> Iterator[tuple[str, list[int]]]:
    for index, each in enumerate(tree):
        if each["path"]:
            yield each["path"], [*above, index]
        yield from _trails(each["children"], (*above, index))


@dataclass(slots=True)
class _Listing:
    """Makes entries of pages, by their paths; paths in lists are relative to `base`."""

    pages: Mapping[str, Page]
    base: str
    problems: list[str] = field(default_factory=list)

    def folder(self, folder: str) -> list[_Entry]:
        """The pages of a folder and those below, by `order` and then by name. The folder's own page comes first."""
        start = posixpath.join(self.base, folder).strip("/")
        below = {path: path[len(start) :].strip("/").split("/") for path in self.pages if is_below(path, start or ".")}
        own, entries = self._grouped(below, 0)
        return [_Entry(own, counted=False), *entries] if own else entries

    def _grouped(self, paths: Mapping[str, Sequence[str]], level: int) -> tuple[str, list[_Entry]]:
        """The page of a folder itself, or "", and the entries of the others; `paths` are split into names."""
        own = ""
        ordered: list[tuple[tuple[float, list[Any]], _Entry]] = []
        folders: dict[str, dict[str, Sequence[str]]] = {}
        for path, names in paths.items():
            if len(names) > level + 1 and level < MAX_LEVELS:
                folders.setdefault(names[level], {})[path] = names
            elif len(names) == level + 1 and not own and _stem(path).lower() in _INDEX:
                own = path
            else:
                ordered.append((self._order(path, _stem(path)), _Entry(path)))
        for name, inner in folders.items():
            index, entries = self._grouped(inner, level + 1)
            ordered.append((self._order(index, name), _Entry(index, "" if index else _titled(name), children=entries)))
        return own, [entry for _, entry in sorted(ordered, key=itemgetter(0))]

    def _order(self, path: str, name: str) -> tuple[float, list[Any]]:
        """Sorts by the page's `order`, then by name, in which numbers count as numbers."""
        given = self.pages[path].get("order") if path else None
        number = float(given) if isinstance(given, int | float) else float("inf")
        pieces = _NUMBER.split(name.casefold())
        return number, [int(each) if index % 2 else each for index, each in enumerate(pieces)]

    def entries(self, listing: object, level: int = 0) -> list[_Entry]:
        """The entries of a list. Raises ProblemError for anything in it that is no path."""
        if level > MAX_LEVELS:
            raise _unfit("the navigation is nested too deep", f"{MAX_LEVELS} levels are the limit")
        if isinstance(listing, str):
            return self._summary(listing)
        if not isinstance(listing, list | tuple):
            raise _unfit("the navigation is no list", "write a list of paths, or of mappings of a title to a path")
        return [entry for each in listing for entry in self._listed(each, level)]

    def _listed(self, given: object, level: int) -> list[_Entry]:
        if isinstance(given, str):
            return self.folder(given) if given.endswith("/") and not _WEB.match(given) else [self._entry("", given)]
        if not isinstance(given, Mapping) or len(given) != 1:
            raise _unfit("an entry of the navigation is no path", 'write "guide/start.md", or "Title: guide/start.md"')
        ((name, value),) = given.items()
        title = "" if name is None else str(name)
        if value is None or value == "":
            message = f"the entry {shortened(title)!r} of the navigation has no page and no entries"
            raise _unfit(message, f'write "{shortened(title) or "Title"}: guide/start.md", or list entries below it')
        if isinstance(value, str) and (_WEB.match(value) or not value.endswith("/")):
            return [self._entry(title, value)]
        if not title.strip():
            raise _unfit("a section of the navigation has no title", 'write "Title:" before its entries')
        entry = self._entry("", title) if self._path(title) in self.pages else _Entry(title=title)
        entry.children = self.folder(value) if isinstance(value, str) else self.entries(value, level + 1)
        return [entry]

    def _entry(self, title: str, target: str) -> _Entry:
        if _WEB.match(target):
            return _Entry(title=title or target, url=target, counted=False)
        path = self._path(target)
        if path not in self.pages:
            remedy = similar_name_remedy(path, find_similar(path, self.pages))
            self.problems.append(f"the navigation lists {shortened(target)}, which is no page ({remedy})")
            return _Entry(title=title or target)
        return _Entry(path, title)

    def _path(self, target: str) -> str:
        return posixpath.normpath(posixpath.join(self.base, target) if target[:1] != "/" else target[1:])

    def _summary(self, text: str) -> list[_Entry]:
        """The entries of a Markdown text: links, nested by their indentation, below titles."""
        top: list[_Entry] = []
        levels: list[tuple[int, list[_Entry]]] = [(-1, top)]
        for line in text.expandtabs(4).splitlines():
            if title := _SUMMARY_TITLE.fullmatch(line):
                part = _Entry(title=title[1].strip(), counted=False)
                levels = [(-1, top)]
                top += [part] if top else []
            elif link := _SUMMARY_LINE.fullmatch(line):
                indent = len(link[1])
                while levels[-1][0] >= indent:
                    levels.pop()
                entry = self._entry(link[3], link[4]) if link[4] else _Entry(title=link[3])
                entry.counted = bool(link[2])
                levels[-1][1].append(entry)
                if len(levels) <= MAX_LEVELS:
                    levels.append((indent, entry.children))
        return top


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _titled(folder: str) -> str:
    """A title for a folder without a page of its own."""
    words = _LEADING.sub("", folder, count=1).replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] or folder


def _unfit(message: str, remedy: str) -> ProblemError:
    return ProblemError(Problem(message, remedy=remedy))


# -- The text of pages

_TAG: Final = re.compile(r"""<[a-zA-Z](?:[^"'<>]|"[^"<>]*+"|'[^'<>]*+')*+>""")
_LINK: Final = re.compile(r"""(?<=\s)(id|href|src)="([^"]*+)\"""")
_HEADING: Final = re.compile(r'<h([1-6])(?:\s[^<>]*?)?\sid="([^"<>]*+)"[^<>]*+>')
_CELL_END: Final = re.compile(r"(?=</t[dh]>|<br)")
_PUNCTUATION: Final = frozenset(punctuation)
_ARTICLE: Final = re.compile(r"<article(?:\s[^<>]*+)?>")


def article(text: str) -> Markup:
    """The HTML in the `<article>` of a page; all of it, if it has none."""
    start = _ARTICLE.search(text)
    end = text.rfind("</article>")
    return Markup(text[start.end() : end] if start and end >= start.end() else text)  # noqa: S704 - a page's own HTML


SECTIONS: Final[Cache[Digest, list[list[str]]]] = Cache(1 << 14, 1 << 25)
"""The sections of pages' texts by hash: of the search index, an edit changes those of one page."""


def sections(text: str) -> list[list[str]]:
    """The sections of a page's article: lists of a heading's id, its text, and the text up to the next heading."""
    key = hash_text(text)
    return SECTIONS.get(key, lambda: _sections(text), len(text))


def _sections(text: str) -> list[list[str]]:
    content = article(text)
    found = [("", "", 0, 0)]
    for each in _HEADING.finditer(content):
        end = content.find("</h", each.end())
        if end < 0:
            break
        found.append((each[2], _words(content[each.end() : end]), each.start(), end + len("</h1>")))
    starts = [start for _, _, start, _ in found[1:]]
    pieces = zip(found, [*starts, len(content)], strict=True)
    listed = [[html.unescape(name), title, _words(content[start:end])] for (name, title, _, start), end in pieces]
    return [each for each in listed if any(each)]


def _words(content: str) -> str:
    return " ".join(text_of(_CELL_END.sub(" ", content)).split())


def permalinks(content: str, headings: Iterable[Heading], label: str = "Link to this section") -> Markup:
    """HTML with a link to itself in each heading below the first level."""
    pieces: list[str] = []
    end = 0
    for each in headings:
        name = f' id="{each.id}"'
        start = content.find(name, end) if each.level > 1 else -1
        close = content.find(f"</h{each.level}>", start) if start >= 0 else -1
        if close >= 0 and content.find("<h", start, close) < 0:
            about = escape(f"{label}: {each.title}")
            link = f'<a class="permalink" href="#{escape(quote(each.id))}" aria-label="{about}"></a>'
            pieces += content[end:close], link
            end = close
    return Markup("".join((*pieces, content[end:])))  # noqa: S704 - a page's own HTML


def chapter(text: str, urls: Sequence[str], index: int) -> Markup:
    """The article of the page at `urls[index]` as a part of a page that has those at all of `urls` in it.

    Ids get a prefix, so that they stay unique, and links between the pages lead to these.
    """
    numbers = {posixpath.normpath(url): number for number, url in enumerate(urls)}
    folder = posixpath.dirname(urls[index])

    def target(name: str, value: str) -> str:
        path, mark, fragment = value.partition("#")
        if name == "id" or (name == "href" and not path and mark):
            return f"{mark}c{index}-{fragment}" if mark else f"c{index}-{value}"
        if _WEB.match(value) or value.startswith("/"):
            return value
        moved = posixpath.normpath(posixpath.join(folder, path))
        if name == "href" and moved in numbers:
            return f"#c{numbers[moved]}" + (f"-{fragment}" if fragment else "")
        return f"{moved}{'/' if path.endswith('/') else ''}{mark}{fragment}"

    def rewritten(tag: re.Match[str]) -> str:
        return _LINK.sub(lambda given: f'{given[1]}="{target(given[1], given[2])}"', tag[0])

    return Markup(_TAG.sub(rewritten, article(text)))  # noqa: S704 - a page's own HTML


def date(value: Any, pattern: str) -> str:
    """A date, or a text that is one, in the form of a pattern of `strftime`; in UTC."""
    moment = instant(value)
    if moment is None:
        raise _unfit(f"{value} is no date that can be read", "write it as 2026-01-31, or 2026-01-31 10:00:00 +0100")
    return formatted(moment, pattern)


def literal(value: Any) -> str:
    """A text as Markdown that shows it as it is: no character of it means anything to Markdown, or to templates."""
    text = " ".join(str(value).split())
    return "".join(f"&#{ord(each)};" if each in _PUNCTUATION else each for each in text)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "article": article,
    "chapter": chapter,
    "date": date,
    "literal": literal,
    "navigation": navigation,
    "permalinks": permalinks,
    "sections": sections,
    "tag_pages": tag_pages,
    "tags_of": tags_of,
}
