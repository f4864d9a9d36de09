"""A typed snapshot of kahnd's state, built here alone: every face reads it, and none reaches into the engine.

`kahnd status`, the live view, systemd's status line and the log line that SIGUSR1 asks for all come from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any, Final

from kahnd.api.schemas import State
from kahnd.app.current_session import CurrentSession
from kahnd.app.session import Project, Session
from kahnd.core.builds import problems as by_document
from kahnd.core.graph import Graph
from kahnd.core.model import BuildRecord, DocumentId, Kind, Problem, Status
from kahnd.engine import Backoff, Engine, Liveness
from kahnd.platform.resources import process_usage

MAX_PROBLEMS: Final = 200
"""Failed and blocked documents, and warnings, that a snapshot describes one by one, unless more are asked for."""
MAX_MISSING: Final = 20
"""How many missing documents a snapshot names."""
MAX_NEEDED_BY: Final = 3
"""How many documents it names that depend on a missing one."""
_SUMMARISED: Final = (Status.DONE, Status.FAILED, Status.BLOCKED, Status.MISSING)


@dataclass(frozen=True, slots=True)
class ActiveRender:
    """A rendering under way: its generation, and how long it has run."""

    document: DocumentId
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """A FAILED document, a BLOCKED one with its culprit in `because`, or a warning of one that is rendered."""

    document: DocumentId
    problem: Problem
    because: DocumentId | None = None


@dataclass(frozen=True, slots=True)
class MissingDocument:
    """A document that does not exist, the first of those that depend on it, and the number of all of them."""

    document: DocumentId
    needed_by: tuple[DocumentId, ...]
    count: int


@dataclass(frozen=True, slots=True)
class DaemonIdentity:
    """The project, and the daemon's process; `pid` is None where no daemon runs."""

    project: str = ""
    root: str = ""
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """The build under way: `done` of `total` documents, and what is being rendered. No cause: no build."""

    cause: str = ""
    done: int = 0
    total: int = 0
    running: tuple[ActiveRender, ...] = ()
    quiet: bool = True


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """The watcher's backend, its events, overflows and rescans since the start, and the folders it can't watch."""

    backend: str | None = None
    overflows: int = 0
    rescans: int = 0
    unwatched: tuple[str, ...] = ()
    events: int = 0


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The database's address, and the error while it can't be reached."""

    url: str = ""
    lost: str = ""


@dataclass(frozen=True, slots=True)
class ServeStatus:
    """The URL of the preview, with its token if it needs one; empty if nothing is served."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """The lengths of the engine's queues, for how many seconds it has waited for what, and its workers."""

    scheduled: int = 0
    events: int = 0
    uncommitted: int = 0
    waits: Mapping[str, float] = field(default_factory=dict)
    busy_workers: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """The state at one moment.

    `counts` has the documents by status, and is empty between two sessions. `problems` describes the first of the
    failed documents, then of the blocked ones; `broken` names them all. `warnings` are the first of those that stand,
    of `warned` in all. `missing` names missing documents, if all problems are asked for. `config_problems` says why the
    latest `kahnd.toml` can't be used, while the last good one is.
    """

    state: State
    counts: Mapping[str, int] = field(default_factory=dict)
    build: BuildProgress = BuildProgress()
    problems: tuple[DocumentProblem, ...] = ()
    broken: tuple[DocumentId, ...] = ()
    warnings: tuple[DocumentProblem, ...] = ()
    warned: int = 0
    missing: tuple[MissingDocument, ...] = ()
    config_problems: tuple[Problem, ...] = ()
    last_build: BuildRecord | None = None
    watch: WatchStatus = WatchStatus()
    store: StoreStatus = StoreStatus()
    serve: ServeStatus = ServeStatus()
    load: EngineLoad = field(default=EngineLoad(), compare=False)
    daemon: DaemonIdentity = DaemonIdentity()
    stopping: bool = False

    @property
    def busy(self) -> bool:
        """Tells whether another snapshot, taken a moment later, would differ."""
        return bool(self.build.cause or self.build.running or self.state == "scanning")

    @property
    def trouble(self) -> str:
        """Why nothing is rendered for now: the database is away, or the daemon stops."""
        if self.stopping:
            return "the daemon is stopping"
        return f"the database is away, and waited for: {self.store.lost}" if self.store.lost else ""


