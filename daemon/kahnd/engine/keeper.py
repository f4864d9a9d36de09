"""The engine's way to the database: one call at a time, results in batches, patience when it is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from msgspec.structs import replace

from kahnd.core.messages import Commit, EndBuild, Propagate
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, Problem, Result
from kahnd.engine.patience import Patience
from kahnd.engine.pulse import Pulse, Waits
from kahnd.engine.stages import Stages
from kahnd.errors import StoreLostError
from kahnd.ports import Stage, Store

T = TypeVar("T")
LINGER_S: Final = 0.02
"""Results are gathered this long before they are committed, unless the build ends: a call costs as much as some ten."""
MANY: Final = 10
"""Where so many come together in that time, each is little to lose: they are gathered for longer."""
MANY_LINGER_S: Final = 0.1


class Keeper:
    """Collects results and commits them behind the renders; everything earlier is written before anything is asked.

    With `patience` a lost database is waited for as long as it takes; without, StoreLostError is raised.
    """

    def __init__(
        self, store: Store, patience: Patience | None, stages: Stages | None = None, pulse: Pulse | None = None
    ) -> None:
        self._store = store
        self._patience = patience
        self._stages = stages or Stages()
        self._pulse = pulse or Pulse()
        self._lock = anyio.Lock()
        self._pending: list[Result] = []
        self.refused: dict[DocumentId, Problem] = {}
        """What the database did not take, for the engine to hear of."""
        self._kept = anyio.Event()

    @property
    def behind(self) -> int:
        """How many results wait to be committed."""
        return len(self._pending)

    def keep(self, commit: Commit) -> None:
        """Take results to be committed with the next batch."""
        self._pending.extend(commit.results)
        if self._pending:
            self._kept.set()

    async def flush(self) -> None:
        """Commit all results taken so far."""
        async with self._lock:
            await self._flush()

    async def relax(self) -> None:
        """Have the database give back what loading has taken."""
        async with self._lock:
            await self._try(self._store.relax)

    async def write_behind(self) -> None:
        """Commit what has gathered, each time some has: to be run beside the rest."""
        while True:
            await self._kept.wait()
            await anyio.sleep(LINGER_S)
            if self.behind >= MANY:
                await anyio.sleep(MANY_LINGER_S - LINGER_S)
            self._kept = anyio.Event()
            await self.flush()

    async def propagate(self, command: Propagate) -> tuple[DocumentId, ...]:
        """Write the changes; the affected set."""
        return await self._ask(lambda: self._store.propagate(command.changes))

    async def next_batch(self) -> frozenset[DocumentId]:
        """The documents that need no other unfinished document."""
        return frozenset(await self._ask(self._store.frontier))

    async def subgraph(self, targets: frozenset[DocumentId]) -> frozenset[DocumentId]:
        """The targets and all they need."""
        return await self._ask(lambda: self._store.subgraph(targets))

    async def cycle(self, members: frozenset[DocumentId]) -> tuple[DocumentId, ...]:
        """A shortest way from one of the members back to itself."""
        return await self._ask(lambda: self._store.cycle(min(members)))

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Past renders, newest first."""
        return await self._ask(lambda: self._store.history(document, limit))

    async def end(self, command: EndBuild, started_at: str, duration_ms: float) -> BuildRecord:
        """Keep a finished build's record, in one call with the last of its results."""
        record = replace(command.build, started_at=started_at, duration_ms=duration_ms)
        async with self._lock:
            await self._commit(record)
        return record

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        async with self._lock:
            await self._flush()
            with self._stages.measure(Stage.PROPAGATE):
                return await self._try(call)

    async def _flush(self) -> None:
        if self._pending:
            await self._commit()

    async def _commit(self, build: BuildRecord | None = None) -> None:
        """What comes while this is written waits for the next batch: many small ones cost far more."""
        batch, self._pending = self._pending, []
        with self._stages.measure(Stage.COMMIT):
            refused = await self._try(lambda: self._store.commit(batch, build))
        self.refused.update((DocumentId(each.file), each) for each in refused)

    async def _try(self, call: Callable[[], Awaitable[T]]) -> T:
        with self._pulse.waiting(Waits.DATABASE):
            while True:
                try:
                    answer = await call()
                except StoreLostError as error:
                    if not self._patience:
                        raise
                    self._pulse.sign(Waits.DATABASE)
                    await self._patience.rest(error)
                else:
                    if self._patience:
                        self._patience.reward()
                    return answer
