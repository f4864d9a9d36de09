from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from kahnd.core.project_files import COOKIES
from kahnd.watch.watch_set import Events
from kahnd.watch.watcher import MAX_PATHS, FileWatcher
from watch.harness import Mirror, asked_for_everything, reported_outputs, reported_paths, watcher_over, watching, write


@pytest.fixture(params=["inotify", "watchfiles", "polling"])
def each(root: Path, request: pytest.FixtureRequest) -> FileWatcher:
    """Runs a test with each backend and with polling."""
    if request.param == "polling":
        return watcher_over(root, polling="always")
    return watcher_over(root, events=request.param)


async def test_a_saved_file_is_reported(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        assert seen.watcher.backend == events
        write(root, {"docs/a.md": "changed", "docs/sub/b.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md", "docs/sub/b.md"}


async def test_an_atomic_save_is_reported_without_the_temporary_name(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        for text in ("once", "twice", "thrice"):
            write(root, {"docs/.goutputstream-A1B2C3": text})
            (root / "docs/.goutputstream-A1B2C3").replace(root / "docs/a.md")
            assert reported_paths(await seen.flushed()) == {"docs/a.md"}


async def test_paths_that_are_no_documents_are_not_reported(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, ".", "docs", output="site", events=events)) as seen:
        names = [
            "docs/a.md~",
            "docs/.#a.md",
            "docs/.a.md.swp",
            "docs/4913",
            "site/a.html",
            ".kahnd/db/log",
            ".git/index",
        ]
        write(root, dict.fromkeys(names, "x"))
        write(root, {"docs/a.md": "x"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md"}


async def test_changed_outputs_are_reported_separately(root: Path, events: Events) -> None:
    write(root, {"site/old/a.html": "a"})
    async with watching(watcher_over(root, output="site", events=events)) as seen:
        write(root, {"site/b.html": "b", "docs/a.md": "x"})
        batches = await seen.flushed()
        assert reported_paths(batches) == {"docs/a.md"}
        assert reported_outputs(batches) == {"site/b.html"}
        (root / "site/old").rename(root / "gone")
        assert reported_outputs(await seen.flushed()) == {"site/old"}


async def test_the_output_folder_is_created_and_watched_again_when_replaced(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, output="site", events=events)) as seen:
        for text in ("one", "two"):
            write(root, {"site/a.html": text})
            assert reported_outputs(await seen.flushed()) == {"site/a.html"}
            (root / "site").rename(root / text)
            (root / "site").mkdir()
            await seen.until(lambda batches: any(batch.everything for batch in batches))
            await seen.flushed()


async def test_outside_the_sources_only_session_files_are_reported(root: Path, events: Events) -> None:
    write(root, {"plugins/own.py": ""})
    async with watching(watcher_over(root, session_files=frozenset({"plugins/own.py"}), events=events)) as seen:
        write(root, {"elsewhere/c.md": "changed", "plugins/other.py": ""})
        assert not any(batch.config or batch.paths for batch in await seen.flushed())
        for file in ("kahnd.toml", "plugins/own.py"):
            write(root, {f"{file}.new": file})
            (root / f"{file}.new").replace(root / file)
            assert any(batch.config and not batch.everything for batch in await seen.flushed()), file


@pytest.mark.parametrize("gitignore", [".gitignore", "docs/.gitignore", "docs/sub/.gitignore"])
async def test_a_changed_gitignore_asks_for_everything(root: Path, events: Events, gitignore: str) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        for text in ("*.log", "*.md"):
            write(root, {gitignore: text})
            assert any(batch.config and batch.everything for batch in await seen.flushed())
        (root / gitignore).unlink()
        assert any(batch.config and batch.everything for batch in await seen.flushed())


@pytest.mark.parametrize("file", [".gitignore", ".git/info/exclude"])
async def test_a_changed_ignore_file_above_the_project_asks_for_everything(
    tmp_path: Path, events: Events, file: str
) -> None:
    write(tmp_path, {".git/info/exclude": "", "project/docs/a.md": ""})
    async with watching(watcher_over(tmp_path / "project", events=events)) as seen:
        for text in ("*.log", "*.md"):
            write(tmp_path, {file: text})
            assert any(batch.config and batch.everything for batch in await seen.flushed())


async def test_config_changes_are_noticed_without_an_event(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        write(root, {"kahnd.toml": "changed"})
        await seen.until(lambda batches: any(batch.config for batch in batches))


async def test_a_new_folder_is_reported_and_watched(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        write(root, {"docs/new/deep/x.md": "x"})
        assert "docs/new" in reported_paths(await seen.flushed())
        write(root, {"docs/new/deep/x.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/new/deep/x.md"}


async def test_a_copied_nested_folder_is_seen_completely(root: Path, tmp_path: Path, events: Events) -> None:
    write(tmp_path, {f"from/{one}/{two}/{three}.md": "x" for one in range(6) for two in range(6) for three in range(6)})
    mirror = Mirror(root)
    async with watching(watcher_over(root, events=events)) as seen:
        await mirror.begin()
        for name in ("copy", "once-more"):
            await anyio.run_process(["cp", "-r", str(tmp_path / "from"), str(root / "docs" / name)])
            await mirror.follow(seen)
            assert await mirror.is_true()
        shutil.rmtree(root / "docs/copy")
        (root / "docs/once-more/1").rename(root / "docs/moved")
        write(root, {"docs/moved/2/3.md": "changed"})
        await mirror.follow(seen)
        assert await mirror.is_true()


async def test_a_renamed_folder_is_reported_by_both_names_and_watched(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        (root / "docs/sub").rename(root / "docs/moved")
        assert {"docs/sub", "docs/moved"} <= reported_paths(await seen.flushed())
        write(root, {"docs/moved/b.md": "changed"})
        assert "docs/moved/b.md" in reported_paths(await seen.flushed())


async def test_a_source_that_is_removed_and_recreated_is_watched_again(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        for text in ("one", "two", "three"):
            shutil.rmtree(root / "docs")
            write(root, {"docs/a.md": text})
            before = await seen.flushed()
            assert "docs" in reported_paths(before) or before[-1].everything
            write(root, {"docs/a.md": "changed"})
            assert "docs/a.md" in reported_paths(await seen.flushed())


async def test_a_source_that_is_created_later_and_renamed_asks_for_everything(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, "docs", "late/docs", events=events)) as seen:
        write(root, {"late/docs/a.md": "a"})
        assert await asked_for_everything(seen)
        write(root, {"late/docs/a.md": "changed"})
        assert "late/docs/a.md" in reported_paths(await seen.flushed())
        (root / "late").rename(root / "gone")
        assert await asked_for_everything(seen)


async def test_too_many_paths_ask_for_everything(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, settle_ms=500, events=events)) as seen:
        write(root, {f"docs/{number}.md": "x" for number in range(MAX_PATHS * 2)})
        before = await seen.flushed()
        assert any(batch.everything for batch in before)
        assert all(len(batch.paths) <= MAX_PATHS for batch in before)


async def test_names_that_are_not_utf8_hide_no_others(root: Path, events: Events) -> None:
    mirror = Mirror(root)
    async with watching(watcher_over(root, events=events)) as seen:
        await mirror.begin()
        for text in ("one", "two", "three"):
            write(root, {"docs/caf\udce9.md": text, f"docs/caf\udce9/{text}.md": text, "docs/a.md": text})
            await mirror.follow(seen)
            assert await mirror.is_true()
            write(root, {f"docs/new/{text}.md": text})
            await mirror.follow(seen)
            assert await mirror.is_true()


async def test_link_targets_are_watched(root: Path, events: Events) -> None:
    write(root, {"shared/deep/c.md": "c", "other/d.md": "d", "late/e.md": "e"})
    (root / "docs/folder").symlink_to("../shared")
    (root / "docs/file.md").symlink_to("../other/d.md")
    mirror = Mirror(root)
    async with watching(watcher_over(root, events=events)) as seen:
        await mirror.begin()
        for change in (
            {"shared/deep/c.md": "changed"},
            {"other/d.md": "changed"},
            {"shared/new/e.md": "new"},
            {"late/e.md": "changed"},
            {"late/new/f.md": "new"},
        ):
            write(root, change)
            await mirror.follow(seen)
            assert await mirror.is_true(), change
            if "shared/new/e.md" in change:
                (root / "docs/late").symlink_to("../late")
                await mirror.follow(seen)
                assert await mirror.is_true()


async def test_a_source_that_is_a_link_is_watched_at_its_target(root: Path, events: Events) -> None:
    (root / "docs").rename(root / "real")
    (root / "docs").symlink_to("real")
    mirror = Mirror(root)
    async with watching(watcher_over(root, events=events)) as seen:
        await mirror.begin()
        for target in ("real", "elsewhere"):
            (root / "docs").unlink()
            (root / "docs").symlink_to(target)
            await mirror.follow(seen)
            assert await mirror.is_true()
            write(root, {f"{target}/x.md": target})
            await mirror.follow(seen)
            assert await mirror.is_true()


async def test_every_change_before_a_flush_is_in_a_batch_up_to_it(each: FileWatcher, root: Path) -> None:
    """After random operations, looking where the batches say must give the state that a fresh crawl finds."""
    rng = random.Random(1)  # noqa: S311  it must be repeatable
    mirror = Mirror(root)
    async with watching(each) as seen, noise(root / "docs/noise.md"):
        await mirror.begin()
        for _ in range(60):
            for _ in range(rng.randrange(1, 30)):  # in the loop, so that events collect meanwhile
                operate(root / "docs", rng)
            await mirror.follow(seen)
            assert await mirror.is_true(apart_from="docs/noise.md")


@asynccontextmanager
async def noise(file: Path) -> AsyncIterator[None]:
    """Changes a file all the time, so that batches never cease."""

    def change() -> None:
        while not done.wait(0.001):
            file.write_text("x")

    done = threading.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, change)
        try:
            yield
        finally:
            done.set()


def operate(docs: Path, rng: random.Random) -> None:
    file = docs / f"{rng.randrange(20)}.md"
    match rng.choice(["write", "write", "append", "replace", "remove"]):
        case "write":
            file.write_text(str(rng.random()))
        case "append":
            with file.open("a") as appended:
                appended.write("x")
        case "replace":
            (docs / "x.tmp").write_text(str(rng.random()))
            (docs / "x.tmp").replace(file)
        case _:
            file.unlink(missing_ok=True)


async def test_created_moved_and_removed_folders_hide_nothing(root: Path, events: Events) -> None:
    rng = random.Random(2)  # noqa: S311  likewise
    mirror = Mirror(root)
    async with watching(watcher_over(root, events=events)) as seen:
        await mirror.begin()
        for _ in range(20):
            for _ in range(rng.randrange(1, 30)):
                operate_on_folders(root / "docs", rng)
            await mirror.follow(seen)
            assert await mirror.is_true()


def operate_on_folders(docs: Path, rng: random.Random) -> None:
    folder, other = (docs / f"folder-{rng.randrange(4)}" for _ in range(2))
    match rng.choice(["write", "write", "move", "move into", "remove"]):
        case "move" if folder.exists() and not other.exists():
            folder.rename(other)
        case "move into" if folder.exists() and other.exists() and folder != other:
            folder.rename(other / str(rng.random()))
        case "remove":
            shutil.rmtree(folder, ignore_errors=True)
        case _:
            write(folder, {f"{rng.randrange(3)}/{rng.randrange(3)}.md": str(rng.random())})


async def test_each_flush_is_answered_once_and_leaves_no_cookie(each: FileWatcher, root: Path) -> None:
    async with watching(each) as seen:
        for token in ("one", "two", "three"):
            seen.watcher.flush(token)
        await seen.until(
            lambda batches: {"one", "two", "three"} <= {each for batch in batches for each in batch.flushed}
        )
        answered = [token for batch in await seen.flushed() for token in batch.flushed]
        assert sorted(answered) == ["one", "three", "token-0", "two"]
    assert list((root / COOKIES).iterdir()) == []


async def test_a_flush_survives_the_loss_of_the_cookie_folder(root: Path, events: Events) -> None:
    async with watching(watcher_over(root, events=events)) as seen:
        shutil.rmtree(root / ".kahnd")
        assert await asked_for_everything(seen)
        shutil.rmtree(root / ".kahnd")
        (root / ".kahnd").write_text("in the way")
        assert await asked_for_everything(seen)


async def test_cookies_of_an_earlier_run_are_removed(root: Path, events: Events) -> None:
    write(root, {f"{COOKIES}/7": "", f"{COOKIES}/notes": "not kahnd's"})
    async with watching(watcher_over(root, events=events)):
        assert [each.name for each in (root / COOKIES).iterdir()] == ["notes"]


async def test_cookies_are_never_written_or_removed_through_a_link(root: Path, events: Events) -> None:
    write(root, {"docs/7": "a document"})
    (root / COOKIES).parent.mkdir()
    (root / COOKIES).symlink_to(root / "docs")
    before = sorted((root / "docs").rglob("*"))
    async with watching(watcher_over(root, events=events)) as seen:
        seen.watcher.flush("9")
        await seen.until(lambda batches: any("9" in batch.flushed for batch in batches))
        assert sorted((root / "docs").rglob("*")) == before


async def test_polling_asks_for_everything(root: Path) -> None:
    async with watching(watcher_over(root, polling="always")) as seen:
        assert seen.watcher.backend == "polling"
        write(root, {"kahnd.toml": "changed"})
        await seen.until(lambda batches: any(batch.everything and batch.config for batch in batches))


async def test_an_idle_watcher_uses_no_processor_time(root: Path, events: Events) -> None:
    """Waits for longer than the first poll takes to come: only time can show this."""
    async with watching(watcher_over(root, events=events)) as seen:
        began = time.thread_time()
        await anyio.sleep(3)
        assert time.thread_time() - began < 0.1
        assert seen.batches == []


def test_the_interpreter_can_exit_while_a_watcher_runs(root: Path) -> None:
    script = """
import sys, anyio
from pathlib import Path
from kahnd.watch.watch_set import WatchSettings
from kahnd.watch.watcher import FileWatcher
async def main():
    watcher = FileWatcher(WatchSettings(Path(sys.argv[1]), ("docs",)))
    async def follow():
        async for _ in watcher.batches(): pass
    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await watcher.ready()
        group.cancel_scope.cancel()
anyio.run(main)
"""
    subprocess.run([sys.executable, "-c", script, str(root)], check=True, timeout=120)
