"""The `template` renderer: any text file as a Jinja2 template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kahnd.core.model import DocumentId, Job, Outcome, Rendered, Scan
from kahnd.core.rules import Layout
from kahnd.render.attempt import attempt, with_memory
from kahnd.render.environment import ProjectEnvironment, ProjectLoader, code_cache
from kahnd.render.files import ProblemError, decode
from kahnd.render.frontmatter import Parts
from kahnd.render.parameters import TemplateParameters
from kahnd.render.references import Caches, References
from kahnd.render.rendering import Rendering
from kahnd.render.static import StaticScan
from kahnd.render.versions import versions


class TemplateRenderer:
    """What it keeps between renderings is keyed by the bytes it was made of."""

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

    def fingerprint(self, parameters: TemplateParameters) -> str:
        """The engine's version."""
        return versions("jinja2", "pyyaml")

    def scan(self, document: DocumentId, content: bytes, parameters: TemplateParameters) -> Scan:
        """Includes and calls whose path is a constant."""
        try:
            return Scan(self._scan.of_template(document, decode(content, document)))
        except ProblemError:
            return Scan()

    def render(self, job: Job, parameters: TemplateParameters) -> Outcome:
        """The text that the template gives."""
        return with_memory(lambda: self._attempt(job), self._forget)

    def _attempt(self, job: Job) -> Outcome:
        loader = ProjectLoader(Rendering(self._root, self._layout, job), self._codes)
        return attempt(loader, lambda: self._produce(loader))

    def _forget(self) -> None:
        self._codes.clear()
        self._caches.clear()

    def _produce(self, loader: ProjectLoader) -> Rendered:
        rendering = loader.rendering
        text = decode(rendering.own_bytes(), rendering.job.document)
        functions: dict[str, Any] = dict(References(rendering, self._caches).functions(Parts(text)))
        rendered = loader.own(ProjectEnvironment(loader, functions), Parts(text), is_page=False).render()
        return rendering.finish(rendered.encode())
