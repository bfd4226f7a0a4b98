"""Tables that Spark reads, from Parquet or by JDBC, and their rows once they are checked."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.spark.session import BatchFunction, faults_told, map_batches
from customer_segmentation.model.monitoring.fingerprint import number_ids

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FETCHED = 10_000
"""Rows that a JDBC driver takes at a time; PostgreSQL's takes the whole table unless told."""

JDBC = "jdbc:"

_DRIVERS = {"jdbc:postgresql:": "org.postgresql.Driver"}
"""Spark finds a driver among the jars that it was told of by its class only."""


@dataclass(frozen=True, slots=True)
class TableLocation:
    """Where a table is.

    Attributes:
        source: a path or a pattern of Parquet, or a JDBC URL.
        table: of the database that a JDBC URL names.
        user: of that database; empty where the URL or nothing says.
        password: of that user.
    """

    source: str
    table: str | None = None
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What messages call the table."""
        return self.source if self.table is None else f"{self.table} of {self.source}"


@dataclass(frozen=True, eq=False, slots=True)
class CheckedRows:
    """The customers among some rows, and why others are none.

    Attributes:
        ids: (n,), of int64, or Python's texts where the schema's ids are.
        values: (n, d), the values of the schema's attributes, as they are inside.
        refusals: how many rows are refused, by the reason.
    """

    ids: IdArray
    values: FloatArray
    refusals: Mapping[str, int]


class Check(Protocol):
    """Tells which rows are customers; it is sent to where the rows are.

    Attributes:
        wanted: the columns that it looks at.
        id_column: the one of customers' ids.
    """

    wanted: list[str]
    id_column: str

    def __call__(self, rows: pa.Table) -> CheckedRows:
        """Return the customers among some rows."""


@dataclass(frozen=True, eq=False, slots=True)
class SparkTable:
    """A table, none of whose rows is read yet.

    Attributes:
        frame: the columns that the check looks at.
        check: of its rows.
        schema: of the customers that they become.
    """

    frame: "DataFrame"
    check: Check
    schema: Schema


def open_table(
    session: "SparkSession",
    place: TableLocation,
    schema: Schema,
    check_for: Callable[[list[str]], Check],
) -> SparkTable:
    """Find a table.

    Args:
        session: that reads it.
        place: where it is.
        schema: of the customers that its rows become.
        check_for: returns the check of a table with these columns.

    Raises:
        DataFileError: there is no such table, or it cannot be read.
    """
    with faults_told(place.name):
        if place.source.startswith(JDBC):
            frame = session.read.format("jdbc").options(**_jdbc(place)).load()
        else:
            frame = session.read.parquet(place.source)
        check = check_for(frame.columns)
        if place.source.startswith(JDBC):
            frame = _split(session, place, frame, check.id_column)
        wanted = frame.select([frame[_quoted(name)] for name in check.wanted])
        return SparkTable(wanted, check, schema)


def _split(
    session: "SparkSession", place: TableLocation, table: "DataFrame", id_column: str
) -> "DataFrame":
    """Return a database's table in parts by id, so that several connections read it."""
    from pyspark.sql import functions as sql
    from pyspark.sql.types import IntegralType

    if not isinstance(table.schema[id_column].dataType, IntegralType):
        return table
    column = table[_quoted(id_column)]
    (ends,) = table.agg(sql.min(column), sql.max(column)).collect()
    if ends[0] is None:
        return table
    parts = {
        "partitionColumn": id_column,
        "lowerBound": ends[0],
        "upperBound": ends[1] + 1,
        "numPartitions": session.sparkContext.defaultParallelism,
    }
    return session.read.format("jdbc").options(**_jdbc(place), **parts).load()


def _jdbc(place: TableLocation) -> dict[str, str | int]:
    options: dict[str, str | int] = {
        "url": place.source,
        "dbtable": place.table or "",
        "fetchsize": _FETCHED,
    }
    drivers = [driver for scheme, driver in _DRIVERS.items() if place.source.startswith(scheme)]
    more = {"user": place.user, "password": place.password, "driver": "".join(drivers)}
    return options | {name: value for name, value in more.items() if value}


# No attribute's name begins so.
REFUSAL, ROWS, PLACE = "_refusal", "_rows", "_place"
_SPARK_TYPES = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string"}


def _checked_schema(schema: Schema) -> pa.Schema:
    """Return the columns of `checked`: a customer's, or a reason and how often it refuses.

    `PLACE` is the number of the id by which customers are put in order.
    """
    key = pa.string() if schema.id.is_text else pa.int64()
    return pa.schema(
        [(schema.id.name, key), (PLACE, pa.int64()), (REFUSAL, pa.string()), (ROWS, pa.int64())]
        + [(name, pa.float64()) for name in schema.names]
    )


def checked(table: SparkTable) -> "DataFrame":
    """Return a table's customers, and a row for each reason why some of a batch are refused."""
    columns = _checked_schema(table.schema)
    told = ", ".join(f"`{column.name}` {_SPARK_TYPES[column.type]}" for column in columns)
    return map_batches(table.frame, _checking(table.check, columns), told)


def _checking(check: Check, columns: pa.Schema) -> BatchFunction:
    def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = check(pa.table(batch))
            n = len(found.ids)
            yield pa.record_batch(
                [
                    pa.array(found.ids, columns.field(0).type),
                    pa.array(number_ids(found.ids)),
                    pa.nulls(n, pa.string()),
                    pa.array(np.ones(n, np.int64)),
                    # Null where missing: for Spark NaN is the greatest number.
                    *(pa.array(column, from_pandas=True) for column in found.values.T),
                ],
                schema=columns,
            )
            if found.refusals:
                yield refused_batch(columns, found.refusals)

    return each


def refused_batch(schema: pa.Schema, refusals: Mapping[str, int]) -> pa.RecordBatch:
    """Return a row for each reason and how often it is, with nothing in the other columns."""
    filled = {REFUSAL: pa.array(list(refusals)), ROWS: pa.array(list(refusals.values()))}
    nothing = len(refusals)
    return pa.record_batch(
        [filled.get(column.name, pa.nulls(nothing, column.type)) for column in schema],
        schema=schema,
    )


def customers_of(batch: pa.RecordBatch) -> tuple[IntArray, FloatArray]:
    """Return the places, (n,), and the attributes, (n, d), of checked rows, places first."""
    places, *columns = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
    return places, np.column_stack(columns).astype(np.float64, copy=False)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
