"""Which renderers there are: the built-in ones, imported when a rule names them, and those that packages bring.

A package's renderer is a class under the entry point group `kahnd.renderers`: made with `(root, layout)`, with
`name`, `version`, `judges_missing`, and `parameters`, a msgspec Struct of its rule keys (a `check()` there is asked).
What it is given and returns, `Job`, `Scan` and the outcomes, are Structs too: `msgspec.structs.replace` makes others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from kahnd.core.digest import of_recipe
from kahnd.core.model import Problem
from kahnd.core.rules import Layout, Rule
from kahnd.errors import ConfigError
from kahnd.ports import Renderer, Renderers
from kahnd.render import programs
from kahnd.render.modules import files_of
from kahnd.render.parameters import (
    CommandParameters,
    CopyParameters,
    PageParameters,
    PythonParameters,
    TemplateParameters,
)
from kahnd.render.scripts import scripts

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP: Final = "kahnd.renderers"
_PARAMETERS: Final[dict[str, type[msgspec.Struct]]] = {
    "page": PageParameters,
    "template": TemplateParameters,
    "command": CommandParameters,
    "copy": CopyParameters,
    "python": PythonParameters,
}
BUILT_IN: Final = tuple(_PARAMETERS)


class RendererClass(Protocol):
    """What a renderer's module or package offers."""

    parameters: type[msgspec.Struct]

    def __call__(self, root: Path, layout: Layout) -> Renderer:
        """A renderer for a project."""
        ...


def names() -> tuple[str, ...]:
    """All renderers, built-in ones first."""
    return tuple(dict.fromkeys([*BUILT_IN, *sorted(_entry_points().names)]))


def parameters_type(name: str) -> type[msgspec.Struct] | None:
    """The type of a renderer's rule keys; None for an unknown renderer. Raises ConfigError as `create` does."""
    return _PARAMETERS.get(name) or (_load(name).parameters if name in _entry_points().names else None)


def check(parameters: object) -> list[str]:
    """What is wrong with a rule's parameters beyond their types."""
    checks: Callable[[], list[str]] | None = getattr(parameters, "check", None)
    return checks() if checks else []


def create(root: Path, layout: Layout) -> Renderers:
    """The renderers that the layout's rules name. Raises ConfigError where one is unknown or can't be loaded."""
    real = root.resolve()
    return {name: _load(name)(real, layout) for name in dict.fromkeys(rule.renderer for rule in layout.rules)}


def with_recipes(layout: Layout, root: Path) -> Layout:
    """The layout with each rule's recipe, which only its renderer can tell, and whether it judges missing ones."""
    renderers = create(root, layout)
    return replace(layout, rules=tuple(_with_recipe(rule, renderers[rule.renderer]) for rule in layout.rules))


def _with_recipe(rule: Rule, renderer: Renderer) -> Rule:
    parameters = msgspec.json.encode(rule.parameters, order="deterministic").decode()
    recipe = of_recipe(renderer.name, renderer.version, parameters, renderer.fingerprint(rule.parameters))
    return replace(rule, recipe=recipe, judges_missing=renderer.judges_missing)


def session_files(rules: Iterable[Rule], root: Path) -> frozenset[str]:
    """The files that recipes are made of besides `kahnd.toml`: plug-ins, scripts and programs.

    A change of one needs new recipes, and new workers, since these load plug-ins once. Project paths, or absolute ones.
    """
    return frozenset(file for rule in rules for file in _files_behind(rule.parameters, root))


def _files_behind(parameters: object, root: Path) -> tuple[str, ...]:
    match parameters:
        case PythonParameters():
            return files_of(root, parameters.module_file)
        case CommandParameters():
            program = () if parameters.shell else programs.files(parameters.words, root)
            return (*scripts(parameters, root), *program)
        case _:
            return ()


def _load(name: str) -> RendererClass:
    if name in _PARAMETERS:
        loaded: Any = getattr(import_module(f"kahnd.render.{name}"), f"{name.title()}Renderer")
        return loaded  # type: ignore[no-any-return]
    found = _entry_points().select(name=name)
    if not found:
        raise ConfigError(Problem(f"no renderer {name!r}", remedy=f"there are {', '.join(names())}"))
    try:
        return next(iter(found)).load()  # type: ignore[no-any-return]
    except Exception as error:
        message = f"the renderer {name!r} can't be loaded: {error}"
        raise ConfigError(Problem(message, remedy="mend or remove the package that brings it")) from error


def _entry_points() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - two megabytes in each worker, and few need them

    return entry_points(group=GROUP)
