"""What the engine says, as it comes out of its own package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kahnd.store.connection import Refused, ask
from kahnd.store.native import NativeClient


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
async def test_a_value_comes_out_as_it_is(client: NativeClient, surrealql: str, value: object) -> None:
    assert await ask(client, surrealql, "grüße".encode()) == value


async def test_a_kind_of_value_that_json_has_not_does_no_harm(client: NativeClient) -> None:
    assert await ask(client, "RETURN [a:1, 2s, d'2026-01-01T00:00:00Z', 'text']")


@pytest.mark.parametrize(
    ("surrealql", "words"), [("THROW 'no such thing'", "no such thing"), ("RETURN (", "Parse error")]
)
async def test_what_fails_is_refused_in_the_engine_s_words(client: NativeClient, surrealql: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        await ask(client, surrealql)


async def test_an_engine_that_is_closed_refuses(tmp_path: Path) -> None:
    client = NativeClient(f"surrealkv://{tmp_path}")
    await client.close()
    await client.close()
    with pytest.raises(Refused, match="closed"):
        await client.use("kahnd", "tests")


async def test_a_folder_that_is_in_use_is_refused(client: NativeClient, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="already locked by another process"):
        NativeClient(f"surrealkv://{tmp_path}")
