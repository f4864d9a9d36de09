"""Where the project is, and what of a path is inside it. Imported by every command: no heavy imports here."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Final

from kahnd.core.problem import Problem
from kahnd.core.text import is_whole
from kahnd.errors import UsageError

CONFIG_FILE: Final = "kahnd.toml"
STATE_FOLDER: Final = ".kahnd"
"""kahnd's own folder in a project: store, log, control socket, stages."""


def find_root(start: Path) -> Path:
    """The nearest folder with a `kahnd.toml`, from `start` upwards, absolute and without links; else UsageError."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_FILE).is_file():
            return _named(folder)
    message = f"there is no {CONFIG_FILE} in {here} or any folder above it"
    raise UsageError(Problem(message, remedy="`kahnd init` makes a small project to start from"))


def _named(root: Path) -> Path:
    """The root, where the database and programs can be told its path; else UsageError."""
    if is_whole(str(root)):
        return root
    problem = Problem(f"the path of the project is not UTF-8: {root}", remedy="rename the folder, or move the project")
    raise UsageError(problem)


def inside(folder: str) -> str | None:
    """A folder's path in the project in its shortest form; None if it leads out of the project."""
    path = posixpath.normpath(folder)
    outside = path == ".." or path.startswith(("/", "../")) or "\0" in path
    return None if outside else path
