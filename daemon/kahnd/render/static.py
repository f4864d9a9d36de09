"""Dependencies that can be told from a text alone, without rendering it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from jinja2 import TemplateError, nodes

from kahnd.core.model import Dependency, DocumentId, Kind
from kahnd.core.rules import Layout, collection_id, resolve
from kahnd.render.environment import FUNCTIONS, ProjectEnvironment, project_calls
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import Parts, body_in_place, split
from kahnd.render.references import declared
from kahnd.render.rendering import Place

_WORTH_PARSING: Final = re.compile(r"\{[{%]")


class StaticScan:
    """Finds references in texts; what leads out of the project or of its sources is left for the rendering to tell."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._environment = ProjectEnvironment()

    def of_page(self, document: DocumentId, text: str, template: str, *, templating: bool) -> tuple[Dependency, ...]:
        """Front matter, the layout, and the body's if it is a template. Broken parts tell nothing."""
        try:
            parts = split(text, document)
        except ProblemError:
            return self._known([("/" + template, Kind.TEMPLATE, 0)] if template else [], document)
        found = [*_in_front_matter(parts, document, template)]
        body = body_in_place(parts) if templating else ""
        return self._known([*found, *self._in_template(body)], document)

    def of_template(self, document: DocumentId, text: str) -> tuple[Dependency, ...]:
        """A template's."""
        return self._known(self._in_template(text), document)

    def _in_template(self, text: str) -> list[tuple[object, Kind, int]]:
        if not _WORTH_PARSING.search(text):
            return []
        try:
            tree = self._environment.parse(text)
        except (TemplateError, RecursionError, ValueError):
            return []
        return sorted([*_loaded(tree), *_called(tree)], key=lambda found: found[2])

    def _known(self, found: Iterable[tuple[object, Kind, int]], document: DocumentId) -> tuple[Dependency, ...]:
        targets = ((self._target(reference, document, kind), kind, line) for reference, kind, line in found)
        return tuple(dict.fromkeys(Dependency(target, kind, line) for target, kind, line in targets if target))

    def _target(self, reference: object, document: DocumentId, kind: Kind) -> DocumentId | None:
        path = resolve(reference, document) if isinstance(reference, str) and reference else None
        if path is None or self._layout.source_of(path) is None:
            return None
        return collection_id(path) if kind is Kind.COLLECTION else DocumentId(path)


def _in_front_matter(parts: Parts, document: DocumentId, template: str) -> Iterator[tuple[object, Kind, int]]:
    layout, line = layout_of(parts, template)
    if layout:
        yield layout, Kind.TEMPLATE, line
    place = Place(document, parts.line_of("depends_on"))
    try:
        yield from ((reference, Kind.DECLARED, place.line) for reference in declared(parts, place))
    except ProblemError:
        return


def layout_of(parts: Parts, template: str) -> tuple[object, int]:
    """The reference to a page's layout and its line: the front matter's, else the rule's; empty for neither."""
    if "template" in parts.meta:
        return parts.meta["template"], parts.line_of("template")
    return "/" + template if template else "", 0


def _loaded(tree: nodes.Template) -> Iterator[tuple[object, Kind, int]]:
    for node in tree.find_all(nodes.Stmt):
        if isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport):
            yield from ((name, Kind.INCLUDE, node.lineno) for name in _constants(node.template))


def _constants(node: nodes.Expr) -> list[object]:
    if isinstance(node, nodes.Const):
        return list(node.value) if isinstance(node.value, tuple | list) else [node.value]
    if isinstance(node, nodes.List | nodes.Tuple):
        return [value for item in node.items for value in _constants(item)]
    if isinstance(node, nodes.CondExpr):
        return [value for each in (node.expr1, node.expr2) if each for value in _constants(each)]
    return []


def _called(tree: nodes.Template) -> Iterator[tuple[object, Kind, int]]:
    for call in project_calls(tree):
        if call.args and isinstance(call.node, nodes.Name):
            yield from ((name, FUNCTIONS[call.node.name], call.lineno) for name in _constants(call.args[0]))
