"""The application: routes, errors, `/docs` that need no internet, and what runs beside requests."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool

from customer_segmentation import __version__
from customer_segmentation.api.asyncapi import asyncapi_router
from customer_segmentation.api.following import Following
from customer_segmentation.api.functions.declarations import FunctionAnswers
from customer_segmentation.api.functions.routes import add_functions
from customer_segmentation.api.guide import GUIDE, guide_router
from customer_segmentation.api.health import health_router
from customer_segmentation.api.http import problems
from customer_segmentation.api.http.openapi import components_of, name_attributes, problem_responses
from customer_segmentation.api.http.roles import Roles, needed_role
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.http.threads import Comparisons
from customer_segmentation.api.metrics import metrics_router
from customer_segmentation.api.middleware.access_log import Observed, RequestLog, RequestMetrics
from customer_segmentation.api.middleware.authentication import Admission, Authentication, Cors
from customer_segmentation.api.middleware.body_limits import Bodies, BoundedBodies
from customer_segmentation.api.middleware.fast_path import FastPath
from customer_segmentation.api.middleware.tracing import tracer_provider
from customer_segmentation.api.v1.access import access_router
from customer_segmentation.api.v1.audiences.routes import audiences_router
from customer_segmentation.api.v1.audit import audit_router
from customer_segmentation.api.v1.campaigns.routes import campaigns_router
from customer_segmentation.api.v1.customers.answers import CustomerAnswers
from customer_segmentation.api.v1.customers.batches import Batch, BatchAnswers, batches_router
from customer_segmentation.api.v1.customers.consents import consents_router
from customer_segmentation.api.v1.customers.erasures import erasures_router
from customer_segmentation.api.v1.customers.routes import customers_router
from customer_segmentation.api.v1.diagnosis import diagnosis_router
from customer_segmentation.api.v1.events import events_router
from customer_segmentation.api.v1.exports import exports_router
from customer_segmentation.api.v1.imports import imports_router
from customer_segmentation.api.v1.jobs import jobs_router
from customer_segmentation.api.v1.keys import keys_router
from customer_segmentation.api.v1.models.routes import models_router
from customer_segmentation.api.v1.predictions.routes import predictions_router
from customer_segmentation.api.v1.publishers import publishers_router
from customer_segmentation.api.v1.schema import schema_router
from customer_segmentation.api.v1.schema_inference import schema_inference_router
from customer_segmentation.api.v1.segments.figures import segment_figures_router
from customer_segmentation.api.v1.segments.routes import segments_router
from customer_segmentation.api.v1.transactions.answers import (
    DayBegun,
    RowsTaken,
    TransactionAnswers,
)
from customer_segmentation.api.v1.transactions.routes import transactions_router
from customer_segmentation.api.v1.webhooks import webhooks_router
from customer_segmentation.domain.errors import (
    NotReadyError,
    SegmentationError,
    StoreUnavailableError,
)
from customer_segmentation.services.audiences.membership import check_audiences
from customer_segmentation.services.campaigns.ending import end_due_campaigns
from customer_segmentation.services.customers.actions import NextBestActions
from customer_segmentation.services.customers.erasure import Wiping
from customer_segmentation.services.customers.events import place_changes
from customer_segmentation.services.jobs.lifecycle import (
    close_dead_jobs,
    get_ready,
    stop_jobs,
)
from customer_segmentation.services.models.rescoring import Rescoring, rescore
from customer_segmentation.services.monitoring.distribution import count_waiting_changes
from customer_segmentation.services.monitoring.recount import begin_recount_when_due
from customer_segmentation.services.operation.keys import KeyRing
from customer_segmentation.services.operation.retention import remove_old
from customer_segmentation.services.operation.webhooks import Deliveries
from customer_segmentation.services.runtime.audit import seal
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.current_schema import unstored_schema
from customer_segmentation.services.runtime.logs import configure_logs
from customer_segmentation.services.runtime.settings import Settings, load_settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.training.schedule import begin_due_training
from customer_segmentation.services.transactions.daily import begin_due_day
from customer_segmentation.services.transactions.retiring import Retirement
from customer_segmentation.services.transfer.exports import Exports
from customer_segmentation.services.transfer.imports import Imports
from customer_segmentation.services.transfer.upkeep import (
    begin_waiting_transfers,
    remove_old_transfers,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_REFRESH_SECONDS = 0.5
_COUNT_SECONDS = 2.0
_RESCORING_SECONDS = 1.0
_DAY_SECONDS = 5.0
_AUDIENCES_SECONDS = 5.0
_JOBS_SECONDS = 5.0
_READY_SECONDS = 1.0
_WAITING_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_SCHEDULE_SECONDS = 5.0
_OLD_SECONDS = 3600.0
_RETIRING_SECONDS = 60.0
_RECOUNT_SECONDS = 60.0
_SEAL_SECONDS = 1.0
_WEBHOOK_SECONDS = 1.0
_FEED_SECONDS = 1.0
_WIPE_SECONDS = 5.0

_DESCRIPTION = """
Keeps customers and tells, in real time, **which segment** each one is in and
**what to do about it**.

