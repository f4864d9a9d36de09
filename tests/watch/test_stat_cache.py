from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import anyio
import msgspec
import pytest
from msgspec.structs import replace

from kahnd.core import hashing
from kahnd.core.model import Digest, DocumentId, Facts, Observation, Snapshot, Status
from kahnd.core.rules import collection_id
from kahnd.watch.tree.tree import SourceTree
from watch.harness import by_document, tree_over, write

WRONG = Digest("0" * 32)
LATER_NS = 10_000_000_000
SOON_S = 60.0
"""Far longer than anything here takes."""


def remembered(
    observations: Iterable[Observation], *, later_ns: int = 0, content_hash: Digest | None = None
) -> Snapshot:
    """Returns the snapshot that a store would keep of these, as if each had been hashed that much later."""
    facts = [
        Facts(
            each.document,
            content_hash=content_hash or each.content_hash,
            stat=each.stat and replace(each.stat, hashed_ns=each.stat.hashed_ns + later_ns),
            problem=each.problem,
        )
        for each in observations
    ]
    return Snapshot(tuple(facts))


async def test_a_trusted_stat_saves_hashing_and_a_racy_one_does_not(tmp_path: Path) -> None:
    """A wrong hash in the cache goes unnoticed only if the stat is trusted."""
    write(tmp_path, {f"docs/{number}.md": str(number) for number in range(50)})
    observations = await tree_over(tmp_path).crawl()
    trusting, doubting = tree_over(tmp_path), tree_over(tmp_path)
    trusting.restore(remembered(observations, later_ns=LATER_NS, content_hash=WRONG))
    doubting.restore(remembered(observations, content_hash=WRONG))
    assert await trusting.crawl() == ()
    assert by_document(await doubting.crawl()).keys() == by_document(observations).keys()


def spoil(tree: SourceTree, document: str, content_hash: Digest) -> None:
    """Makes the cache as if the bytes had changed without the stat showing it."""
    entry = tree._cache.get(document)
    assert entry is not None
    tree._cache.put(document, msgspec.structs.replace(entry, content_hash=content_hash))


async def test_a_racy_document_is_rechecked_once(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/future.md": "b"})
    os.utime(tmp_path / "docs/future.md", (9e9, 9e9))  # as after the clock was set back
    tree = tree_over(tmp_path)
    await tree.crawl()
    spoil(tree, "docs/a.md", WRONG)
    assert await tree.recheck() == ()
    found: dict[str, Observation] = {}
    with anyio.fail_after(SOON_S):
        while not found:
            await anyio.sleep(0.05)
            found = by_document(await tree.recheck())
    assert found["docs/a.md"].content_hash == hashing.hash_bytes(b"a")
    assert tree._reader._racy == {}
    assert await tree.recheck() == ()


async def test_a_recheck_leaves_a_changed_stat_to_its_event(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/a.md").write_text("half of a sa")
    with anyio.fail_after(SOON_S):
        while tree._reader._racy:
            await anyio.sleep(0.05)
            assert await tree.recheck() == ()
    assert by_document(await tree.look(["docs/a.md"])).keys() == {"docs/a.md"}


async def test_a_stat_that_is_no_longer_racy_is_reported_once(tmp_path: Path) -> None:
    """Otherwise every start after one just after a checkout would hash everything again."""
    write(tmp_path, {"docs/a.md": "a"})
    first = await tree_over(tmp_path).crawl()
    racy = Snapshot(tuple(Facts(each.document, content_hash=each.content_hash, stat=each.stat) for each in first))
    found: dict[str, Observation] = {}
    with anyio.fail_after(SOON_S):
        while not found:
            await anyio.sleep(0.05)
            tree = tree_over(tmp_path)
            tree.restore(racy)
            found = by_document(await tree.crawl())
    assert found["docs/a.md"].scan is None
    assert await tree.crawl() == ()


@pytest.mark.slow
async def test_ten_thousand_unchanged_documents_are_not_read_at_start(tmp_path: Path) -> None:
    """A wrong hash in the cache would be noticed if a document were read."""
    write(tmp_path, {f"docs/{number % 100}/{number}.md": str(number) for number in range(10_000)})
    observations = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.restore(remembered(observations, later_ns=LATER_NS, content_hash=WRONG))
    assert await tree.crawl() == ()


@pytest.mark.parametrize("tool", ["cp -p", "touch -r", "mv"])
async def test_a_change_with_a_restored_mtime_is_found(tmp_path: Path, tool: str) -> None:
    write(tmp_path, {"docs/a.md": "a", "other": "b"})
    first = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.restore(remembered(first, later_ns=LATER_NS))
    before = (tmp_path / "docs/a.md").stat()
    os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    match tool:
        case "cp -p":
            shutil.copy2(tmp_path / "other", tmp_path / "docs/a.md")
        case "mv":
            (tmp_path / "other").replace(tmp_path / "docs/a.md")
        case _:
            (tmp_path / "docs/a.md").write_text("b")
            os.utime(tmp_path / "docs/a.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (tmp_path / "docs/a.md").stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert by_document(await tree.crawl())["docs/a.md"].content_hash == hashing.hash_bytes(b"b")


async def test_a_path_that_is_asked_for_is_hashed_whatever_its_stat(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    observations = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.restore(remembered(observations, later_ns=LATER_NS, content_hash=WRONG))
    assert by_document(await tree.look(["docs/a.md"]))["docs/a.md"].content_hash == hashing.hash_bytes(b"a")


async def test_documents_of_the_snapshot_that_no_longer_exist_are_removed(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    tree = tree_over(tmp_path)
    old = Facts(DocumentId("docs/old/b.md"), content_hash=WRONG)
    never = Facts(DocumentId("docs/never.md"), status=Status.MISSING)
    collection = Facts(collection_id("docs/*.md"), content_hash=WRONG)
    tree.restore(Snapshot((old, never, collection)))
    assert by_document(await tree.crawl()).keys() == {"docs/a.md", "docs/old/b.md"}
