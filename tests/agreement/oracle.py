"""What a project must come to, evaluated from scratch: no memory, no order, nothing of kahnd's own code.

A document is DONE if all that its rendering really reads is there and DONE, and nothing goes wrong. A plain document
is read as its text says, whatever is conditional in it.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from agreement.language import (
    Cell,
    Content,
    Include,
    IncludeIf,
    IncludeNamed,
    Item,
    Matter,
    OfOutput,
    OfPage,
    OfPages,
    Own,
    Rule,
    Script,
    Sheet,
    Text,
    Tree,
    Way,
    Word,
    body,
    is_page,
    source,
)

SOURCES: Final = ("docs", "shared")
CONTENT: Final = frozenset({"page", "members"})
"""Ways to depend on another that ask for no order."""


class NotDoneError(Exception):
    """A rendering does not come to its end."""


@dataclass(frozen=True)
class Reference:
    """That a document hangs on a target, and in what way."""

    aspect: str
    target: str


class Evaluation:
    """`done`, the `outputs` by path, and all that each rendering hangs on (`inputs`), spelt out instead of hashed."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.present = {path for path in tree.documents if not self._is_ignored(path)}
        self.claims = {path: claim for path in self.present if (claim := self.output_of(path))}
        self._claimants = Counter(self.claims.values())
        self._done: dict[str, bool] = {}
        self.made: dict[str, str] = {}
        self._reads: dict[str, frozenset[Reference]] = {}
        self.done = {path for path in sorted(self.present) if self.is_done(path)}
        self.outputs = {self.claims[path]: text for path, text in self.made.items()}
        self.inputs = {path: self._inputs(path) for path in self.made}

    def is_done(self, path: str) -> bool:
        """Whether a document comes to its end; False for one that is asked about while it is being made."""
        if path not in self._done:
            self._done[path] = False
            self._done[path] = self._comes_to_its_end(path)
        return self._done[path]

    def _comes_to_its_end(self, path: str) -> bool:
        if path not in self.claims:
            needs = [each.target for each in self.static(path) if each.aspect not in CONTENT]
            return all(self.is_done(each) for each in needs if each in self.present)
        reading = Reading(self, path)
        try:
            text = reading.produce()
        except NotDoneError:
            return False
        self.made[path] = text
        self._reads[path] = frozenset(reading.reads)
        return True

    # Names

    def rule_of(self, path: str) -> Rule | None:
        """The rule that renders it."""
        plain = any(part.startswith("_") for part in path.split("/"))
        return None if plain else self.scanned_as(path)

    def scanned_as(self, path: str) -> Rule | None:
        """The rule whose way of writing it has."""
        return next((rule for rule in self.tree.config.rules if rule.fits(path)), None)

    def output_of(self, path: str) -> str | None:
        """Where it is rendered to."""
        rule = self.rule_of(path)
        if rule is None:
            return None
        folder, name = posixpath.split(path.partition("/")[2])
        stem, _ = posixpath.splitext(name)
        inner = rule.of.output.format(dir=folder, stem=stem, name=name)
        return posixpath.normpath(f"{self.tree.config.output}/{inner.lstrip('/')}")

    def is_contested(self, path: str) -> bool:
        """Whether another document renders to the same place."""
        return self._claimants[self.claims[path]] > 1

    def is_written_as_page(self, path: str) -> bool:
        """Whether front matter is no part of it where it is included."""
        rule = self.scanned_as(path)
        return rule is not None and rule.of.renderer == "page"

    def is_partial(self, path: str) -> bool:
        """Whether a rule would render it but for an underscore."""
        return self.rule_of(path) is None and self.scanned_as(path) is not None

    def members(self, pattern: str) -> list[str]:
        """The documents that match a pattern."""
        return sorted(path for path in self.present if matcher(pattern)(path))

    def text_of(self, path: str) -> str:
        """A file's text."""
        return source(path, self.tree.documents[path])

    def _is_ignored(self, path: str) -> bool:
        return any(path.startswith(f"{folder}/") for folder in self.tree.config.ignored)

    # What a text says without being rendered

    def static(self, path: str) -> list[Reference]:
        """What a document names, whether or not a rendering comes to it."""
        found = [(aspect, locate(given, path)) for aspect, given in self._named(path)]
        return [Reference(aspect, target) for aspect, target in found if target]

    def _named(self, path: str) -> Iterator[tuple[str, str]]:
        rule, document = self.scanned_as(path), self.tree.documents[path]
        way = rule.of if rule else Way("template", "", "")
        if isinstance(document, Script) and way.renderer == "command":
            yield from ((self._wanted(given, path), given) for verb, given in document.lines if verb == "needs")
        if isinstance(document, Text) and way.renderer == "page":
            if document.broken in {"unclosed", "yaml"}:
                return
            yield from _named_in_matter(document.matter)
        if isinstance(document, Text) and way.templating and document.broken != "syntax":
            yield from (each for item in document.items for each in _named_by(item))

    def _wanted(self, given: str, path: str) -> str:
        target = locate(given, path)
        return "output" if target and self.rule_of(target) else "include"

    # What a rendering hangs on

    def _inputs(self, path: str) -> object:
        return self._recipe(path), self.text_of(path), self._all_that_bears(self._reads[path])

    def _recipe(self, path: str) -> object:
        rule = self.rule_of(path)
        way = msgspec.structs.replace(rule.of, match="") if rule else None
        plugin = self.tree.plugin if way and way.renderer == "python" else None
        return way, self.claims[path], plugin

    def _all_that_bears(self, references: Iterator[Reference] | frozenset[Reference]) -> object:
        return frozenset((each, self._bears(each)) for each in references)

    def _bears(self, reference: Reference) -> object:
        aspect, target = reference.aspect, reference.target
        if aspect == "members":
            return tuple(self.members(target))
        if target not in self.present:
            return None
        if aspect == "page":
            return self.text_of(target), self.claims.get(target)
        if target not in self.claims:
            return self._effective(target)
        if aspect in {"include", "template", "data", "discovered"}:
            return self.text_of(target)
        return self.made.get(target), self.claims[target]

    def _effective(self, plain: str) -> object:
        ordering = (each for each in self.static(plain) if each.aspect not in CONTENT)
        return self.text_of(plain), self._all_that_bears(ordering)