TakeSnapshot = Callable[[], StatusSnapshot]


@dataclass(slots=True)
class ServedAddress:
    """Where the daemon shows the project to browsers: set by the part that serves, and read for each snapshot."""

    url: str = ""


class StatusSource:
    """Takes snapshots of a daemon. `config_problems` and `stopping` are asked anew for each."""

    def __init__(
        self,
        sessions: CurrentSession,
        backoff: Backoff,
        liveness: Liveness,
        *,
        configured: Callable[[], tuple[Project, Sequence[Problem]]],
        stopping: Callable[[], bool],
    ) -> None:
        self.served = ServedAddress()
        self._sessions = sessions
        self._backoff = backoff
        self._liveness = liveness
        self._configured = configured
        self._stopping = stopping

    def take(self, max_problems: int | None = MAX_PROBLEMS) -> StatusSnapshot:
        """Takes a snapshot. Its cost grows with the failed, blocked and warned of documents, not with the project.

        `max_problems`: how many failures and warnings are described one by one. None for all; 0 leaves them out, and
        their names and number.
        """
        session = self._sessions.session
        engine, watcher = (session.engine, session.watcher) if session else (None, None)
        project, config_problems = self._configured()
        lost = self._backoff.error
        described, broken = problems(engine.machine.graph, max_problems) if engine else ((), ())
        warned, number = warnings(engine.machine.graph, max_problems) if engine else ((), 0)
        return StatusSnapshot(
            self._state(),
            counts=counts(engine.machine.graph) if engine else {},
            build=_progress(engine) if engine else BuildProgress(),
            problems=described,
            broken=broken,
            warnings=warned,
            warned=number,
            missing=missing(engine.machine.graph) if engine and max_problems is None else (),
            config_problems=tuple(config_problems),
            last_build=engine.last_build if engine else None,
            watch=WatchStatus(
                watcher.backend if watcher else None,
                self._sessions.overflows,
                self._sessions.rescans,
                tuple(watcher.unwatched) if watcher else (),
                self._sessions.events,
            ),
            store=StoreStatus(project.config.store.url, str(lost) if lost else ""),
            serve=ServeStatus(self.served.url),
            load=_load(session, self._liveness.waits()),
            daemon=DaemonIdentity(project.config.name, str(project.root), os.getpid()),
            stopping=self._stopping(),
        )

    def _state(self) -> State:
        session = self._sessions.session
        if self._backoff.is_waiting:
            return "degraded"
        if session is None or not session.engine.started.is_set():
            return "scanning"
        if session.watcher.unwatched:
            return "degraded"
        return "idle" if session.engine.quiet else "rendering"


def stopped(project: Project, graph: Graph, last_build: BuildRecord | None) -> StatusSnapshot:
    """Returns the status of a project for which no daemon runs."""
    described, broken = problems(graph)
    warned, number = warnings(graph)
    return StatusSnapshot(
        "stopped",
        counts=counts(graph),
        problems=described,
        broken=broken,
        warnings=warned,
        warned=number,
        missing=missing(graph),
        last_build=last_build,
        store=StoreStatus(project.config.store.url),
        daemon=DaemonIdentity(project.config.name, str(project.root)),
    )


def counts(graph: Graph) -> dict[str, int]:
    """Returns the number of documents of each status."""
    return {each.lower(): graph.counts[each] for each in Status} | {"missing": len(graph.missing)}


def summary(now: StatusSnapshot) -> str:
    """Returns a line for people: "idle: 120 documents, 118 done, 2 failed", "rendering 40 of 120"."""
    if now.stopping:
        running = len(now.build.running)
        return f"stopping: {_counted(running, 'rendering')} to finish" if running else "stopping"
    if now.store.lost:
        return "degraded: the database is away, and waited for"
    if now.state == "scanning":
        return "scanning the sources"
    if not now.build.quiet:
        return f"rendering {now.build.done} of {now.build.total}"
    documents = _documents(now.counts)
    if unwatched := len(now.watch.unwatched):
        return f"degraded: {_counted(unwatched, 'folder')} can't be watched; {documents}"
    return f"idle: {documents}"


