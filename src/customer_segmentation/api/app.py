"""The application: routes, errors, `/docs` that need no internet, and what runs beside requests."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from customer_segmentation import __version__
from customer_segmentation.api import problems
from customer_segmentation.api.access import access_router
from customer_segmentation.api.audit import audit_router
from customer_segmentation.api.batches import batches_router
from customer_segmentation.api.bodies import Bodies, BoundedBodies
from customer_segmentation.api.customers import customers_router
from customer_segmentation.api.erasures import erasures_router
from customer_segmentation.api.events import events_router
from customer_segmentation.api.function_docs import problem_responses
from customer_segmentation.api.functions import add_functions
from customer_segmentation.api.health import health_router
from customer_segmentation.api.jobs import jobs_router
from customer_segmentation.api.lean import LeanRoutes
from customer_segmentation.api.metrics import metrics_router
from customer_segmentation.api.models import models_router
from customer_segmentation.api.observe import Observed, RequestLog, RequestMetrics
from customer_segmentation.api.predictions import predictions_router
from customer_segmentation.api.schemas import SCHEMAS
from customer_segmentation.api.security import Admission, Door, needed_role
from customer_segmentation.api.segment_figures import segment_figures_router
from customer_segmentation.api.segments import segments_router
from customer_segmentation.api.tracing import tracer_provider
from customer_segmentation.api.webhooks import webhooks_router
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.services.audit import seal
from customer_segmentation.services.clock import now
from customer_segmentation.services.customers import forget_old_keys
from customer_segmentation.services.distribution import count_waiting_changes
from customer_segmentation.services.jobs import (
    close_dead_jobs,
    finish_rescoring,
    get_ready,
    stop_jobs,
)
from customer_segmentation.services.keys import KeyRing
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.schedule import begin_due_training
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.webhooks import deliver_due

_REFRESH_SECONDS = 0.5
_COUNT_SECONDS = 2.0
_JOBS_SECONDS = 5.0
_READY_SECONDS = 1.0
_SCHEDULE_SECONDS = 5.0
_KEYS_SECONDS = 3600.0
_SEAL_SECONDS = 1.0
_WEBHOOK_SECONDS = 1.0

_DESCRIPTION = """
Keeps a bank's customers and tells, in real time, **which segment** each one is in and
**what to do about it**.

Customers are added, changed and deleted, and are segmented anew at once. Anyone's attributes can
be segmented without being stored. The K-means model is retrained on the current customers without
a pause, and the segments keep their numbers, names and meaning.

