"""Looks at sources and outputs, and reports what it observes in the order in which the looks were taken."""

from __future__ import annotations

import math
import posixpath
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import anyio
import anyio.to_thread

from kahnd.core.events import Event, Log, LogEvent, LookAtDeclared, Looked, Observed, Rechecked
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Observation, OutputPath, Snapshot, Status
from kahnd.core.nodes import Node
from kahnd.core.output_paths import is_of, published_files
from kahnd.core.renderings import documents_of
from kahnd.engine.inbox import Publications
from kahnd.engine.maintenance import Liveness, Waits
from kahnd.ports import Batch, History, Outputs, Spoilt, Tree, Watcher

Send = Callable[[Event], None]
OUTPUTS_AT_ONCE: Final = 1000
"""How many outputs are looked at before progress is reported, and the look can be cancelled."""


class Observer:
    """Looks at the sources, one look at a time; its observations are sent before the next look begins.

    `on_config` is called when something changed that the session is built on; with True if the ignore rules did.
    `on_look` is called after each look, with its seconds, the number of changes, and `Batch.since` of its cause.
    """

    def __init__(  # noqa: PLR0913 - its sources, and everybody it reports to
        self,
        tree: Tree,
        output_check: OutputCheck,
        send: Send,
        on_config: Callable[[bool], None],
        *,
        on_look: Callable[[float, int, float], None] = lambda _seconds, _changed, _since: None,
        liveness: Liveness | None = None,
    ) -> None:
        self._liveness = liveness or Liveness()
        self._on_config = on_config
        self._on_look = on_look
        self._tree = tree
        self._send = send
        self._lock = anyio.Lock()
        self._flushes: dict[str, anyio.Event] = {}
        self._last_token = 0
        self._first_look_taken = anyio.Event()
        self.output_check = output_check
        self.rescans = 0
        """How many looks at everything there were after the first."""
        self.history: History | None = None
        """The commits, if pages show when these have changed them."""

    async def first_look(
        self, known: Snapshot, generated: Mapping[DocumentId, DocumentId] | None = None
    ) -> tuple[Observation, ...]:
        """Look at everything, and return what differs from an earlier session's knowledge.

        `generated`: the generated documents to read anew, each with the one that declares it.
        """
        async with self._lock:
            self._tree.restore(known)
            observations = await self._timed(self._tree.crawl())
            if generated:
                observations += await self._timed(self._tree.read_generated(generated))
        self._first_look_taken.set()
        return observations

    async def follow(self, watcher: Watcher) -> None:
        """Look wherever the watcher reports that something may have changed, until it ends."""
        async for batch in watcher.batches():
            if batch.paths or batch.everything:
                await self._look_at(batch)
            if batch.outputs or batch.everything:
                await self.check_outputs(None if batch.everything else batch.outputs)
            if batch.config:
                self._on_config(batch.everything)
            for token in batch.flushed:
                self._flushes.pop(token, anyio.Event()).set()

    async def recheck(self) -> None:
        """Look once more at documents whose stat may not show their last change."""
        async with self._lock:
            self._report(await self._timed(self._tree.recheck()))

    async def check_hard_links(self) -> None:
        """Look at some of the files with several hard links, which can change without an event."""
        await self._first_look_taken.wait()
        await self._check_hard_links(briefly=True)

    async def _check_hard_links(self, *, briefly: bool = False) -> None:
        async with self._lock:
            with self._liveness.waiting(Waits.LOOK):
                observations = await self._tree.check_hard_links(briefly=briefly)
            self._report(observations)

    async def dates(self) -> Mapping[DocumentId, int | None]:
        """Return when commits have changed documents last, where that differs from the last look at the history."""
        if self.history is None:
            return {}
        with self._liveness.waiting(Waits.LOOK):
            return await anyio.to_thread.run_sync(self.history.look)

    async def check_history(self) -> None:
        """Look whether something was committed, or another branch checked out."""
        await self._first_look_taken.wait()
        async with self._lock:
            if dates := await self.dates():
                self._send(Observed((), "commit", dates=dates))

    async def look_at_everything(self) -> None:
        """Look at all sources and outputs."""
        async with self._lock:
            self._report(await self._crawl())
        await self.check_outputs()

    async def _crawl(self) -> tuple[Observation, ...]:
        self.rescans += 1
        return await self._timed(self._tree.crawl())

    async def check_outputs(self, hints: Collection[str] | None = None) -> None:
        """Compare the outputs at or below these paths (None: all) with what was published."""
        await self._first_look_taken.wait()
        spoilt = await self.output_check.near(hints)
        if spoilt:
            cause = cause_of_spoilt(spoilt)
            self._send(Observed((), cause, spoilt.absent, spoilt.altered, published=spoilt.published))

    async def look(self, paths: Collection[DocumentId], document: DocumentId, rest_s: float = 0.0) -> None:
        """Look at documents and their outputs because a rendering of `document` found them other than expected.

        `rest_s`: seconds to wait before the look.
        """
        if rest_s:
            await anyio.sleep(rest_s)
        spoilt = await self.output_check.of([*paths, *self.output_check.declarers(paths)])
        async with self._lock:
            observations = await self._timed(self._tree.look(documents_of(paths)))
            cause, published = cause_of(observations), spoilt.published
            self._send(Observed(observations, cause, spoilt.absent, spoilt.altered, published=published))
            self._send(Rechecked(document, delayed=rest_s > 0))

    async def look_at_declared(self, order: LookAtDeclared) -> None:
        """Look at documents that a rendering has declared; its result counts after that."""
        async with self._lock:
            documents = dict.fromkeys(order.documents, order.declarer)
            observations = await self._timed(self._tree.read_generated(documents)) if documents else ()
            if observations:
                self._send(Observed(observations, cause_of(observations)))
            self._send(Looked(order.run))

    async def flush(self, watcher: Watcher) -> None:
        """Return when all changes made before the call have been observed and sent.

        What could not be read for lack of resources is tried again before.
        """
        await self._check_hard_links()
        await self.recheck()
        await self.check_history()
        self._last_token += 1
        token = f"{self._last_token}"
        seen = self._flushes[token] = anyio.Event()
        watcher.flush(token)
        await seen.wait()

    async def _look_at(self, batch: Batch) -> None:
        await self._first_look_taken.wait()
        async with self._lock:
            paths = sorted(batch.paths)
            look = self._crawl() if batch.everything else self._timed(self._tree.look(paths), batch.since)
            self._report(await look, batch)

    async def _timed(
        self, look: Awaitable[tuple[Observation, ...]], since: float = math.inf
    ) -> tuple[Observation, ...]:
        began = time.perf_counter()
        with self._liveness.waiting(Waits.LOOK):
            observations = await look
        self._on_look(time.perf_counter() - began, len(observations), since)
        return observations

    def _report(self, observations: tuple[Observation, ...], batch: Batch | None = None) -> None:
        """Send what was observed. A look without a change is not logged: a watched log file would change by that."""
        if observations:
            cause = cause_of(observations)
            log_line = _log_line(batch, len(observations), cause) if batch else None
            self._send(Observed(observations, cause, log=log_line))


