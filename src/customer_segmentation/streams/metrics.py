"""What a consumer or publisher counts, for Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from customer_segmentation.domain.errors import AddressError

_PREFIX = "customer_segmentation_stream"


class ConsumerMetrics:
    """What a consumer has done, and what waits for it."""

    def __init__(self) -> None:
        """Have done nothing yet."""
        self.registry = CollectorRegistry()
        self.messages = Counter(
            f"{_PREFIX}_messages", "Messages.", ["outcome"], registry=self.registry
        )
        self.batch_seconds = Histogram(
            f"{_PREFIX}_batch_seconds", "Seconds of a batch.", registry=self.registry
        )
        self.failures = Counter(
            f"{_PREFIX}_failures", "Passing failures.", ["of"], registry=self.registry
        )
        self.lag = Gauge(f"{_PREFIX}_lag", "Messages that wait.", registry=self.registry)


class PublisherMetrics:
    """What a publisher has sent, and how late it is."""

    def __init__(self) -> None:
        """Have sent nothing yet."""
        self.registry = CollectorRegistry()
        self.published = Counter(f"{_PREFIX}_published", "Events.", registry=self.registry)
        self.failures = Counter(
            f"{_PREFIX}_failures", "Passing failures.", ["of"], registry=self.registry
        )
        self.behind = Gauge(
            f"{_PREFIX}_behind_seconds", "Age of the last event sent.", registry=self.registry
        )


@contextmanager
def serving(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[None]:
    """Answer with metrics on a port meanwhile; None is on none.

    Raises:
        AddressError: the port cannot be listened on.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise AddressError(f"Cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
