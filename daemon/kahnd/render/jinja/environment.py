"""The Jinja2 environment: sandboxed, strict about undefined names, paths relative to the file that contains them.

Values are escaped in templates whose name ends in .html, .htm, .xhtml, .xml or .svg (with or without .j2 or .jinja
after it). The text of a page is Markdown, where nothing is escaped; the layout gets its HTML as safe `content`.
A line that contains only a `{% block %}` leaves no blank line, so that loops can make table rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import CodeType
from typing import Any, Final, Protocol

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, nodes
from jinja2.runtime import Context

from kahnd.core.hashing import hash_members
from kahnd.core.model import Dependency, Digest, DocumentId, Kind, Problem
from kahnd.render.cache import Cache
from kahnd.render.context import Location, RenderContext, UnmetError
from kahnd.render.data.ordering import groupby_each
from kahnd.render.fast.inclusions import (
    COMMENT_END,
    COMMENT_START,
    CONTINUED,
    INDENTED,
    Composition,
    continued,
    indented,
    parts_of,
    parts_of_page,
)
from kahnd.render.files import OutsideError, ProblemError, UnreadableError, decode, read_inside
from kahnd.render.frontmatter import Parts, cut
from kahnd.render.jinja import theme
from kahnd.render.jinja.sandbox import Sandbox
from kahnd.render.jinja.values import as_filter
from kahnd.render.markdown.convert import slug
from kahnd.render.markdown.extensions import protected
from kahnd.render.markdown.page_source import as_template, is_in_code

FUNCTIONS: Final[Mapping[str, Kind]] = {
    "data": Kind.DATA,
    "code": Kind.DATA,
    "page": Kind.PAGE,
    "output": Kind.OUTPUT,
    "pages": Kind.COLLECTION,
}
REMARKS: Final = frozenset({"declare", "fail", "warn"})
"""Functions that depend on no document; they are told their line, as FUNCTIONS are."""
MAX_DEPTH: Final = 100
"""The limit on nested templates, beyond which they are taken to recurse without end."""
LOCATION_ARGUMENT: Final = "_location"
_ESCAPED: Final = tuple(
    f".{kind}{end}" for kind in ("html", "htm", "xhtml", "xml", "svg") for end in ("", ".j2", ".jinja")
)

_RAW: Final = "write {% raw %} before and {% endraw %} after them, or set `templating = false` in the rule"
FILTERS: Final[Mapping[str, Callable[..., Any]]] = {**theme.FILTERS, "groupby_each": groupby_each, "slug": slug}
"""Filters beside Jinja's own."""
_CODE_WEIGHT: Final = 32
"""The most bytes of memory that compiled code takes per byte of its template."""


class ProjectEnvironment(Sandbox):
    """Parses templates; renders them only with the loader and functions of a rendering."""

    def __init__(
        self, loader: BaseLoader | None = None, functions: Mapping[str, Any] | None = None, *, of_pages: bool = False
    ) -> None:
        """With `of_pages`, it parses the output of `as_template`; both kinds render compiled templates alike."""
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
        self.of_pages = of_pages
        self._located = tuple((functions or {}).get(name) for name in REMARKS.union(FUNCTIONS))
        self.globals.update(functions or {})
        self.filters.update({INDENTED: indented, CONTINUED: continued, **FILTERS})

    def join_path(self, template: str, parent: str) -> str:
        """The project path of a name in a template; the name of a part of kahnd's theme stays."""
        if isinstance(self.loader, ProjectLoader):
            return self.loader.locate(template, Location(parent))
        return template

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - as in Jinja
        """A call. Only kahnd's own functions are told where it stands: a macro may have one of their names."""
        if LOCATION_ARGUMENT in kwargs and not any(__obj is each for each in __self._located):
            del kwargs[LOCATION_ARGUMENT]
        return super().call(__context, __obj, *args, **kwargs)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for call in project_calls(tree, REMARKS.union(FUNCTIONS)):
            location = nodes.Const((name, call.lineno), lineno=call.lineno, environment=self)
            call.kwargs.append(nodes.Keyword(LOCATION_ARGUMENT, location, lineno=call.lineno, environment=self))
        return tree


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template compiled by Jinja."""

    code: CodeType

    def template(self, environment: Environment, variables: MutableMapping[str, Any]) -> Template:
        """The template in an environment; `variables` are its globals."""
        return Template.from_code(environment, self.code, variables)


def compiled(environment: Environment, source: str, name: str) -> Compiled | Composition:
    """Compile a template, without Jinja's compiler where possible: that takes most of a small page's time.

    Raises TemplateSyntaxError, or ProblemError for code that is too deep for the compiler.
    """
    parts = parts_of(source, of_page=isinstance(environment, ProjectEnvironment) and environment.of_pages)
    if parts is not None:
        return Composition(name, parts)
    try:
        return Compiled(environment.compile(source, name, name))
    except RecursionError:
        message = "an expression in it is nested too deeply, or is too long"
        raise ProblemError(Problem(message, name, 0, "split the expression")) from None


def compiled_page(parts: Parts, name: str, environment: ProjectEnvironment | None = None) -> Compiled | Composition:
    """Compile the text of a page; `environment` is one of pages, if they have filters of the project's."""
    if includes := parts_of_page(parts.body, parts.lines):
        return Composition(name, includes)
    return compiled(environment or _OF_PAGES, as_template(parts.body, parts.lines), name)