def _log_line(batch: Batch, changed: int, cause: str) -> Log:
    """Return the log line about a batch. Its cause is the batch's own, even if a build with another is under way."""
    fields = {"paths": len(batch.paths), "everything": batch.everything, "changed": changed, "cause": cause}
    return Log(LogEvent.WATCH_BATCH, fields)


def cause_of(observations: tuple[Observation, ...]) -> str:
    """Name the cause of a build that these began: "docs/a.md saved", "docs/a.md removed and 3 more"."""
    if not observations:
        return "a look"
    first = min(observations, key=lambda each: each.document)
    is_gone = first.content_hash is None and first.problem is None
    return f"{first.document} {'removed' if is_gone else 'saved'}{_and_more(len(observations))}"


def cause_of_spoilt(spoilt: Spoilt) -> str:
    """Name the cause of a build that these began: "site/a.html gone", "site/a.html altered and 3 more"."""
    outputs = spoilt.absent | spoilt.altered
    first = min(outputs)
    return f"{first} {'gone' if first in spoilt.absent else 'altered'}{_and_more(len(outputs))}"


def _and_more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


class OutputCheck:
    """Looks in a worker thread, while outputs may be published: it reports none that has changed hands meanwhile."""

    def __init__(
        self,
        graph: Graph,
        outputs: Outputs,
        publications: Publications | None = None,
        liveness: Liveness | None = None,
    ) -> None:
        self._graph = graph
        self._outputs = outputs
        self._publications = Publications() if publications is None else publications
        self._liveness = liveness or Liveness()

    async def all(self) -> Spoilt:
        """Look at every output."""
        return await self._look(self._graph)

    async def of(self, documents: Iterable[DocumentId]) -> Spoilt:
        """Look at the outputs of some documents."""
        return await self._look(node for each in documents if (node := self._graph.get(each)))

    def declarers(self, documents: Iterable[DocumentId]) -> list[DocumentId]:
        """Return the documents that declare some of these, and so publish the files that stand for them."""
        nodes = (self._graph.get(each) for each in documents)
        return [node.facts.declarer for node in nodes if node and node.facts.declarer]

    async def near(self, paths: Collection[str] | None) -> Spoilt:
        """Look at the outputs at or below these paths (None: at all)."""
        return await self.all() if paths is None else await self._look(self._near(frozenset(paths)), after_event=True)

    def _near(self, paths: frozenset[str]) -> Iterator[Node]:
        folders = set[str]()
        for path in paths:
            claimants = self._graph.claimants(OutputPath(path))
            yield from (self._graph[each] for each in claimants)
            if not claimants:
                folders.add(path)
        if folders:
            yield from (
                node for node in self._graph if any(not folders.isdisjoint(_above(each)) for each in node.claims)
            )

    async def _look(self, nodes: Iterable[Node], *, after_event: bool = False) -> Spoilt:
        """Look until no output that seems spoilt is being published: the file may be newer than the graph's hash."""
        spoilt, remaining = Spoilt(), tuple(nodes)
        while remaining:
            before = self._publications.count
            found = await self._look_once(remaining, after_event=after_event)
            unclear = self._publications.unknown(found.absent | found.altered)
            absent, altered = spoilt.absent | (found.absent - unclear), spoilt.altered | (found.altered - unclear)
            spoilt = Spoilt(absent, altered, before if absent or altered else None)
            remaining = tuple(node for node in remaining if _is_among(node, unclear)) if unclear else ()
            await self._publications.wait_for(unclear)
        return spoilt

    async def _look_once(self, nodes: Collection[Node], *, after_event: bool) -> Spoilt:
        before = _expected(nodes, after_event=after_event)
        if not before:
            return Spoilt()
        found = await self._compare(before)
        if not found:
            return found
        now = _expected(nodes, after_event=after_event)
        unchanged = frozenset(each for each in before if each in now and before[each] == now[each])
        return Spoilt(found.absent & unchanged, found.altered & unchanged)

    async def _compare(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        found, rest = Spoilt(), iter(expected.items())
        with self._liveness.waiting(Waits.OUTPUTS):
            while batch := dict(islice(rest, OUTPUTS_AT_ONCE)):
                spoilt = await anyio.to_thread.run_sync(self._outputs.spoilt, batch)
                found = Spoilt(found.absent | spoilt.absent, found.altered | spoilt.altered)
                self._liveness.progress(Waits.OUTPUTS)
        return found


def _expected(nodes: Iterable[Node], *, after_event: bool) -> dict[OutputPath, Digest | None]:
    """Return the outputs that should exist, with their hashes.

    `after_event`: include those that could not be published, without a hash; that nothing is in their way any more is
    then news. Other looks leave them out, or each look would render their documents again for as long as they fail.
    """
    expected: dict[OutputPath, Digest | None] = {}
    for node in nodes:
        if node.claim and node.facts.output == node.claim:
            expected.update(published_files(node.facts))
        if node.claim and after_event and (missing := _could_not_publish(node)):
            expected.setdefault(missing, None)
    return expected


def _could_not_publish(node: Node) -> OutputPath | None:
    """Return the output that could not be published."""
    problem = node.facts.problem
    if node.status is not Status.FAILED or problem is None or not problem.file:
        return None
    file = problem.file
    is_own = any(is_of(claim, file) for claim in node.claims)
    return OutputPath(file) if is_own else None


def _is_among(node: Node, outputs: Collection[OutputPath]) -> bool:
    return any(path in outputs for path, _ in published_files(node.facts)) or any(
        each in outputs for each in node.claims
    )


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
