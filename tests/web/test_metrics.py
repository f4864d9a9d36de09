"""What Prometheus gets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kahnd import __version__
from kahnd.app.status import EngineLoad, StatusSnapshot, StoreStatus, WatchStatus
from kahnd.core.events import LogEvent
from kahnd.telemetry.metrics import Metrics
from kahnd.web.exposition import exposition, families

NOW = StatusSnapshot(
    "rendering",
    counts={"done": 7, "dirty": 2, "failed": 1, "blocked": 0, "missing": 0},
    watch=WatchStatus("inotify", 1, 2, ("docs/deep",), 40),
    store=StoreStatus("mem://"),
    load=EngineLoad(scheduled=2, events=3, uncommitted=4, busy_workers=1, workers=2),
)
parse_openmetrics: Any = openmetrics.text_string_to_metric_families  # it has no annotations
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8, text/plain;q=0.5"


def counted() -> Metrics:
    metrics = Metrics(wall_clock=lambda: 1.8e9)
    build = {"cause": "docs/a.md saved", "rendered": 2, "skipped": 1, "failed": 0, "blocked": 0}
    metrics.on_event(LogEvent.BUILD_FINISHED, {**build, "duration_ms": 20.0, "save_to_output_ms": 24.0})
    metrics.store_answered("commit", 0.003)
    metrics.browsers = 2
    return metrics


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in parse_text(text)
        for each in family.samples
    }


def test_every_number_is_there_under_its_name() -> None:
    body, content_type = exposition(NOW, counted())
    found = samples(body.decode())
    assert content_type.startswith("text/plain; version=0.0.4")
    expected: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        ("kahnd_builds_total", (("kind", "save"), ("outcome", "ok"))): 1,
        ("kahnd_build_duration_seconds_count", (("kind", "save"),)): 1,
        ("kahnd_build_duration_seconds_bucket", (("kind", "save"), ("le", "0.025"))): 1,
        ("kahnd_results_total", (("outcome", "rendered"),)): 2,
        ("kahnd_save_to_output_seconds_sum", ()): 0.024,
        ("kahnd_save_to_browser_seconds_count", ()): 0,
        ("kahnd_documents", (("status", "done"),)): 7,
        ("kahnd_state", (("state", "rendering"),)): 1,
        ("kahnd_state", (("state", "idle"),)): 0,
        ("kahnd_queue_depth", (("queue", "documents"),)): 2,
        ("kahnd_workers", ()): 2,
        ("kahnd_workers_busy", ()): 1,
        ("kahnd_watch_events_total", ()): 40,
        ("kahnd_watch_overflows_total", ()): 1,
        ("kahnd_watch_rescans_total", ()): 2,
        ("kahnd_watch_unwatched_folders", ()): 1,
        ("kahnd_store_call_seconds_bucket", (("le", "0.005"), ("operation", "commit"))): 1,
        ("kahnd_store_up", ()): 1,
        ("kahnd_browsers", ()): 2,
        ("kahnd_last_success_timestamp_seconds", ()): 1.8e9,
    }
    assert {name: found.get(name) for name in expected} == expected
    info = next(labels for name, labels in found if name == "kahnd_build_info")
    assert dict(info)["version"] == __version__
    assert ("process_resident_memory_bytes", ()) in found


def test_openmetrics_is_told_to_those_who_ask_for_it() -> None:
    body, content_type = exposition(NOW, counted(), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {each.name: each for each in parse_openmetrics(body.decode())}
    assert families["kahnd_builds"].type == "counter"
    assert families["kahnd_save_to_output_seconds"].type == "histogram"


def test_before_anything_has_happened_the_format_is_right_too() -> None:
    body, _ = exposition(StatusSnapshot("scanning"), Metrics(), OPENMETRICS)
    assert {each.name for each in parse_openmetrics(body.decode())} >= {"kahnd_builds", "kahnd_documents"}


def test_no_label_grows_with_the_project() -> None:
    """Names of documents, causes and errors are in the log."""
    few, many = counted(), counted()
    for number in range(1000):
        fields: dict[str, Any] = dict.fromkeys(("rendered", "skipped", "failed", "blocked"), 0)
        cause = f"docs/page-{number}.md saved and {number} more"
        many.on_event(LogEvent.BUILD_FINISHED, {**fields, "cause": cause, "duration_ms": 1.0})
    lengths = [len(samples(exposition(NOW, each)[0].decode())) for each in (few, many)]
    assert lengths[0] == lengths[1] < 200
    assert b"page-" not in exposition(NOW, many)[0]


@pytest.mark.parametrize("module", ["kahnd.app.daemon", "kahnd.web.server"])
def test_the_library_is_not_imported_before_somebody_asks(module: str) -> None:
    check = f"import sys, {module}\nassert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_how_to_tells_of_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "metrics.md").read_text()
    told = set(re.findall(r"`(kahnd_[a-z_]+)`", page))
    there = {f"{each.name}_total" if each.type == "counter" else each.name for each in families(NOW, counted())}
    assert told == there
