"""Queries on customers."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import CustomerExistsError, TransactionConflictError
from customer_segmentation.domain.features import FEATURE_NAMES, Number, plain_number
from customer_segmentation.domain.paging import Selection
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.tables import customers

_ATTRIBUTES = [customers.c[name] for name in FEATURE_NAMES]
_ROW = [*_ATTRIBUTES, customers.c.segment, customers.c.model_version]
_PARTITION = 10_000
_BY_ID = select(*_ROW).where(customers.c.customer_id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The segment of a customer and the model version that gave it."""

    segment: int
    model_version: int


def find(
    connection: Connection, customer_id: int, *, for_update: bool = False
) -> tuple[Attributes, Assignment] | None:
    """Return a customer's attributes and assignment, or None where there is no such customer.

    Args:
        connection: of a transaction.
        customer_id: whose.
        for_update: keep other transactions from changing the customer until this one ends.
    """
    query = _BY_ID.with_for_update() if for_update else _BY_ID
    row = connection.execute(query, {"id": customer_id}).one_or_none()
    return None if row is None else _read(row)


@dataclass(frozen=True, eq=False, slots=True)
class StoredCustomers:
    """Many customers as they are stored.

    Attributes:
        ids: (n,), rising.
        values: (n, d), attributes in the feature table's order, in users' units.
        segments: (n,), segment numbers.
        versions: (n,), the model version that gave each segment.
    """

    ids: IntArray
    values: FloatArray
    segments: IntArray
    versions: IntArray

    def at(self, places: IntArray) -> "StoredCustomers":
        """Return those at some places, (m,)."""
        return StoredCustomers(
            self.ids[places], self.values[places], self.segments[places], self.versions[places]
        )


def find_many(
    connection: Connection, ids: IntArray, *, for_update: bool = False
) -> StoredCustomers:
    """Return those customers of many ids, (n,), who are there; arguments as for `find`."""
    query = (
        select(customers.c.customer_id, *_ROW)
        .where(is_among(connection, customers.c.customer_id, ids))
        .order_by(customers.c.customer_id)
    )
    return _stored(connection.execute(query.with_for_update() if for_update else query))


def _stored(rows: Iterable[Sequence[Number]]) -> StoredCustomers:
    table = _table(rows, 1 + len(_ROW))
    whole = table[:, [0, -2, -1]].astype(np.int64)
    return StoredCustomers(whole[:, 0], table[:, 1:-2], whole[:, 1], whole[:, 2])


def read_ids(connection: Connection) -> IntArray:
    """Return all customers' ids, (n,), rising."""
    rows = connection.execute(select(customers.c.customer_id).order_by(customers.c.customer_id))
    return np.fromiter(rows.scalars(), dtype=np.int64)


def lock_many(connection: Connection, ids: Collection[int]) -> None:
    """Keep other transactions from changing customers until this one ends.

    Locked in the order of their ids, two transactions that change the same ones wait for each other
    and never both.
    """
    connection.execute(
        select(customers.c.customer_id)
        .where(customers.c.customer_id.in_(ids))
        .order_by(customers.c.customer_id)
        .with_for_update()
    ).all()


def add(
    connection: Connection, customer_id: int, attributes: Attributes, assignment: Assignment
) -> None:
    """Add one customer.

    Raises:
        CustomerExistsError: the id is taken.
    """
    try:
        connection.execute(insert(customers), _values(customer_id, attributes, assignment))
    except IntegrityError as taken:
        raise CustomerExistsError(customer_id) from taken


def add_many(
    connection: Connection, ids: IntArray, values: FloatArray, segments: IntArray, version: int
) -> None:
    """Add customers whose ids are free: ids (n,), attributes (n, d), segment numbers (n,).

    Raises:
        TransactionConflictError: another transaction took an id meanwhile.
    """
    columns = {
        "customer_id": ids.tolist(),
        **dict(zip(FEATURE_NAMES, values.T.tolist(), strict=True)),
        "segment": segments.tolist(),
    }
    try:
        insert_rows(connection, customers, columns, {"model_version": version})
    except IntegrityError as taken:
        raise TransactionConflictError("Another change took an id; try again soon") from taken


def change(
    connection: Connection, customer_id: int, changes: Attributes, assignment: Assignment
) -> None:
    """Change some attributes of a customer, and its assignment."""
    connection.execute(
        update(customers).where(customers.c.customer_id == bindparam("id")),
        _values(customer_id, changes, assignment) | {"id": customer_id},
    )


def change_many(
    connection: Connection, ids: IntArray, values: FloatArray, segments: IntArray, version: int
) -> None:
    """Replace all attributes, (n, d), and the assignments, (n,), of customers who are there."""
    names = [*FEATURE_NAMES, "segment", "model_version"]
    connection.execute(
        update(customers)
        .where(customers.c.customer_id == bindparam("id"))
        .values({name: bindparam(f"new_{name}") for name in names}),
        [
            {"id": customer_id, "new_segment": segment, "new_model_version": version}
            | {f"new_{name}": value for name, value in zip(FEATURE_NAMES, row, strict=True)}
            for customer_id, row, segment in zip(
                ids.tolist(), values.tolist(), segments.tolist(), strict=True
            )
        ],
    )


def remove_many(connection: Connection, ids: IntArray) -> None:
    """Delete customers, (n,)."""
    connection.execute(delete(customers).where(is_among(connection, customers.c.customer_id, ids)))


