"""Sends spans to an OpenTelemetry collector: one for each build, and one below it for each of its renderings.

They are made from the record of a build once it has ended, in a thread of their own, so they cost a build nothing.
Needs the extra `otel`; `app/span_export` imports this only where spans are asked for.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from kahnd import __version__
from kahnd.core.events import LogEvent
from kahnd.core.timeline import BuildTimeline, Ending, RecordedBuild, RenderSpan

MAX_RENDERS: Final = 2_000
"""Renderings of a build that get a span: those that took the longest, and the critical path."""
MAX_WAITING: Final = 100
"""Builds that may wait to be sent; further ones are left out."""
CLOSE_S: Final = 5.0
"""How long the end of kahnd waits for the spans to be sent."""
_MAX_MESSAGES: Final = 20
_BROKEN: Final = frozenset({Ending.FAILED, Ending.STOPPED})


class BuildSpans:
    """Makes spans of the builds that it is given. `parent` is what all of them belong to."""

    def __init__(self, provider: TracerProvider, parent: Context | None = None) -> None:
        self._provider = provider
        self._parent = parent
        self._builds: queue.Queue[RecordedBuild | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._send_all, name="spans", daemon=True)
        self._thread.start()

    def record(self, build: RecordedBuild) -> None:
        """Takes a build that has ended. Never waits."""
        with suppress(queue.Full):  # the collector does not keep up, and the exporter has said so
            self._builds.put_nowait(build)

    def close(self) -> None:
        """Sends what is left, and returns after CLOSE_S at the latest."""
        with suppress(queue.Full):  # then the collector is away, and will not take it
            self._builds.put_nowait(None)
            self._thread.join(CLOSE_S)

    def _send_all(self) -> None:
        tracer = self._provider.get_tracer("kahnd", __version__)
        while (build := self._builds.get()) is not None:
            send(tracer, build.timeline(0.0), self._parent)
        self._provider.shutdown()


def otlp_spans(environ: Mapping[str, str], log: Callable[..., None]) -> BuildSpans:
    """Returns spans that go where the standard variables (`OTEL_EXPORTER_OTLP_…`) say, below `TRACEPARENT`.

    The exporter's messages are logged, each once.
    """
    logging.getLogger("opentelemetry").addHandler(_ToLog(log))
    logging.getLogger("opentelemetry").propagate = False
    named = {} if "OTEL_SERVICE_NAME" in environ else {"service.name": "kahnd"}
    resource = Resource.create({**named, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` does that, and has a limit
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=2 * MAX_RENDERS))
    return BuildSpans(provider, parent_of(environ))


def parent_of(environ: Mapping[str, str]) -> Context:
    """Returns the context that `TRACEPARENT` and `TRACESTATE` name: see the W3C's "Trace Context"."""
    names = ("traceparent", "tracestate")
    carrier = {name: environ[name.upper()] for name in names if environ.get(name.upper())}
    return TraceContextTextMapPropagator().extract(carrier)


def send(tracer: Tracer, timeline: BuildTimeline, parent: Context | None = None) -> None:
    """Makes the spans of a build."""
    began_ns = round(datetime.fromisoformat(timeline.started_at).timestamp() * 1e9)
    chosen = sorted(_chosen(timeline.spans), key=lambda each: each.ended_ms)
    left_out = timeline.left_out + len(timeline.spans) - len(chosen)
    attributes: dict[str, str | int | float] = {
        "kahnd.build": timeline.build,
        "kahnd.cause": timeline.cause,
        "kahnd.renderings": len(timeline.spans) + timeline.left_out,
        "kahnd.renderings_left_out": left_out,
        "kahnd.critical_ms": round(timeline.critical_ms, 3),
    }
    build = tracer.start_span("build", parent, attributes=attributes, start_time=began_ns)
    below = set_span_in_context(build, parent)
    contexts: dict[str, SpanContext] = {}
    for each in chosen:
        waited_for = contexts.get(each.after or "")
        span = tracer.start_span(
            "render",
            below,
            attributes=_attributes(each),
            links=[Link(waited_for)] if waited_for else [],
            start_time=began_ns + _ns(each.started_ms),
        )
        contexts[each.document] = span.get_span_context()
        _end(span, began_ns + _ns(each.ended_ms), is_broken=each.ending in _BROKEN)
    _end(build, began_ns + _ns(timeline.duration_ms), is_broken=any(each.ending in _BROKEN for each in timeline.spans))


def _chosen(spans: Iterable[RenderSpan]) -> list[RenderSpan]:
    return heapq.nlargest(MAX_RENDERS, spans, key=lambda each: (each.critical, each.ended_ms - each.started_ms))


def _attributes(span: RenderSpan) -> dict[str, str | int | float | bool]:
    return {
        "kahnd.document": span.document,
        "kahnd.worker": span.lane + 1,
        "kahnd.generation": span.generation,
        "kahnd.ending": span.ending.value,
        "kahnd.ready_for_ms": round(span.started_ms - span.ready_ms, 3),
        "kahnd.critical": span.critical,
        **({"kahnd.waited_for": span.after} if span.after else {}),
    }


def _end(span: Span, at_ns: int, *, is_broken: bool) -> None:
    if is_broken:
        span.set_status(StatusCode.ERROR)
    span.end(at_ns)


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)


class _ToLog(logging.Handler):
    """Passes on what the libraries of OpenTelemetry log, each message once: a collector may be away for hours."""

    def __init__(self, log: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a message, unless it was logged before."""
        if record.msg not in self._told and len(self._told) < _MAX_MESSAGES:
            self._told.add(record.msg)  # without its values: one of them is when it is tried again
            self._log(LogEvent.SPANS_FAILED, error=record.getMessage())
