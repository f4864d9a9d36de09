"""Migrating a database of an earlier schema version keeps its history; the rest is derived again."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from surrealdb import AsyncEmbeddedSurrealConnection

from kahnd import store as store_package
from kahnd.core.model import DocumentId, Problem, Reason, ReasonKind
from kahnd.store import connection, queries
from kahnd.store.queries import MIGRATIONS, Migration, migrations_between
from kahnd.store.surreal_store import StoreListener, SurrealStore, open_store
from store.conftest import EMBEDDED
from store.graphs import changed

CONTENT_2 = """
CREATE document:['main', 'a.md'] SET workspace = 'main', status = 'DONE', content_hash = '1';
CREATE document:['main', 'b.md'] SET workspace = 'main', status = 'DONE', content_hash = '2';
INSERT RELATION INTO depends_on {
    id: ['main', 'a.md', 'b.md', 'page'], in: document:['main', 'a.md'], out: document:['main', 'b.md'],
    kind: 'page', line: 1, position: 1
};
CREATE build:['main', '2026-01-01', 'b1'] SET workspace = 'main', cause = 'start', started_at = '2026-01-01',
    duration_ms = 1.5, rendered = 2, skipped = 0, failed = 0, blocked = 0, removed = 0, generations = 1;
CREATE render:['main', '2026-01-01', 'b1', 'a.md'] SET workspace = 'main', document = 'a.md', build = 'b1',
    cause = 'start', status = 'DONE', started_at = '2026-01-01', duration_ms = 1, chain = ['b.md', 'a.md'],
    reasons = [['dependency', 'b.md', '1', '2']];
CREATE render:['main', '2026-01-02', 'b1', 'b.md'] SET workspace = 'main', document = 'b.md', build = 'b1',
    cause = 'start', status = 'FAILED', started_at = '2026-01-02', duration_ms = 1, error = 'broken';
"""


async def make(root: Path, *scripts: str) -> None:
    """Make a database by running scripts."""
    folder = root / ".kahnd/db"
    folder.mkdir(parents=True)
    client = AsyncEmbeddedSurrealConnection(f"surrealkv://{folder}")
    await client.connect()
    await client.use(EMBEDDED.namespace, EMBEDDED.database)
    for script in scripts:
        await connection.execute(client, script)
    await client.close()


async def opened(root: Path, told: list[Problem]) -> SurrealStore:
    return await open_store(EMBEDDED, root=root, listener=StoreListener(told.append))


async def test_migrating_version_2_keeps_only_the_history(tmp_path: Path) -> None:
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    told: list[Problem] = []
    store = await opened(tmp_path, told)
    snapshot, history = await store.load(), await store.history(None, 10)
    assert (snapshot.documents, dict(snapshot.dependencies)) == ((), {})
    assert snapshot.last_build
    assert snapshot.last_build.id == "b1"
    assert [(each.document, each.error) for each in history] == [("b.md", "broken"), ("a.md", None)]
    assert history[1].reasons == (Reason(ReasonKind.DEPENDENCY, DocumentId("b.md"), "1", "2"),)
    assert history[1].chain == ("b.md", "a.md")
    assert await store.propagate([changed("a.md", add="b.md")]) == ("a.md",)
    assert told == []
    await store.close()


async def test_unused_indexes_are_removed(tmp_path: Path) -> None:
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    store = await opened(tmp_path, [])
    left = [
        await store._connection.run(f"RETURN (INFO FOR TABLE {table}).indexes.keys()")
        for table in ("document", "render", "build")
    ]
    assert left == [[], ["by_document"], []]
    await store.close()


async def test_an_interrupted_migration_is_repeated(tmp_path: Path) -> None:
    """A migration is one transaction, and applying the schema twice changes nothing."""
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    store = await opened(tmp_path, [])
    for again in MIGRATIONS:
        await store._connection.run(again.transaction)
    assert await store._connection.run(queries.READ_SCHEMA_VERSION) == queries.SCHEMA_VERSION
    assert [len(each.reasons) for each in await store.history(None, 10)] == [0, 1]
    await store.close()


async def test_a_problem_of_version_7_has_no_column_and_nothing_is_warned_of(tmp_path: Path) -> None:
    schema = resources.files(store_package).joinpath("schema.surql").read_text("utf-8")
    content = """
    CREATE document:['main', 'a.md'] SET workspace = 'main', status = 'FAILED', problem = ['no', 'a.md', 3, 'mend', ''];
    CREATE document:['main', 'b.md'] SET workspace = 'main', status = 'DONE';
    DEFINE PARAM OVERWRITE $kahnd_schema VALUE 7"""
    await make(tmp_path, schema, content)
    told: list[Problem] = []
    store = await opened(tmp_path, told)
    assert told == []
    failed, done = (await store.load()).documents
    assert failed.problem == Problem("no", "a.md", 3, "mend")
    assert (done.problem, done.warnings) == (None, ())
    await store.close()


@pytest.mark.parametrize("version", [1, queries.SCHEMA_VERSION + 1])
async def test_a_version_without_a_migration_is_moved_aside(tmp_path: Path, version: int) -> None:
    await make(tmp_path, f"DEFINE PARAM $kahnd_schema VALUE {version}")
    told: list[Problem] = []
    store = await opened(tmp_path, told)
    assert f"schema version {version}, this kahnd needs {queries.SCHEMA_VERSION}" in told[0].detail
    assert await store.propagate([changed("a")]) == ("a",)
    await store.close()


def test_migrations_between_two_versions_are_complete_and_in_order() -> None:
    steps = tuple(Migration(number, "") for number in (2, 3, 5))
    assert migrations_between(2, 4, steps) == steps[:2]
    assert migrations_between(3, 4, steps) == steps[1:2]
    assert migrations_between(4, 4, steps) == ()
    assert migrations_between(2, 6, steps) is None
    assert migrations_between(1, 4, steps) is None
    assert migrations_between(5, 4, steps) is None


def test_migrations_lead_to_the_current_version() -> None:
    assert [each.since for each in MIGRATIONS] == list(
        range(queries.SCHEMA_VERSION - len(MIGRATIONS), queries.SCHEMA_VERSION)
    )
