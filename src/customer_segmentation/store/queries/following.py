"""How columns of customers tell attributes that follow from transactions.

A column holds what does not change by itself. Of days since a transaction it holds the day, in days
since 1970, from which those days follow when it is read. Of an attribute with a window it holds the
value as of the last transaction; from the day on that `expires` tells, the value is counted anew
when it is read, until the daily pass writes it. So every read is exact for the day that is active,
see `store/tables.py`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    ScalarSelect,
    Table,
    Update,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)

from customer_segmentation.domain.attributes import Aggregate, Derivation
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import MICROSECONDS_A_DAY, TransactionSchema
from customer_segmentation.store.bulk import Columns, by_column, given_rows
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import active_model, transactions

_TODAY = active_model.alias("today")
_A_DAY = literal(MICROSECONDS_A_DAY, BigInteger)
_DAY = select(_TODAY.c.day).scalar_subquery()


class _Given(Protocol):
    """Values of a statement, by name."""

    def __getitem__(self, name: str, /) -> ColumnElement[Any]: ...


class Following:
    """The columns of a schema's customers that follow from transactions.

    Attributes:
        of_days: the attributes, by name, that tell how many days ago a transaction was.
        windowed: those that have a window.
        running: those whose values are kept up to date transaction by transaction.
    """

    def __init__(self, schema: Schema, table: Table) -> None:
        """Find them.

        Args:
            schema: of the customers.
            table: of the customers.
        """
        self._schema = schema
        self._table = table
        self._declared = schema.transactions or TransactionSchema()
        self._derivations = {a.name: a.derivation for a in schema.derived if a.derivation}
        self.of_days = tuple(n for n, d in self._derivations.items() if d.is_of_days)
        self.windowed = tuple(n for n, d in self._derivations.items() if d.window is not None)
        self.running = tuple(n for n, d in self._derivations.items() if d.window is None)
        own = {name: table.c[name].type for name in self.running}
        self._given: Columns = {"id": table.c.customer_id.type, **own}
        one = {name: bindparam(name, type_=kind) for name, kind in self._given.items()}
        self._follow = Prepared(self._statement(one))
        self._follow_many = Prepared(self._statement(given_rows(self._given).c))

    def shown(self, name: str) -> ColumnElement[Any]:
        """Return what an attribute is on the day that is active."""
        column = self._table.c[name]
        derivation = self._derivations.get(name)
        if derivation is None:
            return column
        if derivation.is_of_days:
            # Null stays null; what is dated ahead of the active day was today.
            return case((column > _DAY, 0), else_=_DAY - column).label(name)
        if derivation.window is not None:
            has_expired = self._table.c.expires <= _DAY
            return case((has_expired, self._counted(derivation)), else_=column).label(name)
        return column

    def stored(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what is stored of how many days ago a transaction was."""
        return _DAY - value

    def today(self, connection: Connection) -> int:
        """Return the day that is active, in days since 1970."""
        return connection.execute(select(active_model.c.day)).scalar_one()

    def follow(self, connection: Connection, customers: Sequence[dict[str, Any]]) -> None:
        """Let customers' columns tell of all their transactions.

        Args:
            connection: of a transaction in which those are written already.
            customers: for each the number, as `id`, and by name the values of `running`.
        """
        if len(customers) > 1 and connection.dialect.name == "postgresql":
            self._follow_many.run(connection, **by_column(self._given, customers))
        else:
            self._follow.run_many(connection, customers)

    def refresh(self, after: int, last: int) -> Update | None:
        """Return the statement that writes what has expired of customers between two numbers."""
        if not self.windowed:
            return None
        key = self._table.c.customer_id
        return (
            update(self._table)
            .where(key > after, key <= last, self._table.c.expires <= _DAY)
            .values(self._windows())
        )

    def _statement(self, given: _Given) -> Update:
        running = {name: given[name] for name in self.running}
        values = {**running, **self._windows()} or {"customer_id": self._table.c.customer_id}
        return update(self._table).where(self._table.c.customer_id == given["id"]).values(values)

    def _windows(self) -> dict[str, ColumnElement[Any]]:
        if not self.windowed:
            return {}
        counted = {name: self._counted(self._derivations[name]) for name in self.windowed}
        return {**counted, "expires": self._expiry()}

    def _counted(self, derivation: Derivation) -> ColumnElement[Any]:
        """Return what an attribute's window tells of the customer of a row."""
        assert derivation.window is not None  # noqa: S101
        of = transactions.alias("counted")
        unit = self._declared.unit_of_amount
        found = select(_aggregate(of, derivation, unit)).where(
            of.c.customer_id == self._table.c.customer_id,
            _is_within(of, derivation.window),
            *_counts(of, derivation),
        )
        return found.correlate(self._table).scalar_subquery()

    def next_changes(self, connection: Connection, number: int) -> dict[str, int]:
        """Return on which days, since 1970, a transaction leaves attributes' windows, by name.

        Args:
            connection: of a transaction.
            number: of the customer.
        """
        if not self.windowed:
            return {}
        columns = []
        for name in self.windowed:
            derivation = self._derivations[name]
            window = derivation.window or 0
            of = transactions.alias(f"of_{name}")
            first = select(func.min(of.c.time // _A_DAY)).where(
                of.c.customer_id == number, _is_within(of, window), *_counts(of, derivation)
            )
            columns.append((first.scalar_subquery() + window).label(name))
        row = connection.execute(select(*columns)).mappings().one()
        return {name: int(day) for name, day in row.items() if day is not None}

    def _expiry(self) -> ScalarSelect[Any]:
        """Return the day on which the first transaction leaves a window; null if none will."""
        of = transactions.alias("expiring")
        *smaller, largest = self._schema.windows
        within = (
            case(*((_is_within(of, w), w) for w in smaller), else_=largest)
            if smaller
            else (literal(largest))
        )
        found = select(func.min(of.c.time // _A_DAY + within)).where(
            of.c.customer_id == self._table.c.customer_id, _is_within(of, largest)
        )
        return found.correlate(self._table).scalar_subquery()


def _is_within(of: FromClause, window: int) -> ColumnElement[bool]:
    """Tell whether a transaction lies in a window of so many days that ends on the active day."""
    is_within: ColumnElement[bool] = of.c.time >= (_DAY - (window - 1)) * _A_DAY
    return is_within


def _counts(of: FromClause, derivation: Derivation) -> list[ColumnElement[bool]]:
    """Tell which transactions count for an attribute, their time aside."""
    # What is prepared cannot hold a list.
    counts = [
        or_(*(_field(of, name) == text for text in texts))
        for name, texts in derivation.where.items()
    ]
    return [*counts, of.c.amount.is_not(None)] if derivation.of_amounts else counts


def _field(of: FromClause, name: str) -> ColumnElement[str]:
    field: ColumnElement[str] = of.c.kind if name == "kind" else of.c.fields[name].as_string()
    return field


def _aggregate(of: FromClause, derivation: Derivation, unit: int) -> ColumnElement[Any]:
    # As floats that hold the sums exactly, so that both databases and Python divide alike.
    amount, parts = of.c.amount, literal(float(unit), Double)
    match derivation.aggregate:
        case Aggregate.COUNT:
            return func.count()
        case Aggregate.SUM:
            return cast(func.coalesce(func.sum(amount), 0), Double) / parts
        case Aggregate.MEAN:
            count = cast(func.nullif(func.count(), 0), Double)
            return cast(func.sum(amount), Double) / (count * parts)
        case Aggregate.MINIMUM:
            return cast(func.min(amount), Double) / parts
        case Aggregate.MAXIMUM:
            return cast(func.max(amount), Double) / parts
        case Aggregate.DISTINCT:
            return func.count(func.distinct(_field(of, derivation.of or "kind")))
        case _:
            raise AssertionError(f"{derivation.aggregate} has no window")
