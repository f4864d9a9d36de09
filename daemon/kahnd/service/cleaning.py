"""`kahnd clean`: what kahnd has made goes, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import anyio

from kahnd.config.loader import load
from kahnd.config.values import Config
from kahnd.core.model import OutputPath, Problem
from kahnd.core.runs import STAGES
from kahnd.errors import AlreadyRunningError, UsageError
from kahnd.render.outputs import FileOutputs
from kahnd.service.groups import unwrapped
from kahnd.service.limits import claim
from kahnd.service.lock import STATE_FOLDER, project_lock
from kahnd.service.paths import socket_path
from kahnd.service.session import schemas, stored
from kahnd.store.embedded import folder_of

Json = dict[str, Any]
_EMBEDDED: Final = "surrealkv://"
_ENGINES: Final = "LOCK"
"""A file that every folder of the embedded engine's has."""


def clean(root: Path, *, state: bool, dry_run: bool) -> Json:
    """Remove all outputs; with `state` the database, the log and all else that kahnd keeps, too.

    Answers what went (or would, in a dry run) and what could not be removed. Raises AlreadyRunningError while another
    process works on the project: a daemon would make the outputs again at once.
    """
    config = load(root, schemas(), os.environ)
    if dry_run:
        return _answer(_there(root, config), (), _state_of(config) if state else (), dry_run=True)
    with _alone(root):
        removed, stuck = _remove_outputs(root, config) if (root / STATE_FOLDER).is_dir() else ((), ())
        if state and stuck:
            raise UsageError(*stuck, Problem("the state was kept, since it tells whose these outputs are"))
        gone = _remove_state(config) if state else ()
    return _answer(removed, stuck, gone, dry_run=False)


def _answer(
    removed: tuple[OutputPath, ...], stuck: tuple[Problem, ...], state: tuple[str, ...], *, dry_run: bool
) -> Json:
    kept = [{"output": each.file, "error": str(each)} for each in stuck]
    return {"removed": list(removed), "kept": kept, "state": list(state), "dry_run": dry_run}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else works on the project; what was never built need not be locked, and gets no state by this."""
    if not (root / STATE_FOLDER).is_dir():
        yield
        return
    try:
        with project_lock(root):
            yield
    except AlreadyRunningError as held:
        remedy = "a daemon would make the outputs again at once: stop it first"
        raise AlreadyRunningError(replace(held.problems[0], remedy=remedy)) from None


def _there(root: Path, config: Config) -> tuple[OutputPath, ...]:
    """The outputs on the account that are there."""
    outputs = FileOutputs(root, config.layout.output, kept=False)
    return _existing(root, outputs.made())


def _existing(root: Path, outputs: frozenset[OutputPath]) -> tuple[OutputPath, ...]:
    return tuple(sorted(each for each in outputs if os.path.lexists(root / each)))


def _remove_outputs(root: Path, config: Config) -> tuple[tuple[OutputPath, ...], tuple[Problem, ...]]:
    """What went, and what could not be removed."""
    with closing(FileOutputs(root, config.layout.output)) as outputs:
        outputs.open(())
        outputs.discard(STAGES)
        made = outputs.made()
        there = _existing(root, made)
        problems = {each: problem for each in sorted(made) if (problem := outputs.remove(each))}
    folder = root / config.layout.output
    if folder != root:
        with suppress(OSError):  # it holds what kahnd has not made, or is not there
            folder.rmdir()
    return tuple(each for each in there if each not in problems), tuple(problems.values())


def _state_of(config: Config) -> tuple[str, ...]:
    """What `_remove_state` would remove."""
    folder = config.root / STATE_FOLDER
    kept = [str(folder)] if folder.is_dir() else []
    return (*kept, *_database(config))


def _database(config: Config) -> tuple[str, ...]:
    """Where the database is, unless that is in the state folder."""
    if not config.store.url.startswith(_EMBEDDED):
        return (config.store.url,)
    folder, _ = folder_of(config.store.url, config.root)
    mine = folder.is_relative_to(config.root / STATE_FOLDER)
    return () if mine or not (folder / _ENGINES).is_file() else (str(folder),)


def _remove_state(config: Config) -> tuple[str, ...]:
    """The state folder goes last: until then it says whose the outputs are."""
    gone = _state_of(config)
    for each in _database(config):
        if each == config.store.url:
            with unwrapped():
                anyio.run(_clear, config)
        else:
            shutil.rmtree(each)
    folder = config.root / STATE_FOLDER
    if folder.is_symlink():
        raise UsageError(Problem("the state folder is a link", str(folder), remedy="remove it, and what it leads to"))
    if folder.is_dir():
        shutil.rmtree(folder)
    with suppress(OSError):  # one that was left in the runtime folder, if any
        socket_path(config.root).unlink()
    return gone


async def _clear(config: Config) -> None:
    claim()
    async with stored(config, lambda _event, **_fields: None) as store:
        await store.clear()
