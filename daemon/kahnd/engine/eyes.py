"""Looking: batches of hints become sightings, in the order in which the looks were made."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from math import inf
from typing import Final

import anyio

from kahnd.core.messages import Event, Looked, Observed, Tell
from kahnd.core.model import DocumentId, Sighting, Snapshot
from kahnd.engine.inspection import Inspection
from kahnd.engine.pulse import Pulse, Waits
from kahnd.ports import Batch, Clock, Spoilt, Tree, Watcher

Send = Callable[[Event], None]
DOUBT_S: Final = 2.0
"""How often what is in doubt is looked at again."""
SHARED_S: Final = 1.0
SLEPT_S: Final = 1.0
"""What others do to a file system while a machine sleeps makes no event there."""


class Eyes:
    """Owns the tree. What one look saw is sent before the next look begins, so that no older word overtakes a newer.

    `rescans` counts the looks at everything after the first. `on_config` hears of changes to what the session is built
    on; True where they are to the ignore rules. `on_look` hears of each look: its seconds, and how much had changed.
    """

    def __init__(  # noqa: PLR0913  what it sees by, and everybody who hears of it
        self,
        tree: Tree,
        inspection: Inspection,
        send: Send,
        on_config: Callable[[bool], None],
        *,
        on_look: Callable[[float, int], None] = lambda _seconds, _changed: None,
        pulse: Pulse | None = None,
    ) -> None:
        self._pulse = pulse or Pulse()
        self._on_config = on_config
        self._on_look = on_look
        self._inspection = inspection
        self._tree = tree
        self._send = send
        self._lock = anyio.Lock()
        self._flushed: dict[str, anyio.Event] = {}
        self._tokens = 0
        self._looked = anyio.Event()
        self.rescans = 0

    async def first(self, known: Snapshot) -> tuple[Sighting, ...]:
        """Look at everything, against what an earlier life knew."""
        async with self._lock:
            self._tree.known(known)
            sightings = await self._timed(self._tree.crawl())
        self._looked.set()
        return sightings

    async def follow(self, watcher: Watcher) -> None:
        """Look wherever the watcher says something may have happened; returns when it has no more to say."""
        async for batch in watcher.batches():
            if batch.paths or batch.everything:
                await self._look_at(batch)
            if batch.outputs or batch.everything:
                await self.inspect(None if batch.everything else batch.outputs)
            if batch.config:
                self._on_config(batch.everything)
            for token in batch.flushed:
                self._flushed.pop(token, anyio.Event()).set()

    async def make_sure(self, watcher: Watcher, clock: Clock, every_s: float) -> None:
        """Look again at what is in doubt; at everything every so often (0: never), and when the machine has slept."""
        while True:
            slept, until = clock.suspended(), clock.monotonic() + (every_s or inf)
            while clock.monotonic() < until and clock.suspended() - slept < SLEPT_S:
                await anyio.sleep(min(DOUBT_S, max(0, until - clock.monotonic())))
                async with self._lock:
                    self._report(await self._timed(self._tree.look_again()))
            await watcher.audit()
            await self.everything()

    async def watch_shared(self) -> None:
        """Look every second at files that can change without an event."""
        await self._looked.wait()
        while True:
            await anyio.sleep(SHARED_S)
            await self._look_at_shared(at_leisure=True)

    async def _look_at_shared(self, *, at_leisure: bool = False) -> None:
        async with self._lock:
            with self._pulse.waiting(Waits.LOOK):
                sightings = await self._tree.look_at_shared(at_leisure=at_leisure)
            self._report(sightings)

    async def everything(self) -> None:
        """Look at all there is, outputs too."""
        async with self._lock:
            self._report(await self._crawl())
        await self.inspect()

    async def _crawl(self) -> tuple[Sighting, ...]:
        self.rescans += 1
        return await self._timed(self._tree.crawl())

    async def inspect(self, hints: Collection[str] | None = None) -> None:
        """Compare the outputs there, or below (None: all), with what was put there."""
        await self._looked.wait()
        spoilt = await self._inspection.near(hints)
        if spoilt:
            self._send(Observed((), cause_of_spoilt(spoilt), spoilt.absent, spoilt.altered))

    async def look(self, paths: Collection[DocumentId], document: DocumentId, rest_s: float = 0.0) -> None:
        """Look at some documents and their outputs, because a rendering found them other than expected.

        `rest_s`: how many seconds to wait before.
        """
        if rest_s:
            await anyio.sleep(rest_s)
        spoilt = await self._inspection.of(paths)
        async with self._lock:
            sightings = await self._timed(self._tree.look(paths))
            self._send(Observed(sightings, cause_of(sightings), spoilt.absent, spoilt.altered))
            self._send(Looked(document, rested=rest_s > 0))

    async def flush(self, watcher: Watcher) -> None:
        """Return when all that happened before the call has been seen and sent."""
        await self._look_at_shared()
        self._tokens += 1
        token = f"{self._tokens}"
        seen = self._flushed[token] = anyio.Event()
        watcher.flush(token)
        await seen.wait()

    async def _look_at(self, batch: Batch) -> None:
        await self._looked.wait()
        async with self._lock:
            sightings = await (self._crawl() if batch.everything else self._timed(self._tree.look(sorted(batch.paths))))
            self._report(sightings, batch)

    async def _timed(self, look: Awaitable[tuple[Sighting, ...]]) -> tuple[Sighting, ...]:
        began = time.perf_counter()
        with self._pulse.waiting(Waits.LOOK):
            sightings = await look
        self._on_look(time.perf_counter() - began, len(sightings))
        return sightings

    def _report(self, sightings: tuple[Sighting, ...], batch: Batch | None = None) -> None:
        """What was seen; nothing is not worth a line, which might itself be a write that is watched."""
        if sightings:
            cause = cause_of(sightings)
            self._send(Observed(sightings, cause, told=_told(batch, len(sightings), cause) if batch else None))


def _told(batch: Batch, changed: int, cause: str) -> Tell:
    """The log's line: its cause is its own, also where a build is under way already, which has another."""
    words = {"paths": len(batch.paths), "everything": batch.everything, "changed": changed, "cause": cause}
    return Tell("watch.batch", words)


def cause_of(sightings: tuple[Sighting, ...]) -> str:
    """The words for a build that these began: "docs/a.md saved", "docs/a.md removed and 3 more"."""
    if not sightings:
        return "a look"
    first = min(sightings, key=lambda each: each.document)
    gone = first.content_hash is None and first.problem is None
    more = f" and {len(sightings) - 1} more" if len(sightings) > 1 else ""
    return f"{first.document} {'removed' if gone else 'saved'}{more}"


def cause_of_spoilt(spoilt: Spoilt) -> str:
    """The words for a build that these began: "site/a.html gone", "site/a.html altered and 3 more"."""
    first = min(spoilt.absent | spoilt.altered)
    count = len(spoilt.absent | spoilt.altered)
    more = f" and {count - 1} more" if count > 1 else ""
    return f"{first} {'gone' if first in spoilt.absent else 'altered'}{more}"
