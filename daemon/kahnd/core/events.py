"""The events that the machine takes, the commands that it returns, and the names of all log events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from kahnd.core.model import (
    BuildId,
    BuildRecord,
    Change,
    Digest,
    DocumentId,
    Job,
    Observation,
    Outcome,
    OutputPath,
    Problem,
    RequestId,
    Result,
    RunId,
)
from kahnd.core.scheduler import Readiness


class LogEvent(StrEnum):
    """The name of a log line: its `event` field."""

    DAEMON_STARTED = "daemon.started"
    DAEMON_STOPPING = "daemon.stopping"
    DAEMON_STOPPED = "daemon.stopped"
    DAEMON_STATE = "daemon.state"
    DAEMON_HUNG = "daemon.hung"
    SCAN_FINISHED = "scan.finished"
    WATCH_BATCH = "watch.batch"
    WATCH_OVERFLOW = "watch.overflow"
    WATCH_RENEWED = "watch.renewed"
    WATCH_POLLING = "watch.polling"
    WATCH_UNWATCHED = "watch.unwatched"
    WATCH_RESTORED = "watch.restored"
    WATCH_COOKIE = "watch.cookie"
    BUILD_STARTED = "build.started"
    BUILD_FINISHED = "build.finished"
    DOCUMENT_DIRTY = "document.dirty"
    DOCUMENT_RENDERED = "document.rendered"
    DOCUMENT_WARNED = "document.warned"
    DOCUMENT_SKIPPED = "document.skipped"
    DOCUMENT_FAILED = "document.failed"
    DOCUMENT_BLOCKED = "document.blocked"
    DOCUMENT_UNNAMED = "document.unnamed"
    DOCUMENT_UNSCANNED = "document.unscanned"
    HISTORY_UNKNOWN = "history.unknown"
    IGNORE_CUT = "ignore.cut"
    DOCUMENT_REMOVED = "document.removed"
    OUTPUT_STUCK = "output.stuck"
    CYCLE_FOUND = "cycle.found"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_INVALID = "config.invalid"
    SOURCE_MISSING = "source.missing"
    CONTROL_FAILED = "control.failed"
    NOTIFY_FAILED = "notify.failed"
    SERVE_STARTED = "serve.started"
    SERVE_FAILED = "serve.failed"
    SERVE_SHADOWED = "serve.shadowed"
    LOG_LEFT_OUT = "log.left_out"
    SPANS_FAILED = "spans.failed"
    STATE_REMOVED = "state.removed"
    STATE_DAMAGED = "state.damaged"
    STORE_LOST = "store.lost"
    STORE_RESTORED = "store.restored"
    STORE_REFUSED = "store.refused"
    STORE_REBUILT = "store.rebuilt"


LOG_LEVELS: Final[Mapping[LogEvent, int]] = MappingProxyType(
    dict.fromkeys(LogEvent, logging.INFO)
    | {
        LogEvent.DOCUMENT_DIRTY: logging.DEBUG,
        LogEvent.DOCUMENT_SKIPPED: logging.DEBUG,
        LogEvent.WATCH_OVERFLOW: logging.WARNING,
        LogEvent.WATCH_RENEWED: logging.WARNING,
        LogEvent.WATCH_POLLING: logging.WARNING,
        LogEvent.WATCH_UNWATCHED: logging.WARNING,
        LogEvent.WATCH_COOKIE: logging.WARNING,
        LogEvent.DOCUMENT_WARNED: logging.WARNING,
        LogEvent.DOCUMENT_UNNAMED: logging.WARNING,
        LogEvent.HISTORY_UNKNOWN: logging.WARNING,
        LogEvent.IGNORE_CUT: logging.WARNING,
        LogEvent.OUTPUT_STUCK: logging.WARNING,
        LogEvent.DOCUMENT_BLOCKED: logging.WARNING,
        LogEvent.SOURCE_MISSING: logging.WARNING,
        LogEvent.CONTROL_FAILED: logging.WARNING,
        LogEvent.NOTIFY_FAILED: logging.WARNING,
        LogEvent.SERVE_FAILED: logging.WARNING,
        LogEvent.SERVE_SHADOWED: logging.WARNING,
        LogEvent.LOG_LEFT_OUT: logging.WARNING,
        LogEvent.SPANS_FAILED: logging.WARNING,
        LogEvent.STATE_REMOVED: logging.WARNING,
        LogEvent.STATE_DAMAGED: logging.WARNING,
        LogEvent.STORE_REBUILT: logging.WARNING,
        LogEvent.DAEMON_HUNG: logging.ERROR,
        LogEvent.DOCUMENT_FAILED: logging.ERROR,
        LogEvent.DOCUMENT_UNSCANNED: logging.ERROR,
        LogEvent.CYCLE_FOUND: logging.ERROR,
        LogEvent.CONFIG_INVALID: logging.ERROR,
        LogEvent.STORE_LOST: logging.ERROR,
        LogEvent.STORE_REFUSED: logging.ERROR,
    }
)
ALWAYS_LOGGED: Final = frozenset({LogEvent.DAEMON_STATE})
"""Events that somebody has asked for: they are logged whatever the log's level."""


