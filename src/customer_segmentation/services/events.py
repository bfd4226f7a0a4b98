"""The use case of following all changes of customers' segments."""

from dataclasses import asdict
from typing import Any

from customer_segmentation.domain.history import Place, SegmentChange
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import history


def read_events(units: UnitsOfWork, after: Place, limit: int) -> list[tuple[Place, SegmentChange]]:
    """Return the changes after a place, each with its own; none is ever left out or told twice."""
    with units.database.read() as connection:
        found = history.read_after(connection, after, limit)
    units.audit.note_reads(units.database, sorted({change.customer_id for _, change in found}))
    return found


def latest_place(units: UnitsOfWork) -> Place:
    """Return the place after which only changes to come are."""
    with units.database.read() as connection:
        return history.last_place(connection)


def event_fields(place: Place, change: SegmentChange) -> dict[str, Any]:
    """Return an event as readers of the feed and receivers of webhooks are told it."""
    return {"cursor": cursor_of(place), **asdict(change)}


def cursor_of(place: Place) -> str:
    """Return a place as text."""
    return f"{place.transaction_id}.{place.row_id}"
