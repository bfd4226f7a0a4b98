"""Reading the many people of an Arrow IPC stream that nobody vouches for."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from customer_segmentation.api.v1.predictions.json_rows import (
    MAX_ROWS,
    People,
    refusal,
    refuse_count,
)
from customer_segmentation.api.v1.predictions.row import PersonReader
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.read.arrow_messages import read_claims

_MAX_DECOMPRESSED = 2 * 8 * MAX_ROWS
"""Bytes of all buffers of an attribute: twice what so many numbers take."""


def read_arrow(body: bytes, reader: PersonReader, schema: Schema) -> FloatArray:
    """Read an Arrow IPC stream with a column for each attribute, and no others.

    Args:
        body: the stream.
        reader: of one person.
        schema: declares the attributes; those with categories are texts, all others numbers.
    """
    people = People(reader)
    max_decompressed = _MAX_DECOMPRESSED * reader.width
    try:
        claims = read_claims(body)
        if claims.rows > MAX_ROWS:
            raise refuse_count(f"{claims.rows:,}")
        if claims.bytes > max_decompressed:
            message = f"the body may hold at most {max_decompressed:,} bytes when decompressed"
            raise refusal("body", message)
        aligned = pa.ipc.IpcReadOptions(
            ensure_alignment=pa.ipc.Alignment.DataTypeSpecific, use_threads=False
        )
        with pa.ipc.open_stream(body, options=aligned) as batches:
            _check_columns(batches.schema, schema)
            for batch in batches:
                # Until then a buffer may be shorter than its rows, and reading on tells secrets.
                batch.validate(full=True)
                people.add(_values_of(batch, schema, people.count))
    except (pa.ArrowException, OSError, ValueError) as damage:
        message = f"the body is no Arrow IPC stream: {str(damage)[:200]}"
        raise refusal("body", message) from damage
    return people.table()


def _check_columns(found: pa.Schema, schema: Schema) -> None:
    if sorted(found.names) != sorted(schema.names):
        raise refusal("body", f"the columns must be {', '.join(schema.names)}, in any order")
    for name, kind in zip(found.names, found.types, strict=True):
        if schema.by_name[name].categories:
            if pa.types.is_dictionary(kind):
                kind = kind.value_type  # noqa: PLW2901
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise refusal(name, f"{name} must be a column of texts")
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise refusal(name, f"{name} must be a column of numbers")


def _values_of(batch: pa.RecordBatch, schema: Schema, before: int) -> FloatArray:
    """Return the attributes, (n, d), that a batch holds, which so many rows are before."""
    columns = []
    for attribute in schema.attributes:
        column = batch.column(attribute.name)
        if column.null_count and attribute.missing is Missing.REFUSED:
            raise refusal(attribute.name, attribute.refusal("null"))
        read = _read_texts if attribute.categories else _read_numbers
        columns.append(read(attribute, column, before))
    return np.column_stack(columns)


def _read_texts(attribute: Attribute, column: pa.Array, before: int) -> FloatArray:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    known = np.full(len(encoded.dictionary) + 1, np.nan)
    for place, text in enumerate(encoded.dictionary.to_pylist()):
        rows = np.flatnonzero(places == place)
        if len(rows):
            known[place] = _accept(attribute, text, before + int(rows[0]))
    return known[places]


def _read_numbers(attribute: Attribute, column: pa.Array, before: int) -> FloatArray:
    known = column.drop_null()
    numbers = known.to_numpy(zero_copy_only=False)
    ends = [int(numbers.min()), int(numbers.max())] if _are_whole(numbers) else []
    if any(abs(end) > LARGEST_INTEGER for end in ends):
        # As floats they would be rounded to some that are accepted.
        raise refusal(attribute.name, attribute.refusal("an integer beyond 2^53"))
    rows = np.arange(len(column))
    if column.null_count:
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    values = numbers.astype(np.float64)
    for place in np.flatnonzero(~attribute.plainly_accepts(values)).tolist():
        _accept(attribute, float(values[place]), before + int(rows[place]))
    table = np.full(len(column), np.nan)
    table[rows] = values
    return table


def _are_whole(numbers: NDArray[Any]) -> bool:
    return len(numbers) > 0 and np.issubdtype(numbers.dtype, np.integer)


def _accept(attribute: Attribute, value: object, row: int) -> float:
    try:
        return attribute.accept(value)
    except ValueError as refused:
        raise refusal(f"{row}.{attribute.name}", str(refused)) from None