class Log(msgspec.Struct, frozen=True, gc=False):
    """Command: write a line to the log."""

    event: LogEvent
    fields: Mapping[str, object] = msgspec.field(default_factory=dict)


# Events


class BuildRequested(msgspec.Struct, frozen=True, gc=False):
    """A client wants the targets (none: everything) up to date; Answer follows when they are.

    `retry`: try failed documents again. `force`: render all of them, whatever their inputs. `lenient`: ignore targets
    that no longer exist.
    """

    ticket: RequestId
    cause: str
    targets: frozenset[DocumentId] = frozenset()
    retry: bool = False
    force: bool = False
    lenient: bool = False


class RequestWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """The client no longer waits for an answer."""

    ticket: RequestId


class Started(msgspec.Struct, frozen=True, gc=False):
    """A session has compared all files with the snapshot it loaded; `observations` are the differences.

    `absent` and `altered` are outputs that are not there, or not with the bytes kahnd wrote; `made` are all outputs
    kahnd ever wrote, even if the snapshot does not know them. `request`: the request that the session serves, if any.
    `log` is the line about the comparison; it is written with the build that follows. `dates`: when commits have
    changed documents last, in seconds since 1970.
    """

    observations: tuple[Observation, ...]
    absent: frozenset[OutputPath]
    cause: str
    request: BuildRequested | None = None
    altered: frozenset[OutputPath] = frozenset()
    made: frozenset[OutputPath] = frozenset()
    log: Log | None = None
    dates: Mapping[DocumentId, int | None] = msgspec.field(default_factory=dict)


class Observed(msgspec.Struct, frozen=True, gc=False):
    """Files or outputs were looked at after a hint of a change; `absent` and `altered` as in Started.

    `log` is the line about the look; it is written with the build that follows or is under way.
    `written_during` has, for each document written while renderings ran, the documents that were being rendered.
    `dates`: as in Started, those that differ from before; None for a document that no commit has any more.
    `published`: how many publications had ended when the outputs were looked at; those made since count as there.
    """

    observations: tuple[Observation, ...]
    cause: str
    absent: frozenset[OutputPath] = frozenset()
    altered: frozenset[OutputPath] = frozenset()
    log: Log | None = None
    written_during: Mapping[DocumentId, tuple[DocumentId, ...]] = msgspec.field(default_factory=dict)
    dates: Mapping[DocumentId, int | None] = msgspec.field(default_factory=dict)
    published: int | None = None


class Propagated(msgspec.Struct, frozen=True, gc=False):
    """The database has marked these DIRTY: the affected set."""

    affected: tuple[DocumentId, ...]


class Resumed(msgspec.Struct, frozen=True, gc=False):
    """The database's current frontier, and the documents that this session is limited to (None: all)."""

    frontier: frozenset[DocumentId]
    scope: frozenset[DocumentId] | None


class Rechecked(msgspec.Struct, frozen=True, gc=False):
    """A Recheck for this document is done and its findings were sent as Observed; `delayed` as in Recheck."""

    document: DocumentId
    delayed: bool = False


class Finished(msgspec.Struct, frozen=True, gc=False):
    """A run has ended. `lane`: the worker that made it; `waited_ms`: how long it had been ready before."""

    run: RunId
    outcome: Outcome
    started_at: str
    duration_ms: float
    lane: int = 0
    waited_ms: float = 0.0


