"""Queries on what imports replaced."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.store.tables import import_changes, jobs

_of = import_changes.c.import_id


@dataclass(frozen=True, eq=False, slots=True)
class Replaced:
    """What a part of an import replaced.

    Attributes:
        number: how many rows of the table come before it; rises from part to part.
        added: (a,), ids of customers who were not there, rising.
        changed: (c,), ids of customers who were there with other attributes, rising.
        removed: (r,), ids of customers who were removed, rising.
        digests: (a + c,), of what was stored of those added and changed; see `digests_of`.
        before: (c + r, d), the attributes of those changed and removed before.
        refused: (n,), rows that were refused as their ids are taken, by their number.
    """

    number: int
    added: IntArray
    changed: IntArray
    removed: IntArray
    digests: IntArray
    before: FloatArray
    refused: IntArray

    @property
    def ids(self) -> IntArray:
        """The ids of all."""
        return np.concatenate([self.added, self.changed, self.removed])

    def without(self, customer_id: int) -> "Replaced":
        """Return the same without one customer."""
        added, changed, removed = (
            ids != customer_id for ids in (self.added, self.changed, self.removed)
        )
        return Replaced(
            self.number,
            self.added[added],
            self.changed[changed],
            self.removed[removed],
            self.digests[np.concatenate([added, changed])],
            self.before[np.concatenate([changed, removed])],
            self.refused,
        )


_MIX = np.uint64(0x9E3779B97F4A7C15)


def digests_of(values: FloatArray) -> IntArray:
    """Return a number for each row of attributes, (n, d), that differs where the rows do.

    That two rows have the same by chance happens once in 2^64 times; it is no secret.
    """
    # Zero has two signs, and not every database keeps them; what is missing has many forms.
    one_form = np.where(np.isnan(values), np.nan, values + 0.0)
    bits = np.ascontiguousarray(one_form, dtype=np.float64).view(np.uint64)
    mixed = np.zeros(len(values), dtype=np.uint64)
    for column in bits.T:
        mixed = (mixed ^ column) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return mixed.view(np.int64)


def add(connection: Connection, import_id: str, replaced: Replaced) -> None:
    """Keep what a part of an import replaced."""
    connection.execute(insert(import_changes), {"import_id": import_id, **_columns(replaced)})


def last(connection: Connection, import_id: str) -> Replaced | None:
    """Return the last part of an import that is kept, None where none is."""
    query = select(import_changes).where(_of == import_id)
    query = query.order_by(import_changes.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _replaced(row)


def count_parts(connection: Connection, import_id: str) -> int:
    """Return how many parts of an import are kept."""
    query = select(func.count()).select_from(import_changes).where(_of == import_id)
    return connection.execute(query).scalar_one()


def refused_rows(connection: Connection, import_id: str) -> IntArray:
    """Return which rows of an import were refused as their ids are taken, (n,), by their number."""
    found = connection.execute(select(import_changes.c.refused).where(_of == import_id))
    return np.frombuffer(b"".join(found.scalars()), dtype=np.int64)


def remove(connection: Connection, import_id: str, number: int) -> None:
    """Forget a part of an import."""
    is_part = (_of == import_id) & (import_changes.c.number == number)
    connection.execute(delete(import_changes).where(is_part))


def remove_all(connection: Connection) -> None:
    """Forget what every import replaced."""
    connection.execute(delete(import_changes))


def remove_others(connection: Connection, import_id: str) -> None:
    """Forget what every import but one replaced."""
    connection.execute(delete(import_changes).where(_of != import_id))


def remove_old(connection: Connection, before: datetime) -> None:
    """Forget what imports replaced that ended before a moment."""
    old = select(jobs.c.id).where(jobs.c.finished_at < before)
    connection.execute(delete(import_changes).where(_of.in_(old)))


def find_kept(connection: Connection) -> set[str]:
    """Return the ids of the imports of which something is kept."""
    return set(connection.execute(select(_of).distinct()).scalars())


def forget_customer(connection: Connection, customer_id: int) -> int:
    """Remove a customer from what imports replaced; return from how many parts."""
    may_hold = (import_changes.c.first_id <= customer_id) & (
        import_changes.c.last_id >= customer_id
    )
    names = ("added", "changed", "removed")
    ids = [import_changes.c[name] for name in names]
    found = connection.execute(
        select(import_changes.c.import_id, import_changes.c.number, *ids).where(may_hold)
    )
    held = [
        (import_id, number)
        for import_id, number, *packed in found
        if any(customer_id in np.frombuffer(part, dtype=np.int64) for part in packed)
    ]
    for import_id, number in held:
        is_part = (_of == import_id) & (import_changes.c.number == number)
        row = connection.execute(select(import_changes).where(is_part)).mappings().one()
        left = _replaced(row).without(customer_id)
        connection.execute(update(import_changes).where(is_part).values(_columns(left)))
    return len(held)


def _columns(replaced: Replaced) -> dict[str, Any]:
    ids = replaced.ids
    return {
        "number": replaced.number,
        "first_id": int(ids.min()) if len(ids) else 0,
        "last_id": int(ids.max()) if len(ids) else 0,
        **{
            name: getattr(replaced, name).astype("<i8", copy=False).tobytes()
            for name in ("added", "changed", "removed", "digests", "refused")
        },
        "before": np.ascontiguousarray(replaced.before, dtype="<f8").tobytes(),
    }


def _replaced(row: RowMapping) -> Replaced:
    names = ("added", "changed", "removed", "digests", "refused")
    packed = {name: np.frombuffer(row[name], dtype="<i8").astype(np.int64) for name in names}
    rows = len(packed["changed"]) + len(packed["removed"])
    before = np.frombuffer(row["before"], dtype="<f8").reshape(rows, -1 if rows else 0)
    return Replaced(row["number"], before=before, **packed)
