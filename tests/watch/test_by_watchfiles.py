"""How what watchfiles doesn't tell is made up for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from kahnd.watch import by_watchfiles
from kahnd.watch.gathering import OPEN_S
from kahnd.watch.watcher import FileWatcher
from watch.harness import Mirror, asked_for_everything, hinted, watching, write

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def said() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def watcher(root: Path, said: list[tuple[str, dict[str, Any]]]) -> FileWatcher:
    return FileWatcher(root, ["docs"], events="watchfiles", say=lambda event, **fields: said.append((event, fields)))


async def test_a_save_waits_for_no_close(watcher: FileWatcher, root: Path) -> None:
    async with watching(watcher) as seen:
        with (root / "docs/a.md").open("w") as left_open:
            left_open.write("changed")
            left_open.flush()
            with anyio.fail_after(OPEN_S):
                await seen.path("docs/a.md")


async def test_a_burst_is_told_as_an_overflow_and_answered_by_a_look_at_everything(
    watcher: FileWatcher, root: Path, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_watchfiles, "most_at_once", lambda: 10)
    async with watching(watcher) as seen:
        write(root, {f"docs/{number}.md": "x" for number in range(100)})
        assert await asked_for_everything(seen)
        assert watcher.overflows > 0
        assert said[0][0] == "watch.overflow"
        overflows = watcher.overflows
        write(root, {"docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}
        assert watcher.overflows == overflows


async def test_after_a_name_that_is_not_utf8_it_is_begun_anew(
    watcher: FileWatcher, root: Path, said: list[Any]
) -> None:
    mirror = Mirror(root)
    async with watching(watcher) as seen:
        await mirror.begin()
        write(root, {"docs/caf\udce9.md": "x", "docs/a.md": "changed"})
        await seen.until(lambda batches: any(batch.everything for batch in batches))
        assert [event for event, _ in said] == ["watch.renewed"]
        assert watcher.backend == "watchfiles"
        await mirror.follow(seen)
        write(root, {"docs/a.md": "once more"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_where_it_ends_again_and_again_it_polls_and_says_why(
    watcher: FileWatcher, root: Path, said: list[Any]
) -> None:
    """It looks into folders by itself, and at such a name it ends."""
    write(root, {"docs/caf\udce9/b.md": "x"})
    async with watching(watcher) as seen:
        await seen.until(lambda batches: watcher.backend == "polling" and bool(watcher.unwatched))
        event, fields = said[-1]
        assert (event, fields["folders"]) == ("watch.unwatched", ("docs",))
        assert "watchfiles has ended" in fields["error"]
        assert await asked_for_everything(seen)
        await seen.until(lambda batches: len(batches) > 3)
        assert len(said) <= 4, "it is tried again ever later"


async def test_nothing_is_left_when_it_ends(root: Path) -> None:
    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name == "watchfiles"]

    for _ in range(3):
        async with watching(FileWatcher(root, ["docs"], events="watchfiles")):
            while threads() != ["watchfiles"]:
                await anyio.lowlevel.checkpoint()
        while threads():
            await anyio.lowlevel.checkpoint()
