from __future__ import annotations

import time

from engine.fakes import HandWatcher, Place, until
from kahnd.core.model import DocumentId, Scan
from kahnd.engine import MeteredScanner, PhaseTimings
from kahnd.ports import Batch, Phase


class Nothing:
    """A scanner that finds nothing, and takes a millisecond for it."""

    def wants(self, document: DocumentId) -> bool:
        return True

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return Scan()


def test_taking_the_times_starts_them_from_zero() -> None:
    timings = PhaseTimings()
    timings.spent(Phase.PLAN, 0.25)
    timings.spent(Phase.PLAN, 0.5)
    assert timings.take() == dict.fromkeys((each.value for each in Phase), 0.0) | {"plan": 750.0}
    assert not any(timings.take().values())


def test_the_scanning_time_of_a_look_does_not_count_as_hashing() -> None:
    timings = PhaseTimings()
    timings.spent(Phase.HASH, 3)
    timings.spent(Phase.SCAN, 1)
    assert timings.take()["hash"] == 2000.0


def test_the_time_of_scanning_is_measured() -> None:
    timings = PhaseTimings()
    scanner = MeteredScanner(Nothing(), timings)
    assert scanner.wants(DocumentId("a"))
    assert scanner.scan(DocumentId("a"), b"") == Scan()
    assert timings.take()["scan"] >= 1


async def test_a_build_is_not_charged_for_looks_that_found_no_change() -> None:
    watcher = HandWatcher()
    place = Place({"a": ""}, watcher=watcher)
    timings = place.timings
    async with place.at_work():
        await until(lambda: len(place.log.all("build.finished")) == 1)
        assert place.log.all("build.finished")[0]["stages_ms"]["plan"] > 0
        timings.spent(Phase.SETTLE, 5)
        watcher.send(Batch(frozenset({"a"})))  # nothing in it has changed
        await place.engine.observer.flush(watcher)
        place.save("a", "x")
        await until(lambda: len(place.log.all("build.finished")) == 2)
    assert place.log.all("build.finished")[1]["stages_ms"]["settle"] == 0


async def test_the_time_from_a_save_to_its_last_output_is_logged() -> None:
    """The clock by hand stands at some seconds, of which one passes at every look."""
    watcher = HandWatcher()
    place = Place({"a.md": "", "docs/a.md": "one"}, watcher=watcher)
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.sources.write("docs/a.md", "two")
        watcher.send(Batch(frozenset({"docs/a.md"}), since=0.5))
        await engine.ask("wait")
        place.sources.write("docs/a.md", "three")
        watcher.send(Batch(frozenset({"docs/a.md"})))  # nobody knows since when
        await engine.ask("wait")
    first, saved, unknown = place.log.all("build.finished")
    assert first["save_to_output_ms"] is None
    assert saved["save_to_output_ms"] > 1000
    assert unknown["save_to_output_ms"] is None


async def test_a_save_that_renders_nothing_has_no_time_to_its_output() -> None:
    watcher = HandWatcher()
    place = Place({"docs/p.txt": "one", "docs/a.md": "one"}, watcher=watcher)
    async with place.at_work() as engine:
        await engine.ask("wait")
        place.sources.write("docs/p.txt", "two")
        watcher.send(Batch(frozenset({"docs/p.txt"}), since=0.5))
        await engine.ask("wait")
    assert place.log.all("build.finished")[-1]["save_to_output_ms"] is None
