"""The daemon: runs one session after another, and answers on the control socket, until a signal stops it."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import anyio
from anyio.abc import TaskGroup

from kahnd.api.handlers import serving
from kahnd.app.config_reload import ConfigReload, MissingSources
from kahnd.app.current_session import CurrentSession, Shutdown
from kahnd.app.daemon_view import DaemonListener, DaemonView
from kahnd.app.graph_model import GraphModel
from kahnd.app.operations import DaemonOperations
from kahnd.app.output_index import OutputIndex
from kahnd.app.session import DaemonHooks, Project, Session, WriteLog, dry_run, open_session, read_project
from kahnd.app.span_export import exporting_spans
from kahnd.app.status import StatusSnapshot, StatusSource, log_fields, summary
from kahnd.app.systemd_service import SystemdReporter
from kahnd.config.loader import log_config
from kahnd.config.tables import LogTable
from kahnd.core.events import LogEvent
from kahnd.core.graph import Graph
from kahnd.core.model import HistoryEntry, Problem
from kahnd.core.timeline import BuildTimeline
from kahnd.engine import (
    Backoff,
    Engine,
    OnProgress,
    PeriodicJob,
    TimedReport,
    Timelines,
    Waits,
    find_timeline,
    past_renders,
)
from kahnd.errors import StoreCorruptError, StoreLostError, unwrap_groups
from kahnd.platform.clock import build_ids
from kahnd.platform.project_lock import ProjectLock, project_lock
from kahnd.platform.resources import ensure_resources
from kahnd.platform.systemd import Notifier
from kahnd.ports import PRESSING
from kahnd.telemetry.event_buffer import EventBuffer
from kahnd.telemetry.log import configure
from kahnd.telemetry.metrics import Metrics

T = TypeVar("T")
CHECK_S: Final = 0.5
"""How often the lock and the source folders are checked."""
ACCEPT_FAULT_S: Final = 5.0
"""Faults of the control socket that are closer together than this are one fault, and logged once."""


def run(root: Path, listeners: Sequence[DaemonListener] = (), stream: TextIO | None = sys.stderr) -> int:
    """Runs the daemon in the foreground, and returns its exit code. Raises KahndError if it can't start.

    `listeners` follow it; the log goes to `stream` as well as to its file.
    """
    notifier = Notifier.from_environ(os.environ)
    faulthandler.enable()  # a watchdog's SIGABRT leaves a traceback in the log
    for number in (signal.SIGHUP, signal.SIGUSR1):  # until the daemon handles them, they must not end the process
        signal.signal(number, lambda *_: None)
    project = read_project(root)
    secrets = project.config.store.secrets
    files = ensure_resources()
    with project_lock(root) as lock:
        events, metrics = EventBuffer(), Metrics()
        logging = configure(
            log_config(root, os.environ),
            root,
            terminal=stream is not None and stream.isatty(),
            stream=stream,
            secrets=secrets,
            sinks=(events.publish,),
        )

        def log(event: str, **fields: Any) -> None:
            logging.write(LogEvent(event), **fields)
            metrics.on_event(event, fields)
            for each in listeners:
                each.on_event(event, fields)

        try:
            with unwrap_groups(), exporting_spans(os.environ, log) as timelines:
                output = DaemonOutput(log, events, logging.adapt, metrics, timelines, listeners)
                return anyio.run(Daemon(project, lock, output, files, notifier).run)
        finally:
            for each in listeners:
                each.close()
            logging.close()


@dataclass(frozen=True, slots=True)
class DaemonOutput:
    """The outputs of a daemon: `log` writes a log line, `events` keeps events for clients, `adapt` changes the log.

    `metrics` counts what happens, and `timelines` keeps when.
    """

    log: WriteLog
    events: EventBuffer
    adapt: Callable[[LogTable], None]
    metrics: Metrics
    timelines: Timelines
    listeners: Sequence[DaemonListener] = ()


class Daemon:
    """Runs sessions and recovers from what ends them: a reload, a lost or damaged database, a removed state folder."""

    def __init__(
        self, project: Project, lock: ProjectLock, output: DaemonOutput, files: int, notifier: Notifier
    ) -> None:
        self._lock = lock
        self._output = output
        self._files = files
        self._ids = build_ids()
        self._sessions = CurrentSession()
        self._reporter = SystemdReporter(
            notifier, output.log, beat=self._beat, status=lambda: summary(self._status.take(0))
        )
        self._shutdown = Shutdown(self, self._reporter, output.log)
        self._config = ConfigReload(project, output.log, output.adapt, self._reporter)
        self._hooks = DaemonHooks(
            Backoff(output.log),
            patient=True,
            timelines=output.timelines,
            on_config=self._config.on_change,
            config_settled=self._config.settled,
            on_store_call=output.metrics.store_answered,
        )
        self._status = StatusSource(
            self._sessions,
            self._hooks.backoff,
            self._hooks.liveness,
            configured=lambda: (self._config.project, self._config.problems),
            stopping=self._shutdown.is_stopping,
        )
        self._missing_sources = MissingSources(output.log)
        self._may_rebuild = True
        """False after a damaged database is rebuilt, until a session has started: it is not rebuilt twice in a row."""

    async def run(self) -> int:
        """Runs until a signal; returns 0, or 130 after an interrupt."""
        asyncio.get_running_loop().set_exception_handler(LoopErrors(self._output.log))
        async with anyio.create_task_group() as beside:  # signals and systemd are served to the very end
            with anyio.CancelScope() as work:
                await beside.start(self._shutdown.handle_signals, work)
                beside.start_soon(self._reporter.run)
                for each in self._output.listeners:
                    beside.start_soon(each.follow, self._view())
                await self._serve_and_restart()
            beside.cancel_scope.cancel()
        self._shutdown.log_end()
        return self._shutdown.exit_code

    def _view(self) -> DaemonView:
        return DaemonView(
            self._status.take,
            self._operations(),
            OutputIndex(self._sessions),
            GraphModel(self._graph),
            self._output.events,
            self._output.metrics,
            self._output.log,
            configured=lambda: self._config.project,
            served=self._status.served,
        )

    def _graph(self) -> Graph | None:
        session = self._sessions.session
        return session.engine.machine.graph if session and session.engine.started.is_set() else None

    def _operations(self) -> DaemonOperations:
        return DaemonOperations(LiveHost(self._sessions, self._config, self._status))

    async def _serve_and_restart(self) -> None:
        cause = "start"
        while True:
            await self._serve(cause)
            self._output.log(LogEvent.STATE_REMOVED, remedy="`kahnd clean --state` does it while no daemon runs")
            self._lock.renew()
            cause = "the state folder was removed"

    async def _serve(self, cause: str) -> None:
        """Answers requests and runs sessions until the state folder is removed."""
        config = self._config.project.config
        async with serving(config.root, self._operations(), self._output.events), anyio.create_task_group() as tasks:
            check = PeriodicJob("check the lock", CHECK_S, partial(self._check_lock, tasks))
            tasks.start_soon(check.repeat, name=check.name)
            output = config.layout.output
            self._output.log(LogEvent.DAEMON_STARTED, pid=os.getpid(), project=config.name, output=output)
            while not self._lock.lost:
                cause = await self._run_session(cause)
            tasks.cancel_scope.cancel()

    async def _check_lock(self, tasks: TaskGroup) -> None:
        """Ends the session once lock and socket are gone: other processes would believe that no daemon runs."""
        if self._lock.lost:
            tasks.cancel_scope.cancel()

    async def _run_session(self, cause: str) -> str:
        """Runs a session to its end, and returns the cause of the next one.

        A damaged database is rebuilt by a new session. A database that was reached once is waited for when it is lost.
        """
        await self._check_sources()
        try:
            with unwrap_groups():
                await self._run_engine(cause)
        except StoreCorruptError as error:
            if not self._may_rebuild:
                raise
            self._may_rebuild = False
            self._output.log(LogEvent.STORE_REBUILT, error=str(error))
            return "the database was lost"
        except StoreLostError as error:
            if not self._sessions.has_begun:
                raise
            await self._hooks.backoff.wait(error)
            self._hooks.liveness.progress(Waits.SESSION)
            return cause
        return self._config.cause

    async def _run_engine(self, cause: str) -> None:
        project = self._config.project
        async with open_session(project, self._output.log, self._ids, self._hooks, files=self._files) as session:
            self._hooks.backoff.reset()
            with self._sessions.holding(session):
                async with anyio.create_task_group() as tasks:
                    self._config.on_change()  # it may have been saved after it was read, and before it was watched
                    tasks.start_soon(self._end_on_reload, tasks)
                    tasks.start_soon(self._after_start, session)
                    check = PeriodicJob("look for missing source folders", CHECK_S, self._check_sources)
                    tasks.start_soon(check.repeat, name=check.name)
                    dates = PeriodicJob(
                        "look for pages whose date has come", CHECK_S, partial(self._check_dates, session)
                    )
                    tasks.start_soon(dates.repeat, name=dates.name)
                    rescan_s = project.config.watch.rescan_s
                    await session.engine.run(cause=cause, watcher=session.watcher, rescan_s=rescan_s)

    async def _check_dates(self, session: Session) -> None:
        """Begins a new session once a page's date has come: what is rendered is fixed for a session."""
        if self._config.problems:
            return
        if session.engine.machine.graph.appearances.earliest <= time.time():
            self._config.renew("the date of a page has come")

    async def _end_on_reload(self, tasks: TaskGroup) -> None:
        await self._config.until_reloaded(self._shutdown.is_stopping, self._report_ready)
        tasks.cancel_scope.cancel()

    async def _check_sources(self) -> None:
        self._missing_sources.report(self._config.project.config.missing_sources())

    async def _after_start(self, session: Session) -> None:
        """Starts idle workers, and has the database release memory; before the start both would only delay it."""
        await session.engine.started.wait()
        self._may_rebuild = True
        session.pool.keep_ready()
        self._report_ready()
        await session.engine.store_writer.relax()

    def _report_ready(self) -> None:
        """Tells systemd, if the session has started and no change of the configuration is left to deal with."""
        session = self._sessions.session
        if session and session.engine.started.is_set() and self._config.is_settled:
            self._reporter.ready()

    def _beat(self) -> str:
        session = self._sessions.session
        return session.engine.beat() if session else self._hooks.liveness.hung()

    # For signals: fulfils `shutdown.Work`

    def reload(self) -> None:
        """Has the configuration read again."""
        self._config.request()

    def unfinished(self) -> tuple[Engine, anyio.Event] | None:
        """Returns the engine and its session's end; None where results could not be stored."""
        session, backoff = self._sessions.session, self._hooks.backoff
        return (session.engine, self._sessions.ended) if session and not backoff.is_waiting else None

    def grace_s(self) -> float:
        """Returns how long renderings may take to finish."""
        return self._config.project.config.pool.grace_s

    def state(self) -> dict[str, Any]:
        """Returns the fields of a `daemon.state` log line."""
        return log_fields(self._status.take(0))


