"""The requests and answers of the control API, and of `--json`: each is a type, here and nowhere else.

Keys may be added to answers; those that are there stay.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, TypeVar, cast

import msgspec
from msgspec import Meta

from kahnd.core import model
from kahnd.core.model import Facet, Kind, ReasonKind, Status

MOST_ENTRIES: Final = 10_000
"""Entries of the history in one answer, at most."""
T = TypeVar("T")
Level = Literal["debug", "info", "warning", "error", "critical"]
State = Literal["scanning", "rendering", "idle", "degraded", "stopped"]

Path = Annotated[str, Meta(description="A path relative to the project, with `/`.", examples=["docs/index.md"])]
Target = Annotated[str, Meta(description="The path of a document or of an output.", examples=["docs/index.md"])]
Cycle = Annotated[
    tuple[str, ...], Meta(description="A cycle, from a document back to itself.", examples=[["a.md", "a.md"]])
]
Moment = Annotated[str, Meta(description="ISO 8601, UTC.", examples=["2026-01-31T12:00:00.000Z"])]
Milliseconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Line = Annotated[int, Meta(ge=0, description="The line, counted from 1; 0 if it is not known.")]
Column = Annotated[int, Meta(ge=0, description="The column, counted from 1; 0 if it is not known.")]
ConfigError = Annotated[
    str | None,
    Meta(
        description="The reason why kahnd.toml can't be used; null or left out if it can.",
        examples=["kahnd.toml:3: broken TOML: invalid value"],
    ),
]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, or a part of one. A key whose value is its default is left out."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request. An unknown key is an error."""


def encoded(answer: Answer) -> bytes:
    """Returns the answer as JSON, even if a folder's name in it is not UTF-8."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(answer)).encode()


def plain(answer: Answer, kind: type[T]) -> T:  # noqa: ARG001 - for the type checker: a TypedDict of `answers`
    """Returns the answer as JSON's own values, typed."""
    return cast("T", json.loads(encoded(answer)))


# Errors


class Problem(Answer, frozen=True):
    """A problem: its message, its place and a remedy."""

    message: str
    file: str = ""
    line: Annotated[int, Meta(ge=0)] = 0
    remedy: str = ""


def problem(problem: model.Problem) -> Problem:
    """Returns a problem as clients get it."""
    return Problem(problem.message, problem.file, problem.line, problem.remedy)


class Refusal(Problem, frozen=True, kw_only=True):
    """The first problem, all problems, and the exit code of a command that fails with them."""

    exit_code: Annotated[
        int,
        Meta(description="2: usage or configuration; 4: no daemon, or no answer in time; 5: database or disk."),
    ]
    problems: tuple[Problem, ...]


class Error(Answer, frozen=True):
    """The shape of every error."""

    error: Refusal


class Configured(Answer, frozen=True, kw_only=True):
    """The keys that every answer of a daemon has while kahnd.toml is broken."""

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
    """A FAILED document. `output` holds the messages of its renderer, or of the program that it ran."""

    document: Path
    error: str
    output: str = ""
    message: str = ""
    file: str = ""
    line: Line = 0
    column: Column = 0
    remedy: str = ""


class Blocked(Answer, frozen=True):
    """A BLOCKED document, the document that blocks it (`because`), and the place of the dependency."""

    document: Path
    because: str
    error: str
    message: str = ""
    file: str = ""
    line: Line = 0
    column: Column = 0
    remedy: str = ""


class Warned(Answer, frozen=True):
    """A warning of a document's last good rendering, which stands until it is rendered again without it."""

    document: Path
    warning: str
    message: str = ""
    file: str = ""
    line: Line = 0
    column: Column = 0
    remedy: str = ""


class Build(Answer, frozen=True):
    """A build, from its cause until nothing is left to render, with the number of documents by outcome."""

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


class Missing(Answer, frozen=True):
    """A document that does not exist, and those that depend on it: the first of them, and the number of all."""

    document: str
    needed_by: tuple[str, ...]
    count: Count


class Watch(Answer, frozen=True):
    """The watcher of the sources. `unwatched` lists the folders that can't be watched."""

    backend: Annotated[str | None, Meta(examples=["inotify"])]
    overflows: Annotated[int, Meta(ge=0, description="How often events were lost, and all sources looked at again.")]
    rescans: Annotated[int, Meta(ge=0, description="The number of looks at all sources after the first.")]
    unwatched: tuple[str, ...]


class Store(Answer, frozen=True):
    """The database that holds the graph."""

    url: str


