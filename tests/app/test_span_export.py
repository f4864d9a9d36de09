"""Spans are made where a collector is named, and cost nothing elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kahnd.app import span_export
from kahnd.app.span_export import exporting_spans, is_wanted

NAMED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (NAMED, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        (NAMED | {"OTEL_SDK_DISABLED": "true"}, False),
        (NAMED | {"OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_decide(environ: dict[str, str], wanted: bool) -> None:  # noqa: FBT001
    assert is_wanted(environ) is wanted


def test_without_the_extra_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_export, "PACKAGES", ("opentelemetry_that_is_not_there.sdk",))
    assert not is_wanted(NAMED)


def test_where_nothing_is_named_the_libraries_are_not_even_imported() -> None:
    lines = (
        "import sys",
        "from kahnd.app.span_export import exporting_spans",
        "with exporting_spans({}, print) as timelines:",
        "    assert timelines.on_build is None",
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_a_named_collector_gets_each_build() -> None:
    with exporting_spans(NAMED | {"OTEL_TRACES_EXPORTER": "otlp"}, lambda _event, **_fields: None) as timelines:
        assert timelines.on_build is not None
