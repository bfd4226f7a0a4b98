"""Choosing customers by segment and attributes, and going through them page by page."""

from dataclasses import dataclass, field

from customer_segmentation.domain.consents import Agreement
from customer_segmentation.domain.numbers import Number


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page ends: the next one holds what comes after this in the order.

    Attributes:
        value: of the attribute that sorts; None where it is missing, or where none sorts.
        number: what the last customer is inside.
    """

    value: Number | None
    number: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which customers, in which order, and how many of them.

    Attributes:
        segment: only those in this one.
        audience: only those in the one of this id.
        campaign: only those who were drawn into the one of this id.
        agreement: only those who may be addressed so.
        least: by attribute name, only those with at least this value.
        most: by attribute name, only those with at most this value.
        among: by attribute name, only those with one of these values.
        missing: by attribute name, whether only those who lack it, or only those who have it.
        sort: the attribute that sorts, those who lack it last, then the number that a customer is
            inside; None sorts by that alone.
        descending: whether the greatest come first.
        limit: how many at most.
        after: only those after this in the order.
    """

    segment: int | None = None
    audience: int | None = None
    campaign: int | None = None
    agreement: Agreement | None = None
    least: dict[str, Number] = field(default_factory=dict)
    most: dict[str, Number] = field(default_factory=dict)
    among: dict[str, tuple[Number, ...]] = field(default_factory=dict)
    missing: dict[str, bool] = field(default_factory=dict)
    sort: str | None = None
    descending: bool = False
    limit: int = 100
    after: Page | None = None


LARGEST_VERSION = 2**31 - 1
"""The greatest number that a model version can have, in every database."""
