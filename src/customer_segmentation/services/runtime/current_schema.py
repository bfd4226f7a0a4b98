"""The schema that holds in a database."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.schema import Schema, check_names
from customer_segmentation.files.schema_file import parse_schema_file, read_text
from customer_segmentation.files.table_source import TableSource
from customer_segmentation.model.artifact import Parameters
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.store.queries import schemas

SHIPPED_SCHEMA = Path(__file__).parents[2] / "schema.toml"
"""The schema of the shipped data set."""


@dataclass(frozen=True, slots=True)
class CurrentSchema:
    """A schema as a database has it.

    Attributes:
        number: rises with each schema; 0 before the first one is stored.
        schema: what a table of customers holds.
        source: how the table is read that it was made from.
        text: both, as TOML.
    """

    number: int
    schema: Schema
    source: TableSource
    text: str

    def says_the_same(self, other: "CurrentSchema") -> bool:
        """Tell whether two say the same, in whatever words."""
        return (self.schema, self.source) == (other.schema, other.source)


def begin_schema(
    connection: Connection, current: CurrentSchema, by: str = "", versions_before: int = 0
) -> int:
    """Let a schema hold in a database without customers; return its number.

    Args:
        connection: of a transaction.
        current: the schema.
        by: who says so, as far as known.
        versions_before: the last model version that was given, where no model is left.
    """
    schemas.make_customers(connection, current.schema)
    return schemas.add(connection, current.text, now(), by, {}, versions_before)


def load_schema(connection: Connection) -> CurrentSchema:
    """Return the schema that holds; the shipped one where none is stored yet.

    Raises:
        SchemaError: it is damaged.
    """
    # `doctor` looks at databases of earlier releases as they are.
    stored = schemas.current(connection) if inspect(connection).has_table("schemas") else None
    if stored is None:
        return unstored_schema()
    return parse_current(stored.text, "that is stored", stored.number)


def unstored_schema() -> CurrentSchema:
    """Return what holds where no schema is stored: that of the shipped data set."""
    return read_current(SHIPPED_SCHEMA)


@cache
def shipped_schema() -> Schema:
    """Return the schema of the shipped data set."""
    return unstored_schema().schema


def read_current(path: Path, number: int = 0) -> CurrentSchema:
    """Return the schema of a file, as it is stored under a number.

    Raises:
        SchemaError: the file cannot be read, or is no schema.
    """
    return parse_current(read_text(path), str(path), number)


def parse_current(text: str, name: str, number: int) -> CurrentSchema:
    """Return the schema that a text holds; arguments and errors as `parse_schema`."""
    return CurrentSchema(number, *parse_schema_file(text, name), text)


def check_attributes(schema: Schema, parameters: Parameters) -> None:
    """See that a training is asked to leave out and to weigh attributes that there are.

    Raises:
        InvalidInputError: it is not, or is to leave out every attribute.
    """
    check_names(schema, parameters.excluded, "exclude")
    check_names(schema, parameters.weights, "weights")
    if set(parameters.excluded) >= set(schema.names):
        message = "exclude must leave the model an attribute"
        raise InvalidInputError([FieldError("exclude", message)])
