"""Opens the export of spans, where the environment asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from kahnd.engine import Timelines

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PACKAGES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
"""The packages of the extra `otel`."""


@contextmanager
def exporting_spans(environ: Mapping[str, str], log: Callable[..., None]) -> Iterator[Timelines]:
    """Yields a record of builds that are sent as spans, if a collector is named and the extra `otel` is installed."""
    timelines = Timelines()
    if not is_wanted(environ):
        yield timelines
        return
    from kahnd.telemetry.spans import otlp_spans  # noqa: PLC0415 - an extra, and slow to import

    spans = otlp_spans(environ, log)
    timelines.on_build = spans.record
    try:
        yield timelines
    finally:
        spans.close()


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Tells whether spans can be sent, and are to be: by the variables of OpenTelemetry's specification."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    named = any(environ.get(each) for each in ENDPOINTS)
    return named and all(map(_is_installed, PACKAGES))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
