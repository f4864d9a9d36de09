"""The renderers that rules can name: the built-in ones and those of installed packages.

To add a built-in renderer:

1. Write its rule keys as a subclass of `Parameters` in `renderers/parameters.py`.
2. Write its class in a module of this folder, after the protocol `kahnd.ports.Renderer`; `renderers/copy.py` is the
   shortest example. The class is called with `(root, layout)` and has `name`, `version`, `judges_missing` (whether it
   decides itself what a missing dependency means), `parameters` (the type of step 1) and the methods `fingerprint`,
   `scan` and `render`. A rendering reads and warns (`warn`) by a `RenderContext`, whose `finish` makes the outcome.
3. Add a line to `_BUILT_IN` below, and test it in `tests/render/` with the `shop` fixture.
4. If it runs code of the project, add a case to `_recipe_files`: a change of such a file begins a new session.

A package adds one in the same way from outside: its class is registered under the entry point group
`kahnd.renderers`, and `parameters` may be any msgspec Struct (its method `check()`, if it has one, validates the
values). `Job`, `Scan` and the outcomes are Structs too: `msgspec.structs.replace` copies them with changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from kahnd.core.hashing import hash_recipe
from kahnd.core.model import Problem
from kahnd.core.rules import Layout, PluginEnvironment, Rule
from kahnd.errors import ConfigError
from kahnd.ports import Renderer, Renderers
from kahnd.render.programs.process import executable_files
from kahnd.render.programs.project_code import imports_packages, module_files, package_folders, script_files
from kahnd.render.renderers.parameters import (
    CommandParameters,
    CopyParameters,
    PageParameters,
    Parameters,
    PythonParameters,
    TemplateParameters,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP: Final = "kahnd.renderers"


class _BuiltIn(NamedTuple):
    """A built-in renderer; its module is imported only when a rule names it."""

    parameters: type[msgspec.Struct]
    module: str
    class_name: str


_BUILT_IN: Final = {
    "page": _BuiltIn(PageParameters, "page", "PageRenderer"),
    "template": _BuiltIn(TemplateParameters, "page", "TemplateRenderer"),
    "command": _BuiltIn(CommandParameters, "command", "CommandRenderer"),
    "copy": _BuiltIn(CopyParameters, "copy", "CopyRenderer"),
    "python": _BuiltIn(PythonParameters, "python", "PythonRenderer"),
}
BUILT_IN: Final = tuple(_BUILT_IN)


class RendererClass(Protocol):
    """A renderer's class, as a module of this folder or a package provides it."""

    parameters: type[msgspec.Struct]

    def __call__(self, root: Path, layout: Layout) -> Renderer:
        """Create the renderer for a project."""
        ...


def names() -> tuple[str, ...]:
    """All renderers, built-in ones first."""
    return tuple(dict.fromkeys([*BUILT_IN, *sorted(_entry_points().names)]))


def parameters_type(name: str) -> type[msgspec.Struct] | None:
    """The type of a renderer's rule keys; None for an unknown renderer. Raises ConfigError as `create` does."""
    if name in _BUILT_IN:
        return _BUILT_IN[name].parameters
    return _load(name).parameters if name in _entry_points().names else None


def check(parameters: object) -> list[str]:
    """Errors in a rule's parameters beyond their types, one sentence each."""
    checks: Callable[[], list[str]] | None = getattr(parameters, "check", None)
    return checks() if checks else []


def check_outputs(parameters: object, outputs: Sequence[str]) -> list[str]:
    """Errors in the output patterns of a rule with these parameters, one sentence each."""
    own: Callable[[Sequence[str]], list[str]] | None = getattr(parameters, "check_outputs", None)
    return own(outputs) if own else Parameters().check_outputs(outputs)


def create(root: Path, layout: Layout) -> Renderers:
    """Create the renderers that the layout's rules name. Raises ConfigError if one is unknown or can't be loaded."""
    real = root.resolve()
    return {name: _load(name)(real, layout) for name in dict.fromkeys(rule.renderer for rule in layout.rules)}


