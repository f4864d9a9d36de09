"""The daemon: one session after another, until it is told to stop."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import anyio
from anyio.abc import TaskGroup

from kahnd.config.loader import log_config
from kahnd.config.values import LogConfig
from kahnd.core.model import Problem
from kahnd.engine import Engine, Patience, Pulse, Waits
from kahnd.errors import KahndError, StoreCorruptError, StoreLostError
from kahnd.service import standing
from kahnd.service.absences import Absences
from kahnd.service.api import shapes
from kahnd.service.api.server import serving
from kahnd.service.broadcast import Broadcast
from kahnd.service.clock import build_ids
from kahnd.service.ending import Ending
from kahnd.service.events import Event
from kahnd.service.faults import Faults
from kahnd.service.frontdesk import FrontDesk
from kahnd.service.glance import Glance, Onlooker, glance
from kahnd.service.groups import cancel_after, unwrapped
from kahnd.service.herald import Herald
from kahnd.service.limits import claim
from kahnd.service.lock import ProjectLock, project_lock
from kahnd.service.logs import configure
from kahnd.service.notify import Notifier
from kahnd.service.session import Project, Say, Session, open_session, read_project, stored

T = TypeVar("T")
Json = dict[str, Any]
LOOK_S: Final = 0.5
"""How often the lock and the source folders are looked after."""


def run(root: Path, onlookers: Sequence[Onlooker] = (), stream: TextIO | None = sys.stderr) -> int:
    """Run the daemon in the foreground; its exit code. Raises KahndError for what keeps it from running.

    `onlookers` see what it does; `stream` gets the log beside its file, if there is one.
    """
    notifier = Notifier.take(os.environ)
    faulthandler.enable()  # a watchdog's SIGABRT leaves in the log where it hung
    for number in (signal.SIGHUP, signal.SIGUSR1):  # before they mean something they mean nothing: no end, least of all
        signal.signal(number, lambda *_: None)
    project = read_project(root)
    secrets = project.config.store.secrets
    files = claim()
    with project_lock(root) as lock:
        broadcast = Broadcast()
        logging = configure(
            log_config(root, os.environ),
            root,
            terminal=stream is not None and stream.isatty(),
            stream=stream,
            secrets=secrets,
            listeners=(broadcast.publish,),
        )

        def say(event: str, **fields: Any) -> None:
            logging.tell(Event(event), **fields)
            for each in onlookers:
                each.told(event, fields)

        try:
            with unwrapped():
                voice = Voice(say, broadcast, logging.adapt, onlookers)
                return anyio.run(Daemon(project, lock, voice, files, notifier).run)
        finally:
            for each in onlookers:
                each.close()
            logging.close()


@dataclass(frozen=True, slots=True)
class Voice:
    """What a daemon says, and who hears it."""

    say: Say
    broadcast: Broadcast
    adapt: Callable[[LogConfig], None]
    """Log as this says from now on."""
    onlookers: Sequence[Onlooker] = ()


class Daemon:
    """Holds the session of the moment, and answers for it on the control socket."""

    def __init__(self, project: Project, lock: ProjectLock, voice: Voice, files: int, notifier: Notifier) -> None:
        self._project = project
        self._files = files
        self._lock = lock
        self._say = say = voice.say
        self._adapt = voice.adapt
        self._broadcast, self._onlookers = voice.broadcast, voice.onlookers
        self.patience = Patience(say)
        self.pulse = Pulse()
        self._herald = Herald(notifier, say, self._beat, self._standing)
        self._ending = Ending(self, self._herald, say)
        self._absences = Absences(say)
        self._begun = False
        self._session: Session | None = None
        self._opened = anyio.Event()
        self._ended = anyio.Event()
        self._desk = FrontDesk(self)
        self._changes, self._dealt_with = 0, 0
        self._changed, self._settled = anyio.Event(), anyio.Event()
        self._ignores_changed = False
        self._sound = True
        self.rescans, self.overflows = 0, 0
        self._ids = build_ids()
        self._refused: KahndError | None = None
        self._reloads = 0
        self._ended_by = ""

    async def run(self) -> int:
        """Run sessions until a signal; 0, or 130 after an interrupt."""
        asyncio.get_running_loop().set_exception_handler(Faults(self._say))
        async with anyio.create_task_group() as beside:  # signals are heeded, and the manager is told, to the very end
            with anyio.CancelScope() as work:
                await beside.start(self._ending.heed, work)
                beside.start_soon(self._herald.run)
                for each in self._onlookers:
                    beside.start_soon(each.follow, self.glance, self._say)
                await self._work()
            beside.cancel_scope.cancel()
        self._ending.told()
        return self._ending.exit_code

    async def _work(self) -> None:
        cause = "start"
        while True:
            await self._live(cause)
            self._lock.renew()
            cause = "the state folder was removed"

    # What can be asked

    @property
    def project(self) -> Project:
        """As it is configured now."""
        return self._project

    @property
    def session(self) -> Session | None:
        """The session of the moment, if there is one."""
        return self._session

    @property
    def state(self) -> shapes.State:
        """In a word."""
        return standing.word(self._session, self.patience)

    @property
    def mistakes(self) -> Sequence[Problem]:
        """Why the `kahnd.toml` that was saved last can't be used; none where it can."""
        return self._refused.problems if self._refused else ()

    def glance(self) -> Glance:
        """What goes on, for those who look on."""
        session = self._session
        unwatched = tuple(session.watcher.unwatched) if session else ()
        now = {"trouble": self.trouble(), "unwatched": unwatched, "mistakes": self.mistakes}
        return glance(session.engine if session else None, self.state, **now)

    def trouble(self) -> str:
        """That the database is away, where it is, or that it ends."""
        if self._ending.by:
            return "the daemon is stopping"
        return f"the database is away, and waited for: {self.patience.lost}" if self.patience.lost else ""

    async def reloaded(self) -> bool:
        """Read the configuration again; whether anything is another now. Raises KahndError where it can't be used."""
        before = self._reloads
        self.reload()
        await self.config_settled()
        if self._refused:
            raise self._refused
        return self._reloads != before

    async def of_session(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        """Ask the session of the moment; should it end before it has answered, ask the next one."""
        while True:
            await self._opened.wait()
            session, ended = self._session, self._ended
            answers: list[T | KahndError] = []
            if session:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel_after, ended, tasks)
                    answers += await _answer(ask, session.engine, ended)
                    tasks.cancel_scope.cancel()
            for answer in answers:
                if isinstance(answer, KahndError):
                    raise answer
                return answer

    # Sessions

    async def _live(self, cause: str) -> None:
        """Answer, and run sessions, for as long as the state folder stays."""
        async with serving(self._project.root, self._desk, self._broadcast), anyio.create_task_group() as tasks:
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
            self.pulse.sign(Waits.SESSION)
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
                    tasks.start_soon(self._await_start, session)
                    tasks.start_soon(self._heed_sources)
                    rescan_s = self._project.config.watch.rescan_s
                    await session.engine.run(cause=cause, watcher=session.watcher, rescan_s=rescan_s)
            finally:
                self.rescans += session.engine.eyes.rescans
                self.overflows += session.watcher.overflows
                self._session, self._opened = None, anyio.Event()
                self._ended.set()

    async def _heed_sources(self) -> None:
        """What is told at a start is told as well when it comes to be so later."""
        while True:
            await anyio.sleep(LOOK_S)
            self._absences.tell(self._project.config.missing_sources())

    async def _await_start(self, session: Session) -> None:
        """A session that has come so far has had a sound database: should that be damaged, it is worth another.

        Workers are started now, and the database gives back what it has taken: earlier they would only hold that up.
        """
        await session.engine.started.wait()
        self._sound = True
        session.pool.keep_ready()
        self._tell_ready()
        await session.engine.keeper.relax()

    def _tell_ready(self) -> None:
        """Once a session has started, and what it is built on is as it was then."""
        if self._session and self._session.engine.started.is_set() and self._dealt_with >= self._changes:
            self._herald.ready()

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
            reloaded = not self._ending.by and await self._reload()
            self._dealt_with = changes
            settled, self._settled = self._settled, anyio.Event()
            settled.set()
            if reloaded:
                self._herald.reloading()
                tasks.cancel_scope.cancel()
                return
            self._tell_ready()

    async def _reload(self) -> bool:
        """Take the project as it is now for the next session; False where it is no other, or can't be used."""
        try:
            project = await anyio.to_thread.run_sync(read_project, self._project.root)
            await self._try_store(project)
        except KahndError as error:
            self._refused = error
            for problem in error.problems:
                self._say(Event.CONFIG_INVALID, error=str(problem), remedy="the last good configuration stays")
            return False
        self._adapt(project.config.log)
        other = self._ignores_changed or project != self._project
        self._reloads += other
        if other or self._refused:
            self._say(Event.CONFIG_RELOADED, rules=len(project.layout.rules))
        self._ended_by = self._difference(project)
        self._project, self._ignores_changed, self._refused = project, False, None
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

    # What signals and the service manager want

    def reload(self) -> None:
        """Read the configuration again."""
        self._herald.reloading()
        self.on_config(ignores=False)

    def to_finish(self) -> tuple[Engine, anyio.Event] | None:
        """The engine, unless what came of its renderings could not be kept."""
        return (self._session.engine, self._ended) if self._session and not self.patience.tried else None

    def grace_s(self) -> float:
        """How long renderings may take to end."""
        return self._project.config.pool.grace_s

    def dump(self) -> Json:
        """How things are, for the log."""
        return standing.full(self.patience, self._session, self.pulse, self._project.config.store.url)

    def _standing(self) -> str:
        if self._ending.by:
            return standing.ending(self._session)
        return standing.line(self._session, self.patience)

    def _beat(self) -> str:
        return self._session.engine.beat() if self._session else self.pulse.hung()


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
