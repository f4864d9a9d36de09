"""One run of one document: reads files for it, resolves what it refers to, and keeps the account of what it read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from kahnd.core import twins
from kahnd.core.digest import of_bytes
from kahnd.core.globs import glob_objection
from kahnd.core.model import Dependency, Digest, DocumentId, Facet, Job, Kind, OutputPath, Problem, Read, Rendered
from kahnd.core.rules import Layout, Rule, collection_id, no_path, resolve
from kahnd.core.text import shortened
from kahnd.ports import PRESSING
from kahnd.render.files import OutsideError, ProblemError, UnfitError, clear, read_inside, remedy_for, twin_on_disk

CONFIG_FILE: Final = "kahnd.toml"
MOST_PATTERNS: Final = 200
"""Of one document: the daemon tries each on every document of the project."""


class UnmetError(Exception):
    """A rendering needs something that is not there now."""

    def __init__(self, needs: Dependency, problem: Problem) -> None:
        super().__init__(str(problem))
        self.needs = needs
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands: a project path, which it is relative to, and a line."""

    file: str
    line: int = 0


class Rendering:
    """What a renderer knows of the run it is in. Every byte it gets is in the account, and all it fails for want of."""

    def __init__(self, root: Path, layout: Layout, job: Job) -> None:
        self.root = root
        self.layout = layout
        self.job = job
        self._reads: dict[Dependency, Read] = {}
        self._contents: dict[str, tuple[bytes, Digest]] = {}
        self._patterns: set[DocumentId] = set()

    @property
    def reads(self) -> tuple[Read, ...]:
        """All that was read so far, in order."""
        return tuple(self._reads.values())

    @property
    def rule(self) -> Rule:
        """The rule this run is by."""
        return next(rule for rule in self.layout.rules if rule.index == self.job.rule)

    @property
    def rule_place(self) -> Place:
        """Where that rule stands."""
        return Place(CONFIG_FILE, self.rule.line)

    def note(self, dependency: Dependency, digest: Digest | None = None) -> None:
        """Put into the account; a hash once known stays, and facets add up."""
        known = self._reads.get(dependency)
        if known is None:
            self._reads[dependency] = Read(dependency, digest)
        elif known.hash is None or known.dependency.facets != dependency.facets:
            self._reads[dependency] = Read(joined(known.dependency, dependency), known.hash or digest)

    def use(self, dependency: Dependency, facet: Facet, digest: Digest | None = None) -> None:
        """Put into the account that of this document this is used, too."""
        self.note(replace(dependency, facets=frozenset({facet})), digest)

    def own_bytes(self) -> bytes:
        """The document's bytes, those the job speaks of. Raises UnmetError where they are others by now."""
        try:
            content = read_inside(self.root, self.job.document)
        except FileNotFoundError:
            raise self.changed() from None
        except (OSError, OutsideError, UnfitError) as error:
            raise ProblemError(_unreadable(self.job.document, error, Place(self.job.document))) from error
        if of_bytes(content) != self.job.content_hash:
            raise self.changed()
        return content

    def changed(self) -> UnmetError:
        """What to raise where the document is not the one the job speaks of."""
        problem = Problem("changed while it was rendered", self.job.document, 0, "it is rendered again")
        return UnmetError(Dependency(self.job.document, Kind.DISCOVERED), problem)

    def locate(self, reference: object, place: Place, kind: Kind = Kind.DISCOVERED) -> DocumentId:
        """The document a reference means. Raises ProblemError where it can be none of the project's.

        One outside of the sources is in the account, as of this kind: another config may make it a document.
        """
        if not isinstance(reference, str) or not reference:
            message = f"{_named(reference)} is no path"
            raise ProblemError(Problem(message, place.file, place.line, "give a path as text"))
        if objection := no_path(reference):
            remedy = "correct the path; look for an escape such as \\ud83d in it"
            message = f"{shortened(reference)} can be no path: {objection}"
            raise ProblemError(Problem(message, place.file, place.line, remedy))
        if kind is Kind.COLLECTION and (objection := glob_objection(reference)):
            message = f'"{shortened(reference)}" is no valid pattern: {objection}'
            raise ProblemError(Problem(message, place.file, place.line, "correct the pattern"))
        target = resolve(reference, place.file)
        if target is None:
            raise ProblemError(_outside(reference, place))
        if self.layout.source_of(target) is None:
            named = collection_id(target) if kind is Kind.COLLECTION else DocumentId(target)
            self.note(Dependency(named, kind, place.line))
            folder, inner, _ = target.partition("/")
            remedy = f"add {folder!r} to `sources` in {CONFIG_FILE}" if inner else "move it into a source folder"
            remedy = twins.remedy(folder, twins.twin(folder, self.layout.sources), remedy)
            raise ProblemError(Problem(f"{target} is in none of the project's sources", place.file, place.line, remedy))
        return DocumentId(target)

    def read(self, dependency: Dependency, place: Place) -> tuple[bytes, Digest]:
        """A file's bytes and their hash, the same throughout this run.

        Raises UnmetError where it is not there, ProblemError where it can't be read.
        """
        target = dependency.target
        if target not in self._contents:
            self._contents[target] = self._load(target, dependency, place)
        content, digest = self._contents[target]
        self.note(dependency, digest)
        return content, digest

    def read_output(self, dependency: Dependency, output: OutputPath, place: Place) -> tuple[bytes, Digest]:
        """The bytes a dependency was rendered to, and their hash. Raises as `read` does."""
        if output not in self._contents:
            self._contents[output] = self._load(output, dependency, place)
        return self._contents[output]

    def _load(self, path: str, dependency: Dependency, place: Place) -> tuple[bytes, Digest]:
        try:
            content = read_inside(self.root, path)
        except (FileNotFoundError, NotADirectoryError):
            raise self.missing(dependency, place) from None
        except (OSError, OutsideError, UnfitError) as error:
            self.note(dependency)  # another file in its place mends it
            raise ProblemError(_unreadable(path, error, place)) from error
        return content, of_bytes(content)

    def missing(self, dependency: Dependency, place: Place) -> UnmetError:
        """What to raise for a document that is not there; its absence is in the account."""
        self.note(dependency)
        problem = Problem(
            f"needs {dependency.target}, which is not there", place.file, place.line, "create it, or correct the path"
        )
        return UnmetError(dependency, problem)

    def declare(self, target: DocumentId, place: Place) -> None:
        """Put a dependency that is only named into the account. Raises UnmetError where it is not there."""
        dependency = Dependency(target, Kind.DECLARED, place.line)
        if not (self.root / target).is_file():
            raise self.missing(dependency, place)
        self.note(dependency)

    def output_of(self, target: DocumentId, place: Place) -> OutputPath:
        """Where a document is rendered to. Raises ProblemError for a plain one."""
        output = self.layout.output_of(target)
        if output is None:
            message = f"{target} is rendered by no rule, so it has no output"
            remedy = twins.remedy(target, twin_on_disk(self.root, target), f"add a rule for it to {CONFIG_FILE}")
            raise ProblemError(Problem(message, place.file, place.line, remedy))
        return output

    def url_to(self, output: OutputPath) -> str:
        """An output's address as seen from this document's output: relative, percent-encoded."""
        return quote(posixpath.relpath(output, posixpath.dirname(self.job.output) or "."))

    @property
    def url_of_top(self) -> str:
        """The output folder as seen from this document's output, without a slash at the end."""
        return posixpath.relpath(self.layout.output, posixpath.dirname(self.job.output) or ".")

    def finish(self, content: bytes, warning: Problem | None = None) -> Rendered:
        """Write the output to the stage. Raises ProblemError where that is not possible."""
        stage = self.root / self.job.stage
        try:
            clear(stage)
            stage.write_bytes(content)
        except OSError as error:
            raise ProblemError(self._unwritable(error)) from error
        return Rendered(of_bytes(content), self.reads, warning)

    def _unwritable(self, error: OSError) -> Problem:
        message, remedy = f"its output can't be written: {error.strerror}", remedy_for(error, "check .kahnd/")
        return Problem(message, self.job.document, 0, remedy, passing=error.errno in PRESSING)

    def members(self, collection: DocumentId, place: Place) -> Iterable[DocumentId]:
        """A collection's documents. Raises UnmetError where the job was not given them, ProblemError for too many."""
        self._patterns.add(collection)
        if len(self._patterns) > MOST_PATTERNS:
            message = f"refers to more than {MOST_PATTERNS:,} patterns of pages()"
            raise ProblemError(Problem(message, place.file, place.line, "split the file"))
        for given, members in self.job.collections:
            if given == collection:
                return members
        problem = Problem(f"needs the documents that match {collection}", place.file, place.line)
        raise UnmetError(Dependency(collection, Kind.COLLECTION, place.line), problem)


