"""The engine over everything in memory: who asks is answered, in time and in order."""

from __future__ import annotations

import anyio
import pytest

from engine.fakes import HandWatcher, Place, until
from kahnd.core.events import BeginBuild, Command, Commit, Log, LogEvent, Publish, Remove, StagedOutput
from kahnd.core.model import BuildId, Digest, DocumentId, OutputPath, RunId, Status
from kahnd.engine import Engine
from kahnd.engine.loop import urgent_first
from kahnd.errors import StoreLostError, UsageError
from kahnd.ports import Batch

PAIR = {"docs/a.md": "one", "docs/b.md": "output docs/a.md"}


async def test_a_first_session_renders_everything() -> None:
    place = Place(PAIR)
    async with place.at_work() as engine:
        answer = await engine.ask("wait")
    assert place.outputs.files.texts == {"site/a.html": "one ", "site/b.html": "one "}
    assert answer.duration_ms > 0
    assert [event for event, _ in place.log.lines if event.startswith(("scan", "build"))] == [
        "scan.finished",
        "build.started",
        "build.finished",
    ]


async def test_a_session_with_a_target_returns_its_report() -> None:
    place = Place(PAIR)
    asked = place.engine.open("build", ["site/b.html"], force=False, on_progress=None)
    async with place.at_work(asked) as engine:
        answer = await engine.answered(asked.ticket, 0)
    assert answer.report.rendered == ("docs/a.md", "docs/b.md")


async def test_a_session_begun_for_an_unknown_target_raises() -> None:
    place = Place(PAIR)
    asked = place.engine.open("build", ["docs/nowhere.md"], force=False, on_progress=None)
    with pytest.raises(BaseExceptionGroup) as raised:
        async with place.at_work(asked):
            pass
    assert raised.group_contains(UsageError)


async def test_a_document_whose_facts_are_refused_has_failed_until_it_is_saved() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    place.store.refuses = {"docs/a.md"}
    async with place.at_work() as engine:
        report = (await engine.ask("wait", retry=True, force=True)).report
        assert [(document, problem.message) for document, problem in report.failed] == [
            ("docs/a.md", "the database does not take it")
        ]
        assert report.rendered == ("docs/b.md",)
        assert engine.machine.graph[DocumentId("docs/a.md")].status is Status.FAILED
        place.store.refuses = set()
        place.save("docs/a.md", "two")
        report = (await engine.ask("wait")).report
        assert report.failed == ()
        assert engine.machine.graph[DocumentId("docs/a.md")].status is Status.DONE


async def test_a_save_is_rendered() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.save("docs/a.md", "two")
        await engine.ask("wait")
    assert place.outputs.files.texts["site/b.html"] == "two "
    assert [each["cause"] for each in place.log.all("build.finished")] == ["start", "docs/a.md saved"]


async def test_a_question_waits_for_its_cookie() -> None:
    place = Place(PAIR, watcher=HandWatcher(answers=False))
    assert place.watcher
    async with place.at_work() as engine, anyio.create_task_group() as tasks:
        answered = anyio.Event()

        async def ask() -> None:
            answer = await engine.ask("wait")
            assert "docs/a.md" in answer.report.rendered
            answered.set()

        place.pool.gate = anyio.Event()
        tasks.start_soon(ask)
        await until(lambda: bool(place.watcher and place.watcher.tokens))
        await anyio.wait_all_tasks_blocked()
        assert not answered.is_set()
        place.save("docs/a.md", "two")
        place.watcher.send(Batch(flushed=frozenset(place.watcher.tokens)))
        await anyio.wait_all_tasks_blocked()
        place.pool.gate.set()
        await answered.wait()


async def test_a_request_that_is_cancelled_renders_nothing_that_only_it_wanted() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_build_by_force, engine)
            await until(lambda: place.pool.begun == ["docs/a.md", "docs/b.md", "docs/a.md"])
            tasks.cancel_scope.cancel()
        place.pool.gate.set()
        await engine.ask("wait")
    assert place.pool.begun == ["docs/a.md", "docs/b.md", "docs/a.md"]
    assert place.log.all("build.finished")[-1]["skipped"] == 1


