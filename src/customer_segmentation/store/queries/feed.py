"""The order of the feed of changes: positions, given in the order of commits.

A change gets its position once it is committed, or in the very transaction that writes it, where
that writes many: this keeps the counter until it ends. Either way positions are given one
transaction after the other, so that none is ever seen after a greater one. No id that the database
gives would do: transactions draw row ids before they commit, transaction ids do not survive a dump,
and a row id may be given again.

A position is at least the time of day in microseconds. Whoever read on when an older copy of the
database was put in its place finds later changes after those that were read.
"""

from datetime import datetime

from sqlalchemy import Connection, case, func, literal, select, tuple_, update

from customer_segmentation.domain.history import FEED_START
from customer_segmentation.store.tables import feed, segment_changes

_PLACED_AT_ONCE = 1_000
_CLOCK_STARTS = 10**15
"""Positions given by the clock are greater; those given to changes of before are not."""


def draw(connection: Connection, count: int, moment: datetime) -> range:
    """Return positions for changes that a transaction writes; others wait for them until it ends.

    Args:
        connection: of the transaction.
        count: how many.
        moment: now.
    """
    clock = round(moment.timestamp() * 1e6)
    later = case((feed.c.position < clock, clock), else_=feed.c.position)
    query = update(feed).values(position=later + count).returning(feed.c.position)
    last = connection.execute(query).scalar_one()
    return range(last - count + 1, last + 1)


def draw_next(connection: Connection, count: int, moment: datetime) -> range:
    """Return positions as `draw`, after those of all changes that wait and are seen.

    A customer's earlier change may wait for its position, and is to have the lesser one.
    """
    while has_waiting(connection):
        if place_waiting(connection, moment, _PLACED_AT_ONCE, wait=True) == 0:
            break
    return draw(connection, count, moment)


def has_waiting(connection: Connection) -> bool:
    """Return whether there are changes without a position."""
    query = select(segment_changes.c.id).where(segment_changes.c.position.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def place_waiting(connection: Connection, moment: datetime, limit: int, *, wait: bool) -> int:
    """Give changes that are committed their positions, in the order of their ids.

    Of one customer's changes a later one has the greater id, as has one that was begun when another
    was committed.

    Args:
        connection: of a transaction.
        moment: now.
        limit: how many at most.
        wait: whether to wait for another transaction that gives positions; otherwise leave it to
            that.

    Returns:
        how many got one.
    """
    # Locked before the changes are looked for: none is seen that another has just placed.
    counter = select(feed.c.position).with_for_update(skip_locked=not wait)
    if connection.execute(counter).first() is None:
        return 0
    first = draw(connection, limit, moment).start
    waiting = (
        select(segment_changes.c.id)
        .where(segment_changes.c.position.is_(None))
        .order_by(segment_changes.c.id)
        .limit(limit)
        .subquery()
    )
    placed = select(
        waiting.c.id, (func.row_number().over(order_by=waiting.c.id) + (first - 1)).label("at")
    ).subquery()
    done = connection.execute(
        update(segment_changes)
        .where(segment_changes.c.id == placed.c.id)
        .values(position=placed.c.at)
    )
    return done.rowcount


def last_position(connection: Connection) -> int:
    """Return the position after which only changes to come are, once none waits for its own."""
    return connection.execute(select(feed.c.position)).scalar_one()


def position_of(connection: Connection, transaction_id: int, row_id: int) -> int:
    """Return the position of a cursor of before there were positions."""
    order = tuple_(segment_changes.c.transaction_id, segment_changes.c.id)
    query = select(func.max(segment_changes.c.position)).where(
        segment_changes.c.position < _CLOCK_STARTS,
        order <= tuple_(literal(transaction_id), literal(row_id)),
    )
    return connection.execute(query).scalar_one() or FEED_START