class Serve(Answer, frozen=True):
    """The preview in a browser. The URL has a token in it if other machines can reach the preview: keep it secret."""

    url: Annotated[str, Meta(examples=["http://127.0.0.1:8300/"])]


class DaemonStatus(Configured, frozen=True, kw_only=True):
    """The daemon, the documents by status, the failures and warnings, the first missing documents, the last build."""

    project: str
    root: Annotated[str, Meta(description="The project's folder.")]
    pid: Annotated[int | None, Meta(description="The daemon's process id; null if none runs.")]
    state: State
    version: Annotated[str, Meta(description="The daemon's version; also in the header Kahnd-Version of each answer.")]
    documents: Documents
    failures: tuple[Failure, ...]
    blocked: tuple[Blocked, ...]
    warnings: tuple[Warned, ...]
    missing: tuple[Missing, ...]
    last_build: Build | None
    watch: Watch
    store: Store
    serve: Serve | None
    config_error: ConfigError


# Plan, graph, why, history


class PlanRequest(Request, frozen=True):
    """The documents to plan, with their dependencies; all documents if there are none."""

    target: tuple[Target, ...] = ()


class Plan(Configured, frozen=True):
    """The documents that a build would render now. No document needs one of a later generation."""

    generations: tuple[tuple[str, ...], ...]
    reasons: Annotated[dict[str, str], Meta(examples=[{"docs/a.md": "content changed"}])]
    cycles: tuple[Cycle, ...]


class GraphRequest(Request, frozen=True):
    """The targets to show with their dependencies (`reverse`: their dependents); all documents if there are none."""

    target: tuple[Target, ...] = ()
    reverse: bool = False


class Node(Answer, frozen=True):
    """A document, or a collection: a glob that documents match."""

    id: str
    status: Status
    rule: Annotated[str | None, Meta(description="The `match` of the document's rule; null if it has none.")]
    output: str | None
    collection: bool = False
    outputs: Annotated[tuple[str, ...], Meta(description="All its outputs.")] = ()


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
    """The document to explain."""

    target: Target


class Reason(Answer, frozen=True):
    """An input that differs, with its hashes, null for none. `facets`: the parts of it that count, if not all do.

    `output`: the output that is rendered for this reason, if the document has several renderings.
    """

    kind: ReasonKind
    document: str
    before: str | None
    after: str | None
    facets: tuple[Facet, ...]
    output: str = ""


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
    """The reasons for a document's last render, or for the next one, and the chain from the edited file."""

    document: Path
    status: Status
    reasons: tuple[Reason, ...]
    chain: tuple[str, ...]
    rendered: Render | None


class HistoryRequest(Request, frozen=True):
    """The document, which may have been deleted, or null for all; and the largest number of entries."""

    document: Target | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ENTRIES)] = 20


class History(Configured, frozen=True):
    """Past renders, newest first."""

    history: tuple[Render, ...]


# Build, retry, wait


class BuildRequest(Request, frozen=True):
    """The targets to build, with their dependencies; everything if there are none. `force`: also what is up to date."""

    targets: tuple[Target, ...] = ()
    force: bool = False


class RetryRequest(Request, frozen=True):
    """The documents to retry, with their dependencies; all failed documents if there are none."""

    targets: tuple[Target, ...] = ()


class WaitRequest(Request, frozen=True):
    """The targets to wait for; everything if there are none. `timeout` is in seconds; null means no limit."""

    targets: tuple[Target, ...] = ()
    timeout: Annotated[float, Meta(ge=0)] | None = None


class Report(Configured, frozen=True):
    """The result of a build: the documents by outcome, and the problems and warnings that are left."""

    rendered: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[Failure, ...]
    blocked: tuple[Blocked, ...]
    removed: tuple[str, ...]
    warnings: tuple[Warned, ...]
    cycles: tuple[Cycle, ...]
    duration_ms: Milliseconds


class Progress(Answer, frozen=True):
    """The number of documents that are done, of all, and the last one; or, instead of it, what is waited for."""

    done: Count
    total: Count
    document: str


class ProgressLine(Answer, frozen=True):
    """Any line of a stream but the last."""

    progress: Progress


class ReportLine(Answer, frozen=True):
    """The last line of a stream."""

    report: Report


# Reload


class ReloadRequest(Request, frozen=True):
    """A request without parameters."""


class Reloaded(Answer, frozen=True):
    """The result of a reload. `changed` is false if the configuration is the same as before."""

    changed: bool