async def _build_by_force(engine: Engine) -> None:
    await engine.ask("build", force=True)


async def test_the_answer_comes_after_the_commit() -> None:
    """Also where other documents are still being rendered."""
    place = Place({**PAIR, "docs/slow.md": ""})
    place.pool.held.add("docs/slow.md")
    async with place.at_work() as engine:
        await engine.ask("wait", ["docs/b.md"])
        snapshot = await place.store.load()
    assert {facts.id: facts.status for facts in snapshot.documents} == {
        "docs/a.md": Status.DONE,
        "docs/b.md": Status.DONE,
    }


def test_log_lines_wait_for_publications_and_keep_their_order_with_all_else() -> None:
    begin, remove, commit = BeginBuild(BuildId("b1"), "save"), Remove(OutputPath("site/b")), Commit(())
    publish = Publish(RunId(1), (StagedOutput("stage", OutputPath("site/a"), Digest("a")),))
    dirty, skipped = Log(LogEvent.DOCUMENT_DIRTY, {}), Log(LogEvent.DOCUMENT_SKIPPED, {})
    decided: list[Command] = [begin, dirty, publish, skipped, commit, remove]
    assert list(urgent_first(decided)) == [begin, publish, commit, dirty, skipped, remove]


async def test_the_engine_is_quiet_only_once_results_are_in_the_database() -> None:
    place = Place({"docs/a.md": "one"})
    place.store.commit_gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: place.machine.quiet)
        assert not engine.quiet
        place.store.commit_gate.set()
        await until(lambda: engine.quiet)
        assert [facts.status for facts in (await place.store.load()).documents] == [Status.DONE]


async def test_results_are_committed_behind_the_renders_without_a_question() -> None:
    place = Place({"docs/a.md": "one", "docs/b.md": "one"}, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.gate = anyio.Event()
        place.save("docs/a.md", "two")
        place.save("docs/b.md", "two")
        await until(lambda: len(place.pool.begun) == 4)
        gate, place.pool.gate = place.pool.gate, anyio.Event()
        earlier = len(place.store.calls)
        gate.set()
        await until(lambda: place.machine.quiet)
        while engine.store_writer.backlog:
            await anyio.wait_all_tasks_blocked()
    commits = [call for call in place.store.calls[earlier:] if call.startswith("commit")]
    documents = {each for call in commits for each in call.removeprefix("commit ").partition(" in ")[0].split()}
    assert documents == {"docs/a.md", "docs/b.md"}  # in one batch or in two


async def test_progress_names_the_latest_document() -> None:
    place = Place(PAIR)
    told: list[tuple[int, int, str]] = []
    asked = place.engine.open("build", (), force=False, on_progress=lambda *each: told.append(each))
    async with place.at_work(asked) as engine:
        await engine.answered(asked.ticket, 0)
    assert told[0][:2] == (0, 2)
    assert (1, 2, "docs/a.md") in told
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


async def test_an_unknown_target_is_reported_with_the_nearest_name() -> None:
    place = Place(PAIR)
    async with place.at_work() as engine:
        with pytest.raises(UsageError) as raised:
            await engine.ask("build", ["docs/aa.md", "site/b.html", "nothing like it"])
    first, second = raised.value.problems
    assert (first.message, first.remedy) == (
        "docs/aa.md is neither a document nor an output",
        "did you mean docs/a.md?",
    )
    assert second.remedy == ""


async def test_a_superseded_rendering_is_cancelled_and_its_stage_discarded() -> None:
    place = Place({"docs/a.md": "one"}, watcher=HandWatcher())
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: place.pool.begun == ["docs/a.md"])
        place.save("docs/a.md", "two")
        await until(lambda: len(place.pool.begun) == 2)
        place.pool.gate.set()
        await engine.ask("wait")
    assert place.pool.cancelled == ["docs/a.md"]
    assert len(place.outputs.discarded) == 1
    assert place.outputs.files.texts == {"site/a.html": "two "}


