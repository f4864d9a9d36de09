"""The `python` renderer: a function of the project makes the output."""

from __future__ import annotations

import importlib.util
import inspect
import os
import site
import sys
import traceback
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from msgspec import structs

import kahnd
from kahnd.core.globs import is_pattern
from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.rules import Layout
from kahnd.core.text import similar_name_remedy
from kahnd.platform.processes import CapturedOutput
from kahnd.render.context import Location, RenderContext, UnmetError
from kahnd.render.data.parse import parse
from kahnd.render.files import ProblemError, decode, similar_file
from kahnd.render.frontmatter import Parts, split
from kahnd.render.jinja.references import Caches, References, outline_of, title_of
from kahnd.render.jinja.values import Output, PlainPage
from kahnd.render.programs.project_code import environment_folder, modules_fingerprint
from kahnd.render.programs.project_imports import INSTALLED, UncachedLoader
from kahnd.render.renderers.parameters import PythonParameters, function_of, second_parameter, typed

MAX_FRAMES: Final = 8
_OF_KAHND: Final = str(Path(kahnd.__file__).parent)
_PREFIX: Final = "kahnd_project."


@dataclass(frozen=True)
class Document:
    """The argument of a project's function: a document, and access to others.

    `content` is its bytes, `parameters` the rule's own (a copy), and `target` the file that the output is made in (the
    first of several, or the folder), an absolute path: a function can fill it and return nothing. Paths are relative to
    the document, or to the project with a leading `/`. All that is read through a document is a dependency; what is
    read otherwise is not noticed.
    """

    path: str
    content: bytes
    parameters: dict[str, Any]
    target: Path
    _rendering: RenderContext
    _references: References[PlainPage]

    @classmethod
    def of(cls, rendering: RenderContext, caches: Caches, parameters: Mapping[str, Any]) -> Document:
        """The document of a rendering."""
        target, given = rendering.root / rendering.job.stage, deepcopy(dict(parameters))
        references = References(rendering, caches, PlainPage)
        return cls(rendering.job.document, rendering.own_bytes(), given, target, rendering, references)

    @property
    def text(self) -> str:
        """The document as UTF-8 text."""
        return decode(self.content, self.path)

    @property
    def body(self) -> str:
        """Its text after the front matter."""
        return self._parts.body

    @property
    def meta(self) -> Mapping[str, Any]:
        """Its front matter: what is between two lines of `---` at its start; else empty."""
        return self._parts.meta

    @property
    def title(self) -> str:
        """The front matter's title, else the first heading, else the file's name."""
        return title_of(self.path, self.meta, lambda: outline_of(self._parts).title)

    def page(self, path: str) -> PlainPage:
        """A document as pages see it: `title`, `url`, `text`, `meta`, and front matter by key; from its own bytes."""
        return self._references.page(path)

    def pages(self, pattern: str, sort: str = "path") -> list[PlainPage]:
        """The pages that match, sorted by a front matter key, `title` or `path`; a leading `-` reverses the order."""
        return self._references.pages(pattern, sort)

    def read(self, path: str) -> str:
        """Another file's text."""
        target, content = self._read(path, Kind.DATA)
        return decode(content, target)

    def data(self, path: str) -> Any:
        """The value of a csv, tsv, json, toml or yaml file, as a fresh copy."""
        target, content = self._read(path, Kind.DATA)
        return parse(content, target)

    def source(self, path: str) -> bytes:
        """The bytes of any document, as they are: two documents may read each other's."""
        return self._read(path, Kind.PAGE)[1]

    def output(self, path: str, format: str = "") -> Output:  # noqa: A002 - as templates call it
        """The output of another document: its `url`, relative to this output, and its `text`.

        `format` names one of several by its extension or name, or a file in the folder that the document fills.
        """
        return self._references.output(path, format)

    def declare(self, path: str, text: str | bytes, meta: Mapping[str, Any] | None = None) -> None:
        """There is a further document, with this text after front matter of these values: see `declare` of templates.

        It is there for as long as this document declares it.
        """
        self._references.declare(path, text, meta)

    def depends(self, path: str) -> list[Path]:
        """The absolute paths of a file, or of all documents that match a pattern, for libraries that read by path."""
        location = Location(self.path)
        if not is_pattern(path):
            return [self._rendering.trace_file(self._rendering.locate(path, location), location)]
        members = self._references.members(path)
        return [self._rendering.trace_file(member, location) for member in members]

    def warn(self, message: str, line: int = 0, column: int = 0) -> None:
        """The document is rendered, with this warning; `line` and `column` are the document's, from 1."""
        self._rendering.warn(self._remark(message, line, column))

    def fail(self, message: str, line: int = 0, column: int = 0) -> NoReturn:
        """The document fails with this message; `line` and `column` are the document's, from 1."""
        raise ProblemError(self._remark(message, line, column))

    @cached_property
    def _parts(self) -> Parts:
        return split(self.text, self.path)

    def _read(self, path: str, kind: Kind) -> tuple[str, bytes]:
        location = Location(self.path)
        target = self._rendering.locate(path, location)
        return target, self._rendering.read(Dependency(target, kind), location)[0]

    def _remark(self, message: object, line: object, column: object) -> Problem:
        numbers = [each if isinstance(each, int) and each > 0 else 0 for each in (line, column)]
        return Problem(str(message), self.path, numbers[0], column=numbers[1])


