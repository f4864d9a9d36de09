"""The functions of templates and plug-ins: `data()`, `code()`, `page()`, `output()`, `pages()` and so on."""

from __future__ import annotations

import datetime as dt
import os
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NoReturn, TypeVar

from jinja2 import Undefined

from kahnd.core.globs import glob_matcher
from kahnd.core.hashing import PRESENT, hash_ids, hash_members, hash_text
from kahnd.core.model import Dependency, Digest, DocumentId, Facet, Facets, Kind, OutputPath, Problem
from kahnd.core.renderings import document_of
from kahnd.core.rules import PAGE, Rule, collection_id, last_change_id
from kahnd.platform.files import is_regular
from kahnd.render.cache import Cache
from kahnd.render.context import Location, RenderContext, UnmetError
from kahnd.render.data.ordering import UnsortableError, by_key
from kahnd.render.data.parse import parse
from kahnd.render.files import ProblemError, decode, excerpt
from kahnd.render.frontmatter import Parts, appearance_of, cut, declared_bytes, split
from kahnd.render.jinja.values import NO_LOCATION, CurrentPage, Output, Page, PageFields
from kahnd.render.markdown import MarkdownOptions
from kahnd.render.markdown.convert import Outline
from kahnd.render.markdown.page_source import has_jinja, without_comments

T = TypeVar("T")
_VALUE_WEIGHT: Final = 16
"""The most bytes of memory that a value takes per byte of its text, as measured on lists of numbers."""
_USUAL_META: Final = 4096
_TITLE_WEIGHT: Final = 256
MAX_TITLED: Final = 1 << 18
"""The daemon looks for a heading in texts of up to so many characters."""


@dataclass(frozen=True)
class Caches:
    """Values that a worker keeps between renderings, by the hash of their source. Texts are too large to keep."""

    metas: Cache[tuple[str, Digest], Mapping[str, Any]] = field(default_factory=lambda: Cache(20_000, 64 << 20))
    titles: Cache[tuple[str, Digest], str] = field(default_factory=lambda: Cache(20_000, 16 << 20))
    anchors: Cache[tuple[str, Digest], tuple[object, frozenset[str]] | None] = field(
        default_factory=lambda: Cache(20_000, 32 << 20)
    )
    data: Cache[tuple[str, Digest], Any] = field(default_factory=lambda: Cache(64, 128 << 20))

    def clear(self) -> None:
        """Remove all values."""
        for each in (self.metas, self.titles, self.anchors, self.data):
            each.clear()


P = TypeVar("P", bound=Page)


