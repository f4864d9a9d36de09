"""What templates can refer to: `data()`, `page()`, `output()`, `pages()`, and the objects these give."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from kahnd.core.digest import of_bytes, of_members
from kahnd.core.model import Dependency, Digest, DocumentId, Facet, Facets, Kind, OutputPath, Problem
from kahnd.core.rules import collection_id
from kahnd.render.cache import Cache
from kahnd.render.data import parse
from kahnd.render.files import ProblemError, decode, is_regular
from kahnd.render.frontmatter import Parts, cut, split
from kahnd.render.markdown import first_heading
from kahnd.render.ordering import UnorderedError, in_order
from kahnd.render.page_source import without_comments
from kahnd.render.rendering import Place, Rendering

T = TypeVar("T")
_NO_PLACE: Final = ("", 0)
_OWN: Final = frozenset({"title", "url", "path", "text"})
"""What a page has whatever its front matter: `map(attribute="url")` is the same as `page.url`."""
_VALUE: Final = 16
"""How many bytes a value takes for each of its text, at the most: measured on numbers in lists."""
_USUAL_META: Final = 4096
_TITLE: Final = 256
LARGEST_TITLED: Final = 1 << 18
"""Characters of a text in which the daemon looks for a heading."""


@dataclass(frozen=True)
class Caches:
    """What a worker remembers from one rendering to the next, by the bytes it was made of. No texts: they are large."""

    metas: Cache[tuple[str, Digest], Mapping[str, Any]] = field(default_factory=lambda: Cache(20_000, 64 << 20))
    titles: Cache[tuple[str, Digest], str] = field(default_factory=lambda: Cache(20_000, 16 << 20))
    data: Cache[tuple[str, Digest], Any] = field(default_factory=lambda: Cache(64, 128 << 20))

    def clear(self) -> None:
        """Remember nothing."""
        for each in (self.metas, self.titles, self.data):
            each.clear()


@dataclass(frozen=True)
class Lazily:
    """What of a page is found out only when it is asked for; asking is what makes a rendering hang on it."""

    meta: Callable[[], Mapping[str, Any]]
    title: Callable[[], str]
    url: Callable[[], str]
    text: Callable[[], str]


class Page:
    """A page as templates see it: `title`, `url`, `path`, `text`, and its front matter by name or key."""

    def __init__(self, path: DocumentId, lazily: Lazily) -> None:
        self.path = path
        self._lazily = lazily

    @property
    def title(self) -> str:
        """The front matter's, else the first heading, else the file's name."""
        return self._lazily.title()

    @property
    def url(self) -> str:
        """Its output's address, relative to the page that asks. Raises ProblemError for a plain document."""
        return self._lazily.url()

    @property
    def text(self) -> str:
        """Its source after the front matter."""
        return self._lazily.text()

    def get(self, key: str, default: object = None) -> Any:
        """A front matter value, or the default."""
        return self._lazily.meta().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key) if key in _OWN else self._lazily.meta()[key]

    def __str__(self) -> str:
        return self.title


class CurrentPage(Page):
    """The page being rendered; called, it gives another."""

    def __init__(self, path: DocumentId, lazily: Lazily, other: Callable[..., Page]) -> None:
        super().__init__(path, lazily)
        self._other = other

    def __call__(self, reference: str, _place: tuple[str, int] = _NO_PLACE) -> Page:
        """The page at a path."""
        return self._other(reference, _place)


class Output:
    """What another document renders to: its address (also as text), and its content."""

    def __init__(self, url: Callable[[], str], text: Callable[[], str]) -> None:
        self._url = url
        self._text = text

    @property
    def url(self) -> str:
        """Its address, relative to the page that asks."""
        return self._url()

    @property
    def text(self) -> str:
        """The output's content. Raises ProblemError where it is not UTF-8."""
        return self._text()

    def __str__(self) -> str:
        return self.url