def remove(connection: Connection, customer_id: int) -> tuple[Attributes, Assignment] | None:
    """Delete a customer; return what it was, or None where there was no such one."""
    row = connection.execute(
        delete(customers).where(customers.c.customer_id == bindparam("id")).returning(*_ROW),
        {"id": customer_id},
    ).one_or_none()
    return None if row is None else _read(row)


def read_page(
    connection: Connection, selection: Selection, limit: int
) -> list[tuple[int, Attributes, Assignment]]:
    """Return up to `limit` customers of a selection, in its order."""
    key = customers.c.customer_id
    query = select(key, *_ROW).where(*_within(selection)).limit(limit)
    if selection.segment is not None:
        query = query.where(customers.c.segment == selection.segment)
    column = key if selection.sort is None else customers.c[selection.sort]
    order = column.desc() if selection.descending else column.asc()
    query = query.order_by(order, key)
    if selection.after is not None:
        edge = selection.after.value
        if edge is None:
            edge = selection.after.customer_id
        beyond = column < edge if selection.descending else column > edge
        query = query.where(or_(beyond, and_(column == edge, key > selection.after.customer_id)))
    return [(row[0], *_read(row[1:])) for row in connection.execute(query)]


def read_selection(
    connection: Connection, selection: Selection, version: int
) -> Iterator[StoredCustomers]:
    """Yield all customers of a selection by rising ids, some thousand at a time.

    Args:
        connection: of a transaction.
        selection: whose order and limit do not count.
        version: of the model that serves; customers whose segment another one gave come whatever
            their segment is, as it is to be given anew.
    """
    query = select(customers.c.customer_id, *_ROW).where(*_within(selection))
    if selection.segment is not None:
        outdated = customers.c.model_version != version
        query = query.where(or_(customers.c.segment == selection.segment, outdated))
    rows = connection.execution_options(yield_per=_PARTITION).execute(
        query.order_by(customers.c.customer_id)
    )
    for partition in rows.partitions():
        yield _stored(partition)


def _within(selection: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions on attributes."""
    least = [customers.c[name] >= value for name, value in selection.least.items()]
    return least + [customers.c[name] <= value for name, value in selection.most.items()]


def count(connection: Connection) -> int:
    """Return the number of customers."""
    return connection.execute(select(func.count()).select_from(customers)).scalar_one()


def read_all(
    connection: Connection, progress: Callable[[int], None] = lambda _done: None
) -> tuple[IntArray, FloatArray]:
    """Return all ids, (n,), rising, and attributes, (n, d), in users' units.

    Args:
        connection: of a transaction.
        progress: is told how many customers were read so far.
    """
    rows = connection.execution_options(yield_per=_PARTITION).execute(
        select(customers.c.customer_id, *_ATTRIBUTES).order_by(customers.c.customer_id)
    )
    width = 1 + len(FEATURE_NAMES)
    tables = [np.empty((0, width))]
    done = 0
    for partition in rows.partitions():
        tables.append(_table(partition, width))
        done += len(partition)
        progress(done)
    table = np.concatenate(tables)
    return table[:, 0].astype(np.int64), table[:, 1:]


def read_attributes(connection: Connection) -> Iterator[FloatArray]:
    """Yield all customers' attributes, some thousand rows, (n, d), at a time."""
    rows = connection.execution_options(yield_per=_PARTITION).execute(select(*_ATTRIBUTES))
    for partition in rows.partitions():
        yield _table(partition, len(FEATURE_NAMES))


def read_outdated(
    connection: Connection, version: int, after: int, limit: int
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return customers whose assignment another model version gave.

    Args:
        connection: of a transaction; the rows stay locked until it ends.
        version: of the model that serves.
        after: return ids above this one.
        limit: how many at most.

    Returns:
        ids (n,), rising; attributes (n, d), in users' units; segment numbers (n,).
    """
    rows = connection.execute(
        select(customers.c.customer_id, *_ATTRIBUTES, customers.c.segment)
        .where(customers.c.customer_id > after, customers.c.model_version != version)
        .order_by(customers.c.customer_id)
        .limit(limit)
        .with_for_update()
    )
    table = _table(rows, 2 + len(FEATURE_NAMES))
    return table[:, 0].astype(np.int64), table[:, 1:-1], table[:, -1].astype(np.int64)


def reassign(connection: Connection, ids: IntArray, segments: IntArray, version: int) -> None:
    """Set the assignment of many customers: ids (n,), segment numbers (n,)."""
    connection.execute(
        update(customers)
        .where(customers.c.customer_id == bindparam("id"))
        .values(segment=bindparam("new_segment"), model_version=version),
        [
            {"id": customer_id, "new_segment": segment}
            for customer_id, segment in zip(ids.tolist(), segments.tolist(), strict=True)
        ],
    )


def _values(customer_id: int, attributes: Attributes, assignment: Assignment) -> dict[str, Number]:
    return {
        "customer_id": customer_id,
        **attributes,
        "segment": assignment.segment,
        "model_version": assignment.model_version,
    }


def _read(row: Sequence[Number]) -> tuple[Attributes, Assignment]:
    *attributes, segment, version = row
    plain = map(plain_number, attributes)
    return (
        dict(zip(FEATURE_NAMES, plain, strict=True)),
        Assignment(int(segment), int(version)),
    )


def _table(rows: Iterable[Sequence[Number]], width: int) -> FloatArray:
    # A 64-bit float holds every id exactly, as ids end at 2^53.
    return np.fromiter(chain.from_iterable(rows), dtype=np.float64).reshape(-1, width)
