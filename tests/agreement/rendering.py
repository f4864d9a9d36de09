"""Renders one document by the rules of its language alone, and records what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from agreement.configuration import Way
from agreement.facets import NotDoneError, matter_of, rank_of, text_of, title_of
from agreement.language import (
    DATES,
    Cell,
    Column,
    Content,
    Document,
    Filtered,
    Include,
    IncludeIf,
    IncludeNamed,
    Item,
    OfOutput,
    OfPage,
    OfPages,
    Own,
    Script,
    Sheet,
    Text,
    Word,
    body,
    column,
    is_page,
    line,
    source,
)
from agreement.markup import Markup, redirect, url_between
from agreement.names import HASH, Reference, document_of, locate, placed

if TYPE_CHECKING:  # which creates a Reading for each document
    from agreement.oracle import Evaluation


@dataclass
class Reading:
    """One rendering of one document, and everything it reads. Raises NotDoneError if it fails or is blocked."""

    evaluation: Evaluation
    rendering: str
    """A document, or a rendering beside its own."""
    reads: set[Reference] = field(default_factory=set)
    warnings: set[tuple[str, int]] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    """All outputs, if there are several."""
    declares: dict[str, Document] = field(default_factory=dict)
    """The documents that it declares, by path."""
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.document = document_of(self.rendering)

    def produce(self) -> str:
        """Returns its output."""
        rule = self.evaluation.rule_of(self.rendering)
        misplaced = self.evaluation.is_misplaced(self.document)  # that stands for all renderings
        if rule is None or misplaced or self.evaluation.is_contested(self.rendering):
            raise NotDoneError
        way = rule.of
        match way.renderer:
            case "page":
                return self._page(way)
            case "template":
                return self._expand(self.document, None)
            case "command":
                return self._cat(way) if "scan" in way.keys else self._make()
            case "python":
                return self._shout(way)
            case "copy":
                return self._text(self.document)

    # Pages and templates

    def _page(self, way: Way) -> str:
        matter = matter_of(self.document, self._at(self.document))
        for given in matter.depends_on:
            self.need("declared", self._locate(given, self.document))
        text = self._expand(self.document, None) if way.templating else text_of(self.document, self._at(self.document))
        markup = Markup(self, way)
        layout = self._locate(matter.template or f"/{way.template}", self.document)
        self.need("template", layout)
        page = self._expand(layout, markup.html(text))
        markup.check(page)
        first, *aliases = self.evaluation.claims_of(self.rendering)
        public = placed(self.evaluation.public(self.rendering) or first, page)
        self.files = {first: page, **{each: redirect(url_between(public, each)) for each in aliases}}
        return page

    def _expand(self, path: str, content: str | None) -> str:
        document = self._at(path)
        if path in self._open:
            raise NotDoneError  # endless recursion
        if not isinstance(document, Text):
            return self._text(path)
        if document.broken in {"syntax", "undefined"}:
            raise NotDoneError
        self._open.append(path)
        items = "".join(self._item(item, path, content) for item in document.items)
        self._open.pop()
        return self._around(path, document, items)

    def _around(self, path: str, document: Text, items: str) -> str:
        bare = msgspec.structs.replace(document, items=())
        whole = self._own_text(path, bare)
        return whole.replace("<div>\n", f"<div>\n{items}") if is_page(path) else whole + items

    def _own_text(self, path: str, document: Text) -> str:
        if not self.evaluation.is_written_as_page(path):
            return source(path, document)
        if document.broken == "unclosed":
            raise NotDoneError
        return body(path, document)

    def _item(self, item: Item, origin: str, content: str | None) -> str:  # noqa: C901, PLR0911, PLR0912 - a line an item
        match item:
            case Word(text):
                return f"{text}\n"
            case Include(target, optional):
                return self._include(self._locate(target, origin), content, optional=optional)
            case IncludeIf(sheet, target):
                flag = self._row(sheet, origin).flag
                return self._include(self._locate(target, origin), content) if flag else ""
            case IncludeNamed(sheet):
                return self._include(self._locate(self._row(sheet, origin).name, origin), content)
            case Cell(sheet):
                return f"cell {self._row(sheet, origin).word}\n"
            case Column(sheet, name):
                return f"column {column(self._row(sheet, origin), name)}\n"
            case OfPage(target, facet):
                return f"page {self._facet(self._read_page(self._locate(target, origin)), facet)}\n"
            case OfPages():
                return f"pages {self._list(item, origin)};\n"
            case OfOutput(target, facet, name):
                return f"output {self._output(self._locate(target, origin), facet, name)}\n"
            case Filtered(word):
                return f"filtered {self._filtered(word)}\n"
            case Own(facet):
                return f"own {self._own(facet)}\n"
            case Content():
                if content is None:
                    raise NotDoneError
                return f"content {content};\n"
            case _:
                return f"{line(item)}\n"

    def _filtered(self, word: str) -> str:
        rule = self.evaluation.rule_of(self.rendering)
        if rule is None or not rule.of.filters:
            raise NotDoneError
        return f"{word}{self.evaluation.tree.plugin.word}"

    def _include(self, target: str, content: str | None, *, optional: bool = False) -> str:
        if optional and target not in self.evaluation.tree.documents:
            self.reads.add(Reference("include", target))
            return ""
        if target != self.document:  # its layout may include the page's own text
            self.need("include", target)
        return self._expand(target, content)

    def _row(self, given: str, origin: str) -> Sheet:
        target = self._locate(given, origin)
        self.need("data", target)
        document = self._at(target)
        if not isinstance(document, Sheet) or document.broken:
            raise NotDoneError
        return document

    # Pages and outputs as others see them

    def _read_page(self, target: str) -> str:
        if target not in self.evaluation.present or self.evaluation.is_declared_by(target, self.document):
            raise NotDoneError
        self.reads.add(Reference("page", target))
        return target

    def _facet(self, page: str, facet: str) -> str:
        document = self._at(page)
        self.reads.add(Reference("front matter" if facet == "rank" else facet, page))
        match facet:
            case "title":
                return title_of(page, document)
            case "rank":
                return str(rank_of(page, document) or "none")
            case "url":
                return self.url(page)
            case _:
                return quote(text_of(page, document))

    def _list(self, item: OfPages, origin: str) -> str:
        pattern = self._locate(item.pattern, origin)
        self.reads.add(Reference("members", pattern))
        members = self.evaluation.members(pattern, self.document)
        pages = self._sorted([self._read_page(page) for page in members], item.sort)
        return "".join(f"{self._facet(page, item.facet)}," for page in pages)

    def _sorted(self, pages: list[str], sort: str) -> list[str]:
        if sort == "path":
            return pages
        if sort == "title":
            return sorted(pages, key=lambda page: self._facet(page, "title").casefold())
        if sort.endswith("date"):
            return self._by_date(pages, newest_first=sort.startswith("-"))
        ranks = {page: self._facet(page, "rank") for page in pages}
        having = [page for page in pages if ranks[page] != "none"]
        lacking = [page for page in pages if ranks[page] == "none"]
        return sorted(having, key=lambda page: int(ranks[page]), reverse=sort.startswith("-")) + lacking

    def _by_date(self, pages: list[str], *, newest_first: bool) -> list[str]:
        """Sorts by the meaning of a date, whatever its spelling; without one, last."""
        self.reads.update(Reference("front matter", page) for page in pages)
        dates = {page: matter_of(page, self._at(page)).date for page in pages}
        having = sorted(
            (page for page in pages if dates[page]), key=lambda page: DATES[dates[page]], reverse=newest_first
        )
        return having + [page for page in pages if not dates[page]]

    def _output(self, target: str, facet: str, name: str = "") -> str:
        made_by, path = self._named(target, name)
        self.need(f"output {facet} {path}", made_by)
        if name and target != self.document:
            self.reads.add(Reference("renderings", target))
        texts = self.evaluation.texts_of(made_by)
        if path.endswith("/") and facet == "url":
            return self._url_to(path)
        if path not in texts:
            raise NotDoneError
        if facet == "text":
            return quote(texts[path])
        is_first = path == self.evaluation.output_of(made_by)
        public = (self.evaluation.public(made_by) if is_first else None) or path
        return self._url_to(placed(public, texts[path]))

    def _named(self, target: str, name: str) -> tuple[str, str]:
        """Returns the path of one of several outputs, after the rendering that makes it."""
        fitting = self.evaluation.outputs_named(target, name)
        if len(fitting) != 1:
            raise NotDoneError
        return fitting[0]

    def url(self, target: str) -> str:
        """Returns the URL of a document, relative to this one."""
        public = self.evaluation.public(target)
        if public is None or HASH in public:
            raise NotDoneError
        if target == self.document != self.rendering:
            self.reads.add(Reference("url", target))
        return self._url_to(public)

    def _url_to(self, path: str) -> str:
        return url_between(path, self.evaluation.claims[self.rendering])

    def _own(self, facet: str) -> str:
        return self.url(self.document) if facet == "url" else title_of(self.document, self._at(self.document))

    # Commands and plug-ins

    def _cat(self, way: Way) -> str:
        needs = list(dict.fromkeys(self.evaluation.static(self.rendering)))
        for each in needs:
            self.need(each.aspect, each.target)
        self._check_sound()
        if any(each.aspect == "output" and self.evaluation.fills_folder(each.target) for each in needs):
            raise NotDoneError  # no program can print a folder
        files = [self.evaluation.made[e.target] if e.aspect == "output" else self._text(e.target) for e in needs]
        own = self._text(self.document)
        first = [f"{self.evaluation.tree.plugin.tool}\n"] if way.tool else []
        return "".join([*first, *files, own] if way.reverse else [*first, own, *files])

    def _make(self) -> str:
        self._check_sound()
        reads = [given for verb, given in self._lines() if verb == "read"]
        for target in reads:
            if target != self.document:
                self.need("discovered", target)
        there = [target for target in self._optional() if target in self.evaluation.present]
        return "".join(map(self._text, [self.document, *reads, *there]))

    def _optional(self) -> Iterator[str]:
        """Yields the files that a program reads if they exist, and reports in any case."""
        for verb, target in self._lines():
            if verb == "maybe":
                self.reads.add(Reference("discovered", target))
                if target in self.evaluation.present:
                    self.need("discovered", target)
                yield target

    def _shout(self, way: Way) -> str:
        plugin = self.evaluation.tree.plugin
        self._check_sound()
        if plugin.broken:
            raise NotDoneError
        self.warnings = {(rest, number) for number, (verb, rest) in enumerate(self._lines(), 1) if verb == "warn"}
        said = [self._said(verb, rest) for verb, rest in self._lines()]
        self._declare()
        text = "".join(f"{plugin.word}{way.mark} {each}\n" for each in said)
        if way.more:
            words = "".join(f"{verb} {rest}\n" for verb, rest in self._lines() if verb == "word")
            self.files = dict(zip(self.evaluation.outputs_of(self.rendering), (text, words), strict=True))
        elif way.fills_folder:
            folder = self.evaluation.claims[self.rendering]
            self.files = {f"{folder}{plugin.word}/{number}": f"{each}\n" for number, each in enumerate(said)}
        return text

    def _declare(self) -> None:
        """Declares documents, which only a document's own rendering does."""
        document = self._at(self.document)
        if isinstance(document, Script) and self.rendering == self.document:
            self.declares = {self._locate(each.path, self.document): each.document for each in document.declares}

    def _said(self, verb: str, rest: str) -> str:
        if verb == "titles":
            return self._list(OfPages(rest, "title", "path"), self.document)
        if verb not in {"read", "depends", "source", "output", "title"}:
            return f"declare {rest.partition(' ')[0]}" if verb == "declare" else f"{verb} {rest}"
        target = self._locate(rest, self.document)
        match verb:
            case "title":
                return self._facet(self._read_page(target), "title")
            case "source":
                self.reads.add(Reference("source", self._read_page(target)))
                return self._text(target)
            case "output":
                path = self.evaluation.output_of(target)
                if path is None or path.endswith("/"):
                    raise NotDoneError
                self.need(f"output text {path}", target)
                return self.evaluation.made[target]
            case _:
                self.need("data", target)
                return self._text(target)

    def _lines(self) -> tuple[tuple[str, str], ...]:
        document = self._at(self.document)
        return tuple(document.written()) if isinstance(document, Script) else ()

    def _check_sound(self) -> None:
        document = self._at(self.document)
        if isinstance(document, Script) and document.broken:
            raise NotDoneError

    # Files

    def _locate(self, given: str, origin: str) -> str:
        target = locate(given, origin) if given else None
        if target is None:
            raise NotDoneError
        return target

    def need(self, aspect: str, target: str) -> None:
        """Records a dependency that must be finished first."""
        if document_of(target) not in self.evaluation.present:
            raise NotDoneError
        self.reads.add(Reference(aspect, target))
        if not self.evaluation.is_done(target):
            raise NotDoneError

    def _text(self, path: str) -> str:
        return self.evaluation.source_of(path)

    def _at(self, path: str) -> Document:
        return self.evaluation.tree.documents[path]
