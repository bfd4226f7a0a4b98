"""The model's rule as SQL and as ONNX, run where customers are kept elsewhere."""

import sqlite3
from collections.abc import Sequence

import onnxruntime

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.schema import Schema
from customer_segmentation.services.models.onnx_export import onnx_of
from customer_segmentation.services.models.sql_export import sql_of
from customer_segmentation.services.runtime.serving import ServingModel

Rows = Sequence[tuple[object, ...]]


def shown(schema: Schema, values: FloatArray) -> Rows:
    """Return rows as the owner's table has them: numbers, texts, and NULL for what is missing."""
    return [
        (f"C{number}", *(a.show(value) for a, value in zip(schema.attributes, row, strict=True)))
        for number, row in enumerate(values.tolist())
    ]


def columns_of(schema: Schema, number: str, text: str) -> str:
    """Return the columns of the owner's table, of these types."""
    kinds = [text if attribute.categories else number for attribute in schema.attributes]
    named = zip([schema.id.name, *schema.names], [text, *kinds], strict=True)
    return ", ".join(f'"{name}" {kind}' for name, kind in named)


def query(serving: ServingModel, schema: Schema, dialect: str) -> str:
    """Return the rule as SQL."""
    return sql_of(serving, schema, dialect, "people")


def by_sqlite(serving: ServingModel, schema: Schema, rows: Rows) -> list[int]:
    """Return the segments that SQLite gives, in the order of the rows."""
    marks = ", ".join("?" * (1 + len(schema.names)))
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE people ({columns_of(schema, 'REAL', 'TEXT')})")
        database.executemany(f"INSERT INTO people VALUES ({marks})", rows)  # noqa: S608
        return in_order(database.execute(query(serving, schema, "sqlite")).fetchall())


def in_order(answers: list[tuple[str, int, str]]) -> list[int]:
    """Return segments in the order of `shown` rows."""
    return [segment for _, segment, _ in sorted(answers, key=lambda row: int(row[0][1:]))]


def by_onnx(serving: ServingModel, values: FloatArray) -> list[int]:
    """Return the segments that the ONNX runtime gives."""
    session = onnxruntime.InferenceSession(onnx_of(serving), providers=["CPUExecutionProvider"])
    (segments,) = session.run(None, {"customers": values})
    return [int(segment) for segment in segments]
