"""`kahnd clean`: what kahnd has made goes, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio

from kahnd.config.loader import load
from kahnd.config.values import Config
from kahnd.core.model import OutputPath, Problem
from kahnd.core.rules import is_below
from kahnd.errors import AlreadyRunningError, UsageError
from kahnd.own_files import STATE_FOLDER, leads_straight
from kahnd.service import state_folder
from kahnd.service.api.listener import remove_socket
from kahnd.service.groups import unwrapped
from kahnd.service.limits import claim
from kahnd.service.lock import project_lock
from kahnd.service.paths import check_private, socket_path, unkept
from kahnd.service.session import begin_outputs, outputs_of, schemas, stored
from kahnd.store.folders import foreign_in, is_own, path_of
from kahnd.store.folders import remove as remove_database

Json = dict[str, Any]
_EMBEDDED: Final = "surrealkv://"


def clean(root: Path, *, state: bool, dry_run: bool) -> Json:
    """Remove all outputs; with `state` the database, the log and all else that kahnd keeps, too.

    Answers what went (or would, in a dry run) and what could not be removed. Raises AlreadyRunningError while another
    process works on the project: a daemon would make the outputs again at once.
    """
    config = load(root, schemas(), os.environ)
    if dry_run:
        stays = _database_kept(config) if state else ()
        return _answer(_there(config), stays, _state_of(config) if state else (), dry_run=True)
    with _alone(root):
        there = (root / STATE_FOLDER).is_dir()
        removed, kept, is_stuck = _remove_outputs(root, config) if there else ((), (), False)
        if state and is_stuck:
            raise UsageError(*kept, Problem("the state was kept, since it tells whose these outputs are"))
        gone = _remove_state(config) if state else ()
        stays = _database_kept(config) if state else ()
    return _answer(removed, (*kept, *stays), gone, dry_run=False)


def _answer(
    removed: tuple[OutputPath, ...], kept: tuple[Problem, ...], state: tuple[str, ...], *, dry_run: bool
) -> Json:
    told = [{"output": each.file, "error": str(each)} for each in kept]
    return {"removed": list(removed), "kept": told, "state": list(state), "dry_run": dry_run}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else works on the project; what was never built need not be locked, and gets no state by this."""
    if not os.path.lexists(root / STATE_FOLDER):
        yield
        return
    try:
        with project_lock(root):
            yield
    except AlreadyRunningError as held:
        remedy = "a daemon would make the outputs again at once: stop it first"
        raise AlreadyRunningError(replace(held.problems[0], remedy=remedy)) from None


def _there(config: Config) -> tuple[OutputPath, ...]:
    """The outputs that are there as kahnd made them."""
    return tuple(sorted(outputs_of(config, kept=False).removable()))


def _remove_outputs(root: Path, config: Config) -> tuple[tuple[OutputPath, ...], tuple[Problem, ...], bool]:
    """What went, what did not and why, and whether the account still has any of that."""
    with closing(outputs_of(config)) as outputs:
        begin_outputs(outputs, {}, root)
        made = outputs.made()
        there = sorted(each for each in made if os.path.lexists(root / each))
        problems = {each: problem for each in sorted(made) if (problem := outputs.remove(each))}
        is_stuck = not outputs.made().isdisjoint(problems)
    if leads_straight(str(root), config.layout.output):
        with suppress(OSError):  # it holds what kahnd has not made, or is not there
            (root / config.layout.output).rmdir()
    return tuple(each for each in there if each not in problems), tuple(problems.values()), is_stuck


def _state_of(config: Config) -> tuple[str, ...]:
    """What `_remove_state` would remove."""
    kept = state_folder.going(config.root, config.log.file)
    return (*(str(config.root / each) for each in kept), *_database(config))


def _database(config: Config) -> tuple[str, ...]:
    """Where the database is, unless that is in the state folder."""
    if not config.store.url.startswith(_EMBEDDED):
        return (config.store.url,)
    path, _ = path_of(config.store.url)
    mine = is_below(path, STATE_FOLDER)
    return () if mine or not is_own(config.root, path) else (str(config.root / path),)


def _database_kept(config: Config) -> tuple[Problem, ...]:
    """Why a database of kahnd's stays, where others have put something into it."""
    if not config.store.url.startswith(_EMBEDDED):
        return ()
    path, _ = path_of(config.store.url)
    with suppress(OSError):
        if others := foreign_in(config.root, path):
            message = f"the database is kept: kahnd did not make {', '.join(others)}"
            return (Problem(message, path, 0, "move it away, and clean again"),)
    return ()


def _remove_state(config: Config) -> tuple[str, ...]:
    """What went. The state folder goes last: until then it says whose the outputs are."""
    databases = _database(config)
    for each in databases:
        if each == config.store.url:
            with unwrapped():
                anyio.run(_clear, config)
        else:
            remove_database(config.root, path_of(config.store.url)[0])
    try:
        kept = state_folder.remove(config.root, config.log.file)
    except OSError as error:
        message, remedy = "the state can't be removed", "check the folder and its permissions"
        raise unkept(message, config.root / STATE_FOLDER, remedy, error) from error
    _remove_socket(config.root)
    gone = (each for each in databases if each == config.store.url or not os.path.lexists(each))
    return (*(str(config.root / each) for each in kept), *gone)


def _remove_socket(root: Path) -> None:
    """One that was left in the runtime folder, where nobody else could put it."""
    address = socket_path(root)
    if not address.is_relative_to(root.resolve()):
        with suppress(UsageError, OSError):
            check_private(address.parent)
            remove_socket(address)


async def _clear(config: Config) -> None:
    claim()
    async with stored(config, lambda _event, **_fields: None) as store:
        await store.clear()
