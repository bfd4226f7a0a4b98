"""Queries on audiences: rules as conditions of the database, and who is in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.consents import ConsentState
from customer_segmentation.domain.rules import (
    Agreed,
    All,
    Among,
    Compared,
    InSegment,
    Lacking,
    Not,
    Rule,
    SegmentMove,
    SegmentSince,
    Some,
)
from customer_segmentation.store.bulk import is_among, rows_of
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.queries.customers import CustomerTable
from customer_segmentation.store.tables import (
    active_model,
    audience_exports,
    audience_members,
    audience_sizes,
    audiences,
    consents,
    segment_changes,
)


@dataclass(frozen=True, slots=True)
class StoredAudience:
    """An audience as it is stored; see `store/tables.py`."""

    id: int
    name: str
    description: str
    owner: str
    rule: str
    is_frozen: bool
    created_at: datetime
    created_by: str
    checked: str


_COLUMNS = [audiences.c[name] for name in StoredAudience.__slots__]


def condition(
    customers: CustomerTable, rule: Rule | None, today: datetime, *, of_one: bool = False
) -> ColumnElement[bool]:
    """Return what the database answers of a rule, as a condition on the table of customers.

    Args:
        customers: the table.
        rule: without conditions on what the model computes; None is everybody.
        today: when this day began, in UTC.
        of_one: whether one customer is asked about, whose changes are then looked up, and not all
            customers, for whom the changes of everybody are collected once.
    """
    return true() if rule is None else _Conditions(customers, today, of_one=of_one).of(rule)


class _Conditions:
    """Conditions on a table of customers, as of a day."""

    def __init__(self, customers: CustomerTable, today: datetime, *, of_one: bool) -> None:
        self._customers = customers
        self._today = today
        self._of_one = of_one

    def of(self, rule: Rule) -> ColumnElement[bool]:
        match rule:
            case Compared(attribute, compared, value):
                found: ColumnElement[bool] = compared.holds(self._customers.shown(attribute), value)
                return found
            case Among(attribute, values):
                return or_(*(self._customers.shown(attribute) == value for value in values))
            case Lacking(attribute):
                return self._customers.shown(attribute).is_(None)
            case InSegment(segments):
                return or_(*(self._customers.table.c.segment == number for number in segments))
            case SegmentSince(days):
                return self._moved(days, true())
            case SegmentMove(entered, segment, days):
                side = segment_changes.c.to_segment if entered else segment_changes.c.from_segment
                return self._moved(days, side == segment)
            case Agreed(purpose, channel):
                return self._is_in(
                    select(consents.c.customer_id).where(
                        consents.c.purpose == purpose,
                        consents.c.channel == channel,
                        consents.c.state == str(ConsentState.GRANTED),
                    )
                )
            case All(conditions):
                return and_(*map(self.of, conditions))
            case Some(conditions):
                return or_(*map(self.of, conditions))
            case Not(other):
                return not_(self.of(other))
        raise AssertionError(f"The database does not know {type(rule).__name__}")

    def _moved(self, days: int, side: ColumnElement[bool]) -> ColumnElement[bool]:
        """Return whether a customer changed its segment so on one of the last days."""
        left, entered = segment_changes.c.from_segment, segment_changes.c.to_segment
        is_recent = segment_changes.c.changed_at >= self._today - timedelta(days=days - 1)
        if self._of_one:
            # Else SQLite may look through everybody's changes of these days, by their index.
            is_recent = _as_number(is_recent) == 1
        return self._is_in(
            select(segment_changes.c.customer_id).where(
                is_recent, left.is_distinct_from(entered), side
            )
        )

    def _is_in(self, found: Select[Any]) -> ColumnElement[bool]:
        key = self._customers.table.c.customer_id
        if not self._of_one:
            return key.in_(found)
        (whose,) = found.selected_columns
        return found.where(whose == key).correlate(self._customers.table).exists()


class _Listed(FunctionElement[str]):
    """Numbers of several rows as one text, with commas between them; nothing where there is none.

    What SQLAlchemy has for it takes the comma as a value that is put in late, see `Prepared`.
    """

    type = String()
    inherit_cache = True


@compiles(_Listed, "sqlite")
def _list_in_sqlite(element: _Listed, compiler: SQLCompiler, **given: Any) -> str:  # noqa: ANN401
    return f"group_concat({compiler.process(element.clauses, **given)})"


@compiles(_Listed, "postgresql")
def _list_in_postgresql(element: _Listed, compiler: SQLCompiler, **given: Any) -> str:  # noqa: ANN401
    return f"string_agg({compiler.process(element.clauses, **given)}::text, ',')"


class MembershipQuery:
    """Which audiences a customer is in, and which it is to be in, asked at once.

    A write asks this, so it is one prepared statement whatever the number of audiences.
    """

    def __init__(
        self, customers: CustomerTable, conditions: Mapping[int, ColumnElement[bool]]
    ) -> None:
        """Compile nothing yet.

        Args:
            customers: the table.
            conditions: of each dynamic audience, by its id.
        """
        self._ids, self._known = tuple(conditions), frozenset(conditions)
        table, of = customers.table, audience_members
        one = select(cast(bindparam("id"), BigInteger).label("number")).subquery()
        is_there = table.c.customer_id.is_not(None)
        own = select(_Listed(of.c.audience_id)).where(of.c.customer_id == one.c.number)
        holds = [_as_number(and_(is_there, held)) for held in conditions.values()]
        joined = one.outerjoin(table, table.c.customer_id == one.c.number)
        columns = [table.c.segment, own.scalar_subquery(), *holds]
        self._query = Prepared(select(*columns).select_from(joined))

    def ask(self, connection: Connection, number: int) -> tuple[int | None, set[int], set[int]]:
        """Return a customer's segment, the audiences that it is in, and those it is to be in."""
        ((segment, own, *holds),) = self._query.run(connection, id=number)
        before = {int(one) for one in own.split(",")} & self._known if own else set()
        after = {one for one, yes in zip(self._ids, holds, strict=True) if yes}
        return segment, before, after


