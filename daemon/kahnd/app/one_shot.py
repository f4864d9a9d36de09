"""Answers commands in this process, where no daemon runs: the same engine, without a watcher, until all is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio

from kahnd.api import answers, routes, schemas, timelines
from kahnd.api.client import Progress
from kahnd.api.schemas import plain
from kahnd.app.operations import Operations
from kahnd.app.session import DaemonHooks, Project, WriteLog, dry_run, is_stored, open_session, read_project, stored
from kahnd.app.span_export import exporting_spans
from kahnd.app.status import StatusSnapshot, stopped
from kahnd.core.events import BuildReport, BuildRequested, LogEvent
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, HistoryEntry, Problem, Snapshot
from kahnd.core.timeline import BuildTimeline
from kahnd.engine import Backoff, Engine, OnProgress, TimedReport, Timelines, find_timeline, past_renders
from kahnd.errors import ConfigError, unwrap_groups
from kahnd.platform.clock import SystemClock, build_ids
from kahnd.platform.project_lock import project_lock
from kahnd.platform.resources import ensure_resources
from kahnd.store.memory_store import MemoryStore
from kahnd.telemetry.log import configure, write_event

T = TypeVar("T")
A = TypeVar("A", bound=schemas.Answer)


class OneShot:
    """Has the operations of `api.client.ControlClient`, and does them itself. Every method raises KahndError."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def status(self) -> answers.Status:
        """Returns how the documents stand: as the database says, and dirty where sources have changed since."""
        answer = self._ask(lambda operations: operations.status(routes.NoRequest()))
        return plain(answer, answers.Status)

    def plan(self, targets: Sequence[str] = ()) -> answers.Plan:
        """Returns the generations that a build would render now, and why."""
        request = schemas.PlanRequest(tuple(targets))
        return plain(self._ask(lambda operations: operations.plan(request)), answers.Plan)

    def graph(self, target: str | None = None, *, reverse: bool = False) -> answers.Graph:
        """Returns nodes and edges as the sources are now."""
        request = schemas.GraphRequest((target,) if target else (), reverse)
        return plain(self._ask(lambda operations: operations.graph(request)), answers.Graph)

    def why(self, target: str) -> answers.Why:
        """Explains why a document was rendered, or would be by a build now."""
        return plain(self._ask(lambda operations: operations.why(schemas.WhyRequest(target))), answers.Why)

    def history(self, document: str | None, limit: int) -> answers.History:
        """Returns past renders, newest first, from the database."""
        request = schemas.HistoryRequest(document, limit)
        return plain(self._ask(lambda operations: operations.history(request)), answers.History)

    def timeline(self, build: str) -> answers.Timeline:
        """Returns the renderings of one build, from the database."""
        request = timelines.TimelineRequest(build)
        return plain(self._ask(lambda operations: operations.timeline(request)), answers.Timeline)

    def build(self, targets: Sequence[str], *, force: bool, progress: Callable[[Progress], None]) -> answers.Report:
        """Brings the targets (none: everything) up to date; returns the report."""
        request = schemas.BuildRequest(tuple(targets), force)
        report = self._work(lambda operations, on_progress: operations.build(request, on_progress), progress)
        return plain(report, answers.Report)

    def retry(self, targets: Sequence[str], *, progress: Callable[[Progress], None]) -> answers.Report:
        """Renders failed documents (none given: all) again, and what they block; returns the report.

        Other changes are left alone, unless these documents need them.
        """
        request = schemas.RetryRequest(tuple(targets))
        report = self._work(lambda operations, on_progress: operations.retry(request, on_progress), progress)
        return plain(report, answers.Report)

    def _ask(self, operation: Callable[[Operations], Awaitable[A]]) -> A:
        """Reads only. Keeps other processes out while the database is open; makes none where there is none."""
        project = read_project(self._root)
        files = ensure_resources()

        async def ask() -> A:
            return await operation(Operations(OneShotHost(project, _log_once(project), files)))

        exclusive: AbstractContextManager[object] = (
            project_lock(project.root) if is_stored(project.config) else nullcontext()
        )
        with exclusive, unwrap_groups():
            return anyio.run(ask)

    def _work(
        self,
        operation: Callable[[Operations, OnProgress], Awaitable[A]],
        progress: Callable[[Progress], None],
    ) -> A:
        """Works on the project, alone, and logs what it does. Raises ConfigError for a source that is missing."""
        project = read_project(self._root)
        if missing := project.config.missing_sources():
            raise ConfigError(*missing)
        files = ensure_resources()
        with project_lock(project.root), unwrap_groups():
            secrets = project.config.store.secrets
            logging = configure(project.config.log, project.root, terminal=False, stream=None, secrets=secrets)

            def log(event: str, **fields: Any) -> None:
                write_event(logging.log, LogEvent(event), **fields)
                if event in {LogEvent.STATE_DAMAGED, LogEvent.OUTPUT_STUCK}:
                    _warn(str(fields["error"]), str(fields.get("remedy", "")))

            def on_progress(done: int, total: int, document: str) -> None:
                progress(Progress(done, total, document))

            async def work(timelines: Timelines) -> A:
                return await operation(Operations(OneShotHost(project, log, files, timelines)), on_progress)

            try:
                with exporting_spans(os.environ, log) as timelines:
                    return anyio.run(work, timelines)
            finally:
                logging.close()


