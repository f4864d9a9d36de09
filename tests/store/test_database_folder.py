"""kahnd uses and removes the database folders that it made, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.errors import StoreError
from kahnd.platform.owned_files import NotOwnError
from kahnd.store import database_folder
from kahnd.store.connection import StoreAddress
from kahnd.store.surreal_store import open_store

TABLE = "sstables/00000000000000000001.sst"


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.mark.parametrize("path", ["state/db", ".kahnd/db"])
def test_a_new_or_empty_folder_is_kahnds_once_it_is_marked(tmp_path: Path, path: str) -> None:
    if path == "state/db":
        (tmp_path / path).mkdir(parents=True)
    database_folder.prepare(tmp_path, path)
    write(tmp_path, f"{path}/LOCK", f"{path}/{TABLE}")
    database_folder.prepare(tmp_path, path)
    assert database_folder.is_own(tmp_path, path)
    assert database_folder.remove(tmp_path, path)
    assert not (tmp_path / path).exists()


def test_a_database_without_a_mark_is_kahnds_in_the_state_folder_only(tmp_path: Path) -> None:
    write(tmp_path, *(f"{path}/{name}" for path in (".kahnd/db", "state/db") for name in ("LOCK", TABLE)))
    database_folder.prepare(tmp_path, ".kahnd/db")
    assert database_folder.is_own(tmp_path, ".kahnd/db")
    with pytest.raises(NotOwnError, match="no mark"):
        database_folder.prepare(tmp_path, "state/db")
    assert not database_folder.remove(tmp_path, "state/db")
    assert (tmp_path / "state/db" / TABLE).exists()


@pytest.mark.parametrize("path", ["state/db", ".kahnd/db"])
def test_a_folder_with_other_files_is_not_kahnds(tmp_path: Path, path: str) -> None:
    write(tmp_path, f"{path}/notes", f"{path}/{TABLE}")
    with pytest.raises(NotOwnError, match="kahnd did not make this"):
        database_folder.prepare(tmp_path, path)
    assert not database_folder.is_own(tmp_path, path)
    assert not database_folder.remove(tmp_path, path)
    assert (tmp_path / path / TABLE).exists()


def test_foreign_files_in_a_database_are_kept(tmp_path: Path) -> None:
    database_folder.prepare(tmp_path, "db")
    write(tmp_path, "db/notes", "db/sstables/notes", f"db/{TABLE}")
    assert not database_folder.remove(tmp_path, "db")
    assert sorted(each.name for each in (tmp_path / "db").rglob("*") if each.is_file()) == ["notes", "notes"]


@pytest.mark.parametrize("link", [".kahnd", ".kahnd/db", ".kahnd/db/wal", ".kahnd/db/LOCK", ".kahnd/db/kahnd"])
async def test_a_database_is_not_opened_through_a_link(tmp_path: Path, link: str) -> None:
    write(tmp_path, "elsewhere/file")
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="link") as refused:
        await open_store(StoreAddress("surrealkv://.kahnd/db", "kahnd", "tests", "main"), root=tmp_path)
    assert refused.value.problems[0].remedy
    assert [each.name for each in (tmp_path / "elsewhere").iterdir()] == ["file"]


@pytest.mark.parametrize("path", ["/var/lib/db", "../db", ".", "a/../.."])
async def test_a_database_outside_of_the_project_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError, match="own in the project"):
        await open_store(StoreAddress(f"surrealkv://{path}", "kahnd", "tests", "main"), root=tmp_path)


async def test_foreign_folders_beside_a_database_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "state/db.old/p", "state/db.new/p", "state/db.unusable-20200101T000000.000000Z/p")
    store = await open_store(StoreAddress("surrealkv://state/db", "kahnd", "tests", "main"), root=tmp_path)
    await store.close()
    assert len(list((tmp_path / "state").glob("db.*/p"))) == 3