class LiveHost:
    """Puts operations to the session of the moment. Fulfils `operations.DaemonHost`."""

    def __init__(self, sessions: CurrentSession, config: ConfigReload, status: StatusSource) -> None:
        self._sessions = sessions
        self._config = config
        self._status = status

    @property
    def config_problems(self) -> Sequence[Problem]:
        """Why the `kahnd.toml` that was saved last can't be used; empty where it can."""
        return self._config.problems

    def trouble(self) -> str:
        """Tells why no answer comes for now; empty where one does."""
        return self._status.take(0).trouble

    async def status(self) -> StatusSnapshot:
        """Takes a snapshot from what is in memory."""
        return self._status.take(None)

    async def ask(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        """Asks the session of the moment, or the next one if it ends before it has answered."""
        return await self._sessions.ask(question)

    async def dry_run(self, targets: Sequence[str]) -> Engine:
        """Runs dry over a copy of what the session knows: it finds changes and lost outputs that nobody reported."""

        async def rehearse(engine: Engine) -> Engine:
            with unwrap_groups():
                return await dry_run(self._config.project, engine.machine.graph.snapshot(), targets, retry=True)

        return await self.ask(rehearse)

    async def past_renders(self, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Returns past renders, newest first."""
        return await self.ask(lambda engine: past_renders(engine.machine.graph, engine.past_renders, target, limit))

    async def timeline(self, build: str) -> BuildTimeline:
        """Returns the renderings of a build, from memory or the database."""
        return await self.ask(lambda engine: find_timeline(build, engine, engine.timelines))

    async def build(self, targets: Sequence[str], on_progress: OnProgress, *, force: bool) -> TimedReport:
        """Brings the targets up to date."""
        return await self.ask(
            lambda engine: engine.ask("build", targets, on_progress=on_progress, retry=True, force=force)
        )

    async def retry(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        """Renders what failed again."""
        return await self.ask(lambda engine: engine.retry(targets, on_progress=on_progress))

    async def wait(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        """Waits until every change made before is rendered."""
        return await self.ask(lambda engine: engine.ask("wait", targets, on_progress=on_progress))

    async def reload(self) -> bool:
        """Reads the configuration again."""
        return await self._config.reload()

    def prefer(self, documents: Collection[str]) -> None:
        """Has these documents rendered before all others."""
        self._sessions.prefer(documents)


class LoopErrors:
    """The event loop's exception handler."""

    def __init__(self, log: WriteLog) -> None:
        self._log = log
        self._faulty_until = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Logs a connection that can't be accepted for want of files, once until it can; the loop tries it again."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in PRESSING:
            loop.default_exception_handler(context)
            return
        if loop.time() > self._faulty_until:
            self._log(
                LogEvent.CONTROL_FAILED, error=error.strerror, remedy="see to the limit on open files (ulimit -n)"
            )
        self._faulty_until = loop.time() + ACCEPT_FAULT_S
