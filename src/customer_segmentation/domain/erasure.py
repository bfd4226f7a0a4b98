"""Erasing a customer: what is removed, what is left, and the receipt."""

from dataclasses import dataclass
from datetime import datetime

from customer_segmentation.domain.attributes import CustomerId


@dataclass(frozen=True, slots=True)
class Erasure:
    """The receipt of an erasure, and the entry of the suppression list.

    Attributes:
        id: of the receipt, 32 hexadecimal digits.
        customer_id: who was erased; the one thing that is kept, so that nobody is brought back.
            In the store the number that the customer was inside.
        erased_at: when.
        erased_by: who asked for it, as far as known.
        removed: how many rows were removed, by what they were.
        model_versions: the kept versions that were trained while the customer was there, also
            the one of a training at work then. Their centroids are means over thousands and hold
            nobody's attributes.
    """

    id: str
    customer_id: CustomerId
    erased_at: datetime
    erased_by: str
    removed: dict[str, int]
    model_versions: tuple[int, ...]
