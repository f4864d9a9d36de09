"""The embedded engine's defects, and the adapter's workaround for each."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from msgspec import structs

from kahnd.core.model import Attempt, BuildId, BuildRecord, DocumentId, Problem, Result, Status
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError
from kahnd.store import connection, database_folder, queries
from kahnd.store.connection import Connection, Limits, Run, StoreAddress
from kahnd.store.embedded import EmbeddedConnection
from kahnd.store.surreal_store import StoreListener, SurrealStore, open_store
from store.conftest import EMBEDDED
from store.graphs import changed, done, ids

T = TypeVar("T")
OPEN_ELSEWHERE = """
import sys
from pathlib import Path
import anyio
from kahnd.core.model import Change, DocumentId, Facts
from kahnd.errors import StoreCorruptError, StoreError, StoreLostError
from kahnd.store.connection import StoreAddress
from kahnd.store.surreal_store import SurrealStore, open_store

async def main():
    try:
        address = StoreAddress("surrealkv://.kahnd/db", "kahnd", "tests", "main")
        store = await open_store(address, root=Path(sys.argv[1]))
    except StoreError as error:
        sys.exit(str(error))
    await store.propagate([Change(Facts(DocumentId(sys.argv[2])))])
    await store.close()

anyio.run(main)
"""


class LostAfter:
    """A connection that is lost once, after some calls."""

    def __init__(self, connection: Connection, calls: int) -> None:
        self._connection = connection
        self._calls = calls
        self.openings = 0

    async def run(self, query: str, payload: bytes = b"") -> Any:
        self._calls -= 1
        if self._calls == -1:
            raise StoreLostError(Problem("lost"))
        return await self._connection.run(query, payload)

    async def together(self, calls: Callable[[Run], Awaitable[T]]) -> T:
        return await calls(self.run)

    async def rebuild(self, why: StoreError) -> None:
        await self._connection.rebuild(why)

    async def renew(self) -> None:
        await self._connection.renew()

    def size(self) -> int:
        return self._connection.size()

    async def replace(self, fill: Callable[[Connection], Awaitable[None]]) -> None:
        await self._connection.replace(fill)

    async def close(self) -> None:
        await self._connection.close()


def folder(root: Path) -> Path:
    return root / ".kahnd/db"


def elsewhere(root: Path, document: str) -> subprocess.CompletedProcess[str]:
    """Open the store in another process, write one document, and exit."""
    command = [sys.executable, "-c", OPEN_ELSEWHERE, str(root), document]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def moved_aside(root: Path) -> list[Path]:
    return list((root / ".kahnd").glob("db.unusable-*"))


async def documents(
    root: Path, place: StoreAddress = EMBEDDED, report: Callable[[Problem], None] = print
) -> list[DocumentId]:
    store = await open_store(place, root=root, listener=StoreListener(report))
    found = [each.id for each in (await store.load()).documents]
    await store.close()
    return found


def rendered(document: str, number: int) -> Result:
    """A result with a render of build `number`."""
    attempt = Attempt(BuildId(f"{number:02}"), "test", f"2026-01-01T00:00:{number:02}Z", 1.0)
    return structs.replace(done(document), attempt=attempt)


def build_of(number: int) -> BuildRecord:
    return BuildRecord(BuildId(f"{number:02}"), "test", f"2026-01-01T00:00:{number:02}Z", 1.0, 1, 0, 0, 0, 0, 1)


def bytes_in(place: Path) -> int:
    return sum(each.stat().st_size for each in place.rglob("*") if each.is_file())


def bytes_of(place: Path) -> list[str]:
    """The non-empty files of a database, relative to its folder."""
    return [str(each.relative_to(place)) for each in place.rglob("*") if each.is_file() and each.stat().st_size]


def flip(file: Path, where: float) -> None:
    """Invert the byte at this fraction of the file."""
    content = bytearray(file.read_bytes())
    content[int(len(content) * where)] ^= 0xFF
    file.write_bytes(content)


async def test_facts_outlive_the_process_in_a_private_folder_below_the_root(tmp_path: Path) -> None:
    assert elsewhere(tmp_path, "a").returncode == 0
    assert stat.S_IMODE(folder(tmp_path).stat().st_mode) == 0o700
    assert await documents(tmp_path) == ["a"]


async def test_a_root_with_a_question_mark_in_its_name_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "100% ünï #1"
    odd.mkdir()
    await documents(odd)
    assert folder(odd).is_dir()
    with pytest.raises(StoreError, match="question mark"):
        await documents(tmp_path / "what?")


async def test_another_process_is_refused_while_this_one_has_it_open(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path)
    refused = elsewhere(tmp_path, "a")
    assert refused.returncode == 1
    assert "another process has the database open" in refused.stderr
    assert moved_aside(tmp_path) == []
    await store.close()


@pytest.mark.slow
def test_fifty_processes_that_exit_right_after_closing_exit_cleanly(tmp_path: Path) -> None:
    """An engine whose threads are still running would abort some of them."""
    roots = [tmp_path / f"{number:02}" for number in range(50)]
    for root in roots:
        root.mkdir()
    with ThreadPoolExecutor(4) as threads:
        exits = list(threads.map(lambda root: elsewhere(root, "a"), roots))
    assert [(each.returncode, each.stderr) for each in exits] == [(0, "")] * 50


async def test_the_engine_is_reopened_after_each_write_budget(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(budget=5_000))
    for number in range(10):
        await store.propagate([changed(f"{number}-{each:02}") for each in range(20)])
    assert 4 < store._connection.openings <= 11
    assert len((await store.load()).documents) == 200
    await store.close()


async def test_a_hubs_dependents_are_found_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([changed("hub"), *(changed(f"{number:03}", add="hub") for number in range(600))])
    calls: list[str] = []
    run = store._calls._run_query

    async def counted(query: str, payload: bytes = b"") -> Any:
        calls.append(query)
        return await run(query, payload)

    monkeypatch.setattr(store._calls, "_run_query", counted)
    assert len(await store.propagate([changed("hub")])) == 601
    assert len(calls) == 1
    await store.close()


async def test_an_engine_that_compacts_on_opening_is_opened_twice(tmp_path: Path) -> None:
    """The engine keeps in memory what it read for compacting."""
    store = await open_store(EMBEDDED, root=tmp_path)
    connection, tables = store._connection, tmp_path / ".kahnd/db/sstables"
    for _ in range(50):
        await store.propagate([changed(f"{each}") for each in range(20)])
        before, openings = set(tables.iterdir()), connection.openings
        await connection.renew()
        if before - set(tables.iterdir()):
            break
        assert connection.openings == openings + 1
    assert connection.openings == openings + 2
    await store.close()


async def test_history_is_limited_to_its_newest_records(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(renders=40, builds=4))
    for number in range(30):
        await store.commit([rendered(f"{each}", number) for each in range(10)], build_of(number))
    kept = await store.history(None, 1000)
    assert 40 <= len(kept) <= 60
    assert {each.build for each in kept} <= {BuildId(f"{number:02}") for number in range(24, 30)}
    assert len(await store.history(DocumentId("3"), 1000)) == len(kept) / 10
    last = (await store.load()).last_build
    assert last
    assert last.id == "29"
    assert await store._connection.run("{ RETURN (SELECT count() FROM build GROUP ALL)[0].count }") <= 6
    await store.close()


async def test_history_is_pruned_when_it_exceeds_its_limit_by_a_twentieth(tmp_path: Path) -> None:
    limits = Limits(renders=40, builds=40)
    store = await open_store(EMBEDDED, root=tmp_path, limits=limits)
    for number in range(42):
        await store.commit([rendered("a", number)], build_of(number))
    await store.close()
    store = await open_store(EMBEDDED, root=tmp_path, limits=limits)
    await store.load()
    await store.commit((), build_of(42))
    assert await lengths(store) == [42, 40]
    await store.commit([rendered("a", 43)], build_of(43))
    assert await lengths(store) == [40, 41]
    await store.close()


async def test_a_history_shorter_than_counted_is_not_pruned(tmp_path: Path) -> None:
    """The count is too high if the same records were written again."""
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(renders=4, builds=4))
    for _ in range(9):
        await store.commit([rendered("a", 0), rendered("b", 1)], build_of(0))
    assert await lengths(store) == [2, 1]
    await store.close()


async def test_builds_that_render_nothing_are_pruned_too(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(renders=1000, builds=20))
    for number in range(50):
        await store.commit([done("a")], build_of(number))
    assert (await lengths(store))[1] <= 21
    await store.close()


async def lengths(store: SurrealStore) -> list[int]:
    """Count the renders and builds in the database."""
    count = "(SELECT count() FROM {} GROUP ALL)[0].count ?? 0"
    counts: list[int] = await store._connection.run(f"{{ RETURN [{count.format('render')}, {count.format('build')}] }}")
    return counts


async def test_pruning_leaves_other_workspaces_alone(tmp_path: Path) -> None:
    ours = await open_store(EMBEDDED, root=tmp_path, limits=Limits(renders=20, builds=2))
    theirs = SurrealStore(ours._connection, "theirs")
    await theirs.commit([rendered("a", number) for number in range(30)])
    await ours.commit([rendered("a", number) for number in range(30)])
    await ours.commit((), build_of(1))
    assert len(await ours.history(None, 1000)) == 20
    assert len(await theirs.history(None, 1000)) == 30
    await ours.close()


@pytest.mark.slow
async def test_reopening_the_engine_frees_the_space_of_overwritten_records(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(budget=25_000))
    sizes = []
    for _ in range(100):
        await store.propagate([changed(f"{each}") for each in range(20)])
        await store.commit([done(f"{each}") for each in range(20)])
        sizes.append(bytes_in(folder(tmp_path)))
    await store.close()
    written = sum(after - before for before, after in pairwise(sizes) if after > before)
    assert max(sizes) < written / 2
    assert min(sizes[50:]) < written / 20


async def test_a_database_as_large_as_its_edges_need_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number:02}" for number in range(30)]
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(budget=1, size=0))
    await store.propagate([changed(each, add=" ".join(names)) for each in names])
    read: list[SurrealStore] = []
    monkeypatch.setattr(SurrealStore, "_load", read.append)
    await store.commit((), build_of(1))
    largest = connection.MAX_RECORD_BYTES
    assert 30 * largest < store._connection.size() < (30 + 30 * 30) * largest
    assert read == []
    await store.close()


async def test_a_swollen_database_is_rewritten_without_loss(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(budget=100_000, renders=30))
    await store.propagate([changed("a", add="0 1:page"), *(changed(f"{each}") for each in range(20))])
    for number in range(60):
        await store.commit([rendered(f"{each}", number) for each in range(20)], build_of(number))
    before, history = await store.load(), await store.history(None, 1000)
    await store.close()
    swollen = bytes_in(folder(tmp_path))
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(size=1000, renders=30))
    assert await store.load() == before
    assert bytes_in(folder(tmp_path)) < swollen / 2
    assert await store.history(None, 1000) == history
    assert await store.load() == before
    assert "a" in await store.propagate([changed("0")])
    await store.close()
    assert len(await documents(tmp_path)) == 21
    assert [each.name for each in folder(tmp_path).parent.iterdir()] == ["db"]


async def test_the_newest_two_unusable_databases_are_kept(tmp_path: Path) -> None:
    told: list[Problem] = []
    for _ in range(4):
        assert elsewhere(tmp_path, "a").returncode == 0
        for file in (folder(tmp_path) / "manifest").iterdir():
            file.write_bytes(b"nonsense")
        assert await documents(tmp_path, report=told.append) == []
    assert sorted(map(str, moved_aside(tmp_path))) == [each.file for each in told[-2:]]
    assert len(told) == 4


@pytest.mark.slow
async def test_a_database_that_swells_while_open_is_rewritten(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(budget=50_000, size=100_000, renders=30))
    await store.propagate([changed("a", add="0 1:page"), *(changed(f"{each}") for each in range(20))])
    sizes = []
    for number in range(150):
        await store.commit([rendered(f"{each}", number) for each in range(20)], build_of(number))
        sizes.append(bytes_in(folder(tmp_path)))
    assert max(sizes) < 500_000
    before, history = await store.load(), await store.history(None, 1000)
    await store.close()
    store = await open_store(EMBEDDED, root=tmp_path)
    assert (await store.load(), await store.history(None, 1000)) == (before, history)
    await store.close()
    assert [each.name for each in folder(tmp_path).parent.iterdir()] == ["db"]


@pytest.mark.parametrize("left", [("db", "db.new"), ("db.old", "db.new"), ("db", "db.old")])
async def test_an_interrupted_replacement_loses_nothing(tmp_path: Path, left: tuple[str, str]) -> None:
    assert elsewhere(tmp_path, "a").returncode == 0
    whole = folder(tmp_path)
    shutil.copytree(whole, whole.with_name("copy"))
    whole.rename(whole.with_name(left[0]))
    whole.with_name("copy").rename(whole.with_name(left[1]))
    assert await documents(tmp_path) == ["a"]
    assert [each.name for each in whole.parent.iterdir()] == ["db"]


@pytest.mark.parametrize("what", ["manifest", "sstables"])
async def test_an_unreadable_database_is_moved_aside_and_replaced(tmp_path: Path, what: str) -> None:
    assert elsewhere(tmp_path, "a").returncode == 0
    for file in (folder(tmp_path) / what).iterdir():
        file.write_bytes(b"\xaa" * file.stat().st_size)
    told: list[Problem] = []
    assert await documents(tmp_path, report=told.append) == []
    (aside,) = moved_aside(tmp_path)
    assert [(each.file, "built anew" in each.message) for each in told] == [(str(aside), True)]
    assert elsewhere(tmp_path, "b").returncode == 0
    assert await documents(tmp_path) == ["b"]


async def test_loading_finds_damage_that_opening_does_not(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([changed(f"{number:05}") for number in range(3000)])
    await store.close()
    (table,) = (folder(tmp_path) / "sstables").iterdir()
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 0xFF
    table.write_bytes(content)
    told: list[Problem] = []
    assert await documents(tmp_path, report=told.append) == []
    assert len(told) == len(moved_aside(tmp_path)) == 1


async def test_another_schema_version_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere(tmp_path, "a").returncode == 0
    monkeypatch.setattr(queries, "SCHEMA_VERSION", queries.SCHEMA_VERSION + 1)
    told: list[Problem] = []
    assert await documents(tmp_path, report=told.append) == []
    assert f"schema version {queries.SCHEMA_VERSION - 1}, this kahnd needs {queries.SCHEMA_VERSION}" in told[0].detail


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".kahnd").write_text("in the way")
    with pytest.raises(StoreError, match="can't be made"):
        await documents(tmp_path)


async def test_a_call_that_times_out_is_retried_once(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([changed("a")])
    embedded = store._connection
    assert isinstance(embedded, EmbeddedConnection)
    embedded._limits = Limits(call=-1.0)
    with pytest.raises(StoreLostError, match="does not answer"):
        await store.propagate([changed("b")])
    embedded._limits = Limits()
    assert "a" in [each.id for each in (await store.load()).documents]
    await store.close()


async def test_the_engine_is_reopened_after_a_call_that_hangs(tmp_path: Path) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(call=0.3))
    await store.propagate([changed("a")])
    with pytest.raises(StoreLostError, match="does not answer"):
        await store._connection.run("{ SLEEP 10s; }")
    assert await store.propagate([changed("b")]) == ("b",)
    assert [each.id for each in (await store.load()).documents] == ["a", "b"]
    await store.close()


async def test_a_load_with_a_call_that_hangs_fails_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(EMBEDDED, root=tmp_path, limits=Limits(call=0.3))
    await store.propagate([changed("a", add="b"), changed("b")])
    with monkeypatch.context() as hanging:
        hanging.setattr(queries, "EDGES", "{ SLEEP 10s; }")
        with pytest.raises(StoreLostError, match="does not answer"):
            await store.load()
    assert list((await store.load()).dependencies) == ["a"]
    await store.close()


async def test_memory_of_a_large_load_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine keeps what it has read, so it is reopened when the daemon has time."""
    monkeypatch.setattr(database_folder, "FIRST_PAGE", 2)
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([changed(each) for each in "ab"])
    await store.load()
    await store.release_memory()
    assert store._connection.openings == 1, "that was little"
    await store.propagate([changed("c")])
    assert len((await store.load()).documents) == 3
    assert store._connection.openings == 1, "whoever loads waits for no more than that"
    for _ in range(2):
        await store.release_memory()
        assert store._connection.openings == 2
    assert [each.id for each in (await store.load()).documents] == ["a", "b", "c"]
    await store.close()


