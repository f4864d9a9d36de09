"""Helpers for the tests of watching: a scanner, a tree over a folder, and a watcher that runs beside the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from kahnd.core.model import Dependency, Digest, DocumentId, Kind, Observation, Scan
from kahnd.core.rules import Layout
from kahnd.ports import Batch
from kahnd.watch.tree.tree import SourceTree
from kahnd.watch.watch_set import WatchSettings
from kahnd.watch.watcher import FileWatcher


@dataclass
class IncludeScanner:
    """Takes every line `include X` of a `.md` file as a dependency on X."""

    scanned: list[DocumentId] = field(default_factory=list)

    def wants(self, document: DocumentId) -> bool:
        return document.endswith(".md")

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        self.scanned.append(document)
        words = (line.split() for line in content.decode().splitlines())
        return Scan(tuple(Dependency(DocumentId(each[1]), Kind.INCLUDE) for each in words if each[:1] == ["include"]))


def tree_over(root: Path, *sources: str, ignore: Iterable[str] = (), output: str = "site") -> SourceTree:
    return SourceTree(root, Layout(sources or ("docs",), output), ignore, IncludeScanner())


def watcher_over(
    root: Path, *sources: str, log: Callable[..., None] = lambda _event, **_fields: None, **options: Any
) -> FileWatcher:
    """Returns a watcher; `options` are those of WatchSettings."""
    return FileWatcher(WatchSettings(root, sources or ("docs",), **options), log)


def by_document(observations: Iterable[Observation]) -> dict[str, Observation]:
    listed = list(observations)
    found = {str(observation.document): observation for observation in listed}
    assert len(found) == len(listed), "a document was reported twice"
    return found


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@dataclass
class Watching:
    """The batches so far, and ways to wait for batches with certain contents."""

    watcher: FileWatcher
    batches: list[Batch] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)
    flushes: int = 0

    def take(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.news.set()
        self.news = anyio.Event()

    async def until(self, holds: Callable[[list[Batch]], bool]) -> list[Batch]:
        while not holds(self.batches):
            await self.news.wait()
        return self.batches

    async def path(self, path: str) -> None:
        await self.until(lambda batches: any(path in batch.paths for batch in batches))

    async def flushed(self) -> list[Batch]:
        """Flushes, and removes and returns all batches up to the one that answers."""
        token = f"token-{self.flushes}"
        self.flushes += 1
        self.watcher.flush(token)
        await self.until(lambda batches: any(token in batch.flushed for batch in batches))
        last = next(index for index, batch in enumerate(self.batches) if token in batch.flushed)
        before, self.batches[:] = self.batches[: last + 1], self.batches[last + 1 :]
        return before


@asynccontextmanager
async def watching(watcher: FileWatcher) -> AsyncIterator[Watching]:
    async def follow() -> None:
        async for batch in watcher.batches():
            state.take(batch)

    state = Watching(watcher)
    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await watcher.ready()
        yield state
        group.cancel_scope.cancel()


def reported_paths(batches: Iterable[Batch]) -> set[str]:
    return {path for batch in batches for path in batch.paths}


def reported_outputs(batches: Iterable[Batch]) -> set[str]:
    return {path for batch in batches for path in batch.outputs}


async def asked_for_everything(seen: Watching) -> bool:
    return any(batch.everything for batch in await seen.flushed())


class Mirror:
    """The state that follows from looking only where batches say; it must equal that of a fresh crawl."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tree = tree_over(root)
        self._known: dict[str, Digest | None] = {}

    async def begin(self) -> None:
        self._take(await self._tree.crawl())

    async def follow(self, seen: Watching) -> None:
        """Looks at the batches up to the answer to a flush."""
        for batch in await seen.flushed():
            self._take(await (self._tree.crawl() if batch.everything else self._tree.look(batch.paths)))

    async def is_true(self, apart_from: str = "") -> bool:
        fresh = {str(each.document): each.content_hash for each in await tree_over(self._root).crawl()}
        known = {path: digest for path, digest in self._known.items() if digest is not None}
        return {*known.items()} ^ {*fresh.items()} <= {(apart_from, each.get(apart_from)) for each in (known, fresh)}

    def _take(self, observations: Iterable[Observation]) -> None:
        self._known |= {str(each.document): each.content_hash for each in observations}
