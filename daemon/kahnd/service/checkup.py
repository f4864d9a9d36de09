"""`kahnd doctor`: what the project and the machine are like, and how to mend what is not as it should be.

Nothing is changed, but that a database which can't be opened is moved aside, as by everybody who opens it.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio

from kahnd import __version__
from kahnd.config.loader import load
from kahnd.config.values import Config
from kahnd.core.model import Problem
from kahnd.errors import AlreadyRunningError, KahndError, NoDaemonError, UsageError
from kahnd.own_files import STATE_FOLDER
from kahnd.render import programs
from kahnd.render.parameters import CommandParameters
from kahnd.service import state_folder
from kahnd.service.checks import Check, State
from kahnd.service.client import ControlClient
from kahnd.service.events import Event
from kahnd.service.groups import unwrapped
from kahnd.service.limits import FEWEST, claim
from kahnd.service.lock import project_lock
from kahnd.service.paths import LONGEST_ADDRESS, check_private, socket_path
from kahnd.service.session import Project, is_stored, outputs_of, read_project, schemas, stored, tree_of
from kahnd.service.source_checks import source_checks
from kahnd.store.connection import VERSION
from kahnd.store.embedded import folder_of
from kahnd.watch.mounts import comes_from_elsewhere, mounts
from kahnd.watch.usage import inotify_limits, inotify_usage

Json = dict[str, Any]
_SPACE: Final = 100 * 1024 * 1024
"""With less room than this, a build may not go through."""
_INODES: Final = 1_000
_TIGHT: Final = 0.9
"""A limit that is used by so much is worth a word."""
_EMBEDDED: Final = "surrealkv://"


def checkup(root: Path) -> Json:
    """Everything that could be checked. Raises nothing for what it finds: that is the answer."""
    checks = [each for part in _parts(root) for each in part]
    return {
        "sound": all(each.state is State.OK for each in checks),
        "checks": [
            {"name": each.name, "state": each.state.value, "message": each.message, "remedy": each.remedy}
            for each in checks
        ],
    }


def _parts(root: Path) -> Iterator[Iterable[Check]]:
    yield [Check("version", State.OK, f"kahnd {__version__}, Python {sys.version.split()[0]}, {sys.platform}")]
    config = _config(root)
    yield _of_config(root)
    yield _daemon(root)
    yield _socket(root)
    yield _files()
    if config:
        yield _state(config)
        yield _store(config)
        yield _programs(config)
        project = Project(config, config.layout)
        yield source_checks(project)
        yield _inotify(project)
        yield _file_systems(config)
    yield _room(root)


def _config(root: Path) -> Config | None:
    try:
        return load(root, schemas(), os.environ)
    except KahndError:
        return None


def _of_config(root: Path) -> Iterator[Check]:
    """What a daemon would say of it at its start."""
    try:
        project = read_project(root)
    except KahndError as error:
        yield from (_problem("config", State.ERROR, each) for each in error.problems)
        return
    rules = len(project.layout.rules)
    yield Check("config", State.OK, f"kahnd.toml is right: {rules} rule{'' if rules == 1 else 's'}")
    yield from (_problem("sources", State.WARNING, each) for each in project.config.missing_sources())


def _problem(name: str, state: State, problem: Problem) -> Check:
    place = f"{problem.file}:{problem.line}: " if problem.line else f"{problem.file}: " if problem.file else ""
    return Check(name, state, f"{place}{problem.message}", problem.remedy or f"correct it in {problem.file or name}")


# The daemon


def _daemon(root: Path) -> Iterator[Check]:
    try:
        status = ControlClient(root).status()
    except NoDaemonError:
        yield from _held(root)
    except KahndError as error:
        yield _problem("daemon", State.ERROR, error.problems[0])
    else:
        well = status["state"] != "degraded"
        told = f"{status['state']}, process {status['pid']}"
        yield Check("daemon", State.OK if well else State.WARNING, told, "" if well else "`kahnd status` says why")


def _held(root: Path) -> Iterator[Check]:
    """Nobody answers; somebody may be there all the same."""
    if not (root / STATE_FOLDER).is_dir():
        yield Check("daemon", State.OK, "none runs, and nothing was ever built here")
        return
    try:
        with project_lock(root, patience_s=0):
            left = socket_path(root).exists()
            yield Check("daemon", State.OK, f"none runs{', one was killed: the next takes over' if left else ''}")
    except AlreadyRunningError as held:
        remedy = "wait for it if it is a build; if it is a daemon that hangs, end it with `kill PID`"
        yield Check("daemon", State.ERROR, f"{held.problems[0].message}, and it does not answer", remedy)
    except KahndError as error:
        yield _problem("daemon", State.ERROR, error.problems[0])


def _socket(root: Path) -> Iterator[Check]:
    path = socket_path(root)
    near = path.parent == root.resolve() / STATE_FOLDER
    why = "" if near else f" (in the project its path would be longer than {LONGEST_ADDRESS} bytes)"
    try:
        with suppress(FileNotFoundError):
            check_private(path.parent)
    except UsageError as error:
        yield _problem("socket", State.ERROR, error.problems[0])
    except OSError as error:
        remedy = "set XDG_RUNTIME_DIR to a folder of your own"
        yield Check("socket", State.ERROR, f"{path.parent}: {error.strerror}", remedy)
    else:
        yield Check("socket", State.OK, f"{path}{why}")


def _state(config: Config) -> Iterator[Check]:
    """Kahnd's own files: each must be regular and the user's, and the account of outputs readable."""
    found = [
        Check("state", State.ERROR, f"{each.filename}: {each.strerror}", each.remedy)
        for each in state_folder.problems(config.root, config.log.file)
    ]
    if not found:
        try:
            told = outputs_of(config, kept=False).problems()
        except KahndError as error:
            found = [_problem("state", State.ERROR, each) for each in error.problems]
        else:
            found = [_problem("state", State.WARNING, each) for each in told]
    yield from found or [Check("state", State.OK, f"{STATE_FOLDER} and what is in it can be used")]


def _files() -> Iterator[Check]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEWEST:
        remedy = f"ulimit -Hn {FEWEST * 4}, or LimitNOFILE= in a unit"
        yield Check("open files", State.ERROR, f"{hard} at the most, and kahnd needs {FEWEST}", remedy)
    else:
        most = "any number" if hard == resource.RLIM_INFINITY else str(hard)
        yield Check("open files", State.OK, f"{soft}, which kahnd may raise to {most}")


# The database


def _store(config: Config) -> Iterator[Check]:
    if not is_stored(config):
        yield Check("store", State.OK, f"{config.store.url}, made by the first build")
        return
    try:
        with project_lock(config.root, patience_s=0), unwrapped():
            claim()
            moved = anyio.run(_opened, config)
    except AlreadyRunningError:
        yield Check("store", State.OK, f"{config.store.url}{_size(config)}, in use by the process above")
    except KahndError as error:
        yield _problem("store", State.ERROR, error.problems[0])
    else:
        if moved:
            yield Check("store", State.WARNING, moved, "`kahnd build` derives everything anew")
        else:
            yield Check("store", State.OK, f"{config.store.url} opens, schema {VERSION}{_size(config)}")


async def _opened(config: Config) -> str:
    """Open and close it; what was said of a database that had to be moved aside."""
    said: list[str] = []

    def say(event: str, **fields: Any) -> None:
        if event == Event.STORE_REBUILT:
            said.append(str(fields["error"]))

    async with stored(config, say):
        return " ".join(said)


def _size(config: Config) -> str:
    if not config.store.url.startswith(_EMBEDDED):
        return ""
    folder, _ = folder_of(config.store.url, config.root)
    size = sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file())
    return f", {size / 1e6:.1f} MB"


# What renders


def _programs(config: Config) -> Iterator[Check]:
    """A rule's program is looked for as it would be started: on PATH, or in the project."""
    for rule in config.layout.rules:
        if not isinstance(rule.parameters, CommandParameters) or rule.parameters.shell:
            continue
        program, fallback = rule.parameters.words[0], rule.parameters.fallback
        if "{" in program:
            continue
        fault = programs.fault(program, config.root)
        if not fault:
            yield Check("program", State.OK, f"{program} is {programs.located(program, config.root)}")
        elif fallback:
            then = f"{program} {fault.reason}: {rule.match} gets {fallback} instead"
            yield Check("program", State.WARNING, then, fault.remedy)
        else:
            then = f"{program} {fault.reason}: what {rule.match} matches will fail"
            yield Check("program", State.ERROR, then, f"{fault.remedy}, or name a `fallback` file in the rule")