class References:
    """The functions, bound to one rendering."""

    def __init__(self, rendering: Rendering, caches: Caches) -> None:
        self._rendering = rendering
        self._caches = caches

    def functions(self, parts: Parts) -> Mapping[str, Any]:
        """The names templates get, for the document with these parts."""
        document, digest = self._rendering.job.document, self._rendering.job.content_hash
        own = self._lazily((document, digest), lambda: parts.meta, lambda: parts.body, Place(document))
        return {
            "data": self.data,
            "page": CurrentPage(document, own, self.page),
            "output": self.output,
            "pages": self.pages,
            "root": self._rendering.url_of_top,
        }

    def data(self, reference: str, _place: tuple[str, int] = _NO_PLACE) -> Any:
        """A data file's value."""
        place = self._place(_place)
        target = self._rendering.locate(reference, place)
        content, digest = self._rendering.read(Dependency(target, Kind.DATA, place.line), place)
        return self._caches.data.get((target, digest), lambda: parse(content, target), _VALUE * len(content))

    def page(self, reference: str, _place: tuple[str, int] = _NO_PLACE) -> Page:
        """Another page, or this one, from its own bytes."""
        place = self._place(_place)
        return self._read_page(self._rendering.locate(reference, place), place)

    def pages(self, pattern: str, sort: str = "path", _place: tuple[str, int] = _NO_PLACE) -> list[Page]:
        """The pages that match, sorted by a front matter key, `title` or `path`; a leading `-` turns the order."""
        place = self._place(_place)
        collection = collection_id(self._rendering.locate(pattern, place, Kind.COLLECTION))
        members = sorted(self._rendering.members(collection, place))
        self._rendering.note(Dependency(collection, Kind.COLLECTION, place.line), of_members(members))
        found = [self._read_page(member, place) for member in members if not self._is_partial(member)]
        try:
            return by_key(found, sort)
        except UnplacedError as error:
            raise self._unplaced(error, place) from error

    def _unplaced(self, error: UnplacedError, place: Place) -> ProblemError:
        """What is told of a page that can't be sorted, with its key's line."""
        page = error.page.path
        content, _ = self._rendering.read(Dependency(page, Kind.PAGE, place.line, facets=frozenset()), place)
        line = cut(decode(content, page), page).line_of(error.key)
        message = f"can't be sorted by `{error.key}`: {error}"
        remedy = "write it like those of the other pages; a date as 2026-01-31, or 2026-01-31 10:00:00 +0100"
        return ProblemError(Problem(message, page, line, remedy))

    def output(self, reference: str, _place: tuple[str, int] = _NO_PLACE) -> Output:
        """What another document renders to, which must be there."""
        place = self._place(_place)
        target = self._rendering.locate(reference, place)
        dependency = Dependency(target, Kind.OUTPUT, place.line, facets=frozenset())
        self._rendering.note(dependency)  # also if no rule renders it: one may come
        path = self._rendering.output_of(target, place)
        root = self._rendering.root
        if not (os.path.isfile(f"{root}/{target}") and is_regular(f"{root}/{path}")):  # noqa: PTH113 - on every call
            raise self._rendering.missing(dependency, place)  # another document may render to the same place
        url = self._using(dependency, Facet.URL, lambda: self._rendering.url_to(path))
        return Output(url, lambda: self._output_text(dependency, path, place))

    def _output_text(self, dependency: Dependency, path: OutputPath, place: Place) -> str:
        content, digest = self._rendering.read_output(dependency, path, place)
        self._rendering.use(dependency, Facet.OUTPUT, digest)
        return decode(content, path)

    def _is_template(self, document: DocumentId) -> bool:
        """Whether the document's text is a template: all are but those of page rules without templating."""
        rule = self._rendering.layout.scanned_as(document)
        return rule is None or getattr(rule.parameters, "templating", True)

    def _is_partial(self, document: DocumentId) -> bool:
        """Whether a rule would fit but for the underscore: a partial or a draft is no page of the collection."""
        layout = self._rendering.layout
        return layout.rule_of(document) is None and layout.scanned_as(document) is not None

    def _place(self, given: tuple[str, int]) -> Place:
        return Place(given[0] or self._rendering.job.document, given[1])

    def _read_page(self, target: DocumentId, place: Place) -> Page:
        dependency = Dependency(target, Kind.PAGE, place.line, facets=frozenset())
        content, digest = self._rendering.read(dependency, place)

        def meta() -> Mapping[str, Any]:
            weight = _VALUE * min(len(content), _USUAL_META)
            return self._caches.metas.get((target, digest), lambda: split(decode(content, target), target).meta, weight)

        def body() -> str:
            return cut(decode(content, target), target).body

        found = self._lazily((target, digest), meta, body, place)
        return Page(
            target,
            Lazily(
                meta=self._using(dependency, Facet.FRONT_MATTER, found.meta),
                title=self._using(dependency, Facet.TITLE, found.title),
                url=self._using(dependency, Facet.URL, found.url),
                text=self._using(dependency, Facet.TEXT, found.text),
            ),
        )

    def _using(self, dependency: Dependency, facet: Facet, value: Callable[[], T]) -> Callable[[], T]:
        """The value, and when it is asked for, a line in the account."""

        def used() -> T:
            self._rendering.use(dependency, facet)
            return value()

        return used

    def _lazily(
        self,
        source: tuple[DocumentId, Digest],
        meta: Callable[[], Mapping[str, Any]],
        body: Callable[[], str],
        place: Place,
    ) -> Lazily:
        target = source[0]

        def untemplated() -> str:
            return without_comments(body()) if self._is_template(target) else body()

        return Lazily(
            meta=meta,
            title=lambda: self._caches.titles.get(source, lambda: title_of(target, meta(), untemplated), _TITLE),
            url=lambda: self._rendering.url_to(self._rendering.output_of(target, place)),
            text=body,
        )


