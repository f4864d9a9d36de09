"""The composition root: builds every adapter, and an engine over them, from a project's configuration.

A session does the work; a dry run goes as far as the first rendering, and changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from kahnd.app.worker import Allowance, WorkerSetup
from kahnd.config.loader import Config, PoolConfig, load
from kahnd.config.tables import RendererSchema
from kahnd.core.events import LogEvent
from kahnd.core.explanation import restore_status
from kahnd.core.hashing import cache_folder
from kahnd.core.machine import Machine
from kahnd.core.model import (
    BuildId,
    BuildRecord,
    Digest,
    DocumentId,
    Failed,
    HistoryEntry,
    Job,
    OutputPath,
    Problem,
    RunId,
    Snapshot,
)
from kahnd.core.output_paths import published_files
from kahnd.core.project_files import OUTPUT_JOURNAL, STATE_FOLDER, is_embedded
from kahnd.core.rules import Layout, Rule
from kahnd.engine import Backoff, Engine, EngineDependencies, Liveness, MeteredScanner, PhaseTimings, Timelines, Waits
from kahnd.engine.requests import PastRenders
from kahnd.errors import KahndError
from kahnd.outputs.folder import FileOutputs
from kahnd.platform.clock import SystemClock, build_ids
from kahnd.platform.owned_files import state_file_error
from kahnd.platform.resources import exempt_from_gc
from kahnd.platform.systemd import VARIABLES
from kahnd.pool.local.pool import Bounds, WorkerPool
from kahnd.pool.local.worker_processes import Program
from kahnd.ports import Meter, OnEnd, Store
from kahnd.render.renderers import registry
from kahnd.render.scan.scanner import DocumentScanner
from kahnd.store.connection import StoreAddress
from kahnd.store.memory_store import MemoryStore
from kahnd.store.surreal_store import StoreListener, open_store
from kahnd.watch.git_history import GitHistory
from kahnd.watch.tree.tree import SourceTree
from kahnd.watch.watch_set import WatchSettings
from kahnd.watch.watcher import FileWatcher

WORKER: Final = (sys.executable, "-P", "-c", "from kahnd.app.worker import main; main()")
"""Workers run in the project's folder; with `-P`, files there do not shadow libraries."""
OWN_WORKSPACE: Final = "project"
WriteLog = Callable[..., None]


@dataclass(frozen=True)
class Project:
    """A configuration, and the layout with the recipes of its renderers."""

    config: Config
    layout: Layout

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.config.root


@dataclass(frozen=True)
class Session:
    """An engine ready to run, with its watcher and its pool."""

    project: Project
    engine: Engine
    watcher: FileWatcher
    pool: WorkerPool


def read_project(root: Path, environ: Mapping[str, str] = os.environ) -> Project:
    """Reads the configuration, and the recipes of the renderers. Raises ConfigError."""
    config = load(root, schemas(), environ)
    layout = registry.with_recipes(config.layout, root, environ)
    rules = (_with_limits(rule, config.pool) for rule in layout.rules)
    return Project(config, replace(layout, rules=tuple(rules), now=time.time()))


def _with_limits(rule: Rule, pool: PoolConfig) -> Rule:
    own = rule.limits
    timeout_s, memory_mb = own.timeout_s or pool.timeout_s, own.memory_mb or pool.memory_mb
    text = f"timeout_s {timeout_s:g}, memory_mb {memory_mb}, output_mb {pool.output_mb}"
    return replace(rule, limits=replace(own, text=text))


def schemas() -> Mapping[str, RendererSchema]:
    """Returns what the configuration is checked against, for each renderer."""
    return {name: _schema(name) for name in registry.names()}


def _schema(name: str) -> RendererSchema:
    parameters = registry.parameters_type(name)
    if parameters is None:
        raise AssertionError(f"{name} is registered and has no parameters")
    return RendererSchema(parameters, getattr(parameters, "default_output", ""), registry.check, registry.check_outputs)


@dataclass(frozen=True)
class DaemonHooks:
    """The parts that outlive a session, and that it reports to; by default those of a process without a daemon.

    `patient`: a lost database is waited for, as `backoff` says. `on_config` hears that the configuration, a plug-in or
    (True) the ignore rules may have changed; `config_settled` returns once all such changes so far are dealt with.
    """

    backoff: Backoff
    patient: bool = False
    liveness: Liveness = field(default_factory=Liveness)
    timelines: Timelines = field(default_factory=Timelines)
    on_config: Callable[[bool], None] = lambda _: None
    config_settled: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    on_store_call: Callable[[str, float], None] = lambda _operation, _seconds: None


