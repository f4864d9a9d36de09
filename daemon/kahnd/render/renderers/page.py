"""The renderers of Jinja2 templates, and the outcomes of the exceptions that templates raise.

`page`: Markdown with front matter, which is a template itself, laid out by another template, to HTML. `template`: any
text file as a template.
"""

from __future__ import annotations

import html
import re
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Template, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from markupsafe import Markup
from msgspec import structs

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.output_paths import placed
from kahnd.core.rules import Layout, public_path, url_between
from kahnd.ports import PRESSING
from kahnd.render.cache import retry_without_caches
from kahnd.render.context import Location, RenderContext, UnmetError
from kahnd.render.files import ProblemError, decode
from kahnd.render.frontmatter import Parts, split
from kahnd.render.jinja import theme
from kahnd.render.jinja.environment import Dialect, ProjectCode, ProjectEnvironment, ProjectLoader, code_cache
from kahnd.render.jinja.references import Caches, References, record_declared
from kahnd.render.jinja.values import Page
from kahnd.render.markdown.blocks import contents_of
from kahnd.render.markdown.convert import Extras, Html, Markdown
from kahnd.render.markdown.extensions import FORMULA, FormulaError, as_mathml, masked, restored
from kahnd.render.markdown.highlight import Fence
from kahnd.render.markdown.links import Links, summed_up, with_links
from kahnd.render.markdown.page_source import has_jinja
from kahnd.render.markdown.wiki_links import WikiLinks
from kahnd.render.programs.project_code import modules_fingerprint
from kahnd.render.renderers.parameters import PRE, PageParameters, TemplateParameters
from kahnd.render.renderers.python import Document, ProjectFunctions
from kahnd.render.renderers.registry import library_versions
from kahnd.render.scan.scanner import StaticScan, layout_of

