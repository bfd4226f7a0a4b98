"""Statements on many rows at once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Table,
    any_,
    func,
    insert,
    literal,
    select,
)

from customer_segmentation.domain.arrays import IntArray


def insert_rows(
    connection: Connection, table: Table, columns: Mapping[str, Sequence[object]]
) -> None:
    """Insert rows given column by column, each column of the same length.

    Handing the driver plain rows takes a third of the time of SQLAlchemy's one dictionary a row;
    the statement and the conversion of values are SQLAlchemy's all the same.
    """
    dialect = connection.dialect
    statement = insert(table).compile(dialect=dialect, column_keys=list(columns))
    processors = [table.c[name].type.bind_processor(dialect) for name in columns]
    values = [
        column if process is None else [process(value) for value in column]
        for process, column in zip(processors, columns.values(), strict=True)
    ]
    rows: list[Any] = list(zip(*values, strict=True))
    if not rows:
        return
    if not statement.positional:
        rows = [dict(zip(columns, row, strict=True)) for row in rows]
    connection.exec_driver_sql(str(statement), rows)


def is_among(connection: Connection, column: Column[int], ids: IntArray) -> ColumnElement[bool]:
    """Return the condition that a column holds one of many ids, (n,), given as one parameter."""
    if connection.dialect.name == "sqlite":
        values = func.json_each(json.dumps(ids.tolist())).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(literal(ids.tolist(), ARRAY(BigInteger)))
