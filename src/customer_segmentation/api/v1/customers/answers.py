"""Customers, their history and their erasure in answers."""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.schemas import structure_of
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES
from customer_segmentation.domain.history import Cause
from customer_segmentation.services.runtime.serving import SegmentedCustomer, assess


class NextBestAction(Struct, forbid_unknown_fields=True):
    """The first strategy on a channel that reached the customer before."""

    text: Annotated[str, Meta(description="What to do.")]
    channel: Annotated[str, Meta(description="On which channel.")]


_Identified: Any = structure_of((CUSTOMER_ID, *FEATURES))


class Customer(_Identified):
    """A stored customer, the segment it is in, and what to do about it."""

    segment: Annotated[int, Meta(ge=0, description="The number of the segment that holds.")]
    segment_name: Annotated[str, Meta(description="Its name.")]
    raw_segment: Annotated[
        int,
        Meta(
            ge=0,
            description="The number of the nearest segment; another one only where hysteresis "
            "keeps the customer in its own.",
        ),
    ]
    is_outlier: Annotated[
        bool, Meta(description="Whether the customer is far from every centroid.")
    ]
    next_best_action: NextBestAction
    model_version: Annotated[int, Meta(description="Which gave the segment.")]


class CustomerPage(Struct, forbid_unknown_fields=True):
    """Some customers, and how to go on."""

    customers: list[Customer]
    next_cursor: Annotated[
        str | None, Meta(description="`cursor` of the next page; null after the last.")
    ]


class HistoryEntry(BaseModel):
    """A change of a customer's segment."""

    model_config = ConfigDict(from_attributes=True)

    changed_at: datetime = Field(description="When, in UTC.")
    cause: Cause = Field(description="What made the customer change its segment.")
    from_segment: int | None = Field(description="The segment left; null for a new customer.")
    to_segment: int | None = Field(description="The segment entered; null when deleted.")
    model_version: int = Field(description="The model version that decided.")


class History(BaseModel):
    """How a customer came from segment to segment, the oldest change first."""

    customer_id: int = Field(description="Whose.")
    changes: list[HistoryEntry]


class ErasureAnswer(BaseModel):
    """The receipt of an erasure."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Of the receipt.")
    customer_id: int = Field(description="Who was erased.")
    erased_at: datetime = Field(description="When, in UTC.")
    erased_by: str = Field(description="Who asked for it; empty if unknown.")
    removed: dict[str, int] = Field(description="How many rows were removed, by what they were.")
    model_versions: list[int] = Field(
        description="The kept versions that were trained while the customer was there."
    )


def customer_answer(found: SegmentedCustomer) -> Customer:
    """Return a customer as `/v1` shows it."""
    return customer_answers([found])[0]


def customer_answers(found: Sequence[SegmentedCustomer]) -> list[Customer]:
    """Return customers of one model as `/v1` shows them."""
    if not found:
        return []
    assessment = assess(found)
    nearest, outliers = assessment.segments.tolist(), assessment.outliers.tolist()
    return [_answer(*one) for one in zip(found, nearest, outliers, strict=True)]


def _answer(found: SegmentedCustomer, nearest: int, is_outlier: bool) -> Customer:
    attributes = found.customer.attributes
    action = found.segment.next_best_action(attributes)
    return Customer(
        found.customer.customer_id,
        *attributes.values(),
        found.segment.number,
        found.segment.name,
        nearest,
        is_outlier,
        NextBestAction(action.text, action.channel.value),
        found.model_version,
    )
