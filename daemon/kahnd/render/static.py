"""Dependencies that can be told from a text alone, without rendering it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from jinja2 import TemplateError, nodes

from kahnd.core.globs import glob_objection
from kahnd.core.model import Dependency, DocumentId, Facet, Kind, Problem, Scan
from kahnd.core.rules import Layout, collection_id, resolve
from kahnd.render.environment import FUNCTIONS, ProjectEnvironment, project_calls
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import Parts, split
from kahnd.render.inclusions import Inclusion, parts_of
from kahnd.render.page_source import as_template
from kahnd.render.references import declared, facets_of
from kahnd.render.rendering import MOST_PATTERNS, Place, joined
from kahnd.render.tokens import BoundedTokens, TooManyTokensError

_ATTRIBUTES: Final = {"url": Facet.URL, "text": Facet.OUTPUT}
MOST_REFERENCES: Final = 10_000
LARGEST: Final = 1 << 20
"""Characters of a text that is searched for template code."""
MOST_MARKS: Final = 10_000
"""Marks in a text that begin template code, or code in Markdown, where template comments are none."""
_MARKS: Final = ("{{", "{%", "{#", "```", "~~~")
_WORTH_PARSING: Final = re.compile(r"\{[{%]")


@dataclass(frozen=True, slots=True)
class _Reference:
    """What stands in a text: a path, if it is one; which facets of it are used, where that is plain to see.

    `sure`: rendering comes by here whatever else is so.
    """

    path: object
    kind: Kind
    line: int = 0
    facets: frozenset[Facet] | None = None
    sure: bool = True


class _Parser:
    """Finds the references of templates by their syntax, within limits."""

    def __init__(self, environment: ProjectEnvironment) -> None:
        self._environment = environment
        self._tokens = BoundedTokens.added_to(environment)

    def references(self, text: str, document: DocumentId) -> list[_Reference]:
        """What is found; nothing in a text whose syntax is wrong, of which rendering tells, or that is too long.

        Raises ProblemError, with the line, where there is more than is ever looked through for one document.
        """
        self._tokens.begin()
        try:
            tree = self._environment.parse(text)
            certain = _certain(tree)
            return [*_loaded(tree, certain), *_called(tree, certain)]
        except RecursionError:
            message = "an expression in it is nested too deeply, or is too long"
            raise ProblemError(Problem(message, document, self._tokens.line, "split the expression")) from None
        except TooManyTokensError:
            _check_left_out(text, document)
            return []
        except (TemplateError, ValueError):
            return []


class StaticScan:
    """Finds references in texts; what leads out of the project or of its sources is left for the rendering to tell.

    The daemon itself scans, so a text with very much template code is not looked through: rendering it, in a worker
    that has a time limit, finds the same references.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parser = _Parser(ProjectEnvironment())
        self._parser_of_pages = _Parser(ProjectEnvironment(of_pages=True))

    def of_page(self, document: DocumentId, text: str, template: str, *, templating: bool) -> Scan:
        """Front matter, the layout, and the body's if it is a template. Broken parts tell nothing.

        Raises ProblemError, with the line, where there is more than is ever looked through for one document.
        """
        try:
            parts = split(text, document)
        except ProblemError:
            return Scan(self._known([_Reference("/" + template, Kind.TEMPLATE)] if template else [], document))
        found = [*_in_front_matter(parts, document, template)]
        if templating and _is_worth_parsing(parts.body, document):
            found += self._in_template(as_template(parts.body, parts.lines), document, of_page=True)
        return Scan(self._known(found, document), facets_of(parts, document, templating=templating))

    def of_template(self, document: DocumentId, text: str) -> tuple[Dependency, ...]:
        """A template's. Raises ProblemError as `of_page` does."""
        found = self._in_template(text, document) if _is_worth_parsing(text, document) else []
        return self._known(found, document)

    def _in_template(self, text: str, document: DocumentId, *, of_page: bool = False) -> list[_Reference]:
        parts = parts_of(text, of_page=of_page)
        if parts is not None:
            return [_Reference(each.path, Kind.INCLUDE, each.line) for each in parts if isinstance(each, Inclusion)]
        parser = self._parser_of_pages if of_page else self._parser
        return sorted(parser.references(text, document), key=lambda found: found.line)

    def _known(self, found: Iterable[_Reference], document: DocumentId) -> tuple[Dependency, ...]:
        known: dict[Dependency, Dependency] = {}
        patterns = 0
        for each in found:
            target = self._target(each, document)
            # What includes itself on a condition needs nothing that is not its own bytes.
            if target and (each.sure or each.kind is not Kind.INCLUDE or target != document):
                dependency = Dependency(target, each.kind, each.line, facets=each.facets, sure=each.sure)
                patterns += each.kind is Kind.COLLECTION and dependency not in known
                known[dependency] = joined(known.get(dependency, dependency), dependency)
                _check_number(len(known), MOST_REFERENCES, "files", each, document)
                _check_number(patterns, MOST_PATTERNS, "patterns of pages()", each, document)
        return tuple(known.values())

    def _target(self, reference: _Reference, document: DocumentId) -> DocumentId | None:
        given = reference.path
        path = resolve(given, document) if isinstance(given, str) and given else None
        if path is None or self._layout.source_of(path) is None:
            return None
        if reference.kind is Kind.COLLECTION and glob_objection(path):
            return None
        return collection_id(path) if reference.kind is Kind.COLLECTION else DocumentId(path)