def facets_of(parts: Parts, path: str, *, templating: bool = True) -> Facets:
    """The hashes of what other documents can use of a page. A long text's title counts as another with each change."""
    title = parts.body
    if len(parts.body) <= LARGEST_TITLED:
        title = title_of(path, parts.meta, lambda: without_comments(parts.body) if templating else parts.body)
    return Facets(*(of_bytes(each.encode(errors="surrogatepass")) for each in (parts.yaml, parts.body, title)))


def title_of(path: str, meta: Mapping[str, Any], body: Callable[[], str]) -> str:
    """A page's title, from its source without comments: a heading that a template makes does not count."""
    given = meta.get("title")
    if given is not None:
        return str(given)
    heading = first_heading(body()) or ""
    templated = "{{" in heading or "{%" in heading
    return posixpath.splitext(posixpath.basename(path))[0] if templated or not heading else heading


def by_key(pages: list[Page], sort: str) -> list[Page]:
    """The pages sorted; those without the key come last, in either direction, and equal ones stay as they were.

    Raises UnplacedError for a page whose value has no place among the others'.
    """
    key, backwards = sort.removeprefix("-"), sort.startswith("-")
    if key in {"title", "path"}:
        return sorted(pages, key=lambda page: str(getattr(page, key)).casefold(), reverse=backwards)
    values = [page.get(key) for page in pages]
    having = [place for place, value in enumerate(values) if value is not None]
    lacking = [page for page, value in zip(pages, values, strict=True) if value is None]
    try:
        keys = dict(zip(having, in_order([values[each] for each in having], as_dates=key == "date"), strict=True))
    except UnorderedError as error:
        raise UnplacedError(pages[having[error.index]], key, str(error)) from error
    return [pages[place] for place in sorted(having, key=keys.__getitem__, reverse=backwards)] + lacking


class UnplacedError(ValueError):
    """A page has a value by which it can't be sorted."""

    def __init__(self, page: Page, key: str, message: str) -> None:
        super().__init__(message)
        self.page = page
        self.key = key


def check_declared(rendering: Rendering, parts: Parts) -> None:
    """Put the front matter's `depends_on` into the account. Raises UnmetError where one is not there."""
    place = Place(rendering.job.document, parts.line_of("depends_on"))
    for reference in declared(parts, place):
        rendering.declare(rendering.locate(reference, place), place)


def declared(parts: Parts, place: Place) -> list[object]:
    """What `depends_on` lists. Raises ProblemError where it is no list."""
    given = parts.meta.get("depends_on", [])
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise ProblemError(
            Problem("`depends_on` is no list of paths", place.file, place.line, 'write ["a.md", "b.md"]')
        )
    return given