def _named_in_matter(matter: Matter) -> Iterator[tuple[str, str]]:
    if matter.template:
        yield "template", matter.template
    yield from (("declared", each) for each in matter.depends_on)


def _named_by(item: Item) -> list[tuple[str, str]]:
    match item:
        case Include(target):
            return [("include", target)]
        case IncludeIf(sheet, target):
            return [("data", sheet), ("include", target)]
        case IncludeNamed(sheet) | Cell(sheet):
            return [("data", sheet)]
        case OfOutput(target):
            return [("output", target)]
        case _:
            return []  # pages bear on nothing that asks what is named


def locate(given: str, origin: str) -> str | None:
    """The source that a reference means; None where it leads out of all of them."""
    base = "" if given.startswith("/") else posixpath.dirname(origin)
    path = posixpath.normpath(posixpath.join(base, given.lstrip("/")))
    return path if path.partition("/")[0] in SOURCES else None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path fits: `**/` stands for any folders, `*` for anything in a name."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    return lambda path: re.fullmatch(expression, path) is not None


@dataclass
class Reading:
    """One rendering of one document, and all that it reads. Raises NotDoneError where it does not come to its end."""

    evaluation: Evaluation
    document: str
    reads: set[Reference] = field(default_factory=set)
    _open: list[str] = field(default_factory=list)

    def produce(self) -> str:
        """What it renders to."""
        rule = self.evaluation.rule_of(self.document)
        if rule is None or self.evaluation.is_contested(self.document):
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
                return self._shout()
            case "copy":
                return self._text(self.document)

    # Pages and templates

    def _page(self, way: Way) -> str:
        document = self._of_page(self.document)
        for given in document.matter.depends_on:
            self._need("declared", self._locate(given, self.document))
        expanded = self._expand(self.document, None) if way.templating else self._body(self.document)
        layout = self._locate(document.matter.template or f"/{way.template}", self.document)
        self._need("template", layout)
        return self._expand(layout, markdown(expanded))

    def _of_page(self, path: str) -> Text:
        """A document as a page: anything but a text has neither front matter nor heading."""
        document = self.evaluation.tree.documents[path]
        if not isinstance(document, Text) or not is_page(path):
            return Text()
        if document.broken in {"unclosed", "yaml"}:
            raise NotDoneError
        return document

    def _expand(self, path: str, content: str | None) -> str:
        document = self.evaluation.tree.documents[path]
        if path in self._open:
            raise NotDoneError  # round without end
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

    def _item(self, item: Item, origin: str, content: str | None) -> str:  # noqa: PLR0911 - a line an item
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
            case OfPage(target, facet):
                return f"page {self._facet(self._read_page(self._locate(target, origin)), facet)}\n"
            case OfPages():
                return f"pages {self._list(item, origin)};\n"
            case OfOutput(target, facet):
                return f"output {self._output(self._locate(target, origin), facet)}\n"
            case Own(facet):
                return f"own {self._own(facet)}\n"
            case Content():
                if content is None:
                    raise NotDoneError
                return f"content {content};\n"

    def _include(self, target: str, content: str | None, *, optional: bool = False) -> str:
        if optional and target not in self.evaluation.tree.documents:
            self.reads.add(Reference("include", target))
            return ""
        self._need("include", target)
        return self._expand(target, content)

    def _row(self, given: str, origin: str) -> Sheet:
        target = self._locate(given, origin)
        self._need("data", target)
        document = self.evaluation.tree.documents[target]
        if not isinstance(document, Sheet) or document.broken:
            raise NotDoneError
        return document

    # Pages and outputs as others see them

    def _read_page(self, target: str) -> str:
        if target not in self.evaluation.present:
            raise NotDoneError
        self.reads.add(Reference("page", target))
        self._of_page(target)
        return target

    def _facet(self, page: str, facet: str) -> str:
        document = self._of_page(page)
        match facet:
            case "title":
                return self._title(page)
            case "rank":
                return str(document.matter.rank or "none")
            case "url":
                return self._url(page)
            case _:
                return quote(self._body(page))

    def _title(self, page: str) -> str:
        document = self._of_page(page)
        return document.matter.title or document.heading or _stem(page)

    def _list(self, item: OfPages, origin: str) -> str:
        pattern = self._locate(item.pattern, origin)
        self.reads.add(Reference("members", pattern))
        pages = [each for each in self.evaluation.members(pattern) if not self.evaluation.is_partial(each)]
        for page in pages:
            self._read_page(page)
        return "".join(f"{self._facet(page, item.facet)}," for page in self._sorted(pages, item.sort))

    def _sorted(self, pages: list[str], sort: str) -> list[str]:
        if sort == "path":
            return pages
        if sort == "title":
            return sorted(pages, key=lambda page: self._title(page).casefold())
        ranks = {page: self._of_page(page).matter.rank for page in pages}
        having = sorted((page for page in pages if ranks[page]), key=lambda page: ranks[page], reverse=sort[0] == "-")
        return having + [page for page in pages if not ranks[page]]

    def _output(self, target: str, facet: str) -> str:
        if self.evaluation.output_of(target) is None:
            raise NotDoneError
        self._need("output", target)
        return self._url(target) if facet == "url" else quote(self.evaluation.made[target])

    def _url(self, target: str) -> str:
        claim = self.evaluation.output_of(target)
        if claim is None:
            raise NotDoneError
        return posixpath.relpath(claim, posixpath.dirname(self.evaluation.claims[self.document]))

    def _own(self, facet: str) -> str:
        rule = self.evaluation.rule_of(self.document)
        if facet == "url":
            return posixpath.basename(self.evaluation.claims[self.document])
        return self._title(self.document) if rule and rule.of.renderer == "page" else _stem(self.document)

    # Commands and plug-ins

    def _cat(self, way: Way) -> str:
        needs = list(dict.fromkeys(self.evaluation.static(self.document)))
        for each in needs:
            self._need(each.aspect, each.target)
        self._check_sound()
        files = [self.evaluation.made[e.target] if e.aspect == "output" else self._text(e.target) for e in needs]
        own = self._text(self.document)
        return "".join([*files, own] if way.reverse else [own, *files])

    def _make(self) -> str:
        self._check_sound()
        reads = [given for verb, given in self._lines() if verb == "read"]
        for target in reads:
            if target != self.document:
                self._need("discovered", target)
        return "".join(map(self._text, [self.document, *reads]))

    def _shout(self) -> str:
        plugin = self.evaluation.tree.plugin
        self._check_sound()
        if plugin.broken:
            raise NotDoneError
        return "".join(f"{plugin.word} {self._said(verb, rest)}\n" for verb, rest in self._lines())

    def _said(self, verb: str, rest: str) -> str:
        if verb not in {"read", "output"}:
            return f"{verb} {rest}"
        target = self._locate(rest, self.document)
        if verb == "output" and self.evaluation.output_of(target) is None:
            raise NotDoneError
        self._need("data" if verb == "read" else "output", target)
        return self._text(target) if verb == "read" else self.evaluation.made[target]

    def _lines(self) -> tuple[tuple[str, str], ...]:
        document = self.evaluation.tree.documents[self.document]
        return document.lines if isinstance(document, Script) else ()

    def _check_sound(self) -> None:
        document = self.evaluation.tree.documents[self.document]
        if isinstance(document, Script) and document.broken:
            raise NotDoneError

    # Files

    def _locate(self, given: str, origin: str) -> str:
        target = locate(given, origin) if given else None
        if target is None:
            raise NotDoneError
        return target

    def _need(self, aspect: str, target: str) -> None:
        """Something that must be finished first."""
        if target not in self.evaluation.present:
            raise NotDoneError
        self.reads.add(Reference(aspect, target))
        if not self.evaluation.is_done(target):
            raise NotDoneError

    def _text(self, path: str) -> str:
        return self.evaluation.text_of(path)

    def _body(self, path: str) -> str:
        document = self.evaluation.tree.documents[path]
        return body(path, document) if isinstance(document, Text) and is_page(path) else self._text(path)


def markdown(text: str) -> str:
    """A body as HTML: a heading, if there is one, and a block that stays as it is."""
    return re.sub(r"\A# (\w+)\n", r'<h1 id="\1">\1</h1>\n', text)


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]
