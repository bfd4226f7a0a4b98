"""A column's values under its entry in a mapping, and why some are refused."""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray, IdArray
from customer_segmentation.domain.attributes import (
    CONTROL_CHARACTERS,
    LONGEST_ID,
    Attribute,
    Column,
    Id,
    Kind,
    Missing,
)
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.columns import plain_array, python_values
from customer_segmentation.files.map.date_texts import days_of
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.number_texts import parse_numbers

Refused = dict[int, tuple[str, str]]
"""By row, the column at fault and the reason."""


def read_entry(
    column: Column, entry: Entry, table: pa.Table, words: Collection[str] = ("",)
) -> tuple[FloatArray, Refused]:
    """Return the values of an attribute, (n,), from all the columns that it comes from.

    Args:
        column: the attribute, or an id that is an integer.
        entry: where it comes from: one column at least.
        table: of n rows.
        words: texts that mean "missing", unless the entry has its own.
    """
    words = entry.missing_words(words)
    first = entry.columns[0]
    if not entry.plus:
        values, refused = read_column(column, entry, table[first], words)
        return values, {row: (first, reason) for row, reason in refused.items()}
    # Each part is a number by itself; what is made of their sum comes after.
    part = Entry(None, style=entry.style, sign=entry.sign)
    number = replace(_ANY, name=column.name)
    total = np.zeros(table.num_rows)
    faults: Refused = {}
    for name in entry.columns:
        values, refused = read_column(number, part, table[name], words)
        total += values
        faults = {row: (name, reason) for row, reason in refused.items()} | faults
    sums = pa.chunked_array([pa.array(total)])
    values, refused = read_column(column, replace(entry, codes={}, date=""), sums, words)
    return values, {row: (first, reason) for row, reason in refused.items()} | faults


_ANY = Attribute("", "", "", "", 0, Kind.AMOUNT, missing=Missing.ALLOWED)


def read_column(
    column: Column, entry: Entry, values: pa.ChunkedArray, words: Collection[str] = ("",)
) -> tuple[FloatArray, dict[int, str]]:
    """Return a column's values, (n,), and by row the reason why a value is refused.

    What `Entry.accept` says is the rule. It is asked only about values that are not plainly fine,
    as asking it about every one takes several times as long.
    """
    array = plain_array(values)
    if entry.codes or (isinstance(column, Attribute) and column.categories):
        return read_each_once(array, lambda value: entry.accept(column, value, words))
    if pa.types.is_boolean(array.type) and column.is_binary:
        array = array.cast(pa.int8())
    numbers = entry.transform(_numbers(entry, _exact(array) if column.is_exact else array))
    is_whole = pa.types.is_integer(array.type) and entry.keeps_numbers
    if column.plainly_accepts_all(numbers, whole=is_whole):
        return numbers + 0.0, {}  # There is no negative zero.
    most = _most_exact(array.type) if column.is_exact else None

    def read(value: object) -> float:
        if most is not None and isinstance(value, float) and abs(value) >= most:
            raise ValueError(column.refusal("a number that may be rounded"))
        return entry.accept(column, value, words)

    doubtful = np.flatnonzero(~column.plainly_accepts(numbers))
    found, refused = read_each_once(array.take(pa.array(doubtful)), read)
    numbers[doubtful] = found
    return numbers + 0.0, {int(doubtful[place]): reason for place, reason in refused.items()}


_NO_ID = rf"^\s*$|[{CONTROL_CHARACTERS}]"


def read_ids(
    id_: Id, entry: Entry, values: pa.ChunkedArray, words: Collection[str] = ("",)
) -> tuple[IdArray, dict[int, str]]:
    """Return ids, (n,), and by row why a value is none; what stands there then has no meaning.

    Integers are of int64; texts are Python's, to the letter.
    """
    if not id_.is_text:
        numbers, refused = read_column(id_, entry, values, words)
        numbers[list(refused)] = 0
        return numbers.astype(np.int64), refused
    array = plain_array(values)
    if pa.types.is_integer(array.type):
        array = array.cast(pa.string())
    elif not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        found = python_values(array)
        texts = [None if entry.is_missing(value, words) else text_of(value) for value in found]
        array = pa.array(texts, pa.string())
    is_plain = pc.and_(
        pc.less_equal(pc.utf8_length(array), LONGEST_ID),
        pc.invert(pc.match_substring_regex(array, _NO_ID)),
    )
    if len(words) > 1:
        named = pc.is_in(pc.utf8_trim_whitespace(array.cast(pa.string())), pa.array([*words]))
        is_plain = pc.and_not(is_plain, named)
    doubtful = np.flatnonzero(~is_plain.fill_null(False).to_numpy(zero_copy_only=False))
    refused = {}
    for row, text in zip(
        doubtful.tolist(), array.take(pa.array(doubtful)).to_pylist(), strict=True
    ):
        try:
            id_.accept_text("" if entry.is_missing(text, words) else text)
        except ValueError as refusal:
            refused[row] = str(refusal)
    return array.to_numpy(zero_copy_only=False), refused


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


def read_quantities(texts: pa.Array, entry: Entry) -> FloatArray:
    """Return the numbers or counted dates, (n,), of texts; NaN for what is none."""
    numbers = _numbers(entry, texts)
    return entry.transform(np.where(np.isinf(numbers), np.nan, numbers))


def _numbers(entry: Entry, array: pa.Array) -> FloatArray:
    """Return the numbers of a column, (n,); NaN where there is none, or it is not plain."""
    kind = array.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if entry.date:
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return entry.count_days(days_of(array))
        texts = array if is_text else pa.array([None] * len(array), pa.string())
        return entry.read_dates(pc.utf8_trim_whitespace(texts))
    if is_text:
        return parse_numbers(array, entry.style, entry.sign)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = array.cast(pa.float64(), safe=False)
    elif pa.types.is_decimal(kind):
        # Arrow's own cast of decimals to floats is not the nearest float in every case.
        numbers = array.cast(pa.string()).cast(pa.float64())
    else:
        return np.full(len(array), np.nan)
    found: FloatArray = numbers.to_numpy(zero_copy_only=False, writable=True)
    return found


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
