"""Imports of the project's modules, which are compiled from their source each time.

Python's cached bytecode is valid for a source of the same size and the same second: an edit right after an import would
not count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from typing import Any, Final

INSTALLED: Final = "/site-packages/"
"""A part of the paths of installed packages, which are not the project's own even if their folder lies in it."""


class UncachedLoader(SourceFileLoader):
    """Loads a module from its source, and neither reads nor writes cached bytecode."""

    def path_stats(self, path: str) -> Any:
        """Raises OSError: without a time of change, there is nothing to compare with that of the bytecode."""
        raise OSError(f"{path} is not cached")


def allow_imports(root: Path) -> None:
    """Lets the project's modules be imported, by their paths from its folder.

    The folder comes last, so that a `csv.py` in it shadows no library.
    """
    sys.path.append(str(root))
    sys.path_hooks.insert(0, _own_folders(f"{root}/"))
    sys.path_importer_cache.clear()


def _own_folders(root: str) -> Callable[[str], PathEntryFinder]:
    """Returns a hook for the folders in the project; it raises ImportError for others, as hooks do."""
    find = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (UncachedLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def hook(folder: str) -> PathEntryFinder:
        inside = f"{folder}/"
        if not inside.startswith(root) or INSTALLED in inside:
            raise ImportError("this folder is not the project's own", path=folder)
        return find(folder)

    return hook