async def test_a_question_with_retry_makes_lost_outputs_again() -> None:
    place = Place(PAIR)
    async with place.at_work() as engine:
        await engine.ask("wait")
        del place.outputs.files.texts["site/a.html"]
        assert (await engine.ask("wait")).report.rendered == ()
        assert (await engine.ask("build", retry=True)).report.rendered == ("docs/a.md",)


@pytest.mark.parametrize("batch", [Batch(outputs=frozenset({"site/a.html"})), Batch(everything=True)])
async def test_a_spoilt_output_is_restored_after_an_event(batch: Batch) -> None:
    watcher = HandWatcher()
    place = Place(PAIR, watcher=watcher)
    async with place.at_work() as engine:
        await engine.ask("wait")
        good = place.outputs.files.texts["site/a.html"]
        place.outputs.files.write("site/a.html", "spoilt")
        watcher.send(batch)
        assert (await engine.ask("wait")).report.rendered == ("docs/a.md",)
        assert place.outputs.files.texts["site/a.html"] == good
        assert place.log.all("build.started")[-1]["cause"] == "site/a.html altered"


async def test_a_full_look_finds_spoilt_outputs_too() -> None:
    place = Place(PAIR)
    async with place.at_work() as engine:
        await engine.ask("wait")
        good = place.outputs.files.texts["site/a.html"]
        place.outputs.files.write("site/a.html", "spoilt")
        await engine.observer.look_at_everything()
        await engine.ask("wait")
        assert place.outputs.files.texts["site/a.html"] == good


async def test_a_document_that_changed_under_its_rendering_is_looked_at_and_rendered_again() -> None:
    place = Place({"docs/a.md": "one"})
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: bool(place.pool.begun))
        place.sources.write("docs/a.md", "two")
        place.pool.gate.set()
        await engine.ask("wait")
    assert place.outputs.files.texts == {"site/a.html": "two "}


async def test_a_cancelled_question_does_no_harm() -> None:
    place = Place({"docs/a.md": "one"})
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        with anyio.move_on_after(0):
            await engine.ask("wait")
        place.pool.gate.set()
        assert (await engine.ask("wait")).report.failed == ()


async def test_nothing_is_lost_while_the_database_is_away() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.store.away_for = 2
        place.save("docs/a.md", "two")
        await engine.ask("wait")
        snapshot = await place.store.load()
    assert len(place.log.all("store.lost")) == len(place.log.all("store.restored")) == 1
    assert place.outputs.files.texts["site/b.html"] == "two "
    assert {facts.status for facts in snapshot.documents} == {Status.DONE}


async def test_without_back_off_a_lost_database_raises() -> None:
    place = Place(PAIR, patient=False)
    place.store.away_for = 1
    with pytest.raises(BaseExceptionGroup) as raised:
        async with place.at_work() as engine:
            await engine.ask("wait")
    assert raised.group_contains(StoreLostError)


async def test_a_cycle_s_path_is_asked_of_the_store_after_the_found_edges_are_written() -> None:
    place = Place({"docs/a.md": "find-output docs/b.md", "docs/b.md": "output docs/a.md"})
    async with place.at_work() as engine:
        answer = await engine.ask("wait")
    assert answer.report.cycles == (("docs/a.md", "docs/b.md", "docs/a.md"),)
    calls = place.store.calls
    assert calls.index("commit docs/a.md docs/b.md") < calls.index("cycle")
    assert place.machine.graph[DocumentId("docs/a.md")].status is Status.FAILED


