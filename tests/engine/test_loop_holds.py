"""The event loop is never held: neither by a slow file system, nor while many pages are rendered."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from core.world import LAYOUT
from engine.fakes import HandClock, HandWatcher, Log, MemoryOutputs, Place
from kahnd.core.events import Publish, Published, StagedOutput
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, OutputPath, Problem, RunId, Snapshot
from kahnd.engine.inbox import Inbox, Publications
from kahnd.engine.maintenance import Liveness
from kahnd.engine.output_writer import OutputWriter
from kahnd.engine.timings import BuildLog, PhaseTimings
from kahnd.outputs.folder import FileOutputs
from kahnd.platform.resources import exempt_from_gc

HELD_S = 0.05
"""The event loop may be held for no longer."""
STEP_S = 0.001


class SlowOutputs(MemoryOutputs):
    """A file system that takes its time for each change, as for a large output that is copied to another device."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def publish(self, staged: Sequence[StagedOutput]) -> Problem | None:
        time.sleep(self.seconds)
        return super().publish(staged)

    def remove(self, output: OutputPath) -> Problem | None:
        time.sleep(self.seconds)
        return super().remove(output)

    def discard_cache(self, folder: str) -> None: ...

    def discard(self, stage: str) -> None:
        time.sleep(self.seconds)
        super().discard(stage)


class Probe:
    """Measures for how long the event loop was held at most, and how late a thread of its own was woken meanwhile.

    A hold is measured without the time in which the loop's thread could run and got no processor. `worked_s` is the
    longest hold in processor time, which other processes do not make longer.
    """

    def __init__(self) -> None:
        self.held_s = 0.0
        self.worked_s = 0.0
        self.late_s = 0.0
        self._over = threading.Event()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        thread = threading.Thread(target=self._measure_machine)
        thread.start()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._measure_loop)
                yield
                tasks.cancel_scope.cancel()
        finally:
            self._over.set()
            thread.join()

    @property
    def allowed_s(self) -> float:
        """A busy machine wakes everybody late."""
        return HELD_S + self.late_s

    async def _measure_loop(self) -> None:
        before, worked_before = _own_time_s(), time.thread_time()
        while True:
            await anyio.sleep(STEP_S)
            now, worked = _own_time_s(), time.thread_time()
            self.held_s, before = max(self.held_s, now - before - STEP_S), now
            self.worked_s, worked_before = max(self.worked_s, worked - worked_before), worked

    def _measure_machine(self) -> None:
        while not self._over.is_set():
            before = time.perf_counter()
            time.sleep(STEP_S)
            self.late_s = max(self.late_s, time.perf_counter() - before - STEP_S)


def _own_time_s() -> float:
    """A clock that stands still while the thread waits for a processor, see proc_pid_schedstat(5)."""
    try:
        waited_ns = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except OSError:
        waited_ns = 0
    return time.perf_counter() - waited_ns / 1e9


async def test_a_slow_file_system_does_not_hold_the_loop() -> None:
    """An output is made, replaced and removed, and the stage of a rendering that was given up is discarded."""
    outputs = SlowOutputs(0.3)
    place = Place({"docs/a.md": "one", "docs/b.md": "one"}, watcher=HandWatcher(), outputs=outputs)
    probe = Probe()
    async with place.at_work() as engine, probe.at_work():
        await engine.ask("wait")
        place.save("docs/a.md", "two")
        await engine.ask("wait")
        place.sources.texts.pop("docs/b.md")
        assert place.watcher
        place.watcher.send_paths("docs/b.md")
        await engine.ask("wait")
    assert outputs.files.texts == {"site/a.html": "two "}
    assert probe.held_s < probe.allowed_s


@pytest.mark.slow
async def test_many_pages_that_include_a_hub_do_not_hold_the_loop() -> None:
    pages = {f"docs/{number}.md": "include docs/hub.txt" for number in range(4000)}
    place = Place({"docs/hub.txt": "one", **pages}, watcher=HandWatcher())
    async with place.at_work() as engine:
        with exempt_from_gc():  # as the daemon does after its start
            await engine.ask("wait")
        probe = Probe()
        async with probe.at_work():
            place.save("docs/hub.txt", "two")
            await engine.ask("wait")
    assert len(place.outputs.files.texts) == len(pages)
    assert probe.worked_s < HELD_S


@pytest.mark.slow
async def test_a_gigabyte_that_is_copied_to_another_device_does_not_hold_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, stage, output = os.replace, ".kahnd/stage/1/a.bin", OutputPath("site/a.bin")

    def other_device(source: str, target: str) -> None:
        if ".kahnd/stage/" in str(source) and Path(target).parent.is_dir():
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    monkeypatch.setattr(os, "replace", other_device)
    for path, size in ((stage, 1 << 30), (output, 1 << 30)):
        (tmp_path / path).parent.mkdir(parents=True)
        with (tmp_path / path).open("wb") as file:
            file.truncate(size)
    outputs = FileOutputs(tmp_path, "site")
    outputs.open({output: Digest("of the older one, which was altered")})
    inbox = Inbox(Publications(), Liveness())
    builds = BuildLog(HandClock(), Log().say, PhaseTimings(), None)
    writer, probe = OutputWriter(Graph(LAYOUT, Snapshot()), outputs, inbox, builds, Liveness()), Probe()
    with inbox:
        async with anyio.create_task_group() as tasks, probe.at_work():
            await tasks.start(writer.run)
            writer.publish(Publish(RunId(1), (StagedOutput(stage, output, Digest("new")),)))
            assert await inbox.next() == Published(RunId(1), None)
            tasks.cancel_scope.cancel()
    assert probe.held_s < probe.allowed_s
    assert not (tmp_path / stage).exists()
