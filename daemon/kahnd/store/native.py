"""The embedded engine as its own package has it: requests and answers in CBOR, as a server has them.

The SDK, which a server is spoken to by, costs a daemon's start 0.3 seconds (1.1 where nothing is cached), 14 MB, and
each call a tenth of a millisecond, for types that kahnd has no use for: all that it asks and is told is JSON text.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2
from surrealdb_embedded import AsyncEmbeddedDB

from kahnd.store.connection import Refused

ANY_ID: Final = "1"
"""A request's name. Its answer comes by the same call, so that they need no names of their own."""


class NativeClient:
    """An engine on one folder. What it refuses, and whatever it fails at, is a Refused with the engine's words."""

    def __init__(self, url: str) -> None:
        """Open the folder; blocking."""
        try:
            self._engine = AsyncEmbeddedDB(url)
        except RuntimeError as error:
            raise Refused(str(error)) from error

    async def use(self, namespace: str, database: str) -> None:
        """Choose a database, which is made where it is not there; to be called before anything is run."""
        await self._request("use", namespace, database)

    async def query_raw(self, query: str, vars: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002
        """Run SurrealQL; the answer says of each statement how it went."""
        return await self._request("query", query, vars or {})

    async def close(self) -> None:
        """Give the folder up; the engine's threads end a little later."""
        try:
            await self._engine.close()
        except RuntimeError as error:
            raise Refused(str(error)) from error

    async def _request(self, method: str, *parameters: object) -> dict[str, Any]:
        request = cbor2.dumps({"id": ANY_ID, "method": method, "params": parameters})
        try:
            answer = await self._engine.execute(request)
        except RuntimeError as error:
            raise Refused(str(error)) from error
        decoded: dict[str, Any] = cbor2.loads(answer, tag_hook=_untagged)
        if "error" in decoded:
            raise Refused(str(decoded["error"]["message"]))
        return decoded


def _untagged(tag: cbor2.CBORTag, _immutable: bool) -> Any:  # noqa: FBT001  as cbor2 calls it
    """SurrealDB's own kinds of values. Of these only NONE is ever asked for, and has no content."""
    return tag.value
