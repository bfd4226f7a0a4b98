"""What operators see of requests: an id on each, counts and latencies, and lines in the log.

Neither holds personal data: a path is told by its route, without the customer's id.
"""

import logging
import random
import re
import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.services.logs import request_id

logger = logging.getLogger(__name__)

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RequestMetrics:
    """Counts and latencies of requests, by method, route and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Count nothing yet."""
        labels = ("method", "route", "status")
        self._count = Counter(
            "customer_segmentation_requests", "Requests answered.", labels, registry=registry
        )
        self._seconds = Histogram(
            "customer_segmentation_request_seconds",
            "Seconds from a request's head to the last byte of its answer.",
            ("method", "route"),
            registry=registry,
            buckets=_BUCKETS,
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            known = (
                self._count.labels(method, route, str(status)),
                self._seconds.labels(method, route),
            )
            self._known[key] = known
        known[0].inc()
        known[1].observe(seconds)


class Observed:
    """Middleware that gives each request an id, counts it, and logs it where that is wanted.

    A request's id is the one of its header `X-Request-ID`, or a new one; the answer bears it, and
    so does each line that is logged meanwhile.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, *, log_requests: bool) -> None:
        """Stand before an app.

        Args:
            app: what answers.
            metrics: counts.
            log_requests: whether every request gets a line in the log; faults always do.
        """
        self._app = app
        self._metrics = metrics
        self._log_requests = log_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        number = _id_of(scope)
        token = request_id.set(number)
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started
            route = _route_of(scope)
            self._metrics.observe(scope["method"], route, status, seconds)
            if self._log_requests or status >= 500:
                logger.info(
                    "%s %s answered with %s in %.1f ms",
                    scope["method"],
                    route,
                    status,
                    seconds * 1000,
                )
            request_id.reset(token)


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return f"{random.getrandbits(64):016x}"


def _route_of(scope: Scope) -> str:
    """Return the path as the document has it; one name for all that is not in the document."""
    route = scope.get("route")
    if route is not None:
        return str(getattr(route, "path_format", "other"))
    return str(scope.get("lean_route", "other"))
