"""Checks the folders that `kahnd.toml` names: what is read, and what is written."""

from __future__ import annotations

from kahnd.config.faults import Faults
from kahnd.config.locate import KeyPath
from kahnd.config.places import STATE_FOLDER, inside
from kahnd.config.tables import ProjectTable
from kahnd.core.rules import is_below


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
