"""The `python` renderer: a function of the project makes the output."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.abc import InspectLoader, Loader
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from kahnd.core import twins
from kahnd.core.digest import of_bytes
from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Outcome, Problem, Scan, Unmet
from kahnd.core.rules import Layout
from kahnd.render.data import parse
from kahnd.render.files import ProblemError, UnfitError, decode, read_regular, twin_on_disk
from kahnd.render.modules import files_of
from kahnd.render.overheard import Overheard
from kahnd.render.parameters import PythonParameters
from kahnd.render.references import Caches, Output, References
from kahnd.render.rendering import Place, Rendering, UnmetError

MAX_FRAMES: Final = 8
_PREFIX: Final = "kahnd_project."


@dataclass(frozen=True)
class Document:
    """What a project's function is given: the document's `path`, `content` (bytes) and `text`, and a way to others.

    Paths are relative to the document, or to the project with a leading `/`. All that is read through it is a
    dependency; what is read otherwise is not noticed.
    """

    path: str
    content: bytes
    _rendering: Rendering
    _caches: Caches

    @property
    def text(self) -> str:
        """The document as UTF-8 text."""
        return decode(self.content, self.path)

    def read(self, path: str) -> str:
        """Another file's text."""
        target, content = self._read(path)
        return decode(content, target)

    def data(self, path: str) -> Any:
        """A csv, tsv, json, toml or yaml file's value, which is its own to change."""
        target, content = self._read(path)
        return parse(content, target)

    def output(self, path: str) -> Output:
        """What another document renders to: its `url` seen from this output, and its `text`."""
        return References(self._rendering, self._caches).output(path)

    def _read(self, path: str) -> tuple[str, bytes]:
        place = Place(self.path)
        target = self._rendering.locate(path, place)
        return target, self._rendering.read(Dependency(target, Kind.DATA), place)[0]


class PythonRenderer:
    """Loads each module once; a changed one asks for a new worker. What is printed is told where it fails."""

    name = "python"
    version = "2"
    judges_missing = True
    parameters = PythonParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._caches = Caches()
        self._overheard = Overheard()
        self._functions: dict[PythonParameters, Callable[[Document], object]] = {}

    def fingerprint(self, parameters: PythonParameters) -> str:
        """The module's source, and that of what it imports from the project."""
        return " ".join(self._hash(file) for file in files_of(self._root, parameters.module_file))

    def _hash(self, file: str) -> str:
        try:
            return of_bytes(read_regular(self._root / file, file))
        except (OSError, UnfitError):
            return "absent"  # each rendering says so

    def scan(self, document: DocumentId, content: bytes, parameters: PythonParameters) -> Scan:
        """Nothing: only the function knows."""
        return Scan()

    def render(self, job: Job, parameters: PythonParameters) -> Outcome:
        """What the function returns, as text or bytes."""
        with self._overheard.listening():
            outcome = self._outcome(job, parameters)
        if isinstance(outcome, Failed) and (said := self._overheard.said):
            return structs.replace(outcome, problem=_with(outcome.problem, said))
        return outcome

    def _outcome(self, job: Job, parameters: PythonParameters) -> Outcome:
        rendering = Rendering(self._root, self._layout, job)
        try:
            return rendering.finish(self._call(rendering, parameters))
        except UnmetError as error:
            return Unmet(error.needs, error.problem, rendering.reads)
        except ProblemError as error:
            return Failed(error.problem, rendering.reads)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code can raise anything
            return Failed(self._problem(error, job, parameters), rendering.reads)

    def _call(self, rendering: Rendering, parameters: PythonParameters) -> bytes:
        document = Document(rendering.job.document, rendering.own_bytes(), rendering, self._caches)
        made = self._function(rendering, parameters)(document)
        if isinstance(made, str):
            return made.encode()
        if isinstance(made, bytes):
            return made
        message = f"{parameters.function} returned {type(made).__name__}"
        raise ProblemError(Problem(message, parameters.module_file, 0, "return str or bytes"))

    def _function(self, rendering: Rendering, parameters: PythonParameters) -> Callable[[Document], object]:
        if parameters not in self._functions:
            self._functions[parameters] = self._load(rendering, parameters)
        return self._functions[parameters]

    def _load(self, rendering: Rendering, parameters: PythonParameters) -> Callable[[Document], object]:
        function = getattr(self._module(rendering, parameters), parameters.attribute, None)
        if callable(function):
            return function  # type: ignore[no-any-return]
        message = f"has no function {parameters.attribute!r}"
        raise ProblemError(Problem(message, parameters.module_file, 0, "define it, or correct `function` in the rule"))

    def _module(self, rendering: Rendering, parameters: PythonParameters) -> Any:
        file, place = self._root / parameters.module_file, rendering.rule_place
        if not file.is_file():
            wanted = parameters.module_file
            remedy = twins.remedy(wanted, twin_on_disk(self._root, wanted), "create it, or correct `function`")
            raise ProblemError(Problem(f"{wanted} is not there", place.file, place.line, remedy))
        # A name of its own, by path: the project's modules never stand before the standard library's.
        spec = importlib.util.spec_from_file_location(_PREFIX + parameters.module_file[:-3], file)
        if spec is None or spec.loader is None:
            raise ProblemError(Problem("is no Python module", parameters.module_file))
        module = importlib.util.module_from_spec(spec)
        _check_compiles(spec.loader, spec.name, parameters.module_file)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    def _problem(self, error: BaseException, job: Job, parameters: PythonParameters) -> Problem:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename.startswith(f"{self._root}/")]
        file, line = (own[-1].filename[len(str(self._root)) + 1 :], own[-1].lineno or 0) if own else (job.document, 0)
        if isinstance(error, SyntaxError) and error.filename == str(self._root / parameters.module_file):
            file, line = parameters.module_file, error.lineno or 0
        detail = "".join(traceback.format_list(frames[-MAX_FRAMES:]))
        return Problem(f"{type(error).__name__}: {error}", file, line, "correct the function", detail)


def _check_compiles(loader: Loader, name: str, file: str) -> None:
    """Raise ProblemError where Python's compiler can't hold the module's source, or does not say whose it is."""
    try:
        if isinstance(loader, InspectLoader):
            loader.get_code(name)
    except (MemoryError, RecursionError) as error:
        message = "Python can't compile it: an expression in it is nested too deeply"
        raise ProblemError(Problem(message, file, 0, "split the expression")) from error
    except (SyntaxError, ValueError) as error:
        if getattr(error, "filename", None):
            raise
        raise ProblemError(Problem(f"{type(error).__name__}: {error}", file, 0, "correct the file")) from error


def _with(problem: Problem, said: str) -> Problem:
    traced = f"{problem.detail.rstrip()}\nIt printed:\n" if problem.detail else ""
    return replace(problem, detail=traced + said)
