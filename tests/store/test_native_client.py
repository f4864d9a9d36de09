"""The client that uses the engine's own package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kahnd.store.connection import Refused, execute
from kahnd.store.embedded import NativeClient


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[NativeClient]:
    client = NativeClient(f"surrealkv://{tmp_path}")
    await client.use("kahnd", "tests")
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("surrealql", "value"),
    [
        ("RETURN $payload", "grüße"),
        ("RETURN NONE", None),
        ("RETURN NULL", None),
        ("RETURN 1; RETURN [1.5, -2, true, { a: NONE }]", [1.5, -2, True, {"a": None}]),
    ],
)
async def test_values_are_decoded(client: NativeClient, surrealql: str, value: object) -> None:
    assert await execute(client, surrealql, "grüße".encode()) == value


async def test_values_without_a_json_equivalent_are_accepted(client: NativeClient) -> None:
    assert await execute(client, "RETURN [a:1, 2s, d'2026-01-01T00:00:00Z', 'text']")


@pytest.mark.parametrize(
    ("surrealql", "words"), [("THROW 'no such thing'", "no such thing"), ("RETURN (", "Parse error")]
)
async def test_a_failure_is_refused_with_the_engines_message(client: NativeClient, surrealql: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        await execute(client, surrealql)


async def test_a_closed_engine_refuses(tmp_path: Path) -> None:
    client = NativeClient(f"surrealkv://{tmp_path}")
    await client.close()
    await client.close()
    with pytest.raises(Refused, match="closed"):
        await client.use("kahnd", "tests")


async def test_a_folder_that_is_in_use_is_refused(client: NativeClient, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="already locked by another process"):
        NativeClient(f"surrealkv://{tmp_path}")
