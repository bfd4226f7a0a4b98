"""Customers, their history and their erasure in answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.domain.features import CUSTOMER_ID
from customer_segmentation.domain.history import Cause
from customer_segmentation.services.models.serving import SegmentedCustomer, assess


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


def customer_content(found: SegmentedCustomer) -> dict[str, Any]:
    """Return a customer as `/v1` shows it."""
    return customer_contents([found])[0]


def customer_contents(found: Sequence[SegmentedCustomer]) -> list[dict[str, Any]]:
    """Return customers of one model as `/v1` shows them."""
    if not found:
        return []
    assessment = assess(found)
    nearest, outliers = assessment.segments.tolist(), assessment.outliers.tolist()
    return [_content(*one) for one in zip(found, nearest, outliers, strict=True)]


def _content(found: SegmentedCustomer, nearest: int, is_outlier: bool) -> dict[str, Any]:
    attributes = found.customer.attributes
    action = found.segment.next_best_action(attributes)
    return {
        CUSTOMER_ID.name: found.customer.customer_id,
        **attributes,
        "segment": found.segment.number,
        "segment_name": found.segment.name,
        "raw_segment": nearest,
        "is_outlier": is_outlier,
        "next_best_action": {"text": action.text, "channel": action.channel.value},
        "model_version": found.model_version,
    }
