"""What customers' ids are inside: numbers.

Everything about a customer is kept under a number. Where the schema's ids are integers, that is the
id itself. Where they are texts, an id gets the next number when the first customer of that id comes
and keeps it for good: the same customer deleted and added again goes on with its history.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from sqlalchemy import (
    Connection,
    FromClause,
    Select,
    Table,
    bindparam,
    delete,
    func,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import Insert as PostgreSQLInsert
from sqlalchemy.dialects.sqlite import Insert as SQLiteInsert
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.arrays import IdArray, IntArray
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import TransactionConflictError
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.schema import Schema
from customer_segmentation.store.bulk import insert_rows, is_among, rows_of
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import customer_ids, erasures, segment_changes

_BEGUN = "All customers were replaced meanwhile; try again soon"

NOBODY = 0
"""The number of no customer."""

_NUMBER, _TEXT = customer_ids.c.number, customer_ids.c.id
_FIND = Prepared(select(_NUMBER).where(bindparam("id") == _TEXT))
_INSERT: dict[str, Callable[[Table], SQLiteInsert | PostgreSQLInsert]] = {
    "sqlite": SQLiteInsert,
    "postgresql": PostgreSQLInsert,
}
_TAKE = {
    dialect: Prepared(to(customer_ids).on_conflict_do_nothing().returning(_NUMBER), ["id"])
    for dialect, to in _INSERT.items()
}


class Numbering(Protocol):
    """Numbers for customers who are not stored yet."""

    def take(self, ids: IdArray) -> IntArray:
        """Return the numbers, (n,), of ids, (n,): the next ones of those that had none."""

    def ids_of(self, numbers: IntArray) -> IdArray:
        """Return the ids, (n,), of numbers that were taken, (n,)."""


class Ids(Protocol):
    """The numbers that customers' ids are inside.

    Attributes:
        dtype: of an array of ids.
    """

    dtype: np.dtype[Any]

    def number_of(self, connection: Connection, customer_id: CustomerId) -> int | None:
        """Return the number of an id; None of an id that no customer ever had."""

    def take(self, connection: Connection, customer_id: CustomerId) -> int:
        """Return the number of an id, the next one where it had none.

        Another transaction that takes the same new id waits until this one ends.

        Raises:
            TransactionConflictError: another transaction begins the ids anew.
        """

    def numbers_of(self, connection: Connection, ids: IdArray) -> IntArray:
        """Return the numbers, (n,), of ids, (n,); `NOBODY` of those that no customer ever had."""

    def take_many(self, connection: Connection, ids: IdArray) -> IntArray:
        """Return the numbers, (n,), of different ids, (n,): the next ones of those that had none.

        Raises:
            TransactionConflictError: another transaction begins the ids anew.
        """

    def ids_of(self, connection: Connection, numbers: Sequence[int]) -> list[CustomerId]:
        """Return the id of each number."""

    def joined(self, left: FromClause, customers: Table) -> FromClause:
        """Join a table with the customer of the id that is bound as `id`, if there is one."""

    def told(self, customers: Select[tuple[int]], table: Table) -> Select[tuple[int]]:
        """Add to a query of many customers what `read_told` reads."""

    def read_told(self, found: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """Split rows that such a query found from the customers' ids, (n,)."""

    def numbering(self, connection: Connection) -> Numbering:
        """Return numbers for the first customers, where nothing but erasures is kept."""

    def begin(self, connection: Connection, numbers: IntArray, ids: IdArray) -> None:
        """Keep such numbers, (n,), of different ids, (n,), in place of all that are not erasures'.

        Raises:
            TransactionConflictError: a customer was erased since.
        """


