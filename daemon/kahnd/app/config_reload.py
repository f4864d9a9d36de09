"""Reloads the configuration: decides whether a change to what a session is built on calls for a new session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import anyio

from kahnd.app.session import Project, WriteLog, read_project, stored
from kahnd.app.systemd_service import SystemdReporter
from kahnd.config.tables import LogTable
from kahnd.core.events import LogEvent
from kahnd.core.model import Problem
from kahnd.errors import KahndError


class ConfigReload:
    """Owns the configuration in force. A broken one is reported, and the last good one stays.

    Changes to kahnd.toml, ignore files, plug-ins and programs are counted; so it is known when all are dealt with.
    """

    def __init__(
        self, project: Project, log: WriteLog, adapt_log: Callable[[LogTable], None], reporter: SystemdReporter
    ) -> None:
        self.project = project
        self.cause = ""
        """Why the last reload ended a session: the cause of the next session's first build."""
        self._log = log
        self._adapt_log = adapt_log
        self._reporter = reporter
        self._refused: KahndError | None = None
        self._forced = ""
        self._reloads = 0
        self._changes, self._handled = 0, 0
        self._changed, self._settled = anyio.Event(), anyio.Event()

    @property
    def problems(self) -> Sequence[Problem]:
        """Why the `kahnd.toml` that was saved last can't be used; empty where it can."""
        return self._refused.problems if self._refused else ()

    @property
    def is_settled(self) -> bool:
        """Tells whether all changes so far are dealt with."""
        return self._handled >= self._changes

    def on_change(self, ignores: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback
        """Counts a possible change (True: of the ignore rules)."""
        if ignores:
            self._forced = "ignore rules changed"
        self._changes += 1
        self._changed.set()

    def renew(self, cause: str) -> None:
        """Begins a new session even if the configuration is the same."""
        self._forced = cause
        self.on_change()

    def request(self) -> None:
        """Has the configuration read again."""
        self._reporter.reloading()
        self.on_change()

    async def reload(self) -> bool:
        """Reads the configuration again; True if anything has changed. Raises KahndError if it can't be used."""
        before = self._reloads
        self.request()
        await self.settled()
        if self._refused:
            raise self._refused
        return self._reloads != before

    async def settled(self) -> None:
        """Returns once all changes so far are dealt with."""
        changes = self._changes
        while self._handled < changes:
            await self._settled.wait()

    async def until_reloaded(self, stopping: Callable[[], bool], on_unchanged: Callable[[], None]) -> None:
        """Deals with changes; returns when one calls for a new session. `on_unchanged` hears of the others."""
        while True:
            await self._changed.wait()
            self._changed, changes = anyio.Event(), self._changes
            reloaded = not stopping() and await self._read()
            self._handled = changes
            settled, self._settled = self._settled, anyio.Event()
            settled.set()
            if reloaded:
                self._reporter.reloading()
                return
            on_unchanged()

    async def _read(self) -> bool:
        """Takes the project as it is now for the next session; False if it has not changed, or can't be used."""
        try:
            project = await anyio.to_thread.run_sync(read_project, self.project.root)
            await self._try_store(project)
        except KahndError as error:
            self._refused = error
            for problem in error.problems:
                self._log(LogEvent.CONFIG_INVALID, error=str(problem), remedy="the last good configuration stays")
            return False
        self._adapt_log(project.config.log)
        changed = bool(self._forced) or project != self.project
        self._reloads += changed
        if changed or self._refused:
            self._log(LogEvent.CONFIG_RELOADED, rules=len(project.layout.rules))
        self.cause = self._difference(project)
        self.project, self._forced, self._refused = project, "", None
        return changed

    def _difference(self, project: Project) -> str:
        if project.config != self.project.config:
            return "kahnd.toml changed"
        return self._forced or "a plug-in or a program changed"

    async def _try_store(self, project: Project) -> None:
        """Raises StoreError if another database is configured and can't be opened."""
        if project.config.store != self.project.config.store:
            async with stored(project.config, self._log):
                return


class MissingSources:
    """Logs each source folder that is missing, once until it is back."""

    def __init__(self, log: WriteLog) -> None:
        self._log = log
        self._reported: frozenset[str] = frozenset()

    def report(self, missing: Collection[Problem]) -> None:
        """Logs what is missing now and was not before."""
        for problem in missing:
            if problem.message not in self._reported:
                self._log(LogEvent.SOURCE_MISSING, error=str(problem))
        self._reported = frozenset(each.message for each in missing)
