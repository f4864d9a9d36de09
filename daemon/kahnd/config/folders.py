"""Checks the folders and files that `kahnd.toml` names: what is read, and what is written."""

from __future__ import annotations

from typing import Final

from kahnd.config.faults import Faults
from kahnd.config.locate import KeyPath
from kahnd.config.places import CONFIG_FILE, STATE_FOLDER, inside
from kahnd.config.tables import LogTable, ProjectTable, StoreTable
from kahnd.core.rules import is_below

_EMBEDDED: Final = "surrealkv://"
_KEPT: Final = ("lock", "outputs", "control.sock", "stage", "cookies", "log")
"""Names in the state folder that have a use already."""
_GIT: Final = ".git"


def check_database(store: StoreTable, project: ProjectTable, faults: Faults) -> None:
    """An embedded one: in a folder of its own in the project, since kahnd removes what is in it."""
    if not store.url.startswith(_EMBEDDED) or store.url == _EMBEDDED:  # that is told already
        return
    path: KeyPath = ("store", "url")
    written = store.url.removeprefix(_EMBEDDED).partition("?")[0]
    found = inside(written)
    remedy = f'give it a folder of its own, such as "{_EMBEDDED}{STATE_FOLDER}/db"'
    if found is None:
        faults.add(path, f'store.url: the folder "{written}" is outside the project', remedy)
        return
    if other := _used(found, project, (*_KEPT,)):
        faults.add(path, f'store.url: the folder "{written}" is {other}', remedy)


def check_log(log: LogTable, project: ProjectTable, faults: Faults) -> None:
    """In the project, and none of its other files that kahnd knows of."""
    path: KeyPath = ("log", "file")
    found = inside(log.file)
    remedy = f'choose another file, such as "{STATE_FOLDER}/log/kahnd.jsonl"'
    taken = {".", STATE_FOLDER, CONFIG_FILE, inside(project.output), *map(inside, project.sources)}
    if found is None:
        faults.add(path, f'log.file "{log.file}" is outside the project', remedy)
    elif found in taken or is_below(found, _GIT) or _is_kept(found, ("db", *_KEPT[:-1])):
        faults.add(path, f'log.file "{log.file}" is something else already', remedy)


def _used(folder: str, project: ProjectTable, kept: tuple[str, ...]) -> str:
    """The use that a folder, or one in or above it, already has; "" for none."""
    if folder in {".", CONFIG_FILE} or is_below(STATE_FOLDER, folder) or is_below(folder, _GIT):
        return "something else already"
    if is_below(folder, STATE_FOLDER):
        return "another of kahnd's own" if _is_kept(folder, kept) else ""
    named = {"the output folder": project.output} | {f'the source "{each}"': each for each in project.sources}
    return next((f"{what}, or in it, or above it" for what, each in named.items() if _touch(folder, each)), "")


def _is_kept(path: str, kept: tuple[str, ...]) -> bool:
    return any(is_below(path, f"{STATE_FOLDER}/{each}") for each in kept)


def _touch(folder: str, other: str) -> bool:
    """Whether one of two folders is in the other."""
    found = inside(other)
    return found is not None and (is_below(folder, found) or is_below(found, folder))


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
    if output and is_below(output, _GIT):
        faults.add(path, f'output "{project.output}" is Git\'s own', 'choose a folder of its own, such as "site"')
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
