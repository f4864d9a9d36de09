"""Keeps a picture of the session's graph for those who draw it, at a bounded cost and only when somebody asks.

The picture is built in a thread. From then on the documents that change are followed, and only their statuses are read
again; it is built anew once its shape has changed, for a bounded share of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import anyio
from anyio import to_thread
from anyio.lowlevel import checkpoint

from kahnd.app.document_graph import PART, DocumentGraph, Entry, GraphShape, document_graph, entries_of, entry_of
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId
from kahnd.core.nodes import Node
from kahnd.core.renderings import document_of

PAUSE_S: Final = 0.0005
"""The thread that builds lets the event loop run for so long, after each part of its work."""
SHARE: Final = 20
"""After it was built, the picture is kept for so many times as long as that took."""


class GraphModel:
    """Follows one graph after another. `graph` returns that of the session of the moment, and None between two."""

    def __init__(self, graph: Callable[[], Graph | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._source = graph
        self._clock = clock
        self._lock = anyio.Lock()
        self._followed: Graph | None = None
        self._changed: set[DocumentId] = set()
        self._picture = DocumentGraph()
        self._is_outdated = False
        self._build_again_at = 0.0

    async def current(self) -> DocumentGraph:
        """Returns the picture: with the statuses of now, and a shape that is as old as its last change at most allows.

        Between two sessions it is that of the last one.
        """
        async with self._lock:
            graph = self._source()
            if graph is None:
                return self._picture
            if graph is not self._followed:
                await self._build(graph)
            else:
                with anyio.CancelScope(shield=True):  # what has changed is named once
                    await self._catch_up(graph)
                if self._is_outdated and self._clock() >= self._build_again_at:
                    await self._build(graph)
            return self._picture

    async def _build(self, graph: Graph) -> None:
        began = self._clock()
        self._changed = graph.follow()
        self._changed.clear()
        make = partial(_built, graph, list(graph), self._picture)
        self._picture = await to_thread.run_sync(make, abandon_on_cancel=True)
        self._followed, self._is_outdated = graph, False
        now = self._clock()
        self._build_again_at = now + SHARE * (now - began)

    async def _catch_up(self, graph: Graph) -> None:
        """Reads the documents that have changed, in parts between which the event loop can do other work."""
        for _ in range(0, len(self._changed), PART):
            picture = self._picture
            statuses = bytearray(picture.statuses)
            for document in {document_of(self._changed.pop()) for _ in range(min(PART, len(self._changed)))}:
                entry, number = entry_of(graph, document), picture.shape.numbers.get(document)
                if entry is not None and number is not None:
                    statuses[number] = entry.code
                self._is_outdated = self._is_outdated or not await _has(picture.shape, document, entry)
            if statuses != picture.statuses:
                self._picture = DocumentGraph(picture.shape, bytes(statuses), picture.revision + 1)
            await checkpoint()


async def _has(shape: GraphShape, document: DocumentId, entry: Entry | None) -> bool:
    """Tells whether a document is as it was in the shape; one with very many dependencies is compared in a thread."""
    if entry is None or len(entry.dependencies) < PART:
        return shape.has(document, entry)
    return await to_thread.run_sync(shape.has, document, entry, abandon_on_cancel=True)


def _built(graph: Graph, nodes: Sequence[Node], before: DocumentGraph) -> DocumentGraph:
    """For any thread. The nodes are those of one moment; their facts and edges are values, which do not change."""
    made = document_graph(entries_of(graph, nodes, _pause), before.shape.revision + 1, _pause)
    return DocumentGraph(made.shape, made.statuses, before.revision + 1)


def _pause() -> None:
    time.sleep(PAUSE_S)
