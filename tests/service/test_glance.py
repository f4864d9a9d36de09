"""A glance at a daemon: what is told of a moment."""

from __future__ import annotations

import anyio

from engine.fakes import Place, until
from kahnd.core.model import DocumentId
from kahnd.service.glance import MOST, Glance, glance


async def test_before_there_is_a_session_nothing_is_known() -> None:
    assert glance(None, "scanning", trouble="away") == Glance("scanning", trouble="away")
    assert glance(None, "scanning").busy


async def test_a_build_under_way_has_its_cause_its_progress_and_what_is_rendered() -> None:
    place = Place({"docs/a.md": "one", "docs/b.md": "output docs/a.md"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.pool.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: engine.ask("build", force=True))
            await until(lambda: bool(engine.at_hand().jobs))
            now = glance(engine, "rendering")
            place.pool.gate.set()
        rest = glance(engine, "idle")
    assert (now.cause, now.done, now.total, now.busy) == ("build", 0, 2, True)
    assert [(each.document, each.generation) for each in now.running] == [("docs/a.md", 0)]
    assert (rest.cause, rest.running, rest.busy) == ("", (), False)
    assert rest.counts["done"] == 2


async def test_what_is_wrong_is_told_the_failed_first_with_the_culprit() -> None:
    place = Place({"docs/a.md": "output docs/z.md", "docs/z.md": "fail"})
    async with place.at_work() as engine:
        await engine.ask("wait")
        now = glance(engine, "idle")
    assert [(each.document, each.because) for each in now.wrong] == [
        (DocumentId("docs/z.md"), None),
        (DocumentId("docs/a.md"), DocumentId("docs/z.md")),
    ]
    assert (now.counts["failed"], now.counts["blocked"]) == (1, 1)


async def test_of_very_many_only_the_first_are_told_one_by_one_and_all_are_named() -> None:
    names = [f"docs/{number:03}.md" for number in range(MOST + 5)]
    place = Place(dict.fromkeys(names, "fail"))
    async with place.at_work() as engine:
        await engine.ask("wait")
        now = glance(engine, "idle")
    assert [each.document for each in now.wrong] == names[:MOST]
    assert list(now.broken) == names
