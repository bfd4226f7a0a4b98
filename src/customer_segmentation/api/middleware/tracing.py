"""Traces by OpenTelemetry, for services with the extra `[otel]`."""

from typing import TYPE_CHECKING

from customer_segmentation.domain.errors import ExtraMissingError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


def tracer_provider() -> "TracerProvider":
    """Return what makes spans and sends them to `OTEL_EXPORTER_OTLP_ENDPOINT`.

    The values of queries are left out of them: attributes of customers may be among them.

    Raises:
        ExtraMissingError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as absent:
        raise ExtraMissingError("otel", "traces") from absent

    class WithoutQueries(SpanProcessor):
        """Drops what a request's query says."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            del parent_context
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "REDACTED")

    resource = Resource.create({SERVICE_NAME: "customer-segmentation"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(WithoutQueries())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
