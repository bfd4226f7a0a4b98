"""Traces: each request is a span, and no span tells what a query says."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.servers import running


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and what was sent to it."""
    sent: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sent.append(
                gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            )
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_are_spans_that_go_on_with_the_callers_trace(
    bank_url: str, tmp_path: Path, collector: tuple[str, list[bytes]]
) -> None:
    endpoint, sent = collector
    settings = {
        "CUSTOMER_SEGMENTATION_TRACES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with running(bank_url, tmp_path, **settings) as server:
        server.client.get(
            "/v1/customers?age=29..31",
            headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        )
        server.client.get("/get_customer_info_from_database?customer_id=56")

    spans = [
        span
        for body in sent
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    told = {
        attribute.key: attribute.value.string_value for s in spans for attribute in s.attributes
    }
    assert trace in {span.trace_id.hex() for span in spans}
    assert any("/v1/customers" in span.name for span in spans)
    assert told["url.query"] == "REDACTED"
    assert "29..31" not in str(spans)