class Dialect:
    """How the templates of a rule are read: with the project's own filters and tests, and with math in pages or not.

    `key` tells apart what is compiled in one dialect and in another.
    """

    def __init__(self, *, has_math: bool = False, functions: Mapping[str, Callable[..., Any]], key: str = "") -> None:
        """Functions whose names begin with `is_` are tests. Raises ProblemError for a name that is taken."""
        self.has_math = has_math
        self.key = f"{key} math" if has_math else key
        self._tests = {
            name.removeprefix(_TEST): as_filter("test", name.removeprefix(_TEST), function)
            for name, function in functions.items()
            if name.startswith(_TEST)
        }
        self._filters = {
            name: as_filter("filter", name, function) for name, function in functions.items() if name[:3] != _TEST
        }
        if taken := [*(self._filters.keys() & _BARE.filters.keys()), *(self._tests.keys() & _BARE.tests.keys())]:
            message = f"templates have a `{min(taken)}` already"
            raise ProblemError(Problem(message, key, 0, "give the function another name"))
        self.of_pages = self.extend(ProjectEnvironment(of_pages=True)) if functions else _OF_PAGES

    def extend(self, environment: ProjectEnvironment) -> ProjectEnvironment:
        """The environment with the project's filters and tests."""
        if self._filters or self._tests:
            environment.filters = {**environment.filters, **self._filters}
            environment.tests = {**environment.tests, **self._tests}
        return environment

    def guarded(self, parts: Parts) -> Parts:
        """The parts of a page, with its math hidden from templates."""
        return replace(parts, body=protected(parts.body)) if self.has_math else parts


class Functions(Protocol):
    """The functions of the project's modules: see `ProjectFunctions` in `renderers/python`."""

    def call(self, reference: str, location: Location, *arguments: object) -> Any:
        """The result of a function."""
        ...

    def public(self, file: str, location: Location) -> Mapping[str, Callable[..., Any]]:
        """The functions that a module defines, by name."""
        ...


class ProjectCode:
    """A worker's hooks, filters and tests of the project."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._dialects: dict[tuple[str, bool], Dialect] = {}

    def dialect(self, filters: str, rendering: RenderContext, *, has_math: bool = False) -> Dialect:
        """The dialect of templates with the filters of a module; "" for none. Raises ProblemError."""
        if not filters and not has_math:
            return PLAIN_DIALECT
        if (filters, has_math) not in self._dialects:
            functions = self._functions.public(filters, rendering.rule_location) if filters else {}
            self._dialects[filters, has_math] = Dialect(has_math=has_math, functions=functions, key=filters)
        return self._dialects[filters, has_math]

    def call(self, rendering: RenderContext, reference: str, *arguments: object) -> str:
        """The text that a function, `path.py:name`, returns. Raises ProblemError."""
        made = self._functions.call(reference, rendering.rule_location, *arguments)
        if rendering.unlisted:  # the function may have caught it
            raise rendering.unlisted
        if isinstance(made, str):
            return made
        file, _, name = reference.partition(":")
        raise ProblemError(Problem(f"{name} returned {type(made).__name__}", file, 0, "return str"))


CodeCache = Cache[tuple[str, Digest, str], Compiled | Composition]


def code_cache() -> CodeCache:
    """A worker's cache of compiled templates."""
    return Cache(256, 64 << 20)


def project_calls(tree: nodes.Template, names: Container[str | None] = FUNCTIONS) -> list[nodes.Call]:
    """The calls of functions with these names, without those that a name of the template's own shadows."""
    calls = [(call, _name_of(call)) for call in tree.find_all(nodes.Call)]
    ours = [(call, name) for call, name in calls if name in names]
    own = _own_names(tree) if ours else set()
    return [call for call, name in ours if name not in own]


def _name_of(call: nodes.Call) -> str | None:
    return call.node.name if isinstance(call.node, nodes.Name) else None


def _own_names(tree: nodes.Template) -> set[str]:
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    imports = (each for node in tree.find_all(nodes.FromImport) for each in node.names)
    imported = {each if isinstance(each, str) else each[1] for each in imports}
    return assigned | imported | {macro.name for macro in tree.find_all(nodes.Macro)}


def _is_escaped(name: str | None) -> bool:
    return name is not None and name.lower().endswith(_ESCAPED)


