"""The context of one rendering: reads files for it, resolves its references and records what it reads."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import cached_property
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from kahnd.core.globs import glob_error
from kahnd.core.hashing import PRESENT, hash_bytes, hash_outputs
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Facet,
    Job,
    Kind,
    OutputPath,
    Problem,
    Read,
    Rendered,
)
from kahnd.core.output_paths import HASH, facet_of, merge_dependencies, named_among, outputs_of
from kahnd.core.problem import MAX_WARNINGS
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.renderings import document_of
from kahnd.core.routes import Route
from kahnd.core.rules import Layout, Rule, collection_id, path_error, public_path, relative_path, resolve, url_between
from kahnd.core.text import find_similar, shortened, similar_name_remedy
from kahnd.platform.files import remedy_for, remove_any
from kahnd.ports import PRESSING
from kahnd.render.files import UNREADABLE, DocumentFiles, ProblemError, StagedFiles, outside, similar_file, unreadable

_NAMED: Final = 5
MAX_PATTERNS: Final = 200
"""Per document: the daemon matches each pattern against every document of the project."""


class UnmetError(Exception):
    """A rendering needs something that does not exist now."""

    def __init__(self, needs: Dependency, problem: Problem) -> None:
        super().__init__(str(problem))
        self.needs = needs
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Location:
    """The position of a reference: the file that contains it, as a project path, and the line."""

    file: str
    line: int = 0


class RenderContext:
    """Gives a renderer its inputs. Records each file that it reads, and each that it fails to find."""

    def __init__(self, root: Path, layout: Layout, job: Job) -> None:
        self.root = root
        self.layout = layout
        self.job = job
        self._reads: dict[Dependency, Read] = {}
        self._contents: dict[str, tuple[bytes, Digest]] = {}
        self.documents = DocumentFiles(root, layout, job)
        self._patterns: set[DocumentId] = set()
        self._routes: dict[DocumentId, Route | None] = {}
        self.given_urls: set[str] = set()
        """The URLs that functions of templates have given; the documents that they lead to are dependencies."""
        self._warnings: dict[Problem, None] = {}
        self._unkept_warnings = 0
        self.unlisted: UnmetError | None = None
        """The error for a collection that is not part of the job, even if it was caught."""

    @property
    def reads(self) -> tuple[Read, ...]:
        """Everything read so far, in order."""
        return tuple(self._reads.values())

    @property
    def rule(self) -> Rule:
        """The rule that the document is rendered by."""
        return next(rule for rule in self.layout.rules if rule.index == self.job.rule)

    @cached_property
    def id(self) -> DocumentId:
        """The rendering: the document's own, or one beside it."""
        return self.layout.rendering_by(self.job.document, self.job.rule)

    @property
    def rule_location(self) -> Location:
        """The position of that rule in the config."""
        return Location(CONFIG_FILE, self.rule.line)

    def record(self, dependency: Dependency, digest: Digest | None = None) -> None:
        """Record a dependency. The first known hash is kept, and facets are united."""
        known = self._reads.get(dependency)
        if known is None:
            self._reads[dependency] = Read(dependency, digest)
        elif known.hash in {None, PRESENT} or known.dependency.facets != dependency.facets:
            better = digest if known.hash == PRESENT and digest else known.hash or digest
            merged = merge_dependencies(known.dependency, dependency)
            self._reads[dependency] = Read(merged, better, known.outputs)

    def record_facet(self, dependency: Dependency, facet: Facet, digest: Digest | None = None) -> None:
        """Record that this facet of the document is used too."""
        self.record(replace(dependency, facets=frozenset({facet})), digest)

    def record_output(self, dependency: Dependency, output: OutputPath, digest: Digest | None = None) -> None:
        """Record that this output of the document is used: its bytes, or without a digest its url."""
        facet = Facet.OUTPUT if digest else Facet.URL
        if self.outputs_of(dependency.target)[:1] == (output,):
            self.record_facet(dependency, facet, digest)
            return
        self.record(replace(dependency, facets=frozenset({facet_of(facet, output)})))
        known = self._reads[dependency]
        if digest and output not in dict(known.outputs):
            self._reads[dependency] = replace(known, outputs=(*known.outputs, (output, digest)))

    def own_bytes(self) -> bytes:
        """The document's bytes. Raises UnmetError if they are not those of the job any more."""
        try:
            content = self.documents.read(self.job.document)
        except FileNotFoundError:
            raise self.changed() from None
        except UNREADABLE as error:
            raise ProblemError(unreadable(self.job.document, error, self.job.document)) from error
        if hash_bytes(content) != self.job.content_hash:
            raise self.changed()
        return content

    def changed(self) -> UnmetError:
        """The error to raise if the document has changed since the job was made."""
        problem = Problem("changed while it was rendered", self.job.document, 0, "it is rendered again")
        return UnmetError(Dependency(self.job.document, Kind.DISCOVERED), problem)

    def locate(self, reference: object, location: Location, kind: Kind = Kind.DISCOVERED) -> DocumentId:
        """The document that a reference names. Raises ProblemError if it can't name a document of the project.

        A path outside the sources is recorded with this kind: another config may make it a document.
        """
        if not isinstance(reference, str) or not reference:
            message = f"{_named(reference)} is no path"
            raise ProblemError(Problem(message, location.file, location.line, "give a path as text"))
        if error := path_error(reference):
            remedy = "correct the path; look for an escape such as \\ud83d in it"
            message = f"{shortened(reference)} can be no path: {error}"
            raise ProblemError(Problem(message, location.file, location.line, remedy))
        if kind is Kind.COLLECTION and (error := glob_error(reference)):
            message = f'"{shortened(reference)}" is no valid pattern: {error}'
            raise ProblemError(Problem(message, location.file, location.line, "correct the pattern"))
        target = resolve(reference, location.file)
        if target is None:
            raise ProblemError(outside(reference, location.file, location.line))
        if self.layout.source_of(target) is None:
            named = collection_id(target) if kind is Kind.COLLECTION else DocumentId(target)
            self.record(Dependency(named, kind, location.line))
            folder, inner, _ = target.partition("/")
            remedy = f"add {folder!r} to `sources` in {CONFIG_FILE}" if inner else "move it into a source folder"
            remedy = similar_name_remedy(folder, find_similar(folder, self.layout.sources), remedy)
            raise ProblemError(
                Problem(f"{target} is in none of the project's sources", location.file, location.line, remedy)
            )
        return DocumentId(target)

    def read(self, dependency: Dependency, location: Location) -> tuple[bytes, Digest]:
        """A file's bytes and their hash, the same throughout the rendering.

        Raises UnmetError if it does not exist, and ProblemError if it can't be read.
        """
        target = dependency.target
        if target not in self._contents:
            self._contents[target] = self._load(target, dependency, location)
        content, digest = self._contents[target]
        self.record(dependency, digest)
        return content, digest

    def read_output(self, dependency: Dependency, output: OutputPath, location: Location) -> tuple[bytes, Digest]:
        """The bytes of a dependency's output, and their hash. Raises as `read` does."""
        if output not in self._contents:
            self._contents[output] = self._load(output, dependency, location)
        return self._contents[output]

    def peek(self, path: DocumentId) -> bytes:
        """A file's bytes, which are not recorded; empty if it can't be read."""
        try:
            return self._contents[path][0] if path in self._contents else self.documents.read(path)
        except UNREADABLE:
            return b""

    def text_of(self, path: str) -> str:
        """The text of a file that this rendering has read; empty if it has not."""
        content, _ = self._contents.get(path, (b"", None))
        return content.decode(errors="replace")

    def _load(self, path: str, dependency: Dependency, location: Location) -> tuple[bytes, Digest]:
        try:
            content = self.documents.read(path)
        except (FileNotFoundError, NotADirectoryError):
            raise self.missing(dependency, location) from None
        except UNREADABLE as error:
            self.record(dependency)  # a change of the file may repair this
            raise ProblemError(unreadable(path, error, location.file, location.line)) from error
        return content, hash_bytes(content)

    def missing(self, dependency: Dependency, location: Location) -> UnmetError:
        """The error to raise for a document that does not exist; its absence is recorded."""
        self.record(dependency)
        problem = Problem(
            f"needs {dependency.target}, which is not there",
            location.file,
            location.line,
            "create it, or correct the path",
        )
        return UnmetError(dependency, problem)

    def declare(self, target: DocumentId, location: Location) -> None:
        """Record a dependency that is declared and not read. Raises UnmetError if it does not exist."""
        dependency = Dependency(target, Kind.DECLARED, location.line)
        if target not in self.documents:
            raise self.missing(dependency, location)
        self.record(dependency)

    def trace_file(self, target: DocumentId, location: Location) -> Path:
        """Record a file that is read by its path, with its present hash; return that path. Raises as `read` does."""
        dependency = Dependency(target, Kind.DATA, location.line)
        _, digest = self._contents.get(target) or self._load(target, dependency, location)
        self.record(dependency, digest)
        return self.root / self.documents.place_of(target)

    def outputs_of(self, target: DocumentId) -> tuple[OutputPath, ...]:
        """All output paths of a document, without aliases; none for a plain document."""
        rule = self.layout.rule_of(target)
        return self.layout.outputs_by(rule, target, self.route_of(target)) if rule else ()

    def route_of(self, target: DocumentId) -> Route | None:
        """Where a document's front matter puts its outputs, by its present bytes, which are not recorded."""
        document = document_of(target)
        if not self.layout.may_route(document, routed=self.job.routed):
            return None
        from kahnd.render.frontmatter import route_in  # noqa: PLC0415 - loads YAML, which most commands do without

        if document not in self._routes:
            self._routes[document] = route_in(self.peek(document), document, self.layout)
        return self._routes[document]

    def _by_rendering(self, target: DocumentId) -> Mapping[DocumentId, tuple[OutputPath, ...]]:
        """The output paths of a document by all rules that apply; none for a plain document."""
        outputs = {each: self.outputs_of(each) for each in (target, *self.layout.renderings_of(target))}
        return outputs if outputs[target] else {}

    def rendering_named(self, target: DocumentId, name: str) -> DocumentId:
        """The rendering of a document that makes the output of this name; the document itself if none or several do."""
        named = named_among(self._by_rendering(target), name)
        return named[0][0] if len(named) == 1 else target

    def output_of(self, target: DocumentId, location: Location, name: str = "") -> OutputPath:
        """The output path of a document; of several the first, or the one that is named.

        Raises ProblemError for a plain document, and if none or several are named so.
        """
        by_rendering = self._by_rendering(target)
        if not by_rendering:
            message = f"{target} is rendered by no rule, so it has no output"
            remedy = similar_name_remedy(target, similar_file(self.root, target), f"add a rule for it to {CONFIG_FILE}")
            raise ProblemError(Problem(message, location.file, location.line, remedy))
        named = named_among(by_rendering, name)
        if len(named) == 1:
            return named[0][1]
        outputs = [path for each in by_rendering.values() for path in each]
        message = f"{target} has {'several outputs' if named else 'no output'} named {shortened(name)!r}"
        remedy = f"name one of {', '.join(map(posixpath.basename, outputs[:_NAMED]))}"
        if outputs[0].endswith("/") and len(by_rendering) == 1:
            remedy = f"give a path in {outputs[0]}, the folder that it fills"
        raise ProblemError(Problem(message, location.file, location.line, remedy))

    def file_of(self, dependency: Dependency, output: OutputPath, location: Location) -> OutputPath:
        """The file of an output whose path may have a hash. Raises UnmetError if it is not known yet."""
        if HASH not in output:
            return output
        for claim, file in self.job.hashed:
            if claim == output:
                return file
        message = f"needs the output of {dependency.target}, which is not rendered yet"
        raise UnmetError(dependency, Problem(message, location.file, location.line, "render it first"))

    def url_of(self, target: DocumentId, output: OutputPath) -> str:
        """The URL of an output of a document or rendering, relative to this one's output and percent-encoded.

        Raises ProblemError if its path has a hash, which only `output()` waits for.
        """
        if HASH in output:
            message = f"{target} renders to {output}, whose hash is known only after rendering"
            raise ProblemError(Problem(message, remedy=f'write {{{{ output("/{target}") }}}} for its url'))
        if target == self.job.document != self.id:
            self.record_facet(Dependency(target, Kind.PAGE), Facet.URL, self.job.content_hash)
        public = public_path(output, self.layout.rule_of(target), self.route_of(target))
        url = url_between(public, self.job.output)
        self.given_urls.add(url)
        return url

    @property
    def url_of_top(self) -> str:
        """The relative URL of the output folder from this document's output, without a slash at the end."""
        return relative_path(self.layout.output, posixpath.dirname(self.job.output))

    def warn(self, problem: Problem) -> None:
        """Keep a warning, to be shown until the document is rendered without it; an equal one is kept once.

        Without a file, it is one of the document's.
        """
        placed = problem if problem.file else replaced(problem, file=self.job.document)
        if self.keeps_warnings:
            self._warnings[placed] = None
        elif placed not in self._warnings:
            self._unkept_warnings += 1

    @property
    def keeps_warnings(self) -> bool:
        """A further warning would be kept."""
        return len(self._warnings) < MAX_WARNINGS

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings so far, in order; the last one tells how many more there were."""
        count = self._unkept_warnings
        left_out = Problem(f"{count:,} more warning{'s are' if count > 1 else ' is'} left out", self.job.document)
        return (*self._warnings, left_out) if count else tuple(self._warnings)

    def finish(self, content: bytes, *others: bytes) -> Rendered:
        """Write the output to the stage, and the outputs after it. Raises ProblemError if that fails."""
        if others:
            return self.finish_several(dict(zip(outputs_of(self.job), (content, *others), strict=True)))
        stage = self.root / self.job.stage
        try:
            remove_any(stage)
            stage.write_bytes(content)
            declared = self.documents.stage()
        except OSError as error:
            raise ProblemError(self._unwritable(error)) from error
        return Rendered(hash_bytes(content), self.reads, self.warnings, declared=declared)

    @property
    def makes_several(self) -> bool:
        """Whether the document has several outputs, or fills a folder."""
        return bool(self.job.more) or self.job.output.endswith("/")

    @property
    def staged(self) -> StagedFiles:
        """The outputs in their stages."""
        return StagedFiles(self.root, self.job)

    def finish_several(self, contents: Mapping[str, bytes]) -> Rendered:
        """Write several outputs, by path in the folder or by name. Raises ProblemError for a name that does not fit."""
        try:
            self.staged.write(contents)
        except OSError as error:
            raise ProblemError(self._unwritable(error)) from error
        return self.collect()

    def adopt(self) -> Rendered | None:
        """The outcome of a rendering that has written its stages itself; None if an output is not there."""
        return None if self.staged.absent() else self.collect()

    def collect(self) -> Rendered:
        """The outcome for outputs that were written to their stages. Raises ProblemError if one is unfit."""
        try:
            outputs, declared = self.staged.collect(), self.documents.stage()
        except OSError as error:
            raise ProblemError(self._unwritable(error)) from error
        whole = hash_outputs(outputs) if self.job.output.endswith("/") else outputs[0][1]
        return Rendered(whole, self.reads, self.warnings, outputs if self.makes_several else (), declared)

    def _unwritable(self, error: OSError) -> Problem:
        message, remedy = f"its output can't be written: {error.strerror}", remedy_for(error, "check .kahnd/")
        return Problem(message, self.job.document, 0, remedy, passing=error.errno in PRESSING)

    def members(self, collection: DocumentId, location: Location) -> Iterable[DocumentId]:
        """The documents of a collection. Raises UnmetError if the job lacks them, ProblemError beyond MAX_PATTERNS."""
        self._patterns.add(collection)
        if len(self._patterns) > MAX_PATTERNS:
            message = f"refers to more than {MAX_PATTERNS:,} patterns of pages()"
            raise ProblemError(Problem(message, location.file, location.line, "split the file"))
        for given, members in self.job.collections:
            if given == collection:
                return members
        problem = Problem(f"needs the documents that match {collection}", location.file, location.line)
        self.unlisted = UnmetError(Dependency(collection, Kind.COLLECTION, location.line), problem)
        raise self.unlisted


def _named(reference: object) -> str:
    """A value that is no path, for a message; an object's own text may contain a memory address."""
    return repr(reference) if isinstance(reference, str | int | float | None) else f"a {type(reference).__name__}"