class Plugin:
    """A project's function, and how it is called: with the document alone, or with its parameters too.

    A second parameter without a default gets the rule's parameters: as they are, or as the dataclass or msgspec
    Struct that it is annotated with.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._takes_parameters, self._type = second_parameter(function)

    def render(self, rendering: RenderContext, caches: Caches, parameters: Mapping[str, Any], name: str) -> Rendered:
        """Call the function, which returns text or bytes, several by path, or nothing if it has filled the target.

        `name`: the function's, for messages. Raises what the function raises, UnmetError and ProblemError.
        """
        rendering.staged.prepare()
        document = Document.of(rendering, caches, parameters)
        made = self._function(document, *self._more(document.parameters, rendering.rule_location))
        if rendering.unlisted:  # the function may have caught it
            raise rendering.unlisted
        several = rendering.makes_several
        if isinstance(made, str | bytes) and not several:
            return rendering.finish(made.encode() if isinstance(made, str) else made)
        if isinstance(made, dict) and several and all(map(_is_output, made.items())):
            texts = {path: each.encode() if isinstance(each, str) else each for path, each in made.items()}
            return rendering.finish_several(texts)
        if made is None and (adopted := rendering.adopt()):
            return adopted
        message = f"{name} returned {'nothing' if made is None else type(made).__name__}"
        wanted = "a dict of paths with their str or bytes" if several else "str or bytes"
        remedy = f"return {wanted}, or write what `document.target` names"
        raise ProblemError(Problem(message, rendering.job.document, 0, remedy))

    def _more(self, parameters: dict[str, Any], location: Location) -> tuple[object, ...]:
        try:
            return (typed(parameters, self._type),) if self._takes_parameters else ()
        except ValueError as error:
            message, remedy = f"parameters: {error}", "correct `parameters` in the rule"
            raise ProblemError(Problem(message, location.file, location.line, remedy)) from error


class PythonRenderer:
    """Loads each module once, since a changed module needs a new worker. Failures include what was printed."""

    name = "python"
    version = "3"
    judges_missing = True
    parameters = PythonParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._caches = Caches()
        self._captured = CapturedOutput()
        self._functions = ProjectFunctions(root, layout)
        self._plugins: dict[str, Plugin] = {}

    def fingerprint(self, parameters: PythonParameters) -> str:
        """The hashes of the project's modules that the function needs; and the packages, if they import any."""
        return modules_fingerprint(self._root, self._layout.environment, (parameters.module_file,))

    def scan(self, document: DocumentId, content: bytes, parameters: PythonParameters) -> Scan:
        """No dependencies: only running the function finds them."""
        return Scan()

    def render(self, job: Job, parameters: PythonParameters) -> Outcome:
        """Call the function."""
        with self._captured.capture():
            outcome = self._outcome(job, parameters)
        if isinstance(outcome, Failed) and (printed := self._captured.text):
            return structs.replace(outcome, problem=_with_printed(outcome.problem, printed))
        return outcome

    def _outcome(self, job: Job, parameters: PythonParameters) -> Outcome:
        rendering = RenderContext(self._root, self._layout, job)
        try:
            plugin = self._plugin(parameters, rendering.rule_location)
            return plugin.render(rendering, self._caches, parameters.parameters, parameters.function)
        except UnmetError as error:
            return Unmet(error.needs, error.problem, rendering.reads)
        except ProblemError as error:
            return Failed(error.problem, rendering.reads)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code can raise anything
            return Failed(self._functions.problem(error, job.document), rendering.reads)

    def _plugin(self, parameters: PythonParameters, location: Location) -> Plugin:
        if parameters.function not in self._plugins:
            function = self._functions.load(parameters.module_file, parameters.attribute, "`function`", location)
            self._plugins[parameters.function] = Plugin(function)
        return self._plugins[parameters.function]

    def load_problem(self, parameters: PythonParameters, line: int) -> Problem | None:
        """Load a rule's function; return why that can't be done. `line`: the rule's."""
        with self._captured.capture():
            try:
                self._plugin(parameters, Location(CONFIG_FILE, line))
            except ProblemError as error:
                return error.problem
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                return self._functions.problem(error, parameters.module_file)
        return None


