"""Queries on publishers of the feed."""

from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.errors import PublisherHeldError
from customer_segmentation.domain.publishers import Publisher
from customer_segmentation.store.tables import publishers


def read_all(connection: Connection) -> list[Publisher]:
    """Return every publisher, by name."""
    rows = connection.execute(select(publishers).order_by(publishers.c.name)).mappings()
    return [Publisher(**row) for row in rows]


def find(connection: Connection, name: str) -> Publisher | None:
    """Return a publisher, or None where there is no such one."""
    rows = connection.execute(select(publishers).where(publishers.c.name == name)).mappings()
    row = rows.one_or_none()
    return None if row is None else Publisher(**row)


def add(connection: Connection, publisher: Publisher) -> None:
    """Add a publisher.

    Raises:
        PublisherHeldError: another process has just added it.
    """
    values = {column.name: getattr(publisher, column.name) for column in publishers.c}
    try:
        connection.execute(insert(publishers), values)
    except IntegrityError as taken:
        raise PublisherHeldError(publisher.name) from taken


def hold(
    connection: Connection,
    name: str,
    holder: str,
    until: datetime,
    moment: datetime,
    position: int | None,
) -> bool:
    """Let a process hold a publisher that no other holds; return whether it does.

    Args:
        connection: of a transaction.
        name: of the publisher.
        holder: the process.
        until: when the hold ends.
        moment: now.
        position: up to where events are sent; None leaves it.
    """
    values = {"holder": holder, "held_until": until}
    changed = connection.execute(
        update(publishers)
        .where(
            publishers.c.name == name,
            or_(publishers.c.holder == holder, publishers.c.held_until <= moment),
        )
        .values(values if position is None else {**values, "position": position})
    )
    return changed.rowcount == 1
