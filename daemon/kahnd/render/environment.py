"""Jinja2 as the project uses it: sandboxed, strict about names, paths relative to the file they stand in.

Values are escaped in templates whose name ends in .html, .htm, .xhtml, .xml or .svg (with or without .j2 or .jinja
after it). A page's own text is Markdown, where nothing is escaped; its HTML comes to the layout as safe `content`.
A line that holds only a `{% block %}` leaves no blank line, so that loops can make table rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Final

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, nodes
from jinja2.runtime import Context

from kahnd.core.model import Dependency, Digest, DocumentId, Kind, Problem
from kahnd.render.cache import Cache
from kahnd.render.files import OutsideError, ProblemError, UnfitError, decode, read_inside
from kahnd.render.frontmatter import Parts, cut
from kahnd.render.inclusions import Composition, parts_of
from kahnd.render.page_source import (
    COMMENT_END,
    COMMENT_START,
    CONTINUED,
    INDENTED,
    as_template,
    continued,
    indented,
    is_in_code,
)
from kahnd.render.rendering import Place, Rendering, UnmetError
from kahnd.render.sandbox import Sandbox

FUNCTIONS: Final[Mapping[str, Kind]] = {
    "data": Kind.DATA,
    "page": Kind.PAGE,
    "output": Kind.OUTPUT,
    "pages": Kind.COLLECTION,
}
MAX_DEPTH: Final = 100
"""How many templates may be in one another. A tree that is deeper than that has no end."""
PLACE_ARGUMENT: Final = "_place"
_ESCAPED: Final = tuple(
    f".{kind}{end}" for kind in ("html", "htm", "xhtml", "xml", "svg") for end in ("", ".j2", ".jinja")
)

_CODE: Final = 32
"""How many bytes compiled code takes for each of its template's, at the most."""


