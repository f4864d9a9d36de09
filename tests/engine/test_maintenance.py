"""The periodic jobs: when each is due, and what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from core.language import hash_of
from engine.fakes import HandClock, until
from engine.test_observer import A, Seen
from kahnd.core.model import Snapshot
from kahnd.engine import maintenance


@asynccontextmanager
async def maintained(seen: Seen, clock: HandClock, rescan_s: float) -> AsyncIterator[None]:
    """Run the jobs on an observer that has taken its first look."""

    async def retry() -> None:
        seen.retries += 1

    await seen.observer.first_look(Snapshot())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.observer.follow, seen.watcher)
        for job in maintenance.schedule(seen.observer, seen.watcher, clock, rescan_s, retry):
            tasks.start_soon(job.repeat)
        await anyio.lowlevel.checkpoint()
        yield
        tasks.cancel_scope.cancel()
    seen.watcher.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("RECHECK_S", "HARD_LINKS_S", "RETRY_S"):
        monkeypatch.setattr(maintenance, each, 0.001)


async def test_documents_in_doubt_are_rechecked_periodically() -> None:
    seen = Seen()
    async with maintained(seen, HandClock(), 0):
        seen.files.write(A, "one")
        seen.tree.doubted = (A,)
        await until(lambda: seen.hashes() == [hash_of("one")])
        assert (seen.watcher.audits, seen.observer.rescans) == (0, 0)


@pytest.mark.parametrize(("every_s", "slept"), [(20, 0), (0, 60)])
async def test_everything_is_checked_periodically_and_after_a_suspension(every_s: float, slept: float) -> None:
    seen, clock = Seen(), HandClock()
    async with maintained(seen, clock, every_s):
        seen.files.write(A, "one")
        clock.slept += slept
        await until(lambda: seen.hashes() == [hash_of("one")])
    assert seen.watcher.audits >= 1
    assert seen.observer.rescans >= 1


async def test_failures_of_the_machine_are_retried_periodically() -> None:
    seen = Seen()
    async with maintained(seen, HandClock(), 0):
        await until(lambda: seen.retries > 1)
