"""Queries on the schemas of the customers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from customer_segmentation.domain.schema import Schema
from customer_segmentation.store.tables import active_model, customer_table, customers, schemas


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """A schema as it is stored.

    Attributes:
        number: rises with each schema.
        created_at: since when it holds.
        created_by: who gave it, as far as known.
        text: the schema, as TOML.
    """

    number: int
    created_at: datetime
    created_by: str
    text: str


def current(connection: Connection) -> StoredSchema | None:
    """Return the schema that holds, None before the first one."""
    row = connection.execute(
        select(schemas).order_by(schemas.c.number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else StoredSchema(**row._mapping)  # noqa: SLF001


def current_number(connection: Connection) -> int:
    """Return the number of the schema that holds, 0 before the first one."""
    return connection.execute(select(func.max(schemas.c.number))).scalar_one() or 0


def make_customers(connection: Connection, schema: Schema) -> None:
    """Make the table of customers anew, with the columns of a schema; who was in it goes."""
    customers.drop(connection, checkfirst=True)
    customer_table(schema).create(connection)


def add(connection: Connection, text: str, created_at: datetime, created_by: str) -> int:
    """Let a schema hold from this transaction's end on; return its number."""
    number = current_number(connection) + 1
    connection.execute(
        insert(schemas).values(
            number=number, created_at=created_at, created_by=created_by, text=text
        )
    )
    connection.execute(update(active_model).values(schema=number))
    return number