async def test_a_first_build_tells_the_database_of_a_document_once() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
    written = " ".join(place.store.calls).replace("commit", "").split(" in ")[0]
    assert sorted(written.split()) == ["docs/a.md", "docs/b.md"]
    snapshot = await place.store.load()
    assert {facts.status for facts in snapshot.documents} == {Status.DONE}
    assert [each.target for each in snapshot.dependencies[DocumentId("docs/b.md")]] == ["docs/a.md"]


async def test_a_question_about_a_target_during_a_first_build_finds_all_that_it_needs() -> None:
    place = Place({**PAIR, "docs/c.md": "output docs/b.md"}, watcher=HandWatcher())
    place.pool.held.add("docs/a.md")
    async with place.at_work() as engine:
        await until(lambda: bool(place.pool.begun))
        assert await engine.closure(["docs/c.md"]) == {"docs/a.md", "docs/b.md", "docs/c.md"}


async def test_the_database_computes_the_dependents_of_a_save() -> None:
    place = Place(PAIR, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.store.gate, begun = anyio.Event(), len(place.pool.begun)
        place.save("docs/a.md", "two")
        await anyio.wait_all_tasks_blocked()
        assert place.pool.begun[begun:] == ["docs/a.md"], "what was saved itself is affected for certain"
        assert place.outputs.files.texts["site/a.html"] == "one ", "its result waits for the database's answer"
        place.store.gate.set()
        await engine.ask("wait")
    assert place.pool.begun[begun:] == ["docs/a.md", "docs/b.md"]


async def test_active_renders_are_listed_with_their_duration() -> None:
    place = Place(PAIR)
    place.pool.gate = anyio.Event()
    async with place.at_work() as engine:
        await until(lambda: bool(place.pool.begun))
        ((document, seconds),) = engine.workload().jobs
        assert (document, seconds > 0) == ("docs/a.md", True)
        place.pool.gate.set()
        await engine.ask("wait")
        assert engine.workload().jobs == ()


async def test_a_rendering_that_ends_after_the_engine_is_ignored() -> None:
    """An interrupted build: the workers are there for longer than who wanted their results."""
    place = Place(PAIR)
    place.pool.gate = anyio.Event()
    async with anyio.create_task_group() as workers:
        place.pool.tasks = workers
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                await place.engine.run(cause="start")

            tasks.start_soon(run)
            await until(lambda: bool(place.pool.begun))
            tasks.cancel_scope.cancel()
        place.pool.gate.set()
    assert place.engine.workload().jobs == ()


async def test_of_two_hundred_dirty_pages_the_one_that_is_looked_at_is_rendered_first() -> None:
    """With what it needs, and by at most one round of renderings that had begun before."""
    pages = {f"docs/{number:03}.md": "include docs/all.txt" for number in range(200)}
    pages |= {"docs/all.txt": "one", "docs/190.md": "include docs/all.txt\noutput docs/150.md"}
    place = Place(pages, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.begun.clear()
        place.pool.gate = anyio.Event()
        place.save("docs/all.txt", "two")
        await until(lambda: len(place.pool.begun) == 2)
        engine.prefer([DocumentId("docs/190.md")])
        place.pool.gate.set()
        await engine.ask("wait")
    begun_before, then = place.pool.begun[:2], place.pool.begun[2:]
    assert "docs/190.md" not in begun_before
    assert then[0] == "docs/150.md" or "docs/150.md" in begun_before
    assert then.index("docs/190.md") <= 4
    assert len(set(place.pool.begun)) == 200


async def test_what_is_looked_at_before_a_save_is_rendered_first_too() -> None:
    pages = {f"docs/{number:03}.md": "include docs/all.txt" for number in range(200)} | {"docs/all.txt": "one"}
    place = Place(pages, watcher=HandWatcher())
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.begun.clear()
        engine.prefer([DocumentId("docs/190.md")])
        place.save("docs/all.txt", "two")
        await engine.ask("wait")
    assert place.pool.begun[0] == "docs/190.md"
    assert len(place.pool.begun) == 200