@asynccontextmanager
async def open_session(
    project: Project, log: WriteLog, ids: Iterator[BuildId], hooks: DaemonHooks, *, files: int
) -> AsyncIterator[Session]:
    """Opens the database, starts the pool, and yields an engine over them; both are gone when the session is left.

    `files` is how many files each worker may open.
    """
    config, layout, timings = project.config, project.layout, PhaseTimings()
    setup = WorkerSetup(config.root, layout, Allowance(config.pool.memory_mb, config.pool.output_mb, files))
    program = Program(WORKER, setup, _without_secrets(os.environ))
    own_timeouts = {rule.index: rule.limits.timeout_s for rule in layout.rules if rule.limits.timeout_s}
    bounds = Bounds(config.pool.workers, config.pool.timeout_s, own_timeouts)
    async with (
        WorkerPool(program, config.root, bounds, timings) as pool,
        stored(config, log) as store,
    ):
        with exempt_from_gc():
            machine, last_build = await _restored(store, layout, bounds.workers, ids)
        with closing(outputs_of(config)) as outputs:
            recorded = dict(file for each in machine.graph for file in published_files(each.facts))
            begin_outputs(outputs, recorded, config.root)
            kept = {cache_folder(node.facts.id) for node in machine.graph if node.rule and node.rule.keeps_cache}
            outputs.discard_caches(kept)
            for problem in outputs.problems():
                log(LogEvent.STATE_DAMAGED, error=str(replace(problem, remedy="")), remedy=problem.remedy)
            tree = tree_of(project, log, timings, hooks.liveness)
            dependencies = EngineDependencies(
                store,
                tree,
                outputs,
                pool,
                SystemClock(),
                log,
                timings,
                on_config=hooks.on_config,
                config_settled=hooks.config_settled,
                liveness=hooks.liveness,
                timelines=hooks.timelines,
                on_store_call=hooks.on_store_call,
                history=history_of(project, log),
            )
            backoff = hooks.backoff if hooks.patient else None
            engine = Engine(machine, dependencies, last_build=last_build, backoff=backoff)
            yield Session(project, engine, _watcher(project, log, timings), pool)


async def _restored(
    store: Store, layout: Layout, slots: int, ids: Iterator[BuildId]
) -> tuple[Machine, BuildRecord | None]:
    """Returns a machine that knows what the database does. The snapshot is let go: nothing is in memory twice."""
    snapshot = await store.load()
    return Machine(layout, snapshot, slots=slots, build_ids=ids), snapshot.last_build


async def _no_past_renders(_document: DocumentId | None, _limit: int) -> tuple[HistoryEntry, ...]:
    return ()


async def dry_run(
    project: Project,
    snapshot: Snapshot,
    targets: Sequence[str] = (),
    *,
    retry: bool = False,
    past_renders: PastRenders = _no_past_renders,
) -> Engine:
    """Returns an engine that has looked at the sources, and stands where a build would begin to render.

    `retry`: as a build would, it would render failed documents too. Raises UsageError for a target that does not exist.
    """
    store = _DryRunStore.of(snapshot)
    store.past_renders = past_renders
    outputs = outputs_of(project.config, _ReadOnlyOutputs, kept=False)
    history = history_of(project, _silent)
    dependencies = EngineDependencies(
        store, tree_of(project), outputs, _NoPool(), SystemClock(), _silent, history=history
    )
    machine = Machine(project.layout, snapshot, slots=0, build_ids=build_ids())
    engine = Engine(machine, dependencies, last_build=snapshot.last_build)
    asked = engine.open("plan", targets, retry=retry)
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await engine.run(cause="plan", asked=asked)

        tasks.start_soon(run)
        await engine.started.wait()
        tasks.cancel_scope.cancel()
    engine.last_build = snapshot.last_build  # a dry run is not a build
    if not retry:
        restore_status(machine.graph, snapshot)
    return engine


class _DryRunStore(MemoryStore):
    """A scratch copy of the database; only past renders are asked for in the database itself."""

    past_renders: PastRenders

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Returns past renders, newest first."""
        return await self.past_renders(document, limit)


class _ReadOnlyOutputs(FileOutputs):
    """The output folder, read only."""

    def remove(self, output: OutputPath) -> Problem | None:
        """Leaves it."""

    def discard(self, stage: str) -> None:
        """Leaves it."""


class _NoPool:
    """A pool without workers."""

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Fails; a machine without slots never asks for it."""
        on_end(job, Failed(Problem("there are no workers", job.document)), 0.0, 0)

    def cancel(self, run: RunId) -> None:
        """Does nothing: nothing runs."""

    def rest(self) -> None:
        """Does nothing: nothing is begun."""


def _silent(_event: str, **_fields: Any) -> None:
    """Logs nothing."""


