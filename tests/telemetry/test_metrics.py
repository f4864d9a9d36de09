"""The counts behind `/_kahnd/metrics`: few, whatever the project's size, and right."""

from __future__ import annotations

from typing import Any

import pytest

from kahnd.core.events import LogEvent
from kahnd.core.model import Digest, DocumentId, Observation, OutputPath
from kahnd.engine.observer import cause_of, cause_of_spoilt
from kahnd.ports import Spoilt
from kahnd.telemetry.metrics import SECONDS, Histogram, Metrics, kind_of

BUILD: dict[str, Any] = {"cause": "docs/a.md saved", "duration_ms": 20.0, "rendered": 2, "skipped": 1}
GOOD, BAD = BUILD | {"failed": 0, "blocked": 0}, BUILD | {"failed": 1, "blocked": 3}


def seen(*names: str, gone: bool = False) -> str:
    return cause_of(tuple(Observation(DocumentId(each), None if gone else Digest("0")) for each in names))


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (seen("docs/a.md"), "save"),
        (seen("docs/a.md", "docs/b.md"), "save"),
        (seen("docs/a.md", gone=True), "save"),
        (seen("docs/two\nlines saved and more.md"), "save"),
        (cause_of_spoilt(Spoilt(frozenset({OutputPath("site/a.html")}))), "output"),
        ("start", "start"),
        ("build", "build"),
        ("retry", "retry"),
        ("wait", "wait"),
        ("commit", "commit"),
        ("kahnd.toml changed", "reload"),
        ("the database was lost", "reload"),
    ],
)
def test_a_build_has_a_kind_that_names_no_document(cause: str, kind: str) -> None:
    assert kind_of(cause) == kind


def test_a_duration_counts_in_every_bucket_that_it_fits() -> None:
    durations = Histogram()
    for seconds in (0.001, 0.02, 1000.0):
        durations.observe(seconds)
    found = dict(durations.cumulative())
    assert (found[0.001], found[0.01], found[0.025], found[300.0], found[float("inf")]) == (1, 1, 2, 2, 3)
    assert durations.sum == pytest.approx(1000.021)
    assert list(found) == [*SECONDS, float("inf")]


def test_builds_are_counted_by_kind_and_outcome() -> None:
    metrics = Metrics(wall_clock=lambda: 7.0)
    metrics.on_event(LogEvent.BUILD_FINISHED, BAD)
    assert metrics.last_success == 0.0
    metrics.on_event(LogEvent.BUILD_FINISHED, GOOD | {"save_to_output_ms": 30.0})
    metrics.on_event(LogEvent.DOCUMENT_RENDERED, {"document": "docs/a.md"})
    assert metrics.builds == {("save", "ok"): 1, ("save", "failed"): 1}
    assert metrics.build_seconds["save"].sum == pytest.approx(0.04)
    assert metrics.save_to_output.sum == pytest.approx(0.03)
    assert metrics.last_success == 7.0
    assert metrics.renders == {"rendered": 4, "skipped": 2, "failed": 1, "blocked": 3}


def test_calls_of_the_database_are_counted_by_operation() -> None:
    metrics = Metrics()
    metrics.store_answered("commit", 0.25)
    metrics.store_answered("commit", 0.5)
    assert {name: each.sum for name, each in metrics.store_calls.items()} == {"commit": 0.75}
