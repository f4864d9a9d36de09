"""Spans of builds, kept in memory instead of being sent."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from kahnd.core.events import LogEvent
from kahnd.core.model import BuildId, DocumentId
from kahnd.core.timeline import Ending, RecordedBuild, RenderSpan
from kahnd.telemetry import spans
from kahnd.telemetry.spans import BuildSpans, otlp_spans, parent_of

BEGAN = "2026-01-31T12:00:00.000Z"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def recorded(*renderings: RenderSpan) -> RecordedBuild:
    build = RecordedBuild(BuildId("b1"), "docs/a.md saved", BEGAN, 0.0)
    for each in renderings:
        build.add(each)
    build.until_ms = 50.0
    return build


def rendering(document: str, began: float, ended: float, after: str = "", **changes: Any) -> RenderSpan:
    ending = changes.get("ending", Ending.RENDERED)
    return RenderSpan(DocumentId(document), 0, 0.0, began, ended, 0, ending, DocumentId(after) if after else None)


def exported(build: RecordedBuild, environ: dict[str, str] | None = None) -> tuple[ReadableSpan, dict[str, Any]]:
    """The span of the build, and those of its renderings by document."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sender = BuildSpans(provider, parent_of(environ or {}))
    sender.record(build)
    sender.close()
    *below, whole = exporter.get_finished_spans()
    assert whole.name == "build"
    return whole, {str((each.attributes or {})["kahnd.document"]): each for each in below}


def ms_since_start(nanoseconds: int | None) -> float:
    assert nanoseconds is not None
    return round(nanoseconds / 1e6 - datetime.fromisoformat(BEGAN).timestamp() * 1000, 3)


def test_a_build_is_a_span_with_its_renderings_below_it() -> None:
    build, below = exported(recorded(rendering("a.md", 1, 20), rendering("b.md", 25, 45.5, after="a.md")))
    assert (ms_since_start(build.start_time), ms_since_start(build.end_time)) == (0, 50)
    assert dict(build.attributes or {}) == {
        "kahnd.build": "b1",
        "kahnd.cause": "docs/a.md saved",
        "kahnd.renderings": 2,
        "kahnd.renderings_left_out": 0,
        "kahnd.critical_ms": 39.5,
    }
    assert {each.name for each in below.values()} == {"render"}
    assert all(each.parent == build.get_span_context() for each in below.values())
    assert (ms_since_start(below["b.md"].start_time), ms_since_start(below["b.md"].end_time)) == (25, 45.5)
    (link,) = below["b.md"].links
    assert link.context.span_id == below["a.md"].get_span_context().span_id
    assert build.status.status_code is StatusCode.UNSET


def test_a_failure_marks_its_rendering_and_the_build() -> None:
    build, below = exported(recorded(rendering("a.md", 1, 2, ending=Ending.FAILED), rendering("b.md", 1, 2)))
    assert build.status.status_code is StatusCode.ERROR
    assert {name: each.status.status_code for name, each in below.items()} == {
        "a.md": StatusCode.ERROR,
        "b.md": StatusCode.UNSET,
    }


def test_a_build_belongs_to_what_the_environment_names() -> None:
    build, _ = exported(recorded(rendering("a.md", 1, 2)), {"TRACEPARENT": PARENT})
    assert build.parent is not None
    assert f"{build.parent.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{build.parent.span_id:016x}" == "b7ad6b7169203331"
    assert build.context is not None
    assert build.context.trace_id == build.parent.trace_id


@pytest.mark.parametrize("environ", [{}, {"TRACEPARENT": ""}, {"TRACEPARENT": "nonsense"}])
def test_without_a_valid_parent_a_build_begins_a_trace(environ: dict[str, str]) -> None:
    build, _ = exported(recorded(), environ)
    assert build.parent is None


def test_a_build_that_renders_nothing_ends_no_more_than_itself() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sender = BuildSpans(provider)
    for build in (recorded(), recorded(rendering("a.md", 1, 2))):
        sender.record(build)
    sender.close()
    assert [each.name for each in exporter.get_finished_spans()] == ["build", "render", "build"]


def test_of_a_huge_build_the_longest_renderings_and_the_critical_path_have_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spans, "MAX_RENDERS", 3)
    chain = [rendering("c1", 0, 2), rendering("c2", 2, 4, after="c1")]
    alone = [rendering(f"x{number}", 0, 0.1 * number) for number in range(10)]
    build, below = exported(recorded(*chain, *alone))
    assert sorted(below) == ["c1", "c2", "x9"]
    assert (build.attributes or {})["kahnd.renderings_left_out"] == 9


def test_what_the_exporter_complains_of_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    told: list[tuple[str, str]] = []
    logger = logging.getLogger("opentelemetry")
    before = (list(logger.handlers), logger.propagate)
    sender = otlp_spans({}, lambda event, **fields: told.append((event, fields["error"])))
    try:
        for _ in range(2):
            logger.getChild("exporter").warning("the collector is away")
    finally:
        sender.close()
        logger.handlers, logger.propagate = before
    assert told[0] == (LogEvent.SPANS_FAILED, "the collector is away")
    assert told.count(told[0]) == 1