@dataclass(eq=False)
class ProjectLoader(BaseLoader):
    """Loads templates for a rendering, which records them; compiled code is cached by its source's hash.

    `loaded` has the names of all loaded templates; `missing` is the error for the last template that was not found.
    """

    rendering: RenderContext
    codes: CodeCache
    dialect: Dialect = field(default_factory=lambda: PLAIN_DIALECT)
    loaded: set[str] = field(default_factory=set)
    missing: UnmetError | None = None
    _depth: int = 0

    def locate(self, reference: object, location: Location) -> DocumentId:
        """The name to load a template by; for a part of kahnd's theme the project's own one, if it has that.

        A project's part that names itself means the one of kahnd, so that it can add to that.
        """
        if not theme.is_part(reference):
            return self.rendering.locate(reference, location)
        own = theme.replacement(str(reference))
        return own if location.file != own and own in self._replacements else DocumentId(str(reference))

    @cached_property
    def _replacements(self) -> Collection[DocumentId]:
        """The project's own parts of the theme. Their set is one dependency; each part that is used is another."""
        location = Location(self.rendering.job.document)
        members = frozenset(self.rendering.members(theme.REPLACEMENTS, location))
        self.rendering.record(Dependency(theme.REPLACEMENTS, Kind.COLLECTION), hash_members(members))
        return members

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        """The template of a project path. Raises TemplateNotFound, so that `ignore missing` works."""
        # Jinja does not say where the name stands: the traceback does, later.
        return self.load_as(environment, DocumentId(name), Kind.INCLUDE, Location(""))

    def load_as(self, environment: Environment, name: DocumentId, kind: Kind, location: Location) -> Template:
        """As `load`, for a dependency of this kind and a reference at this location."""
        if theme.is_part(name):
            return self._bounded(self._part(environment, name).template(environment, environment.globals))
        try:
            content, digest = self._read(Dependency(name, kind, location.line), location)
        except UnmetError as error:
            self.missing = error
            raise TemplateNotFound(name) from error
        self.loaded.add(name)
        made = self.codes.get(
            (name, digest, self.dialect.key),
            lambda: self._compiled(environment, content, name),
            _CODE_WEIGHT * len(content),
        )
        return self._bounded(made.template(environment, environment.globals))

    def _part(self, environment: Environment, name: DocumentId) -> Compiled | Composition:
        self.loaded.add(name)
        text = theme.part(name)
        weight = _CODE_WEIGHT * len(text)
        return self.codes.get(
            (name, theme.fingerprint(), self.dialect.key), lambda: compiled(environment, text, name), weight
        )

    def _read(self, dependency: Dependency, location: Location) -> tuple[bytes, Digest]:
        """The bytes of a template. A document that includes itself does not depend on itself."""
        job = self.rendering.job
        if dependency.target == job.document:
            return self.rendering.own_bytes(), job.content_hash
        return self.rendering.read(dependency, location)

    def _bounded(self, template: Template) -> Template:
        """The template, which fails to render if it is nested too deep in others."""
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
        """The document itself as a template; its code is used once, so it is not cached."""
        name = self.rendering.job.document
        self.loaded.add(name)
        of_pages = self.dialect.of_pages
        made = compiled_page(parts, name, of_pages) if is_page else compiled(environment, parts.body, name)
        return self._bounded(made.template(environment, environment.globals))

    def location_of(self, *texts: str) -> Location:
        """The first line of the page, or else of a partial, that holds the first of these texts that is found."""
        rendering = self.rendering
        document = rendering.job.document
        for file in (document, *sorted(self.loaded - {document})):
            content = decode(rendering.own_bytes(), file) if file == document else rendering.text_of(file)
            positions = (content.find(text) for text in texts)
            if (found := next((each for each in positions if each >= 0), -1)) >= 0:
                return Location(file, content.count("\n", 0, found) + 1)
        return Location(document)

    def remedy(self, file: str, line: int, usual: str, *, may_be_text: bool) -> str:
        """The remedy for an error in a template; in a page it may be about braces that are meant as text."""
        if not self.rendering.layout.is_written_as_page(DocumentId(file)):
            return usual
        if self._is_code(file, line):
            return f"braces in code are a template's, too: {_RAW}"
        return f"{usual}; if the braces are text, {_RAW}" if may_be_text else usual

    def _is_code(self, file: str, line: int) -> bool:
        try:
            parts = cut(decode(read_inside(self.rendering.root, file), file), file)
        except (OSError, OutsideError, UnreadableError, ProblemError):
            return False
        return is_in_code(parts.body, line - parts.lines)

    def _compiled(self, environment: Environment, content: bytes, name: DocumentId) -> Compiled | Composition:
        text = decode(content, name)
        is_page = self.rendering.layout.is_written_as_page(name)
        if is_page:
            return compiled_page(self.dialect.guarded(cut(text, name)), name, self.dialect.of_pages)
        return compiled(environment, text, name)


_OF_PAGES: Final = ProjectEnvironment(of_pages=True)
_BARE: Final = ProjectEnvironment()
_TEST: Final = "is_"
PLAIN_DIALECT: Final[Dialect] = Dialect(functions={})
