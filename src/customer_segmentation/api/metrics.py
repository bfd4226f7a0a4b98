"""`/metrics` for Prometheus: requests, segments, the active model, drift, jobs."""

import os
from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import NOT_READY, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.middleware.authentication import MinGroupSize
from customer_segmentation.api.v1.disclosure import suppress_counts
from customer_segmentation.domain.access import Role
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.overview import get_overview

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder where several server processes count together."""

_PREFIX = "customer_segmentation"


class _Service(Collector):
    """What the database tells, read when it is asked for."""

    def __init__(self, units: UnitsOfWork, least: int) -> None:
        self._units = units
        self._least = least

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = get_overview(self._units)
        sizes = GaugeMetricFamily(
            f"{_PREFIX}_customers", "Customers by segment.", labels=["segment"]
        )
        for number, size in suppress_counts(found.sizes, self._least).items():
            if size is not None:
                sizes.add_metric([str(number)], size)
        yield sizes
        jobs = GaugeMetricFamily(
            f"{_PREFIX}_jobs", "The newest hundred jobs.", labels=["kind", "state"]
        )
        for (kind, state), count in found.jobs.items():
            jobs.add_metric([kind, state], count)
        yield jobs
        near = sum(found.sizes.values()) - found.outliers
        outliers = suppress_counts({"far": found.outliers, "near": near}, self._least)["far"]
        for name, meaning, value in (
            ("outliers", "Customers far from every centroid.", outliers),
            ("model_version", "The active model version.", found.model_version),
            ("model_age_seconds", "Seconds since it was trained.", found.model_age.total_seconds()),
            ("drift_psi", "The largest population stability index.", found.drift_psi),
            (
                "rescoring",
                "1 while customers are re-scored, and not all are counted yet.",
                float(not found.is_complete),
            ),
            (
                "wrong_counts",
                "Customers whom the last recount found counted wrongly, and repaired.",
                found.wrong,
            ),
            ("changed_customers", "Changes since the model was activated.", found.changed),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"{_PREFIX}_{name}", meaning, value=value)


def metrics_router(units: UnitsOfWork, requests: CollectorRegistry) -> APIRouter:
    """Return the route of the metrics."""
    router = APIRouter(tags=["Health"])

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        operation_id="get_metrics",
        response_class=Response,
        responses={
            200: {
                "description": "The metrics",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **problem_responses(NOT_READY, STORE_UNAVAILABLE),
        },
    )
    @needs(Role.READER)
    def metrics(least: MinGroupSize) -> Response:
        """Tell requests and latencies, segment sizes, model version and age, drift and jobs."""
        counted = requests
        if MULTIPROCESS in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        service = CollectorRegistry()
        service.register(_Service(units, least))
        return Response(
            generate_latest(counted) + generate_latest(service), media_type=CONTENT_TYPE_LATEST
        )

    return router
