"""Customers as resources, under `/v1/customers`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from customer_segmentation.api.function_docs import problem_responses
from customer_segmentation.api.problems import INVALID, NOT_FOUND, STORE_UNAVAILABLE
from customer_segmentation.domain.features import CUSTOMER_ID, LARGEST_INTEGER
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services.customers import get_history
from customer_segmentation.services.unit_of_work import UnitsOfWork

CustomerId = Annotated[
    int, Path(ge=1, le=LARGEST_INTEGER, description=CUSTOMER_ID.meaning, examples=[56])
]


class HistoryEntry(BaseModel):
    """A change of a customer's segment."""

    changed_at: datetime = Field(description="When, in UTC.")
    cause: Cause = Field(description="What made the customer change its segment.")
    from_segment: int | None = Field(description="The segment left; null for a new customer.")
    to_segment: int | None = Field(description="The segment entered; null when deleted.")
    model_version: int = Field(description="The model version that decided.")


class History(BaseModel):
    """How a customer came from segment to segment, the oldest change first."""

    customer_id: int
    changes: list[HistoryEntry]


def customers_router(units: UnitsOfWork) -> APIRouter:
    """Return the routes under `/v1/customers`."""
    router = APIRouter(prefix="/v1/customers", tags=["Customers"])

    @router.get(
        "/{customer_id}/history",
        summary="A customer's segments over time",
        operation_id="get_customer_history",
        responses=problem_responses(NOT_FOUND, INVALID, STORE_UNAVAILABLE),
    )
    def history(customer_id: CustomerId) -> History:
        """Tell when the customer changed its segment, why, and by which model.

        A customer who was deleted still has a history.
        """
        changes = get_history(units, customer_id)
        return History(customer_id=customer_id, changes=[_entry(change) for change in changes])

    return router


def _entry(change: SegmentChange) -> HistoryEntry:
    return HistoryEntry(
        changed_at=change.changed_at,
        cause=change.cause,
        from_segment=change.from_segment,
        to_segment=change.to_segment,
        model_version=change.model_version,
    )
