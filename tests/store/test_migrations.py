"""A database of an earlier schema version: its history is carried over, the rest is derived again."""

from __future__ import annotations

from pathlib import Path

import pytest
from surrealdb import AsyncEmbeddedSurrealConnection

from kahnd.core.model import Because, DocumentId, Problem, Reason
from kahnd.store import connection, queries
from kahnd.store.migrations import MIGRATIONS, Migration, way
from kahnd.store.surreal import SurrealStore, open_store
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
    """A database, by statements."""
    folder = root / ".kahnd/db"
    folder.mkdir(parents=True)
    client = AsyncEmbeddedSurrealConnection(f"surrealkv://{folder}")
    await client.connect()
    await client.use(EMBEDDED.namespace, EMBEDDED.database)
    for script in scripts:
        await connection.ask(client, script)
    await client.close()


async def opened(root: Path, told: list[Problem]) -> SurrealStore:
    return await open_store(EMBEDDED, root=root, report=told.append)


async def test_version_2_keeps_its_history_and_forgets_what_is_derived(tmp_path: Path) -> None:
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    told: list[Problem] = []
    store = await opened(tmp_path, told)
    snapshot, history = await store.load(), await store.history(None, 10)
    assert (snapshot.documents, dict(snapshot.dependencies)) == ((), {})
    assert snapshot.last_build
    assert snapshot.last_build.id == "b1"
    assert [(each.document, each.error) for each in history] == [("b.md", "broken"), ("a.md", None)]
    assert history[1].reasons == (Reason(Because.DEPENDENCY, DocumentId("b.md"), "1", "2"),)
    assert history[1].chain == ("b.md", "a.md")
    assert await store.propagate([changed("a.md", add="b.md")]) == ("a.md",)
    assert told == []
    await store.close()


async def test_indexes_that_nothing_is_looked_up_by_are_given_up(tmp_path: Path) -> None:
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    store = await opened(tmp_path, [])
    left = [
        await store._connection.run(f"RETURN (INFO FOR TABLE {table}).indexes.keys()")
        for table in ("document", "render", "build")
    ]
    assert left == [[], ["by_document"], []]
    await store.close()


async def test_a_migration_cut_short_is_made_again(tmp_path: Path) -> None:
    """All but its last word is as if it had not been, and the schema may be applied twice."""
    await make(tmp_path, Path(__file__).with_name("schema-2.surql").read_text(), CONTENT_2)
    store = await opened(tmp_path, [])
    for again in MIGRATIONS:
        await store._connection.run(again.transaction)
    assert await store._connection.run(queries.SCHEMA_VERSION) == connection.VERSION
    assert [len(each.reasons) for each in await store.history(None, 10)] == [0, 1]
    await store.close()


@pytest.mark.parametrize("version", [1, connection.VERSION + 1])
async def test_a_version_that_no_migration_leads_on_from_is_moved_aside(tmp_path: Path, version: int) -> None:
    await make(tmp_path, f"DEFINE PARAM $kahnd_schema VALUE {version}")
    told: list[Problem] = []
    store = await opened(tmp_path, told)
    assert f"schema version {version}, this kahnd needs {connection.VERSION}" in told[0].detail
    assert await store.propagate([changed("a")]) == ("a",)
    await store.close()


def test_a_way_is_whole_and_in_order() -> None:
    steps = tuple(Migration(number, "") for number in (2, 3, 5))
    assert way(2, 4, steps) == steps[:2]
    assert way(3, 4, steps) == steps[1:2]
    assert way(4, 4, steps) == ()
    assert way(2, 6, steps) is None
    assert way(1, 4, steps) is None
    assert way(5, 4, steps) is None


def test_every_migration_leads_to_a_version_that_is_there() -> None:
    assert [each.since for each in MIGRATIONS] == list(range(connection.VERSION - len(MIGRATIONS), connection.VERSION))
