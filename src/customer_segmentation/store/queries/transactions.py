"""Queries on transactions, and on what is kept of each customer's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.errors import TransactionConflictError
from customer_segmentation.domain.transactions import State, Transaction
from customer_segmentation.store.bulk import Columns, by_column, given_rows, is_among
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import activity, transactions

States = dict[str, State]
"""By attribute, what is kept of a customer's transactions."""

_decoder, _encoder = msgspec.json.Decoder(States), msgspec.json.Encoder()
_ROW = list(transactions.c)
_OF_CUSTOMER = select(*_ROW).where(transactions.c.customer_id == bindparam("number"))
_FIND = Prepared(
    # Of JSON one driver makes objects, and the other none.
    select(*_ROW[:-1], cast(transactions.c.fields, Text)).where(
        transactions.c.id == bindparam("id")
    )
)
_ACTIVITY = Prepared(
    select(activity.c.until, activity.c.carried, activity.c.states).where(
        activity.c.customer_id == bindparam("id")
    )
)
_HAS_ANY = Prepared(
    union_all(
        *(
            select(table.c.customer_id).where(table.c.customer_id == bindparam("id"))
            for table in (activity, transactions)
        )
    )
)


class _Inserting:
    """Inserts one row or many.

    SQLite takes them one by one, PostgreSQL together.
    """

    def __init__(self, table: Table, replaced: Sequence[str] = ()) -> None:
        """Prepare the statements.

        Args:
            table: where to; JSON comes as text.
            replaced: columns that are replaced where there is a row of the same key.
        """
        kinds = {one.name: Text() if isinstance(one.type, JSON) else one.type for one in table.c}
        self._kinds: Columns = kinds
        one = {name: bindparam(name, type_=kind) for name, kind in kinds.items()}
        given = given_rows(kinds).c
        query = select(*(_as_json(column, given[column.name]) for column in table.c))
        as_json = {column.name: _as_json(column, one[column.name]) for column in table.c}
        self._one = {
            name: Prepared(_replacing(statement, table, replaced))
            for name, statement in (
                ("sqlite", sqlite_insert(table).values(one)),
                ("postgresql", postgresql_insert(table).values(as_json)),
            )
        }
        many = postgresql_insert(table).from_select([*kinds], query)
        self._many = Prepared(_replacing(many, table, replaced))

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows, by name of the column."""
        dialect = connection.dialect.name
        if len(rows) > 1 and dialect == "postgresql":
            self._many.run(connection, **by_column(self._kinds, rows))
        else:
            self._one[dialect].run_many(connection, rows)


def _as_json(column: Column[Any], text: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(text, JSON) if isinstance(column.type, JSON) else text


def _replacing(statement: Any, table: Table, replaced: Sequence[str]) -> Any:  # noqa: ANN401
    if not replaced:
        return statement
    values = {name: statement.excluded[name] for name in replaced}
    key = [*table.primary_key]
    return statement.on_conflict_do_update(index_elements=key, set_=values)


_ADD = _Inserting(transactions)
_SAVE = _Inserting(activity, ("until", "carried", "states"))


@dataclass(frozen=True, slots=True)
class Activity:
    """What is kept of a customer's transactions.

    Attributes:
        until: transactions until then, in microseconds since 1970, are not kept any longer.
        carried: what follows from those, by how it follows: an attribute's name may come to mean
            something else.
        states: what follows from all.
    """

    until: int
    carried: States
    states: States


def find(connection: Connection, ids: Sequence[str]) -> dict[str, Transaction]:
    """Return those transactions of some ids who are there, by id."""
    query = select(*_ROW).where(is_among(connection, transactions.c.id, _texts(ids)))
    return {row[0]: _transaction(row) for row in connection.execute(query)}


def find_one(connection: Connection, transaction_id: str) -> Transaction | None:
    """Return a transaction of an id."""
    rows = _FIND.run(connection, id=transaction_id)
    if not rows:
        return None
    *values, fields = rows[0]
    return _transaction([*values, msgspec.json.decode(fields) if fields else None])


def add(connection: Connection, taken: Iterable[Transaction]) -> None:
    """Add transactions; each tells the number that its customer is inside.

    Raises:
        TransactionConflictError: another transaction of the database has just added one of them.
    """
    rows = [
        {
            "id": one.transaction_id,
            "customer_id": one.customer_id,
            "time": one.time,
            "amount": one.amount,
            "kind": one.kind,
            "fields": _encoder.encode(one.fields).decode() if one.fields else None,
        }
        for one in taken
    ]
    try:
        _ADD.run(connection, rows)
    except IntegrityError as error:
        raise TransactionConflictError("Another request adds it too; try again") from error


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Remove transactions."""
    is_one = is_among(connection, transactions.c.id, _texts(ids))
    connection.execute(delete(transactions).where(is_one))


def largest_customer(connection: Connection) -> int:
    """Return the largest number of a customer with transactions; 0 where there are none."""
    return connection.execute(select(func.max(transactions.c.customer_id))).scalar_one() or 0