def joined(known: Dependency, new: Dependency) -> Dependency:
    """The dependency that is both: with the facets of both, all of it where one uses all."""
    some = known.facets is not None and new.facets is not None
    facets = (known.facets or frozenset()) | (new.facets or frozenset()) if some else None
    return replace(known, facets=facets, sure=known.sure or new.sure)


def joined_warning(*found: Problem | None) -> Problem | None:
    """All warnings of a rendering that went well, as one."""
    warnings = [each for each in found if each]
    if len(warnings) < 2:  # noqa: PLR2004 - one is told as it is
        return warnings[0] if warnings else None
    first = warnings[0]
    messages = "; ".join(each.message for each in warnings)
    remedies = "; ".join(dict.fromkeys(each.remedy for each in warnings if each.remedy))
    return Problem(messages, first.file, first.line, remedies)


def _named(reference: object) -> str:
    """A thing that is no path; an object's own text may be a memory address."""
    return repr(reference) if isinstance(reference, str | int | float | None) else f"a {type(reference).__name__}"


def _outside(reference: str, place: Place) -> Problem:
    return Problem(f"{reference} leads out of the project", place.file, place.line, "move it into the project")


def _unreadable(target: str, error: Exception, place: Place) -> Problem:
    if isinstance(error, OutsideError):
        return _outside(target, place)
    if not isinstance(error, OSError):
        return Problem(f"can't read {target}: {error}", place.file, place.line, "check the file")
    passing = error.errno in PRESSING and not isinstance(error, PermissionError)
    remedy = remedy_for(error, "check the file and its permissions")
    return Problem(f"can't read {target}: {error.strerror}", place.file, place.line, remedy, passing=passing)
