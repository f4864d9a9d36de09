from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest

from faults.pressure import flood
from kahnd.watch.by_inotify import Inotify
from kahnd.watch.watcher import COOKIES, FLOOD, FileWatcher
from watch.harness import Watching, by_document, hinted, told_of_outputs, tree_over, watching, write

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root, {"kahnd.toml": "", "docs/a.md": "a", "docs/sub/b.md": "b", "elsewhere/c.md": "c"})
    return root


@pytest.fixture(params=["never", "always"])
def either(root: Path, request: pytest.FixtureRequest) -> FileWatcher:
    """Watching by kernel events, and by polling."""
    return FileWatcher(root, ["docs"], polling=request.param)


async def test_a_saved_file_is_hinted_at(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        assert seen.watcher.backend == "inotify"
        write(root, {"docs/a.md": "changed", "docs/sub/b.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md", "docs/sub/b.md"}


async def test_an_atomic_save_is_hinted_at_and_the_temporary_name_is_not(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        for text in ("once", "twice", "thrice"):
            write(root, {"docs/.goutputstream-A1B2C3": text})
            (root / "docs/.goutputstream-A1B2C3").replace(root / "docs/a.md")
            assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_what_is_no_document_makes_no_hint(root: Path) -> None:
    async with watching(FileWatcher(root, [".", "docs"], outputs="site")) as seen:
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
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_what_happens_among_outputs_is_told_apart(root: Path) -> None:
    write(root, {"site/old/a.html": "a"})
    async with watching(FileWatcher(root, ["docs"], outputs="site")) as seen:
        write(root, {"site/b.html": "b", "docs/a.md": "x"})
        batches = await seen.flushed()
        assert hinted(batches) == {"docs/a.md"}
        assert told_of_outputs(batches) == {"site/b.html"}
        (root / "site/old").rename(root / "gone")
        assert told_of_outputs(await seen.flushed()) == {"site/old"}


async def test_an_output_folder_is_there_to_be_watched_and_watched_when_it_is_made_anew(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"], outputs="site")) as seen:
        for text in ("one", "two"):
            write(root, {"site/a.html": text})
            assert told_of_outputs(await seen.flushed()) == {"site/a.html"}
            (root / "site").rename(root / text)
            (root / "site").mkdir()
            await seen.until(lambda batches: any(batch.everything for batch in batches))
            await seen.flushed()


async def test_outside_the_sources_only_what_a_session_is_built_on_counts(root: Path) -> None:
    write(root, {"plugins/own.py": ""})
    async with watching(FileWatcher(root, ["docs"], ["plugins/own.py"])) as seen:
        write(root, {"elsewhere/c.md": "changed", "plugins/other.py": ""})
        assert not any(batch.config or batch.paths for batch in await seen.flushed())
        for file in ("kahnd.toml", "plugins/own.py"):
            write(root, {f"{file}.new": file})
            (root / f"{file}.new").replace(root / file)
            assert any(batch.config and not batch.everything for batch in await seen.flushed()), file


@pytest.mark.parametrize("gitignore", [".gitignore", "docs/.gitignore", "docs/sub/.gitignore"])
async def test_a_changed_gitignore_asks_for_a_look_at_everything(root: Path, gitignore: str) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        for text in ("*.log", "*.md"):
            write(root, {gitignore: text})
            assert any(batch.config and batch.everything for batch in await seen.flushed())
        (root / gitignore).unlink()
        assert any(batch.config and batch.everything for batch in await seen.flushed())


async def test_without_an_event_config_changes_are_noticed_all_the_same(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        write(root, {"kahnd.toml": "changed"})
        await seen.until(lambda batches: any(batch.config for batch in batches))


async def test_a_new_folder_is_hinted_at_and_watched(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        write(root, {"docs/new/deep/x.md": "x"})
        assert "docs/new" in hinted(await seen.flushed())
        write(root, {"docs/new/deep/x.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/new/deep/x.md"}


async def test_a_nested_folder_that_is_copied_in_is_seen_whole(root: Path, tmp_path: Path) -> None:
    write(tmp_path, {f"from/{one}/{two}/{three}.md": "x" for one in range(6) for two in range(6) for three in range(6)})
    tree = tree_over(root)
    await tree.crawl()
    found: set[str] = set()
    async with watching(FileWatcher(root, ["docs"])) as seen:
        await anyio.run_process(["cp", "-r", str(tmp_path / "from"), str(root / "docs/copy")])
        while len(found) < 216:
            for batch in await seen.flushed():
                look = tree.crawl() if batch.everything else tree.look(batch.paths)
                found |= by_document(await look).keys()
    assert all(path.startswith("docs/copy/") for path in found)


async def test_a_renamed_folder_is_hinted_at_by_both_names_and_watched_by_the_new(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        (root / "docs/sub").rename(root / "docs/moved")
        assert {"docs/sub", "docs/moved"} <= hinted(await seen.flushed())
        write(root, {"docs/moved/b.md": "changed"})
        assert "docs/moved/b.md" in hinted(await seen.flushed())


async def asked_for_everything(seen: Watching) -> bool:
    return any(batch.everything for batch in await seen.flushed())


async def test_a_source_removed_and_made_again_is_watched_again(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        for text in ("one", "two", "three"):
            shutil.rmtree(root / "docs")
            write(root, {"docs/a.md": text})
            before = await seen.flushed()
            assert "docs" in hinted(before) or before[-1].everything
            write(root, {"docs/a.md": "changed"})
            assert "docs/a.md" in hinted(await seen.flushed())


async def test_a_source_that_comes_late_and_is_renamed_away(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs", "late/docs"])) as seen:
        write(root, {"late/docs/a.md": "a"})
        assert await asked_for_everything(seen)
        write(root, {"late/docs/a.md": "changed"})
        assert "late/docs/a.md" in hinted(await seen.flushed())
        (root / "late").rename(root / "gone")
        assert await asked_for_everything(seen)


async def test_a_flood_asks_for_a_look_at_everything(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"], settle_ms=500)) as seen:
        write(root, {f"docs/{number}.md": "x" for number in range(FLOOD * 2)})
        before = await seen.flushed()
        assert any(batch.everything for batch in before)
        assert all(len(batch.paths) <= FLOOD for batch in before)


async def test_a_queue_that_overflows_is_counted_told_and_answered_by_a_look_at_everything(root: Path) -> None:
    said: list[str] = []
    watcher = FileWatcher(root, ["docs"], say=lambda event, **_: said.append(event))
    async with watching(watcher) as seen:
        flood(root / "docs")  # on the loop: nobody takes the events
        assert await asked_for_everything(seen)
        assert (watcher.overflows, said) == (1, ["watch.overflow"])
        write(root, {"docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_a_watch_that_fails_is_replaced_once(root: Path) -> None:
    said: list[str] = []
    watcher = FileWatcher(root, ["docs"], say=lambda event, **_: said.append(event))
    async with watching(watcher) as seen:
        notifier = watcher._coverage.notifier
        assert isinstance(notifier, Inotify)
        os.close(notifier._inotify.fileno())
        await seen.until(lambda batches: any(batch.everything for batch in batches))
        assert (watcher.backend, said) == ("inotify", ["watch.renewed"])
        write(root, {"docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_an_audit_mends_what_is_not_watched(root: Path) -> None:
    watcher = FileWatcher(root, ["docs"])
    async with watching(watcher) as seen:
        notifier = watcher._coverage.notifier
        assert isinstance(notifier, Inotify)
        for path in ("docs", "docs/sub"):
            notifier._drop(path)
        write(root, {"docs/sub/b.md": "not seen"})
        assert hinted(await seen.flushed()) == set()
        await watcher.audit()
        write(root, {"docs/sub/b.md": "seen"})
        assert hinted(await seen.flushed()) == {"docs/sub/b.md"}


async def test_a_watch_that_is_lost_with_its_file_system_is_made_good(root: Path) -> None:
    """A mount in a source that goes takes its watches with it."""
    write(root, {"docs/mounted/hidden.md": "x"})
    mounted = await anyio.run_process(["mount", "-t", "tmpfs", "none", str(root / "docs/mounted")], check=False)
    if mounted.returncode:
        pytest.skip(f"no mounting here: {mounted.stderr.decode()}")
    try:
        async with watching(FileWatcher(root, ["docs"])) as seen:
            write(root, {"docs/mounted/x.md": "x"})
            assert hinted(await seen.flushed()) == {"docs/mounted/x.md"}
            await anyio.run_process(["umount", str(root / "docs/mounted")])
            assert await asked_for_everything(seen)
            write(root, {"docs/mounted/hidden.md": "seen"})
            assert hinted(await seen.flushed()) == {"docs/mounted/hidden.md"}
    finally:
        await anyio.run_process(["umount", "-q", str(root / "docs/mounted")], check=False)


async def test_names_that_are_not_utf8_hide_no_others(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        write(root, {"docs/caf\udce9.md": "x", "docs/caf\udce9/b.md": "x", "docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md", "docs/caf\udce9.md", "docs/caf\udce9"}


async def test_every_change_before_a_flush_is_in_a_batch_up_to_it(either: FileWatcher, root: Path) -> None:
    """A few hundred random operations: the batches up to each flush must lead to what a fresh look sees."""
    chance = random.Random(1)  # noqa: S311  a replayable one is wanted
    tree = tree_over(root)
    async with watching(either) as seen, noise(root / "docs/noise.md"):
        state = {str(each.document): each.content_hash for each in await tree.crawl()}
        for _ in range(60):
            for _ in range(chance.randrange(1, 30)):  # on the loop: a batch may be gathered meanwhile, and wait
                operate(root / "docs", chance)
            for batch in await seen.flushed():
                looked = await (tree.crawl() if batch.everything else tree.look(batch.paths))
                state |= {str(each.document): each.content_hash for each in looked}
            fresh = {str(each.document): each.content_hash for each in await tree_over(root).crawl()}
            told = {path: content_hash for path, content_hash in state.items() if content_hash}
            assert told | {"docs/noise.md": None} == fresh | {"docs/noise.md": None}


@asynccontextmanager
async def noise(file: Path) -> AsyncIterator[None]:
    """A file that changes all the time, so that batches never cease."""

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


def operate(docs: Path, chance: random.Random) -> None:
    file = docs / f"{chance.randrange(20)}.md"
    match chance.choice(["write", "write", "append", "replace", "remove"]):
        case "write":
            file.write_text(str(chance.random()))
        case "append":
            with file.open("a") as appended:
                appended.write("x")
        case "replace":
            (docs / "x.tmp").write_text(str(chance.random()))
            (docs / "x.tmp").replace(file)
        case _:
            file.unlink(missing_ok=True)


async def test_flushes_are_answered_once_each_and_leave_no_cookie(either: FileWatcher, root: Path) -> None:
    async with watching(either) as seen:
        for token in ("one", "two", "three"):
            seen.watcher.flush(token)
        await seen.until(
            lambda batches: {"one", "two", "three"} <= {each for batch in batches for each in batch.flushed}
        )
        answered = [token for batch in await seen.flushed() for token in batch.flushed]
        assert sorted(answered) == ["one", "three", "token-0", "two"]
    assert list((root / COOKIES).iterdir()) == []


async def test_a_flush_survives_the_loss_of_the_cookie_folder(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"])) as seen:
        shutil.rmtree(root / ".kahnd")
        assert await asked_for_everything(seen)
        shutil.rmtree(root / ".kahnd")
        (root / ".kahnd").write_text("in the way")
        assert await asked_for_everything(seen)


async def test_cookies_of_an_earlier_life_are_removed(root: Path) -> None:
    write(root, {f"{COOKIES}/old": ""})
    async with watching(FileWatcher(root, ["docs"])):
        assert list((root / COOKIES).iterdir()) == []


async def test_polling_asks_for_looks_at_everything(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"], polling="always")) as seen:
        assert seen.watcher.backend == "polling"
        write(root, {"kahnd.toml": "changed"})
        await seen.until(lambda batches: any(batch.everything and batch.config for batch in batches))


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """The kernel refuses whatever needs a file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        try:
            while True:
                opened.enter_context(Path("/dev/null").open())
        except OSError:
            yield


async def test_where_the_kernel_refuses_it_polls(root: Path) -> None:
    with no_descriptors_left():
        async with watching(FileWatcher(root, ["docs"])) as seen:
            assert seen.watcher.backend == "polling"
            assert await asked_for_everything(seen)


async def test_where_polling_is_never_wanted_it_tries_again_until_the_kernel_gives_in(root: Path) -> None:
    watcher = FileWatcher(root, ["docs"], polling="never")
    with no_descriptors_left():
        scope = watching(watcher)
        seen = await scope.__aenter__()
    try:
        assert await asked_for_everything(seen)
        write(root, {"docs/a.md": "changed"})
        await seen.until(lambda batches: watcher.backend == "inotify")
        await seen.flushed()
    finally:
        await scope.__aexit__(None, None, None)


async def test_cancelling_ends_the_kernels_watch(root: Path) -> None:
    def kernel_watches() -> int:
        links = (str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return sum("inotify" in link for link in links)

    before = kernel_watches()
    for _ in range(3):
        async with watching(FileWatcher(root, ["docs"])):
            assert kernel_watches() == before + 1
        while kernel_watches() != before:
            await anyio.lowlevel.checkpoint()


def test_the_interpreter_ends_at_once_with_a_watcher_under_way(root: Path) -> None:
    script = """
import sys, anyio
from pathlib import Path
from kahnd.watch.watcher import FileWatcher
async def main():
    watcher = FileWatcher(Path(sys.argv[1]), ["docs"])
    async def follow():
        async for _ in watcher.batches(): pass
    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await watcher.ready()
        group.cancel_scope.cancel()
anyio.run(main)
"""
    subprocess.run([sys.executable, "-c", script, str(root)], check=True, timeout=30)
