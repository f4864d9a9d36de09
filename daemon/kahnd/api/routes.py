"""The route table: the server, its OpenAPI document and its tests are made from it. And what the event stream holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec

from kahnd.api import schemas, timelines

Q = TypeVar("Q", bound=schemas.Request)
A = TypeVar("A", bound=schemas.Answer)
Json = dict[str, Any]


class EventsRequest(schemas.Request, frozen=True):
    """The events to stream, all by default: at or above `level`, and of the given document, build and names."""

    level: schemas.Level = "debug"
    document: schemas.Path | None = None
    build: str | None = None
    event: tuple[Annotated[str, msgspec.Meta(examples=["document.rendered"])], ...] = ()


class LogLine(schemas.Answer, frozen=True):
    """A line of the log. It has the keys of its event besides these."""

    timestamp: schemas.Moment
    level: schemas.Level
    event: str
    build: str = ""
    document: str = ""
    cause: str = ""
    duration_ms: schemas.Milliseconds = 0
    error: str = ""


class Gap(schemas.Answer, frozen=True):
    """The number of events that were missed, of any kind; null if it is not known."""

    missed: schemas.Count | None


class Form(Enum):
    """The form of an answer: its content type."""

    WHOLE = "application/json"
    LINES = "application/x-ndjson"
    """Lines of progress, and as the last line the report or an error."""
    EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, eq=False)
class Route(Generic[Q, A]):
    """One call. GET takes the request's keys from the query, and a list as a repeated key; POST takes a JSON body.

    `example` is an example answer; `command` is the name of the same operation on the command line.
    """

    method: Literal["GET", "POST"]
    path: str
    request: type[Q]
    answer: type[A]
    summary: str
    details: str
    example: Json
    form: Form = Form.WHOLE
    command: str = ""

    @property
    def name(self) -> str:
        """The last part of the path, without its extension."""
        return self.path.rpartition("/")[2].partition(".")[0]


class NoRequest(schemas.Request, frozen=True):
    """A request without parameters."""


class Document(schemas.Answer, frozen=True):
    """An OpenAPI document: see spec.openapis.org."""

    openapi: str
    info: Json
    servers: list[Json]
    paths: Json
    components: Json


_REPORT: Final[Json] = {
    "rendered": ["docs/a.md"],
    "skipped": [],
    "failed": [{"document": "docs/b.md", "error": "docs/b.md:3: there is no /data/none.csv"}],
    "blocked": [],
    "removed": [],
    "warnings": [
        {
            "document": "docs/c.md",
            "warning": "docs/c.md:7:3: no such page",
            "message": "no such page",
            "file": "docs/c.md",
            "line": 7,
            "column": 3,
        }
    ],
    "cycles": [],
    "duration_ms": 41.5,
}
_IN_LINES: Final = (
    'The answer is a stream of JSON lines: any number of `{"progress": …}`, and at the end `{"report": …}` or '
    '`{"error": …}`. A client may disconnect before the end: dirty documents are still rendered, and those that only '
    "`force` asked for are not."
)

STATUS: Final = Route(
    "GET",
    "/v1/status",
    NoRequest,
    schemas.DaemonStatus,
    "The daemon, counts by status, failures, the last build",
    "Takes the same time however many documents there are, unless some are missing.",
    {
        "project": "handbook",
        "root": "/home/me/handbook",
        "pid": 4711,
        "state": "idle",
        "version": "1.0.0",
        "documents": {"total": 120, "done": 119, "dirty": 0, "failed": 1, "blocked": 0, "missing": 0},
        "failures": _REPORT["failed"],
        "blocked": [],
        "warnings": _REPORT["warnings"],
        "missing": [],
        "last_build": None,
        "watch": {"backend": "inotify", "overflows": 0, "rescans": 2, "unwatched": []},
        "store": {"url": "surrealkv://.kahnd/db"},
        "serve": {"url": "http://127.0.0.1:8300/"},
        "config_error": None,
    },
    command="status",
)
PLAN: Final = Route(
    "GET",
    "/v1/plan",
    schemas.PlanRequest,
    schemas.Plan,
    "The documents that a build would render now, and why",
    "The documents are listed by generation: none needs one of a later generation. Changes nothing.",
    {
        "generations": [["docs/a.md"], ["docs/index.md"]],
        "reasons": {"docs/a.md": "content changed", "docs/index.md": "needs docs/a.md"},
        "cycles": [],
    },
    command="plan",
)
GRAPH: Final = Route(
    "GET",
    "/v1/graph",
    schemas.GraphRequest,
    schemas.Graph,
    "The dependency graph",
    "The whole graph, or the targets with their dependencies or (`reverse`) their dependents.",
    {
        "nodes": [
            {"id": "data/sales.csv", "status": "DONE", "rule": None, "output": None},
            {
                "id": "docs/a.md",
                "status": "DONE",
                "rule": "docs/**/*.md",
                "output": "site/a.html",
                "outputs": ["site/a.html"],
            },
        ],
        "edges": [{"from": "docs/a.md", "to": "data/sales.csv", "kind": "data"}],
    },
    command="graph",
)
WHY: Final = Route(
    "GET",
    "/v1/why",
    schemas.WhyRequest,
    schemas.Why,
    "The reasons why a document was or would be rendered",
    "The reasons for its last render, or for the next one, with hashes; and the chain from the edited file to it.",
    {
        "document": "docs/a.md",
        "status": "DONE",
        "reasons": [
            {
                "kind": "dependency",
                "document": "data/sales.csv",
                "before": "6a1e8c3f0b7d4952a86413ce57f0928b",
                "after": "0f9d1b7c2e5a48639c70d2e416b85fa3",
                "facets": [],
            }
        ],
        "chain": ["data/sales.csv", "docs/a.md"],
        "rendered": None,
    },
    command="why",
)
HISTORY: Final = Route(
    "GET",
    "/v1/history",
    schemas.HistoryRequest,
    schemas.History,
    "Past renders, newest first",
    "Of all documents, or of one, which may have been deleted.",
    {
        "history": [
            {
                "document": "docs/a.md",
                "build": "20260131T120000000-7",
                "cause": "data/sales.csv saved",
                "status": "DONE",
                "started_at": "2026-01-31T12:00:00.000Z",
                "duration_ms": 12.5,
                "error": None,
            }
        ]
    },
    command="history",
)
TIMELINE: Final = Route(
    "GET",
    "/v1/timeline",
    timelines.TimelineRequest,
    timelines.Timeline,
    "The renderings of one build: when, by which worker, and what each waited for",
    "Of the last builds, the one under way included, from memory; of older ones from the history.",
    {
        "build": "20260131T120000000-7",
        "cause": "data/sales.csv saved",
        "started_at": "2026-01-31T12:00:00.000Z",
        "duration_ms": 21.5,
        "running": False,
        "critical_ms": 12.5,
        "left_out": 0,
        "from_history": False,
        "spans": [
            {
                "document": "docs/a.md",
                "lane": 0,
                "ready_ms": 4.0,
                "started_ms": 4.2,
                "ended_ms": 16.7,
                "generation": 0,
                "ending": "rendered",
                "after": None,
                "critical": True,
            }
        ],
    },
    command="history --trace",
)
BUILD: Final = Route(
    "POST",
    "/v1/build",
    schemas.BuildRequest,
    schemas.Report,
    "Bring everything, or the targets, up to date",
    f"Failed documents are tried again, and missing or altered outputs are restored. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="build",
)
RETRY: Final = Route(
    "POST",
    "/v1/retry",
    schemas.RetryRequest,
    schemas.Report,
    "Render failed documents again",
    f"Documents that they block are rendered too. Does nothing if nothing failed. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="retry",
)
WAIT: Final = Route(
    "POST",
    "/v1/wait",
    schemas.WaitRequest,
    schemas.Report,
    "Return when every change made before the call is rendered",
    f"A change that was saved before the call is seen before the answer. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="wait",
)
RELOAD: Final = Route(
    "POST",
    "/v1/reload",
    schemas.ReloadRequest,
    schemas.Reloaded,
    "Read kahnd.toml, ignore files and plug-ins again",
    "Does the same as SIGHUP. Saved changes take effect without it. If the configuration can't be used, the answer is "
    "the error, and the last good one stays in force.",
    {"changed": True},
)
EVENTS: Final = Route(
    "GET",
    "/v1/events",
    EventsRequest,
    LogLine,
    "The log's events as they happen",
    "A stream of server-sent events that starts now. Each has the event's name, an id, and the log's line as data. "
    "With `Last-Event-ID`, the events after that one come first, as far as they are kept (the newest 2,000). A client "
    "that does not keep up misses events, and an event `gap` says how many: "
    '`{"missed": 12}`; null if the id is from another daemon. A comment every 15 seconds shows that the daemon is '
    "alive; a client that reads nothing for 30 seconds is disconnected.",
    {
        "timestamp": "2026-01-31T12:00:00.123456Z",
        "level": "info",
        "event": "document.rendered",
        "document": "docs/a.md",
        "build": "20260131T120000000-7",
        "cause": "docs/a.md saved",
        "duration_ms": 12.5,
    },
    Form.EVENTS,
)
OPENAPI: Final = Route(
    "GET",
    "/v1/openapi.json",
    NoRequest,
    Document,
    "This description",
    "An OpenAPI 3.1 document.",
    {"openapi": "3.1.0", "info": {"title": "kahnd", "version": "1"}, "servers": [], "paths": {}, "components": {}},
)

ROUTES: Final = (STATUS, PLAN, GRAPH, WHY, HISTORY, TIMELINE, BUILD, RETRY, WAIT, RELOAD, EVENTS, OPENAPI)

STATUSES: Final = MappingProxyType(
    {
        400: "The target does not exist, the request is not valid, or kahnd.toml can't be used.",
        403: "Another user's process, a Host that is not `localhost`, or a request with an Origin.",
        404: "The path does not exist.",
        405: "The path takes another method.",
        408: "The request's body did not arrive in time.",
        413: "The request's body has more than 1 MiB.",
        503: "The database is away, or too many connections are open.",
    }
)
"""The statuses besides 200, with their meanings."""


def fields_of(request: type[msgspec.Struct]) -> dict[str, bool]:
    """Returns a request's keys, each with whether it is a list."""
    found = msgspec.inspect.type_info(request)
    assert isinstance(found, msgspec.inspect.StructType)  # noqa: S101 - what it is given
    many = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
    return {each.encode_name: isinstance(each.type, many) for each in found.fields}
