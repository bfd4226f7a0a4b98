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
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.features import FEATURE_NAMES, FEATURES
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.files.read.arrow_messages import read_claims

_MAX_DECOMPRESSED = 2 * 8 * MAX_ROWS * len(FEATURES)
"""Bytes of all buffers: twice what so many numbers take."""


def read_arrow(body: bytes) -> FloatArray:
    """Read an Arrow IPC stream with a numeric column for each attribute, and no others."""
    people = People()
    try:
        claims = read_claims(body)
        if claims.rows > MAX_ROWS:
            raise refuse_count(f"{claims.rows:,}")
        if claims.bytes > _MAX_DECOMPRESSED:
            message = f"the body may hold at most {_MAX_DECOMPRESSED:,} bytes when decompressed"
            raise refusal("body", message)
        aligned = pa.ipc.IpcReadOptions(
            ensure_alignment=pa.ipc.Alignment.DataTypeSpecific, use_threads=False
        )
        with pa.ipc.open_stream(body, options=aligned) as batches:
            _check_columns(batches.schema)
            for batch in batches:
                # Until then a buffer may be shorter than its rows, and reading on tells secrets.
                batch.validate(full=True)
                people.add(_values_of(batch, people.count))
    except (pa.ArrowException, OSError, ValueError) as damage:
        message = f"the body is no Arrow IPC stream: {str(damage)[:200]}"
        raise refusal("body", message) from damage
    return people.table()


def _check_columns(schema: pa.Schema) -> None:
    if sorted(schema.names) != sorted(FEATURE_NAMES):
        raise refusal("body", f"the columns must be {', '.join(FEATURE_NAMES)}, in any order")
    for name, kind in zip(schema.names, schema.types, strict=True):
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise refusal(name, f"{name} must be a column of numbers")


def _values_of(batch: pa.RecordBatch, before: int) -> FloatArray:
    """Return the attributes, (n, d), that a batch holds, which so many rows are before."""
    columns = []
    for feature in FEATURES:
        column = batch.column(feature.name)
        if column.null_count:
            raise refusal(feature.name, f"{feature.name} must be {feature.allowed}, not null")
        numbers = column.to_numpy()
        ends = [int(numbers.min()), int(numbers.max())] if _are_whole(numbers) else []
        if any(abs(end) > LARGEST_INTEGER for end in ends):
            # As floats they would be rounded to some that are accepted.
            raise refusal(feature.name, feature.refusal("an integer beyond 2^53"))
        values = numbers.astype(np.float64)
        _check_column(feature, values, before)
        columns.append(values)
    return np.column_stack(columns)


def _are_whole(numbers: NDArray[Any]) -> bool:
    return len(numbers) > 0 and np.issubdtype(numbers.dtype, np.integer)


def _check_column(feature: Attribute, values: FloatArray, before: int) -> None:
    for row in np.flatnonzero(~feature.plainly_accepts(values)).tolist():
        try:
            feature.accept(float(values[row]))
        except ValueError as refused:
            raise refusal(f"{before + row}.{feature.name}", str(refused)) from None
