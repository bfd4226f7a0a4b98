"""Columns of any type as ones of few types, which keep what each value is."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_EPOCH = dt.date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = (day.toordinal() - _EPOCH for day in (dt.date.min, dt.date.max))
_DAY_SECONDS = 86_400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBERS = {int, float}
_NO_VALUE = (ValueError, OverflowError, RecursionError, pa.ArrowException)


def table_of(names: Sequence[str], columns: Sequence[Sequence[object]]) -> pa.Table:
    """Return columns of Python's values as a table."""
    return pa.table([column_of(column) for column in columns], names=list(names))


def column_of(values: Sequence[object]) -> pa.Array:
    """Return values of one type as they are, and those of several as a union, (n,).

    Were they made alike, a boolean would become 1, and a number a text that might be read in
    another way.
    """
    kinds = sorted(set(map(type, values)) - {type(None)}, key=str)
    if len(kinds) > 1 and set(kinds) != _NUMBERS:
        return _union_of(values, kinds)
    if not kinds or kinds[0] not in {list, dict, tuple}:
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            if len(kinds) > 1:
                return _union_of(values, kinds)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _union_of(values: Sequence[object], kinds: Sequence[type]) -> pa.Array:
    numbers = {kind: number for number, kind in enumerate(kinds)}
    codes = pa.array([numbers.get(type(value), 0) for value in values], pa.int8())
    children = [
        column_of([value if type(value) is kind else None for value in values]) for kind in kinds
    ]
    return pa.UnionArray.from_sparse(codes, children)


def _text(value: object) -> str:
    try:
        if isinstance(value, list | dict | tuple):
            return msgspec.json.encode(value).decode()
        return str(value).encode(errors="backslashreplace").decode()
    except (TypeError, *_NO_VALUE):
        return f"[{type(value).__name__}]"


def plain_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column, (n,), of booleans, numbers, decimals, texts, dates or times, or their union.

    Bytes become texts, and so does what is none of these, and what Python has no value for.
    """
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # More than one array can hold.
        array = pa.concat_arrays(array.chunks)
    return _plain(array)


def _plain(array: pa.Array) -> pa.Array:
    while (simpler := _SIMPLER.get(type(array))) or isinstance(array, pa.ExtensionArray):
        array = simpler(array) if simpler else array.storage
    kind = array.type
    if pa.types.is_timestamp(kind):
        size = _PER_SECOND[kind.unit] * _DAY_SECONDS
        if _lies_within(array, _FIRST_DAY * size, (_LAST_DAY + 1) * size - 1):
            return array.cast(pa.timestamp("us"), safe=False)
    elif pa.types.is_date32(kind):
        if _lies_within(array, _FIRST_DAY, _LAST_DAY):
            return array
    elif _is_plain(kind):
        return array
    return column_of(python_values(array))


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether all values of a type are ones that Arrow can count, take and cast."""
    types = pa.types
    return any(
        (
            types.is_null(kind),
            types.is_boolean(kind),
            types.is_integer(kind),
            types.is_floating(kind),
            types.is_decimal(kind),
            types.is_string(kind),
            types.is_large_string(kind),
        )
    )


def _lies_within(array: pa.Array, least: int, most: int) -> bool:
    numbers = array.view(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
    found = pc.min_max(numbers).as_py()
    return found["min"] is None or bool(least <= found["min"] and found["max"] <= most)


def _decoded(array: pa.Array) -> pa.Array:
    """Return bytes as texts: those of old writers of Parquet are marked as no texts."""
    try:
        return array.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowException:
        values = array.cast(pa.large_binary()).to_pylist()
        texts = [None if v is None else v.decode(errors="backslashreplace") for v in values]
        return pa.array(texts, pa.large_string())


def _widened(array: pa.Array) -> pa.Array:
    return array.cast(pa.decimal128(array.type.precision, array.type.scale))


_SIMPLER: dict[type[pa.Array], Callable[[Any], pa.Array]] = {
    pa.DictionaryArray: lambda array: _plain(array.dictionary).take(array.indices),
    pa.RunEndEncodedArray: pc.run_end_decode,
    pa.StringViewArray: lambda array: array.cast(pa.large_string()),
    pa.BinaryArray: _decoded,
    pa.LargeBinaryArray: _decoded,
    pa.BinaryViewArray: _decoded,
    pa.FixedSizeBinaryArray: _decoded,
    pa.Decimal32Array: _widened,
    pa.Decimal64Array: _widened,
}


def python_values(array: pa.Array | pa.ChunkedArray) -> list[object]:
    """Return values, (n,), as Python's own; as texts what Python has no value for."""
    try:
        values: list[object] = array.to_pylist()
    except _NO_VALUE:
        return [_python_value(value) for value in array]
    return values


def _python_value(value: pa.Scalar) -> object:
    try:
        return value.as_py()
    except _NO_VALUE:
        pass
    try:
        return value.cast(pa.string()).as_py()
    except (NotImplementedError, *_NO_VALUE):
        return f"[{value.type}]"


def python_rows(column: pa.ChunkedArray, rows: Sequence[int]) -> list[object]:
    """Return some of a column's values, by row, as `python_values`."""
    try:
        return python_values(column.take(pa.array(rows, pa.int64())))
    except pa.ArrowNotImplementedError:
        return [_python_value(column[row]) for row in rows]
