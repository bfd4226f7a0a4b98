"""A column's values under its entry in a mapping, and why some are refused."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Column
from customer_segmentation.files.columns import plain_array, python_values
from customer_segmentation.files.map.mapping import PLAIN, Entry


def read_column(
    feature: Column, entry: Entry, column: pa.ChunkedArray
) -> tuple[FloatArray, dict[int, str]]:
    """Return a column's values, (n,), and by row the reason why a value is refused.

    What `Entry.accept` says is the rule. It is asked only about values that are not plainly fine,
    as asking it about every one takes several times as long.
    """
    array = plain_array(column)
    if pa.types.is_boolean(array.type) and feature.is_binary and not entry.codes:
        array = array.cast(pa.int8())
    if entry.codes:
        return read_each_once(array, lambda value: entry.accept(feature, value))
    values = _numbers(entry, _exact(array) if feature.is_exact else array)
    if entry.factor != 1:
        values = values * entry.factor.numerator / entry.factor.denominator
    is_whole = pa.types.is_integer(array.type) and entry.factor == 1
    if feature.plainly_accepts_all(values, whole=is_whole):
        return values + 0.0, {}  # There is no negative zero.
    doubtful = np.flatnonzero(~feature.plainly_accepts(values))
    refused: dict[int, str] = {}
    most = _most_exact(array.type) if feature.is_exact else None
    for row, value in zip(doubtful.tolist(), array.take(pa.array(doubtful)), strict=True):
        try:
            if most is not None and value.is_valid and abs(value.as_py()) >= most:
                raise ValueError(feature.refusal("a number that may be rounded"))
            values[row] = entry.accept(feature, value.as_py())
        except ValueError as refusal:
            refused[row] = str(refusal)
    return values + 0.0, refused


def read_each_once(
    array: pa.Array, read: Callable[[object], float]
) -> tuple[FloatArray, dict[int, str]]:
    """Do as `read_column` where values are few: each that there is, is read once."""
    if pa.types.is_union(array.type):
        values = python_values(array)
        places = {key: n for n, key in enumerate(dict.fromkeys((type(v), v) for v in values))}
        distinct = [value for _, value in places]
        codes = np.array([places[type(v), v] for v in values], np.int64)
    else:
        encoded = array.dictionary_encode(null_encoding="encode")
        distinct, codes = python_values(encoded.dictionary), encoded.indices.to_numpy()
    found = np.full(len(distinct), np.nan)
    reasons: dict[int, str] = {}
    for number, value in enumerate(distinct):
        try:
            found[number] = read(value)
        except ValueError as refusal:
            reasons[number] = str(refusal)
    rows = np.flatnonzero(np.isin(codes, list(reasons))).tolist()
    return found[codes], {row: reasons[codes[row]] for row in rows}


def _numbers(entry: Entry, array: pa.Array) -> FloatArray:
    """Return the numbers of a column, (n,); NaN where there is none, or it is not plain."""
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = array.cast(pa.float64(), safe=False)
    elif pa.types.is_decimal(kind):
        # Arrow's own cast of decimals to floats is not the nearest float in every case.
        numbers = array.cast(pa.string()).cast(pa.float64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        numbers = _parse(entry, array)
    else:
        return np.full(len(array), np.nan)
    return numbers.to_numpy(zero_copy_only=False, writable=True)


def _exact(array: pa.Array) -> pa.Array:
    """Return a column without those numbers that may be rounded: nulls in their place."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        is_digits = pc.ascii_is_decimal(array)
        return array if pc.all(is_digits).as_py() else pc.if_else(is_digits, array, None)
    if (most := _most_exact(kind)) is not None:
        return pc.if_else(pc.less(pc.abs(array.cast(pa.float32())), most), array, None)
    # A decimal with a fraction may be as near to a whole number as a float tells.
    return pa.nulls(len(array)) if pa.types.is_decimal(kind) else array


def _most_exact(kind: pa.DataType) -> int | None:
    """Return below which size a type of few digits holds every integer; None for other types."""
    return {pa.float16(): 2**11, pa.float32(): 2**24}.get(kind)


def _parse(entry: Entry, texts: pa.Array) -> pa.Array:
    if entry.style == PLAIN:
        try:
            return texts.cast(pa.float64())
        except pa.ArrowInvalid:
            pass  # Some text is no number: the slower way below tells which.
    texts = pc.ascii_trim_whitespace(texts)
    is_number = pc.match_substring_regex(texts, f"^({entry.style.pattern})$")
    texts = pc.if_else(is_number, texts, None)
    if entry.style.thousands:
        texts = pc.replace_substring(texts, entry.style.thousands, "")
    if entry.style.decimal != ".":
        texts = pc.replace_substring(texts, entry.style.decimal, ".")
    return texts.cast(pa.float64())