class References(Generic[P]):
    """The functions of templates and plug-ins, bound to one rendering; `page_class` is the kind of their pages."""

    def __init__(self, rendering: RenderContext, caches: Caches, page_class: type[P]) -> None:
        self._rendering = rendering
        self._caches = caches
        self._page_class = page_class
        self._listed: set[DocumentId] = set()

    def functions(self, parts: Parts) -> Mapping[str, Any]:
        """The global names of templates when the document with these parts is rendered."""
        document, digest = self._rendering.job.document, self._rendering.job.content_hash
        rule = self._rendering.rule
        own = self._fields((document, digest), lambda: parts.meta, lambda: parts.body, Location(document), rule)
        return {
            "data": self.data,
            "code": self.code,
            "page": CurrentPage(document, own, self.page),
            "output": self.output,
            "pages": self.pages,
            "declare": self.declare,
            "fail": self.fail,
            "warn": self.warn,
            "last_change": self.last_change,
            "root": self._rendering.url_of_top,
        }

    def data(self, reference: str, _location: tuple[str, int] = NO_LOCATION) -> Any:
        """A data file's value."""
        location = self._location(_location)
        target = self._rendering.locate(reference, location)
        return self._value(*self._rendering.read(Dependency(target, Kind.DATA, location.line), location), target)

    def code(self, reference: str, anchor: str = "", lines: str = "", _location: tuple[str, int] = NO_LOCATION) -> str:
        """A file's text, or the part between the marks of an anchor, or in a range of lines such as `3-9`."""
        location = self._location(_location)
        target = self._rendering.locate(reference, location)
        content, _ = self._rendering.read(Dependency(target, Kind.DATA, location.line), location)
        return excerpt(decode(content, target), target, anchor=anchor, lines=str(lines))

    def page(self, reference: str, _location: tuple[str, int] = NO_LOCATION) -> P:
        """Another page, or this one, from its own bytes."""
        location = self._location(_location)
        return self._read_page(self._rendering.locate(reference, location), location)

    def pages(self, pattern: str, sort: str = "path", _location: tuple[str, int] = NO_LOCATION) -> list[P]:
        """The pages that match, sorted by a front matter key, `title` or `path`; a leading `-` reverses the order."""
        location = self._location(_location)
        members = self.members(pattern, _location)
        self._listed.update(members)
        found = [self._read_page(member, location) for member in members]
        try:
            return by_key(found, sort)
        except UnsortableError as error:
            raise self._unsortable(error, location) from error

    def members(self, pattern: str, _location: tuple[str, int] = NO_LOCATION) -> list[DocumentId]:
        """The documents that match, without partials, sorted by path."""
        location = self._location(_location)
        collection = collection_id(self._rendering.locate(pattern, location, Kind.COLLECTION))
        members = sorted(self._rendering.members(collection, location))
        self._rendering.record(Dependency(collection, Kind.COLLECTION, location.line), hash_members(members))
        declared = self._rendering.documents.declared
        if declared:
            fits = glob_matcher(collection[1:])
            shown = (each for each in declared if fits(each) and self._rendering.documents.shows(each))
            members = sorted({*members, *shown})
        return [member for member in members if not self._rendering.layout.is_partial(member)]

    def pages_by_rules(self, location: Location) -> list[DocumentId]:
        """Every document that page rules render, for links that name a page by a part of its path."""
        layout, found = self._rendering.layout, set[DocumentId]()
        for rule in layout.rules:
            if rule.renderer == PAGE:
                collection = collection_id(rule.match)
                members = sorted(self._rendering.members(collection, location))
                self._rendering.record(Dependency(collection, Kind.COLLECTION, location.line), hash_members(members))
                found.update(each for each in members if layout.is_written_as_page(each) and layout.rule_of(each))
        return sorted(found)

    def _unsortable(self, error: UnsortableError, location: Location) -> ProblemError:
        """The error for a page that can't be sorted, with the line of its key."""
        page = error.page
        content, _ = self._rendering.read(Dependency(page, Kind.PAGE, location.line, facets=frozenset()), location)
        line = cut(decode(content, page), page).line_of(error.key)
        message = f"can't be sorted by `{error.key}`: {error}"
        remedy = "write it like those of the other pages; a date as 2026-01-31, or 2026-01-31 10:00:00 +0100"
        return ProblemError(Problem(message, page, line, remedy))

    def output(self, reference: str, format: str = "", _location: tuple[str, int] = NO_LOCATION) -> Output:  # noqa: A002
        """The output of another document, which must exist; `format` names one of several, or a file of its folder."""
        location = self._location(_location)
        target = self._rendering.locate(reference, location)
        is_named = bool(format) and target in self._rendering.documents
        made_by = self._rendering.rendering_named(target, format) if is_named else target
        dependency = Dependency(made_by, Kind.OUTPUT, location.line, facets=frozenset())
        self._rendering.record(dependency)  # even if no rule renders it now: a later config may
        if is_named and target != self._rendering.job.document:
            self._rendering.record_facet(Dependency(target, Kind.PAGE, location.line), Facet.RENDERINGS, PRESENT)
        path = self._output_path(target, location, format)
        file = self._rendering.file_of(dependency, path, location)
        if not self._is_made(dependency, file, location):
            raise self._rendering.missing(dependency, location)  # a file there may be the output of another document

        def url() -> str:
            self._rendering.record_output(dependency, path)
            return self._rendering.url_of(made_by, file)

        def content() -> tuple[bytes, Digest]:
            found = self._output_content(dependency, file, location)
            self._rendering.record_output(dependency, path, found[1])
            return found

        return Output(url, lambda: decode(content()[0], file), lambda: self._value(*content(), file))

    def _is_made(self, dependency: Dependency, path: OutputPath, location: Location) -> bool:
        """Tell whether document and output exist. Raises ProblemError if it has filled its folder without that file."""
        target, root = document_of(dependency.target), self._rendering.root
        there = os.path.isdir if path.endswith("/") else is_regular
        is_made = target in self._rendering.documents and there(f"{root}/{path}")
        folder = "" if is_made else self._rendering.output_of(target, location)
        if folder.endswith("/") and folder != path and os.path.isdir(f"{root}/{folder}"):  # noqa: PTH112
            self._rendering.record_output(dependency, path)
            remedy = f"name another file in {folder}, the folder that it fills"
            raise ProblemError(Problem(f"{target} has not made {path}", location.file, location.line, remedy))
        return is_made

    def _output_content(self, dependency: Dependency, path: OutputPath, location: Location) -> tuple[bytes, Digest]:
        if path.endswith("/"):
            message, remedy = f"{path} is a folder, and no text", "name a file in it: output(document, path)"
            raise ProblemError(Problem(message, location.file, location.line, remedy))
        return self._rendering.read_output(dependency, path, location)

    def _value(self, content: bytes, digest: Digest, path: str) -> Any:
        return self._caches.data.get((path, digest), lambda: parse(content, path), _VALUE_WEIGHT * len(content))

    def anchors(self, link: Dependency, layout: object) -> frozenset[str] | None:
        """The ids in a page that is linked to; None if its source does not show them all.

        A template may make some, as may another layout than that of the page that links to it, which is given.
        """
        target = link.target
        location = Location(self._rendering.job.document)
        try:
            content, digest = self._rendering.read(link, location)
            shown = self._caches.anchors.get(
                (target, digest), lambda: self._anchors_in(decode(content, target), target), len(content)
            )
        except (UnmetError, ProblemError):
            return None  # that is reported where it matters
        return shown[1] if shown and shown[0] == layout else None

    def _anchors_in(self, text: str, target: DocumentId) -> tuple[object, frozenset[str]] | None:
        """A page's layout, if it names one, and its ids."""
        parts, templating = split(text, target), self._is_template(target)
        if (templating and has_jinja(parts.body)) or self._rule_has(target, "is_hooked", absent=False):
            return None
        return parts.meta.get("template"), self._outline(parts, target).ids()

    def _outline(self, parts: Parts, document: DocumentId, rule: Rule | None = None) -> Outline:
        read_by = rule or self._rendering.layout.scanned_as(document)
        given = read_by.parameters if read_by else None
        options, templating = getattr(given, "markdown", None), bool(getattr(given, "templating", True))
        return outline_of(parts, templating=templating, options=options)

    def declare(
        self, reference: str, text: object, meta: object = None, _location: tuple[str, int] = NO_LOCATION
    ) -> str:
        """An empty text: there is a further document, of this text after front matter of these values."""
        location = self._location(_location)
        target = self._rendering.locate(reference, location)
        try:
            content = declared_bytes(text, meta)
        except (TypeError, ValueError) as error:
            message = f"can't declare {target}: {error}"
            raise ProblemError(Problem(message, location.file, location.line, "correct what is declared")) from error
        appears_at = appearance_of(content, target) if self._rendering.layout.is_written_as_page(target) else None
        self._rendering.documents.declare(target, content, (location.file, location.line), appears_at)
        return ""

    def fail(self, message: str, _location: tuple[str, int] = NO_LOCATION) -> NoReturn:
        """Nothing: the document fails with this message, until something that it has read changes."""
        raise ProblemError(self._remark("fail", message, _location))

    def warn(self, message: str, _location: tuple[str, int] = NO_LOCATION) -> str:
        """An empty text: the document is rendered, with this warning."""
        self._rendering.warn(self._remark("warn", message, _location))
        return ""

    def last_change(self) -> dt.datetime | None:
        """When a commit in git has last changed this document, in UTC; none if `last_change` in [project] is off."""
        rendering = self._rendering
        if not rendering.layout.last_change:
            return None
        collection = last_change_id(rendering.job.document)
        members = rendering.members(collection, Location(rendering.job.document))
        rendering.record(Dependency(collection, Kind.COLLECTION), hash_members(members))
        return next((dt.datetime.fromtimestamp(int(each), dt.UTC) for each in members), None)

    def _remark(self, function: str, message: object, given: tuple[str, int]) -> Problem:
        location = self._location(given)
        if not isinstance(message, str | int | float | Undefined):
            message = f"the message of {function}() is no text"
        return Problem(str(message), location.file, location.line)

    def _output_path(self, target: DocumentId, location: Location, name: str = "") -> OutputPath:
        """A document's output path. Raises ProblemError if no rule renders it, or not yet; members are rendered."""
        rendering = self._rendering
        output, is_shown = rendering.output_of(target, location, name), target in self._listed
        if is_shown or target == rendering.job.document or not rendering.layout.is_written_as_page(target):
            return output
        if rendering.layout.hides(appearance_of(rendering.peek(target), target)):
            message = f"{target} is a draft, or has a date to come, so it has no output"
            raise ProblemError(Problem(message, location.file, location.line, "publish it, or use --drafts"))
        return output

    def _is_template(self, document: DocumentId) -> bool:
        """Tell whether the document's text is a template, as all are except those of page rules without templating."""
        return bool(self._rule_has(document, "templating", absent=True))

    def _rule_has(self, document: DocumentId, key: str, *, absent: Any) -> Any:
        """A value of the parameters by which a document is read."""
        rule = self._rendering.layout.scanned_as(document)
        return getattr(rule.parameters, key, absent) if rule else absent

    def _location(self, given: tuple[str, int]) -> Location:
        return Location(given[0] or self._rendering.job.document, given[1])

    def _read_page(self, target: DocumentId, location: Location) -> P:
        dependency = Dependency(target, Kind.PAGE, location.line, facets=frozenset())
        content, digest = self._rendering.read(dependency, location)

        def meta() -> Mapping[str, Any]:
            weight = _VALUE_WEIGHT * min(len(content), _USUAL_META)
            return self._caches.metas.get(
                (target, digest), lambda: split(self._shown(text, target), target).meta, weight
            )

        def text() -> str:
            return decode(content, target)

        def body() -> str:
            return cut(text(), target).body

        found = self._fields((target, digest), meta, body, location)
        return self._page_class(
            target,
            PageFields(
                meta=self._using(dependency, Facet.FRONT_MATTER, found.meta),
                title=self._using(dependency, Facet.TITLE, found.title),
                url=self._using(dependency, Facet.URL, found.url),
                text=self._using(dependency, Facet.TEXT, found.text),
            ),
        )

    def _shown(self, text: Callable[[], str], document: DocumentId) -> str:
        """A document's text; empty for what is no text, and no page: an image has its name as its title."""
        try:
            return text()
        except ProblemError:
            if self._rendering.layout.is_written_as_page(document):
                raise
            return ""

    def _using(self, dependency: Dependency, facet: Facet, value: Callable[[], T]) -> Callable[[], T]:
        """A function that records the facet and returns the value."""

        def used() -> T:
            self._rendering.record_facet(dependency, facet)
            return value()

        return used

    def _fields(
        self,
        source: tuple[DocumentId, Digest],
        meta: Callable[[], Mapping[str, Any]],
        body: Callable[[], str],
        location: Location,
        rule: Rule | None = None,
    ) -> PageFields:
        """`rule`: the one that reads the page, if it is not the document's own."""
        target, digest = source
        key = (f"{target}//{rule.index}", digest) if rule and rule.also else source

        def heading() -> str | None:
            return self._outline(Parts(self._shown(body, target)), target, rule).title

        return PageFields(
            meta=meta,
            title=lambda: self._caches.titles.get(key, lambda: title_of(target, meta(), heading), _TITLE_WEIGHT),
            url=lambda: self._rendering.url_of(target, self._output_path(target, location)),
            text=body,
        )