_OWN_CLASS: Final = re.compile(r"'kahnd\.[\w.]+\.(\w+) object'")
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
_CORRECT: Final = "correct the template"
_DEFINE: Final = "give it a value, or write `| default(...)` after it"
_REDIRECT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Moved</title>
<link rel="canonical" href="{url}">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="0; url={url}">
<p>This page is <a href="{url}">here</a> now.</p>
</html>
"""
BUILT_IN_NAME: Final = "built-in.html"


class PageRenderer:
    """Renders pages; its caches are keyed by the hash of the source.

    A layout gets `page` (this page), `content` (its HTML), `toc` (its headings: `level`, `id`, `title`), `root` (the
    relative URL of the output folder) and the functions that the text has.
    """

    name = "page"
    version = "4"
    judges_missing = True
    parameters = PageParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._scan = StaticScan(layout)
        self._markdown = Markdown()
        self._codes = code_cache()
        self._caches = Caches()
        self._built_in = ProjectEnvironment().compile(theme.assembled("plain.html"), BUILT_IN_NAME, BUILT_IN_NAME)
        self._project = ProjectCode(ProjectFunctions(root, layout))

    def fingerprint(self, parameters: PageParameters) -> str:
        """The libraries' versions, kahnd's theme, and the modules whose functions are called."""
        extra = ["math-core"] if parameters.markdown.math == "mathml" else []
        versions = library_versions("jinja2", "pyromark", "pygments", "pyyaml", *extra)
        modules = modules_fingerprint(self._root, self._layout.environment, parameters.module_files)
        return f"{versions} {_fingerprint(self._layout)} {modules}".rstrip()

    def scan(self, document: DocumentId, content: bytes, parameters: PageParameters) -> Scan:
        """Find the dependencies in front matter, layout and text with constant paths; and hash the page's facets."""
        # A partial has no layout: the page that includes it has.
        template = parameters.template if self._layout.rule_of(document) else ""
        try:
            text = decode(content, document)
        except ProblemError:
            return Scan()
        return self._scan.of_page(document, text, template, parameters, links=parameters.links != "off")

    def render(self, job: Job, parameters: PageParameters) -> Outcome:
        """Render the page to HTML."""
        return retry_without_caches(lambda: self._attempt(job, parameters), self._clear_caches)

    def _attempt(self, job: Job, parameters: PageParameters) -> Outcome:
        loader = ProjectLoader(RenderContext(self._root, self._layout, job), self._codes)
        return _outcome(loader, lambda: self._produce(loader, parameters))

    def _clear_caches(self) -> None:
        self._codes.clear()
        self._caches.clear()
        self._markdown.clear()
        theme.SECTIONS.clear()

    def _produce(self, loader: ProjectLoader, parameters: PageParameters) -> Rendered:
        rendering = loader.rendering
        parts = split(decode(rendering.own_bytes(), rendering.job.document), rendering.job.document)
        record_declared(rendering, parts)
        references = References(rendering, self._caches, Page)
        page = _Page(loader, parts, references, self._project, Document.of(rendering, self._caches, {}), parameters)
        loader.dialect = page.dialect()
        functions = references.functions(parts)
        environment = loader.dialect.extend(ProjectEnvironment(loader, functions))
        markdown = page.hooked(parameters.before, self._text(loader, environment, parts, parameters))
        made = self._html(markdown, page)
        if parameters.markdown.toc:
            functions["page"].set_toc(contents_of(made.headings, parameters.markdown.toc_levels))
        text = page.hooked(parameters.after, made.content)
        links = Links(rendering, partial(references.anchors, layout=parts.meta.get("template")))
        if parameters.links != "off":
            text = with_links(text, None if parameters.is_hooked else markdown, links.resolve)
        layout = self._layout_of(loader, environment, parts, parameters)
        laid_out = layout.render(content=Markup(text), toc=made.headings)  # noqa: S704 - the writer's own HTML
        dead = links.problems(laid_out, parts, loader.loaded)
        if dead and parameters.links == "error":
            raise ProblemError(summed_up(dead))
        for each in dead:
            rendering.warn(each)
        content = laid_out.encode()
        return rendering.finish(content, *_redirects(rendering, content))

    def _html(self, markdown: str, page: _Page) -> Html:
        if not page.parameters.is_extended:
            return self._markdown.convert(markdown)
        return self._markdown.convert_extended(markdown, page.extras())

    def _text(
        self, loader: ProjectLoader, environment: ProjectEnvironment, parts: Parts, parameters: PageParameters
    ) -> str:
        if not parameters.templating:
            return parts.body
        guarded = loader.dialect.guarded(parts)
        if not has_jinja(guarded.body):
            return parts.body
        return loader.own(environment, guarded, is_page=True).render()

    def _layout_of(
        self, loader: ProjectLoader, environment: ProjectEnvironment, parts: Parts, parameters: PageParameters
    ) -> Template:
        reference, line = layout_of(parts, parameters.template)
        if not reference:
            return Template.from_code(environment, self._built_in, environment.globals)
        rendering = loader.rendering
        location = Location(rendering.job.document, line) if line else rendering.rule_location
        name = loader.locate(reference, location)
        try:
            return loader.load_as(environment, name, Kind.TEMPLATE, location)
        except TemplateNotFound as error:
            raise loader.missing or error from error


def _fingerprint(layout: Layout) -> str:
    """What templates are given besides their inputs: kahnd's theme, and whether there are dates of commits."""
    return f"theme {theme.fingerprint()}{' last change' if layout.last_change else ''}"


def _redirects(rendering: RenderContext, page: bytes) -> Iterator[bytes]:
    """The pages at the aliases of a page, which are its outputs after the first: they lead to it."""
    job = rendering.job
    output = placed(job.output, hash_bytes(page)) if job.more else job.output
    public = public_path(output, rendering.rule, rendering.route_of(job.document)) if job.more else ""
    for alias in job.more:
        url = html.escape(url_between(public, alias))
        yield _REDIRECT.format(url=url).encode()