async def test_many_writers_at_once_lose_nothing(embedded: SurrealStore) -> None:
    async def write(number: int) -> None:
        for each in range(5):
            await embedded.propagate([changed("hub", add=f"{number}-{each}"), changed(f"{number}-{each}")])

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(write, number)
    snapshot = await embedded.load()
    assert len(snapshot.documents) == 41
    assert len(snapshot.dependencies[DocumentId("hub")]) == 40


async def test_loading_moves_a_database_with_foreign_data_aside(tmp_path: Path) -> None:
    told: list[Problem] = []
    store = await open_store(EMBEDDED, root=tmp_path, listener=StoreListener(told.append))
    await store.propagate([changed("a")])
    await store._connection.run("{ UPDATE document SET stat = [1]; }")
    assert (await store.load()).documents == ()
    assert "did not write" in told[0].detail
    await store.close()


@pytest.mark.slow
async def test_a_flipped_byte_costs_facts_and_nothing_else(tmp_path: Path) -> None:
    """Whatever is left of the database, it opens, and answers reads and writes."""
    store = await open_store(EMBEDDED, root=tmp_path)
    await store.propagate([changed(f"{number}") for number in range(50)])
    await store.close()
    sound = tmp_path / "sound"
    folder(tmp_path).rename(sound)
    for number, (file, place) in enumerate(product(sorted(bytes_of(sound)), range(10))):
        shutil.copytree(sound, folder(tmp_path))
        flip(folder(tmp_path) / file, place / 10)
        store = await open_store(EMBEDDED, root=tmp_path)
        await store.load()
        assert f"{number}" in await store.propagate([changed(f"{number}")])
        await store.close()
        shutil.rmtree(folder(tmp_path))


