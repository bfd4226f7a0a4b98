"""What happened: changes of customers' segments, and activations of models."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from customer_segmentation.domain.attributes import CustomerId

Moves: TypeAlias = Mapping[tuple[int | None, int | None], int | None]
"""Customers by the segments they left and entered, None where they were not there; the count itself
is None where it is hidden."""


FEED_START = 0
"""The position in the feed of all changes before the first one."""


class Cause(StrEnum):
    """Why a customer came into a segment or an audience, or left one."""

    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"
    ERASED = "erased"
    RETRAINED = "retrained"
    ROLLED_BACK = "rolled back"
    TRANSACTION = "transaction"
    TIME = "time"
    RULE = "rule"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """A customer's change of segment, or of an audience.

    Attributes:
        customer_id: whose; in the store the number that the customer is inside.
        changed_at: when.
        cause: why.
        from_segment: the number of the segment left; None for a new or an erased customer.
        to_segment: the number of the segment entered; None for a deleted or an erased customer.
        model_version: the version that served, and gave the segment entered.
        audience_id: the audience that was entered or left; both segments are then the one that the
            customer is in. None for a change of segment.
        entered: whether the audience was entered; None for a change of segment.
    """

    customer_id: CustomerId
    changed_at: datetime
    cause: Cause
    from_segment: int | None
    to_segment: int | None
    model_version: int
    audience_id: int | None = None
    entered: bool | None = None


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


def as_matrix(moves: Moves) -> dict[str, dict[str, int | None]]:
    """Return counts by the segment left and, within, by the one entered; `none` is not there."""
    rows, columns = ({pair[side] for pair in moves} for side in (0, 1))
    return {
        _name(left): {
            _name(entered): moves.get((left, entered), 0) for entered in _ordered(columns)
        }
        for left in _ordered(rows)
    }


def _ordered(segments: Collection[int | None]) -> list[int | None]:
    numbers: list[int | None] = [*sorted(number for number in segments if number is not None)]
    return numbers + [None] * (None in segments)


def _name(segment: int | None) -> str:
    return "none" if segment is None else str(segment)
