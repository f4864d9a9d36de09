"""Finds the dependencies of a document in its text, without rendering it."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from jinja2 import TemplateError, nodes
from msgspec import structs

from kahnd.core.globs import glob_error
from kahnd.core.model import Dependency, DocumentId, Facet, Kind, Problem, Scan
from kahnd.core.output_paths import merge_dependencies, named_among
from kahnd.core.renderings import with_renderings
from kahnd.core.routes import Route
from kahnd.core.rules import PAGE, Layout, Rule, collection_id, resolve
from kahnd.ports import Renderers
from kahnd.render.context import MAX_PATTERNS, Location
from kahnd.render.fast.inclusions import Inclusion, parts_of
from kahnd.render.files import ProblemError, decode
from kahnd.render.frontmatter import Parts, appears_at, broken_route, route_in, route_of, split
from kahnd.render.jinja import theme
from kahnd.render.jinja.environment import FUNCTIONS, ProjectEnvironment, project_calls
from kahnd.render.jinja.references import declared_in, facets_of
from kahnd.render.jinja.sandbox import TokenLimit, TooManyTokensError
from kahnd.render.markdown import MarkdownOptions, PageReading
from kahnd.render.markdown.extensions import protected
from kahnd.render.markdown.links import MAX_LINKS, links_in
from kahnd.render.markdown.page_source import as_template
from kahnd.render.markdown.wiki_links import patterns_of_images

_ATTRIBUTES: Final = {"url": Facet.URL, "text": Facet.OUTPUT, "data": Facet.OUTPUT}
MAX_REFERENCES: Final = 10_000
MAX_CHARACTERS: Final = 1 << 20
"""Longer texts are not searched for template code."""
MAX_MARKS: Final = 10_000
"""The limit on marks that begin template code, or code in Markdown, where `{#` begins no comment."""
_MARKS: Final = ("{{", "{%", "{#", "```", "~~~")
_WORTH_PARSING: Final = re.compile(r"\{[{%]")
_FENCE_FILE: Final = re.compile(
    r"""^[ \t>*+.\d)-]*(?:`{3,}|~{3,})[^\n]*?\bfile=(?:"([^"\n{]+)"|'([^'\n{]+)')""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A reference in a text, and the facets that are used, if it shows them. `sure`: every rendering evaluates it.

    `format`: names an output, if not the first.
    """

    path: object
    kind: Kind
    line: int = 0
    facets: frozenset[Facet] | None = None
    sure: bool = True
    format: str = ""


class _Parser:
    """Finds references in the syntax tree of templates, within limits."""

    def __init__(self, environment: ProjectEnvironment) -> None:
        self._environment = environment
        self._tokens = TokenLimit.install(environment)

    def references(self, text: str, document: DocumentId) -> list[_Reference]:
        """The references; none in a text with a syntax error, which rendering reports, or with too many tokens.

        Raises ProblemError, with the line, beyond the limits for one document.
        """
        self._tokens.begin()
        try:
            tree = self._environment.parse(text)
            certain = _certain(tree)
            return [*_load_references(tree, certain), *_call_references(tree, certain)]
        except RecursionError:
            message = "an expression in it is nested too deeply, or is too long"
            raise ProblemError(Problem(message, document, self._tokens.line, "split the expression")) from None
        except TooManyTokensError:
            _check_unparsed(text, document)
            return []
        except (TemplateError, ValueError):
            return []


class StaticScan:
    """Finds the references in texts. Rendering reports those that lead out of the project or its sources.

    The daemon itself scans, so a text with too much template code is left out: its rendering, in a worker with a time
    limit, finds the same references.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parser = _Parser(ProjectEnvironment())
        self._parser_of_pages = _Parser(ProjectEnvironment(of_pages=True))
        self._of_parts: dict[str, tuple[_Reference, ...]] = {}

    def of_page(
        self, document: DocumentId, text: str, template: str, parameters: PageReading, *, links: bool = False
    ) -> Scan:
        """Scan a page: front matter, layout, links, and the body if it is a template. Broken parts have no references.

        Raises ProblemError, with the line, beyond the limits for one document.
        """
        try:
            parts = split(text, document)
        except ProblemError as error:
            found = [_Reference(_of_rule(template), Kind.TEMPLATE)] if template else []
            return Scan(self._dependencies(found, document), route=broken_route(document, self._layout, error.problem))
        options, templating = parameters.markdown, parameters.templating
        if self._layout.hides(when := appears_at(parts.meta)):  # it is no page yet, but may be included or read
            template, links = "", False
        found = [*_in_front_matter(parts, document, template), *self._in_markdown(parts, options, document)]
        body = protected(parts.body) if options.math else parts.body
        if templating and _should_parse(body, document):
            found += self._in_template(as_template(body, parts.lines), document, of_page=True)
        known, route = self._dependencies(found, document), route_of(parts, document, self._layout)
        facets = facets_of(parts, document, templating=templating, options=options)
        linked = self._links(parts.body, document, route) if links else ()
        return Scan((*known, *linked), facets, appears_at=when, route=route)

    def _links(self, text: str, document: DocumentId, route: Route | None) -> Iterable[Dependency]:
        """The links in a page's text; of a long one, rendering finds them."""
        output = self._layout.output_of(document, route)
        if output is None or len(text) > MAX_CHARACTERS:
            return ()
        known: dict[Dependency, Dependency] = {}
        for each in islice(links_in(self._layout, document, output, text), MAX_LINKS):
            known[each] = merge_dependencies(known.get(each, each), each)
        return known.values()

    def _in_markdown(self, parts: Parts, options: MarkdownOptions, document: DocumentId) -> Iterator[_Reference]:
        """The files of code fences, and the pages and images that wiki links may name."""
        if options.code and "file=" in parts.body:
            line, counted = parts.lines + 1, 0
            for fence in _FENCE_FILE.finditer(parts.body):
                line += parts.body.count("\n", counted, fence.start())
                counted = fence.start()
                yield _Reference(fence[1] or fence[2], Kind.DATA, line, sure=False)
        if options.wiki_links and "[[" in parts.body:
            for rule in self._layout.rules:
                if rule.renderer == PAGE:
                    yield _Reference("/" + rule.match, Kind.COLLECTION)
            for pattern in patterns_of_images(parts.body, document, self._layout):
                yield _Reference("/" + pattern, Kind.COLLECTION)

    def of_template(self, document: DocumentId, text: str) -> tuple[Dependency, ...]:
        """The dependencies of a template. Raises ProblemError as `of_page` does."""
        found = self._in_template(text, document) if _should_parse(text, document) else []
        return self._dependencies(found, document)

    def _in_template(self, text: str, document: DocumentId, *, of_page: bool = False) -> list[_Reference]:
        parts = parts_of(text, of_page=of_page)
        if parts is not None:
            return [_Reference(each.path, Kind.INCLUDE, each.line) for each in parts if isinstance(each, Inclusion)]
        parser = self._parser_of_pages if of_page else self._parser
        return sorted(parser.references(text, document), key=lambda found: found.line)

    def _dependencies(self, found: Iterable[_Reference], document: DocumentId) -> tuple[Dependency, ...]:
        known: dict[Dependency, Dependency] = {}
        patterns = 0
        for each in self._with_parts(found):
            target = self._target(each, document)
            # A document that includes itself on a condition does not depend on itself.
            if target and (each.sure or each.kind is not Kind.INCLUDE or target != document):
                dependency = Dependency(target, each.kind, each.line, facets=each.facets, sure=each.sure)
                patterns += each.kind is Kind.COLLECTION and dependency not in known
                known[dependency] = merge_dependencies(known.get(dependency, dependency), dependency)
                _check_number(len(known), MAX_REFERENCES, "files", each, document)
                _check_number(patterns, MAX_PATTERNS, "patterns of pages()", each, document)
        return tuple(known.values())

    def _with_parts(self, found: Iterable[_Reference]) -> Iterator[_Reference]:
        """The references; a part of kahnd's theme stands for its own, as the project has none of its own perhaps."""
        for each in found:
            if theme.is_part(each.path):
                yield from (replace(of_part, line=each.line) for of_part in self._in_part(str(each.path)))
            else:
                yield each

    def _in_part(self, reference: str) -> tuple[_Reference, ...]:
        """The references of a part and of the parts in it, which is empty if there is no such part."""
        if reference not in self._of_parts:
            self._of_parts[reference] = ()  # one that includes itself adds nothing
            text = theme.parts().get(reference.removeprefix(theme.PREFIX), "")
            found = self._with_parts(self._in_template(text, DocumentId(reference)))
            own = _Reference(theme.REPLACEMENTS, Kind.COLLECTION, sure=False)
            self._of_parts[reference] = (own, *(replace(each, sure=False) for each in found))
        return self._of_parts[reference]

    def _target(self, reference: _Reference, document: DocumentId) -> DocumentId | None:
        given = reference.path
        if given == theme.REPLACEMENTS:
            return theme.REPLACEMENTS  # also where it is in no source folder: another config may change that
        path = resolve(given, document) if isinstance(given, str) and given else None
        if path is None or self._layout.source_of(path) is None:
            return None
        if reference.kind is Kind.COLLECTION and glob_error(path):
            return None
        if reference.format and self._layout.also:
            return self._rendering_named(DocumentId(path), reference.format)
        return collection_id(path) if reference.kind is Kind.COLLECTION else DocumentId(path)

    def _rendering_named(self, document: DocumentId, name: str) -> DocumentId:
        layout, rule = self._layout, self._layout.rule_of(document)
        rules = {document: rule, **layout.renderings_of(document)} if rule else {}
        named = named_among({each: layout.outputs_by(rule, document) for each, rule in rules.items() if rule}, name)
        return named[0][0] if len(named) == 1 else document


def _should_parse(text: str, document: DocumentId) -> bool:
    """Tell whether a text may contain references, and is within the limits of what the daemon parses.

    Raises ProblemError as `_check_unparsed` does.
    """
    if len(text) > MAX_CHARACTERS or _WORTH_PARSING.search(text) is None:
        return False
    if sum(map(text.count, _MARKS)) <= MAX_MARKS:
        return True
    _check_unparsed(text, document)
    return False


def _check_unparsed(text: str, document: DocumentId) -> None:
    """Raise ProblemError if rendering could not find the references of a text that is not parsed.

    Each pattern that only rendering finds takes one more run.
    """
    if text.count("pages(") > MAX_PATTERNS:
        message = f"calls pages() more than {MAX_PATTERNS:,} times, in more template code than is looked through"
        raise ProblemError(Problem(message, document, 0, "split the file"))


def _check_number(number: int, limit: int, what: str, reference: _Reference, document: DocumentId) -> None:
    if number > limit:
        message = f"refers to more than {limit:,} {what}"
        raise ProblemError(Problem(message, document, reference.line, "split the file"))


def _in_front_matter(parts: Parts, document: DocumentId, template: str) -> Iterator[_Reference]:
    layout, line = layout_of(parts, template)
    if layout:
        yield _Reference(layout, Kind.TEMPLATE, line)
    location = Location(document, parts.line_of("depends_on"))
    try:
        yield from (_Reference(each, Kind.DECLARED, location.line) for each in declared_in(parts, location))
    except ProblemError:
        return


def layout_of(parts: Parts, template: str) -> tuple[object, int]:
    """The reference to a page's layout, and its line: from the front matter, else from the rule, else empty."""
    if "template" in parts.meta:
        return parts.meta["template"], parts.line_of("template")
    return _of_rule(template), 0


def _of_rule(template: str) -> str:
    """A rule's layout as a reference: a project path or a part of kahnd's theme; empty for none."""
    return template if theme.is_part(template) or not template else f"/{template}"


def _certain(tree: nodes.Template) -> frozenset[int]:
    """The ids of the nodes that every rendering evaluates. In a template that extends another, only `extends` is."""
    extends = tree.find(nodes.Extends) is not None
    pending: list[nodes.Node] = [each for each in tree.body if isinstance(each, nodes.Extends)] if extends else [tree]
    found: dict[int, nodes.Node] = {}
    while pending:
        node = pending.pop()
        found[id(node)] = node
        pending += _always_evaluated(node)
    return frozenset(found)


def _always_evaluated(node: nodes.Node) -> Iterable[nodes.Node]:
    """The children that are evaluated whenever the node is."""
    match node:
        case nodes.If() | nodes.CondExpr():
            return [node.test]
        case nodes.For():
            return [node.iter]
        case nodes.And() | nodes.Or():
            return [node.left]
        case nodes.CallBlock():
            return [node.call]
        case nodes.Macro():
            return []
        case _:
            return node.iter_child_nodes()


def _load_references(tree: nodes.Template, certain: Container[int]) -> Iterator[_Reference]:
    for node in tree.find_all(nodes.Stmt):
        if isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport):
            sure = id(node) in certain and _is_single_path(node.template) and not getattr(node, "ignore_missing", False)
            for name in _constants(node.template):
                yield _Reference(name, Kind.INCLUDE, node.lineno, sure=sure)


def _is_single_path(node: nodes.Expr) -> bool:
    """Tell whether it is one path, and not a choice of several."""
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _constants(node: nodes.Expr) -> list[object]:
    if isinstance(node, nodes.Const):
        return list(node.value) if isinstance(node.value, tuple | list) else [node.value]
    if isinstance(node, nodes.List | nodes.Tuple):
        return [value for item in node.items for value in _constants(item)]
    if isinstance(node, nodes.CondExpr):
        return [value for each in (node.expr1, node.expr2) if each for value in _constants(each)]
    return []


def _call_references(tree: nodes.Template, certain: Container[int]) -> Iterator[_Reference]:
    used = _output_facets(tree)
    for call in project_calls(tree):
        if call.args and isinstance(call.node, nodes.Name):
            kind = FUNCTIONS[call.node.name]
            facets = used.get(id(call)) if kind is Kind.OUTPUT else None
            sure, named = (
                id(call) in certain and _is_single_path(call.args[0]),
                _format(call) if kind is Kind.OUTPUT else "",
            )
            yield from (_Reference(name, kind, call.lineno, facets, sure, named) for name in _constants(call.args[0]))


def _format(call: nodes.Call) -> str:
    """The name that a call gives of an output, if it is a constant."""
    given = [*call.args[1:2], *(each.value for each in call.kwargs if each.key == "format")]
    return str(given[0].value) if given and isinstance(given[0], nodes.Const) else ""


def _output_facets(tree: nodes.Template) -> dict[int, frozenset[Facet]]:
    """By call of `output()`: the facet that is used, if the result is printed or one attribute of it is read.

    A plain document is not rendered, so its facets are known from its text only. A layout that only links to a style
    sheet does not depend on the sheet's content.
    """
    taken = ((node.node, _ATTRIBUTES.get(node.attr)) for node in tree.find_all(nodes.Getattr))
    printed = ((child, Facet.URL) for node in tree.find_all(nodes.Output) for child in node.nodes)
    return {id(node): frozenset({facet}) for node, facet in (*taken, *printed) if facet}


_BINARY: Final = ("image/", "audio/", "video/", "font/", "application/zip", "application/pdf", "application/gzip")


class DocumentScanner:
    """Scans each document as its renderer does. A document that no rule matches is scanned as a template."""

    def __init__(self, layout: Layout, renderers: Renderers) -> None:
        self._layout = layout
        self._renderers = renderers
        self._static = StaticScan(layout)

    def wants(self, document: DocumentId) -> bool:
        """Tell whether the bytes can contain references; an image or a copied file is hashed as a stream instead."""
        rule = self._layout.scanned_as(document)
        if rule is not None:
            rules = (rule, *self._layout.renderings_of(document).values())
            return any(each.meta_names or getattr(each.parameters, "scans", True) for each in rules)
        kind = mimetypes.guess_type(document)[0] or ""
        return kind == "image/svg+xml" or not kind.startswith(_BINARY)

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """Scan a document. Bytes that are no text have no dependencies; a limit exceeded is the scan's problem."""
        own = self._scan_by(self._layout.scanned_as(document), document, content)
        if not self._layout.also:
            return own
        others = self._layout.renderings_of(document).items()
        return with_renderings(own, [(each, self._scan_by(rule, document, content)) for each, rule in others])

    def _scan_by(self, rule: Rule | None, document: DocumentId, content: bytes) -> Scan:
        try:
            if rule is not None:
                found = self._renderers[rule.renderer].scan(document, content, rule.parameters)
                has_route = rule.renderer != PAGE and self._layout.meta_names_of(document)
                return structs.replace(found, route=route_in(content, document, self._layout)) if has_route else found
            return self._plain(document, content)
        except ProblemError as error:
            return Scan(problem=error.problem)

    def _plain(self, document: DocumentId, content: bytes) -> Scan:
        """Scan a file that no rule renders. It may not be a template, so errors in it are ignored."""
        if b"{%" not in content and b"{{" not in content:
            return Scan()
        try:
            return Scan(self._static.of_template(document, decode(content, document)))
        except ProblemError:
            return Scan()
