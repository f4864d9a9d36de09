"""Published outputs, while what is on disk and what the graph knows differ."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import cast

import anyio
import pytest

from kahnd.app.output_index import FoundOutput, OutputIndex
from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Digest, DocumentId, Status
from kahnd.web import published
from kahnd.web.published import PublishedFile, PublishedFiles

PATH = "posts/a.html"


class Index:
    """The index of one output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: bytes | None = None

    def find(self, path: str) -> FoundOutput | None:
        if self.known is None or path != PATH:
            return None
        return FoundOutput(DocumentId("docs/a.md"), path, hash_bytes(self.known), Status.DONE)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


@pytest.fixture
def files(index: Index) -> PublishedFiles:
    return PublishedFiles(cast("OutputIndex", index))


def put(index: Index, content: bytes) -> None:
    path = index.folder / PATH
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_name("fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


def content_of(file: PublishedFile | None) -> bytes:
    assert file
    assert file.content is not None
    assert file.digest == hash_bytes(file.content)
    return file.content


async def test_an_output_is_shown_once_the_graph_knows_it(index: Index, files: PublishedFiles) -> None:
    """It is in place a moment before. Until then, what was published with it may not be there yet."""
    index.known = b"old"
    put(index, b"new")
    shown: list[bytes] = []

    async def show() -> None:
        shown.append(content_of(await files.open(PATH)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(show)
        await anyio.sleep(published.SETTLE_S / 10)
        assert not shown
        index.known = b"new"
    assert shown == [b"new"]


async def test_an_output_that_comes_a_moment_later_is_waited_for(index: Index, files: PublishedFiles) -> None:
    index.known = b"new"
    shown: list[bytes] = []

    async def show() -> None:
        shown.append(content_of(await files.open(PATH)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(show)
        await anyio.sleep(published.SETTLE_S / 10)
        put(index, b"new")
    assert shown == [b"new"]


async def test_a_file_that_somebody_has_changed_is_waited_for_once(index: Index, files: PublishedFiles) -> None:
    index.known = b"published"
    put(index, b"changed")
    assert content_of(await files.open(PATH)) == b"changed"
    began = monotonic()
    for _ in range(20):
        assert content_of(await files.open(PATH)) == b"changed"
    assert monotonic() - began < 20 * published.SETTLE_S
    put(index, b"published")
    assert content_of(await files.open(PATH)) == b"published"


async def test_a_file_that_is_gone_is_waited_for_once(index: Index, files: PublishedFiles) -> None:
    index.known = b"published"
    assert await files.open(PATH) is None
    began = monotonic()
    for _ in range(20):
        assert await files.open(PATH) is None
    assert monotonic() - began < 20 * published.SETTLE_S


async def test_an_output_that_is_removed_meanwhile_is_none(index: Index, files: PublishedFiles) -> None:
    index.known = b"published"

    async with anyio.create_task_group() as tasks:

        async def remove() -> None:
            await anyio.sleep(published.SETTLE_S / 10)
            index.known = None

        tasks.start_soon(remove)
        assert await files.open(PATH) is None


async def test_a_large_output_is_hashed_once(
    index: Index, files: PublishedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "MAX_PAGE_BYTES", 3)
    hashed: list[int] = []

    def hash_open_file(descriptor: int) -> Digest:
        hashed.append(descriptor)
        return hash_bytes(b"large")

    monkeypatch.setattr(published, "hash_open_file", hash_open_file)
    index.known = b"large"
    put(index, b"large")
    for _ in range(3):
        file = await files.open(PATH)
        assert file
        assert (file.content, file.size, file.piece(1, 2)) == (None, 5, b"ar")
        file.stream.close()
    assert len(hashed) == 1
