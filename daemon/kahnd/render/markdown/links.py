"""Links in pages: a link to a source becomes the URL of its output, and one that leads nowhere is reported.

A link may name a source, by its path from the page or the project, or an output, as browsers resolve it. `places` gives
both, in the order in which they are looked for. A link is a content dependency: on whether there is something, on the
URL of its output, and on whether it has the id that the link's fragment names.
"""

from __future__ import annotations

import difflib
import html
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple
from urllib.parse import unquote

from kahnd.core.hashing import PRESENT, hash_id
from kahnd.core.model import Dependency, DocumentId, Facet, Kind, OutputPath, Problem
from kahnd.core.output_paths import anchor_facet
from kahnd.core.problem import MAX_WARNINGS
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.rules import Layout, is_below, path_error, resolve
from kahnd.core.text import shortened, similar_name_remedy
from kahnd.render.context import RenderContext
from kahnd.render.files import ProblemError, similar_file
from kahnd.render.frontmatter import Parts
from kahnd.render.markdown.convert import ATTRIBUTE, ATTRIBUTES, NOT_MARKUP, WRITTEN_BY_HAND, as_seen, ids_in

MAX_LINKS: Final = 10_000
"""The limit on links of one page to different places."""
_PARTS: Final = re.compile(r"(?P<path>[^?#]*+)(?P<query>\?[^#]*+)?(?:#(?P<fragment>.*))?", re.DOTALL)
_FOREIGN: Final = re.compile(r"\s|[a-zA-Z][a-zA-Z0-9+.-]*+:|[/\\]{2}|[^?#]*+\\|.*?[\0-\x1f\x7f]", re.DOTALL)
"""URLs with a scheme or a host, and those that browsers read in a way of their own."""
_TEMPLATED: Final = re.compile(r"\{[{%]|%7B(?:%7B|%25)", re.IGNORECASE)
_OF_MARKDOWN: Final = re.compile(r'<(?:a href|img src)="([^"]*+)"')
_LINKING: Final[Mapping[str, tuple[str, ...]]] = {
    "a": ("href",),
    "area": ("href",),
    "audio": ("src",),
    "embed": ("src",),
    "img": ("src",),
    "source": ("src",),
    "track": ("src",),
    "video": ("src", "poster"),
}
_TAG: Final = re.compile(
    rf'<(?!/|span\ class="[^"<>]*+">)(?:{NOT_MARKUP}|(?P<name>[a-zA-Z][^\s/>]*+)(?P<attributes>{ATTRIBUTES})(?:>|\Z))',
    re.DOTALL | re.VERBOSE,
)
_IN_SOURCE: Final = re.compile(
    r"""\]\(\s*+(?:<(?P<pointed>[^<>\n]++)>|(?P<inline>[^\s()<>]++))|^[ \t>]*+\[[^\]\n]++\]:\s*+<?(?P<defined>[^\s<>]++)
    |\b(?:href|src|poster)\s*+=\s*+["']?(?P<by_hand>[^\s"'<>]++)""",
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
"""Matches everything that looks like a link, also in code: only rendering tells which are links."""
_NO_ANCHORS: Final = frozenset({"", "top"})
"""Fragments that lead to the top of every page."""


class Url(NamedTuple):
    """A relative URL; `query` has its question mark, and `path` and `fragment` are decoded."""

    path: str
    query: str
    fragment: str
    written_fragment: str

    @property
    def asks_for_anchor(self) -> bool:
        """It names a part of a page; text fragments and routes of scripts do not."""
        return self.fragment not in _NO_ANCHORS and not self.fragment.startswith((":~:", "/", "!"))


def relative_url(text: str) -> Url | None:
    """The parts of a URL; None if it is not relative, so that it leads to another site or to nothing of this one."""
    parts = None if _FOREIGN.match(text) else _PARTS.fullmatch(text)
    if parts is None:
        return None
    fragment = parts["fragment"]
    written = "" if fragment is None else f"#{fragment}"
    return Url(unquote(parts["path"]), parts["query"] or "", unquote(fragment or ""), written)


class Place(NamedTuple):
    """A document or output that a link may lead to; `source` is None for an output."""

    target: DocumentId
    source: DocumentId | None


def places(layout: Layout, document: DocumentId, output: OutputPath, path: str) -> Iterator[Place]:
    """The places where the path of a link in a page may lead, in the order in which they count.

    First come sources, which count if a rule renders them: from the page's folder or, with a `/` at the beginning, from
    the project and from the page's source folder. Then outputs, from the page's own and from the output folder. A
    folder stands for the `index` file in it.
    """
    if path_error(path):
        return
    bases = [path]
    if path.startswith("/") and (source := layout.source_of(document)) not in {None, "."}:
        bases.append(f"/{source}{path}")
    for each in bases:
        found = resolve(_index_of(each, document) or each, document)
        if found and layout.source_of(found) and not layout.is_output(found):
            yield Place(DocumentId(found), DocumentId(found))
    for each in _outputs(layout, output, path):
        yield Place(DocumentId(each), None)


def _index_of(path: str, document: str) -> str | None:
    """The source that stands for a folder; None if the path names a file."""
    is_folder = posixpath.basename(path) in {"", ".", ".."}
    return f"{path}/index{posixpath.splitext(document)[1]}" if is_folder else None


def _outputs(layout: Layout, output: OutputPath, path: str) -> Iterator[str]:
    base = layout.output if path.startswith("/") else posixpath.dirname(output)
    found = posixpath.normpath(f"{base}/{path}")
    if not is_below(found, layout.output):
        return
    is_folder = posixpath.basename(path) in {"", ".", ".."}
    if not is_folder:
        yield found
    if is_folder or not posixpath.splitext(found)[1]:
        yield f"{found}/index.html"


def links_in(layout: Layout, document: DocumentId, output: OutputPath, text: str) -> Iterator[Dependency]:
    """The dependencies for all that looks like links in a page's text: each on the first place where it may lead."""
    seen: set[str] = set()
    for match in _IN_SOURCE.finditer(text):
        written = html.unescape(match["pointed"] or match["inline"] or match["defined"] or match["by_hand"])
        if written in seen or _TEMPLATED.search(written):
            continue
        seen.add(written)
        url = relative_url(written)
        place = next(places(layout, document, output, url.path), None) if url and url.path else None
        if url and place and place.target not in {document, output}:
            checks = url.asks_for_anchor and place.source and layout.is_written_as_page(place.source)
            yield link_to(place.target, url.fragment if checks else "")


def link_to(target: DocumentId, part: str = "") -> Dependency:
    """The dependency of a link, on one of the ids in the page if it leads to a part."""
    facets = {Facet.URL.value, anchor_facet(hash_id(as_seen(part)))} if part else {Facet.URL.value}
    return Dependency(target, Kind.LINK, facets=frozenset(facets))


def with_links(content: str, markdown: str | None, resolve_link: Callable[[str], str | None]) -> str:
    """A page's HTML with each link replaced by what `resolve_link` returns for it, unless that is None.

    `markdown`: the text that the HTML is made of; None if it is not made of Markdown alone.
    """

    def replaced(url: str) -> str | None:
        found = resolve_link(html.unescape(url))
        return None if found is None else html.escape(found)

    def in_markdown(link: re.Match[str]) -> str:
        new = replaced(link[1])
        return link[0] if new is None else f'{link[0][: link.start(1) - link.start()]}{new}"'

    def in_html(tag: re.Match[str]) -> str:
        names = _LINKING.get((tag["name"] or "").lower())
        return tag[0] if names is None else _with_attributes(tag, names, replaced)

    if markdown is None or WRITTEN_BY_HAND.search(markdown):
        return _TAG.sub(in_html, content)
    return _OF_MARKDOWN.sub(in_markdown, content)


def _with_attributes(tag: re.Match[str], names: Collection[str], replaced: Callable[[str], str | None]) -> str:
    attributes, seen = tag["attributes"], set[str]()
    pieces: list[str] = []
    end = 0
    for each in ATTRIBUTE.finditer(attributes):
        name = each[1].lower()
        value = each[2] or each[3] or each[4]
        if name in seen or name not in names or not value:  # of several with one name, the first counts
            seen.add(name)
            continue
        seen.add(name)
        if (new := replaced(value)) is not None:
            pieces += attributes[end : each.end(1)], f'="{new}"'
            end = each.end()
    start = tag.start("attributes") - tag.start()
    rest = tag[0][start + len(attributes) :]
    return f"{tag[0][:start]}{''.join(pieces)}{attributes[end:]}{rest}"


_MAX_COMPARED: Final = 1000
"""How many ids a wrong one is compared with, which takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link that leads nowhere, as it is written in the HTML, and what is wrong with it."""

    url: str
    message: str
    remedy: str


@dataclass
class Links:
    """Resolves the links of one rendering, and collects those that lead nowhere.

    `anchors_of`: the ids in a page, from its own bytes; None if they do not show all of them.
    """

    rendering: RenderContext
    anchors_of: Callable[[Dependency], frozenset[str] | None]
    dead: list[DeadLink] = field(default_factory=list)
    _own: dict[str, str] = field(default_factory=dict)
    """Links to this page's own parts: the first URL by fragment."""
    _others: dict[str, tuple[DocumentId, str]] = field(default_factory=dict)
    """Links to parts of other pages that their sources do not have: the page and the fragment by URL."""
    _resolved: dict[str, str | None] = field(default_factory=dict)
    _linked: frozenset[str] = frozenset()
    _unlinked: frozenset[str] = frozenset()
    _folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = self.rendering.job.links
        self._linked, self._unlinked = frozenset(known.outputs), frozenset(known.dead)
        self._folders = tuple(each for each in known.outputs if each.endswith("/"))

    def resolve(self, url: str) -> str | None:
        """The URL to write in place of one; None to leave it as it is. Raises ProblemError beyond MAX_LINKS."""
        if url not in self._resolved:
            if len(self._resolved) >= MAX_LINKS:
                message = f"has links to more than {MAX_LINKS:,} places"
                raise ProblemError(Problem(message, self.rendering.job.document, 0, "split the file"))
            self._resolved[url] = self._resolve(url)
        return self._resolved[url]

    def _resolve(self, text: str) -> str | None:
        url = relative_url(text)
        if url is None or not url.path:
            self._note_own(url, text)
            return None
        job, layout = self.rendering.job, self.rendering.layout
        if re.split("[?#]", text, maxsplit=1)[0] in self.rendering.given_urls:
            return None
        for place in places(layout, job.document, job.output, url.path):
            if self._exists(place):
                return self._found(place, url, text)
        self.dead.append(self._dead(url, text))
        return None

    def _note_own(self, url: Url | None, text: str) -> None:
        if url and url.asks_for_anchor:
            self._own.setdefault(url.fragment, text)

    def _exists(self, place: Place) -> bool:
        """Tell whether something is there. The job knows of links that were known before; the others are guessed."""
        rendering, target = self.rendering, place.target
        output = OutputPath(target)
        if place.source == rendering.job.document or output == rendering.job.output:
            return True
        if target in self._unlinked and target not in rendering.documents.declared:
            exists = False
        elif place.source is None:
            is_known = output in self._linked or any(output.startswith(each) for each in self._folders)
            exists = is_known or self._is_rendered(output)
        else:
            is_rendered = rendering.layout.rule_of(place.source) is not None
            exists = is_rendered and rendering.documents.shows(target)
        rendering.record(link_to(target), PRESENT if exists else None)
        return exists

    def _is_rendered(self, output: OutputPath) -> bool:
        """Guess whether a document renders to a path: by what is there, and by the usual forms of outputs."""
        return (self.rendering.root / output).is_file() or self._maker_of(output) is not None

    def _maker_of(self, output: OutputPath) -> DocumentId | None:
        """The document that renders to a path, if outputs have one of the usual forms."""
        layout = self.rendering.layout
        inner = posixpath.relpath(output, layout.output)
        extension = posixpath.splitext(self.rendering.job.document)[1]
        names = (inner, posixpath.splitext(inner)[0] + extension, posixpath.dirname(inner) + extension)
        sources = (DocumentId(posixpath.normpath(f"{folder}/{name}")) for folder in layout.sources for name in names)
        there = (each for each in sources if each in self.rendering.documents)
        return next((each for each in there if self.rendering.outputs_of(each)[:1] == (output,)), None)

    def _found(self, place: Place, url: Url, text: str) -> str | None:
        rendering, source = self.rendering, place.source
        if source is None:
            output = OutputPath(place.target)
            is_own = output == rendering.job.output
            self._note_part(rendering.job.document if is_own else self._maker_of(output), url, text)
            return None
        self._note_part(source, url, text)
        output = rendering.outputs_of(source)[0]  # `places` gives only sources that a rule renders
        return f"{rendering.url_of(source, output)}{url.query}{url.written_fragment}"

    def _note_part(self, source: DocumentId | None, url: Url, text: str) -> None:
        if source == self.rendering.job.document:
            self._note_own(url, text)
        elif source and url.asks_for_anchor and self.rendering.layout.is_written_as_page(source):
            anchors = self.anchors_of(link_to(source, url.fragment))
            if anchors is not None and as_seen(url.fragment) not in anchors:
                self._others[text] = (source, url.fragment)

    def _dead(self, url: Url, text: str) -> DeadLink:
        rendering = self.rendering
        named = resolve(_index_of(url.path, rendering.job.document) or url.path, rendering.job.document)
        message, remedy = f"the link to {shortened(text)} leads nowhere", "correct the link, or create the file"
        if named is None or not rendering.layout.source_of(named):
            return DeadLink(text, message, "correct the link; it can lead to documents and outputs of the project only")
        if named in rendering.documents:
            is_ruled = rendering.layout.output_of(DocumentId(named)) is not None
            reason = f"{named} is a draft, is ignored, or has a date to come"
            reason = reason if is_ruled else f"no rule puts {named} into the output folder"
            message = f"{message}: {reason}"
            copied = f'add a rule with renderer = "copy" that matches it to {CONFIG_FILE}'
            remedy = "publish it, or leave out the link" if is_ruled else copied
        else:
            message = f"{message}: there is no {named}"
            remedy = similar_name_remedy(named, similar_file(rendering.root, named) if self._explains else None, remedy)
        return DeadLink(text, message, remedy)

    @property
    def _explains(self) -> bool:
        """The next dead link is among those whose warnings are kept; looking at the others for long is of no use."""
        return len(self.dead) < MAX_WARNINGS

    def problems(self, page: str, parts: Parts, loaded: Iterable[str]) -> list[Problem]:
        """The problems with the links, in the order of their places, once the page is complete.

        `page`: its HTML, layout included. `loaded`: the templates that it is made of.
        """
        document = self.rendering.job.document
        others = {each: self.rendering.text_of(each) for each in sorted(loaded) if each != document}
        self._check_anchors(page, others.values())
        texts = {document: f"{parts.lines * chr(10)}{parts.body}", **others}
        placed = [_placed(each, texts) for each in self.dead[:MAX_WARNINGS]]
        unplaced = [Problem(each.message, document, 0, each.remedy) for each in self.dead[MAX_WARNINGS:]]
        return sorted(placed, key=lambda each: (each.file != document, each.file, each.line)) + unplaced

    def _check_anchors(self, page: str, templates: Iterable[str]) -> None:
        own = ids_in(page) if self._own else frozenset[str]()
        for fragment, text in self._own.items():
            if as_seen(fragment) not in own:
                self.dead.append(_without_anchor(text, "this page", fragment, own if self._explains else ()))
        made_by_layout = _ids_of_layout(templates) if self._others else frozenset[str]()
        for text, (source, fragment) in self._others.items():
            if made_by_layout is not None and as_seen(fragment) not in made_by_layout:
                anchors = self.anchors_of(link_to(source, fragment)) if self._explains else None
                self.dead.append(_without_anchor(text, source, fragment, anchors or ()))


def summed_up(problems: Sequence[Problem]) -> Problem:
    """The first of several problems, with the number of the others."""
    first, *others = problems
    more = f" (and {len(others):,} more)" if others else ""
    return replace(first, message=f"{first.message}{more}")


def _placed(dead: DeadLink, texts: Mapping[str, str]) -> Problem:
    """The problem with a link, in the first of the texts that has it; the first text is the page's own."""
    lines = ((file, line_of(dead.url, text)) for file, text in texts.items())
    file, line = next((found for found in lines if found[1]), (next(iter(texts)), 0))
    return Problem(dead.message, file, line, dead.remedy)


def _ids_of_layout(templates: Iterable[str]) -> frozenset[str] | None:
    """The ids in the sources of templates; None if an expression makes some of them."""
    found = frozenset[str]().union(*map(ids_in, templates))
    return None if any("{" in each for each in found) else found


def _without_anchor(text: str, page: str, fragment: str, anchors: Collection[str]) -> DeadLink:
    compared = sorted(anchors) if len(anchors) <= _MAX_COMPARED else ()
    close = difflib.get_close_matches(fragment, compared, n=1)
    remedy = f'did you mean "#{close[0]}"?' if close else "correct the link, or give the heading that it means this id"
    return DeadLink(text, f"the link to {shortened(text)} leads nowhere: {page} has no {shortened(fragment)!r}", remedy)


def line_of(url: str, text: str) -> int:
    """The line of a link in a text, from 1; 0 if it is not there as it is in the HTML."""
    for written in dict.fromkeys((url, unquote(url))):
        quoted = re.escape(written)
        found = re.search(rf"""(?:\]\(\s*<?|\]:\s*<?|[=]\s*["']?){quoted}(?![^\s"'<>)])""", text)
        if found:
            return text.count("\n", 0, found.end()) + 1
    return _line_of_wiki_link(url, text)


def _line_of_wiki_link(url: str, text: str) -> int:
    stem = posixpath.splitext(posixpath.basename(unquote(url.partition("#")[0])))[0]
    words = (re.escape(each) for each in re.split("[-_ ]", stem))
    found = re.search(rf"\[\[[^\[\]\n|#]*{'[-_ ]'.join(words)}(?:\.\w+)?[#|\]]", text, re.IGNORECASE) if stem else None
    return text.count("\n", 0, found.end()) + 1 if found else 0
