"""What happened: changes of customers' segments, and activations of models."""

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
        model_version: the version that served, and gave the segment entered.
    """

    customer_id: int
    changed_at: datetime
    cause: Cause
    from_segment: int | None
    to_segment: int | None
    model_version: int


@dataclass(frozen=True, slots=True)
class Activation:
    """A time when a model version began to serve.

    Attributes:
        version: which.
        previous: the version that served until then; None for the first.
        cause: why: the first data were added, a training ended, or someone rolled back.
        activated_at: when.
        activated_by: who said so, as far as known.
        reason: in that person's words; may be empty.
    """

    version: int
    previous: int | None
    cause: Cause
    activated_at: datetime
    activated_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the feed of all changes.

    Attributes:
        transaction_id: of the change before it.
        row_id: of that change.
    """

    transaction_id: int
    row_id: int


FIRST_PLACE = Place(-1, -1)
"""The place before every change."""
