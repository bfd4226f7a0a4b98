"""Queries on the schemas of the customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    func,
    insert,
    literal,
    select,
    update,
)

from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.store.queries.following import Following
from customer_segmentation.store.tables import active_model, customer_table, customers, schemas


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A schema as it is stored.

    Attributes:
        number: rises with each schema.
        created_at: since when it holds.
        created_by: who gave it, as far as known.
        text: the schema, as TOML.
        continues: by name, what each attribute that goes on was called in the schema before.
    """

    number: int
    created_at: datetime
    created_by: str
    text: str
    continues: dict[str, str]


_KEPT = [schemas.c[name] for name in StoredSchema.__slots__]


def current(connection: Connection) -> StoredSchema | None:
    """Return the schema that holds, None before the first one."""
    row = connection.execute(
        select(*_KEPT).order_by(schemas.c.number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else StoredSchema(**row._mapping)  # noqa: SLF001


def current_number(connection: Connection) -> int:
    """Return the number of the schema that holds, 0 before the first one."""
    return connection.execute(select(func.max(schemas.c.number))).scalar_one() or 0


def versions_before(connection: Connection) -> int:
    """Return the last model version that was given before nothing of before was left."""
    query = select(func.max(schemas.c.versions_before))
    return connection.execute(query).scalar_one() or 0


def make_customers(connection: Connection, schema: Schema) -> None:
    """Make the table of customers anew, with the columns of a schema; who was in it goes."""
    customers.drop(connection, checkfirst=True)
    customer_table(schema).create(connection)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the values of an attribute come from that goes on.

    Attributes:
        name: what it was called.
        numbers: by number that is stored, the one that is to be; others stay.
        fill: for who lacks it; None lets them lack it.
    """

    name: str
    numbers: Mapping[Number, Number]
    fill: Number | None


def rewrite_customers(
    connection: Connection,
    before: Schema,
    after: Schema,
    number: int,
    kept: Mapping[str, Kept],
    added: Mapping[str, Number | None],
) -> None:
    """Write the table of customers anew, with the columns of another schema.

    Args:
        connection: of a transaction that nobody else writes beside.
        before: the schema that holds.
        after: the other.
        number: of the other.
        kept: by attribute that goes on, where its values come from.
        added: by attribute that is new, the value of who is there; None where it is missing.
    """
    # Imported only when there is work to do, as it is big.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    old = customer_table(before)
    # An index of PostgreSQL keeps the name that it was made with, and none may come twice.
    new = customer_table(after, f"customers_{number}")
    new.create(connection)
    told, following = Following(before, old), Following(after, new)
    values = [
        _kept(told.shown(kept[name].name), kept[name]) if name in kept else literal(added[name])
        for name in after.names
    ]
    values = [
        following.stored(value) if name in following.of_days else value
        for name, value in zip(after.names, values, strict=True)
    ]
    columns = [old.c.customer_id, *values, old.c.segment, old.c.epoch]
    names = ["customer_id", *after.names, "segment", "epoch"]
    connection.execute(insert(new).from_select(names, select(*columns)))
    old.drop(connection)
    operations = Operations(MigrationContext.configure(connection))
    operations.rename_table(new.name, old.name)


def _kept(column: ColumnElement[Any], kept: Kept) -> ColumnElement[Any]:
    found = column
    if kept.numbers:
        found = case(dict(kept.numbers), value=column, else_=column)
    return found if kept.fill is None else func.coalesce(found, kept.fill)


def names_since(connection: Connection, number: int, names: Sequence[str]) -> list[str | None]:
    """Return what attributes of a schema are called in the one that holds; None of removed ones.

    Args:
        connection: of a transaction.
        number: of the schema.
        names: of attributes, as it has them.
    """
    query = select(schemas.c.continues).where(schemas.c.number > number).order_by(schemas.c.number)
    found: list[str | None] = list(names)
    for continues in connection.execute(query).scalars():
        later = {old: new for new, old in continues.items()}
        found = [None if name is None else later.get(name) for name in found]
    return found


def add(
    connection: Connection,
    text: str,
    created_at: datetime,
    created_by: str,
    continues: Mapping[str, str],
    versions_before: int = 0,
) -> int:
    """Let a schema hold from this transaction's end on; return its number.

    Args:
        connection: of a transaction.
        text: the schema, as TOML.
        created_at: now.
        created_by: who says so, as far as known.
        continues: by name, what each attribute that goes on was called before.
        versions_before: the last model version that was given, where no model is left.
    """
    number = current_number(connection) + 1
    connection.execute(
        insert(schemas).values(
            number=number,
            created_at=created_at,
            created_by=created_by,
            text=text,
            continues=dict(continues),
            versions_before=versions_before,
        )
    )
    connection.execute(update(active_model).values(schema=number))
    return number