def _is_worth_parsing(text: str, document: DocumentId) -> bool:
    """Whether there may be references in a text, and no more template code than the daemon takes the time for.

    Raises ProblemError as `_check_left_out` does.
    """
    if len(text) > LARGEST or _WORTH_PARSING.search(text) is None:
        return False
    if sum(map(text.count, _MARKS)) <= MOST_MARKS:
        return True
    _check_left_out(text, document)
    return False


def _check_left_out(text: str, document: DocumentId) -> None:
    """Raise ProblemError where rendering could not find the references of a text that is not looked through.

    Each pattern that only rendering finds costs one more run.
    """
    if text.count("pages(") > MOST_PATTERNS:
        message = f"calls pages() more than {MOST_PATTERNS:,} times, in more template code than is looked through"
        raise ProblemError(Problem(message, document, 0, "split the file"))


def _check_number(number: int, limit: int, what: str, reference: _Reference, document: DocumentId) -> None:
    if number > limit:
        message = f"refers to more than {limit:,} {what}"
        raise ProblemError(Problem(message, document, reference.line, "split the file"))


def _in_front_matter(parts: Parts, document: DocumentId, template: str) -> Iterator[_Reference]:
    layout, line = layout_of(parts, template)
    if layout:
        yield _Reference(layout, Kind.TEMPLATE, line)
    place = Place(document, parts.line_of("depends_on"))
    try:
        yield from (_Reference(each, Kind.DECLARED, place.line) for each in declared(parts, place))
    except ProblemError:
        return


def layout_of(parts: Parts, template: str) -> tuple[object, int]:
    """The reference to a page's layout and its line: the front matter's, else the rule's; empty for neither."""
    if "template" in parts.meta:
        return parts.meta["template"], parts.line_of("template")
    return "/" + template if template else "", 0


def _certain(tree: nodes.Template) -> frozenset[int]:
    """The nodes (their ids) that are evaluated whatever the conditions. What extends another only has blocks."""
    extends = tree.find(nodes.Extends) is not None
    pending: list[nodes.Node] = [each for each in tree.body if isinstance(each, nodes.Extends)] if extends else [tree]
    found: dict[int, nodes.Node] = {}
    while pending:
        node = pending.pop()
        found[id(node)] = node
        pending += _evaluated(node)
    return frozenset(found)


def _evaluated(node: nodes.Node) -> Iterable[nodes.Node]:
    """What is evaluated in any case where a node is."""
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


def _loaded(tree: nodes.Template, certain: Container[int]) -> Iterator[_Reference]:
    for node in tree.find_all(nodes.Stmt):
        if isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport):
            sure = id(node) in certain and _is_one(node.template) and not getattr(node, "ignore_missing", False)
            for name in _constants(node.template):
                yield _Reference(name, Kind.INCLUDE, node.lineno, sure=sure)


def _is_one(node: nodes.Expr) -> bool:
    """Whether it is one path, and not several to choose from."""
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _constants(node: nodes.Expr) -> list[object]:
    if isinstance(node, nodes.Const):
        return list(node.value) if isinstance(node.value, tuple | list) else [node.value]
    if isinstance(node, nodes.List | nodes.Tuple):
        return [value for item in node.items for value in _constants(item)]
    if isinstance(node, nodes.CondExpr):
        return [value for each in (node.expr1, node.expr2) if each for value in _constants(each)]
    return []


def _called(tree: nodes.Template, certain: Container[int]) -> Iterator[_Reference]:
    used = _used_of_outputs(tree)
    for call in project_calls(tree):
        if call.args and isinstance(call.node, nodes.Name):
            kind = FUNCTIONS[call.node.name]
            facets = used.get(id(call)) if kind is Kind.OUTPUT else None
            sure = id(call) in certain and _is_one(call.args[0])
            yield from (_Reference(name, kind, call.lineno, facets, sure) for name in _constants(call.args[0]))


def _used_of_outputs(tree: nodes.Template) -> dict[int, frozenset[Facet]]:
    """By call: the facet that is used of what it gives, where it is printed at once or one attribute is taken of it.

    A plain document is not rendered, so this is all that can be known of it: a layout that only links to a style
    sheet is the same whatever the sheet's content.
    """
    taken = ((node.node, _ATTRIBUTES.get(node.attr)) for node in tree.find_all(nodes.Getattr))
    printed = ((child, Facet.URL) for node in tree.find_all(nodes.Output) for child in node.nodes)
    return {id(node): frozenset({facet}) for node, facet in (*taken, *printed) if facet}