class IntegerIds:
    """Ids that are integers, each of which is its own number."""

    dtype = np.dtype(np.int64)

    def number_of(self, _connection: Connection, customer_id: CustomerId) -> int | None:
        return int(customer_id)

    def take(self, _connection: Connection, customer_id: CustomerId) -> int:
        return int(customer_id)

    def numbers_of(self, _connection: Connection, ids: IdArray) -> IntArray:
        return ids

    def take_many(self, _connection: Connection, ids: IdArray) -> IntArray:
        return ids

    def ids_of(self, _connection: Connection, numbers: Sequence[int]) -> list[CustomerId]:
        return [*numbers]

    def joined(self, left: FromClause, customers: Table) -> FromClause:
        return left.outerjoin(customers, customers.c.customer_id == bindparam("id"))

    def told(self, customers: Select[tuple[int]], _table: Table) -> Select[tuple[int]]:
        return customers

    def read_told(self, found: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        return found, found.column(0)

    def numbering(self, _connection: Connection) -> Numbering:
        return _SameNumbers()

    def begin(self, connection: Connection, numbers: IntArray, ids: IdArray) -> None:
        """Leave all as it is."""


class TextIds:
    """Ids that are texts, whose numbers are kept in a table of their own."""

    dtype = np.dtype(np.object_)

    def number_of(self, connection: Connection, customer_id: CustomerId) -> int | None:
        rows = _FIND.run(connection, id=customer_id)
        return int(rows[0][0]) if rows else None

    def take(self, connection: Connection, customer_id: CustomerId) -> int:
        rows = _TAKE[connection.dialect.name].run(connection, id=customer_id)
        number = int(rows[0][0]) if rows else self.number_of(connection, customer_id)
        if number is None:
            raise TransactionConflictError(_BEGUN)
        return number

    def numbers_of(self, connection: Connection, ids: IdArray) -> IntArray:
        query = select(_TEXT, _NUMBER).where(is_among(connection, _TEXT, ids))
        known: dict[str, int] = dict(connection.execute(query).all())
        found = (known.get(customer_id, NOBODY) for customer_id in ids.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(ids))

    def take_many(self, connection: Connection, ids: IdArray) -> IntArray:
        numbers = self.numbers_of(connection, ids)
        new = np.flatnonzero(numbers == NOBODY)
        if len(new) == 0:
            return numbers
        # SQLite would read ON as a join's, were there no WHERE.
        rows = rows_of(connection, ids[new]).where(true())
        to = _INSERT[connection.dialect.name](customer_ids)
        taken = to.from_select(["id"], rows).on_conflict_do_nothing().returning(_TEXT, _NUMBER)
        given: dict[str, int] = dict(connection.execute(taken).all())
        numbers[new] = [given.get(customer_id, NOBODY) for customer_id in ids[new].tolist()]
        # Others may have taken some at the same time.
        late = np.flatnonzero(numbers == NOBODY)
        if len(late):
            numbers[late] = self.numbers_of(connection, ids[late])
        if NOBODY in numbers:
            raise TransactionConflictError(_BEGUN)
        return numbers

    def ids_of(self, connection: Connection, numbers: Sequence[int]) -> list[CustomerId]:
        if not numbers:
            return []
        asked = np.unique(np.array(numbers, dtype=np.int64))
        query = select(_NUMBER, _TEXT).where(is_among(connection, _NUMBER, asked))
        known: dict[int, str] = dict(connection.execute(query).all())
        # Where the demonstration had integers, who was erased of it may have no text.
        return [known.get(number, str(number)) for number in numbers]

    def joined(self, left: FromClause, customers: Table) -> FromClause:
        known = left.outerjoin(customer_ids, bindparam("id") == _TEXT)
        return known.outerjoin(customers, customers.c.customer_id == _NUMBER)

    def told(self, customers: Select[tuple[int]], table: Table) -> Select[tuple[int]]:
        return customers.add_columns(_TEXT).join(customer_ids, table.c.customer_id == _NUMBER)

    def read_told(self, found: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        *rest, ids = found.columns
        return pa.record_batch(rest, names=found.schema.names[:-1]), ids

    def numbering(self, connection: Connection) -> Numbering:
        return _NewNumbers(self._read_kept(connection))

    def begin(self, connection: Connection, numbers: IntArray, ids: IdArray) -> None:
        kept = self._read_kept(connection)
        connection.execute(delete(customer_ids))
        columns = {
            "number": [*kept.values(), *numbers.tolist()],
            "id": [*kept.keys(), *ids.tolist()],
        }
        try:
            insert_rows(connection, customer_ids, columns, {})
        except IntegrityError as taken:
            raise TransactionConflictError("A customer was erased meanwhile") from taken
        if connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(customer_ids.name, _NUMBER.name)
            connection.execute(select(func.setval(sequence, func.max(_NUMBER))))

    def _read_kept(self, connection: Connection) -> dict[str, int]:
        """Return the numbers, by id, of who was erased, which stay whoever comes."""
        erased = union(
            select(erasures.c.customer_id),
            select(segment_changes.c.customer_id).where(
                segment_changes.c.cause == str(Cause.ERASED)
            ),
        ).subquery()
        number = erased.c.customer_id
        query = select(number, _TEXT).outerjoin_from(erased, customer_ids, number == _NUMBER)
        # Before this the ids may have been integers.
        return {text or str(found): found for found, text in connection.execute(query)}


class _SameNumbers:
    """Integers, which are their own numbers."""

    def take(self, ids: IdArray) -> IntArray:
        return ids

    def ids_of(self, numbers: IntArray) -> IdArray:
        return numbers


class _NewNumbers:
    """Numbers of texts, beginning after those of a few that are known."""

    def __init__(self, known: dict[str, int]) -> None:
        self._numbers = known
        self._next = max(known.values(), default=NOBODY) + 1

    def take(self, ids: IdArray) -> IntArray:
        numbers = np.empty(len(ids), dtype=np.int64)
        for place, customer_id in enumerate(ids.tolist()):
            number = self._numbers.setdefault(customer_id, self._next)
            self._next += number == self._next
            numbers[place] = number
        return numbers

    def ids_of(self, numbers: IntArray) -> IdArray:
        by_number = np.empty(self._next, dtype=np.object_)
        by_number[[*self._numbers.values()]] = [*self._numbers]
        return by_number[numbers]


def ids_of_schema(schema: Schema) -> Ids:
    """Return what the ids of a schema's customers are inside."""
    return TextIds() if schema.id.is_text else IntegerIds()
