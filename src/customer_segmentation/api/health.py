"""Whether the process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import NOT_READY, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.threads import briefly
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = Field(default="live", description="The process answers.")


class Ready(BaseModel):
    """The database answers and a model is active."""

    status: Literal["ready"] = Field(default="ready", description="Send requests.")
    model_version: int = Field(description="The active version.")


def health_router(units: UnitsOfWork) -> APIRouter:
    """Return the routes under `/health`."""
    router = APIRouter(prefix="/health", tags=["Health"])

    def find_version() -> int:
        with units.read(brief=True) as work:
            return work.serving.version

    @router.get("/live", summary="Whether the process lives", operation_id="get_liveness")
    @needs(None)
    async def live() -> Live:
        """Answer as long as the process runs: a container that does not should be restarted."""
        return Live()

    @router.get(
        "/ready",
        summary="Whether the service can answer",
        operation_id="get_readiness",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(None)
    async def ready() -> Ready:
        """Answer 200 while the database answers and a model is active: send requests only then."""
        return Ready(model_version=await briefly(find_version))

    return router
