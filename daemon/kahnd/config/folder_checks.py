"""Checks the folders and files that `kahnd.toml` names, so that kahnd never reads or removes the wrong ones."""

from __future__ import annotations

import posixpath
from typing import Final

from kahnd.config.tables import LogTable, PluginsTable, ProjectTable, StoreTable
from kahnd.config.validation import KeyPath, ProblemCollector
from kahnd.core.project_files import (
    CACHES,
    CONFIG_FILE,
    CONTROL_SOCKET,
    COOKIES,
    DATABASE,
    EMBEDDED,
    LOCK_FILE,
    LOG_FILE,
    LOG_FOLDER,
    OUTPUT_JOURNAL,
    STAGES,
    STATE_FOLDER,
    is_embedded,
)
from kahnd.core.rules import is_below

_RESERVED: Final = (LOCK_FILE, OUTPUT_JOURNAL, CONTROL_SOCKET, STAGES, CACHES, COOKIES)
"""Paths in the state folder that have a use already, besides the log's and the database's."""
_NOT_FOR_LOGS: Final = (DATABASE, *_RESERVED)
_GIT: Final = ".git"


def check_sources(project: ProjectTable, problems: ProblemCollector) -> None:
    """There is at least one source, each is in the project and outside the state folder, and none is named twice."""
    if not project.sources:
        problems.add(("project", "sources"), "project.sources is empty", 'name at least one folder, such as ["docs"]')
    seen: dict[str, str] = {}
    for index, source in enumerate(project.sources):
        path: KeyPath = ("project", "sources", index)
        folder = _check_folder(source, f'source "{source}"', path, problems)
        if folder is not None and folder in seen:
            problems.add(path, f'source "{source}" is named twice', f'"{seen[folder]}" is the same folder')
        seen.setdefault(folder or source, source)


def check_output(project: ProjectTable, problems: ProblemCollector) -> None:
    """The output folder is in the project, outside the state folder, and holds no source: kahnd removes files in it."""
    path: KeyPath = ("project", "output")
    output = _check_folder(project.output, f'output "{project.output}"', path, problems)
    if output and is_below(output, _GIT):
        problems.add(path, f'output "{project.output}" is Git\'s own', 'choose a folder of its own, such as "site"')
    elif output and _is_of_another_project(output):
        message = f'output "{project.output}" is in the state of another project'
        problems.add(path, message, 'choose a folder of its own, such as "site"')
    inner = [source for source in project.sources if output and is_below(path_inside(source) or "/", output)]
    if inner:
        message = f'output "{project.output}" holds the source "{inner[0]}"'
        problems.add(path, message, 'give the outputs a folder of their own, such as "site"')


def check_database(store: StoreTable, project: ProjectTable, problems: ProblemCollector) -> None:
    """An embedded database is in a folder of its own in the project: kahnd removes files in it."""
    if not is_embedded(store.url) or store.url == EMBEDDED:  # another check reports an empty path
        return
    path: KeyPath = ("store", "url")
    given = store.url.removeprefix(EMBEDDED).partition("?")[0]
    folder = path_inside(given)
    remedy = f'give it a folder of its own, such as "{EMBEDDED}{DATABASE}"'
    if folder is None:
        problems.add(path, f'store.url: the folder "{given}" is outside the project', remedy)
    elif use := _existing_use(folder, project):
        problems.add(path, f'store.url: the folder "{given}" is {use}', remedy)


def check_log(log: LogTable, project: ProjectTable, problems: ProblemCollector) -> None:
    """The log file is in the project, and not at a path that has another use."""
    path: KeyPath = ("log", "file")
    file = path_inside(log.file)
    remedy = f'choose another file, such as "{LOG_FILE}"'
    taken = {".", STATE_FOLDER, CONFIG_FILE, path_inside(project.output), *map(path_inside, project.sources)}
    if file is None:
        problems.add(path, f'log.file "{log.file}" is outside the project', remedy)
    elif file in taken or is_below(file, _GIT) or _is_of_another_project(file) or _is_in_any(file, _NOT_FOR_LOGS):
        problems.add(path, f'log.file "{log.file}" is in use for something else', remedy)


def _check_folder(folder: str, name: str, path: KeyPath, problems: ProblemCollector) -> str | None:
    """Return the folder's path in the project; add a problem and return None if kahnd can't use it."""
    relative = path_inside(folder)
    if relative is None:
        problems.add(path, f"{name} is outside the project", f"use a path relative to {CONFIG_FILE}, within its folder")
    elif is_below(relative, STATE_FOLDER):
        problems.add(path, f"{name} is kahnd's own", f"choose a folder other than {STATE_FOLDER}")
        return None
    return relative


def _existing_use(folder: str, project: ProjectTable) -> str:
    """Return the use that a folder already has, or one in it or above it; "" if none."""
    if folder in {".", CONFIG_FILE} or is_below(STATE_FOLDER, folder) or is_below(folder, _GIT):
        return "in use for something else"
    if _is_of_another_project(folder):
        return "in the state of another project"
    if is_below(folder, STATE_FOLDER):
        return "another of kahnd's own" if _is_in_any(folder, (LOG_FOLDER, *_RESERVED)) else ""
    others = {"the output folder": project.output} | {f'the source "{each}"': each for each in project.sources}
    return next((f"{name}, or in it, or above it" for name, other in others.items() if _overlap(folder, other)), "")


def _is_of_another_project(path: str) -> bool:
    """Tells whether a path is in the state folder, or the Git folder, of a project below this one."""
    return not {STATE_FOLDER, _GIT}.isdisjoint(path.split("/")[1:])


def _is_in_any(path: str, folders: tuple[str, ...]) -> bool:
    return any(is_below(path, each) for each in folders)


def _overlap(folder: str, other: str) -> bool:
    """Tell whether one of two folders is in the other."""
    relative = path_inside(other)
    return relative is not None and (is_below(folder, relative) or is_below(relative, folder))


def check_plugins(plugins: PluginsTable, problems: ProblemCollector) -> None:
    """The environment is a path in the project, or an absolute one."""
    given = plugins.python
    if given is not None and not posixpath.isabs(given) and path_inside(given) is None:
        message = f'the environment "{given}" leads out of the project'
        problems.add(("plugins", "python"), message, 'give a folder in it, such as ".venv", or an absolute path')


def path_inside(folder: str) -> str | None:
    """Return a folder's path relative to the project, normalized; None if it leads out of the project."""
    path = posixpath.normpath(folder)
    outside = path == ".." or path.startswith(("/", "../")) or "\0" in path
    return None if outside else path
