"""Calls to one workspace of a database: what is asked and told is JSON; and the reading of all that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from kahnd.core.model import BuildRecord, Problem, Snapshot
from kahnd.core.text import plain
from kahnd.errors import StoreCorruptError
from kahnd.store import queries, rows
from kahnd.store.connection import Run

FIRST_PAGE: Final = 2_000
LARGEST_PAGE: Final = 10_000
"""Documents that are read at once: some 10 to 50 MB in the engine, of which it keeps a part."""

PASSED: Final = 2
"""A page is at least half of those before it, which are passed over once more for each."""

T = TypeVar("T")
Page = list[rows.FactsRow]


class Calls:
    """One workspace's calls, by `run`."""

    def __init__(self, run: Run, workspace: str) -> None:
        self._run_query = run
        self._workspace = workspace

    async def ask(self, query: str, kind: type[T], **payload: object) -> T:
        """The answer of a query of `queries`. Raises StoreCorruptError for one that kahnd's own facts can't make."""
        answer = await self._answer(query, payload)
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, TypeError) as error:
            raise StoreCorruptError(Problem(f"the database holds what kahnd has not put there: {error}")) from error

    async def run(self, query: str, **payload: object) -> None:
        """Run a query that answers nothing."""
        await self._answer(query, payload)

    async def everything(self) -> Snapshot:
        """All documents and edges, and the last build. While a page's edges are read, the next page is."""
        builds = await self.ask(queries.LAST_BUILD, list[BuildRecord])
        found = rows.Gathered()
        send, receive = anyio.create_memory_object_stream[Page]()
        try:
            async with anyio.create_task_group() as tasks, receive:
                tasks.start_soon(self._pages, send)
                async for page in receive:
                    found.add(page, await self._edges_of(page))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # what fails first cancels the rest
        return Snapshot(tuple(found.documents), found.dependencies, builds[0] if builds else None)

    async def _pages(self, send: MemoryObjectSendStream[Page]) -> None:
        """All documents' rows, so many at a time."""
        after, passed = None, 0
        async with send:
            while page := await self.ask(queries.DOCUMENTS, Page, after=after, limit=_size(passed)):
                await send.send(page)
                after = page[-1].id
                passed += len(page)

    async def _edges_of(self, page: Page) -> list[rows.EdgeRow]:
        return await self.ask(queries.EDGES, list[rows.EdgeRow], first=page[0].id, last=page[-1].id)

    async def _answer(self, query: str, payload: dict[str, object]) -> Any:
        return await self._run_query(query, encoded({"workspace": self._workspace, **payload}))


def encoded(payload: Mapping[str, object]) -> bytes:
    """The payload as JSON; whatever JSON in UTF-8 and 64 bits can't hold is written as near as it can be."""
    try:
        return msgspec.json.encode(payload)
    except (UnicodeEncodeError, OverflowError):
        return msgspec.json.encode(plain(payload))


def _size(passed: int) -> int:
    """How many documents to read behind so many."""
    return max(FIRST_PAGE, min(passed // PASSED, LARGEST_PAGE))
