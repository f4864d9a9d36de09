"""The composition root: from a config to an engine with its world around it."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import anyio
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from kahnd.config.loader import load
from kahnd.config.schema import RendererSchema
from kahnd.config.values import Config
from kahnd.core.machine import Machine
from kahnd.core.model import BuildId, BuildRecord, Digest, OutputPath, Problem
from kahnd.core.rules import Layout
from kahnd.engine import Engine, MeteredScanner, Patience, Pulse, Stages, Waits, World
from kahnd.errors import KahndError
from kahnd.own_files import STATE_FOLDER
from kahnd.pool.local import Bounds, Program, WorkerPool
from kahnd.ports import Meter, Store
from kahnd.render import registry
from kahnd.render.account import ACCOUNT
from kahnd.render.outputs import FileOutputs
from kahnd.render.scan import DocumentScanner
from kahnd.service.clock import SystemClock
from kahnd.service.events import Event
from kahnd.service.greeting import Allowance, Greeting
from kahnd.service.memory import lasting
from kahnd.service.notify import VARIABLES
from kahnd.service.paths import unkept
from kahnd.store.connection import Place
from kahnd.store.surreal import open_store
from kahnd.watch.tree import SourceTree
from kahnd.watch.watcher import FileWatcher

WORKER: Final = (sys.executable, "-P", "-m", "kahnd.service.worker")
"""`-P`: what lies in the project's folder, where workers run, stands before no library."""
OWN_WORKSPACE: Final = "project"
Say = Callable[..., None]


@dataclass(frozen=True)
class Project:
    """A config, and the layout with the recipes that its renderers tell."""

    config: Config
    layout: Layout

    @property
    def root(self) -> Path:
        """Where the project is."""
        return self.config.root


@dataclass(frozen=True)
class Session:
    """An engine ready to run, how it watches, and where it renders."""

    project: Project
    engine: Engine
    watcher: FileWatcher
    pool: WorkerPool


def read_project(root: Path, environ: Mapping[str, str] = os.environ) -> Project:
    """Read the config and ask the renderers for their recipes. Raises ConfigError."""
    config = load(root, schemas(), environ)
    return Project(config, registry.with_recipes(config.layout, root))


def schemas() -> Mapping[str, RendererSchema]:
    """What config/ must know of every renderer there is."""
    return {name: _schema(name) for name in registry.names()}


def _schema(name: str) -> RendererSchema:
    parameters = registry.parameters_type(name)
    if parameters is None:
        raise AssertionError(f"{name} is registered and has no parameters")
    return RendererSchema(parameters, getattr(parameters, "default_output", ""), registry.check)


class Desk(Protocol):
    """Deals with changes to kahnd.toml, ignore files and plug-ins, and with a database that goes away."""

    patience: Patience
    pulse: Pulse

    def on_config(self, ignores: bool) -> None:  # noqa: FBT001 - a callback
        """Something changed (True: the ignore rules)."""
        ...

    async def config_settled(self) -> None:
        """Return when no such change is waiting to be dealt with."""
        ...


@asynccontextmanager
async def open_session(
    project: Project, say: Say, ids: Iterator[BuildId], desk: Desk | None = None, *, files: int
) -> AsyncIterator[Session]:
    """Workers and database are gone when the session is left.

    `desk` is where changes to what the session is built on are dealt with, if it is watched at all: then a lost
    database is waited for. `files` is how many each worker may have open.
    """
    config, layout, stages = project.config, project.layout, Stages()
    greeting = Greeting(config.root, layout, Allowance(config.pool.memory_mb, config.pool.output_mb, files))
    program = Program(WORKER, greeting, _without_secrets(os.environ))
    bounds = Bounds(config.pool.workers, config.pool.timeout_s)
    async with (
        WorkerPool(program, config.root, bounds, stages) as pool,
        stored(config, say) as store,
    ):
        with lasting():
            machine, last_build = await _known(store, layout, bounds.workers, ids)
        with closing(outputs_of(config)) as outputs:
            recorded = {each.facts.output: each.facts.output_hash for each in machine.graph if each.facts.output}
            begin_outputs(outputs, recorded, config.root)
            for problem in outputs.problems():
                say(Event.STATE_DAMAGED, error=str(replace(problem, remedy="")), remedy=problem.remedy)
            pulse = desk.pulse if desk else Pulse()
            tree = tree_of(project, say, stages, pulse)
            world = World(store, tree, outputs, pool, SystemClock(), say, stages, pulse=pulse)
            if desk:
                world = replace(world, on_config=desk.on_config, config_settled=desk.config_settled)
            engine = Engine(machine, world, last_build=last_build, patience=desk.patience if desk else None)
            yield Session(project, engine, _watcher(project, say, stages), pool)


