"""Whether the process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from customer_segmentation.api.function_docs import problem_responses
from customer_segmentation.api.problems import NOT_READY, STORE_UNAVAILABLE
from customer_segmentation.services.unit_of_work import UnitsOfWork


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = Field(default="live", description="The process answers.")


class Ready(BaseModel):
    """The database answers and a model serves."""

    status: Literal["ready"] = Field(default="ready", description="Send requests.")
    model_version: int = Field(description="The version that serves.")


def health_router(units: UnitsOfWork) -> APIRouter:
    """Return the routes under `/health`."""
    router = APIRouter(prefix="/health", tags=["Health"])

    @router.get("/live", summary="Whether the process lives", operation_id="get_liveness")
    async def live() -> Live:
        """Answer as long as the process runs: a container that does not should be restarted."""
        return Live()

    @router.get(
        "/ready",
        summary="Whether the service can answer",
        operation_id="get_readiness",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    def ready() -> Ready:
        """Answer 200 while the database answers and a model serves: send requests only then."""
        with units.read() as work:
            return Ready(model_version=work.serving.version)

    return router
