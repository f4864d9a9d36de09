"""`kahnd build` sends its spans to a collector: the installed command, and real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.harness import Project

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and the bodies that it has got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.smoke
def test_a_build_in_ci_is_a_span_of_the_job_that_runs_it(project: Project) -> None:
    project.write_all({"docs/a.txt": "one", "docs/b.sum": "needs a.txt"})
    with collector() as (address, bodies):
        project.env.update({"OTEL_EXPORTER_OTLP_ENDPOINT": address, "TRACEPARENT": PARENT})
        project.build()
    sent = [ExportTraceServiceRequest.FromString(each) for each in bodies]
    resources = [each for one in sent for each in one.resource_spans]
    assert {value.value.string_value for each in resources for value in each.resource.attributes} >= {"kahnd"}
    spans = [span for each in resources for scope in each.scope_spans for span in scope.spans]
    (build,) = [each for each in spans if each.name == "build"]
    assert (build.trace_id.hex(), build.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    assert [each.parent_span_id for each in spans if each.name == "render"] == [build.span_id] * 2


def test_a_collector_that_is_away_holds_a_build_up_for_a_few_seconds_and_is_logged(project: Project) -> None:
    project.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    project.write("docs/a.txt", "one")
    project.build()
    assert "spans.failed" in project.kahnd("logs").stdout
