"""What the control API takes and gives, and `--json` prints: each request and answer is a type, here and nowhere else.

Keys may be added to answers; those that are here stay.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from kahnd.core import model
from kahnd.core.model import Because, Facet, Kind, Status

MOST_ENTRIES: Final = 10_000
"""Of the history, in one answer."""
Level = Literal["debug", "info", "warning", "error", "critical"]
State = Literal["scanning", "rendering", "idle", "degraded", "stopped"]

Path = Annotated[str, Meta(description="Relative to the project, with `/`.", examples=["docs/index.md"])]
Target = Annotated[str, Meta(description="A document's path, or an output's.", examples=["docs/index.md"])]
Cycle = Annotated[tuple[str, ...], Meta(description="From a document back to itself.", examples=[["a.md", "a.md"]])]
Moment = Annotated[str, Meta(description="ISO 8601, UTC.", examples=["2026-01-31T12:00:00.000Z"])]
Milliseconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Line = Annotated[int, Meta(ge=0, description="From 1 on; 0 where it is not known.")]
ConfigError = Annotated[
    str | None,
    Meta(
        description="Why kahnd.toml can't be used, while the last good one is in force; null or left out where it can.",
        examples=["kahnd.toml:3: broken TOML: invalid value"],
    ),
]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something told: keys with a default are left out where they have nothing to say."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something asked: a key that is not known is an error."""


def encoded(answer: Answer) -> bytes:
    """As JSON. A folder's name may hold what is no UTF-8."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(answer)).encode()


def plain(answer: Answer) -> dict[str, Any]:
    """As JSON's own values."""
    told: dict[str, Any] = json.loads(encoded(answer))
    return told


# Errors


class Problem(Answer, frozen=True):
    """What happened, where, and what to do about it."""

    message: str
    file: str = ""
    line: Annotated[int, Meta(ge=0)] = 0
    remedy: str = ""


def problem(told: model.Problem) -> Problem:
    """As it is told to clients."""
    return Problem(told.message, told.file, told.line, told.remedy)


class Refusal(Problem, frozen=True, kw_only=True):
    """The first problem, all of them, and the exit code that a command ends with for it."""

    exit_code: Annotated[
        int, Meta(description="2 usage or configuration, 4 no daemon, no answer or not in time, 5 the store.")
    ]
    problems: tuple[Problem, ...]


class Error(Answer, frozen=True):
    """Every error there is has this shape."""

    error: Refusal


class Configured(Answer, frozen=True, kw_only=True):
    """What every answer of a daemon tells while kahnd.toml is broken."""

    config_error: ConfigError = None
    config_problems: tuple[Problem, ...] = ()


# Status


class Documents(Answer, frozen=True):
    """Documents by status."""

    total: Count
    done: Count
    dirty: Count
    failed: Count
    blocked: Count
    missing: Count


class Failure(Answer, frozen=True):
    """A FAILED document. `output`: what its renderer, or the program it ran, had to say."""

    document: Path
    error: str
    output: str = ""
    message: str = ""
    file: str = ""
    line: Line = 0
    remedy: str = ""


class Blocked(Answer, frozen=True):
    """A BLOCKED document, the culprit, and where it depends on that."""

    document: Path
    because: str
    error: str
    message: str = ""
    file: str = ""
    line: Line = 0
    remedy: str = ""


class Build(Answer, frozen=True):
    """A pass from a cause to quiet, with the number of documents of each kind."""

    id: str
    cause: Annotated[str, Meta(examples=["docs/a.md saved and 3 more"])]
    started_at: Moment
    duration_ms: Milliseconds
    rendered: Count
    skipped: Count
    failed: Count
    blocked: Count
    removed: Count
    generations: Count


class Watch(Answer, frozen=True):
    """How changes are noticed, and what can't be watched."""

    backend: Annotated[str | None, Meta(examples=["inotify"])]
    overflows: Annotated[int, Meta(ge=0, description="How often events were lost, and a look at everything made.")]
    rescans: Annotated[int, Meta(ge=0, description="Looks at everything after the first.")]
    unwatched: tuple[str, ...]


class Store(Answer, frozen=True):
    """Where the graph is kept."""

    url: str


class DaemonStatus(Configured, frozen=True, kw_only=True):
    """The daemon, documents by status, what is wrong, the last build."""

    project: str
    root: Annotated[str, Meta(description="The project's folder.")]
    pid: Annotated[int | None, Meta(description="Of the daemon; null where none runs.")]
    state: State
    version: Annotated[str, Meta(description="The daemon's; also in each answer's Kahnd-Version header.")]
    documents: Documents
    failures: tuple[Failure, ...]
    blocked: tuple[Blocked, ...]
    last_build: Build | None
    watch: Watch
    store: Store
    config_error: ConfigError