async def test_an_engine_that_lacked_file_descriptors_can_be_started_later(
    tmp_path: Path,
) -> None:
    assert elsewhere(tmp_path, "a").returncode == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  shorter than a Path
    with pytest.raises(StoreLostError, match="Too many open files"):  # noqa: PT012  the limit must be lifted again
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files + 4, hard))
        try:
            await documents(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert await documents(tmp_path) == ["a"]
    assert moved_aside(tmp_path) == []


async def test_the_schema_sets_the_expected_version(embedded: SurrealStore) -> None:
    assert await embedded._connection.run(queries.READ_SCHEMA_VERSION) == queries.SCHEMA_VERSION


async def test_a_removed_folder_is_noticed_and_loading_starts_over(tmp_path: Path) -> None:
    """Going on with an empty database would find no dependents of anything."""
    told: list[Problem] = []
    store = await open_store(EMBEDDED, root=tmp_path, listener=StoreListener(told.append))
    await store.propagate([changed("a")])
    shutil.rmtree(folder(tmp_path))
    with pytest.raises(StoreCorruptError, match="gone"):
        await store.propagate([changed("a")])
    assert (await store.load()).documents == ()
    assert await store.propagate([changed("a")]) == ("a",)
    assert len(told) == 1
    await store.close()


async def test_two_workspaces_in_one_database_do_not_touch_each_other(tmp_path: Path) -> None:
    ours = await open_store(EMBEDDED, root=tmp_path)
    theirs = type(ours)(ours._connection, "theirs")
    for store in (ours, theirs):
        await store.propagate([changed("a"), changed("b", add="a")])
        await store.commit([done("a"), done("b")])
    before = await theirs.load()
    assert set(await ours.propagate([changed("a")])) == set(ids("a b"))
    await ours.commit([done("a", add="a")])
    assert await theirs.load() == before
    assert await theirs.frontier() == ()
    assert await theirs.cycle(DocumentId("a")) == ()
    await ours.close()


async def test_an_interrupted_first_scan_leaves_a_consistent_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents that were written are DIRTY and have their edges; the edges' targets exist, as MISSING."""
    monkeypatch.setattr("kahnd.store.surreal_store.CHUNK", 4)
    store = await open_store(EMBEDDED, root=tmp_path)
    store = SurrealStore(LostAfter(store._connection, calls=2), EMBEDDED.workspace)
    changes = [changed(f"{number}", add=f"{number + 1}") for number in range(9)] + [changed("9")]
    with pytest.raises(StoreLostError):
        await store.propagate(changes)
    snapshot = await store.load()
    assert {each.id: each.status for each in snapshot.documents} == {
        **dict.fromkeys("0123", Status.DIRTY),
        "4": Status.MISSING,
    }
    assert set(snapshot.dependencies) == set("0123")
    assert len(await store.propagate(changes)) == 10
    await store.close()


async def test_an_unknown_kind_of_url_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none of surrealkv"):
        await documents(tmp_path, replace(EMBEDDED, url="postgres://user:secret@host/db"))


def test_an_embedded_store_works_without_the_sdk(tmp_path: Path) -> None:
    """Importing the SDK takes up to a second, and 14 MB."""
    code = OPEN_ELSEWHERE + "sys.exit('surrealdb' in sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path), "a"]
    assert subprocess.run(command, check=False, timeout=200).returncode == 0
