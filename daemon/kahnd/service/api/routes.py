"""What can be called: the one table that the server, its OpenAPI document and its tests go by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from kahnd.service.api import shapes

Q = TypeVar("Q", bound=shapes.Request)
A = TypeVar("A", bound=shapes.Answer)
Json = dict[str, Any]


class Form(Enum):
    """How an answer comes."""

    WHOLE = "application/json"
    LINES = "application/x-ndjson"
    """Progress, a line each, and the report (or an error) as the last line."""
    EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, eq=False)
class Route(Generic[Q, A]):
    """One call. GET takes the request's keys from the query, a list as the same key again; POST from a JSON body.

    `example` is an answer's; `command` what the command line calls it.
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
        """The last part of its path, as a word."""
        return self.path.rpartition("/")[2].partition(".")[0]


class NoRequest(shapes.Request, frozen=True):
    """Nothing is asked."""


class Document(shapes.Answer, frozen=True):
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
    "warnings": [],
    "cycles": [],
    "duration_ms": 41.5,
}
_IN_LINES: Final = (
    'The answer is a stream of JSON, a line each: `{"progress": …}` some times, and at the end `{"report": …}` or '
    '`{"error": …}`. Who hangs up waits no more: what is dirty is rendered all the same, what only `force` wanted not.'
)

STATUS: Final = Route(
    "GET",
    "/v1/status",
    NoRequest,
    shapes.DaemonStatus,
    "The daemon, counts by status, failures, the last build",
    "Costs the same however many documents there are.",
    {
        "project": "handbook",
        "root": "/home/me/handbook",
        "pid": 4711,
        "state": "idle",
        "version": "1.0.0",
        "documents": {"total": 120, "done": 119, "dirty": 0, "failed": 1, "blocked": 0, "missing": 0},
        "failures": _REPORT["failed"],
        "blocked": [],
        "last_build": None,
        "watch": {"backend": "inotify", "overflows": 0, "rescans": 2, "unwatched": []},
        "store": {"url": "surrealkv://.kahnd/db"},
        "config_error": None,
    },
    command="status",
)
PLAN: Final = Route(
    "GET",
    "/v1/plan",
    shapes.PlanRequest,
    shapes.Plan,
    "What a build would render now, and why",
    "In generations: what stands in one needs nothing of a later one. Changes nothing.",
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
    shapes.GraphRequest,
    shapes.Graph,
    "What depends on what",
    "All of it, or what the targets need, or (`reverse`) what needs them.",
    {
        "nodes": [
            {"id": "data/sales.csv", "status": "DONE", "rule": None, "output": None},
            {"id": "docs/a.md", "status": "DONE", "rule": "docs/**/*.md", "output": "site/a.html"},
        ],
        "edges": [{"from": "docs/a.md", "to": "data/sales.csv", "kind": "data"}],
    },
    command="graph",
)
WHY: Final = Route(
    "GET",
    "/v1/why",
    shapes.WhyRequest,
    shapes.Why,
    "Why a document was rendered, or would be",
    "The reasons of its last render, or of the one to come, by hash; and the chain from the edited file to it.",
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
    shapes.HistoryRequest,
    shapes.History,
    "Past renders, newest first",
    "Of all documents, or of one, also of one that is gone.",
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
BUILD: Final = Route(
    "POST",
    "/v1/build",
    shapes.BuildRequest,
    shapes.Report,
    "Bring all, or the targets, up to date",
    f"Failed documents are tried again, and outputs that are gone or altered made again. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="build",
)
RETRY: Final = Route(
    "POST",
    "/v1/retry",
    shapes.RetryRequest,
    shapes.Report,
    "Failed documents again",
    f"And what they block. Where nothing failed, nothing is done. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="retry",
)
WAIT: Final = Route(
    "POST",
    "/v1/wait",
    shapes.WaitRequest,
    shapes.Report,
    "Return when every change made before the call is rendered",
    f"A change that was saved before the call is seen before the answer. {_IN_LINES}",
    _REPORT,
    Form.LINES,
    command="wait",
)
RELOAD: Final = Route(
    "POST",
    "/v1/reload",
    shapes.ReloadRequest,
    shapes.Reloaded,
    "Read kahnd.toml, ignore files and plug-ins again",
    "As SIGHUP does; a change that is saved takes effect without. Of a configuration that can't be used the answer is "
    "the error, and the last good one stays.",
    {"changed": True},
)
EVENTS: Final = Route(
    "GET",
    "/v1/events",
    shapes.EventsRequest,
    shapes.LogLine,
    "What happens, as it is logged",
    "Server-sent events, from now on: the event's name, an id, and the log's line as data. With `Last-Event-ID`, those "
    "after that one come first, as far as they are kept (the newest 2,000). Who does not keep up misses some, and is "
    'told by an event `gap` how many: `{"missed": 12}`; null where the id is of another daemon. A comment every 15 '
    "seconds says that the daemon lives; a reader that takes nothing for 30 is hung up on.",
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

ROUTES: Final = (STATUS, PLAN, GRAPH, WHY, HISTORY, BUILD, RETRY, WAIT, RELOAD, EVENTS, OPENAPI)

STATUSES: Final = MappingProxyType(
    {
        400: "What is asked for is not there, or the request is not what it must be; or kahnd.toml can't be used.",
        403: "Another user's process, a Host that is not `localhost`, or a request with an Origin.",
        404: "There is no such path.",
        405: "The path is there, and takes another method.",
        408: "The request's body did not come.",
        413: "The request's body has more than 1 MiB.",
        503: "The database is away, or too many connections are open.",
    }
)
"""Beside 200: what each says."""


def fields_of(request: type[msgspec.Struct]) -> dict[str, bool]:
    """A request's keys; whether each is a list."""
    found = msgspec.inspect.type_info(request)
    assert isinstance(found, msgspec.inspect.StructType)  # noqa: S101 - what it is given
    many = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
    return {each.encode_name: isinstance(each.type, many) for each in found.fields}
