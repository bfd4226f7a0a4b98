"""Queries on customers."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
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
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import CustomerExistsError, TransactionConflictError
from customer_segmentation.domain.features import FEATURE_NAMES, Number, plain_number
from customer_segmentation.domain.paging import Selection
from customer_segmentation.store.arrow import ArrowReader
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.database import Database
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.queries.models import Active
from customer_segmentation.store.tables import active_model, customers

_ATTRIBUTES = [customers.c[name] for name in FEATURE_NAMES]
_ROW = [*_ATTRIBUTES, customers.c.segment, customers.c.epoch]
_STORED = select(customers.c.customer_id, *_ROW).order_by(customers.c.customer_id)
_NO_IDS = np.empty(0, dtype=np.int64)
_OF_ID = customers.c.customer_id == bindparam("id")
_FIND = Prepared(select(*_ROW).where(_OF_ID))
_FIND_FOR_UPDATE = Prepared(select(*_ROW).where(_OF_ID).with_for_update())
_LOOK_UP = Prepared(
    select(*(active_model.c[name] for name in Active.__slots__), *_ROW).select_from(
        active_model.outerjoin(customers, _OF_ID)
    )
)
_COLUMNS = [column.name for column in customers.c]
_ADD = Prepared(insert(customers), _COLUMNS)
_CHANGE = Prepared(
    update(customers)
    .where(_OF_ID)
    .values({name: bindparam(name) for name in _COLUMNS if name != "customer_id"})
)
_REMOVE = Prepared(delete(customers).where(_OF_ID).returning(*_ROW))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The segment of a customer, and the epoch in which it was written."""

    segment: int
    epoch: int


def find(
    connection: Connection, customer_id: int, *, for_update: bool = False
) -> tuple[Attributes, Assignment] | None:
    """Return a customer's attributes and assignment, or None where there is no such customer.

    Args:
        connection: of a transaction.
        customer_id: whose.
        for_update: keep other transactions from changing the customer until this one ends.
    """
    query = _FIND_FOR_UPDATE if for_update else _FIND
    rows = query.run(connection, id=customer_id)
    return _read(rows[0]) if rows else None


def look_up(
    database: Database, customer_id: int
) -> tuple[Active | None, tuple[Attributes, Assignment] | None]:
    """Return the active model, a customer's attributes and assignment; None for what is not there.

    Before the first model there are no customers.
    """
    rows = database.look_up(_LOOK_UP, id=customer_id)
    if not rows:
        return None, None
    active, row = rows[0][: len(Active.__slots__)], rows[0][len(Active.__slots__) :]
    return Active(*active), None if row[0] is None else _read(row)


@dataclass(frozen=True, eq=False, slots=True)
class StoredCustomers:
    """Many customers as they are stored.

    Attributes:
        ids: (n,), rising.
        values: (n, d), attributes in the feature table's order, in users' units.
        segments: (n,), segment numbers.
        epochs: (n,), in which each was written last.
    """

    ids: IntArray
    values: FloatArray
    segments: IntArray
    epochs: IntArray

    def at(self, places: IntArray | BoolArray | slice) -> "StoredCustomers":
        """Return those at some places, (m,)."""
        return StoredCustomers(
            self.ids[places], self.values[places], self.segments[places], self.epochs[places]
        )

    def __add__(self, other: "StoredCustomers") -> "StoredCustomers":
        """Return these and those."""
        return StoredCustomers(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.segments, other.segments]),
            np.concatenate([self.epochs, other.epochs]),
        )


_NOBODY = StoredCustomers(_NO_IDS, np.empty((0, len(FEATURE_NAMES))), _NO_IDS, _NO_IDS)


def find_many(
    connection: Connection, ids: IntArray, *, for_update: bool = False
) -> StoredCustomers:
    """Return those customers of many ids, (n,), who are there; arguments as for `find`."""
    query = _STORED.where(is_among(connection, customers.c.customer_id, ids))
    return _stored_rows(connection.execute(query.with_for_update() if for_update else query))


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
        _ADD.run(connection, **_values(customer_id, attributes, assignment))
    except IntegrityError as taken:
        raise CustomerExistsError(customer_id) from taken


def reserve(connection: Connection, customer_id: int) -> None:
    """Let no other transaction add, change or delete a customer of an id until this one ends.

    An id's entry in the unique index is the one lock that adding it takes, too: where there is no
    customer, one is put there for a moment.
    """
    if connection.dialect.name == "sqlite":
        return  # Its one writer is this transaction.
    nobody = dict.fromkeys(FEATURE_NAMES, 0)
    query = postgresql_insert(customers).on_conflict_do_nothing().returning(customers.c.customer_id)
    values = _values(customer_id, nobody, Assignment(0, 0))
    while connection.execute(query, values).first() is None:
        if find(connection, customer_id, for_update=True) is not None:
            return
    connection.execute(delete(customers).where(customers.c.customer_id == customer_id))


