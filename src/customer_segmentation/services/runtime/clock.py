"""The one place that asks for the time."""

import time
from datetime import UTC, datetime

_REST_SECONDS = 0.02


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def rest() -> None:
    """Let requests have the processor for a moment, between pieces of work beside them."""
    time.sleep(_REST_SECONDS)