class OneShotHost:
    """Opens a session for work, and makes a dry run for a question. Fulfils `operations.Host`."""

    def __init__(self, project: Project, log: WriteLog, files: int, timelines: Timelines | None = None) -> None:
        self._project = project
        self._log = log
        self._files = files
        self._timelines = timelines or Timelines()

    @property
    def config_problems(self) -> Sequence[Problem]:
        """None: the configuration was read just now."""
        return ()

    async def status(self) -> StatusSnapshot:
        """Compares the sources with the database. Of a project that was never built nothing is known."""
        if not is_stored(self._project.config):
            return stopped(self._project, Graph(self._project.layout, Snapshot()), None)
        engine = await self._dry_run()
        return stopped(self._project, engine.machine.graph, engine.last_build)

    async def ask(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        """Asks a dry run's engine."""
        return await question(await self._dry_run())

    async def dry_run(self, targets: Sequence[str]) -> Engine:
        """Runs dry over what the database knows."""
        return await self._dry_run(targets, retry=True)

    async def past_renders(self, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Asks the database alone; the sources are not looked at."""
        if not is_stored(self._project.config):
            return ()
        async with stored(self._project.config, self._log) as store:
            graph = Graph(self._project.layout, await store.load())
            return await past_renders(graph, store.history, target, limit)

    async def timeline(self, build: str) -> BuildTimeline:
        """Asks the database alone."""
        if not is_stored(self._project.config):
            return await find_timeline(build, MemoryStore(), self._timelines)
        async with stored(self._project.config, self._log) as store:
            return await find_timeline(build, store, self._timelines)

    async def build(self, targets: Sequence[str], on_progress: OnProgress, *, force: bool) -> TimedReport:
        """Runs a session for this build alone."""

        async def request(engine: Engine) -> BuildRequested:
            return engine.open("build", targets, on_progress, retry=True, force=force)

        return await self._perform(request)

    async def retry(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        """Runs a session for these documents alone; where none failed, there is nothing to run."""

        async def request(engine: Engine) -> BuildRequested | None:
            broken = await engine.broken(targets)
            return engine.open("retry", broken, on_progress, retry=True, lenient=True) if broken else None

        return await self._perform(request)

    async def _perform(self, request: Callable[[Engine], Awaitable[BuildRequested | None]]) -> TimedReport:
        began = SystemClock().monotonic()
        hooks = DaemonHooks(Backoff(self._log), timelines=self._timelines)
        async with (
            open_session(self._project, self._log, build_ids(), hooks, files=self._files) as session,
            anyio.create_task_group() as tasks,
        ):
            engine = session.engine
            asked = await request(engine)
            if asked is None:
                return TimedReport(BuildReport(), 0.0)

            async def run() -> None:
                await engine.run(cause=asked.cause, asked=asked)

            tasks.start_soon(run)
            answer = await engine.answered(asked.ticket, began)
            tasks.cancel_scope.cancel()
        return answer

    async def _dry_run(self, targets: Sequence[str] = (), *, retry: bool = False) -> Engine:
        snapshot = await self._snapshot()
        return await dry_run(self._project, snapshot, targets, retry=retry, past_renders=self._stored_renders)

    async def _snapshot(self) -> Snapshot:
        if not is_stored(self._project.config):
            return Snapshot()
        async with stored(self._project.config, self._log) as store:
            return await store.load()

    async def _stored_renders(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        if not is_stored(self._project.config):
            return ()
        async with stored(self._project.config, self._log) as store:
            return await store.history(document, limit)


def _log_once(project: Project) -> WriteLog:
    """Opens the log only for what must not go unreported: that a damaged database was moved aside."""

    def log(event: str, **fields: Any) -> None:
        secrets = project.config.store.secrets
        logging = configure(project.config.log, project.root, terminal=False, stream=None, secrets=secrets)
        try:
            write_event(logging.log, LogEvent(event), **fields)
        finally:
            logging.close()

    return log


def _warn(message: str, remedy: str) -> None:
    """Warns on standard error, since nobody reads a command's log; characters that steer a terminal are replaced."""
    text = "".join(
        each if each.isprintable() else "�" for each in f"kahnd: warning: {message}{remedy and f' ({remedy})'}"
    )
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr)  # noqa: T201