The examples run as they stand: open one and press *Execute*. Every error is an
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem that names the field at fault, the type
of its value and what is allowed; a failed request changes nothing.
"""

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application over a database that `services/startup.py` has made ready."""
    settings = settings or Settings()
    configure_logs(settings.log_format)
    units = units_over(
        settings.database_url,
        pool_size=settings.pool_size,
        statement_seconds=settings.statement_seconds,
        audit=settings.audit,
    )
    keys = KeyRing(units) if settings.auth == "keys" else None
    tracer = tracer_provider() if settings.traces else None

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(_recover, units, settings, keys)
        # What is there by now stays: the garbage collector need not look at it again and again.
        gc.freeze()
        chores: list[tuple[float, str, Callable[[], object]]] = [
            (_REFRESH_SECONDS, "look for a new model", units.refresh),
            (_COUNT_SECONDS, "count changes", lambda: count_waiting_changes(units)),
            (
                _WEBHOOK_SECONDS,
                "deliver to webhooks",
                lambda: deliver_due(units, settings),
            ),
            (_SEAL_SECONDS, "seal the audit log", lambda: seal(units.database)),
            (_READY_SECONDS, "get a worker ready", get_ready),
            (_JOBS_SECONDS, "look for dead jobs", lambda: close_dead_jobs(units.database)),
            (_KEYS_SECONDS, "forget old keys", lambda: forget_old_keys(units, now())),
            (
                _SCHEDULE_SECONDS,
                "look whether to retrain",
                lambda: begin_due_training(units, settings, now()),
            ),
        ]
        if keys is not None:
            chores.append((_REFRESH_SECONDS, "look for new keys", keys.refresh))
        beside = [asyncio.create_task(repeat(*chore), name=chore[1]) for chore in chores]
        yield
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await run_in_threadpool(_stop, units)
        if tracer is not None:
            await run_in_threadpool(tracer.shutdown)

    app: FastAPI = FastAPIOffline(
        title="Customer Segmentation",
        summary="Which segment is this customer in, why, and what should we do about it?",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        redoc_url=None,
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
        lifespan=lifespan,
        telemetry={
            "tracing": tracer is not None,
            "tracer_provider": tracer,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
        },
    )
    functions = add_functions(app, units, settings)
    app.include_router(customers_router(units))
    app.include_router(erasures_router(units))
    app.include_router(batches_router(units))
    app.include_router(segments_router(units, settings))
    app.include_router(segment_figures_router(units))
    app.include_router(predictions_router(units))
    app.include_router(events_router(units))
    app.include_router(webhooks_router(units, settings))
    app.include_router(audit_router(units))
    app.include_router(access_router())
    app.include_router(models_router(units, settings))
    app.include_router(jobs_router(units, settings))
    app.include_router(health_router(units))
    problems.install(app)
    counted = CollectorRegistry()
    app.include_router(metrics_router(units, counted))
    log = RequestLog(RequestMetrics(counted), log_requests=settings.log_requests)
    admission, bodies = Admission(keys, settings), Bodies(settings)
    app.add_middleware(BoundedBodies, bodies=bodies)
    app.add_middleware(Door, admission=admission)
    app.add_middleware(Observed, log=log)
    app.add_middleware(LeanRoutes, functions=functions, log=log, admission=admission, bodies=bodies)
    if settings.cors_origins:
        # Outside the door: a browser asks before it sends a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Location", "Retry-After"],
        )
    _complete_document(app, guarded=keys is not None)
    return app


def _recover(units: UnitsOfWork, settings: Settings, keys: KeyRing | None) -> None:
    """Finish what a crash cut off, load model and keys; without a database, go on without."""
    try:
        if keys is not None:
            keys.refresh()
        close_dead_jobs(units.database)
        units.refresh()
        finish_rescoring(units.database, settings)
    except SegmentationError as error:
        logger.warning("Not ready yet: %s", error)


def _stop(units: UnitsOfWork) -> None:
    """Hand leases back and close connections."""
    try:
        stop_jobs(units.database)
    except SegmentationError as error:
        logger.warning("Cannot hand a lease back: %s", error)
    units.close()


async def repeat(seconds: float, what: str, action: Callable[[], object]) -> None:
    """Do something beside the requests again and again; no fault ends it, and each is logged."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await run_in_threadpool(action)
        except SegmentationError as error:
            logger.warning("Cannot %s: %s", what, error)
        except Exception:
            # As for a request: what is done next time need not meet the same fault.
            logger.exception("Cannot %s", what)


def _complete_document(app: FastAPI, *, guarded: bool) -> None:
    """Put into the OpenAPI document what no single route says: schemas, and who is let in.

    A parameter's example goes beside its schema too, as `/docs` fills it in from there only.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(SCHEMAS)
        for operations in document["paths"].values():
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["required"] and "examples" in parameter["schema"]:
                        parameter.setdefault("example", parameter["schema"]["examples"][0])
                if "requestBody" in operation:
                    operation["responses"] |= _responses(problems.TOO_LARGE, problems.TOO_SLOW)
        if guarded:
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    role = needed_role(method.upper(), path)
                    if role is not None:
                        operation["security"] = [{"key": []}]
                        operation["responses"] |= _responses(
                            problems.NOT_SIGNED_IN, problems.NOT_ALLOWED, problems.TOO_MANY
                        )
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _responses(*kinds: problems.ProblemType) -> dict[str, Any]:
    return {str(status): answer for status, answer in problem_responses(*kinds).items()}
