"""What the machine hears (events) and what it orders (commands). Facts in, orders out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from kahnd.core.model import (
    BuildId,
    BuildRecord,
    Change,
    Digest,
    DocumentId,
    Job,
    Outcome,
    OutputPath,
    Problem,
    Result,
    RunId,
    Sighting,
    Ticket,
)


class Tell(msgspec.Struct, frozen=True):
    """A line for the log."""

    event: str
    fields: Mapping[str, object] = msgspec.field(default_factory=dict)


# Events


class Asked(msgspec.Struct, frozen=True):
    """Somebody wants the targets (none: everything) up to date, and to be told when they are.

    `retry`: failed documents are tried again. `force`: all of them are rendered, whatever their inputs.
    `lenient`: targets that are gone by now are left out.
    """

    ticket: Ticket
    cause: str
    targets: frozenset[DocumentId] = frozenset()
    retry: bool = False
    force: bool = False
    lenient: bool = False


class Withdrawn(msgspec.Struct, frozen=True):
    """Whoever has this ticket waits no more."""

    ticket: Ticket


class Started(msgspec.Struct, frozen=True):
    """A session's first look at everything: what differs from the snapshot, and which outputs are not there.

    `asked`: what the session was begun for, if it was for something. `altered` are outputs found with other bytes
    than were put there; `made` are all that kahnd ever put anywhere, whether the snapshot knows of them or not.
    `told` is the log's line about the look: it goes with the build that comes of it.
    """

    sightings: tuple[Sighting, ...]
    absent: frozenset[OutputPath]
    cause: str
    asked: Asked | None = None
    altered: frozenset[OutputPath] = frozenset()
    made: frozenset[OutputPath] = frozenset()
    told: Tell | None = None


class Observed(msgspec.Struct, frozen=True):
    """The file system was looked at, after an event; `absent` and `altered` are outputs found to be so.

    `told` is the log's line about the look: it goes with the build that comes of it, or that is under way.
    `amid` has, by document, the documents that were being rendered when it was written.
    """

    sightings: tuple[Sighting, ...]
    cause: str
    absent: frozenset[OutputPath] = frozenset()
    altered: frozenset[OutputPath] = frozenset()
    told: Tell | None = None
    amid: Mapping[DocumentId, tuple[DocumentId, ...]] = msgspec.field(default_factory=dict)


class Propagated(msgspec.Struct, frozen=True):
    """The database marked these: the affected set."""

    affected: tuple[DocumentId, ...]


class Resumed(msgspec.Struct, frozen=True):
    """The database's next batch, and the part of the graph this session is about (None: all of it)."""

    frontier: frozenset[DocumentId]
    scope: frozenset[DocumentId] | None


class Looked(msgspec.Struct, frozen=True):
    """The look that a run asked for is done (and was observed): this document may be tried again.

    `rested`: it was let rest before.
    """

    document: DocumentId
    rested: bool = False


class Finished(msgspec.Struct, frozen=True):
    """A run came to its end."""

    run: RunId
    outcome: Outcome
    started_at: str
    duration_ms: float


class Published(msgspec.Struct, frozen=True):
    """An output is in its place, or could not be put there."""

    run: RunId
    problem: Problem | None


class CycleFound(msgspec.Struct, frozen=True):
    """The database's shortest way from a document back to itself."""

    members: frozenset[DocumentId]
    path: tuple[DocumentId, ...]


class Removed(msgspec.Struct, frozen=True):
    """An output was to be removed; `gone`: and is not there any more."""

    output: OutputPath
    document: DocumentId | None
    gone: bool


Event = (
    Started | Observed | Propagated | Resumed | Looked | Finished | Published | CycleFound | Removed | Asked | Withdrawn
)

# Commands


class Propagate(msgspec.Struct, frozen=True):
    """Tell the database what changed; it answers Propagated."""

    changes: tuple[Change, ...]


class Resume(msgspec.Struct, frozen=True):
    """Ask the database for its next batch; it answers Resumed."""


class Look(msgspec.Struct, frozen=True):
    """Look at these paths now, then say Looked for the document that wants to know. `rest`: not now, but soon."""

    paths: tuple[DocumentId, ...]
    document: DocumentId
    rest: bool = False


class Render(msgspec.Struct, frozen=True):
    """Start a run."""

    job: Job


class Cancel(msgspec.Struct, frozen=True):
    """Stop a run; its result is not wanted any more."""

    run: RunId


class Publish(msgspec.Struct, frozen=True):
    """Move a run's output into place; answered by Published."""

    run: RunId
    stage: str
    output: OutputPath
    digest: Digest


class Remove(msgspec.Struct, frozen=True):
    """Remove an output that no document stands for any more; which one did is not always known. Answered by Removed."""

    output: OutputPath
    document: DocumentId | None = None


class Commit(msgspec.Struct, frozen=True):
    """Write results to the database, soon."""

    results: tuple[Result, ...]


class FindCycle(msgspec.Struct, frozen=True):
    """Ask the database for a cycle's path; answered by CycleFound."""

    members: frozenset[DocumentId]


class Report(msgspec.Struct, frozen=True):
    """What `build` and `wait` answer: what happened since they asked, and what is wrong now."""

    rendered: tuple[DocumentId, ...] = ()
    skipped: tuple[DocumentId, ...] = ()
    failed: tuple[tuple[DocumentId, Problem], ...] = ()
    blocked: tuple[tuple[DocumentId, DocumentId, Problem], ...] = ()
    removed: tuple[OutputPath, ...] = ()
    warnings: tuple[tuple[DocumentId, Problem], ...] = ()
    cycles: tuple[tuple[DocumentId, ...], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """The targets somebody asked for are up to date, as far as they can be."""

    ticket: Ticket
    report: Report


class BeginBuild(msgspec.Struct, frozen=True):
    """Something is to be done: a build begins; its times are the engine's to keep."""

    build: BuildId
    cause: str


class EndBuild(msgspec.Struct, frozen=True):
    """All is quiet: keep the build's record, with its times filled in."""

    build: BuildRecord


Command = (
    Propagate
    | Resume
    | Look
    | Render
    | Cancel
    | Publish
    | Remove
    | Commit
    | FindCycle
    | Tell
    | Answer
    | BeginBuild
    | EndBuild
)

ANSWERED: Final = (Propagate, Resume, FindCycle, Remove)
"""Commands that an event answers, and nothing is decided on before that."""
