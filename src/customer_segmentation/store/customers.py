"""Queries on customers."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
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
from customer_segmentation.store.arrow import ArrowReader
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.tables import customers

_ATTRIBUTES = [customers.c[name] for name in FEATURE_NAMES]
_ROW = [*_ATTRIBUTES, customers.c.segment, customers.c.model_version]
_STORED = select(customers.c.customer_id, *_ROW).order_by(customers.c.customer_id)
_NO_IDS = np.empty(0, dtype=np.int64)
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

    def at(self, places: IntArray | slice) -> "StoredCustomers":
        """Return those at some places, (m,)."""
        return StoredCustomers(
            self.ids[places], self.values[places], self.segments[places], self.versions[places]
        )


def find_many(
    connection: Connection, ids: IntArray, *, for_update: bool = False
) -> StoredCustomers:
    """Return those customers of many ids, (n,), who are there; arguments as for `find`."""
    query = _STORED.where(is_among(connection, customers.c.customer_id, ids))
    rows = connection.execute(query.with_for_update() if for_update else query)
    # A 64-bit float holds every id exactly, as ids end at 2^53.
    numbers = np.fromiter(chain.from_iterable(rows), dtype=np.float64)
    table = numbers.reshape(-1, 1 + len(_ROW))
    whole = table[:, [0, -2, -1]].astype(np.int64)
    return StoredCustomers(whole[:, 0], table[:, 1:-2], whole[:, 1], whole[:, 2])


def read_ids(read: ArrowReader) -> IntArray:
    """Return all customers' ids, (n,), rising."""
    query = select(customers.c.customer_id).order_by(customers.c.customer_id)
    return np.concatenate([_NO_IDS, *(_whole(batch.column(0)) for batch in read(query))])


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
    read: ArrowReader, selection: Selection, version: int
) -> Iterator[StoredCustomers]:
    """Yield all customers of a selection by rising ids, some thousand at a time.

    Args:
        read: of the database.
        selection: whose order and limit do not count.
        version: of the model that serves; customers whose segment another one gave come whatever
            their segment is, as it is to be given anew.
    """
    query = _STORED.where(*_within(selection))
    if selection.segment is not None:
        outdated = customers.c.model_version != version
        query = query.where(or_(customers.c.segment == selection.segment, outdated))
    return map(_stored, read(query))


def _within(selection: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions on attributes."""
    least = [customers.c[name] >= value for name, value in selection.least.items()]
    return least + [customers.c[name] <= value for name, value in selection.most.items()]


def count(connection: Connection) -> int:
    """Return the number of customers."""
    return connection.execute(select(func.count()).select_from(customers)).scalar_one()


def read_all(
    read: ArrowReader, expected: int, progress: Callable[[int], None] = lambda _done: None
) -> tuple[IntArray, FloatArray]:
    """Return all ids, (n,), rising, and attributes, (n, d), in users' units, column by column.

    Args:
        read: of the database.
        expected: how many customers there are, about.
        progress: is told how many customers were read so far.
    """
    ids = np.empty(expected, dtype=np.int64)
    columns = np.empty((len(FEATURE_NAMES), expected))
    done = 0
    query = select(customers.c.customer_id, *_ATTRIBUTES).order_by(customers.c.customer_id)
    for batch in read(query):
        end = done + batch.num_rows
        if end > len(ids):
            # Customers were added since they were counted.
            room = np.empty((len(FEATURE_NAMES), end + end // 8))
            room[:, :done] = columns[:, :done]
            columns = room
            ids = np.concatenate([ids[:done], np.empty(room.shape[1] - done, dtype=np.int64)])
        ids[done:end] = batch.column(0).to_numpy()
        for place, column in enumerate(batch.columns[1:]):
            columns[place, done:end] = column.to_numpy()
        done = end
        progress(done)
    return ids[:done], columns[:, :done].T


def read_attributes(read: ArrowReader) -> Iterator[FloatArray]:
    """Yield all customers' attributes, some thousand rows, (n, d), at a time."""
    return (_table(batch.columns) for batch in read(select(*_ATTRIBUTES)))


def read_outdated(read: ArrowReader, version: int, after: int, limit: int) -> StoredCustomers:
    """Return customers whose assignment another model version gave.

    Args:
        read: of the database.
        version: of the model that serves.
        after: return ids above this one.
        limit: how many at most.
    """
    query = _STORED.where(customers.c.customer_id > after, customers.c.model_version != version)
    batches = list(read(query.limit(limit)))
    if not batches:
        return StoredCustomers(_NO_IDS, np.empty((0, len(FEATURE_NAMES))), _NO_IDS, _NO_IDS)
    return _stored(pa.Table.from_batches(batches))


def lock_outdated(connection: Connection, version: int, first: int, last: int) -> IntArray:
    """Return the ids, (n,), rising, from one to another whose assignment another version gave.

    Other transactions cannot change these customers until this one ends.
    """
    rows = connection.execute(
        select(customers.c.customer_id)
        .where(*_outdated(version, first, last))
        .order_by(customers.c.customer_id)
        .with_for_update()
    )
    return np.fromiter(rows.scalars(), dtype=np.int64)


def reassign(
    connection: Connection, version: int, first: int, last: int, moved: Mapping[int, int]
) -> None:
    """Give the customers of `lock_outdated` their assignments by a version.

    Args:
        connection: of the transaction that locked them.
        version: that gives the assignments.
        first: the least id.
        last: the greatest.
        moved: by id the segment number of each of them who is in another segment now.
    """
    if moved:
        connection.execute(
            update(customers)
            .where(customers.c.customer_id == bindparam("id"))
            .values(segment=bindparam("new_segment"), model_version=version),
            [{"id": customer, "new_segment": segment} for customer, segment in moved.items()],
        )
    connection.execute(
        update(customers).where(*_outdated(version, first, last)).values(model_version=version)
    )


def _outdated(version: int, first: int, last: int) -> list[ColumnElement[bool]]:
    between = customers.c.customer_id.between(first, last)
    return [between, customers.c.model_version != version]


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


def _table(columns: Sequence[pa.Array | pa.ChunkedArray]) -> FloatArray:
    """Return columns of numbers as one array, (n, d), in which each column lies together."""
    table = np.empty((len(columns), len(columns[0])))
    for place, column in enumerate(columns):
        table[place] = column.to_numpy()
    return table.T


def _stored(found: pa.RecordBatch | pa.Table) -> StoredCustomers:
    ids, *attributes, segments, versions = found.columns
    return StoredCustomers(_whole(ids), _table(attributes), _whole(segments), _whole(versions))


def _whole(column: pa.Array | pa.ChunkedArray) -> IntArray:
    numbers: IntArray = column.to_numpy().astype(np.int64, copy=False)
    return numbers
