"""How the backend makes up for what watchfiles does not report."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from kahnd.watch.backends import watchfiles
from kahnd.watch.debounce import OPEN_S
from kahnd.watch.watcher import FileWatcher
from watch.harness import Mirror, asked_for_everything, reported_paths, watcher_over, watching, write

ATTEMPTS = 50


@pytest.fixture
def logged() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def watcher(root: Path, logged: list[tuple[str, dict[str, Any]]]) -> FileWatcher:
    return watcher_over(root, events="watchfiles", log=lambda event, **fields: logged.append((event, fields)))


async def test_a_save_does_not_wait_for_a_close_event(watcher: FileWatcher, root: Path) -> None:
    """A busy machine may be late for other reasons, but not every time."""
    async with watching(watcher) as seen:
        for attempt in range(ATTEMPTS):
            await seen.flushed()
            with (root / "docs/a.md").open("w") as left_open, anyio.move_on_after(OPEN_S) as waited:
                left_open.write(f"changed {attempt}")
                left_open.flush()
                await seen.path("docs/a.md")
            if not waited.cancelled_caught:
                break
        assert not waited.cancelled_caught


async def test_a_burst_counts_as_an_overflow_and_asks_for_everything(
    watcher: FileWatcher, root: Path, logged: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchfiles, "overflow_threshold", lambda: 10)
    async with watching(watcher) as seen:
        write(root, {f"docs/{number}.md": "x" for number in range(100)})
        assert await asked_for_everything(seen)
        assert watcher.overflows > 0
        assert logged[0][0] == "watch.overflow"
        overflows = watcher.overflows
        write(root, {"docs/a.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md"}
        assert watcher.overflows == overflows


async def test_the_watch_is_restarted_after_a_name_that_is_not_utf8(
    watcher: FileWatcher, root: Path, logged: list[Any]
) -> None:
    mirror = Mirror(root)
    async with watching(watcher) as seen:
        await mirror.begin()
        write(root, {"docs/caf\udce9.md": "x", "docs/a.md": "changed"})
        await seen.until(lambda batches: any(batch.everything for batch in batches))
        assert [event for event, _ in logged] == ["watch.renewed"]
        assert watcher.backend == "watchfiles"
        await mirror.follow(seen)
        write(root, {"docs/a.md": "once more"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md"}


async def test_a_watch_that_keeps_failing_is_replaced_by_polling_and_logged(
    watcher: FileWatcher, root: Path, logged: list[Any]
) -> None:
    """Watchfiles lists folders itself, and ends at a name that is not UTF-8."""
    write(root, {"docs/caf\udce9/b.md": "x"})
    async with watching(watcher) as seen:
        await seen.until(lambda batches: watcher.backend == "polling" and bool(watcher.unwatched))
        event, fields = logged[-1]
        assert (event, fields["folders"]) == ("watch.unwatched", ("docs",))
        assert "watchfiles has ended" in fields["error"]
        assert await asked_for_everything(seen)
        await seen.until(lambda batches: len(batches) > 3)
        assert len(logged) <= 4, "pauses between attempts grow"


async def test_closing_the_watcher_ends_its_thread(root: Path) -> None:
    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "watchfiles"]

    for _ in range(3):
        async with watching(watcher_over(root, events="watchfiles")):
            while threads() != ["watchfiles"]:
                await anyio.lowlevel.checkpoint()
        while threads():
            await anyio.lowlevel.checkpoint()
