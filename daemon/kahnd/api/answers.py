"""The answers as the command line reads them: JSON with types. Importing this costs nothing, unlike `schemas`.

Each type has the keys of the struct of the same name in `schemas`, which documents them; a test compares the two. A key
that is left out where it has nothing to say is `NotRequired`.
"""

from typing import Literal, NotRequired, TypedDict


class Problem(TypedDict):
    """See `schemas.Problem`."""

    message: str
    file: NotRequired[str]
    line: NotRequired[int]
    remedy: NotRequired[str]


class Configured(TypedDict):
    """See `schemas.Configured`."""

    config_error: NotRequired[str | None]
    config_problems: NotRequired[list[Problem]]


class Documents(TypedDict):
    """See `schemas.Documents`."""

    total: int
    done: int
    dirty: int
    failed: int
    blocked: int
    missing: int


class Failure(TypedDict):
    """See `schemas.Failure`."""

    document: str
    error: str
    output: NotRequired[str]
    message: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]
    remedy: NotRequired[str]


class Blocked(TypedDict):
    """See `schemas.Blocked`."""

    document: str
    because: str
    error: str
    message: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]
    remedy: NotRequired[str]


class Warned(TypedDict):
    """See `schemas.Warned`."""

    document: str
    warning: str
    message: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]
    remedy: NotRequired[str]


class Build(TypedDict):
    """See `schemas.Build`."""

    id: str
    cause: str
    started_at: str
    duration_ms: float
    rendered: int
    skipped: int
    failed: int
    blocked: int
    removed: int
    generations: int


class Missing(TypedDict):
    """See `schemas.Missing`."""

    document: str
    needed_by: list[str]
    count: int


class Watch(TypedDict):
    """See `schemas.Watch`."""

    backend: str | None
    overflows: int
    rescans: int
    unwatched: list[str]


class Store(TypedDict):
    """See `schemas.Store`."""

    url: str


class Serve(TypedDict):
    """See `schemas.Serve`."""

    url: str


class Status(Configured):
    """See `schemas.DaemonStatus`."""

    project: str
    root: str
    pid: int | None
    state: Literal["scanning", "rendering", "idle", "degraded", "stopped"]
    version: str
    documents: Documents
    failures: list[Failure]
    blocked: list[Blocked]
    warnings: list[Warned]
    missing: list[Missing]
    last_build: Build | None
    watch: Watch
    store: Store
    serve: Serve | None


class Plan(Configured):
    """See `schemas.Plan`."""

    generations: list[list[str]]
    reasons: dict[str, str]
    cycles: list[list[str]]


class Node(TypedDict):
    """See `schemas.Node`."""

    id: str
    status: str
    rule: str | None
    output: str | None
    collection: NotRequired[bool]
    outputs: NotRequired[list[str]]


Edge = TypedDict("Edge", {"from": str, "to": str, "kind": str})
"""See `schemas.Edge`."""


class Graph(Configured):
    """See `schemas.Graph`."""

    nodes: list[Node]
    edges: list[Edge]


class Reason(TypedDict):
    """See `schemas.Reason`."""

    kind: str
    document: str
    before: str | None
    after: str | None
    facets: list[str]
    output: NotRequired[str]


class Render(TypedDict):
    """See `schemas.Render`."""

    document: str
    build: str
    cause: str
    status: str
    started_at: str
    duration_ms: float
    error: str | None


class Why(Configured):
    """See `schemas.Why`."""

    document: str
    status: str
    reasons: list[Reason]
    chain: list[str]
    rendered: Render | None


class History(Configured):
    """See `schemas.History`."""

    history: list[Render]


class Span(TypedDict):
    """See `timelines.Span`."""

    document: str
    lane: int
    ready_ms: float
    started_ms: float
    ended_ms: float
    generation: int
    ending: str
    after: str | None
    critical: bool


class Timeline(Configured):
    """See `timelines.Timeline`."""

    build: str
    cause: str
    started_at: str
    duration_ms: float
    running: bool
    critical_ms: float
    left_out: int
    from_history: bool
    spans: list[Span]


class Report(Configured):
    """See `schemas.Report`."""

    rendered: list[str]
    skipped: list[str]
    failed: list[Failure]
    blocked: list[Blocked]
    removed: list[str]
    warnings: list[Warned]
    cycles: list[list[str]]
    duration_ms: float


class Kept(TypedDict):
    """An output that `clean` could not remove, and why."""

    output: str
    error: str


class Clean(TypedDict):
    """The files that `clean` removed, or would remove in a dry run."""

    removed: list[str]
    kept: list[Kept]
    state: list[str]
    dry_run: bool


class Check(TypedDict):
    """One check of `doctor`."""

    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    remedy: str


class Doctor(TypedDict):
    """The checks of `doctor`, and whether all are well."""

    sound: bool
    checks: list[Check]
