"""The engine's access to the database: one call at a time, results in batches, retries while it is unreachable."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, TypeVar

import anyio
from msgspec.structs import replace

from kahnd.core.events import Commit, EndBuild, LogEvent, Propagate
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, Problem, Result
from kahnd.engine.maintenance import Liveness, Waits
from kahnd.engine.timings import PhaseTimings
from kahnd.errors import StoreLostError
from kahnd.ports import Phase, Store

T = TypeVar("T")
OnCall = Callable[[str, float], None]
"""Takes the name of a call that the database has answered, and its seconds."""
RETRY_S: Final = (0.1, 0.3, 1.0, 3.0, 5.0)
"""Pauses between attempts to reach a lost database; the last one repeats."""
STEADY_S: Final = 30.0
"""A database that is lost again within this time after its return is retried at the pace reached before."""
LINGER_S: Final = 0.02
"""Results are collected for this long before they are committed: a call costs as much as writing about ten of them."""
MANY: Final = 10
MANY_LINGER_S: Final = 0.1
"""If MANY results arrive within LINGER_S, they are collected for this long: a crash then loses little in proportion."""


class Backoff:
    """Paces the attempts to reach a lost database, and logs its loss and its return once each. Outlives sessions."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._attempts = 0
        self._restored_at = -inf
        self.error: StoreLostError | None = None
        """Why the database is unreachable; None while it answers."""

    @property
    def is_waiting(self) -> bool:
        """Tell whether the database is unreachable."""
        return self.error is not None

    async def wait(self, error: StoreLostError) -> None:
        """Pause before the next attempt, longer each time."""
        if not self.is_waiting:
            self._log(LogEvent.STORE_LOST, error=str(error))
            self._attempts = 0 if anyio.current_time() - self._restored_at > STEADY_S else self._attempts
        self.error = error
        pause = RETRY_S[min(self._attempts, len(RETRY_S) - 1)]
        self._attempts += 1
        await anyio.sleep(pause)

    def reset(self) -> None:
        """Record that the database answers."""
        if self.is_waiting:
            self._log(LogEvent.STORE_RESTORED)
            self.error, self._restored_at = None, anyio.current_time()


class StoreWriter:
    """Commits results in batches behind the renders. A query first commits all results that came before it.

    With a `backoff`, a lost database is retried for as long as it takes; without one, StoreLostError is raised.
    """

    def __init__(
        self,
        store: Store,
        backoff: Backoff | None,
        timings: PhaseTimings | None = None,
        liveness: Liveness | None = None,
        on_call: OnCall = lambda _operation, _seconds: None,
    ) -> None:
        self._store = store
        self._on_call = on_call
        self._backoff = backoff
        self._timings = timings or PhaseTimings()
        self._liveness = liveness or Liveness()
        self._lock = anyio.Lock()
        self._pending: list[Result] = []
        self._has_pending = anyio.Event()
        self._refused: dict[DocumentId, Problem] = {}

    @property
    def backlog(self) -> int:
        """How many results are not committed yet."""
        return len(self._pending)

    def take_refused(self) -> dict[DocumentId, Problem]:
        """Return the documents that the database did not accept since the last call, each with the reason."""
        refused, self._refused = self._refused, {}
        return refused

    def add(self, commit: Commit) -> None:
        """Add results to the next batch."""
        self._pending.extend(commit.results)
        if self._pending:
            self._has_pending.set()

    async def flush(self) -> None:
        """Commit all results added so far."""
        async with self._lock:
            await self._flush()

    async def relax(self) -> None:
        """Have the database release the memory that loading took."""
        async with self._lock:
            await self._call("release_memory", self._store.release_memory)

    async def write_behind(self) -> None:
        """Commit batches as results arrive; runs until cancelled."""
        while True:
            await self._has_pending.wait()
            await anyio.sleep(LINGER_S)
            if self.backlog >= MANY:
                await anyio.sleep(MANY_LINGER_S - LINGER_S)
            self._has_pending = anyio.Event()
            await self.flush()

    async def propagate(self, command: Propagate) -> tuple[DocumentId, ...]:
        """Write the changes and return the affected set."""
        return await self._query("propagate", lambda: self._store.propagate(command.changes))

    async def frontier(self) -> frozenset[DocumentId]:
        """Return the dirty documents that need no other dirty document finished first."""
        return frozenset(await self._query("frontier", self._store.frontier))

    async def subgraph(self, targets: frozenset[DocumentId]) -> frozenset[DocumentId]:
        """Return the targets and everything they depend on."""
        return await self._query("subgraph", lambda: self._store.subgraph(targets))

    async def cycle(self, members: frozenset[DocumentId]) -> tuple[DocumentId, ...]:
        """Return a shortest path from one of the members back to itself."""
        return await self._query("cycle", lambda: self._store.cycle(min(members)))

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Return past renders, newest first."""
        return await self._query("history", lambda: self._store.history(document, limit))

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Return finished builds, newest first."""
        return await self._query("builds", lambda: self._store.builds(limit))

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Return the renders of a finished build."""
        return await self._query("renders_of", lambda: self._store.renders_of(build))

    async def end(self, command: EndBuild, started_at: str, duration_ms: float) -> BuildRecord:
        """Store a finished build's record, in one call with the last of its results."""
        record = replace(command.build, started_at=started_at, duration_ms=duration_ms)
        async with self._lock:
            await self._commit(record)
        return record

    async def _query(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        async with self._lock:
            await self._flush()
            with self._timings.measure(Phase.PROPAGATE):
                return await self._call(operation, call)

    async def _flush(self) -> None:
        if self._pending:
            await self._commit()

    async def _commit(self, build: BuildRecord | None = None) -> None:
        """Commit one batch. Results that arrive meanwhile wait for the next one: many small batches cost far more."""
        batch, self._pending = self._pending, []
        with self._timings.measure(Phase.COMMIT):
            refused = await self._call("commit", lambda: self._store.commit(batch, build))
        self._refused.update((DocumentId(each.file), each) for each in refused)

    async def _call(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        with self._liveness.waiting(Waits.DATABASE):
            while True:
                began = time.perf_counter()
                try:
                    result = await call()
                except StoreLostError as error:
                    if not self._backoff:
                        raise
                    self._liveness.progress(Waits.DATABASE)
                    await self._backoff.wait(error)
                else:
                    self._on_call(operation, time.perf_counter() - began)
                    if self._backoff:
                        self._backoff.reset()
                    return result
