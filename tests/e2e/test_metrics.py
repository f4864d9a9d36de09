"""A real daemon, scraped over HTTP; and the dashboard for Grafana, held to the names that it gives."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.harness import Project

DASHBOARD: Final = Path(__file__).parents[2] / "docs" / "how-to" / "grafana-dashboard.json"
_IN_TIME_S: Final = 60.0


def scrape(project: Project) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    url = project.kahnd("status", "--json").json["serve"]["url"]
    address = f"{url.rstrip('/')}/_kahnd/metrics"
    with urllib.request.urlopen(address, timeout=_IN_TIME_S) as answer:  # noqa: S310 - the daemon's own
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.read().decode())
        return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}


def queries(panel: dict[str, Any]) -> Iterator[str]:
    yield from (each["expr"] for each in panel.get("targets", ()))
    for each in panel.get("panels", ()):
        yield from queries(each)


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:kahnd|process)_[a-z_]+", query))


@pytest.fixture
def served(project: Project) -> Project:
    project.env.update({"KAHND_SERVE__ENABLED": "true", "KAHND_SERVE__PORT": "0"})
    project.write("docs/a.txt", "one")
    return project


@pytest.mark.smoke
def test_a_save_is_counted_and_every_query_of_the_dashboard_has_a_metric(served: Project) -> None:
    with served.daemon():
        served.write("docs/a.txt", "two")
        served.kahnd("wait")
        found = scrape(served)
    assert found["kahnd_builds_total", (("kind", "save"), ("outcome", "ok"))] == 1
    assert found["kahnd_builds_total", (("kind", "start"), ("outcome", "ok"))] == 1
    assert found["kahnd_save_to_output_seconds_count", ()] == 1
    assert 0 < found["kahnd_save_to_output_seconds_sum", ()] < _IN_TIME_S
    assert found["kahnd_documents", (("status", "done"),)] == 1
    assert found["kahnd_watch_events_total", ()] >= 1
    assert found["kahnd_store_call_seconds_count", (("operation", "propagate"),)] >= 1
    assert abs(found["kahnd_last_success_timestamp_seconds", ()] - time.time()) < _IN_TIME_S
    known = {name for name, _ in found}
    asked = {
        name
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for query in queries(panel)
        for name in names_in(query)
    }
    assert len(asked) >= 10
    assert asked <= known


def test_the_labels_that_the_dashboard_asks_for_exist() -> None:
    labels = {
        "kahnd_builds_total": {"kind", "outcome"},
        "kahnd_build_duration_seconds_bucket": {"kind", "le"},
        "kahnd_results_total": {"outcome"},
        "kahnd_documents": {"status"},
        "kahnd_state": {"state"},
        "kahnd_queue_depth": {"queue"},
        "kahnd_store_call_seconds_bucket": {"operation", "le"},
        "kahnd_save_to_output_seconds_bucket": {"le"},
        "kahnd_save_to_browser_seconds_bucket": {"le"},
        "kahnd_build_info": {"version", "python", "platform"},
    }
    scraped = {"job", "instance"}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for query in queries(panel):
            allowed = scraped.union(*(labels.get(name, set()) for name in names_in(query)))
            grouped = {each for by in re.findall(r"by \(([^)]*)\)", query) for each in re.findall(r"\w+", by)}
            matched = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", query))
            assert grouped | matched <= allowed, query