def customers_with_older(connection: Connection, numbers: range, time: int, limit: int) -> IntArray:
    """Return which customers have transactions of before a time, (n,), rising.

    Args:
        connection: of a transaction.
        numbers: among which they are.
        time: in microseconds since 1970.
        limit: how many transactions to look at, at most.
    """
    customer_id = transactions.c.customer_id
    older = (
        select(customer_id)
        .where(customer_id >= numbers.start, customer_id < numbers.stop)
        .where(transactions.c.time < time)
        .order_by(customer_id)
        .limit(limit)
    )
    return np.unique(np.array([*connection.execute(older).scalars()], dtype=np.int64))


def read_older(
    connection: Connection, numbers: IntArray, time: int, limit: int
) -> list[Transaction]:
    """Return up to `limit` transactions of customers, (n,), of before a time."""
    query = (
        select(*_ROW)
        .where(is_among(connection, transactions.c.customer_id, numbers))
        .where(transactions.c.time < time)
        .order_by(transactions.c.customer_id)
        .limit(limit)
    )
    return [_transaction(row) for row in connection.execute(query)]


def of_customers(connection: Connection, numbers: IntArray) -> dict[int, list[Transaction]]:
    """Return all transactions of many customers, (n,), by their numbers, in no order."""
    found: dict[int, list[Transaction]] = {number: [] for number in numbers.tolist()}
    query = select(*_ROW).where(is_among(connection, transactions.c.customer_id, numbers))
    for row in connection.execute(query):
        one = _transaction(row)
        found[int(one.customer_id)].append(one)
    return found


def read_page(
    connection: Connection, number: int, after: tuple[int, str] | None, limit: int
) -> list[Transaction]:
    """Return up to `limit` transactions of a customer, the newest first.

    Args:
        connection: of a transaction.
        number: of the customer.
        after: the time and the id of the last one of the page before.
        limit: how many at most.
    """
    time, key = transactions.c.time, transactions.c.id
    query = _OF_CUSTOMER.order_by(time.desc(), key.desc()).limit(limit)
    if after is not None:
        query = query.where(or_(time < after[0], and_(time == after[0], key < after[1])))
    return [_transaction(row) for row in connection.execute(query, {"number": number})]


def has_any(connection: Connection, number: int) -> bool:
    """Return whether a customer has transactions or had some."""
    return bool(_HAS_ANY.run(connection, id=number))


def numbers_with_any(connection: Connection, numbers: IntArray) -> IntArray:
    """Return which of many customers, (n,), have transactions or had some, (m,), rising."""
    found: set[int] = set()
    for table in (transactions, activity):
        query = select(table.c.customer_id).where(
            is_among(connection, table.c.customer_id, numbers)
        )
        found.update(connection.execute(query.distinct()).scalars())
    return np.array(sorted(found), dtype=np.int64)


def has_carried(connection: Connection) -> bool:
    """Return whether totals of transactions outlive them."""
    query = select(activity.c.customer_id).where(activity.c.until > 0).limit(1)
    return connection.execute(query).first() is not None


def count(connection: Connection) -> int:
    """Return how many transactions are kept."""
    return connection.execute(select(func.count()).select_from(transactions)).scalar_one()


def read_activity(connection: Connection, numbers: IntArray) -> dict[int, Activity]:
    """Return what is kept of the transactions of those of many customers, (n,), who have any."""
    query = select(activity).where(is_among(connection, activity.c.customer_id, numbers))
    return {
        number: Activity(until, _states(carried), _states(states))
        for number, until, carried, states in connection.execute(query)
    }


def activity_of(connection: Connection, number: int) -> Activity | None:
    """Return what is kept of a customer's transactions; None of one who never had any."""
    rows = _ACTIVITY.run(connection, id=number)
    if not rows:
        return None
    until, carried, states = rows[0]
    return Activity(until, _states(carried), _states(states))


def save_activity(connection: Connection, kept: Mapping[int, Activity]) -> None:
    """Replace what is kept of customers' transactions, by their numbers."""
    rows = [
        {
            "customer_id": number,
            "until": one.until,
            "carried": _text(one.carried),
            "states": _text(one.states),
        }
        for number, one in kept.items()
    ]
    _SAVE.run(connection, rows)


def forget_activity(connection: Connection, number: int) -> None:
    """Remove what is kept of the transactions of a customer who has none any longer."""
    connection.execute(delete(activity).where(activity.c.customer_id == number))


def next_customers(connection: Connection, after: int, limit: int) -> IntArray:
    """Return customers' numbers above one, (n,), rising, who have transactions or had some."""
    found: set[int] = set()
    for table in (transactions, activity):
        query = (
            select(table.c.customer_id)
            .where(table.c.customer_id > after)
            .distinct()
            .order_by(table.c.customer_id)
            .limit(limit)
        )
        found.update(connection.execute(query).scalars())
    return np.array(sorted(found)[:limit], dtype=np.int64)


def _transaction(row: Sequence[Any]) -> Transaction:
    key, number, time, amount, kind, fields = row
    return Transaction(key, number, time, amount, kind, fields or {})


def _texts(ids: Sequence[str]) -> np.ndarray[Any, np.dtype[Any]]:
    return np.array(ids, dtype=object)


def _states(text: str) -> States:
    return {} if text == "{}" else _decoder.decode(text)


def _text(states: States) -> str:
    return _encoder.encode(states).decode()
