"""Queries on customers."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
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
from customer_segmentation.domain.attributes import CustomerId, Missing
from customer_segmentation.domain.customer import Attributes, nulled
from customer_segmentation.domain.errors import TransactionConflictError
from customer_segmentation.domain.numbers import Number, plain_number
from customer_segmentation.domain.paging import Selection
from customer_segmentation.domain.schema import Schema
from customer_segmentation.store.arrow import ArrowReader
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.database import Database
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.queries.consents import has_agreed
from customer_segmentation.store.queries.following import Following
from customer_segmentation.store.queries.ids import ids_of_schema
from customer_segmentation.store.queries.models import Active
from customer_segmentation.store.tables import (
    active_model,
    audience_members,
    campaign_members,
    customer_table,
)

_NO_IDS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The segment of a customer, and the epoch in which it was written."""

    segment: int
    epoch: int


@dataclass(frozen=True, eq=False, slots=True)
class StoredCustomers:
    """Many customers as they are stored.

    Attributes:
        ids: (n,), rising.
        values: (n, d), attributes in the schema's order, in users' units.
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


class CustomerTable:
    """The queries on customers whose attributes a schema declares.

    A `customer_id` is the number that a customer is inside, but for `look_up`.

    Attributes:
        schema: the schema.
        table: of the customers.
        ids: the numbers that the customers' ids are inside.
        derived: the attributes that follow from transactions, by name.
    """

    def __init__(self, schema: Schema) -> None:
        """Prepare the statements."""
        self.schema = schema
        self.table = customer_table(schema)
        self.ids = ids_of_schema(schema)
        self._names = schema.names
        key = self.table.c.customer_id
        self._following = Following(schema, self.table)
        self.derived = frozenset(attribute.name for attribute in schema.derived)
        self._attributes = [self._following.shown(name) for name in schema.names]
        self._by_name = dict(zip(schema.names, self._attributes, strict=True))
        self._row = [*self._attributes, self.table.c.segment, self.table.c.epoch]
        self._stored_query = select(key, *self._row).order_by(key)
        self._may_lack = frozenset(
            attribute.name
            for attribute in schema.attributes
            if attribute.missing is Missing.ALLOWED
        )
        self._nobody = StoredCustomers(_NO_IDS, np.empty((0, len(self._names))), _NO_IDS, _NO_IDS)
        of_id = key == bindparam("id")
        found = select(*self._row).where(of_id)
        self._find = Prepared(found)
        self._find_for_update = Prepared(found.with_for_update())
        active = [active_model.c[name] for name in Active.__slots__]
        joined = self.ids.joined(active_model, self.table)
        self._look_up = Prepared(select(*active, key, *self._row).select_from(joined))
        of_days = self._following.of_days
        columns = ["customer_id", *self._names, "segment", "epoch"]
        given = {name: bindparam(name, type_=self.table.c[name].type) for name in columns}
        added = given | {name: self._following.stored(given[name]) for name in of_days}
        self._add = Prepared(insert(self.table).values(added))
        changed = {name: given[name] for name in columns[1:] if name not in of_days}
        self._change = Prepared(update(self.table).where(of_id).values(changed))
        self._change_days = Prepared(
            update(self.table).where(of_id).values({name: added[name] for name in of_days})
        )
        assigned = {name: given[name] for name in ("segment", "epoch")}
        self._assign = Prepared(update(self.table).where(of_id).values(assigned))
        self._remove = Prepared(delete(self.table).where(of_id).returning(*self._row))

    def shown(self, name: str) -> ColumnElement[Any]:
        """Return what customers have of an attribute on the day that is active."""
        return self._by_name[name]

    @property
    def width(self) -> int:
        """How many attributes a customer has."""
        return len(self._names)

    def find(
        self, connection: Connection, customer_id: int, *, for_update: bool = False
    ) -> tuple[Attributes, Assignment] | None:
        """Return a customer's attributes and assignment, or None where there is no such customer.

        Args:
            connection: of a transaction.
            customer_id: whose.
            for_update: keep other transactions from changing the customer until this one ends.
        """
        query = self._find_for_update if for_update else self._find
        rows = query.run(connection, id=customer_id)
        return self._read(rows[0]) if rows else None

    def look_up(
        self, database: Database, customer_id: CustomerId
    ) -> tuple[Active | None, tuple[int, Attributes, Assignment] | None]:
        """Return the active model, and the customer of an id; None if absent.

        Before the first model there are no customers. Of the customer come the number, the
        attributes and the assignment.
        """
        rows = database.look_up(self._look_up, id=customer_id)
        if not rows:
            return None, None
        active, row = rows[0][: len(Active.__slots__)], rows[0][len(Active.__slots__) :]
        return Active(*active), None if row[-1] is None else (int(row[0]), *self._read(row[1:]))

    def find_many(
        self, connection: Connection, ids: IntArray, *, for_update: bool = False
    ) -> StoredCustomers:
        """Return those customers of many ids, (n,), who are there; arguments as for `find`."""
        query = self._stored_query.where(is_among(connection, self.table.c.customer_id, ids))
        return self._stored_rows(
            connection.execute(query.with_for_update() if for_update else query)
        )

    def read_ids(self, read: ArrowReader) -> IntArray:
        """Return all customers' ids, (n,), rising."""
        query = select(self.table.c.customer_id).order_by(self.table.c.customer_id)
        return np.concatenate([_NO_IDS, *(_whole(batch.column(0)) for batch in read(query))])

    def lock_many(self, connection: Connection, ids: Collection[int]) -> None:
        """Keep other transactions from changing customers until this one ends.

        Locked in the order of their ids, two transactions that change the same ones wait for each
        other and never both.
        """
        connection.execute(
            select(self.table.c.customer_id)
            .where(self.table.c.customer_id.in_(ids))
            .order_by(self.table.c.customer_id)
            .with_for_update()
        ).all()

    def add(
        self,
        connection: Connection,
        customer_id: int,
        attributes: Attributes,
        assignment: Assignment,
    ) -> bool:
        """Add one customer; return False where the id is taken, which ends the transaction."""
        try:
            self._add.run(connection, **self._values(customer_id, attributes, assignment))
        except IntegrityError:
            return False
        return True

    def reserve(self, connection: Connection, customer_id: int) -> None:
        """Let no other transaction add, change or delete a customer of an id until this one ends.

        An id's entry in the unique index is the one lock that adding it takes, too: where there is
        no customer, one is put there for a moment.
        """
        if connection.dialect.name == "sqlite":
            return  # Its one writer is this transaction.
        nobody = dict.fromkeys(self._names, 0)
        query = (
            postgresql_insert(self.table)
            .on_conflict_do_nothing()
            .returning(self.table.c.customer_id)
        )
        values = self._values(customer_id, nobody, Assignment(0, 0))
        while connection.execute(query, values).first() is None:
            if self.find(connection, customer_id, for_update=True) is not None:
                return
        connection.execute(delete(self.table).where(self.table.c.customer_id == customer_id))

    def add_many(
        self,
        connection: Connection,
        ids: IntArray,
        values: FloatArray,
        segments: IntArray,
        epoch: int,
    ) -> None:
        """Add customers whose ids are free: ids (n,), attributes (n, d), segment numbers (n,).

        Raises:
            TransactionConflictError: another transaction took an id meanwhile.
        """
        columns = {
            "customer_id": ids.tolist(),
            **dict(zip(self._names, self._stored_columns(connection, values), strict=True)),
            "segment": segments.tolist(),
        }
        try:
            insert_rows(connection, self.table, columns, {"epoch": epoch})
        except IntegrityError as taken:
            raise TransactionConflictError("Another change took an id; try again soon") from taken

    def change(
        self,
        connection: Connection,
        customer_id: int,
        attributes: Attributes,
        assignment: Assignment,
    ) -> None:
        """Replace all attributes of a customer but days since transactions, and its assignment."""
        values = self._values(customer_id, attributes, assignment)
        self._change.run(connection, id=customer_id, **values)

    def assign(self, connection: Connection, customer_id: int, assignment: Assignment) -> None:
        """Replace a customer's assignment."""
        found = {"segment": assignment.segment, "epoch": assignment.epoch}
        self._assign.run(connection, id=customer_id, **found)

    def change_days(self, connection: Connection, customer_id: int, attributes: Attributes) -> None:
        """Replace how many days ago a customer's transactions were, as attributes tell it."""
        days = nulled({name: attributes[name] for name in self._following.of_days})
        self._change_days.run(connection, id=customer_id, **days)

    def follow(self, connection: Connection, customers: Sequence[dict[str, Any]]) -> None:
        """Let customers tell of all their transactions; see `Following.follow`."""
        self._following.follow(connection, customers)

    def next_changes(self, connection: Connection, customer_id: int) -> dict[str, int]:
        """Return when time may change a customer's attributes; see `Following.next_changes`."""
        return self._following.next_changes(connection, customer_id)

    def refresh(self, connection: Connection, after: int, last: int) -> None:
        """Write what has expired of customers above a number and up to another."""
        statement = self._following.refresh(after, last)
        if statement is not None:
            connection.execute(statement)

    @property
    def of_days(self) -> tuple[str, ...]:
        """The attributes that tell how many days ago transactions were, by name."""
        return self._following.of_days

    def change_many(
        self,
        connection: Connection,
        ids: IntArray,
        values: FloatArray,
        segments: IntArray,
        epoch: int,
    ) -> None:
        """Replace all attributes, (n, d), and the assignments, (n,), of customers who are there."""
        names = [*self._names, "segment", "epoch"]
        connection.execute(
            update(self.table)
            .where(self.table.c.customer_id == bindparam("id"))
            .values({name: bindparam(f"new_{name}") for name in names}),
            [
                {"id": customer_id, "new_segment": segment, "new_epoch": epoch}
                | {f"new_{name}": value for name, value in zip(self._names, row, strict=True)}
                for customer_id, row, segment in zip(
                    ids.tolist(),
                    zip(*self._stored_columns(connection, values), strict=True),
                    segments.tolist(),
                    strict=True,
                )
            ],
        )

    def remove_many(self, connection: Connection, ids: IntArray) -> None:
        """Delete customers, (n,)."""
        connection.execute(
            delete(self.table).where(is_among(connection, self.table.c.customer_id, ids))
        )

    def remove(
        self, connection: Connection, customer_id: int
    ) -> tuple[Attributes, Assignment] | None:
        """Delete a customer; return what it was, or None where there was no such one."""
        rows = self._remove.run(connection, id=customer_id)
        return self._read(rows[0]) if rows else None

    def read_page(
        self, connection: Connection, selection: Selection, limit: int
    ) -> list[tuple[int, Attributes, Assignment]]:
        """Return up to `limit` customers of a selection, in its order."""
        key = self.table.c.customer_id
        query = select(key, *self._row).where(*self._within(selection)).limit(limit)
        if selection.segment is not None:
            query = query.where(self.table.c.segment == selection.segment)
        column = key if selection.sort is None else self._by_name[selection.sort]
        order = column.desc() if selection.descending else column.asc()
        # Who lacks the attribute comes last, either way and in every database.
        lacks = [column.is_(None)] if selection.sort in self._may_lack else []
        query = query.order_by(*lacks, order, key)
        if selection.after is not None:
            last, edge = selection.after.number, selection.after.value
            if edge is None and selection.sort is not None:
                return self._found(connection, query.where(*lacks, key > last))
            if edge is None:
                edge = last
            beyond = column < edge if selection.descending else column > edge
            query = query.where(or_(beyond, and_(column == edge, key > last), *lacks))
        return self._found(connection, query)

    def _found(
        self, connection: Connection, query: Select[Any]
    ) -> list[tuple[int, Attributes, Assignment]]:
        return [(row[0], *self._read(row[1:])) for row in connection.execute(query)]

    def read_selection(
        self, read: ArrowReader, selection: Selection, active: Active
    ) -> Iterator[tuple[StoredCustomers, pa.Array]]:
        """Yield all customers of a selection by rising numbers, with their ids, thousands at once.

        Args:
            read: of the database.
            selection: whose order and limit do not count.
            active: what is active; customers whose rows do not tell their segments by it come
                whatever the rows tell, as their segments are to be given anew.
        """
        query = self._stored_query.where(*self._within(selection))
        if selection.segment is not None:
            settled = active.are_current(self.table.c.customer_id, self.table.c.epoch)
            query = query.where(or_(self.table.c.segment == selection.segment, not_(settled)))
        for found in read(self.ids.told(query, self.table)):
            customers, ids = self.ids.read_told(found)
            yield _stored(customers), ids

    def _within(self, selection: Selection) -> list[ColumnElement[bool]]:
        """Return the conditions on all but the segment."""
        column = self._by_name
        chosen = [] if selection.audience is None else [is_member(self, selection.audience)]
        if selection.campaign is not None:
            drawn = select(campaign_members.c.customer_id).where(
                campaign_members.c.campaign_id == selection.campaign
            )
            chosen.append(self.table.c.customer_id.in_(drawn))
        if selection.agreement is not None:
            chosen.append(has_agreed(self.table.c.customer_id, selection.agreement))
        return [
            *chosen,
            *(column[name] >= value for name, value in selection.least.items()),
            *(column[name] <= value for name, value in selection.most.items()),
            *(column[name].in_(values) for name, values in selection.among.items()),
            *(
                column[name].is_(None) if lacks else column[name].is_not(None)
                for name, lacks in selection.missing.items()
            ),
        ]

    def count(self, connection: Connection) -> int:
        """Return the number of customers."""
        return connection.execute(select(func.count()).select_from(self.table)).scalar_one()

    def find_selected(self, connection: Connection, selection: Selection) -> IntArray:
        """Return the numbers of a selection's customers, (n,), rising.

        Segments are those written down so far.
        """
        key = self.table.c.customer_id
        query = select(key).where(*self._within(selection)).order_by(key)
        if selection.segment is not None:
            query = query.where(self.table.c.segment == selection.segment)
        return np.fromiter(connection.execute(query).scalars(), dtype=np.int64)

    def count_selected(self, connection: Connection, selection: Selection) -> int:
        """Return how many customers a selection has, by the segments written down so far."""
        query = select(func.count()).select_from(self.table).where(*self._within(selection))
        if selection.segment is not None:
            query = query.where(self.table.c.segment == selection.segment)
        return connection.execute(query).scalar_one()

    def greatest_number(self, connection: Connection) -> int:
        """Return the greatest number of a customer, 0 where there is none."""
        query = select(func.max(self.table.c.customer_id))
        return connection.execute(query).scalar_one() or 0

    def read_all(
        self, read: ArrowReader, expected: int, progress: Callable[[int], None] = lambda _done: None
    ) -> StoredCustomers:
        """Return all customers by rising ids, each attribute's values lying together.

        Args:
            read: of the database.
            expected: how many customers there are, about.
            progress: is told how many customers were read so far.
        """
        columns = np.empty((len(self._names), expected))
        whole = np.empty((3, expected), dtype=np.int64)
        done = 0
        for batch in read(self._stored_query):
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

    def read_parts(self, read: ArrowReader) -> Iterator[StoredCustomers]:
        """Yield all customers by rising ids, some thousand at a time."""
        return map(_stored, read(self._stored_query))

    def read_attributes(self, read: ArrowReader) -> Iterator[FloatArray]:
        """Yield all customers' attributes, some thousand rows, (n, d), at a time."""
        return (_table(batch.columns) for batch in read(select(*self._attributes)))

    def read_after(self, read: ArrowReader, customer_id: int, limit: int) -> StoredCustomers:
        """Return customers, `limit` at most, by rising ids above one."""
        batches = list(
            read(self._stored_query.where(self.table.c.customer_id > customer_id).limit(limit))
        )
        return _stored(pa.Table.from_batches(batches)) if batches else self._nobody

    def are_after(self, connection: Connection, customer_id: int) -> bool:
        """Return whether there are customers with ids above one."""
        found = (
            select(self.table.c.customer_id).where(self.table.c.customer_id > customer_id).limit(1)
        )
        return connection.execute(found).first() is not None

    def count_written_before(
        self, connection: Connection, after: int, last: int, epochs: tuple[int, int]
    ) -> tuple[int, int]:
        """Count customers above an id and up to another who were written last before each epoch."""
        before = [func.count().filter(self.table.c.epoch < epoch) for epoch in epochs]
        row = connection.execute(select(*before).where(*self._between(after, last))).one()
        return row[0], row[1]

    def find_written(
        self, connection: Connection, after: int, last: int, since: int, before: int
    ) -> StoredCustomers:
        """Return customers above an id and up to another who were written last between epochs."""
        epochs = [self.table.c.epoch >= since, self.table.c.epoch < before]
        return self._stored_rows(
            connection.execute(self._stored_query.where(*self._between(after, last), *epochs))
        )

    def find_ids_written_before(
        self, connection: Connection, after: int, last: int, epoch: int
    ) -> IntArray:
        """Return the ids, (n,), rising, of customers who were written last before an epoch."""
        query = select(self.table.c.customer_id).order_by(self.table.c.customer_id)
        query = query.where(*self._between(after, last), self.table.c.epoch < epoch)
        return np.fromiter(connection.execute(query).scalars(), dtype=np.int64)

    def reassign(
        self, connection: Connection, ids: IntArray, segments: IntArray, epoch: int
    ) -> None:
        """Set the assignment of many customers: ids (n,), segment numbers (n,)."""
        for segment in np.unique(segments).tolist():
            connection.execute(
                update(self.table)
                .where(is_among(connection, self.table.c.customer_id, ids[segments == segment]))
                .values(segment=segment, epoch=epoch)
            )

    def _between(self, after: int, last: int) -> list[ColumnElement[bool]]:
        return [self.table.c.customer_id > after, self.table.c.customer_id <= last]

    def _values(
        self, customer_id: int, attributes: Attributes, assignment: Assignment
    ) -> dict[str, Number | None]:
        assigned = {"segment": assignment.segment, "epoch": assignment.epoch}
        if self._may_lack:
            # PostgreSQL would keep a NaN as a number.
            return {"customer_id": customer_id, **nulled(attributes), **assigned}
        return {"customer_id": customer_id, **attributes, **assigned}

    def _stored_columns(
        self, connection: Connection, values: FloatArray
    ) -> list[list[Number | None]]:
        """Return attributes, (n, d), as d columns that the database takes."""
        if self._following.of_days:
            places = [self._names.index(name) for name in self._following.of_days]
            values = values.copy()
            values[:, places] = self._following.today(connection) - values[:, places]
        return [
            [None if math.isnan(value) else value for value in column]
            if name in self._may_lack
            else column
            for name, column in zip(self._names, values.T.tolist(), strict=True)
        ]

    def _read(self, row: Sequence[Number]) -> tuple[Attributes, Assignment]:
        *attributes, segment, epoch = row
        plain = [v if type(v) is int else _plain(v) for v in attributes]
        return (
            dict(zip(self._names, plain, strict=True)),
            Assignment(int(segment), int(epoch)),
        )

    def _stored_rows(self, rows: Iterable[Sequence[Number]]) -> StoredCustomers:
        # A 64-bit float holds every id exactly, as ids end at 2^53.
        found: Iterable[Number | None] = chain.from_iterable(rows)
        if self._may_lack:
            found = (math.nan if value is None else value for value in found)
        numbers = np.fromiter(found, dtype=np.float64)
        table = numbers.reshape(-1, 1 + len(self._row))
        whole = table[:, [0, -2, -1]].astype(np.int64)
        return StoredCustomers(whole[:, 0], table[:, 1:-2], whole[:, 1], whole[:, 2])


def is_member(customers: CustomerTable, audience_id: int) -> ColumnElement[bool]:
    """Return the condition that a customer is in an audience."""
    found = select(audience_members.c.customer_id).where(
        audience_members.c.audience_id == audience_id
    )
    return customers.table.c.customer_id.in_(found)


def _plain(value: Number | None) -> Number:
    return math.nan if value is None else plain_number(value)


def _table(columns: Sequence[pa.Array | pa.ChunkedArray]) -> FloatArray:
    """Return columns of numbers as one array, (n, d), in which each column lies together."""
    table = np.empty((len(columns), len(columns[0])))
    for place, column in enumerate(columns):
        table[place] = column.to_numpy(zero_copy_only=False)
    return table.T


def _stored(found: pa.RecordBatch | pa.Table) -> StoredCustomers:
    ids, *attributes, segments, versions = found.columns
    return StoredCustomers(_whole(ids), _table(attributes), _whole(segments), _whole(versions))


def _whole(column: pa.Array | pa.ChunkedArray) -> IntArray:
    numbers: IntArray = column.to_numpy().astype(np.int64, copy=False)
    return numbers
