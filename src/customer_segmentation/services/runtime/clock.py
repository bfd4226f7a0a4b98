"""The one place that asks for the time."""

import time
from datetime import UTC, datetime

_REST_SECONDS = 0.02
_TURN_SECONDS = 0.11
"""A little more than the longest that SQLite sleeps before it looks again whether it may write."""


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def rest() -> None:
    """Let requests have the processor for a moment, between pieces of work beside them."""
    time.sleep(_REST_SECONDS)


def give_way() -> None:
    """Let another process that waits to write to SQLite have its turn."""
    time.sleep(_TURN_SECONDS)
