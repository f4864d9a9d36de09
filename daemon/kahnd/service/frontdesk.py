"""A daemon's answers: what is asked on the control socket, put to the session of the moment."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from kahnd.core.graph import Graph
from kahnd.core.model import Problem, Snapshot
from kahnd.core.preview import preview
from kahnd.engine import Engine, OnProgress, questions, resolve
from kahnd.service import present
from kahnd.service.api import routes, shapes
from kahnd.service.groups import unwrapped
from kahnd.service.rehearsal import rehearsed
from kahnd.service.session import Project, Session

T = TypeVar("T")


class Household(Protocol):
    """What of a daemon is asked about. `overflows` and `rescans`: in the sessions that are over."""

    overflows: int
    rescans: int

    @property
    def project(self) -> Project:
        """As it is configured now."""
        ...

    @property
    def session(self) -> Session | None:
        """The session of the moment, if there is one."""
        ...

    @property
    def state(self) -> shapes.State:
        """In a word."""
        ...

    @property
    def mistakes(self) -> Sequence[Problem]:
        """Why the `kahnd.toml` that was saved last can't be used; none where it can."""
        ...

    def trouble(self) -> str:
        """What keeps an answer from coming for now, if anything does."""
        ...

    async def of_session(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        """Ask the session of the moment; should it end before it has answered, the next one."""
        ...

    async def reloaded(self) -> bool:
        """Read the configuration again; whether anything is another now. Raises KahndError where it can't be used."""
        ...


class FrontDesk:
    """Fulfils api.server.Desk."""

    def __init__(self, household: Household) -> None:
        self._of = household

    def trouble(self) -> str:
        """What keeps an answer from coming for now, if anything does."""
        return self._of.trouble()

    async def status(self, _: routes.NoRequest, /) -> shapes.DaemonStatus:
        """The answer to `status`, from what is in memory."""
        session, config = self._of.session, self._of.project.config
        engine = session.engine if session else None
        watcher = session.watcher if session else None
        return present.status(
            config.name,
            str(config.root),
            engine.machine.graph if engine else Graph(self._of.project.layout, Snapshot()),
            engine.last_build if engine else None,
            pid=os.getpid(),
            state=self._of.state,
            watch=shapes.Watch(
                backend=watcher.backend if watcher else None,
                overflows=self._of.overflows + (watcher.overflows if watcher else 0),
                rescans=self._of.rescans + (engine.eyes.rescans if engine else 0),
                unwatched=watcher.unwatched if watcher else (),
            ),
            store=config.store.url,
            mistakes=self._of.mistakes,
        )

    async def plan(self, asked: shapes.PlanRequest, /) -> shapes.Plan:
        """The answer to `plan`."""

        async def ask(engine: Engine) -> shapes.Plan:
            """As without a daemon: a build tries failed documents again, and looks for changes and lost outputs."""
            with unwrapped():
                known = engine.machine.graph.snapshot()
                found = await rehearsed(self._of.project, known, tuple(asked.target), retry=True)
            return present.plan(preview(found.machine))

        return await self._told(ask)

    async def graph(self, asked: shapes.GraphRequest, /) -> shapes.Graph:
        """The answer to `graph`."""

        async def ask(engine: Engine) -> shapes.Graph:
            graph, targets = engine.machine.graph, asked.target
            if not targets:
                return present.graph_of(graph, None)
            reverse = asked.reverse
            within = present.dependents(graph, resolve(graph, targets)) if reverse else await engine.closure(targets)
            return present.graph_of(graph, within)

        return await self._told(ask)

    async def why(self, asked: shapes.WhyRequest, /) -> shapes.Why:
        """The answer to `why`."""

        async def ask(engine: Engine) -> shapes.Why:
            return present.why(await questions.why(engine, asked.target))

        return await self._told(ask)

    async def history(self, asked: shapes.HistoryRequest, /) -> shapes.History:
        """The answer to `history`."""

        async def ask(engine: Engine) -> shapes.History:
            return present.history(await questions.history(engine, asked.document, asked.limit))

        return await self._told(ask)

    async def build(self, asked: shapes.BuildRequest, on_progress: OnProgress, /) -> shapes.Report:
        """The answer to `build`."""

        async def ask(engine: Engine) -> shapes.Report:
            how = {"retry": True, "force": asked.force}
            return present.answered(await engine.ask("build", asked.targets, on_progress=on_progress, **how))

        return await self._told(ask)

    async def retry(self, asked: shapes.RetryRequest, on_progress: OnProgress, /) -> shapes.Report:
        """The answer to `retry`."""

        async def ask(engine: Engine) -> shapes.Report:
            return present.answered(await engine.retry(asked.targets, on_progress=on_progress))

        return await self._told(ask)

    async def wait(self, asked: shapes.WaitRequest, on_progress: OnProgress, /) -> shapes.Report:
        """The answer to `wait`."""

        async def ask(engine: Engine) -> shapes.Report:
            return present.answered(await engine.ask("wait", asked.targets, on_progress=on_progress))

        return await self._told(ask)

    async def _told(self, ask: Callable[[Engine], Awaitable[present.C]]) -> present.C:
        """The session's answer, and with it what is wrong with kahnd.toml by then."""
        return present.configured(await self._of.of_session(ask), self._of.mistakes)

    async def reload(self, _: shapes.ReloadRequest, /) -> shapes.Reloaded:
        """The answer to `reload`."""
        return shapes.Reloaded(await self._of.reloaded())
