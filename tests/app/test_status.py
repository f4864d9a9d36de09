"""A snapshot of a daemon, and the line for people that is made from it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import anyio
import pytest

from engine.fakes import Place, until
from kahnd.app.current_session import CurrentSession
from kahnd.app.session import Session, read_project
from kahnd.app.status import MAX_PROBLEMS, StatusSnapshot, StatusSource, log_fields, summary
from kahnd.core.model import DocumentId, Problem
from kahnd.engine import Backoff, Engine, Liveness
from kahnd.errors import StoreLostError


class Daemon:
    """The parts of a daemon that a snapshot is taken of."""

    def __init__(self, root: Path) -> None:
        (root / "kahnd.toml").write_text('[project]\nname = "book"\nsources = ["docs"]\n')
        project = self.project = read_project(root)
        self.sessions, self.backoff = CurrentSession(), Backoff(lambda _event, **_fields: None)
        self.is_stopping = False
        self.source = StatusSource(
            self.sessions,
            self.backoff,
            Liveness(),
            configured=lambda: (project, ()),
            stopping=lambda: self.is_stopping,
        )

    def take(
        self, engine: Engine | None, unwatched: tuple[str, ...] = (), limit: int | None = MAX_PROBLEMS
    ) -> StatusSnapshot:
        watcher = SimpleNamespace(backend="by hand", overflows=0, unwatched=unwatched, events=3)
        pool, project = SimpleNamespace(busy=1), self.project
        session = SimpleNamespace(engine=engine, watcher=watcher, pool=pool, project=project) if engine else None
        self.sessions.session = cast("Session | None", session)
        return self.source.take(limit)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


def test_before_there_is_a_session_nothing_is_known(daemon: Daemon, tmp_path: Path) -> None:
    now = daemon.take(None)
    assert (now.state, now.counts, now.busy) == ("scanning", {}, True)
    assert (now.daemon.project, now.daemon.root) == ("book", str(tmp_path))
    assert summary(now) == "scanning the sources"
    assert log_fields(now)["queues"] == {}


async def test_a_build_under_way_has_its_cause_its_progress_and_its_active_renders(daemon: Daemon) -> None:
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: engine.ask("build", force=True))
            await until(lambda: bool(engine.workload().jobs))
            now = daemon.take(engine)
            place.pool.gate.set()
        rest = daemon.take(engine)
    assert (now.state, now.build.cause, now.build.done, now.build.total, now.busy) == ("rendering", "build", 0, 2, True)
    assert [(each.document, each.generation) for each in now.build.running] == [("docs/a.md", 0)]
    assert summary(now) == "rendering 0 of 2"
    assert log_fields(now)["jobs"][0]["document"] == "docs/a.md"
    assert (rest.state, rest.build.cause, rest.build.running, rest.busy) == ("idle", "", (), False)
    assert rest.counts["done"] == 2
    assert summary(rest) == "idle: 2 documents, 2 done"


async def test_failed_documents_are_listed_before_blocked_ones(daemon: Daemon) -> None:
    place = Place({"docs/a.md": "output docs/z.md", "docs/z.md": "fail"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        now = daemon.take(engine)
    assert [(each.document, each.because) for each in now.problems] == [
        (DocumentId("docs/z.md"), None),
        (DocumentId("docs/a.md"), DocumentId("docs/z.md")),
    ]
    assert (now.counts["failed"], now.counts["blocked"]) == (1, 1)
    assert summary(now) == "idle: 2 documents, 0 done, 1 failed, 1 blocked"


async def test_of_many_problems_only_the_first_are_described_and_all_are_named(daemon: Daemon) -> None:
    names = [f"docs/{number:03}.md" for number in range(MAX_PROBLEMS + 5)]
    place = Place(dict.fromkeys(names, "fail"))
    async with place.at_work() as engine:
        await engine.ask("wait")
        now, short = daemon.take(engine), daemon.take(engine, limit=0)
    assert [each.document for each in now.problems] == names[:MAX_PROBLEMS]
    assert list(now.broken) == names
    assert (short.problems, short.broken) == ((), ())


async def test_the_reason_for_a_degraded_state_is_in_the_state_and_in_the_line(daemon: Daemon) -> None:
    place = Place({"docs/a.md": "one"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        unwatched = daemon.take(engine, unwatched=("docs", "data"))
        daemon.backoff.error = StoreLostError(Problem("refused"))
        lost = daemon.take(engine)
        daemon.is_stopping = True
        stopping = daemon.take(engine)
    assert unwatched.state == "degraded"
    assert summary(unwatched) == "degraded: 2 folders can't be watched; 1 document, 1 done"
    assert (lost.state, lost.trouble) == ("degraded", "the database is away, and waited for: refused")
    assert summary(lost) == "degraded: the database is away, and waited for"
    assert log_fields(lost)["store"]["lost"] == "refused"
    assert (summary(stopping), stopping.trouble) == ("stopping", "the daemon is stopping")


async def test_missing_documents_are_named_with_some_that_need_them(daemon: Daemon) -> None:
    users = {f"docs/{number}.md": "include docs/gone.txt" for number in range(5)}
    place = Place({"docs/!.md": "leads docs/gone.txt", **users, "docs/z.md": "include docs/lost.txt"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        asked = daemon.take(engine, limit=None).missing
        assert [(each.document, each.needed_by, each.count) for each in asked] == [
            ("docs/gone.txt", ("docs/0.md", "docs/1.md", "docs/2.md"), 5),
            ("docs/lost.txt", ("docs/z.md",), 1),
        ]
        assert daemon.take(engine).missing == ()


async def test_a_snapshot_counts_the_events_and_the_busy_workers(daemon: Daemon) -> None:
    async with Place({"docs/a.md": "one"}).at_work() as engine:
        now = daemon.take(engine)
    assert (now.watch.events, now.load.busy_workers) == (3, 1)
    assert now.load.workers == daemon.project.config.pool.workers >= 1