Customers are added, changed and deleted, and are segmented anew at once. Anyone's attributes can
be segmented without being stored. The K-means model is retrained on the current customers without
a pause, and the segments keep their numbers, names and meaning.

The examples run as they stand: open one and press *Execute*. Every error is an
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem that names the field at fault, the type
of its value and what is allowed; a failed request changes nothing.

Tutorials, settings, errors and a glossary are in [the guide](guide/).
"""

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application over a database that `operation/startup.py` has made ready.

    It is made from the schema that holds now, or the shipped one where the database does not
    answer; `create_service` follows the schema.
    """
    settings = settings or load_settings()
    configure_logs(settings.log_format)
    units = _with_schema(
        units_over(
            settings.database_url,
            pool_size=settings.pool_size,
            statement_seconds=settings.statement_seconds,
            wait_seconds=settings.wait_seconds,
            audit=settings.audit,
        )
    )
    keys = KeyRing(units) if settings.auth == "keys" else None
    rescoring = Rescoring(units.database, settings)
    tracer = tracer_provider() if settings.traces else None
    deliveries = Deliveries(units, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(_recover, units, rescoring, keys)
        # What is there by now stays: the garbage collector need not look at it again and again.
        gc.freeze()
        chores: list[tuple[float, str, Callable[[], object]]] = [
            (_REFRESH_SECONDS, "look for a new model", units.refresh),
            (_COUNT_SECONDS, "count changes", lambda: count_waiting_changes(units)),
            (_WEBHOOK_SECONDS, "deliver to webhooks", deliveries.begin_due),
            (_WIPE_SECONDS, "wipe what was erased", Wiping(units).wipe),
            (_FEED_SECONDS, "place changes in the feed", lambda: place_changes(units.database)),
            (_SEAL_SECONDS, "seal the audit log", lambda: seal(units.database)),
            (_READY_SECONDS, "get a worker ready", get_ready),
            (_RESCORING_SECONDS, "look for a re-scoring that was cut off", rescoring.resume),
            (
                _DAY_SECONDS,
                "look whether a day has begun",
                lambda: begin_due_day(units, settings, now(), rescoring.begin),
            ),
            (
                _AUDIENCES_SECONDS,
                "hold customers against the rules of audiences",
                lambda: check_audiences(units),
            ),
            (
                _SWEEP_SECONDS,
                "end campaigns whose outcomes are complete",
                lambda: end_due_campaigns(units, now(), settings.min_group_size),
            ),
            (_JOBS_SECONDS, "look for dead jobs", lambda: close_dead_jobs(units.database)),
            (
                _WAITING_SECONDS,
                "begin imports and exports that wait",
                lambda: begin_waiting_transfers(units, settings),
            ),
            (
                _SWEEP_SECONDS,
                "remove files of imports and exports",
                lambda: remove_old_transfers(units, settings, now()),
            ),
            (
                _RECOUNT_SECONDS,
                "look whether to recount",
                lambda: begin_recount_when_due(units, settings),
            ),
            (
                _RETIRING_SECONDS,
                "remove old transactions",
                Retirement(units, settings).retire_due,
            ),
            (_OLD_SECONDS, "remove what is old", lambda: remove_old(units, settings, now())),
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
        await run_in_threadpool(_stop, units, deliveries)
        if tracer is not None:
            await run_in_threadpool(tracer.shutdown)

    return _build(
        units,
        settings,
        keys=keys,
        begin_rescoring=rescoring.begin,
        tracer=tracer,
        lifespan=lifespan,
    )


def create_service() -> Following:
    """Return what a server runs: the application of the schema that holds at each moment."""
    return Following(create_app)


def _with_schema(units: UnitsOfWork) -> UnitsOfWork:
    """Return units that know a schema: the shipped one where the database does not answer."""
    try:
        _ = units.current_schema
    except StoreUnavailableError:
        return UnitsOfWork(units.database, units.audit, unstored_schema())
    return units


def create_local_app(units: UnitsOfWork, settings: Settings) -> FastAPI:
    """Return the application for who runs a command on a database: an admin who needs no key.

    Nothing is done beside the requests; so an activation is answered once all are re-scored.
    """
    settings = settings.model_copy(update={"log_requests": False, "root_path": ""})
    # Whoever looks what is wrong with a database is answered all the same.
    units = _with_schema(units)
    return _build(units, settings, keys=None, begin_rescoring=lambda: rescore(units), is_local=True)


def _build(
    units: UnitsOfWork,
    settings: Settings,
    *,
    keys: KeyRing | None,
    begin_rescoring: Callable[[], None],
    is_local: bool = False,
    tracer: "TracerProvider | None" = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        units: over the database.
        settings: of the service.
        keys: that requests must show; None asks for none.
        begin_rescoring: sees that customers are re-scored after an activation.
        is_local: whether only who runs a command on the database can ask.
        tracer: is told of each request.
        lifespan: what begins and ends with the server.
    """
    app: FastAPI = FastAPIOffline(
        title="Customer Segmentation",
        summary="Which segment is this customer in, why, and what should we do about it?",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        redoc_url=None,
        strict_content_type=False,
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
    app.state.units = units
    documentation = [*app.routes]
    types = CustomerTypes(units.schema)
    actions = NextBestActions(units, settings)
    answers = CustomerAnswers(units.schema, actions)
    functions_answers = FunctionAnswers(units.schema)
    batch_answers = BatchAnswers(answers)
    transaction_answers = TransactionAnswers(units.schema, answers)
    functions = add_functions(app, units, settings, types, functions_answers)
    comparisons = Comparisons(units, settings)
    imports = Imports(units, settings)
    for router in (
        transactions_router(units, settings, begin_rescoring, answers, transaction_answers),
        consents_router(units),
        customers_router(units, types, answers),
        erasures_router(units),
        batches_router(units, types, batch_answers),
        audiences_router(units),
        campaigns_router(units, settings),
        segments_router(units, comparisons),
        segment_figures_router(units),
        predictions_router(units, types),
        schema_router(units, settings),
        schema_inference_router(imports.folder),
        events_router(units),
        webhooks_router(units, settings),
        publishers_router(units),
        audit_router(units),
        access_router(),
        keys_router(units, can_create=keys is not None or is_local),
        diagnosis_router(settings),
        models_router(units, settings, begin_rescoring, comparisons),
        jobs_router(units, settings),
        imports_router(units, imports),
        exports_router(Exports(units, settings)),
    ):
        router.add_to(app)
    app.include_router(health_router(units))
    app.include_router(guide_router(GUIDE))
    app.include_router(asyncapi_router(app))
    problems.install(app)
    counted = CollectorRegistry()
    app.include_router(metrics_router(units, counted))
    log = RequestLog(RequestMetrics(counted), log_requests=settings.log_requests)
    admission = Admission(keys, settings, Roles(app.routes, documentation))
    bodies = Bodies(settings, app.routes)
    app.add_middleware(BoundedBodies, bodies=bodies)
    app.add_middleware(Authentication, admission=admission)
    app.add_middleware(Observed, log=log)
    app.add_middleware(
        FastPath,
        functions=functions,
        log=log,
        admission=admission,
        bodies=bodies,
        root_path=settings.root_path,
    )
    if settings.cors_origins:
        # Outside the door: a browser asks before it sends a key.
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )
    components = (
        *(*types.all, *functions_answers.all, problems.Problem),
        *(Batch, batch_answers.outcome, answers.page),
        *(
            transaction_answers.given,
            transaction_answers.taken,
            transaction_answers.page,
            RowsTaken,
            DayBegun,
        ),
    )
    _complete_document(app, components, units.schema.names, guarded=keys is not None)
    return app


def _recover(units: UnitsOfWork, rescoring: Rescoring, keys: KeyRing | None) -> None:
    """Finish what a crash cut off, load model and keys; without a database, go on without."""
    try:
        if keys is not None:
            keys.refresh()
        close_dead_jobs(units.database)
        units.refresh()
        rescoring.begin()
    except SegmentationError as error:
        logger.warning("Not ready yet: %s", error)


def _stop(units: UnitsOfWork, deliveries: Deliveries) -> None:
    """Finish what is being sent, hand leases back and close connections."""
    deliveries.close()
    try:
        stop_jobs(units.database)
    except SegmentationError as error:
        logger.warning("Cannot hand a lease back: %s", error)
    units.close()


async def repeat(seconds: float, what: str, action: Callable[[], object]) -> None:
    """Do something beside the requests again and again; no fault ends it.

    It has a thread of its own, which neither requests nor what else is done beside them can hold.
    """
    thread = CapacityLimiter(1)
    told = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await to_thread.run_sync(action, limiter=thread)
            told = ""
        except NotReadyError:
            told = ""  # Before the first customers there is nothing to do.
        except SegmentationError as error:
            if str(error) != told:
                told = str(error)
                logger.warning("Cannot %s: %s", what, told)
        except Exception:
            # As for a request: what is done next time need not meet the same fault.
            logger.exception("Cannot %s", what)


def _complete_document(
    app: FastAPI, types: Sequence[object], attributes: Sequence[str], *, guarded: bool
) -> None:
    """Put into the OpenAPI document what no single route says: schemas, and who is let in.

    Besides Pydantic's models, which FastAPI describes itself, bodies and answers are made of these
    types.

    A parameter's example goes beside its schema too, as `/docs` fills it in from there only.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(components_of(types))
        name_attributes(document, attributes)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path.startswith("/v1/"):  # Each refuses a parameter that it does not know.
                    refused = _responses(problems.INVALID)
                    operation["responses"] = refused | operation["responses"]
                for parameter in operation.get("parameters", ()):
                    if parameter["required"] and "examples" in parameter["schema"]:
                        parameter.setdefault("example", parameter["schema"]["examples"][0])
                if not guarded:
                    operation["responses"] |= _responses(problems.UNKNOWN_HOST)
                    if method != "get":
                        operation["responses"] |= _responses(problems.CROSS_ORIGIN)
                if "requestBody" in operation:
                    operation["responses"] |= _responses(
                        problems.MEDIA, problems.TOO_LARGE, problems.TOO_SLOW
                    )
        if guarded:
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for route in iter_route_contexts(app.routes):
                operations = document["paths"].get(route.path_format, {})
                for method in route.methods or ():
                    if method.lower() in operations and needed_role(route.endpoint) is not None:
                        operation = operations[method.lower()]
                        operation["security"] = [{"key": []}]
                        operation["responses"] |= _responses(
                            problems.NOT_SIGNED_IN, problems.NOT_ALLOWED, problems.TOO_MANY
                        )
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _responses(*kinds: problems.ProblemType) -> dict[str, Any]:
    return {str(status): answer for status, answer in problem_responses(*kinds).items()}
