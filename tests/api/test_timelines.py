"""The Chrome trace of a build: the format that Perfetto reads."""

from __future__ import annotations

from typing import Any

from kahnd.api import answers
from kahnd.api.timelines import chrome_trace


def span(document: str, lane: int, began: float, ended: float, **changes: Any) -> answers.Span:
    usual: dict[str, Any] = {"generation": 0, "ending": "rendered", "after": None, "critical": False}
    times = {"ready_ms": began - 1, "started_ms": began, "ended_ms": ended}
    made: Any = {"document": document, "lane": lane, **times, **usual, **changes}
    return made  # type: ignore[no-any-return]


def trace(*spans: answers.Span) -> dict[str, Any]:
    build: Any = {"build": "b1", "cause": "save", "duration_ms": 40.0, "spans": list(spans)}
    return chrome_trace(build)


def events(found: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    return [each for each in found["traceEvents"] if each["ph"] == phase]


A = span("docs/a.md", 0, 2, 10, critical=True)
B = span("docs/b.md", 1, 12, 30, after="docs/a.md", critical=True, generation=1)
C = span("docs/c.md", 0, 12, 14, after="docs/a.md", ending="failed")


def test_each_worker_is_a_thread_with_a_name() -> None:
    names = [each for each in events(trace(A, B, C), "M") if each["name"] == "thread_name"]
    assert [(each["tid"], each["args"]["name"]) for each in names] == [(1, "worker 1"), (2, "worker 2")]


def test_each_rendering_is_a_slice_in_microseconds() -> None:
    first, second, third = events(trace(A, B, C), "X")
    assert (first["name"], first["tid"], first["ts"], first["dur"]) == ("docs/a.md", 1, 2000.0, 8000.0)
    assert second["args"] == {
        "ending": "rendered",
        "generation": 1,
        "critical": True,
        "waited_for": "docs/a.md",
        "ready_for_ms": 1,
    }
    assert third["cat"] == "render,failed"


def test_the_critical_path_has_a_category_and_a_colour_of_its_own() -> None:
    slices = events(trace(A, B, C), "X")
    assert [("critical" in each["cat"].split(",")) for each in slices] == [True, True, False]
    assert slices[0]["cname"] == slices[1]["cname"] != slices[2]["cname"]


def test_an_arrow_leads_from_what_was_waited_for_to_the_start_of_what_waited() -> None:
    found = trace(A, B, C)
    begins, ends = events(found, "s"), events(found, "f")
    assert [each["id"] for each in begins] == [each["id"] for each in ends]
    assert len({each["id"] for each in begins}) == 2
    (slice_a, *_) = events(found, "X")
    for each in begins:
        assert each["tid"] == slice_a["tid"]
        assert slice_a["ts"] <= each["ts"] < slice_a["ts"] + slice_a["dur"]
    assert [(each["tid"], each["ts"], each["bp"]) for each in ends] == [(2, 12000.0, "e"), (1, 12000.0, "e")]


def test_a_rendering_that_waited_for_one_that_is_not_known_has_no_arrow() -> None:
    assert events(trace(B), "s") == []


def test_a_rendering_too_short_to_measure_can_be_seen() -> None:
    (only,) = events(trace(span("docs/a.md", 0, 2, 2)), "X")
    assert only["dur"] > 0


def test_the_trace_names_its_build() -> None:
    assert trace(A)["otherData"] == {"build": "b1", "cause": "save", "duration_ms": 40.0}
