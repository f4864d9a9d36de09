"""`kahnd doctor`: checks the project and the machine, and says how to fix what is wrong.

It changes nothing, except that a damaged database is moved aside when it is opened, as every command does.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio

from kahnd import __version__
from kahnd.api import answers
from kahnd.api.client import ControlClient
from kahnd.app.cleaning import state_problems
from kahnd.app.session import Project, is_stored, outputs_of, read_project, schemas, stored, tree_of
from kahnd.app.source_checks import Check, State, source_checks
from kahnd.config.loader import Config, load
from kahnd.core.events import LogEvent
from kahnd.core.model import Problem
from kahnd.core.project_files import STATE_FOLDER, is_embedded
from kahnd.errors import AlreadyRunningError, KahndError, NoDaemonError, UsageError, unwrap_groups
from kahnd.platform.project_lock import project_lock
from kahnd.platform.resources import MIN_OPEN_FILES, ensure_resources
from kahnd.platform.unix_socket import MAX_ADDRESS_BYTES, check_private, socket_path
from kahnd.render.files import ProblemError
from kahnd.render.programs.process import find_executable, start_fault
from kahnd.render.programs.project_code import environment_folder
from kahnd.render.programs.project_imports import allow_imports
from kahnd.render.renderers.parameters import CommandParameters, PythonParameters
from kahnd.render.renderers.registry import plugin_problems
from kahnd.store.database_folder import DatabaseFolder, path_of
from kahnd.store.queries import SCHEMA_VERSION
from kahnd.watch.watch_set import is_remote, mount_table

_SPACE: Final = 100 * 1024 * 1024
"""With less free space than this, a build may fail."""
_INODES: Final = 1_000
LOADER: Final = (sys.executable, "-P", "-c", "from kahnd.app.doctor import load_plugins; load_plugins()")
_LOAD_S: Final = 60.0
_TIGHT: Final = 0.9
"""The share of a limit from which it is reported."""


def checkup(root: Path) -> answers.Doctor:
    """Runs every check that can be run. Problems are the answer, and raise nothing."""
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
        yield _plugins(config)
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
    """Checks what a daemon checks when it starts."""
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
        message = f"{status['state']}, process {status['pid']}"
        yield Check("daemon", State.OK if well else State.WARNING, message, "" if well else "`kahnd status` says why")


def _held(root: Path) -> Iterator[Check]:
    """Checks whether the project is locked although no daemon answers."""
    if not (root / STATE_FOLDER).is_dir():
        yield Check("daemon", State.OK, "none runs, and nothing was ever built here")
        return
    try:
        with project_lock(root, wait_s=0):
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
    why = "" if near else f" (in the project its path would be longer than {MAX_ADDRESS_BYTES} bytes)"
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
    """Checks kahnd's own files: each must be a regular file of the user's, and the journal of outputs readable."""
    checks = [
        Check("state", State.ERROR, f"{each.filename}: {each.strerror}", each.remedy)
        for each in state_problems(config.root, config.log.file)
    ]
    if not checks:
        try:
            problems = outputs_of(config, kept=False).problems()
        except KahndError as error:
            checks = [_problem("state", State.ERROR, each) for each in error.problems]
        else:
            checks = [_problem("state", State.WARNING, each) for each in problems]
    yield from checks or [Check("state", State.OK, f"{STATE_FOLDER} and what is in it can be used")]


def _files() -> Iterator[Check]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MIN_OPEN_FILES:
        remedy = f"ulimit -Hn {MIN_OPEN_FILES * 4}, or LimitNOFILE= in a unit"
        yield Check("open files", State.ERROR, f"{hard} at the most, and kahnd needs {MIN_OPEN_FILES}", remedy)
    else:
        most = "any number" if hard == resource.RLIM_INFINITY else str(hard)
        yield Check("open files", State.OK, f"{soft}, which kahnd may raise to {most}")


# The database


def _store(config: Config) -> Iterator[Check]:
    if not is_stored(config):
        yield Check("store", State.OK, f"{config.store.url}, made by the first build")
        return
    try:
        with project_lock(config.root, wait_s=0), unwrap_groups():
            ensure_resources()
            moved = anyio.run(_opened, config)
    except AlreadyRunningError:
        yield Check("store", State.OK, f"{config.store.url}{_size(config)}, in use by the process above")
    except KahndError as error:
        yield _problem("store", State.ERROR, error.problems[0])
    else:
        if moved:
            yield Check("store", State.WARNING, moved, "`kahnd build` derives everything anew")
        else:
            yield Check("store", State.OK, f"{config.store.url} opens, schema {SCHEMA_VERSION}{_size(config)}")


async def _opened(config: Config) -> str:
    """Opens and closes the database; returns the message if a damaged one was moved aside."""
    messages: list[str] = []

    def log(event: str, **fields: Any) -> None:
        if event == LogEvent.STORE_REBUILT:
            messages.append(str(fields["error"]))

    async with stored(config, log):
        return " ".join(messages)


def _size(config: Config) -> str:
    if not is_embedded(config.store.url):
        return ""
    path, _ = path_of(config.store.url)
    size = sum(each.lstat().st_size for each in DatabaseFolder(config.root, path).full.rglob("*") if each.is_file())
    return f", {size / 1e6:.1f} MB"


# What renders


def _programs(config: Config) -> Iterator[Check]:
    """Looks for each rule's program where it would be started: on PATH, or in the project."""
    for rule in config.layout.rules:
        if not isinstance(rule.parameters, CommandParameters) or rule.parameters.shell:
            continue
        program, fallback = rule.parameters.words[0], rule.parameters.fallback
        if "{" in program:
            continue
        fault = start_fault(program, config.root)
        if not fault:
            yield Check("program", State.OK, f"{program} is {find_executable(program, config.root)}")
        elif fallback:
            then = f"{program} {fault.reason}: {rule.match} gets {fallback} instead"
            yield Check("program", State.WARNING, then, fault.remedy)
        else:
            then = f"{program} {fault.reason}: what {rule.match} matches will fail"
            yield Check("program", State.ERROR, then, f"{fault.remedy}, or name a `fallback` file in the rule")