def _as_number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def find_matching(
    connection: Connection,
    customers: CustomerTable,
    held: ColumnElement[bool],
    numbers: IntArray | tuple[int, int],
) -> tuple[IntArray, IntArray]:
    """Return the numbers, (n,), rising, and the segments, (n,), of customers who meet a condition.

    Args:
        connection: of a transaction.
        customers: the table.
        held: the condition.
        numbers: among these, or among those above the first and up to the second.
    """
    key = customers.table.c.customer_id
    query = select(key, customers.table.c.segment).where(_among(connection, key, numbers), held)
    return _pairs(connection, query.order_by(key))


def find_members(
    connection: Connection, audience_id: int, numbers: IntArray | tuple[int, int]
) -> IntArray:
    """Return who of some customers is in an audience, (n,), rising; `numbers` as above."""
    key = audience_members.c.customer_id
    query = select(key).where(
        audience_members.c.audience_id == audience_id, _among(connection, key, numbers)
    )
    return np.sort(np.fromiter(connection.execute(query).scalars(), dtype=np.int64))


def _among(
    connection: Connection,
    key: ColumnElement[int],
    numbers: IntArray | tuple[int, int],
) -> ColumnElement[bool]:
    if isinstance(numbers, tuple):
        return and_(key > numbers[0], key <= numbers[1])
    return is_among(connection, key, numbers)


def _pairs(connection: Connection, query: Select[Any]) -> tuple[IntArray, IntArray]:
    rows = connection.execute(query).all()
    table = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def of_customer(connection: Connection, number: int) -> list[int]:
    """Return the ids of the audiences that a customer is in."""
    of = audience_members.c
    query = select(of.audience_id).where(of.customer_id == number).order_by(of.audience_id)
    return [*connection.execute(query).scalars()]


_ENTER = Prepared(insert(audience_members).inline(), ["audience_id", "customer_id"])
_LEAVE = Prepared(
    delete(audience_members).where(
        audience_members.c.audience_id == bindparam("audience"),
        audience_members.c.customer_id == bindparam("number"),
    )
)


def enter_one(connection: Connection, audience_id: int, number: int) -> None:
    """Put a customer who is not in an audience into it."""
    _ENTER.run(connection, audience_id=audience_id, customer_id=number)


def leave_one(connection: Connection, audience_id: int, number: int) -> None:
    """Take a customer out of an audience."""
    _LEAVE.run(connection, audience=audience_id, number=number)


def enter(connection: Connection, audience_id: int, numbers: IntArray) -> None:
    """Put customers, (n,), who are not in an audience into it."""
    rows = rows_of(connection, numbers).subquery()
    (value,) = rows.c
    query = select(literal(audience_id), value)
    connection.execute(insert(audience_members).from_select(["audience_id", "customer_id"], query))


def leave(connection: Connection, audience_id: int, numbers: IntArray) -> None:
    """Take customers, (n,), out of an audience."""
    connection.execute(
        delete(audience_members).where(
            audience_members.c.audience_id == audience_id,
            is_among(connection, audience_members.c.customer_id, numbers),
        )
    )


def fill(
    connection: Connection, customers: CustomerTable, audience_id: int, held: ColumnElement[bool]
) -> None:
    """Put all customers who meet a condition into a new audience."""
    query = select(literal(audience_id), customers.table.c.customer_id).where(held)
    connection.execute(insert(audience_members).from_select(["audience_id", "customer_id"], query))


def find_exported(connection: Connection, audience_id: int) -> IntArray:
    """Return who was in an audience when its changes were exported last, (n,), rising."""
    of = audience_exports.c
    query = select(of.customer_id).where(of.audience_id == audience_id)
    return np.sort(np.fromiter(connection.execute(query).scalars(), dtype=np.int64))


