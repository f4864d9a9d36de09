"""All metrics in the formats of Prometheus and OpenMetrics.

It takes 80 ms to import, most of it for the library: only `web/metrics` does, when somebody asks for the first time.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from kahnd import __version__
from kahnd.app.status import StatusSnapshot
from kahnd.telemetry.metrics import Histogram, Metrics

STATES: Final = ("scanning", "rendering", "idle", "degraded")


def exposition(now: StatusSnapshot, metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """Returns all metrics in the format that the `Accept` header asks for, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(families(now, metrics))))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collected:
    """Fulfils the library's `Collector`."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics."""
        return self._families


def families(now: StatusSnapshot, metrics: Metrics) -> Iterator[Metric]:
    """Yields kahnd's own metrics. The values of each label are few, and known beforehand."""
    yield _info()
    yield from _of_builds(metrics)
    yield from _of_state(now)
    yield from _of_watch(now)
    yield from _of_store(now, metrics)
    yield _gauge("kahnd_browsers", "Browsers that are connected.", metrics.browsers)


def _of_builds(metrics: Metrics) -> Iterator[Metric]:
    builds = CounterMetricFamily("kahnd_builds", "Builds that have ended.", labels=("kind", "outcome"))
    for (kind, outcome), count in sorted(metrics.builds.items()):
        builds.add_metric((kind, outcome), count)
    yield builds
    yield _histogram("kahnd_build_duration_seconds", "How long builds took.", metrics.build_seconds, "kind")
    renders = CounterMetricFamily("kahnd_results", "Documents in builds, by what became of them.", labels=("outcome",))
    for outcome, count in metrics.renders.items():
        renders.add_metric((outcome,), count)
    yield renders
    meaning = "From the first event of a save until the last output was in place."
    yield _histogram("kahnd_save_to_output_seconds", meaning, metrics.save_to_output)
    meaning = "From the first event of a save until a browser showed what it changed."
    yield _histogram("kahnd_save_to_browser_seconds", meaning, metrics.save_to_browser)
    yield _gauge(
        "kahnd_last_success_timestamp_seconds", "When the last build without a failure ended.", metrics.last_success
    )


def _of_state(now: StatusSnapshot) -> Iterator[Metric]:
    load = now.load
    yield _gauges("kahnd_state", "The state of the daemon.", "state", {each: each == now.state for each in STATES})
    yield _gauges("kahnd_documents", "Documents by status.", "status", now.counts)
    queues = {"documents": load.scheduled, "events": load.events, "results": load.uncommitted}
    yield _gauges("kahnd_queue_depth", "What is to be rendered, handled and stored.", "queue", queues)
    yield _gauge("kahnd_workers", "Workers that can render at once.", load.workers)
    yield _gauge("kahnd_workers_busy", "Workers that render.", load.busy_workers)


def _of_watch(now: StatusSnapshot) -> Iterator[Metric]:
    watch = now.watch
    yield _counter("kahnd_watch_events", "Events about sources.", watch.events)
    yield _counter("kahnd_watch_overflows", "How often events were lost.", watch.overflows)
    yield _counter("kahnd_watch_rescans", "Looks at all sources after the first.", watch.rescans)
    yield _gauge("kahnd_watch_unwatched_folders", "Folders that can't be watched.", len(watch.unwatched))


def _of_store(now: StatusSnapshot, metrics: Metrics) -> Iterator[Metric]:
    meaning = "How long the database took to answer."
    yield _histogram("kahnd_store_call_seconds", meaning, metrics.store_calls, "operation")
    yield _gauge("kahnd_store_up", "Whether the database answers.", not now.store.lost)


def _info() -> Metric:
    version = {"version": __version__, "python": platform.python_version(), "platform": sys.platform}
    return _labelled("kahnd_build_info", "The version of kahnd.", version)


def _labelled(name: str, meaning: str, labels: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), 1)
    return family


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for each, value in values.items():
        family.add_metric((each,), float(value))
    return family


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)


def _histogram(
    name: str, meaning: str, durations: Histogram | Mapping[str, Histogram], label: str | None = None
) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=(label,) if label else ())
    named = {"": durations} if isinstance(durations, Histogram) else durations
    for each, one in sorted(named.items()):
        buckets = [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in one.cumulative()]
        family.add_metric((each,) if label else (), buckets, one.sum)
    return family
