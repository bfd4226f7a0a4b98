"""Control groups: who is left out of a campaign, so that what it does can be measured."""

import math
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, IdArray
from customer_segmentation.domain.errors import FieldError, InvalidInputError

_DRAW_BYTES = 8
_DRAWS = 2 ** (8 * _DRAW_BYTES)


class Group(StrEnum):
    """Which side of a campaign's comparison a customer is on."""

    TREATMENT = "treatment"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A split of all customers, there are and will be, into treatment and holdout.

    Each customer's draw is a hash of the salt and the id. So it depends on no other customer and
    on no order, is the same in every export, and is independent of the draw under another salt; a
    greater share only adds to the holdout. See Kohavi, Tang and Xu, Trustworthy Online
    Controlled Experiments, 2020, chapter 4.

    Attributes:
        salt: names the split, such as "spring-2026"; another name draws anew.
        holdout_percent: the share of customers that is left out, from 0 to 100.
    """

    salt: str
    holdout_percent: float

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidInputError: there is no salt, or the share is none.
        """
        faults = []
        if not self.salt:
            faults.append(FieldError("salt", "salt must be a text that names the split"))
        if not (math.isfinite(self.holdout_percent) and 0 <= self.holdout_percent <= 100):
            message = "holdout_percent must be a number from 0 to 100, not one outside this range"
            faults.append(FieldError("holdout_percent", message))
        if faults:
            raise InvalidInputError(faults)

    def group(self, customer_id: int) -> Group:
        """Return the group of a customer."""
        return Group.HOLDOUT if self._is_held_out(customer_id) else Group.TREATMENT

    def holdouts(self, ids: IdArray) -> BoolArray:
        """Tell, (n,), which of many customers, (n,), are held out."""
        return np.fromiter(map(self._is_held_out, ids.tolist()), np.bool_, len(ids))

    def _is_held_out(self, customer_id: int) -> bool:
        digest = sha256(f"control-group\0{self.salt}\0{customer_id}".encode()).digest()
        draw = int.from_bytes(digest[:_DRAW_BYTES], "big")
        return draw < self.holdout_percent / 100 * _DRAWS