def outputs_of(config: Config, kind: type[FileOutputs] = FileOutputs, *, kept: bool = True) -> FileOutputs:
    """The output folder, and the account of what kahnd made. Raises UsageError or PlaceError where that is damaged."""
    try:
        return kind(config.root, config.layout.output, config.layout.sources, kept=kept)
    except OSError as error:
        raise _unaccounted(config.root, error) from error


def begin_outputs(outputs: FileOutputs, recorded: Mapping[OutputPath, Digest | None], root: Path) -> None:
    """Before anything is written: no stages are left, and what is not kahnd's is forgotten. Raises as `outputs_of`."""
    try:
        outputs.discard_stages()
        outputs.open(recorded)
    except OSError as error:
        raise _unaccounted(root, error) from error


def _unaccounted(root: Path, error: OSError) -> KahndError:
    return unkept("what kahnd made can't be told", root / ACCOUNT, "check the file and its permissions", error)


async def _known(
    store: Store, layout: Layout, slots: int, ids: Iterator[BuildId]
) -> tuple[Machine, BuildRecord | None]:
    """What the database knows, taken over: nobody holds it twice."""
    snapshot = await store.load()
    return Machine(layout, snapshot, slots=slots, build_ids=ids), snapshot.last_build


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What workers, and the commands they run, may know: none of kahnd's own settings, which the password is among.

    Nor how to speak to the service manager for kahnd.
    """
    return {name: value for name, value in environ.items() if not name.startswith("KAHND_") and name not in VARIABLES}


def own_files(config: Config) -> tuple[str, ...]:
    """Patterns for what the daemon itself writes in the project: a log below a source would be a save at each line."""
    streams = (Path(f"/proc/self/fd/{number}") for number in (1, 2))
    written = [config.root / config.log.file, *(each.resolve() for each in streams)]
    inside = (each.relative_to(config.root) for each in written if each.is_relative_to(config.root))
    return tuple(f"/{GitIgnoreSpecPattern.escape(str(each))}*" for each in inside)


@asynccontextmanager
async def stored(config: Config, say: Say) -> AsyncIterator[Store]:
    """The project's database, open."""

    def moved_aside(problem: Problem) -> None:
        say(Event.STORE_REBUILT, error=str(problem))

    def refused(problem: Problem) -> None:
        say(Event.STORE_REFUSED, document=problem.file, error=problem.message, remedy=problem.remedy)

    credentials = (config.store.user, config.store.password or "") if config.store.user else None
    store = await open_store(
        place_of(config), root=config.root, credentials=credentials, report=moved_aside, refused=refused
    )
    try:
        yield store
    finally:
        # Sessions end by being cancelled; an engine must be closed all the same, or it may abort the process.
        with anyio.CancelScope(shield=True):
            await store.close()


def place_of(config: Config) -> Place:
    """Where the project's facts are. A shared database must tell two checkouts of one project apart.

    One of the project's own holds nothing else: it is found again when the project is renamed, or its folder moved.
    """
    shared = not config.store.url.startswith("surrealkv://")
    here = hashlib.blake2b(f"{platform.node()}\0{config.root}".encode(), digest_size=6).hexdigest()
    workspace = f"{config.name}@{here}" if shared else OWN_WORKSPACE
    return Place(config.store.url, config.store.namespace, config.store.database, workspace)


def is_stored(config: Config) -> bool:
    """Whether there is a database to ask: an embedded one is only there after a first build.

    Something else in the state folder's place is for whoever opens it to tell of.
    """
    embedded = config.store.url.startswith("surrealkv://")
    return not embedded or os.path.lexists(config.root / STATE_FOLDER)


def tree_of(
    project: Project,
    say: Say = lambda _event, **_fields: None,
    stages: Stages | None = None,
    pulse: Pulse | None = None,
) -> SourceTree:
    """The project's source folders."""
    layout = project.layout
    scanner = MeteredScanner(DocumentScanner(layout, registry.create(project.root, layout)), stages or Stages())
    goes_on = partial((pulse or Pulse()).sign, Waits.LOOK)
    ignored = (*project.config.ignore, *own_files(project.config))
    return SourceTree(project.root, layout, ignored, scanner, say, goes_on=goes_on)


def _watcher(project: Project, say: Say, meter: Meter) -> FileWatcher:
    config = project.config
    return FileWatcher(
        config.root,
        config.layout.sources,
        registry.session_files(config.layout.rules, config.root),
        config.watch.settle_ms,
        config.watch.polling,
        events=config.watch.events,
        outputs=config.layout.output,
        say=say,
        meter=meter,
    )
