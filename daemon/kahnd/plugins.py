"""For authors of plug-ins: the types of a function's argument, and a way to call a function in a test.

from kahnd.plugins import Document, render

def chart(document: Document) -> str: ...

def test_a_chart_has_a_bar() -> None:
assert "<rect" in render(chart, "docs/harvest.chart", project=PROJECT).text
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from kahnd.core.globs import glob_matcher
from kahnd.core.hashing import hash_bytes
from kahnd.core.model import DocumentId, Job, Kind, Problem, RunId
from kahnd.core.output_paths import stage_name
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.rules import Layout, Rule, is_collection
from kahnd.render.context import RenderContext, UnmetError
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import route_in
from kahnd.render.jinja.references import Caches
from kahnd.render.jinja.values import Output
from kahnd.render.jinja.values import PlainPage as Page
from kahnd.render.renderers.python import Document, Plugin

__all__ = ["Document", "Failed", "Output", "Page", "Rendering", "render"]

_OUTPUT: Final = "{dir}/{name}.out"
"""The output of a document without a rule."""


class Failed(Exception):  # noqa: N818 - what a document has
    """A document failed: by `document.fail`, because something that it reads is missing, or by its parameters."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.message = problem.message
        self.file = problem.file
        self.line = problem.line
        self.column = problem.column


@dataclass(frozen=True)
class Rendering:
    """The result of calling a function: its output, its warnings, and the paths and patterns that it depends on.

    `outputs` are all outputs by their paths, and `output` is the first. A warning has `message`, `file`, `line` and
    `column`. `declared` has the bytes of each document that it declares, front matter included.
    """

    output: bytes
    warnings: tuple[Problem, ...]
    dependencies: tuple[str, ...]
    outputs: Mapping[str, bytes]
    declared: Mapping[str, bytes]

    @property
    def text(self) -> str:
        """The output as UTF-8 text."""
        return self.output.decode()


def render(
    function: Callable[..., object],
    document: str,
    *,
    project: str | os.PathLike[str] = ".",
    parameters: Mapping[str, Any] | None = None,
) -> Rendering:
    """Call a function for a document of a project, as kahnd does; nothing is written to the project.

    If the folder has a kahnd.toml, it says where sources and outputs are, and the outputs of other documents have to be
    built. Without one, every file is a document. Raises Failed, and whatever the function raises.
    """
    root, plugin = Path(project).resolve(), Plugin(function)
    layout, rule = _with_rule(_layout(root), DocumentId(document))
    collections: dict[DocumentId, tuple[DocumentId, ...]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while True:
            job = _job(root, layout, rule, DocumentId(document), os.path.relpath(folder, root))
            rendering = RenderContext(root, layout, structs.replace(job, collections=tuple(collections.items())))
            try:
                plugin.render(rendering, Caches(), parameters or {}, getattr(function, "__name__", "the function"))
            except UnmetError as error:
                wanted = error.needs.target
                if error.needs.kind is not Kind.COLLECTION or wanted in collections:
                    raise Failed(error.problem) from None
                collections[wanted] = tuple(_members(root, layout, wanted))
                continue
            except ProblemError as error:
                raise Failed(error.problem) from None
            return _result(rendering)


def _result(rendering: RenderContext) -> Rendering:
    targets = dict.fromkeys(each.dependency.target for each in rendering.reads)
    shown = tuple(each.removeprefix("/") if is_collection(each) else str(each) for each in targets)
    outputs = {str(path): (rendering.root / stage).read_bytes() for path, stage in rendering.staged.paths()}
    declared = {str(path): content for path, (content, _) in sorted(rendering.documents.declared.items())}
    return Rendering(next(iter(outputs.values())), rendering.warnings, shown, outputs, declared)


def _job(root: Path, layout: Layout, rule: Rule, document: DocumentId, folder: str) -> Job:
    content = (root / document).read_bytes()
    route = route_in(content, document, layout) if rule.meta_names else None
    if route and route.problem:
        raise Failed(route.problem)
    output, *more = outputs = layout.outputs_by(rule, document, route)
    stage, digest = f"{folder}/{stage_name(outputs)}", hash_bytes(content)
    return Job(RunId(0), document, digest, rule.index, output, stage, more=tuple(more), routed=True)


def _layout(root: Path) -> Layout:
    if not (root / CONFIG_FILE).is_file():
        return Layout((".",), "site")
    from kahnd.app.session import read_project  # noqa: PLC0415 - loads the whole daemon, which no worker needs

    return read_project(root).layout


def _with_rule(layout: Layout, document: DocumentId) -> tuple[Layout, Rule]:
    """The layout with a rule for the document, which may have none, and that rule."""
    if rule := layout.rule_of(document):
        return layout, rule
    rule = Rule(max((each.index for each in layout.rules), default=-1) + 1, document, "python", _OUTPUT)
    return replace(layout, rules=(*layout.rules, rule)), rule


def _members(root: Path, layout: Layout, collection: DocumentId) -> Iterator[DocumentId]:
    fits = glob_matcher(collection[1:])
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        paths = (os.path.relpath(os.path.join(folder, name), root) for name in sorted(names))  # noqa: PTH118
        known = (DocumentId(each) for each in paths if layout.source_of(each) and not layout.is_output(each))
        yield from (each for each in known if fits(each) and not layout.is_partial(each))