class Published(msgspec.Struct, frozen=True, gc=False):
    """A run's outputs are in place, or `problem` says why one could not be put there."""

    run: RunId
    problem: Problem | None


class Looked(msgspec.Struct, frozen=True, gc=False):
    """A LookAtDeclared for this run is done and its findings were sent as Observed."""

    run: RunId


class CycleFound(msgspec.Struct, frozen=True, gc=False):
    """The shortest cycle that the database found among these members; the path begins and ends with one document."""

    members: frozenset[DocumentId]
    path: tuple[DocumentId, ...]


class Removed(msgspec.Struct, frozen=True, gc=False):
    """The removal of an output was tried; `gone`: it is no longer there."""

    output: OutputPath
    document: DocumentId | None
    gone: bool


Event = (
    Started
    | Observed
    | Propagated
    | Resumed
    | Rechecked
    | Finished
    | Published
    | Looked
    | CycleFound
    | Removed
    | BuildRequested
    | RequestWithdrawn
)

# Commands


class Propagate(msgspec.Struct, frozen=True, gc=False):
    """Write the changes to the database and mark everything they affect. Answered by Propagated."""

    changes: tuple[Change, ...]


class Resume(msgspec.Struct, frozen=True, gc=False):
    """Ask the database for its frontier. Answered by Resumed."""


class Recheck(msgspec.Struct, frozen=True, gc=False):
    """Look at these paths and send the findings as Observed, then Rechecked. `delayed`: not now, but soon."""

    paths: tuple[DocumentId, ...]
    document: DocumentId
    delayed: bool = False


class LookAtDeclared(msgspec.Struct, frozen=True, gc=False):
    """Read generated documents that `declarer` has just published; send them as Observed, then Looked for its run."""

    run: RunId
    declarer: DocumentId
    documents: tuple[DocumentId, ...]


class Render(msgspec.Struct, frozen=True, gc=False):
    """Start a run."""

    job: Job
    ready: Readiness


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Stop a run and ignore its result."""

    run: RunId


class StagedOutput(msgspec.Struct, frozen=True, gc=False):
    """A finished output in its stage, and the path to move it to."""

    stage: str
    output: OutputPath
    digest: Digest


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Move a run's outputs into place. Answered by Published."""

    run: RunId
    staged: tuple[StagedOutput, ...]


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Remove an output that no document renders to any more; `document` rendered it, if known. Answered by Removed."""

    output: OutputPath
    document: DocumentId | None = None


class ClearCache(msgspec.Struct, frozen=True, gc=False):
    """Remove the folder that a removed document's program kept between runs."""

    document: DocumentId


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Write results to the database soon."""

    results: tuple[Result, ...]


class FindCycle(msgspec.Struct, frozen=True, gc=False):
    """Ask the database for a cycle's path. Answered by CycleFound."""

    members: frozenset[DocumentId]


class BuildReport(msgspec.Struct, frozen=True, gc=False):
    """The answer to `build` and `wait`: what happened since the request, and what is broken or warned of now."""

    rendered: tuple[DocumentId, ...] = ()
    skipped: tuple[DocumentId, ...] = ()
    failed: tuple[tuple[DocumentId, Problem], ...] = ()
    blocked: tuple[tuple[DocumentId, DocumentId, Problem], ...] = ()
    removed: tuple[OutputPath, ...] = ()
    warnings: tuple[tuple[DocumentId, Problem], ...] = ()
    cycles: tuple[tuple[DocumentId, ...], ...] = ()


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Tell the client that its targets are up to date, as far as they can be."""

    ticket: RequestId
    report: BuildReport


class BeginBuild(msgspec.Struct, frozen=True, gc=False):
    """A build begins; the engine measures its times."""

    build: BuildId
    cause: str


class EndBuild(msgspec.Struct, frozen=True, gc=False):
    """Nothing is left to do: add the times to the build's record and keep it."""

    build: BuildRecord


Command = (
    Propagate
    | Resume
    | Recheck
    | LookAtDeclared
    | Render
    | Cancel
    | Publish
    | Remove
    | ClearCache
    | Commit
    | FindCycle
    | Log
    | Answer
    | BeginBuild
    | EndBuild
)

AWAITED: Final = (Propagate, Resume, FindCycle, Remove)
"""Commands after which the machine decides nothing until their answer has come."""