class ProjectEnvironment(Sandbox):
    """Parses as the project does; renders only with a rendering's loader and functions."""

    def __init__(
        self, loader: BaseLoader | None = None, functions: Mapping[str, Any] | None = None, *, of_pages: bool = False
    ) -> None:
        """One `of_pages` parses what `as_template` makes of Markdown; which of the two renders makes no difference."""
        comments = {"comment_start_string": COMMENT_START, "comment_end_string": COMMENT_END} if of_pages else {}
        super().__init__(
            **comments,
            loader=loader,
            autoescape=_is_escaped,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self.globals.update(functions or {})
        self.filters.update({INDENTED: indented, CONTINUED: continued})

    def join_path(self, template: str, parent: str) -> str:
        """A name in a template, as a project path."""
        if isinstance(self.loader, ProjectLoader):
            return self.loader.rendering.locate(template, Place(parent))
        return template

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for call in project_calls(tree):
            place = nodes.Const((name, call.lineno), lineno=call.lineno, environment=self)
            call.kwargs.append(nodes.Keyword(PLACE_ARGUMENT, place, lineno=call.lineno, environment=self))
        return tree


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template as Jinja compiles it."""

    code: CodeType

    def template(self, environment: Environment, variables: MutableMapping[str, Any]) -> Template:
        """The template in an environment; `variables` are its globals."""
        return Template.from_code(environment, self.code, variables)


def compiled(environment: Environment, source: str, name: str) -> Compiled | Composition:
    """What a template is made of; Jinja's compiler takes most of a small page's time."""
    parts = parts_of(source, of_page=environment is _OF_PAGES)
    return Compiled(environment.compile(source, name, name)) if parts is None else Composition(name, parts)


def compiled_page(parts: Parts, name: str) -> Compiled | Composition:
    """The same for the text of a page."""
    return compiled(_OF_PAGES, as_template(parts.body, parts.lines), name)


CodeCache = Cache[tuple[str, Digest], Compiled | Composition]


def code_cache() -> CodeCache:
    """What a worker keeps of compiled templates."""
    return Cache(256, 64 << 20)


def project_calls(tree: nodes.Template) -> list[nodes.Call]:
    """The calls of the project's functions: not those of a template's own names that hide them."""
    calls = [(call, _name_of(call)) for call in tree.find_all(nodes.Call)]
    ours = [(call, name) for call, name in calls if name in FUNCTIONS]
    own = _own_names(tree) if ours else set()
    return [call for call, name in ours if name not in own]


def _name_of(call: nodes.Call) -> str | None:
    return call.node.name if isinstance(call.node, nodes.Name) else None


def _own_names(tree: nodes.Template) -> set[str]:
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    return assigned | {macro.name for macro in tree.find_all(nodes.Macro)}


def _is_escaped(name: str | None) -> bool:
    return name is not None and name.lower().endswith(_ESCAPED)


@dataclass(eq=False)
class ProjectLoader(BaseLoader):
    """Loads templates through a rendering's account; compiled code is kept by its source's hash.

    `loaded` are the names of all that was loaded; `missing` is what was looked for last and not there.
    """

    rendering: Rendering
    codes: CodeCache
    loaded: set[str] = field(default_factory=set)
    missing: UnmetError | None = None
    _depth: int = 0

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        """The template of a project path. Raises TemplateNotFound, so that `ignore missing` works."""
        # Jinja does not say where the name stands: the traceback does, later.
        return self.load_as(environment, DocumentId(name), Kind.INCLUDE, Place(""))

    def load_as(self, environment: Environment, name: DocumentId, kind: Kind, place: Place) -> Template:
        """As `load`, and told why and where it is asked for."""
        try:
            content, digest = self._read(Dependency(name, kind, place.line), place)
        except UnmetError as error:
            self.missing = error
            raise TemplateNotFound(name) from error
        self.loaded.add(name)
        made = self.codes.get((name, digest), lambda: self._compiled(environment, content, name), _CODE * len(content))
        return self._bounded(made.template(environment, environment.globals))

    def _read(self, dependency: Dependency, place: Place) -> tuple[bytes, Digest]:
        """The bytes of a template. The document's own, if it includes itself, are no dependency."""
        job = self.rendering.job
        if dependency.target == job.document:
            return self.rendering.own_bytes(), job.content_hash
        return self.rendering.read(dependency, place)

    def _bounded(self, template: Template) -> Template:
        """The template, which fails where it is one too many of those that include, extend or import one another."""
        render = template.root_render_func

        def rendered(context: Context) -> Iterator[str]:
            if self._depth >= MAX_DEPTH:
                message = f"goes round without end: templates include one another {MAX_DEPTH} levels deep"
                raise ProblemError(Problem(message, remedy="have it include itself on a condition that ends"))
            self._depth += 1
            try:
                yield from render(context)
            finally:
                self._depth -= 1

        template.root_render_func = rendered
        return template

    def own(self, environment: Environment, parts: Parts, *, is_page: bool) -> Template:
        """The document itself as a template; it is rendered once, so its code is not kept."""
        name = self.rendering.job.document
        self.loaded.add(name)
        made = compiled_page(parts, name) if is_page else compiled(environment, parts.body, name)
        return self._bounded(made.template(environment, environment.globals))

    def is_code(self, file: str, line: int) -> bool:
        """Whether what is wrong on a file's line stands in a page's code, where it may be meant as text."""
        if not self.rendering.layout.is_written_as_page(DocumentId(file)):
            return False
        try:
            parts = cut(decode(read_inside(self.rendering.root, file), file), file)
        except (OSError, OutsideError, UnfitError, ProblemError):
            return False
        return is_in_code(parts.body, line - parts.lines)

    def _compiled(self, environment: Environment, content: bytes, name: DocumentId) -> Compiled | Composition:
        text = decode(content, name)
        is_page = self.rendering.layout.is_written_as_page(name)
        return compiled_page(cut(text, name), name) if is_page else compiled(environment, text, name)


_OF_PAGES: Final = ProjectEnvironment(of_pages=True)
