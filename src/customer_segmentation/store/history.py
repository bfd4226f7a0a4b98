"""Queries on the history of customers' segments, to which every change appends."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.store.bulk import insert_rows
from customer_segmentation.store.tables import segment_changes

_COLUMNS = [column for column in segment_changes.c if column.name != "id"]


def add(connection: Connection, change: SegmentChange) -> None:
    """Append one change."""
    connection.execute(
        insert(segment_changes), {column.name: getattr(change, column.name) for column in _COLUMNS}
    )


def add_many(
    connection: Connection,
    ids: IntArray,
    moment: datetime,
    cause: Cause,
    segments: tuple[IntArray | None, IntArray],
    version: int,
) -> None:
    """Append a change of each customer.

    Args:
        connection: of a transaction.
        ids: (n,).
        moment: when.
        cause: why.
        segments: numbers of the segments left, (n,) or None for new customers, and entered, (n,).
        version: the version that gave the segments entered.
    """
    left, entered = segments
    size = len(ids)
    insert_rows(
        connection,
        segment_changes,
        {
            "customer_id": ids.tolist(),
            "changed_at": [moment] * size,
            "cause": [str(cause)] * size,
            "from_segment": [None] * size if left is None else left.tolist(),
            "to_segment": entered.tolist(),
            "model_version": [version] * size,
        },
    )


def of_customer(connection: Connection, customer_id: int) -> list[SegmentChange]:
    """Return a customer's changes, the oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(segment_changes.c.customer_id == customer_id)
        .order_by(segment_changes.c.id)
    ).mappings()
    return [SegmentChange(**{**row, "cause": Cause(row["cause"])}) for row in rows]
