"""Which of the project's files a module of it is made of: its own, and those it imports, found without running it."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from kahnd.render.files import UnfitError, read_regular

LARGEST: Final = 1 << 20
"""Bytes of a module that is looked through for imports: a larger one holds data."""


def files_of(root: Path, file: str) -> tuple[str, ...]:
    """The module's file, and every file of the project it imports, also through others: project paths, in order."""
    found: dict[str, None] = {}
    rest = [file]
    while rest:
        file = rest.pop()
        if file not in found:
            found[file] = None
            rest.extend(_files(root, _imported(root, file)))
    return tuple(found)


def _imported(root: Path, file: str) -> Iterator[str]:
    """What a file imports, as paths without an ending; nothing for one that is not there or is no Python.

    Python's parser runs out of its own stack (MemoryError) over expressions nested very deeply.
    """
    try:
        content = read_regular(root / file, file)
        tree = ast.parse(content if len(content) <= LARGEST else b"")
    except (OSError, UnfitError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.replace(".", "/") for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (posixpath.join(_source(node, file), each.name) for each in node.names)


def _source(node: ast.ImportFrom, file: str) -> str:
    """The path of the module or package that names are imported from."""
    around = file.split("/")[: -node.level] if node.level else []
    return "/".join([*around, *(node.module or "").split(".")]).rstrip("/")


def _files(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """The files there are for these paths, and for the packages around them."""
    for path in paths:
        parts = path.split("/")
        for each in ("/".join(parts[:length]) for length in range(1, len(parts) + 1)):
            yield from (file for file in (f"{each}.py", f"{each}/__init__.py") if (root / file).is_file())