def note_exported(
    connection: Connection, audience_id: int, added: IntArray, removed: IntArray
) -> None:
    """Note by whom, (n,), and without whom, (m,), an audience has changed in an export."""
    of = audience_exports.c
    connection.execute(
        delete(audience_exports).where(
            of.audience_id == audience_id, is_among(connection, of.customer_id, removed)
        )
    )
    (value,) = rows_of(connection, added).subquery().c
    query = select(literal(audience_id), value)
    connection.execute(insert(audience_exports).from_select(["audience_id", "customer_id"], query))


def count_members(connection: Connection) -> dict[int, int]:
    """Return how many customers each audience has that has any."""
    key = audience_members.c.audience_id
    rows = connection.execute(select(key, func.count()).group_by(key))
    return {int(audience_id): int(count) for audience_id, count in rows}


def count_members_of(connection: Connection, audience_id: int) -> int:
    """Return how many customers an audience has."""
    query = select(func.count()).where(audience_members.c.audience_id == audience_id)
    return connection.execute(query).scalar_one()


def everybody() -> ColumnElement[bool]:
    """Return the condition that every customer meets."""
    return true()


def count_by_segment(
    connection: Connection, customers: CustomerTable, held: ColumnElement[bool]
) -> dict[int, int]:
    """Return how many customers meet a condition, by the number of their segment."""
    segment = customers.table.c.segment
    rows = connection.execute(select(segment, func.count()).where(held).group_by(segment))
    return {int(number): int(count) for number, count in rows}


def count_shared(connection: Connection, audience_id: int) -> dict[int, int]:
    """Return how many of an audience's customers are in each other one too."""
    own, other = audience_members.alias("own"), audience_members.alias("other")
    rows = connection.execute(
        select(other.c.audience_id, func.count())
        .select_from(own.join(other, own.c.customer_id == other.c.customer_id))
        .where(own.c.audience_id == audience_id, other.c.audience_id != audience_id)
        .group_by(other.c.audience_id)
    )
    return {int(number): int(count) for number, count in rows}


def read_all(connection: Connection) -> list[StoredAudience]:
    """Return all audiences, the oldest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(audiences.c.id))
    return [StoredAudience(*row) for row in rows]


def find(connection: Connection, audience_id: int) -> StoredAudience | None:
    """Return an audience, None where there is none of this id."""
    row = connection.execute(select(*_COLUMNS).where(audiences.c.id == audience_id)).first()
    return None if row is None else StoredAudience(*row)


def add(connection: Connection, values: Mapping[str, object]) -> int | None:
    """Store an audience; return its id, or None, which ends the transaction: its name is taken."""
    try:
        done = connection.execute(insert(audiences).values(values))
    except IntegrityError:
        return None
    assert done.inserted_primary_key is not None  # noqa: S101
    return int(done.inserted_primary_key[0])


def change(connection: Connection, audience_id: int, values: Mapping[str, object]) -> bool:
    """Change an audience; return False where the name is taken, which ends the transaction."""
    query = update(audiences).where(audiences.c.id == audience_id).values(values)
    try:
        connection.execute(query)
    except IntegrityError:
        return False
    return True


def remove(connection: Connection, audience_id: int) -> None:
    """Delete an audience, and who was in it."""
    for table in (audience_members, audience_sizes, audience_exports):
        connection.execute(delete(table).where(table.c.audience_id == audience_id))
    connection.execute(delete(audiences).where(audiences.c.id == audience_id))


def raise_edition(connection: Connection) -> None:
    """Let each later write see that the dynamic audiences are others."""
    connection.execute(update(active_model).values(audiences=active_model.c.audiences + 1))


def note_sizes(connection: Connection, day: int, sizes: Mapping[int, int]) -> None:
    """Note how many customers audiences have on a day, in place of what was noted of it before."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    for audience_id, size in sizes.items():
        added: Any = make(audience_sizes).values(audience_id=audience_id, day=day, size=size)
        connection.execute(
            added.on_conflict_do_update(
                index_elements=["audience_id", "day"], set_={"size": added.excluded.size}
            )
        )


def read_sizes(connection: Connection, audience_id: int) -> list[tuple[int, int]]:
    """Return an audience's days and how many customers it had, the oldest first."""
    query = (
        select(audience_sizes.c.day, audience_sizes.c.size)
        .where(audience_sizes.c.audience_id == audience_id)
        .order_by(audience_sizes.c.day)
    )
    return [(day, size) for day, size in connection.execute(query)]


def measure(
    connection: Connection, customers: CustomerTable, held: ColumnElement[bool]
) -> Sequence[Any]:
    """Return how many customers meet a condition, and of each attribute the mean and how many
    have it.
    """
    columns = [customers.shown(name) for name in customers.schema.names]
    figures = [figure for column in columns for figure in (func.avg(column), func.count(column))]
    return connection.execute(select(func.count(), *figures).where(held)).one()


def count_values(
    connection: Connection, customers: CustomerTable, name: str, held: ColumnElement[bool]
) -> dict[int, int]:
    """Return how many customers who meet a condition have each value of an attribute."""
    column = customers.shown(name)
    rows = connection.execute(select(column, func.count()).where(held).group_by(column))
    return {int(value): count for value, count in rows if value is not None}
