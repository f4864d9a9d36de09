"""A project in a temporary folder whose documents are rendered directly, without the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kahnd.core.globs import glob_matcher
from kahnd.core.hashing import hash_bytes
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Facets,
    Failed,
    Job,
    Kind,
    Outcome,
    OutputPath,
    Problem,
    Rendered,
    RunId,
    Scan,
    Unmet,
)
from kahnd.core.output_paths import stage_name, stages
from kahnd.core.rules import Layout, Rule, collection_id
from kahnd.ports import Renderers
from kahnd.render.renderers.parameters import (
    CommandParameters,
    CopyParameters,
    PageParameters,
    Parameters,
    PythonParameters,
    TemplateParameters,
)
from kahnd.render.renderers.registry import create

NAMES: dict[type[Parameters], str] = {
    PageParameters: "page",
    TemplateParameters: "template",
    CommandParameters: "command",
    CopyParameters: "copy",
    PythonParameters: "python",
}
SOURCES = ("docs", "data", "templates")


def rule(index: int, match: str, parameters: Parameters, output: str | tuple[str, ...] = "") -> Rule:
    pattern = output or getattr(parameters, "own_output", "") or parameters.default_output or "{dir}/{stem}.out"
    clean, name = getattr(parameters, "clean_urls", False), NAMES[type(parameters)]
    return Rule(index, match, name, pattern, parameters, line=10 + index, clean_urls=clean)


def rules(*each: tuple[str, Parameters] | tuple[str, Parameters, str | tuple[str, ...]]) -> tuple[Rule, ...]:
    return tuple(rule(index, *given) for index, given in enumerate(each))


USUAL = rules(
    ("docs/**/*.md", PageParameters()),
    ("docs/**/*.txt", TemplateParameters()),
    ("docs/**/*.css", CopyParameters()),
)


class Workshop:
    """Writes files and renders documents by rules, as the engine would ask for it."""

    def __init__(self, root: Path, by: tuple[Rule, ...] = USUAL, sources: tuple[str, ...] = SOURCES) -> None:
        self.root = root.resolve()
        self.layout = Layout(sources, "site", by)
        self._renderers: Renderers | None = None
        self._runs = 0

    @property
    def renderers(self) -> Renderers:
        """The ones a worker would have, for as long as the rules stay."""
        if self._renderers is None:
            self._renderers = create(self.root, self.layout)
        return self._renderers

    def begin_anew(self) -> None:
        """Forget the renderers, which load each module once."""
        self._renderers = None

    def by(self, *each: tuple[str, Parameters] | tuple[str, Parameters, str | tuple[str, ...]]) -> Workshop:
        self.layout, self._renderers = replace(self.layout, rules=rules(*each)), None
        return self

    def with_recipe(self, recipe: Digest) -> None:
        """Give all rules another recipe."""
        self.layout = replace(self.layout, rules=tuple(replace(each, recipe=recipe) for each in self.layout.rules))
        self._renderers = None

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def write_all(self, files: dict[str, str]) -> None:
        for path, content in files.items():
            self.write(path, content)

    def let_time_pass(self) -> None:
        """Return once a file written before is older, by its times, than one written now."""
        mark = self.write(".mark", "").stat().st_ctime_ns
        while self.write(".mark", "").stat().st_ctime_ns - mark < 10_000_000:
            pass

    def files(self, pattern: str) -> tuple[DocumentId, ...]:
        fits = glob_matcher(pattern)
        paths = (str(path.relative_to(self.root)) for path in sorted(self.root.rglob("*")) if path.is_file())
        return tuple(DocumentId(path) for path in paths if fits(path))

    def job(self, document: str, *collections: str, dependencies: tuple[Dependency, ...] = ()) -> Job:
        own = DocumentId(document)
        rendered_by = self.layout.rule_of(own)
        assert rendered_by is not None, document
        self._runs += 1
        outputs = self.layout.outputs_by(rendered_by, own)
        name = stage_name(outputs) if len(outputs) > 1 else Path(document).name
        stage = f".kahnd/stage/{self._runs}/{name}"
        (self.root / stage).parent.mkdir(parents=True)
        return Job(
            run=RunId(self._runs),
            document=own,
            content_hash=hash_bytes((self.root / document).read_bytes()),
            rule=rendered_by.index,
            output=outputs[0],
            more=outputs[1:],
            stage=stage,
            deps=tuple(self.layout.output_of(each.target) or each.target for each in dependencies),
            targets=tuple(each.target for each in dependencies),
            discovered=tuple(each.target for each in dependencies if each.kind is Kind.DISCOVERED),
            collections=tuple((collection_id(pattern), self.files(pattern)) for pattern in collections),
        )

    def run(self, job: Job) -> Outcome:
        rendered_by = self.layout.rules[job.rule]
        return self.renderers[rendered_by.renderer].render(job, rendered_by.parameters)

    def outcome(self, document: str, *collections: str) -> Outcome:
        return self.run(self.job(document, *collections))

    def text(self, document: str, *collections: str) -> str:
        """Renders a document and returns its output."""
        job = self.job(document, *collections)
        outcome = self.run(job)
        assert not isinstance(outcome, Failed | Unmet), outcome.problem
        content = (self.root / job.stage).read_bytes()
        assert outcome.output_hash == hash_bytes(content)
        return content.decode()

    def several(self, document: str) -> dict[str, str]:
        """Renders a document with several outputs, puts them where others find them, and returns their texts."""
        job = self.job(document)
        outcome = self.run(job)
        assert isinstance(outcome, Rendered), outcome
        inside = [f"{job.stage}/{path[len(job.output) :]}" for path, _ in outcome.outputs]
        found = inside if job.output.endswith("/") else stages(job)
        paths = [path for path, _ in outcome.outputs]
        texts = {str(path): (self.root / stage).read_text() for path, stage in zip(paths, found, strict=True)}
        assert [digest for _, digest in outcome.outputs] == [hash_bytes(each.encode()) for each in texts.values()]
        for path, text in texts.items():
            self.write(path, text)
        return texts

    def publish(self, document: str, *collections: str) -> OutputPath:
        """Render a document and put its output where others find it."""
        content, output = self.text(document, *collections), self.layout.output_of(DocumentId(document))
        assert output is not None
        self.write(output, content)
        return output

    def problem(self, document: str, *collections: str) -> Problem:
        """Renders a document that fails, and returns its problem."""
        outcome = self.outcome(document, *collections)
        assert isinstance(outcome, Failed), outcome
        return outcome.problem

    def unmet(self, document: str, *collections: str) -> Unmet:
        outcome = self.outcome(document, *collections)
        assert isinstance(outcome, Unmet), outcome
        return outcome

    def reads(self, document: str, *collections: str) -> list[tuple[str, Kind]]:
        return [(each.dependency.target, each.dependency.kind) for each in self.outcome(document, *collections).reads]

    def scan(self, document: str) -> list[tuple[str, Kind, int]]:
        return [(each.target, each.kind, each.line) for each in self.scanned(document).dependencies]

    def scanned(self, document: str) -> Scan:
        own = DocumentId(document)
        by = self.layout.scanned_as(own)
        assert by is not None
        return self.renderers[by.renderer].scan(own, (self.root / document).read_bytes(), by.parameters)

    def facets(self, document: str, text: str) -> Facets | None:
        """Those of a document with this text."""
        self.write(document, text)
        return self.scanned(document).facets
