"""The daemon: one session after another, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import anyio
from anyio.abc import TaskGroup

from kahnd.config.loader import log_config
from kahnd.core.graph import Graph
from kahnd.core.model import Problem, Snapshot
from kahnd.core.preview import preview
from kahnd.engine import Engine, Patience, questions, resolve
from kahnd.errors import KahndError, StoreCorruptError, StoreLostError
from kahnd.ports import PRESSING
from kahnd.service import present
from kahnd.service.absences import Absences
from kahnd.service.clock import build_ids
from kahnd.service.control import OnProgress, serving
from kahnd.service.events import Event, tell
from kahnd.service.glance import Glance, Onlooker, glance
from kahnd.service.groups import unwrapped
from kahnd.service.limits import allow_files
from kahnd.service.lock import ProjectLock, project_lock
from kahnd.service.logs import configure
from kahnd.service.session import Project, Say, Session, open_session, read_project, stored

T = TypeVar("T")
Json = dict[str, Any]
INTERRUPTED: Final = 130
LOOK_S: Final = 0.5
"""How often the lock and the source folders are looked after."""
FAULT_S: Final = 5.0
"""A fault that comes again within this time has not been over in between."""


def run(root: Path, onlookers: Sequence[Onlooker] = (), stream: TextIO | None = sys.stderr) -> int:
    """Run the daemon in the foreground; its exit code. Raises KahndError for what keeps it from running.

    `onlookers` see what it does; `stream` gets the log beside its file, if there is one.
    """
    project = read_project(root)
    secrets = project.config.store.secrets
    files = allow_files()
    with project_lock(root) as lock:
        terminal = stream is not None and stream.isatty()
        logging = configure(log_config(root, os.environ), root, terminal=terminal, stream=stream, secrets=secrets)

        def say(event: str, **fields: Any) -> None:
            tell(logging.log, Event(event), **fields)
            for each in onlookers:
                each.told(event, fields)

        try:
            with unwrapped():
                return anyio.run(Daemon(project, lock, say, files, onlookers).run)
        finally:
            for each in onlookers:
                each.close()
            logging.close()


class Daemon:
    """Holds the session of the moment, and answers for it on the control socket."""

    def __init__(
        self, project: Project, lock: ProjectLock, say: Say, files: int, onlookers: Sequence[Onlooker] = ()
    ) -> None:
        self._project = project
        self._files = files
        self._lock = lock
        self._say = say
        self._onlookers = onlookers
        self.patience = Patience(say)
        self._absences = Absences(say)
        self._begun = False
        self._session: Session | None = None
        self._opened = anyio.Event()
        self._ended = anyio.Event()
        self._changes, self._dealt_with = 0, 0
        self._changed, self._settled = anyio.Event(), anyio.Event()
        self._ignores_changed = False
        self._stopped_by: int | None = None
        self._sound = True
        self._rescans, self._overflows = 0, 0
        self._ids = build_ids()
        self._mistakes: tuple[Problem, ...] = ()
        self._ended_by = ""
        self._faulty_until = 0.0

    async def run(self) -> int:
        """Run sessions until a signal; 0, or 130 after an interrupt."""
        asyncio.get_running_loop().set_exception_handler(self._on_fault)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._heed_signals, tasks)
            for each in self._onlookers:
                tasks.start_soon(each.follow, self.glance, self._say)
            cause = "start"
            while True:
                await self._live(cause)
                self._lock.renew()
                cause = "the state folder was removed"
        self._say(Event.DAEMON_STOPPED, signal=signal.Signals(self._stopped_by or signal.SIGTERM).name)
        return INTERRUPTED if self._stopped_by == signal.SIGINT else 0

    # What can be asked

    def status(self) -> Json:
        """The answer to `status`, from what is in memory."""
        config, session = self._project.config, self._session
        engine = session.engine if session else None
        now = {
            "pid": os.getpid(),
            "state": self._state(),
            "watch": {
                "backend": session.watcher.backend if session else None,
                "overflows": self._overflows + (session.watcher.overflows if session else 0),
                "rescans": self._rescans + (engine.eyes.rescans if engine else 0),
                "unwatched": list(session.watcher.unwatched) if session else [],
            },
            "store": {"url": config.store.url},
        }
        graph = engine.machine.graph if engine else Graph(self._project.layout, Snapshot())
        return present.status(config.name, str(config.root), graph, engine.last_build if engine else None, **now)

    def glance(self) -> Glance:
        """What goes on, for those who look on."""
        session = self._session
        unwatched = tuple(session.watcher.unwatched) if session else ()
        now = {"trouble": self.trouble(), "unwatched": unwatched, "mistakes": self._mistakes}
        return glance(session.engine if session else None, self._state(), **now)

    def trouble(self) -> str:
        """That the database is away, where it is."""
        return f"the database is away, and waited for: {self.patience.lost}" if self.patience.lost else ""

    async def plan(self, targets: tuple[str, ...]) -> Json:
        """The answer to `plan`."""

        async def ask(engine: Engine) -> Json:
            found = preview(engine.machine)
            if targets:
                found = found.within(await engine.closure(targets))
            return present.plan(found)

        return await self._of_session(ask)

    async def graph(self, targets: tuple[str, ...], *, reverse: bool) -> Json:
        """The answer to `graph`."""

        async def ask(engine: Engine) -> Json:
            graph = engine.machine.graph
            if not targets:
                return present.graph_of(graph, None)
            within = present.dependents(graph, resolve(graph, targets)) if reverse else await engine.closure(targets)
            return present.graph_of(graph, within)

        return await self._of_session(ask)

    async def build(self, targets: tuple[str, ...], *, force: bool, on_progress: OnProgress) -> Json:
        """The answer to `build`."""

        async def ask(engine: Engine) -> Json:
            return present.answered(
                await engine.ask("build", targets, retry=True, force=force, on_progress=on_progress)
            )

        return await self._of_session(ask)

    async def retry(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        """The answer to `retry`."""

        async def ask(engine: Engine) -> Json:
            return present.answered(await engine.retry(targets, on_progress=on_progress))

        return await self._of_session(ask)

    async def why(self, target: str) -> Json:
        """The answer to `why`."""

        async def ask(engine: Engine) -> Json:
            return present.why(await questions.why(engine, target))

        return await self._of_session(ask)

    async def history(self, document: str | None, limit: int) -> Json:
        """The answer to `history`."""

        async def ask(engine: Engine) -> Json:
            return present.history(await questions.history(engine, document, limit))

        return await self._of_session(ask)

    async def wait(self, targets: tuple[str, ...], *, on_progress: OnProgress) -> Json:
        """The answer to `wait`."""

        async def ask(engine: Engine) -> Json:
            return present.answered(await engine.ask("wait", targets, on_progress=on_progress))

        return await self._of_session(ask)

    async def _of_session(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        """Ask the session of the moment; should it end before it has answered, ask the next one."""
        while True:
            await self._opened.wait()
            session, ended = self._session, self._ended
            answers: list[T | KahndError] = []
            if session:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_cancel_after, ended, tasks)
                    answers += await _answer(ask, session.engine, ended)
                    tasks.cancel_scope.cancel()
            for answer in answers:
                if isinstance(answer, KahndError):
                    raise answer
                return answer

    def _state(self) -> str:
        return "degraded" if self.patience.tried else _state(self._session)

    # Sessions

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A socket that can't be accepted for want of files is tried again by the loop, and told once until it can."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in PRESSING:
            loop.default_exception_handler(context)
            return
        if loop.time() > self._faulty_until:
            self._say(Event.CONTROL_FAILED, error=error.strerror, remedy="see to the limit on open files (ulimit -n)")
        self._faulty_until = loop.time() + FAULT_S

    async def _live(self, cause: str) -> None:
        """Answer, and run sessions, for as long as the state folder stays."""
        async with serving(self._project.root, self), anyio.create_task_group() as tasks:
            tasks.start_soon(self._heed_removal, tasks)
            self._say(Event.DAEMON_STARTED, pid=os.getpid(), project=self._project.config.name)
            while not self._lock.lost:
                cause = await self._run_session(cause)
            tasks.cancel_scope.cancel()

    async def _heed_removal(self, tasks: TaskGroup) -> None:
        """End the session once lock and socket can't be found any more: others would believe that no daemon runs."""
        while not self._lock.lost:  # noqa: ASYNC110  who removes a folder tells nobody
            await anyio.sleep(LOOK_S)
        self._say(Event.STATE_REMOVED, remedy="`kahnd clean --state` does it while no daemon runs")
        tasks.cancel_scope.cancel()

    async def _run_session(self, cause: str) -> str:
        """Run a session to its end; the next one's cause.

        A database found damaged is rebuilt by a new session; one that was reached once is waited for.
        """
        self._absences.tell(self._project.config.missing_sources())
        try:
            with unwrapped():
                await self._run_engine(cause)
        except StoreCorruptError as error:
            if not self._sound:
                raise
            self._sound = False
            self._say(Event.STORE_REBUILT, error=str(error))
            return "the database was lost"
        except StoreLostError as error:
            if not self._begun:
                raise
            await self.patience.rest(error)
            return cause
        return self._ended_by

    async def _run_engine(self, cause: str) -> None:
        async with open_session(self._project, self._say, self._ids, self, files=self._files) as session:
            self._begun = True
            self.patience.reward()
            self._session, self._ended = session, anyio.Event()
            self._opened.set()
            try:
                async with anyio.create_task_group() as tasks:
                    self.on_config(ignores=False)  # what was saved since it was read, and before it was watched
                    tasks.start_soon(self._await_reload, tasks)
                    tasks.start_soon(self._await_start, session.engine)
                    tasks.start_soon(self._heed_sources)
                    rescan_s = self._project.config.watch.rescan_s
                    await session.engine.run(cause=cause, watcher=session.watcher, rescan_s=rescan_s)
            finally:
                self._rescans += session.engine.eyes.rescans
                self._overflows += session.watcher.overflows
                self._session, self._opened = None, anyio.Event()
                self._ended.set()

    async def _heed_sources(self) -> None:
        """What is told at a start is told as well when it comes to be so later."""
        while True:
            await anyio.sleep(LOOK_S)
            self._absences.tell(self._project.config.missing_sources())

    async def _await_start(self, engine: Engine) -> None:
        """A session that has come so far has had a sound database: should that be damaged, it is worth another."""
        await engine.started.wait()
        self._sound = True

    def on_config(self, ignores: bool) -> None:  # noqa: FBT001 - a callback
        """Remember that what the session is built on may have changed."""
        self._changes += 1
        self._ignores_changed |= ignores
        self._changed.set()

    async def config_settled(self) -> None:
        """Return once all changes so far are dealt with; where one ends the session, whoever waits is asked again."""
        changes = self._changes
        while self._dealt_with < changes:
            await self._settled.wait()

    async def _await_reload(self, tasks: TaskGroup) -> None:
        """End the session once what it is built on has changed, and can be used."""
        while True:
            await self._changed.wait()
            self._changed, changes = anyio.Event(), self._changes
            reloaded = await self._reload()
            self._dealt_with = changes
            settled, self._settled = self._settled, anyio.Event()
            settled.set()
            if reloaded:
                tasks.cancel_scope.cancel()
                return

    async def _reload(self) -> bool:
        """Take the project as it is now for the next session; False where it is no other, or can't be used."""
        try:
            project = await anyio.to_thread.run_sync(read_project, self._project.root)
            await self._try_store(project)
        except KahndError as error:
            self._mistakes = error.problems
            for problem in error.problems:
                self._say(Event.CONFIG_INVALID, error=str(problem), remedy="the last good configuration stays")
            return False
        other = self._ignores_changed or project != self._project
        if other or self._mistakes:
            self._say(Event.CONFIG_RELOADED, rules=len(project.layout.rules))
        self._ended_by = self._difference(project)
        self._project, self._ignores_changed, self._mistakes = project, False, ()
        return other

    def _difference(self, project: Project) -> str:
        """The next session's cause: what of this one's ground is another now."""
        if project.config != self._project.config:
            return "kahnd.toml changed"
        return "ignore rules changed" if self._ignores_changed else "a plug-in or a program changed"

    async def _try_store(self, project: Project) -> None:
        """Raise StoreError where another database is named that can't be opened."""
        if project.config.store != self._project.config.store:
            async with stored(project.config, self._say):
                return

    async def _heed_signals(self, tasks: TaskGroup) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number == signal.SIGHUP:
                    self.on_config(ignores=False)
                    continue
                self._stopped_by = number
                tasks.cancel_scope.cancel()
                return


async def _answer(ask: Callable[[Engine], Awaitable[T]], engine: Engine, ended: anyio.Event) -> list[T | KahndError]:
    """One answer; none, after the session's end, where that came in between."""
    await engine.started.wait()
    try:
        return [await ask(engine)]
    except (StoreCorruptError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        await ended.wait()
    except KahndError as error:
        if not ended.is_set():
            return [error]
    return []


async def _cancel_after(event: anyio.Event, tasks: TaskGroup) -> None:
    await event.wait()
    tasks.cancel_scope.cancel()


def _state(session: Session | None) -> str:
    if session is None or not session.engine.started.is_set():
        return "scanning"
    engine = session.engine
    if session.watcher.unwatched:
        return "degraded"
    return "idle" if engine.machine.quiet else "rendering"