def with_recipes(layout: Layout, root: Path, environ: Mapping[str, str] = os.environ) -> Layout:
    """The layout with what only its renderer knows about each rule: recipe and `judges_missing`."""
    renderers = create(root, layout)
    rules = (_with_recipe(rule, renderers[rule.renderer], environ) for rule in layout.rules)
    return replace(layout, rules=tuple(rules))


def _with_recipe(rule: Rule, renderer: Renderer, environ: Mapping[str, str]) -> Rule:
    parameters = msgspec.json.encode(rule.parameters, order="deterministic").decode()
    variables = [f"{name}={environ[name]}" if name in environ else name for name in sorted(set(rule.env))]
    fingerprint = renderer.fingerprint(rule.parameters)
    recipe = hash_recipe(renderer.name, renderer.version, parameters, fingerprint, *variables)
    return replace(rule, recipe=recipe, judges_missing=renderer.judges_missing)


def plugin_problems(root: Path, layout: Layout) -> list[tuple[str, dict[str, Any] | None]]:
    """Load the rules' functions; return their names, each with the fields of the problem, or None. Runs their code."""
    from kahnd.render.renderers.python import ProjectFunctions, PythonRenderer  # noqa: PLC0415 - where a rule names it

    renderer, functions = PythonRenderer(root.resolve(), layout), ProjectFunctions(root.resolve(), layout)
    found: dict[str, Problem | None] = {}
    for rule in layout.rules:
        match rule.parameters:
            case PythonParameters() as given if given.function not in found:
                found[given.function] = renderer.load_problem(given, rule.line)
            case PageParameters() | TemplateParameters() as given:
                for each in given.project_functions:
                    found.setdefault(each, functions.load_problem(each, rule.line))
    return [(name, asdict(problem) if problem else None) for name, problem in found.items()]


def library_versions(*libraries: str) -> str:
    """The installed versions of libraries, for a renderer's fingerprint. Called in the daemon, never in a worker."""
    from importlib.metadata import version  # noqa: PLC0415 - takes two megabytes, which no worker needs

    return " ".join(f"{library} {version(library)}" for library in libraries)


def session_files(rules: Iterable[Rule], root: Path, environment: PluginEnvironment | None = None) -> frozenset[str]:
    """The files besides `kahnd.toml` that recipes are made of: plug-ins, scripts and programs.

    When one changes, recipes are computed again and workers are restarted, since a worker loads a plug-in only once.
    Paths are relative to the project, or absolute. The folder of an environment's packages changes with each of them.
    """
    return frozenset(file for rule in rules for file in _recipe_files(rule.parameters, root, environment))


def _recipe_files(parameters: object, root: Path, environment: PluginEnvironment | None) -> tuple[str, ...]:
    match parameters:
        case PythonParameters():
            return _module_files((parameters.module_file,), root, environment)
        case PageParameters() | TemplateParameters():
            return _module_files(parameters.module_files, root, environment)
        case CommandParameters():
            executables = () if parameters.shell else executable_files(parameters.words, root)
            folder = parameters.fixed_folder
            scripts = script_files(parameters.words, root, shell=parameters.shell, folder=folder)
            return (*scripts, *executables)
        case _:
            return ()


def _module_files(files: Iterable[str], root: Path, environment: PluginEnvironment | None) -> tuple[str, ...]:
    modules = [each for file in files for each in module_files(root, file)]
    folders = package_folders(root, environment) if imports_packages(root, modules) else ()
    return (*modules, *map(str, folders))


def _load(name: str) -> RendererClass:
    if built_in := _BUILT_IN.get(name):
        module = import_module(f"kahnd.render.renderers.{built_in.module}")
        loaded: Any = getattr(module, built_in.class_name)
        return loaded  # type: ignore[no-any-return]
    entry_points = _entry_points().select(name=name)
    if not entry_points:
        raise ConfigError(Problem(f"no renderer {name!r}", remedy=f"there are {', '.join(names())}"))
    try:
        return next(iter(entry_points)).load()  # type: ignore[no-any-return]
    except Exception as error:
        message = f"the renderer {name!r} can't be loaded: {error}"
        raise ConfigError(Problem(message, remedy="repair or remove the package that provides it")) from error


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes two megabytes, which few workers need

    return entry_points(group=GROUP)