# Plan, graph, why, history


class PlanRequest(Request, frozen=True):
    """Of which documents, with what they need; without any, of all."""

    target: tuple[Target, ...] = ()


class Plan(Configured, frozen=True):
    """What a build would render now: nothing of a generation needs anything of a later one."""

    generations: tuple[tuple[str, ...], ...]
    reasons: Annotated[dict[str, str], Meta(examples=[{"docs/a.md": "content changed"}])]
    cycles: tuple[Cycle, ...]


class GraphRequest(Request, frozen=True):
    """The targets and what they need (`reverse`: what needs them); without any, all."""

    target: tuple[Target, ...] = ()
    reverse: bool = False


class Node(Answer, frozen=True):
    """A document, or a collection: a glob that documents match."""

    id: str
    status: Status
    rule: Annotated[str | None, Meta(description="The `match` of its rule; null for a plain document.")]
    output: str | None
    collection: bool = False


class Edge(Answer, frozen=True, rename={"source": "from", "target": "to"}):
    """`from` depends on `to`."""

    source: str
    target: str
    kind: Kind


class Graph(Configured, frozen=True):
    """Nodes, and the edges among them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class WhyRequest(Request, frozen=True):
    """Of which document."""

    target: Target


class Reason(Answer, frozen=True):
    """What differs, by hash: null where there was, or is, none. `facets`: where only a part of it counts."""

    kind: Because
    document: str
    before: str | None
    after: str | None
    facets: tuple[Facet, ...]


class Render(Answer, frozen=True):
    """A past render."""

    document: Path
    build: str
    cause: str
    status: Status
    started_at: Moment
    duration_ms: Milliseconds
    error: str | None


class Why(Configured, frozen=True):
    """The reasons of a document's last render, or of the one to come; the chain from the edited file."""

    document: Path
    status: Status
    reasons: tuple[Reason, ...]
    chain: tuple[str, ...]
    rendered: Render | None


class HistoryRequest(Request, frozen=True):
    """Of one document, also one that is gone, or of all; at most so many."""

    document: Target | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ENTRIES)] = 20


class History(Configured, frozen=True):
    """Past renders, newest first."""

    history: tuple[Render, ...]


# Build, retry, wait


class BuildRequest(Request, frozen=True):
    """Which targets, with what they need; without any, all. `force`: also what is up to date."""

    targets: tuple[Target, ...] = ()
    force: bool = False


class RetryRequest(Request, frozen=True):
    """Which documents, with what they need; without any, all that failed."""

    targets: tuple[Target, ...] = ()


class WaitRequest(Request, frozen=True):
    """For which targets; without any, for all. `timeout` in seconds; null for as long as it takes."""

    targets: tuple[Target, ...] = ()
    timeout: Annotated[float, Meta(ge=0)] | None = None


class Warned(Answer, frozen=True):
    """A rendering that went well has something to say."""

    document: Path
    warning: str
    message: str = ""
    file: str = ""
    line: Line = 0
    remedy: str = ""


class Report(Configured, frozen=True):
    """What was done, and what is wrong now."""

    rendered: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[Failure, ...]
    blocked: tuple[Blocked, ...]
    removed: tuple[str, ...]
    warnings: tuple[Warned, ...]
    cycles: tuple[Cycle, ...]
    duration_ms: Milliseconds


class Progress(Answer, frozen=True):
    """Documents done, of how many, and the last one; or, in its place, what is waited for."""

    done: Count
    total: Count
    document: str


class ProgressLine(Answer, frozen=True):
    """A line before the last."""

    progress: Progress


class ReportLine(Answer, frozen=True):
    """The last line."""

    report: Report


# Reload


class ReloadRequest(Request, frozen=True):
    """Nothing more is asked."""


class Reloaded(Answer, frozen=True):
    """Whether anything is another now than before."""

    changed: bool


# Events


class EventsRequest(Request, frozen=True):
    """Which events, all by default: this level and above; of this document, of this build, with one of these names."""

    level: Level = "debug"
    document: Path | None = None
    build: str | None = None
    event: tuple[Annotated[str, Meta(examples=["document.rendered"])], ...] = ()


class LogLine(Answer, frozen=True):
    """A line of the log; beside these keys it has those of its event."""

    timestamp: Moment
    level: Level
    event: str
    build: str = ""
    document: str = ""
    cause: str = ""
    duration_ms: Milliseconds = 0
    error: str = ""


class Gap(Answer, frozen=True):
    """So many events were missed (null: it is not known how many), of those wanted and others."""

    missed: Count | None
