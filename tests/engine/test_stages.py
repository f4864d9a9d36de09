from __future__ import annotations

import time

from engine.fakes import HandWatcher, Place, until
from kahnd.core.model import DocumentId, Scan
from kahnd.engine import MeteredScanner, Stages
from kahnd.ports import Batch, Stage


class Nothing:
    """A scanner that finds nothing, and takes a millisecond for it."""

    def wants(self, document: DocumentId) -> bool:
        return True

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return Scan()


def test_every_stage_is_told_once_and_then_begins_anew() -> None:
    stages = Stages()
    stages.spent(Stage.PLAN, 0.25)
    stages.spent(Stage.PLAN, 0.5)
    assert stages.take() == dict.fromkeys((each.value for each in Stage), 0.0) | {"plan": 750.0}
    assert not any(stages.take().values())


def test_scanning_is_no_hashing_though_it_is_part_of_a_look() -> None:
    stages = Stages()
    stages.spent(Stage.HASH, 3)
    stages.spent(Stage.SCAN, 1)
    assert stages.take()["hash"] == 2000.0


def test_what_scanning_takes_is_metered() -> None:
    stages = Stages()
    scanner = MeteredScanner(Nothing(), stages)
    assert scanner.wants(DocumentId("a"))
    assert scanner.scan(DocumentId("a"), b"") == Scan()
    assert stages.take()["scan"] >= 1


async def test_a_build_tells_what_was_spent_on_it_and_not_on_looks_in_vain() -> None:
    watcher = HandWatcher()
    place = Place({"a": ""}, watcher=watcher)
    stages = place.stages
    async with place.at_work():
        await until(lambda: len(place.log.all("build.finished")) == 1)
        assert place.log.all("build.finished")[0]["stages_ms"]["plan"] > 0
        stages.spent(Stage.SETTLE, 5)
        watcher.send(Batch(frozenset({"a"})))  # nothing in it has changed
        await place.engine.eyes.flush(watcher)
        place.save("a", "x")
        await until(lambda: len(place.log.all("build.finished")) == 2)
    assert place.log.all("build.finished")[1]["stages_ms"]["settle"] == 0
