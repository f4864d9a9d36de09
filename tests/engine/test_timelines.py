"""What the engine records of its builds: bounded, and found by a build's name."""

from __future__ import annotations

import pytest

from engine.fakes import HandWatcher, Place, until
from kahnd.core.model import BuildId, BuildRecord, Digest, DocumentId, Job, OutputPath, Rendered, RunId
from kahnd.core.scheduler import Readiness
from kahnd.core.timeline import BuildTimeline, Ending
from kahnd.engine import Timelines, find_timeline
from kahnd.engine.timelines import WorkerTime
from kahnd.errors import UsageError
from kahnd.store.memory_store import MemoryStore

CHAIN = {"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/c.md": "output docs/b.md", "docs/x.md": "fail"}


def endings(timeline: BuildTimeline) -> dict[str, Ending]:
    return {each.document: each.ending for each in timeline.spans}


def record(build: str) -> BuildRecord:
    return BuildRecord(BuildId(build), "save", "2026-01-31T12:00:00.000Z", 5.0, 1, 0, 0, 0, 0, 1)


def job(run: int) -> Job:
    return Job(RunId(run), DocumentId("docs/a.md"), Digest("0"), 0, OutputPath("site/a.html"), ".kahnd/stages/1/a")


def render(timelines: Timelines, run: int) -> None:
    timelines.ended(job(run), Readiness(0.0), Rendered(Digest("1")), WorkerTime(1.0, 0.5, 0))


async def test_each_rendering_of_a_build_has_its_times_and_what_it_waited_for() -> None:
    place = Place(CHAIN)
    async with place.at_work() as engine:
        await engine.ask("wait")
        timeline = await find_timeline("last", engine, engine.timelines)
    spans = {str(each.document): each for each in timeline.spans}
    assert {name: each.after for name, each in spans.items()} == {
        "docs/a.md": None,
        "docs/b.md": "docs/a.md",
        "docs/c.md": "docs/b.md",
        "docs/x.md": None,
    }
    assert [spans[each].generation for each in ("docs/a.md", "docs/b.md", "docs/c.md")] == [0, 1, 2]
    assert endings(timeline) == dict.fromkeys(spans, Ending.RENDERED) | {"docs/x.md": Ending.FAILED}
    assert [each for each in spans if spans[each].critical] == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert all(each.ready_ms <= each.started_ms <= each.ended_ms for each in timeline.spans)
    assert (timeline.cause, timeline.running) == ("start", False)


async def test_a_rendering_that_a_save_overtook_is_shown_as_cancelled() -> None:
    place = Place({"docs/a.md": "one"}, watcher=HandWatcher())
    place.pool.held = {"docs/a.md"}
    async with place.at_work() as engine:
        await until(lambda: "docs/a.md" in place.pool.begun)
        place.pool.held = set()
        place.save("docs/a.md", "two")
        await engine.ask("wait")
        timeline = await find_timeline("last", engine, engine.timelines)
    assert sorted(each.ending for each in timeline.spans) == [Ending.CANCELLED, Ending.RENDERED]


async def test_the_history_has_the_same_timeline_once_the_memory_has_not() -> None:
    place = Place(CHAIN)
    async with place.at_work() as engine:
        await engine.ask("wait")
        recent = await find_timeline("last", engine, engine.timelines)
        stored = await find_timeline("last", engine, Timelines())
    assert stored.from_history
    assert endings(stored) == endings(recent)
    assert {each.document: (each.after, each.generation, each.critical) for each in stored.spans} == {
        each.document: (each.after, each.generation, each.critical) for each in recent.spans
    }


def test_the_oldest_builds_are_forgotten_when_there_are_too_many_renderings() -> None:
    timelines = Timelines(max_renders=3)
    for number in range(4):
        timelines.begin(BuildId(f"b{number}"), "save", "2026-01-31T12:00:00.000Z", 0.0)
        render(timelines, number)
        timelines.end(record(f"b{number}"))
    assert [each.build for each in timelines.newest_first()] == ["b3", "b2", "b1"]


def test_a_build_of_more_renderings_than_are_kept_counts_those_left_out() -> None:
    timelines = Timelines(max_renders=3)
    timelines.begin(BuildId("b1"), "save", "2026-01-31T12:00:00.000Z", 0.0)
    for number in range(5):
        render(timelines, number)
    (build,) = timelines.newest_first()
    assert (len(build), build.timeline(1.0).left_out) == (3, 2)


def test_only_so_many_builds_are_kept_though_they_render_nothing() -> None:
    timelines = Timelines(max_builds=2)
    for number in range(4):
        timelines.begin(BuildId(f"b{number}"), "save", "2026-01-31T12:00:00.000Z", 0.0)
        timelines.end(record(f"b{number}"))
    assert [each.build for each in timelines.newest_first()] == ["b3", "b2"]


def test_a_rendering_that_no_worker_took_up_is_not_shown() -> None:
    timelines = Timelines()
    timelines.begin(BuildId("b1"), "save", "2026-01-31T12:00:00.000Z", 10.0)
    for ended, seconds in ((11.0, 0.0), (10.5, 2.0), (12.0, 0.5)):
        timelines.ended(job(1), Readiness(10.0), None, WorkerTime(ended, seconds, 0))
    (only,) = timelines.newest_first()[0].timeline(13.0).spans
    assert (only.ending, only.started_ms, only.ended_ms) == (Ending.CANCELLED, 1500, 2000)


def test_a_build_whose_session_ended_is_not_under_way_for_ever() -> None:
    timelines = Timelines()
    for number, began in enumerate((1.0, 3.0)):
        timelines.begin(BuildId(f"b{number}"), "save", "2026-01-31T12:00:00.000Z", began)
    latest, first = (each.timeline(4.0) for each in timelines.newest_first())
    assert (latest.running, first.running, first.duration_ms) == (True, False, 2000)


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    for build in ("20260131T120000000-1", "20260131T120000000-2", "20260201T080000000-1"):
        await store.commit((), record(build))
    return store


async def test_a_build_is_found_by_the_beginning_of_its_id(store: MemoryStore) -> None:
    assert (await find_timeline("202602", store, Timelines())).build == "20260201T080000000-1"
    assert (await find_timeline("20260131T120000000-1", store, Timelines())).build == "20260131T120000000-1"


async def test_an_unknown_build_is_an_error_that_names_the_newest(store: MemoryStore) -> None:
    with pytest.raises(UsageError) as raised:
        await find_timeline("2025", store, Timelines())
    (problem,) = raised.value.problems
    assert problem.message == "there is no build 2025"
    assert problem.remedy.startswith("the newest: 20260201T080000000-1, ")


async def test_a_beginning_that_several_ids_have_is_an_error_that_names_them(store: MemoryStore) -> None:
    with pytest.raises(UsageError) as raised:
        await find_timeline("202601", store, Timelines())
    (problem,) = raised.value.problems
    assert problem.message == "there are 2 builds whose ids begin with 202601"
    assert "20260131T120000000-2" in problem.remedy


async def test_where_nothing_was_rendered_there_is_no_last_build() -> None:
    with pytest.raises(UsageError, match="nothing was rendered yet"):
        await find_timeline("last", MemoryStore(), Timelines())
