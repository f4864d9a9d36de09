"""The `page` renderer: Markdown with front matter, as a Jinja2 template, laid out by another, to HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Template, TemplateNotFound
from markupsafe import Markup

from kahnd.core.model import DocumentId, Job, Kind, Outcome, Rendered, Scan
from kahnd.core.rules import Layout
from kahnd.render.attempt import attempt, with_memory
from kahnd.render.environment import ProjectEnvironment, ProjectLoader, code_cache
from kahnd.render.files import ProblemError, decode
from kahnd.render.frontmatter import Parts, split
from kahnd.render.markdown import Markdown
from kahnd.render.page_source import has_jinja
from kahnd.render.parameters import PageParameters
from kahnd.render.references import Caches, References, check_declared
from kahnd.render.rendering import Place, Rendering
from kahnd.render.static import StaticScan, layout_of
from kahnd.render.versions import versions

BUILT_IN_NAME: Final = "built-in.html"
BUILT_IN_LAYOUT: Final = """\
<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ page.title }}</title>
<style>body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif }</style>
</head>
<body>
{{ content }}</body>
</html>
"""


class PageRenderer:
    """What it keeps between renderings is keyed by the bytes it was made of.

    A layout gets `page` (this page), `content` (its HTML), `toc` (its headings: `level`, `id`, `title`), `root` (the
    way to the site's top) and the functions that the text has, too.
    """

    name = "page"
    version = "2"
    judges_missing = True
    parameters = PageParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._scan = StaticScan(layout)
        self._markdown = Markdown()
        self._codes = code_cache()
        self._caches = Caches()
        self._built_in = ProjectEnvironment().compile(BUILT_IN_LAYOUT, BUILT_IN_NAME, BUILT_IN_NAME)

    def fingerprint(self, parameters: PageParameters) -> str:
        """The libraries' versions."""
        return versions("jinja2", "pyromark", "pygments", "pyyaml")

    def scan(self, document: DocumentId, content: bytes, parameters: PageParameters) -> Scan:
        """Front matter, layout, the references in the text whose path is a constant; and the page's facets."""
        # A partial is laid out by the page that includes it.
        template = parameters.template if self._layout.rule_of(document) else ""
        try:
            text = decode(content, document)
        except ProblemError:
            return Scan()
        return self._scan.of_page(document, text, template, templating=parameters.templating)

    def render(self, job: Job, parameters: PageParameters) -> Outcome:
        """The page's HTML."""
        return with_memory(lambda: self._attempt(job, parameters), self._forget)

    def _attempt(self, job: Job, parameters: PageParameters) -> Outcome:
        loader = ProjectLoader(Rendering(self._root, self._layout, job), self._codes)
        return attempt(loader, lambda: self._produce(loader, parameters))

    def _forget(self) -> None:
        self._codes.clear()
        self._caches.clear()
        self._markdown.forget()

    def _produce(self, loader: ProjectLoader, parameters: PageParameters) -> Rendered:
        rendering = loader.rendering
        parts = split(decode(rendering.own_bytes(), rendering.job.document), rendering.job.document)
        check_declared(rendering, parts)
        environment = ProjectEnvironment(loader, References(rendering, self._caches).functions(parts))
        markdown = self._text(loader, environment, parts) if parameters.templating else parts.body
        html = self._markdown.convert(markdown)
        layout = self._layout_of(loader, environment, parts, parameters)
        page = layout.render(content=Markup(html.content), toc=html.headings)  # noqa: S704 - the writer's own HTML
        return rendering.finish(page.encode())

    def _text(self, loader: ProjectLoader, environment: ProjectEnvironment, parts: Parts) -> str:
        if not has_jinja(parts.body):
            return parts.body
        return loader.own(environment, parts, is_page=True).render()

    def _layout_of(
        self, loader: ProjectLoader, environment: ProjectEnvironment, parts: Parts, parameters: PageParameters
    ) -> Template:
        reference, line = layout_of(parts, parameters.template)
        if not reference:
            return Template.from_code(environment, self._built_in, environment.globals)
        rendering = loader.rendering
        place = Place(rendering.job.document, line) if line else rendering.rule_place
        name = rendering.locate(reference, place)
        try:
            return loader.load_as(environment, name, Kind.TEMPLATE, place)
        except TemplateNotFound as error:
            raise loader.missing or error from error