@dataclass
class _Page:
    """A page as its hooks and the extensions of its Markdown need it."""

    loader: ProjectLoader
    parts: Parts
    references: References[Page]
    project: ProjectCode
    document: Document
    parameters: PageParameters

    def dialect(self) -> Dialect:
        """The dialect of the page's templates."""
        has_math = self.parameters.templating and bool(self.parameters.markdown.math)
        return self.project.dialect(self.parameters.filters, self.loader.rendering, has_math=has_math)

    def hooked(self, reference: str, text: str) -> str:
        """The text that a hook makes of a text, which has nothing hidden; the same if there is no hook."""
        if not reference:
            return text
        return self.project.call(self.loader.rendering, reference, restored(text), self.document)

    def extras(self) -> Extras:
        """The extensions of the page's Markdown."""
        options = self.parameters.markdown
        resolve = self._wiki_links().resolve if options.wiki_links else None
        return Extras(options, resolve, self._take, self._by_hand, self._mathml if options.math == "mathml" else None)

    def _wiki_links(self) -> WikiLinks:
        given, loader = self.references.pages_by_rules, self.loader
        return WikiLinks(loader.rendering, given, loader.location_of, has_templates=self.parameters.templating)

    def _by_hand(self, fence: Fence) -> str | None:
        way = self.parameters.fences.get(fence.language)
        if way == PRE:
            return f'<pre class="{html.escape(fence.language)}">{html.escape(fence.code, quote=False)}</pre>\n'
        if way:
            return self.project.call(self.loader.rendering, way, fence, self.document)
        if fence.language == "math" and self.parameters.markdown.math:
            return f"<p>{masked(FORMULA, f'$${fence.code}$$')}</p>\n"
        return None

    def _take(self, fence: Fence) -> Fence:
        """The fence with the code of the file that it names."""
        reference = fence.attributes.get("file")
        if reference is None:
            return fence
        at = self.loader.location_of(fence.info)
        if fence.code.strip():
            message = "a code fence with `file` has code of its own"
            raise ProblemError(Problem(message, at.file, at.line, "leave one of them out"))
        anchor, lines = fence.attributes.get("anchor", ""), fence.attributes.get("lines", "")
        try:
            return fence.with_code(self.references.code(reference, anchor, lines, (at.file, at.line)))
        except ProblemError as error:
            raise ProblemError(_with_location(error.problem, at.file, at.line)) from error

    def _mathml(self, formulas: Any) -> Any:
        try:
            return as_mathml(formulas)
        except FormulaError as error:
            at, skipped = self.loader.location_of(*(f"{mark}{error.tex}" for mark in ("$", "\\(", "\\["))), 0
            if not at.line:
                written = error.tex.lstrip("\n")
                at, skipped = self.loader.location_of(written.partition("\n")[0].strip()), len(error.tex) - len(written)
            line = at.line and at.line + error.tex[: error.at].rstrip("\n").count("\n") - skipped
            message = f"a formula is no TeX that can be rendered: {error}"
            raise ProblemError(Problem(message, at.file, line, "correct the formula")) from error