def add_many(
    connection: Connection, ids: IntArray, values: FloatArray, segments: IntArray, epoch: int
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
        insert_rows(connection, customers, columns, {"epoch": epoch})
    except IntegrityError as taken:
        raise TransactionConflictError("Another change took an id; try again soon") from taken


def change(
    connection: Connection, customer_id: int, attributes: Attributes, assignment: Assignment
) -> None:
    """Replace all attributes of a customer, and its assignment."""
    _CHANGE.run(connection, id=customer_id, **_values(customer_id, attributes, assignment))


def change_many(
    connection: Connection, ids: IntArray, values: FloatArray, segments: IntArray, epoch: int
) -> None:
    """Replace all attributes, (n, d), and the assignments, (n,), of customers who are there."""
    names = [*FEATURE_NAMES, "segment", "epoch"]
    connection.execute(
        update(customers)
        .where(customers.c.customer_id == bindparam("id"))
        .values({name: bindparam(f"new_{name}") for name in names}),
        [
            {"id": customer_id, "new_segment": segment, "new_epoch": epoch}
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
    rows = _REMOVE.run(connection, id=customer_id)
    return _read(rows[0]) if rows else None


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
    read: ArrowReader, selection: Selection, active: Active
) -> Iterator[StoredCustomers]:
    """Yield all customers of a selection by rising ids, some thousand at a time.

    Args:
        read: of the database.
        selection: whose order and limit do not count.
        active: what is active; customers whose rows do not tell their segments by it come whatever
            the rows tell, as their segments are to be given anew.
    """
    query = _STORED.where(*_within(selection))
    if selection.segment is not None:
        settled = active.are_current(customers.c.customer_id, customers.c.epoch)
        query = query.where(or_(customers.c.segment == selection.segment, not_(settled)))
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
) -> StoredCustomers:
    """Return all customers by rising ids, each attribute's values lying together.

    Args:
        read: of the database.
        expected: how many customers there are, about.
        progress: is told how many customers were read so far.
    """
    columns = np.empty((len(FEATURE_NAMES), expected))
    whole = np.empty((3, expected), dtype=np.int64)
    done = 0
    for batch in read(_STORED):
        end = done + batch.num_rows
        if end > columns.shape[1]:
            # Customers were added since they were counted.
            more = ((0, 0), (0, end + end // 8 - columns.shape[1]))
            columns, whole = np.pad(columns, more), np.pad(whole, more)
        part = _stored(batch)
        columns[:, done:end] = part.values.T
        whole[:, done:end] = part.ids, part.segments, part.epochs
        done = end
        progress(done)
    ids, segments, epochs = whole[:, :done]
    return StoredCustomers(ids, columns[:, :done].T, segments, epochs)


def read_parts(read: ArrowReader) -> Iterator[StoredCustomers]:
    """Yield all customers by rising ids, some thousand at a time."""
    return map(_stored, read(_STORED))


def read_attributes(read: ArrowReader) -> Iterator[FloatArray]:
    """Yield all customers' attributes, some thousand rows, (n, d), at a time."""
    return (_table(batch.columns) for batch in read(select(*_ATTRIBUTES)))


def read_after(read: ArrowReader, customer_id: int, limit: int) -> StoredCustomers:
    """Return customers, `limit` at most, by rising ids above one."""
    batches = list(read(_STORED.where(customers.c.customer_id > customer_id).limit(limit)))
    return _stored(pa.Table.from_batches(batches)) if batches else _NOBODY


def are_after(connection: Connection, customer_id: int) -> bool:
    """Return whether there are customers with ids above one."""
    found = select(customers.c.customer_id).where(customers.c.customer_id > customer_id).limit(1)
    return connection.execute(found).first() is not None


def count_written_before(
    connection: Connection, after: int, last: int, epochs: tuple[int, int]
) -> tuple[int, int]:
    """Count customers above an id and up to another who were written last before each epoch."""
    before = [func.count().filter(customers.c.epoch < epoch) for epoch in epochs]
    row = connection.execute(select(*before).where(*_between(after, last))).one()
    return row[0], row[1]


def find_written(
    connection: Connection, after: int, last: int, since: int, before: int
) -> StoredCustomers:
    """Return customers above an id and up to another who were written last between epochs."""
    epochs = [customers.c.epoch >= since, customers.c.epoch < before]
    return _stored_rows(connection.execute(_STORED.where(*_between(after, last), *epochs)))


def find_ids_written_before(connection: Connection, after: int, last: int, epoch: int) -> IntArray:
    """Return the ids, (n,), rising, of customers who were written last before an epoch."""
    query = select(customers.c.customer_id).order_by(customers.c.customer_id)
    query = query.where(*_between(after, last), customers.c.epoch < epoch)
    return np.fromiter(connection.execute(query).scalars(), dtype=np.int64)


def reassign(connection: Connection, ids: IntArray, segments: IntArray, epoch: int) -> None:
    """Set the assignment of many customers: ids (n,), segment numbers (n,)."""
    for segment in np.unique(segments).tolist():
        connection.execute(
            update(customers)
            .where(is_among(connection, customers.c.customer_id, ids[segments == segment]))
            .values(segment=segment, epoch=epoch)
        )


def _between(after: int, last: int) -> list[ColumnElement[bool]]:
    return [customers.c.customer_id > after, customers.c.customer_id <= last]


def _values(customer_id: int, attributes: Attributes, assignment: Assignment) -> dict[str, Number]:
    return {
        "customer_id": customer_id,
        **attributes,
        "segment": assignment.segment,
        "epoch": assignment.epoch,
    }


def _read(row: Sequence[Number]) -> tuple[Attributes, Assignment]:
    *attributes, segment, epoch = row
    plain = [v if type(v) is int else plain_number(v) for v in attributes]
    return (
        dict(zip(FEATURE_NAMES, plain, strict=True)),
        Assignment(int(segment), int(epoch)),
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


def _stored_rows(rows: Iterable[Sequence[Number]]) -> StoredCustomers:
    # A 64-bit float holds every id exactly, as ids end at 2^53.
    numbers = np.fromiter(chain.from_iterable(rows), dtype=np.float64)
    table = numbers.reshape(-1, 1 + len(_ROW))
    whole = table[:, [0, -2, -1]].astype(np.int64)
    return StoredCustomers(whole[:, 0], table[:, 1:-2], whole[:, 1], whole[:, 2])


def _whole(column: pa.Array | pa.ChunkedArray) -> IntArray:
    numbers: IntArray = column.to_numpy().astype(np.int64, copy=False)
    return numbers
