"""The application: routes, errors, `/docs` that need no internet, and what runs beside requests."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool

from customer_segmentation import __version__
from customer_segmentation.api import problems
from customer_segmentation.api.customers import customers_router
from customer_segmentation.api.functions import add_functions
from customer_segmentation.api.health import health_router
from customer_segmentation.api.schemas import SCHEMAS
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.training import close_dead_job, finish_rescoring
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over

_REFRESH_SECONDS = 0.5

_DESCRIPTION = """
Keeps a bank's customers and tells, in real time, **which segment** each one is in and
**what to do about it**.

Customers are added, changed and deleted, and are segmented anew at once. Anyone's attributes can
be segmented without being stored. The K-means model is retrained on the current customers without
a pause, and the segments keep their numbers, names and meaning.

Every example below runs as it stands: open a function and press *Execute*. Every error is an
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem that names the field at fault, the type
of its value and what is allowed; a failed request changes nothing.
"""

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application over a database that `services/startup.py` has made ready."""
    settings = settings or Settings()
    units = units_over(settings.database_url)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(_recover, units, settings)
        refreshing = asyncio.create_task(_keep_fresh(units))
        yield
        refreshing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await refreshing
        units.close()

    app: FastAPI = FastAPIOffline(
        title="Customer Segmentation",
        summary="Which segment is this customer in, why, and what should we do about it?",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        redoc_url=None,
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    add_functions(app, units, settings)
    app.include_router(customers_router(units))
    app.include_router(health_router(units))
    problems.install(app)
    _add_schemas(app)
    return app


def _recover(units: UnitsOfWork, settings: Settings) -> None:
    """Finish what a crash cut off, and load the model; without a database, go on without."""
    try:
        close_dead_job(units.database)
        units.refresh()
        finish_rescoring(units.database, settings)
    except SegmentationError as error:
        logger.warning("Not ready yet: %s", error)


async def _keep_fresh(units: UnitsOfWork) -> None:
    """Notice within a second a model that another process activated."""
    while True:
        await asyncio.sleep(_REFRESH_SECONDS)
        try:
            await run_in_threadpool(units.refresh)
        except SegmentationError as error:
            logger.warning("Cannot look for a new model: %s", error)


def _add_schemas(app: FastAPI) -> None:
    """Put the schemas made from the feature table into the OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
