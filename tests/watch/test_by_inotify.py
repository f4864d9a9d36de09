"""What the kernel's own watch holds, and no other."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import inotify_simple
import pytest

from faults.pressure import flood
from kahnd.watch import notifier as masks
from kahnd.watch.by_inotify import Inotify
from kahnd.watch.watcher import FileWatcher
from watch.harness import asked_for_everything, hinted, watching, write

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    "name", ["MODIFY", "ATTRIB", "CLOSE_WRITE", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE", "ISDIR"]
)
def test_the_masks_are_the_kernels(name: str) -> None:
    assert getattr(masks, name) == getattr(inotify_simple.flags, name)


async def test_a_queue_that_overflows_is_counted_told_and_answered_by_a_look_at_everything(root: Path) -> None:
    said: list[str] = []
    watcher = FileWatcher(root, ["docs"], events="inotify", say=lambda event, **_: said.append(event))
    async with watching(watcher) as seen:
        flood(root / "docs")  # on the loop: nobody takes the events
        assert await asked_for_everything(seen)
        assert (watcher.overflows, said) == (1, ["watch.overflow"])
        write(root, {"docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_a_watch_that_fails_is_replaced_once(root: Path) -> None:
    said: list[str] = []
    watcher = FileWatcher(root, ["docs"], events="inotify", say=lambda event, **_: said.append(event))
    async with watching(watcher) as seen:
        notifier = watcher._coverage.notifier
        assert isinstance(notifier, Inotify)
        os.close(notifier._inotify.fileno())
        await seen.until(lambda batches: any(batch.everything for batch in batches))
        assert (watcher.backend, said) == ("inotify", ["watch.renewed"])
        write(root, {"docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md"}


async def test_an_audit_mends_what_is_not_watched(root: Path) -> None:
    watcher = FileWatcher(root, ["docs"], events="inotify")
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
        async with watching(FileWatcher(root, ["docs"], events="inotify")) as seen:
            write(root, {"docs/mounted/x.md": "x"})
            assert hinted(await seen.flushed()) == {"docs/mounted/x.md"}
            await anyio.run_process(["umount", str(root / "docs/mounted")])
            assert await asked_for_everything(seen)
            write(root, {"docs/mounted/hidden.md": "seen"})
            assert hinted(await seen.flushed()) == {"docs/mounted/hidden.md"}
    finally:
        await anyio.run_process(["umount", "-q", str(root / "docs/mounted")], check=False)


async def test_names_that_are_not_utf8_are_told(root: Path) -> None:
    async with watching(FileWatcher(root, ["docs"], events="inotify")) as seen:
        write(root, {"docs/caf\udce9.md": "x", "docs/caf\udce9/b.md": "x", "docs/a.md": "changed"})
        assert hinted(await seen.flushed()) == {"docs/a.md", "docs/caf\udce9.md", "docs/caf\udce9"}


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
        async with watching(FileWatcher(root, ["docs"], events="inotify")) as seen:
            assert seen.watcher.backend == "polling"
            assert await asked_for_everything(seen)


async def test_where_polling_is_never_wanted_it_tries_again_until_the_kernel_gives_in(root: Path) -> None:
    watcher = FileWatcher(root, ["docs"], events="inotify", polling="never")
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
        async with watching(FileWatcher(root, ["docs"], events="inotify")):
            assert kernel_watches() == before + 1
        while kernel_watches() != before:
            await anyio.lowlevel.checkpoint()