def _plugins(config: Config) -> Iterator[Check]:
    """Loads the functions of `python` rules, in a process of their own."""
    environment = config.layout.environment
    if environment:
        try:
            folder = environment_folder(config.root, environment)
        except ProblemError as error:
            yield _problem("plug-ins", State.ERROR, error.problem)
            return
        yield Check("plug-ins", State.OK, f"packages are in {folder}")
    given = [rule.parameters for rule in config.layout.rules]
    if not any(isinstance(each, PythonParameters) or getattr(each, "project_functions", ()) for each in given):
        return
    try:
        done = subprocess.run(  # noqa: S603 - this Python
            (*LOADER, config.root), cwd=config.root, capture_output=True, timeout=_LOAD_S, check=False
        )
    except subprocess.TimeoutExpired:
        message = f"the plug-ins do not load within {_LOAD_S:.0f} s"
        yield Check("plug-ins", State.ERROR, message, "see what they do when they are imported")
        return
    if done.returncode:
        message = f"a plug-in ends Python when it is imported: exit code {done.returncode}"
        yield Check("plug-ins", State.ERROR, message, "import the modules one by one")
        return
    found: list[tuple[str, dict[str, Any] | None]] = json.loads(done.stdout)
    for function, problem in found:
        if problem:
            yield _problem("plug-ins", State.ERROR, Problem(**problem))
        else:
            yield Check("plug-ins", State.OK, f"{function} loads")


def load_plugins() -> None:
    """Prints what became of each function, as JSON; run by `_plugins` with the project's folder as its argument."""
    root, result = Path(sys.argv[1]), os.fdopen(os.dup(sys.stdout.fileno()), "w")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, sys.stdout.fileno())
    layout = load(root, schemas(), os.environ).layout
    allow_imports(root)
    with result:
        json.dump(plugin_problems(root, layout), result)


# How changes are noticed


def _inotify(project: Project) -> Iterator[Check]:
    """Compares the need with the limits, which a user's processes share."""
    watch = project.config.watch
    if watch.polling == "always" or watch.events == "watchfiles" or sys.platform != "linux":
        yield Check("watching", State.OK, "not by inotify")
        return
    from kahnd.watch.backends.inotify import inotify_limits, inotify_usage  # noqa: PLC0415 - only on Linux

    limits = inotify_limits()
    if not limits:
        yield Check("watching", State.OK, "not by inotify")
        return
    folders, used = tree_of(project).count_folders(), inotify_usage()
    for name, needed, taken in (("max_user_watches", folders, used.watches), ("max_user_instances", 1, used.instances)):
        most = limits[name]
        short = needed + taken > most
        tight = needed + taken > most * _TIGHT
        message = f"{name} is {most}: {taken} in use by you, {needed} needed here"
        remedy = f"sysctl fs.inotify.{name}={max(most * 4, 2 * (needed + taken))}" if tight else ""
        yield Check("inotify", State.ERROR if short else State.WARNING if tight else State.OK, message, remedy)


def _file_systems(config: Config) -> Iterator[Check]:
    mounts = mount_table()
    if config.watch.polling == "auto":
        for source in config.layout.sources:
            if is_remote(str(config.root / source), mounts):
                message = (
                    f"{source} is looked at every second, since its file system tells of no changes made elsewhere"
                )
                yield Check(
                    "file system", State.WARNING, message, "keep sources on a local disk for less work and no delay"
                )
    state = config.root / STATE_FOLDER
    if is_remote(str(state), mounts):
        message = f"{STATE_FOLDER} is on a network file system, or a machine's that is host to this one"
        yield Check("file system", State.WARNING, message, "locks and the database are safe on a local disk only")


def _room(root: Path) -> Iterator[Check]:
    free, system = shutil.disk_usage(root).free, os.statvfs(root)
    if free < _SPACE:
        yield Check("disk", State.WARNING, f"{free / 1e6:.0f} MB are free", "make room: builds need some 100 MB")
    elif system.f_files and system.f_favail < _INODES:
        yield Check("disk", State.WARNING, f"{system.f_favail} files can be made", "make room: remove files")
    else:
        yield Check("disk", State.OK, f"{free / 1e9:.1f} GB are free")
