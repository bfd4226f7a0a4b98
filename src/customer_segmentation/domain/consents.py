"""What customers have said of being addressed: for which purpose, on which channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import FieldError, InvalidInputError

LONGEST_WORD = 100
"""Of a purpose and of a channel, in characters."""


class ConsentState(StrEnum):
    """What a customer has said."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a customer has said of a purpose and a channel.

    Attributes:
        purpose: such as "marketing".
        channel: such as "e-mail".
        state: what was said.
        source: where that comes from, such as "web form".
        at: when it was said; what was said later holds, whatever comes first.
    """

    purpose: str
    channel: str
    state: ConsentState
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerConsent:
    """What a customer has said, and who that is."""

    customer_id: CustomerId
    consent: Consent


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who may be addressed.

    Attributes:
        purpose: for what.
        channels: on all of these.
        is_given_unless_denied: whether who has said nothing counts as having agreed.
    """

    purpose: str
    channels: tuple[str, ...]
    is_given_unless_denied: bool = False


def check_consents(consents: Sequence[Consent], moment: datetime) -> None:
    """See that consents can be kept.

    Raises:
        InvalidInputError: a purpose or a channel is blank, or a time is in the future.
    """
    faults = []
    for place, one in enumerate(consents):
        for field in ("purpose", "channel"):
            if not getattr(one, field).strip():
                told = f"consents.{place}.{field} must be a text, not a blank one"
                faults.append(FieldError(f"consents.{place}.{field}", told))
        if one.at > moment:
            told = f"consents.{place}.at must be a time that has come, not one in the future"
            faults.append(FieldError(f"consents.{place}.at", told))
    if faults:
        raise InvalidInputError(faults)
