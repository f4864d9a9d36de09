"""The operations over a host with an engine in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from engine.fakes import Place
from kahnd.api import routes, schemas
from kahnd.app.operations import Operations
from kahnd.app.status import StatusSnapshot
from kahnd.core.model import HistoryEntry, Problem
from kahnd.core.timeline import BuildTimeline
from kahnd.engine import Engine, OnProgress, TimedReport, find_timeline, past_renders

T = TypeVar("T")


class EngineHost:
    """Fulfils `operations.Host` with one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.config_problems: tuple[Problem, ...] = ()

    async def status(self) -> StatusSnapshot:
        return StatusSnapshot("idle", config_problems=self.config_problems)

    async def ask(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        return await question(self.engine)

    async def dry_run(self, targets: Sequence[str]) -> Engine:
        return self.engine

    async def past_renders(self, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
        return await past_renders(self.engine.machine.graph, self.engine.past_renders, target, limit)

    async def timeline(self, build: str) -> BuildTimeline:
        return await find_timeline(build, self.engine, self.engine.timelines)

    async def build(self, targets: Sequence[str], on_progress: OnProgress, *, force: bool) -> TimedReport:
        return await self.engine.ask("build", targets, on_progress=on_progress, retry=True, force=force)

    async def retry(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        return await self.engine.retry(targets, on_progress=on_progress)


def _ignore(_done: int, _total: int, _document: str) -> None: ...


async def test_each_operation_gives_its_typed_answer() -> None:
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/c.md": "fail"})
    async with place.at_work() as engine:
        operations = Operations(EngineHost(engine))
        built = await operations.build(schemas.BuildRequest(force=True), _ignore)
        retried = await operations.retry(schemas.RetryRequest(), _ignore)
        plan = await operations.plan(schemas.PlanRequest())
        why = await operations.why(schemas.WhyRequest("docs/b.md"))
        history = await operations.history(schemas.HistoryRequest("docs/b.md", 1))
    assert set(built.rendered) == {"docs/a.md", "docs/b.md"}
    assert [each.document for each in retried.failed] == ["docs/c.md"]
    assert plan.generations == ()
    assert (why.document, why.status) == ("docs/b.md", "DONE")
    assert [each.document for each in history.history] == ["docs/b.md"]


async def test_a_graph_is_whole_or_of_a_targets_dependencies_or_dependents() -> None:
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/c.md": "two"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        operations = Operations(EngineHost(engine))
        whole = await operations.graph(schemas.GraphRequest())
        needed = await operations.graph(schemas.GraphRequest(("docs/b.md",)))
        dependents = await operations.graph(schemas.GraphRequest(("docs/a.md",), reverse=True))
        alone = await operations.graph(schemas.GraphRequest(("docs/a.md",)))
    assert [len(each.nodes) for each in (whole, needed, dependents, alone)] == [3, 2, 2, 1]


async def test_every_answer_reports_a_broken_configuration() -> None:
    place = Place({"docs/a.md": "one"})
    async with place.at_work() as engine:
        host = EngineHost(engine)
        host.config_problems = (Problem("unknown key", "kahnd.toml", 3),)
        operations = Operations(host)
        answers: list[schemas.Configured] = [
            await operations.status(routes.NoRequest()),
            await operations.plan(schemas.PlanRequest()),
            await operations.graph(schemas.GraphRequest()),
            await operations.history(schemas.HistoryRequest()),
            await operations.build(schemas.BuildRequest(), _ignore),
        ]
    assert {each.config_error for each in answers} == {"kahnd.toml:3: unknown key"}
