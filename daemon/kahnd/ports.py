"""What the engine needs of the world. Adapters fulfil these; only the composition root knows which one does.

Paths are relative to the project, with `/`, unless a name says otherwise. Durations are in seconds.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from kahnd.core.model import (
    BuildRecord,
    Change,
    Digest,
    DocumentId,
    HistoryEntry,
    Job,
    Outcome,
    OutputPath,
    Problem,
    Result,
    RunId,
    Scan,
    Sighting,
    Snapshot,
)

PRESSING: Final = frozenset(
    {errno.ENOMEM, errno.EAGAIN, errno.EACCES, errno.ENFILE, errno.EMFILE, errno.ENOSPC, errno.EROFS, errno.EDQUOT}
)
"""What the system says for want of memory, processes, permission, open files or space."""


class Stage(StrEnum):
    """What is done between a save and the end of its build."""

    EVENT = "event"
    SETTLE = "settle"
    HASH = "hash"
    SCAN = "scan"
    PROPAGATE = "propagate"
    PLAN = "plan"
    DISPATCH = "dispatch"
    RENDER = "render"
    COMMIT = "commit"


class Meter(Protocol):
    """Hears where time goes."""

    def spent(self, stage: Stage, seconds: float) -> None:
        """So much more went there."""
        ...


class Store(Protocol):
    """The graph and every fact about it. Raises StoreLostError when the database can't be reached for now.

    Every method is whole or not at all, and may be repeated with the same arguments.
    """

    async def load(self) -> Snapshot:
        """All of the workspace's documents and edges, and the last build."""
        ...

    async def relax(self) -> None:
        """Give back what loading has taken: for a daemon, once there is time for it."""
        ...

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        """Write changed facts and edges, mark all they reach DIRTY, and return those: the affected set.

        In one transaction: the changed (but MISSING and forgotten ones), the content dependents of those whose
        content changed, and every transitive dependent of all these along the other edges.
        """
        ...

    async def frontier(self) -> tuple[DocumentId, ...]:
        """The next batch: DIRTY documents that need no other DIRTY document finished first."""
        ...

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        """The targets and everything they need, transitively, content dependencies included."""
        ...

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        """A shortest cycle through this document, along non-content edges: (member, …, member); empty if none."""
        ...

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> Sequence[Problem]:
        """Write a batch of results, their edges and the job history; and a finished build's record.

        Answers what was refused since the last commit: a Problem for each document, of which nothing but that is kept.
        """
        ...

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Past renders, newest first."""
        ...

    async def clear(self) -> None:
        """Forget all of the workspace: documents, edges, history."""
        ...

    async def close(self) -> None:
        """Give the database up; the store is not used again."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Hints that these paths may have changed. `everything`: events may have been lost, look at all.

    `flushed` are the tokens whose cookie was seen: all earlier events are in this batch or an earlier one.
    `config`: the project's own file, or something else that a session is built on, may have changed.
    `outputs` are paths below the output folder, where kahnd itself may have been at work.
    """

    paths: frozenset[str] = frozenset()
    everything: bool = False
    config: bool = False
    flushed: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()


class Watcher(Protocol):
    """Events from the file system, as hints."""

    def batches(self) -> AsyncIterator[Batch]:
        """Batches for as long as it is iterated; watching has begun once `ready` returns."""
        ...

    async def ready(self) -> None:
        """Returns when every source folder is watched."""
        ...

    def flush(self, token: str) -> None:
        """Write a cookie through the watched tree: a later batch's `flushed` holds the token."""
        ...

    async def audit(self) -> None:
        """Compare what is watched with what should be, and mend it."""
        ...

    @property
    def backend(self) -> str:
        """How it watches: "inotify", "watchfiles" or "polling"."""
        ...


class Tree(Protocol):
    """The source folders as they are now."""

    def known(self, snapshot: Snapshot) -> None:
        """Take over the stat cache of an earlier life."""
        ...

    async def crawl(self) -> tuple[Sighting, ...]:
        """Look at everything: what changed against the stat cache, and what is gone."""
        ...

    async def look(self, paths: Iterable[str]) -> tuple[Sighting, ...]:
        """Look at these paths (a folder: at all below it): what changed against the stat cache, and what is gone."""
        ...

    async def look_again(self) -> tuple[Sighting, ...]:
        """Look once more at documents that could have changed after they were hashed without their stat showing it.

        Some seconds after that: then their stat tells. Also at what could not be read for the machine's sake. To be
        called every so often; mostly there is nothing to do.
        """
        ...

    async def look_at_shared(self, *, at_leisure: bool = False) -> tuple[Sighting, ...]:
        """Look at files with several hard links, which are written to without an event by names elsewhere.

        `at_leisure`: at as many of them, in turn, as take next to no time. To be called every second.
        """
        ...


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Outputs that are to be made again: not there, or with other bytes."""

    absent: frozenset[OutputPath] = frozenset()
    altered: frozenset[OutputPath] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.absent or self.altered)


class Outputs(Protocol):
    """The output folder and the stages; the only place that writes or removes outputs."""

    def made(self) -> frozenset[OutputPath]:
        """All that kahnd has made and not removed, whoever knows of it."""
        ...

    def is_made(self, output: OutputPath) -> bool:
        """Whether that is among them."""
        ...

    def publish(self, stage: str, output: OutputPath, digest: Digest) -> Problem | None:
        """Move a finished output into place, whole; a Problem if that can't be done.

        One is that a file is there that kahnd did not make. `digest` is the hash of the output's bytes.
        """
        ...

    def discard(self, stage: str) -> None:
        """Remove a stage and all in it, if there."""
        ...

    def remove(self, output: OutputPath) -> Problem | None:
        """Remove an output and the folders it leaves empty, if kahnd made it."""
        ...

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        """Which of these are not there as regular files, or not with bytes of that hash (None: of any)."""
        ...


OnEnd = Callable[[Job, Outcome | None, float], None]
"""Hears what came of a job and the seconds that it took in its worker's hands; None: it was cancelled, and is over."""


class Pool(Protocol):
    """Where renderings run."""

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Render once, in its turn, and tell what came of it. A time-out or a crash is a Failed."""
        ...

    def cancel(self, run: RunId) -> None:
        """Stop a run, with all its child processes."""
        ...

    def rest(self) -> None:
        """From now on begin nothing more: what waits for its turn is told as if it had been cancelled."""
        ...


class Clock(Protocol):
    """Time, so that what depends on it can be tested."""

    def now(self) -> str:
        """The wall clock, ISO 8601 in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment."""
        ...

    def suspended(self) -> float:
        """Seconds for which this machine has slept so far."""
        ...


class Scanner(Protocol):
    """Finds dependencies in bytes, by whichever renderer's way fits a document."""

    def wants(self, document: DocumentId) -> bool:
        """Whether this document's bytes are worth scanning; if not, it may be hashed in a stream."""
        ...

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """What is found in the bytes; each target once a kind."""
        ...


class Renderer(Protocol):
    """One way to make an output from a document. Runs in a worker, or off the loop in the daemon."""

    name: str
    version: str
    judges_missing: bool

    def fingerprint(self, parameters: object) -> str:
        """What of the recipe only the renderer knows: library versions, a plug-in's source."""
        ...

    def scan(self, document: DocumentId, content: bytes, parameters: object) -> Scan:
        """What can be told from the bytes alone; never raises on bad input."""
        ...

    def render(self, job: Job, parameters: object) -> Outcome:
        """Write the output to the job's stage. Blocking."""
        ...


Renderers = Mapping[str, Renderer]