def facets_of(parts: Parts, path: str, *, templating: bool = True, options: MarkdownOptions | None = None) -> Facets:
    """The hashes of the facets of a page. Of a long text, title and anchors count as changed whenever the text does."""
    title, anchors, ids = parts.body, parts.body, ""
    if len(parts.body) <= MAX_TITLED:
        outline = outline_of(parts, templating=templating, options=options)
        title = title_of(path, parts.meta, lambda: outline.title)
        is_templated = templating and has_jinja(parts.body)
        anchors = f"{is_templated}\n{parts.meta.get('template')}\n{outline.structure}"
        ids = "" if is_templated else hash_ids(outline.ids())
    return Facets(hash_text(parts.yaml), hash_text(parts.body), hash_text(title), hash_text(anchors), ids)


def outline_of(parts: Parts, *, templating: bool = True, options: MarkdownOptions | None = None) -> Outline:
    """A page's headings and ids, from its source without comments."""
    return Outline.of(without_comments(parts.body) if templating else parts.body, options)


def title_of(path: str, meta: Mapping[str, Any], first_heading: Callable[[], str | None]) -> str:
    """A page's title; a heading that contains template tags does not count."""
    given = meta.get("title")
    if given is not None:
        return str(given)
    heading = first_heading() or ""
    templated = "{{" in heading or "{%" in heading
    return posixpath.splitext(posixpath.basename(path))[0] if templated or not heading else heading


def record_declared(rendering: RenderContext, parts: Parts) -> None:
    """Record the front matter's `depends_on`. Raises UnmetError if one does not exist."""
    location = Location(rendering.job.document, parts.line_of("depends_on"))
    for reference in declared_in(parts, location):
        rendering.declare(rendering.locate(reference, location), location)


def declared_in(parts: Parts, location: Location) -> list[object]:
    """The paths that `depends_on` lists. Raises ProblemError if it is no list."""
    given = parts.meta.get("depends_on", [])
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise ProblemError(
            Problem("`depends_on` is no list of paths", location.file, location.line, 'write ["a.md", "b.md"]')
        )
    return given
