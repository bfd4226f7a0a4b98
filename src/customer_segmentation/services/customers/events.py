"""The use case of following all changes of customers' segments."""

from dataclasses import asdict, replace
from typing import Any

from customer_segmentation.domain.history import SegmentChange
from customer_segmentation.services.runtime.clock import now, rest
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import feed, history

_PLACED_AT_ONCE = 1_000


def read_events(units: UnitsOfWork, after: int, limit: int) -> list[tuple[int, SegmentChange]]:
    """Return the changes after a position, each with its own; none is ever left out or repeated."""
    found = read_changes(units, after, limit)
    units.audit.note_reads(units.database, [*{change.customer_id for _, change in found}])
    return found


def read_changes(units: UnitsOfWork, after: int, limit: int) -> list[tuple[int, SegmentChange]]:
    """Return what `read_events` does, and note nothing in the audit log."""
    place_changes(units.database)
    with units.database.read() as connection:
        found = history.read_after(connection, after, limit)
        ids = units.ids.ids_of(connection, [int(change.customer_id) for _, change in found])
    return [
        (at, replace(change, customer_id=customer_id))
        for (at, change), customer_id in zip(found, ids, strict=True)
    ]


def latest_position(units: UnitsOfWork) -> int:
    """Return the position after which only changes to come are."""
    place_changes(units.database, wait=True)
    with units.database.read() as connection:
        return feed.last_position(connection)


def place_changes(database: Database, *, wait: bool = False) -> None:
    """Give the changes that are committed their positions in the feed.

    Args:
        database: where they are.
        wait: whether to wait for another transaction that gives positions; otherwise leave it to
            that.
    """
    with database.read() as connection:
        waiting = feed.has_waiting(connection)
    while waiting:
        with database.write() as connection:
            count = feed.place_waiting(connection, now(), _PLACED_AT_ONCE, wait=wait)
        waiting = count == _PLACED_AT_ONCE
        if waiting:
            rest()


def event_fields(position: int, change: SegmentChange) -> dict[str, Any]:
    """Return an event as readers of the feed and receivers of webhooks are told it."""
    return {"cursor": str(position), **asdict(change)}


def read_cursor(units: UnitsOfWork, cursor: str) -> int:
    """Return the position that a cursor tells: a number, or two of them in cursors of before."""
    position, is_old, row_id = cursor.partition(".")
    if not is_old:
        return int(position)
    with units.database.read() as connection:
        return feed.position_of(connection, int(position), int(row_id))
