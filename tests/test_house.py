"""Checks the limits that keep the code readable; a failure lists every offender."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "daemon" / "kahnd"
LONGEST_MODULE = 400
MOST_PARAMETERS = 6
MOST_ATTRIBUTES = 12
FEWEST_MODULES, MOST_MODULES = 110, 200

Function = ast.FunctionDef | ast.AsyncFunctionDef

STARTERS = PACKAGE / "cli" / "starters"
"""The files of projects that `kahnd init` makes: they are no modules of the package."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if STARTERS not in path.parents)
TREES = {path: ast.parse(path.read_text()) for path in MODULES}


def assert_within(limit: int, sizes: Mapping[str, int]) -> None:
    over = {name: size for name, size in sizes.items() if size > limit}
    assert not over, "".join(f"\n{size:4} (at most {limit}): {name}" for name, size in over.items())


def place(path: Path, node: ast.stmt) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"


def test_the_number_of_modules_is_within_bounds() -> None:
    """A folder's `__init__` does not count: it holds a docstring at most, or names what the folder offers."""
    assert FEWEST_MODULES <= sum(path.name != "__init__.py" for path in MODULES) <= MOST_MODULES


def test_no_module_is_too_long() -> None:
    lengths = {str(path.relative_to(PACKAGE.parent)): len(path.read_text().splitlines()) for path in MODULES}
    assert_within(LONGEST_MODULE, lengths)


def test_no_function_has_too_many_parameters() -> None:
    """`self` and `cls` do not count."""
    counts = {
        f"{place(path, node)} {node.name}": parameter_count(node)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, Function)
    }
    assert_within(MOST_PARAMETERS, counts)


def test_no_class_with_behaviour_has_too_many_attributes() -> None:
    """A class without methods is a plain value: it may have as many fields as what it describes."""
    counts = {
        f"{place(path, node)} {node.name}": len(attributes(node))
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and has_behaviour(node)
    }
    assert_within(MOST_ATTRIBUTES, counts)


def test_no_packages_import_each_other() -> None:
    """Holds at every level: within a package, its sub-packages and modules can be put in an order."""
    imports = {name_of(path): set(imported(path, tree)) for path, tree in TREES.items()}
    cycles = {folder: cycle for folder in packages() if (cycle := cycle_in(folder, imports))}
    assert not cycles, "".join(f"\nin {folder}: {' -> '.join(cycle)}" for folder, cycle in cycles.items())


def parameter_count(function: Function) -> int:
    taken = function.args
    parameters = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs]
    return len(parameters) - (bool(parameters) and parameters[0].arg in {"self", "cls"})


def methods(node: ast.ClassDef) -> list[Function]:
    return [each for each in node.body if isinstance(each, Function)]


def has_behaviour(node: ast.ClassDef) -> bool:
    """Returns whether the class has `__init__` or a method that is neither a property nor a special method."""
    return any(
        not each.decorator_list and (each.name == "__init__" or not each.name.startswith("__"))
        for each in methods(node)
    )


def attributes(node: ast.ClassDef) -> set[str]:
    """Returns the names of the class's fields and of what its methods assign to `self`."""
    fields = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and not is_class_variable(each)
    }
    assigned = {
        each.attr
        for method in methods(node)
        for each in ast.walk(method)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == "self"
    }
    return fields | assigned


def is_class_variable(node: ast.AnnAssign) -> bool:
    return ast.unparse(node.annotation).startswith(("ClassVar", "Final"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def packages() -> list[str]:
    return [name_of(path) for path in MODULES if path.name == "__init__.py"]


def imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yields every imported name; `from a import b` gives `a.b`, which may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path, node)}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def cycle_in(folder: str, imports: dict[str, set[str]]) -> list[str]:
    """Returns an import cycle among the direct children of a package, or an empty list."""

    def child(name: str) -> str:
        return name.removeprefix(f"{folder}.").partition(".")[0] if name.startswith(f"{folder}.") else ""

    known = {child(name) for name in imports} - {""}
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, targets in imports.items():
        if child(name):
            graph[child(name)] |= {child(each) for each in targets} & known - {child(name)}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize(
    ("source", "count"),
    [("def f(a, /, b, *args, c, **more): ...", 3), ("def f(self, a): ...", 1), ("def f(): ...", 0)],
)
def test_parameters_are_counted_without_self_and_stars(source: str, count: int) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, Function)
    assert parameter_count(function) == count
