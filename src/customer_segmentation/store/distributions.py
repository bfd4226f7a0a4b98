"""Queries on the running distribution of the customers, and on changes not yet counted in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import customer_changes, distributions

_COLUMNS = ("sign", "ends_change", "segment", *FEATURE_NAMES)
_NOTE = Prepared(insert(customer_changes).inline(), _COLUMNS)


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
        signs: (n,), 1 for what entered, -1 for what left, 0 for what left without being counted.
        changed: how many customers were added, changed or deleted.
        segments: (n,), segment numbers.
        values: (n, d), attributes in users' units.
    """

    signs: IntArray
    changed: int
    segments: IntArray
    values: FloatArray


def note(
    connection: Connection,
    left: tuple[Attributes, int] | None,
    entered: tuple[Attributes, int] | None,
    *,
    counted: bool = True,
) -> None:
    """Append a customer's change.

    Args:
        connection: of a transaction.
        left: what it was, complete attributes and a segment number; None where it was not there.
        entered: what it is now, likewise.
        counted: whether what it was is counted in the distribution.
    """
    if left is not None:
        attributes, segment = left
        sign = -1 if counted else 0
        ends = entered is None
        _NOTE.run(connection, sign=sign, ends_change=ends, segment=segment, **attributes)
    if entered is not None:
        attributes, segment = entered
        _NOTE.run(connection, sign=1, ends_change=True, segment=segment, **attributes)


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


def take_changes(connection: Connection, limit: int) -> Changes:
    """Remove and return up to so many changes, for the transaction to count."""
    # One statement: what another transaction appends meanwhile is neither removed nor lost.
    some = select(customer_changes.c.id).order_by(customer_changes.c.id).limit(limit)
    rows = connection.execute(
        delete(customer_changes)
        .where(customer_changes.c.id.in_(some))
        .returning(*(customer_changes.c[name] for name in _COLUMNS))
    )
    return _changes(rows)


def read_changes(connection: Connection) -> Changes:
    """Return all changes that are not counted yet."""
    return _changes(connection.execute(select(*(customer_changes.c[name] for name in _COLUMNS))))


def count_changes(connection: Connection) -> int:
    """Return how many changes are not counted yet."""
    return connection.execute(select(func.count()).select_from(customer_changes)).scalar_one()


def _changes(rows: Iterable[Any]) -> Changes:
    table = np.fromiter(chain.from_iterable(rows), dtype=np.float64).reshape(-1, len(_COLUMNS))
    whole = table[:, :3].astype(np.int64)
    return Changes(whole[:, 0], int(whole[:, 1].sum()), whole[:, 2], table[:, 3:])
