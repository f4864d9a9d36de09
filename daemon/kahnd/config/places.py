"""Finds the project, and checks the folders and patterns that its `kahnd.toml` names."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Final

from kahnd.config.faults import Faults
from kahnd.config.locate import KeyPath
from kahnd.config.tables import ProjectTable
from kahnd.core.model import Problem
from kahnd.core.rules import is_below
from kahnd.errors import UsageError

CONFIG_FILE: Final = "kahnd.toml"
STATE_FOLDER: Final = ".kahnd"
"""kahnd's own folder in a project: store, log, control socket, stages."""


def find_root(start: Path) -> Path:
    """The nearest folder with a `kahnd.toml`, from `start` upwards, absolute and without links; else UsageError."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_FILE).is_file():
            return folder
    message = f"there is no {CONFIG_FILE} in {here} or any folder above it"
    raise UsageError(Problem(message, remedy="`kahnd init` makes a small project to start from"))


def inside(folder: str) -> str | None:
    """A folder's path in the project in its shortest form; None if it leads out of the project."""
    path = posixpath.normpath(folder)
    outside = path == ".." or path.startswith(("/", "../")) or "\0" in path
    return None if outside else path


def check_sources(project: ProjectTable, faults: Faults) -> None:
    """At least one, each in the project and outside kahnd's own folder, none twice."""
    if not project.sources:
        faults.add(("project", "sources"), "project.sources is empty", 'name at least one folder, such as ["docs"]')
    seen: dict[str, str] = {}
    for index, source in enumerate(project.sources):
        path: KeyPath = ("project", "sources", index)
        folder = _checked(source, f'source "{source}"', path, faults)
        if folder is not None and folder in seen:
            faults.add(path, f'source "{source}" is there twice', f'"{seen[folder]}" is the same folder')
        seen.setdefault(folder or source, source)


def check_output(project: ProjectTable, faults: Faults) -> None:
    """In the project, outside kahnd's own folder, and holding no source: kahnd removes what is stale in it."""
    path: KeyPath = ("project", "output")
    output = _checked(project.output, f'output "{project.output}"', path, faults)
    held = [source for source in project.sources if output and is_below(inside(source) or "/", output)]
    if held:
        message = f'output "{project.output}" holds the source "{held[0]}"'
        faults.add(path, message, 'give the outputs a folder of their own, such as "site"')


def _checked(folder: str, name: str, path: KeyPath, faults: Faults) -> str | None:
    """The folder's path in the project; None, and a fault, where kahnd can't use it."""
    found = inside(folder)
    if found is None:
        faults.add(path, f"{name} is outside the project", "use a path relative to kahnd.toml, within its folder")
    elif is_below(found, STATE_FOLDER):
        faults.add(path, f"{name} is kahnd's own", f"choose a folder other than {STATE_FOLDER}")
        return None
    return found
