"""A customer's history: the changes of its segment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    """Why a customer came into a segment or left one."""

    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"
    RETRAINED = "retrained"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """A customer's change of segment.

    Attributes:
        customer_id: whose.
        changed_at: when.
        cause: why.
        from_segment: the number of the segment left; None for a new customer.
        to_segment: the number of the segment entered; None for a deleted customer.
        model_version: the version that gave the segment entered, or had given the one left.
    """

    customer_id: int
    changed_at: datetime
    cause: Cause
    from_segment: int | None
    to_segment: int | None
    model_version: int
