"""The protocols by which the engine uses the outside world. Adapters implement them; the composition root picks one.

Paths are relative to the project, with `/`, unless a name says otherwise. Durations are in seconds.
"""

from __future__ import annotations

import errno
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from kahnd.core.events import StagedOutput
from kahnd.core.model import (
    BuildRecord,
    Change,
    Digest,
    DocumentId,
    HistoryEntry,
    Job,
    Observation,
    Outcome,
    OutputPath,
    Problem,
    Result,
    RunId,
    Scan,
    Snapshot,
)

PRESSING: Final = frozenset(
    {errno.ENOMEM, errno.EAGAIN, errno.EACCES, errno.ENFILE, errno.EMFILE, errno.ENOSPC, errno.EROFS, errno.EDQUOT}
)
"""Errors of a system that lacks memory, processes, permission, open files or disk space."""


class Phase(StrEnum):
    """The phases between a save and the end of its build."""

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
    """Measures where time goes."""

    def spent(self, phase: Phase, seconds: float) -> None:
        """Adds the seconds that a phase has taken."""
        ...


class Store(Protocol):
    """The database: the graph and all facts about it. Methods raise StoreLostError while it can't be reached.

    Every method is atomic, and may be repeated with the same arguments.
    """

    async def load(self) -> Snapshot:
        """Returns all of the workspace's documents and edges, and the last build."""
        ...

    async def release_memory(self) -> None:
        """Gives back the memory that loading has taken; a daemon calls it once it is idle."""
        ...

    async def propagate(self, changes: Sequence[Change]) -> tuple[DocumentId, ...]:
        """Writes changed facts and edges and marks the affected set DIRTY, in one transaction; returns that set.

        It consists of the changed documents (but not MISSING and forgotten ones), the content dependents of those whose
        content changed, if they use a facet that did (for links, of those that are `linked`), and every transitive
        dependent of all these along the other edges.
        """
        ...

    async def frontier(self) -> tuple[DocumentId, ...]:
        """Returns the DIRTY documents that need no other DIRTY document finished first."""
        ...

    async def subgraph(self, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
        """Returns the targets and their transitive dependencies, content dependencies included, but not links."""
        ...

    async def cycle(self, member: DocumentId) -> tuple[DocumentId, ...]:
        """Returns a shortest cycle through a document, along non-content edges: (member, …, member); empty if none."""
        ...

    async def commit(self, results: Sequence[Result], build: BuildRecord | None = None) -> Sequence[Problem]:
        """Writes a batch of results, their edges and the job history; and a finished build's record.

        Returns a Problem for each document whose data was refused since the last commit; only that is stored of it.
        """
        ...

    async def history(self, document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Returns past renders, newest first."""
        ...

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Returns finished builds, newest first."""
        ...

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Returns the renders of a finished build, as far as they are kept, in any order and without their reasons."""
        ...

    async def clear(self) -> None:
        """Deletes all of the workspace: documents, edges, history."""
        ...

    async def close(self) -> None:
        """Closes the database; the store is not used again."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Hints that these paths may have changed. `everything`: events may have been lost, so any may have.

    `flushed`: the tokens whose cookie was seen; all earlier events are in this batch or an earlier one. `config`: the
    configuration, or another file that a session is built on, may have changed. `outputs`: paths below the output
    folder; the writer may have been kahnd itself. `since`: when the first event about these paths was read, by the
    monotonic clock.
    """

    paths: frozenset[str] = frozenset()
    everything: bool = False
    config: bool = False
    flushed: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    since: float = math.inf


class Watcher(Protocol):
    """Reports file system events, as hints."""

    def batches(self) -> AsyncIterator[Batch]:
        """Yields batches for as long as it is iterated; watching has begun once `ready` returns."""
        ...

    async def ready(self) -> None:
        """Returns when every source folder is watched."""
        ...

    def flush(self, token: str) -> None:
        """Writes a cookie file into the watched tree; once its event is seen, a batch has the token in `flushed`."""
        ...

    async def audit(self) -> None:
        """Compares the watched folders with those that should be, and corrects them."""
        ...

    @property
    def backend(self) -> str:
        """The name of the backend: "inotify", "watchfiles" or "polling"."""
        ...


class Tree(Protocol):
    """The source folders as they are now, compared with a stat cache."""

    def restore(self, snapshot: Snapshot) -> None:
        """Loads the stat cache from what the store kept of an earlier run."""
        ...

    async def crawl(self) -> tuple[Observation, ...]:
        """Checks all source folders; returns what has changed, and what is gone."""
        ...

    async def look(self, paths: Iterable[str]) -> tuple[Observation, ...]:
        """Checks these paths, and all below those that are folders; returns what has changed, and what is gone."""
        ...

    async def read_generated(self, declarers: Mapping[DocumentId, DocumentId]) -> tuple[Observation, ...]:
        """Hashes and scans generated documents, whatever is known of them; each key is declared by its value."""
        ...

    async def recheck(self) -> tuple[Observation, ...]:
        """Looks again at documents whose stat could not be trusted when they were hashed, once it can be.

        Also retries what could not be read for lack of memory or file descriptors. Call it every few seconds; usually
        there is nothing to do.
        """
        ...

    async def check_hard_links(self, *, briefly: bool = False) -> tuple[Observation, ...]:
        """Looks at files with several hard links, which can change without an event through a name elsewhere.

        `briefly` limits the time: each call checks the next few files in turn. Call it every second.
        """
        ...


class History(Protocol):
    """The commits of the repository that the project is in."""

    def look(self) -> Mapping[DocumentId, int | None]:
        """Returns when commits have changed documents last, where that differs from the last look. Blocking.

        In seconds since 1970; None for a document that no commit has any more. If nothing was committed, a look takes
        the time to read some stats.
        """
        ...


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Outputs to render again: absent, or altered; `published`: how many publications had ended before the look."""

    absent: frozenset[OutputPath] = frozenset()
    altered: frozenset[OutputPath] = frozenset()
    published: int | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.absent or self.altered)


class Outputs(Protocol):
    """The output folder and the stages. Nothing else writes or removes outputs."""

    def made(self) -> frozenset[OutputPath]:
        """Returns all outputs that kahnd has made and not removed, even if the database does not know them."""
        ...

    def is_made(self, output: OutputPath) -> bool:
        """Tells whether kahnd has made this output."""
        ...

    def publish(self, staged: Sequence[StagedOutput]) -> Problem | None:
        """Moves the finished outputs of a rendering into place, each atomically; returns a Problem if one can't be.

        For example, a file is there that kahnd did not make: then none is moved.
        """
        ...

    def discard(self, stage: str) -> None:
        """Removes a stage with its content, if it exists."""
        ...

    def discard_cache(self, folder: str) -> None:
        """Removes a folder that a program kept between runs, if it exists."""
        ...

    def remove(self, output: OutputPath) -> Problem | None:
        """Removes an output, if kahnd made it, and the folders it leaves empty."""
        ...

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        """Returns those that are not regular files, or whose bytes have another hash (None: any hash will do)."""
        ...


OnEnd = Callable[[Job, Outcome | None, float, int], None]
"""Called when a job has ended, with its outcome (None: it was cancelled), the seconds that its worker took (0: it was
cancelled before), and which of the workers that can be busy at once it was, counted from 0."""


class Pool(Protocol):
    """Runs renderings."""

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Queues a job and calls `on_end` with its outcome. A time-out or a crash is a Failed."""
        ...

    def cancel(self, run: RunId) -> None:
        """Stops a run and all its child processes."""
        ...

    def rest(self) -> None:
        """Begins no more jobs; queued ones end as if cancelled."""
        ...


class Clock(Protocol):
    """Time, as a port, so that tests can control it."""

    def now(self) -> str:
        """Returns the wall clock, ISO 8601 in UTC."""
        ...

    def monotonic(self) -> float:
        """Returns the seconds since an arbitrary moment."""
        ...

    def suspended(self) -> float:
        """Returns the seconds that this machine has been suspended."""
        ...


class Scanner(Protocol):
    """Finds dependencies in bytes, with the renderer that fits a document."""

    def wants(self, document: DocumentId) -> bool:
        """Tells whether to scan this document's bytes; if not, they can be hashed as a stream."""
        ...

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """Scans the bytes; returns each target once per kind."""
        ...


class Renderer(Protocol):
    """Makes an output from a document. Runs in a worker process, or in the daemon off the event loop."""

    name: str
    version: str
    judges_missing: bool

    def fingerprint(self, parameters: object) -> str:
        """Returns the part of the recipe that only the renderer knows: library versions, a plug-in's source."""
        ...

    def scan(self, document: DocumentId, content: bytes, parameters: object) -> Scan:
        """Scans the bytes alone; never raises on bad input."""
        ...

    def render(self, job: Job, parameters: object) -> Outcome:
        """Writes the output to the job's stage. Blocking."""
        ...


Renderers = Mapping[str, Renderer]