class TemplateRenderer:
    """Renders text files; its caches are keyed by the hash of the source."""

    name = "template"
    version = "2"
    judges_missing = True
    parameters = TemplateParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._scan = StaticScan(layout)
        self._codes = code_cache()
        self._caches = Caches()
        self._project = ProjectCode(ProjectFunctions(root, layout))

    def fingerprint(self, parameters: TemplateParameters) -> str:
        """The libraries' versions, kahnd's theme, and the modules of the filters."""
        modules = modules_fingerprint(self._root, self._layout.environment, parameters.module_files)
        return f"{library_versions('jinja2', 'pyyaml')} {_fingerprint(self._layout)} {modules}".rstrip()

    def scan(self, document: DocumentId, content: bytes, parameters: TemplateParameters) -> Scan:
        """Find includes and calls with constant paths."""
        try:
            return Scan(self._scan.of_template(document, decode(content, document)))
        except ProblemError:
            return Scan()

    def render(self, job: Job, parameters: TemplateParameters) -> Outcome:
        """Render the template."""
        return retry_without_caches(lambda: self._attempt(job, parameters), self._clear_caches)

    def _attempt(self, job: Job, parameters: TemplateParameters) -> Outcome:
        loader = ProjectLoader(RenderContext(self._root, self._layout, job), self._codes)
        return _outcome(loader, lambda: self._produce(loader, parameters))

    def _clear_caches(self) -> None:
        self._codes.clear()
        self._caches.clear()
        theme.SECTIONS.clear()

    def _produce(self, loader: ProjectLoader, parameters: TemplateParameters) -> Rendered:
        rendering = loader.rendering
        loader.dialect = self._project.dialect(parameters.filters, rendering)
        text = decode(rendering.own_bytes(), rendering.job.document)
        functions: dict[str, Any] = dict(References(rendering, self._caches, Page).functions(Parts(text)))
        environment = loader.dialect.extend(ProjectEnvironment(loader, functions))
        rendered = loader.own(environment, Parts(text), is_page=False).render()
        return rendering.finish(rendered.encode())


def _outcome(loader: ProjectLoader, produce: Callable[[], Rendered]) -> Outcome:
    """The outcome of a rendering that uses templates."""
    rendering = loader.rendering
    try:
        return produce()
    except UnmetError as error:
        return Unmet(error.needs, error.problem, rendering.reads)
    except TemplateNotFound as error:
        return _not_found(loader, error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a template can raise whatever its expressions do
        return Failed(_problem(loader, error), rendering.reads)


def _not_found(loader: ProjectLoader, error: TemplateNotFound) -> Outcome:
    reads = loader.rendering.reads
    if loader.missing is None:
        return Failed(_problem(loader, error), reads)
    file, line = _innermost_frame(error, loader.loaded) or (loader.rendering.job.document, 0)
    problem = replace(loader.missing.problem, file=file, line=line)
    return Unmet(structs.replace(loader.missing.needs, line=line), problem, reads)


def _problem(loader: ProjectLoader, error: Exception) -> Problem:
    document = loader.rendering.job.document
    if isinstance(error, TemplateSyntaxError):
        file = error.name or document
        remedy = loader.remedy(file, error.lineno, _CORRECT, may_be_text=True)
        return Problem(error.message or "", file, error.lineno, remedy)
    file, line = _innermost_frame(error, loader.loaded) or (document, 0)
    if isinstance(error, ProblemError):
        return _with_location(error.problem, file, line)
    if isinstance(error, OSError) and error.errno in PRESSING:
        return Problem(_message(error), document, 0, "see to the machine's space, memory and limits", passing=True)
    if isinstance(error, UnicodeEncodeError):
        remedy = r"look for an escape such as \ud800 in it, and correct that"
        return Problem("its text has half a character", file, line, remedy)
    is_undefined = isinstance(error, UndefinedError)
    remedy = loader.remedy(file, line, _DEFINE if is_undefined else _CORRECT, may_be_text=is_undefined)
    return Problem(_message(error), file, line, remedy)


def _with_location(problem: Problem, file: str, line: int) -> Problem:
    fits = not problem.line and problem.file in {"", file}
    return replace(problem, file=file, line=line) if fits else problem


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "goes round without end: it includes or calls itself"
    message = _ADDRESS.sub("", str(error))
    own = isinstance(error, UndefinedError | SecurityError)
    return _OWN_CLASS.sub(r"a \1", message) if own else f"{type(error).__name__}: {message}"


def _innermost_frame(error: BaseException, files: Collection[str]) -> tuple[str, int] | None:
    """The file, one of those given, and line of the innermost frame of an exception's traceback."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((file, line) for file, line in reversed(frames) if file in files), None)
