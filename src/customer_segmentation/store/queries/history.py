"""Queries on the history of customers' segments, to which every change appends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    case,
    delete,
    func,
    insert,
    literal,
    select,
)

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.queries import feed
from customer_segmentation.store.tables import customers, segment_changes

_COLUMNS = [segment_changes.c[name] for name in SegmentChange.__slots__]
_ADD = Prepared(insert(segment_changes).inline(), [column.name for column in _COLUMNS])


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
    columns["position"] = feed.draw_next(connection, len(ids), moment)
    same = {"changed_at": moment, "cause": str(cause), "model_version": version, **nobody}
    insert_rows(connection, segment_changes, {"customer_id": ids.tolist(), **columns}, same)


def add_memberships(
    connection: Connection,
    ids: IntArray,
    segments: IntArray,
    change: SegmentChange,
) -> None:
    """Append that customers, (n,), who are in segments, (n,), entered or left an audience.

    Args:
        connection: of a transaction.
        ids: of the customers.
        segments: their numbers.
        change: the rest; the customer and the segments in it do not count.
    """
    where = segments.tolist()
    columns = {"customer_id": ids.tolist(), "from_segment": where, "to_segment": where}
    positions = feed.draw_next(connection, len(ids), change.changed_at)
    same = {
        "changed_at": change.changed_at,
        "cause": str(change.cause),
        "model_version": change.model_version,
        "audience_id": change.audience_id,
        "entered": change.entered,
    }
    insert_rows(connection, segment_changes, {**columns, "position": positions}, same)


def add_entered(connection: Connection, ids: IntArray, moment: datetime, version: int) -> None:
    """Append that customers, (n,), who were added in this transaction are in their segments.

    The database copies what it has, which takes half the time of sending it again.
    """
    positions = feed.draw_next(connection, len(ids), moment)
    entered = select(
        customers.c.customer_id,
        literal(moment, segment_changes.c.changed_at.type),
        literal(str(Cause.ADDED)),
        customers.c.segment,
        literal(version),
        func.row_number().over(order_by=customers.c.customer_id) + (positions.start - 1),
    ).where(is_among(connection, customers.c.customer_id, ids))
    names = ["customer_id", "changed_at", "cause", "to_segment", "model_version", "position"]
    connection.execute(insert(segment_changes).from_select(names, entered))


def of_customer(connection: Connection, customer_id: int) -> list[SegmentChange]:
    """Return a customer's changes of segment, the oldest first; that it was erased is none."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(
            segment_changes.c.customer_id == customer_id,
            segment_changes.c.cause != str(Cause.ERASED),
            segment_changes.c.audience_id.is_(None),
        )
        .order_by(segment_changes.c.id)
    )
    return [_change(row) for row in rows]


def read_after(
    connection: Connection, position: int, limit: int
) -> list[tuple[int, SegmentChange]]:
    """Return up to `limit` changes after a position in the feed, each with its own."""
    query = (
        select(segment_changes.c.position, *_COLUMNS)
        .where(segment_changes.c.position > position)
        .order_by(segment_changes.c.position)
        .limit(limit)
    )
    return [(at, _change(change)) for at, *change in connection.execute(query)]


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

    Erasures are left out.

    An index on their time holds all that this reads.
    """
    left, entered = segment_changes.c.from_segment, segment_changes.c.to_segment
    rows = connection.execute(
        select(left, entered, func.count())
        .where(segment_changes.c.changed_at > moment)
        .group_by(left, entered)
    )
    # Who only came into an audience, or left one, stayed in the segment.
    return {(was, now): int(count) for was, now, count in rows if was != now}


def count_moves_within(
    connection: Connection, moments: Sequence[datetime]
) -> dict[tuple[int | None, int | None, int], int]:
    """Count the changes after the first of rising moments, by segment left, entered, and period.

    A period is the place of the moment that begins it. Erasures are left out. An index on their
    time holds all that this reads.
    """
    at, left, entered = (
        segment_changes.c[name] for name in ("changed_at", "from_segment", "to_segment")
    )
    begun = [(at > moment, place) for place, moment in enumerate(moments)]
    period = case(*reversed(begun))
    rows = connection.execute(
        select(left, entered, period, func.count())
        .where(at > moments[0])
        .group_by(left, entered, period)
    )
    return {(was, now, place): int(n) for was, now, place, n in rows if was != now}


def remove_superseded(connection: Connection, before: datetime, limit: int) -> int:
    """Remove changes that others followed before a moment; return how many, `limit` at most.

    Each customer's last one stays, so that it is known where they were then, unless it left them
    in no segment.
    """
    newer = segment_changes.alias("newer")
    is_followed = (
        select(newer.c.id)
        .where(
            newer.c.customer_id == segment_changes.c.customer_id,
            newer.c.id > segment_changes.c.id,
            newer.c.changed_at < before,
        )
        .exists()
    )
    superseded = (
        select(segment_changes.c.id)
        .where(
            segment_changes.c.changed_at < before,
            segment_changes.c.to_segment.is_(None) | is_followed,
        )
        .limit(limit)
    )
    query = delete(segment_changes).where(segment_changes.c.id.in_(superseded))
    return connection.execute(query).rowcount


def sample_added(connection: Connection, wanted: int, generator: np.random.Generator) -> IntArray:
    """Return the ids of customers drawn by chance from all who were ever added, (n,), rising.

    Customers' own ids may have gaps of any width; the history's rows are numbered without, from
    the first that there is, so a number drawn by chance is as likely to be one customer's first
    entry as another's. Those of later entries are passed over.

    Args:
        connection: of a transaction.
        wanted: how many numbers are drawn, at most.
        generator: draws them.
    """
    ends = select(func.min(segment_changes.c.id), func.max(segment_changes.c.id))
    first, last = connection.execute(ends).one()
    if last is None:
        return np.empty(0, dtype=np.int64)
    is_few = last - first < wanted
    places = np.arange(first, last + 1) if is_few else generator.integers(first, last + 1, wanted)
    places = np.unique(places)
    query = select(segment_changes.c.customer_id).where(
        is_among(connection, segment_changes.c.id, places),
        segment_changes.c.cause == str(Cause.ADDED),
    )
    return np.unique(np.fromiter(connection.execute(query).scalars(), dtype=np.int64))