# How changes are noticed


def _inotify(project: Project) -> Iterator[Check]:
    """Limits are a user's, whatever processes use them."""
    watch = project.config.watch
    limits = inotify_limits()
    if watch.polling == "always" or watch.events == "watchfiles" or not limits:
        yield Check("watching", State.OK, "not by inotify")
        return
    folders, used = tree_of(project).folders(), inotify_usage()
    for name, needed, taken in (("max_user_watches", folders, used.watches), ("max_user_instances", 1, used.instances)):
        most = limits[name]
        short = needed + taken > most
        tight = needed + taken > most * _TIGHT
        told = f"{name} is {most}: {taken} in use by you, {needed} needed here"
        remedy = f"sysctl fs.inotify.{name}={max(most * 4, 2 * (needed + taken))}" if tight else ""
        yield Check("inotify", State.ERROR if short else State.WARNING if tight else State.OK, told, remedy)


def _file_systems(config: Config) -> Iterator[Check]:
    table = mounts()
    if config.watch.polling == "auto":
        for source in config.layout.sources:
            if comes_from_elsewhere(str(config.root / source), table):
                told = f"{source} is looked at every second, since its file system tells of no changes made elsewhere"
                yield Check(
                    "file system", State.WARNING, told, "keep sources on a local disk for less work and no delay"
                )
    state = config.root / STATE_FOLDER
    if comes_from_elsewhere(str(state), table):
        told = f"{STATE_FOLDER} is on a network file system, or a machine's that is host to this one"
        yield Check("file system", State.WARNING, told, "locks and the database are safe on a local disk only")


def _room(root: Path) -> Iterator[Check]:
    free, system = shutil.disk_usage(root).free, os.statvfs(root)
    if free < _SPACE:
        yield Check("disk", State.WARNING, f"{free / 1e6:.0f} MB are free", "make room: builds need some 100 MB")
    elif system.f_files and system.f_favail < _INODES:
        yield Check("disk", State.WARNING, f"{system.f_favail} files can be made", "make room: remove files")
    else:
        yield Check("disk", State.OK, f"{free / 1e9:.1f} GB are free")
