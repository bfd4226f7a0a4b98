"""Queries on the history of customers' segments, to which every change appends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    case,
    func,
    insert,
    literal,
    select,
    tuple_,
)

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.history import FIRST_PLACE, Cause, Place, SegmentChange
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.commit_order import up_to_running
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import customers, segment_changes

_COLUMNS = [c for c in segment_changes.c if c.name not in ("id", "transaction_id")]
_ADD = Prepared(insert(segment_changes).inline(), [column.name for column in _COLUMNS])
_PLACE = tuple_(segment_changes.c.transaction_id, segment_changes.c.id)


def add(connection: Connection, change: SegmentChange) -> None:
    """Append one change."""
    _ADD.run(connection, **{name: getattr(change, name) for name in SegmentChange.__slots__})


def add_many(
    connection: Connection,
    ids: IntArray,
    moment: datetime,
    cause: Cause,
    segments: tuple[IntArray | None, IntArray | None],
    version: int,
) -> None:
    """Append a change of each customer.

    Args:
        connection: of a transaction.
        ids: (n,).
        moment: when.
        cause: why.
        segments: numbers of the segments left, (n,) or None for new customers, and entered, (n,) or
            None for deleted ones.
        version: the version that gave the segments entered.
    """
    left, entered = segments
    sides = {"from_segment": left, "to_segment": entered}
    columns = {name: side.tolist() for name, side in sides.items() if side is not None}
    nobody = {name: None for name, side in sides.items() if side is None}
    same = {"changed_at": moment, "cause": str(cause), "model_version": version, **nobody}
    insert_rows(connection, segment_changes, {"customer_id": ids.tolist(), **columns}, same)


def add_entered(connection: Connection, ids: IntArray, moment: datetime, version: int) -> None:
    """Append that customers, (n,), who were added in this transaction are in their segments.

    The database copies what it has, which takes half the time of sending it again.
    """
    entered = select(
        customers.c.customer_id,
        literal(moment, segment_changes.c.changed_at.type),
        literal(str(Cause.ADDED)),
        customers.c.segment,
        literal(version),
    ).where(is_among(connection, customers.c.customer_id, ids))
    names = ["customer_id", "changed_at", "cause", "to_segment", "model_version"]
    connection.execute(insert(segment_changes).from_select(names, entered))


def of_customer(connection: Connection, customer_id: int) -> list[SegmentChange]:
    """Return a customer's changes, the oldest first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(segment_changes.c.customer_id == customer_id)
        .order_by(segment_changes.c.id)
    )
    return [_change(row) for row in rows]


def read_after(
    connection: Connection, place: Place, limit: int
) -> list[tuple[Place, SegmentChange]]:
    """Return up to `limit` changes after a place, each with its own, in an order that is final.

    See `commit_order`.
    """
    query = (
        select(segment_changes.c.transaction_id, segment_changes.c.id, *_COLUMNS)
        .where(tuple_(literal(place.transaction_id), literal(place.row_id)) < _PLACE)
        .order_by(segment_changes.c.transaction_id, segment_changes.c.id)
        .limit(limit)
    )
    query = up_to_running(connection, query, segment_changes)
    return [
        (Place(transaction_id, row_id), _change(change))
        for transaction_id, row_id, *change in connection.execute(query)
    ]


def last_place(connection: Connection) -> Place:
    """Return the place after which only changes come that are not there yet."""
    query = (
        select(segment_changes.c.transaction_id, segment_changes.c.id)
        .order_by(segment_changes.c.transaction_id.desc(), segment_changes.c.id.desc())
        .limit(1)
    )
    query = up_to_running(connection, query, segment_changes)
    row = connection.execute(query).one_or_none()
    return FIRST_PLACE if row is None else Place(*row)


def _change(row: Sequence[Any]) -> SegmentChange:
    values = dict(zip((column.name for column in _COLUMNS), row, strict=True))
    return SegmentChange(**{**values, "cause": Cause(values["cause"])})


def count_transitions(
    connection: Connection, before: datetime, after: datetime
) -> dict[tuple[int | None, int | None], int]:
    """Count customers by the segments they were in at two moments, the second not the earlier.

    A customer who was not there at a moment was in segment None; those there at neither are left
    out.
    """
    last = (
        select(
            func.max(case((segment_changes.c.changed_at <= before, segment_changes.c.id))).label(
                "before"
            ),
            func.max(segment_changes.c.id).label("after"),
        )
        .where(segment_changes.c.changed_at <= after)
        .group_by(segment_changes.c.customer_id)
        .subquery()
    )
    first, second = segment_changes.alias("first"), segment_changes.alias("second")
    rows = connection.execute(
        select(first.c.to_segment, second.c.to_segment, func.count())
        .select_from(
            last.join(second, second.c.id == last.c.after).outerjoin(
                first, first.c.id == last.c.before
            )
        )
        .group_by(first.c.to_segment, second.c.to_segment)
    )
    counts = {(left, entered): int(count) for left, entered, count in rows}
    counts.pop((None, None), None)
    return counts


def count_moves_since(
    connection: Connection, moment: datetime
) -> dict[tuple[int | None, int | None], int]:
    """Count the changes after a moment by the segment left and the one entered, None for none.

    An index on their time holds all that this reads.
    """
    left, entered = segment_changes.c.from_segment, segment_changes.c.to_segment
    rows = connection.execute(
        select(left, entered, func.count())
        .where(segment_changes.c.changed_at > moment)
        .group_by(left, entered)
    )
    return {(was, now): int(count) for was, now, count in rows}


def sample_added(connection: Connection, wanted: int, generator: np.random.Generator) -> IntArray:
    """Return the ids of customers drawn by chance from all who were ever added, (n,), rising.

    Customers' own ids may have gaps of any width; the history's rows are numbered without, so a
    number drawn by chance is as likely to be one customer's first entry as another's. Those of
    later entries are passed over.

    Args:
        connection: of a transaction.
        wanted: how many numbers are drawn, at most.
        generator: draws them.
    """
    last = connection.execute(select(func.max(segment_changes.c.id))).scalar_one() or 0
    numbers = np.unique(generator.integers(1, last + 1, wanted)) if last > wanted else None
    places = np.arange(1, last + 1) if numbers is None else numbers
    query = select(segment_changes.c.customer_id).where(
        is_among(connection, segment_changes.c.id, places),
        segment_changes.c.cause == str(Cause.ADDED),
    )
    return np.unique(np.fromiter(connection.execute(query).scalars(), dtype=np.int64))
