"""Outputs as they are, compared with what was put there: those that somebody removed or altered."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import anyio.to_thread

from kahnd.core.graph import Graph, Node
from kahnd.core.model import Digest, DocumentId, OutputPath, Status
from kahnd.engine.pulse import Pulse, Waits
from kahnd.ports import Outputs, Spoilt

AT_ONCE: Final = 1000
"""Outputs that are looked at before the look gives a sign, and can be given up."""


class Inspection:
    """Looks in a worker thread, while outputs may be put in place: what has become another meanwhile is not told."""

    def __init__(self, graph: Graph, outputs: Outputs, pulse: Pulse | None = None) -> None:
        self._graph = graph
        self._outputs = outputs
        self._pulse = pulse or Pulse()

    async def all(self) -> Spoilt:
        """Look at every output."""
        return await self._look(self._graph)

    async def of(self, documents: Iterable[DocumentId]) -> Spoilt:
        """Look at the outputs of some documents."""
        return await self._look(node for each in documents if (node := self._graph.get(each)))

    async def near(self, paths: Collection[str] | None) -> Spoilt:
        """Look at the outputs that are there, or below (None: at all)."""
        return await self.all() if paths is None else await self._look(self._near(frozenset(paths)), kept_out=True)

    def _near(self, paths: frozenset[str]) -> Iterator[Node]:
        folders = set[str]()
        for path in paths:
            claimants = self._graph.claimants(OutputPath(path))
            yield from (self._graph[each] for each in claimants)
            if not claimants:
                folders.add(path)
        if folders:
            yield from (node for node in self._graph if node.claim and not folders.isdisjoint(_above(node.claim)))

    async def _look(self, nodes: Iterable[Node], *, kept_out: bool = False) -> Spoilt:
        looked_at = tuple(nodes)
        before = _expected(looked_at, kept_out=kept_out)
        if not before:
            return Spoilt()
        found = await self._found(before)
        if not found:
            return found
        now = _expected(looked_at, kept_out=kept_out)
        same = frozenset(each for each in before if each in now and before[each] == now[each])
        return Spoilt(found.absent & same, found.altered & same)

    async def _found(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        found, rest = Spoilt(), iter(expected.items())
        with self._pulse.waiting(Waits.OUTPUTS):
            while some := dict(islice(rest, AT_ONCE)):
                here = await anyio.to_thread.run_sync(self._outputs.spoilt, some)
                found = Spoilt(found.absent | here.absent, found.altered | here.altered)
                self._pulse.sign(Waits.OUTPUTS)
        return found


def _expected(nodes: Iterable[Node], *, kept_out: bool) -> dict[OutputPath, Digest | None]:
    """What should be where. `kept_out`: also where an output could not be put; that nothing is there is news then.

    Those are looked at only after an event there, or they would be tried with every look, for as long as it takes.
    """
    return {
        node.claim: node.facts.output_hash if node.facts.output == node.claim else None
        for node in nodes
        if node.claim and (node.facts.output == node.claim or (kept_out and _is_kept_out(node)))
    }


def _is_kept_out(node: Node) -> bool:
    problem = node.facts.problem
    return node.status is Status.FAILED and problem is not None and problem.file == node.claim


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