class ProjectFunctions:
    """The functions of the project's modules. A worker loads each module once."""

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._environment = layout.environment
        self._captured = CapturedOutput()
        self._modules: dict[str, ModuleType] = {}
        self._has_entered = False

    def load(self, file: str, name: str, key: str, location: Location) -> Callable[..., object]:
        """A function by its module's project path and its name. Raises ProblemError, or what the module raises.

        `key` and `location`: of the rule's key that names it.
        """
        function = getattr(self._module(file, key, location), name, None)
        if callable(function):
            return function  # type: ignore[no-any-return]
        raise ProblemError(Problem(f"has no function {name!r}", file, 0, f"define it, or correct {key} in the rule"))

    def load_problem(self, reference: str, line: int) -> Problem | None:
        """Load a function, `path.py:name`, or a module; return why that can't be done. `line`: the rule's."""
        (file, name), location = function_of(reference), Location(CONFIG_FILE, line)
        load = partial(self.load, file, name) if name else partial(self._module, file)
        try:
            self._in_module(file, lambda: load("the name", location))
        except ProblemError as error:
            return error.problem
        return None

    def call(self, reference: str, location: Location, *arguments: object) -> Any:
        """The result of a function, `path.py:name`. Raises ProblemError, with a place in it, for what it raises."""
        file, name = function_of(reference)
        return self._in_module(file, lambda: self.load(file, name, "the name", location)(*arguments))

    def public(self, file: str, location: Location) -> Mapping[str, Callable[..., Any]]:
        """The functions that a module defines under names without an underscore before them. Raises ProblemError."""
        module = self._in_module(file, lambda: self._module(file, "`filters`", location))
        found = inspect.getmembers(module, inspect.isfunction)
        own = {name: function for name, function in found if function.__module__ == module.__name__}
        return {name: self._safe(file, function) for name, function in own.items() if name[0] != "_"}

    def _safe(self, file: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            return self._in_module(file, lambda: function(*arguments, **named))

        return called

    def _in_module(self, file: str, call: Callable[[], Any]) -> Any:
        try:
            with self._captured.capture():
                return call()
        except (ProblemError, UnmetError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            raise ProblemError(self.problem(error, file)) from error

    def _enter_environment(self) -> None:
        """Let the environment's packages be imported, after kahnd's own and before the project's modules."""
        if self._environment is None or self._has_entered:
            return
        folder, own = environment_folder(self._root, self._environment), list(sys.path)
        site.addsitedir(str(folder))
        added = [each for each in sys.path if each not in own]
        at = next((place for place, each in enumerate(own) if os.path.realpath(each) == str(self._root)), len(own))
        sys.path[:] = [*own[:at], *added, *own[at:]]
        self._has_entered = True

    def _module(self, file: str, key: str, location: Location) -> ModuleType:
        if file not in self._modules:
            self._enter_environment()
            self._modules[file] = self._loaded(file, key, location)
        return self._modules[file]

    def _loaded(self, file: str, key: str, location: Location) -> ModuleType:
        if not (self._root / file).is_file():
            remedy = similar_name_remedy(file, similar_file(self._root, file), f"create it, or correct {key}")
            raise ProblemError(Problem(f"{file} is not there", location.file, location.line, remedy))
        # Under a name of its own, by path, so that no module of the project hides one of the standard library.
        name = _PREFIX + file[:-3]
        loader = UncachedLoader(name, str(self._root / file))
        _check_compiles(loader, file)
        spec = importlib.util.spec_from_file_location(name, loader.path, loader=loader)
        assert spec is not None  # noqa: S101 - a loader that is given has one
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)
        return module

    def problem(self, error: BaseException, place: str) -> Problem:
        """The problem with an exception of the project's code; without a line of that, it is at `place`."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if self._is_own(frame.filename)]
        called = frames[frames.index(own[0]) :] if own else frames  # kahnd's own frames come before
        file, line = (own[-1].filename[len(str(self._root)) + 1 :], own[-1].lineno or 0) if own else (place, 0)
        if isinstance(error, SyntaxError) and error.filename and self._is_own(error.filename):
            file, line = error.filename[len(str(self._root)) + 1 :], error.lineno or 0
            shown = "".join(traceback.format_exception_only(error)[1:-1])  # the line and what is wrong in it
            return Problem(f"{type(error).__name__}: {error.msg}", file, line, f"correct {file}", shown)
        detail = "".join(traceback.format_list(called[-MAX_FRAMES:]))
        return Problem(f"{type(error).__name__}: {error}", file, line, self._remedy(error), detail)

    def _is_own(self, file: str) -> bool:
        """Whether the project's author wrote the file: an environment with packages may lie in the project, too."""
        is_package = INSTALLED in file or file.startswith(f"{_OF_KAHND}/")
        return file.startswith(f"{self._root}/") and not is_package

    def _remedy(self, error: BaseException) -> str:
        if not isinstance(error, ModuleNotFoundError):
            return "correct the function"
        environment = self._environment
        where = f"into {environment.path}" if environment else "where `python` in [plugins] says, or where kahnd is"
        return f"correct the import, or install the package {where}"


def _is_output(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], str | bytes)


def _check_compiles(loader: UncachedLoader, file: str) -> None:
    """Raise ProblemError if Python can't compile the module, for errors that do not name the file."""
    try:
        loader.get_code(loader.name)
    except (MemoryError, RecursionError) as error:
        message = "Python can't compile it: an expression in it is nested too deeply"
        raise ProblemError(Problem(message, file, 0, "split the expression")) from error
    except (SyntaxError, ValueError) as error:
        if getattr(error, "filename", None):
            raise
        raise ProblemError(Problem(f"{type(error).__name__}: {error}", file, 0, "correct the file")) from error


def _with_printed(problem: Problem, printed: str) -> Problem:
    traced = f"{problem.detail.rstrip()}\nIt printed:\n" if problem.detail else ""
    return replace(problem, detail=traced + printed)
