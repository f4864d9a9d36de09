"""Properties of the inotify backend that watchfiles does not have."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import inotify_simple
import pytest

from faults.event_overflow import flood
from kahnd.watch.backends import protocol as masks
from kahnd.watch.backends.inotify import InotifyBackend
from watch.harness import asked_for_everything, reported_paths, watcher_over, watching, write


@pytest.mark.parametrize(
    "name", ["MODIFY", "ATTRIB", "CLOSE_WRITE", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE", "ISDIR"]
)
def test_the_masks_are_the_kernels(name: str) -> None:
    assert getattr(masks, name) == getattr(inotify_simple.flags, name)


async def test_an_overflow_is_counted_and_logged_and_asks_for_everything(root: Path) -> None:
    logged: list[str] = []
    watcher = watcher_over(root, events="inotify", log=lambda event, **_: logged.append(event))
    async with watching(watcher) as seen:
        flood(root / "docs")  # blocks the loop, so that nothing reads the events
        await seen.until(lambda batches: watcher.overflows > 0 and any(batch.everything for batch in batches))
        await seen.flushed()
        assert (watcher.overflows, logged.count("watch.overflow")) == (1, 1)
        write(root, {"docs/a.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md"}


async def test_a_failed_watch_is_replaced_once(root: Path) -> None:
    logged: list[str] = []
    watcher = watcher_over(root, events="inotify", log=lambda event, **_: logged.append(event))
    async with watching(watcher) as seen:
        backend = watcher._watch_set.backend
        assert isinstance(backend, InotifyBackend)
        os.close(backend._inotify.fileno())
        await seen.until(lambda batches: any(batch.everything for batch in batches))
        assert (watcher.backend, logged) == ("inotify", ["watch.renewed"])
        write(root, {"docs/a.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md"}


async def test_an_audit_restores_missing_watches(root: Path) -> None:
    watcher = watcher_over(root, events="inotify")
    async with watching(watcher) as seen:
        backend = watcher._watch_set.backend
        assert isinstance(backend, InotifyBackend)
        for path in ("docs", "docs/sub"):
            backend._remove(path)
        write(root, {"docs/sub/b.md": "not seen"})
        assert reported_paths(await seen.flushed()) == set()
        await watcher.audit()
        write(root, {"docs/sub/b.md": "seen"})
        assert reported_paths(await seen.flushed()) == {"docs/sub/b.md"}


async def test_watches_lost_by_an_unmount_are_replaced(root: Path) -> None:
    """An unmounted file system takes its watches with it."""
    write(root, {"docs/mounted/hidden.md": "x"})
    mounted = await anyio.run_process(["mount", "-t", "tmpfs", "none", str(root / "docs/mounted")], check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is not possible here: {mounted.stderr.decode()}")
    try:
        async with watching(watcher_over(root, events="inotify")) as seen:
            write(root, {"docs/mounted/x.md": "x"})
            assert reported_paths(await seen.flushed()) == {"docs/mounted/x.md"}
            await anyio.run_process(["umount", str(root / "docs/mounted")])
            assert await asked_for_everything(seen)
            write(root, {"docs/mounted/hidden.md": "seen"})
            assert reported_paths(await seen.flushed()) == {"docs/mounted/hidden.md"}
    finally:
        await anyio.run_process(["umount", "-q", str(root / "docs/mounted")], check=False)


async def test_names_that_are_not_utf8_are_reported(root: Path) -> None:
    async with watching(watcher_over(root, events="inotify")) as seen:
        write(root, {"docs/caf\udce9.md": "x", "docs/caf\udce9/b.md": "x", "docs/a.md": "changed"})
        assert reported_paths(await seen.flushed()) == {"docs/a.md", "docs/caf\udce9.md", "docs/caf\udce9"}


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Uses up all file descriptors, so that the kernel refuses another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        try:
            while True:
                opened.enter_context(Path("/dev/null").open())
        except OSError:
            yield


async def test_sources_that_the_kernel_refuses_to_watch_are_polled(root: Path) -> None:
    with no_descriptors_left():
        async with watching(watcher_over(root, events="inotify")) as seen:
            assert seen.watcher.backend == "polling"
            assert await asked_for_everything(seen)


async def test_with_polling_never_a_refused_watch_is_retried_until_it_succeeds(root: Path) -> None:
    watcher = watcher_over(root, events="inotify", polling="never")
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


async def test_cancelling_closes_the_inotify_instance(root: Path) -> None:
    def kernel_watches() -> int:
        links = (str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return sum("inotify" in link for link in links)

    before = kernel_watches()
    for _ in range(3):
        async with watching(watcher_over(root, events="inotify")):
            assert kernel_watches() == before + 1
        while kernel_watches() != before:
            await anyio.lowlevel.checkpoint()


async def test_a_look_at_the_watches_that_ends_after_the_watch_does_nothing(root: Path) -> None:
    """As an audit in a thread, when the daemon ends meanwhile."""
    watcher = watcher_over(root, events="inotify")
    async with watching(watcher):
        backend = watcher._watch_set.backend
        assert isinstance(backend, InotifyBackend)
    await backend.watch(["docs"])
    await backend.retry_refused()
    assert backend.refused == {}