def log_fields(now: StatusSnapshot) -> dict[str, Any]:
    """Returns the fields of a `daemon.state` log line, all that may explain what a daemon does; times in seconds."""
    load = now.load
    return {
        "state": now.state,
        "documents": dict(now.counts),
        "scheduled": load.scheduled,
        "jobs": [{"document": each.document, "age_s": round(each.seconds, 3)} for each in now.build.running],
        "queues": {"events": load.events, "uncommitted": load.uncommitted} if now.counts else {},
        "waits": {name: round(seconds, 3) for name, seconds in load.waits.items()},
        "store": {"url": now.store.url, "lost": now.store.lost or None},
        "watch": {"backend": now.watch.backend, "unwatched": len(now.watch.unwatched)},
        **process_usage(),
    }


def _progress(engine: Engine) -> BuildProgress:
    schedule, builds = engine.machine.schedule, engine.machine.builds
    done, _ = builds.progress() or (0, "")
    jobs = engine.workload().jobs
    return BuildProgress(
        cause=(builds.current or ("", ""))[1],
        done=done,
        total=done + len(schedule),
        running=tuple(ActiveRender(each, _generation(engine, each), age_s) for each, age_s in jobs),
        quiet=engine.quiet,
    )


def _generation(engine: Engine, document: DocumentId) -> int:
    machine = engine.machine
    renderings = machine.graph.renderings(document)
    return max((machine.schedule.generation(each.facts.id) for each in renderings), default=0)


def _load(session: Session | None, waits: Mapping[str, float]) -> EngineLoad:
    if session is None:
        return EngineLoad(waits=waits)
    work = session.engine.workload()
    workers = session.project.config.pool.workers
    return EngineLoad(work.scheduled, work.events, work.uncommitted, waits, session.pool.busy, workers)


def problems(graph: Graph, limit: int | None = None) -> tuple[tuple[DocumentProblem, ...], tuple[DocumentId, ...]]:
    """Returns the first problems, and the names of all broken documents: failed ones first, then blocked ones."""
    if limit == 0:
        return (), ()
    failed, blocked = by_document(graph, graph.broken())
    described = (
        *(DocumentProblem(document, problem) for document, problem in failed[:limit]),
        *(DocumentProblem(document, problem, because) for document, because, problem in blocked[:limit]),
    )
    return described[:limit], (*(each[0] for each in failed), *(each[0] for each in blocked))


def warnings(graph: Graph, limit: int | None = None) -> tuple[tuple[DocumentProblem, ...], int]:
    """Returns the first warnings that stand, by document, and the number of all."""
    if limit == 0:
        return (), 0
    told = ((node.document, each) for node in graph.warned() for each in node.facts.standing_warnings)
    warned = tuple(dict.fromkeys(told))  # two renderings may warn of the same
    return tuple(starmap(DocumentProblem, warned[:limit])), len(warned)


def missing(graph: Graph) -> tuple[MissingDocument, ...]:
    """Returns the first missing documents, by name. Those that are only linked to are warnings, and left out.

    Looks through the graph only if there are any.
    """
    shown = sorted(each for each in graph.missing if not graph.layout.is_output(each))[:MAX_MISSING]
    needed_by: dict[DocumentId, list[DocumentId]] = {each: [] for each in shown}
    wanted = {each: min(graph.count_needing(each), MAX_NEEDED_BY) for each in shown}
    for node in graph if wanted else ():
        for target in {each.target for each in node.dependencies if each.target in wanted and each.kind != Kind.LINK}:
            if node.document not in needed_by[target]:
                needed_by[target].append(node.document)
            if len(needed_by[target]) == wanted[target]:
                del wanted[target]
        if not wanted:
            break
    return tuple(MissingDocument(each, tuple(needed_by[each]), graph.count_needing(each)) for each in shown)


def _documents(by_status: Mapping[str, int]) -> str:
    parts = [
        f"{by_status[each.lower()]} {each.lower()}"
        for each in _SUMMARISED
        if by_status[each.lower()] or each is Status.DONE
    ]
    return ", ".join([_counted(sum(by_status.values()), "document"), *parts])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
