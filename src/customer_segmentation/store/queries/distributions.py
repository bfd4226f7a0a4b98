"""Queries on the running distribution of the customers, and on changes not yet counted in it."""

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import count_checks, customer_changes, distributions

_COLUMNS = ("left", "left_segment", "entered", "entered_segment")
_NOTE = Prepared(insert(customer_changes).inline(), _COLUMNS)
_CHANGES = select(customer_changes.c.id, *(customer_changes.c[name] for name in _COLUMNS)).order_by(
    customer_changes.c.id
)
_REMOVE = delete(customer_changes).where(customer_changes.c.id == bindparam("counted"))


@dataclass(frozen=True, slots=True)
class StoredDistribution:
    """The distribution of the customers whose rows carry a version.

    Attributes:
        content: the distribution as JSON has it.
        changed: how many changes were counted since the version was activated.
    """

    content: dict[str, Any]
    changed: int


@dataclass(frozen=True, eq=False, slots=True)
class Changes:
    """Changes not yet counted.

    Attributes:
        ids: of the changes, each a customer that was added, changed or deleted.
        signs: (n,), 1 for what entered and -1 for what left.
        segments: (n,), segment numbers.
        values: (n, d), attributes in users' units.
    """

    ids: list[int]
    signs: IntArray
    segments: IntArray
    values: FloatArray


def note(
    connection: Connection,
    left: tuple[Attributes, int] | None,
    entered: tuple[Attributes, int] | None,
) -> None:
    """Append a customer's change.

    Args:
        connection: of a transaction.
        left: what it was, complete attributes and a segment number; None where it was not counted.
        entered: what it is now, likewise; None where it is deleted.
    """
    was, left_segment = (None, None) if left is None else (_packed(left[0]), left[1])
    now, entered_segment = (None, None) if entered is None else (_packed(entered[0]), entered[1])
    _NOTE.run(
        connection,
        left=was,
        left_segment=left_segment,
        entered=now,
        entered_segment=entered_segment,
    )


def find(
    connection: Connection, version: int, *, for_update: bool = False
) -> StoredDistribution | None:
    """Return the distribution counted for a version so far."""
    query = select(distributions).where(distributions.c.model_version == version)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return None if row is None else StoredDistribution(row.content, row.changed)


def save(connection: Connection, version: int, stored: StoredDistribution) -> None:
    """Replace the distribution of a version."""
    values = {"content": stored.content, "changed": stored.changed}
    changed = connection.execute(
        update(distributions).where(distributions.c.model_version == version).values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(distributions).values(model_version=version, **values))


def clear(connection: Connection) -> None:
    """Forget all that was counted and all that was not."""
    connection.execute(delete(distributions))
    connection.execute(delete(customer_changes))


def _packed(attributes: Attributes) -> bytes:
    """Return values as 64-bit numbers, the lowest byte first."""
    return struct.pack(f"<{len(attributes)}d", *attributes.values())


def read_changes(connection: Connection, attributes: int, limit: int | None = None) -> Changes:
    """Return changes that are not counted yet.

    Args:
        connection: of a transaction.
        attributes: how many each customer has.
        limit: return so many at most; all of them without one.
    """
    rows = connection.execute(_CHANGES.limit(limit)).all()
    left = [(row[1], row[2]) for row in rows if row[1] is not None]
    entered = [(row[3], row[4]) for row in rows if row[3] is not None]
    packed = b"".join(attributes for attributes, _ in left + entered)
    return Changes(
        ids=[row[0] for row in rows],
        signs=np.repeat([-1, 1], [len(left), len(entered)]),
        segments=np.array([segment for _, segment in left + entered], dtype=np.int64),
        values=np.frombuffer(packed, dtype="<f8").reshape(-1, attributes),
    )


def count_changes(connection: Connection) -> int:
    """Return how many changes are not counted yet."""
    return connection.execute(select(func.count()).select_from(customer_changes)).scalar_one()


def remove_changes(connection: Connection, ids: list[int]) -> None:
    """Remove changes that this transaction counts."""
    connection.execute(_REMOVE, [{"counted": change_id} for change_id in ids])


@dataclass(frozen=True, slots=True)
class CountCheck:
    """A check of what is counted against the customers.

    Attributes:
        started_at: when the last one began; at first, when the table was made.
        finished_at: when the last one that came to its end did so.
        wrong: how many customers that one found counted wrongly.
    """

    started_at: datetime
    finished_at: datetime | None
    wrong: int


def last_check(connection: Connection) -> CountCheck:
    """Return the last check."""
    columns = (count_checks.c.started_at, count_checks.c.finished_at, count_checks.c.wrong)
    return CountCheck(*connection.execute(select(*columns)).one())


def begin_check(connection: Connection, moment: datetime, before: datetime) -> bool:
    """Note that a check begins, where the last one began before a moment; tell whether it did."""
    begun = connection.execute(
        update(count_checks).where(count_checks.c.started_at < before).values(started_at=moment)
    )
    return begun.rowcount == 1


def end_check(connection: Connection, moment: datetime, wrong: int) -> None:
    """Note what a check has found."""
    connection.execute(update(count_checks).values(finished_at=moment, wrong=wrong))
