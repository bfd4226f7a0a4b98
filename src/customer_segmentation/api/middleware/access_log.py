"""What operators see of requests: an id on each, counts and latencies, and lines in the log.

Neither holds personal data: a path is told by its route, without the customer's id.
"""

import logging
import random
import re
import time
from contextvars import Token
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.api.http.headers import FOR_DATA
from customer_segmentation.api.http.problems import fault_response
from customer_segmentation.services.runtime.logs import request_id

logger = logging.getLogger(__name__)

CLIENT_LEFT = 499
"""What is noted of a request whose client left before it was whole; nobody gets an answer."""

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


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that is being answered.

    Attributes:
        id: of its own, or the one of its header `X-Request-ID`.
        started: seconds on a clock that never goes back.
        token: takes the id off the lines of the log again.
    """

    id: str
    started: float
    token: Token[str]

    @property
    def header(self) -> tuple[bytes, bytes]:
        """The header that tells the id in the answer."""
        return b"x-request-id", self.id.encode()


class RequestLog:
    """Gives each request an id, counts it, and logs it where that is wanted.

    Each line that is logged meanwhile bears the id, and so does the answer.
    """

    def __init__(self, metrics: RequestMetrics, *, log_requests: bool) -> None:
        """Count nothing yet.

        Args:
            metrics: counts.
            log_requests: whether every request gets a line in the log; faults always do.
        """
        self._metrics = metrics
        self._log_requests = log_requests

    def begin(self, scope: Scope) -> Begun:
        """Give a request its id."""
        number = _id_of(scope)
        return Begun(number, time.perf_counter(), request_id.set(number))

    def end(self, begun: Begun, method: str, route: str, status: int) -> None:
        """Note how a request was answered."""
        seconds = time.perf_counter() - begun.started
        self._metrics.observe(method, route, status, seconds)
        if self._log_requests or status >= 500:
            logger.info("%s %s answered with %s in %.1f ms", method, route, status, seconds * 1000)
        request_id.reset(begun.token)


class Observed:
    """Middleware that notes requests and what came of them."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        """Stand before an app."""
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = self._log.begin(scope)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], begun.header]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except Exception:
            route = _route_of(scope)
            logger.exception("Request %s, %s %s, met a fault", begun.id, scope["method"], route)
            if status:
                # The connection is closed: an answer that has begun cannot be taken back.
                raise
            response = fault_response()
            response.raw_headers += FOR_DATA
            await response(scope, receive, noting)
        finally:
            self._log.end(begun, scope["method"], _route_of(scope), status or 500)


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return f"{random.getrandbits(64):016x}"


def _route_of(scope: Scope) -> str:
    """Return the path as the document has it; one name for all that is not in the document."""
    route = scope.get("route")
    return str(getattr(route, "path_format", "other"))