def outputs_of(config: Config, kind: type[FileOutputs] = FileOutputs, *, kept: bool = True) -> FileOutputs:
    """Opens the output folder and the journal of outputs. Raises UsageError or DiskError if that is damaged."""
    try:
        return kind(config.root, config.layout.output, config.layout.sources, kept=kept)
    except OSError as error:
        raise _unreadable(config.root, error) from error


def begin_outputs(outputs: FileOutputs, recorded: Mapping[OutputPath, Digest | None], root: Path) -> None:
    """Clears the staging folder, and drops what kahnd did not make from the journal. Raises as `outputs_of` does."""
    try:
        outputs.discard_stages()
        outputs.open(recorded)
    except OSError as error:
        raise _unreadable(root, error) from error


def _unreadable(root: Path, error: OSError) -> KahndError:
    return state_file_error(
        "what kahnd made can't be told", root / OUTPUT_JOURNAL, "check the file and its permissions", error
    )


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of workers and of the commands they run.

    It leaves out kahnd's own settings, since the password is one, and the service manager's variables.
    """
    return {name: value for name, value in environ.items() if not name.startswith("KAHND_") and name not in VARIABLES}


def own_files(config: Config) -> tuple[str, ...]:
    """Returns ignore patterns for the daemon's own files: in a source folder, each line of a log would be a save."""
    streams = (Path(f"/proc/self/fd/{number}") for number in (1, 2))
    written = [config.root / config.log.file, *(each.resolve() for each in streams)]
    inside = (each.relative_to(config.root) for each in written if each.is_relative_to(config.root))
    return tuple(f"/{GitIgnoreSpecPattern.escape(str(each))}*" for each in inside)


@asynccontextmanager
async def stored(config: Config, log: WriteLog) -> AsyncIterator[Store]:
    """Opens the project's database, and closes it in the end."""

    def moved_aside(problem: Problem) -> None:
        log(LogEvent.STORE_REBUILT, error=str(problem))

    def refused(problem: Problem) -> None:
        log(LogEvent.STORE_REFUSED, document=problem.file, error=problem.message, remedy=problem.remedy)

    credentials = (config.store.user, config.store.password or "") if config.store.user else None
    listener = StoreListener(moved_aside, refused)
    store = await open_store(place_of(config), root=config.root, credentials=credentials, listener=listener)
    try:
        yield store
    finally:
        # Sessions end by being cancelled; an engine must be closed all the same, or it may abort the process.
        with anyio.CancelScope(shield=True):
            await store.close()


def place_of(config: Config) -> StoreAddress:
    """Returns the database's address. In a shared database, two checkouts of a project are two workspaces.

    The project's own database holds only this workspace, so its name stays when the project is renamed or moved.
    """
    shared = not is_embedded(config.store.url)
    here = hashlib.blake2b(f"{platform.node()}\0{config.root}".encode(), digest_size=6).hexdigest()
    workspace = f"{config.name}@{here}" if shared else OWN_WORKSPACE
    return StoreAddress(config.store.url, config.store.namespace, config.store.database, workspace)


def is_stored(config: Config) -> bool:
    """Tells whether there is a database: an embedded one exists only after the first build.

    If something else stands in the state folder's place, opening it reports that.
    """
    embedded = is_embedded(config.store.url)
    return not embedded or os.path.lexists(config.root / STATE_FOLDER)


def tree_of(
    project: Project,
    log: WriteLog = lambda _event, **_fields: None,
    timings: PhaseTimings | None = None,
    liveness: Liveness | None = None,
) -> SourceTree:
    """Returns the project's source folders as a tree that can be walked and scanned."""
    layout = project.layout
    scanner = MeteredScanner(DocumentScanner(layout, registry.create(project.root, layout)), timings or PhaseTimings())
    on_progress = partial((liveness or Liveness()).progress, Waits.LOOK)
    ignored = (*project.config.ignore, *own_files(project.config))
    return SourceTree(project.root, layout, ignored, scanner, log, on_progress=on_progress)


def history_of(project: Project, log: WriteLog) -> GitHistory | None:
    """Returns the commits of the repository that the project is in; None if no page may ask for them."""
    layout = project.layout
    if not layout.last_change:
        return None

    def told(error: str, remedy: str) -> None:
        log(LogEvent.HISTORY_UNKNOWN, error=error, remedy=remedy)

    return GitHistory(project.root, told, lambda path: layout.source_of(path) is not None)


def _watcher(project: Project, log: WriteLog, meter: Meter) -> FileWatcher:
    config = project.config
    settings = WatchSettings(
        config.root,
        config.layout.sources,
        registry.session_files(config.layout.rules, config.root, config.layout.environment),
        config.layout.output,
        config.watch.settle_ms,
        config.watch.polling,
        config.watch.events,
    )
    return FileWatcher(settings, log, meter)
