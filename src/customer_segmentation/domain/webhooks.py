"""Webhooks: where to send customers' segment changes, and how a receiver knows them for ours."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

_PREFIX = "whsec_"
_SECRET_BYTES = 24
_SLOWER = 3.0
_LONGEST_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events.

    Attributes:
        id: 32 hexadecimal digits.
        url: that events are posted to.
        secret: that signs them; shown once, when the webhook is made.
        created_at: when it was made.
        created_by: by whom, as far as known.
        position: in the feed, up to where the events were delivered, or given up.
        until: up to where the message goes that is being sent; None between two messages.
        attempts: how often the next events were sent in vain.
        next_at: when they are sent again.
        error: why the last attempt failed; empty where it did not.
    """

    id: str
    url: str
    secret: str
    created_at: datetime
    created_by: str
    position: int
    until: int | None
    attempts: int
    next_at: datetime
    error: str

    def message_id(self, body: bytes) -> str:
        """Return the id of a message: the same for the same content, and another for any other.

        A receiver drops what it has taken by its id, so an id must never stand for anything else.
        """
        return f"msg_{hmac.digest(self.secret.encode(), body, sha256).hex()[:32]}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Events that could not be delivered.

    Attributes:
        id: its number, unique.
        webhook_id: whose.
        message_id: of the message.
        after: the position in the feed before the first event.
        until: the position of the last one.
        failed_at: when they were given up.
        error: why the last attempt failed.
    """

    id: int
    webhook_id: str
    message_id: str
    after: int
    until: int
    failed_at: datetime
    error: str


def make_secret() -> str:
    """Return a new secret."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def wait_after(attempts: int, first_seconds: float) -> timedelta:
    """Return how long to wait after a number of attempts: each time three times as long."""
    return timedelta(seconds=min(first_seconds * _SLOWER ** (attempts - 1), _LONGEST_SECONDS))
