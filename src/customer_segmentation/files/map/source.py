"""How a table's texts become the values of a schema: the section `source` of its file."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import BoolArray, FloatArray
from customer_segmentation.domain.attributes import Attribute, Missing, Unknown, Value
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.columns import plain_array, python_values
from customer_segmentation.files.map.date_texts import read_days
from customer_segmentation.files.map.mapping import PLAIN, NumberStyle, code_key
from customer_segmentation.files.map.number_texts import read_numbers

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """How a column's texts are read.

    Attributes:
        column: its header, where that is not the record name.
        style: how numbers are written.
        sign: what stands beside each number, such as a currency's sign or %.
        date: the form of dates, in the words of strptime; empty where there are none.
        before: the day up to which days are counted, which makes a date a number.
        factor: what numbers are multiplied by.
        missing: texts that mean "missing" here, in place of the schema's.
    """

    column: str | None = None
    style: NumberStyle = PLAIN
    sign: str = ""
    date: str = ""
    before: dt.date | None = None
    factor: Fraction = Fraction(1)
    missing: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TableSource:
    """How the table is read that a schema was made from.

    Attributes:
        numbered: whether customers have no id there, so that rows are numbered from 1.
        delimiter: between fields of CSV; None where it is found out.
        encoding: of text; likewise.
        sheet: of a workbook; None reads the first.
        columns: by attribute's name, also the id's, those that are not read as they stand.
    """

    numbered: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    columns: Mapping[str, ColumnSource] = field(default_factory=dict)


def texts_of(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as texts, (n,), without blanks around them; null where there is nothing.

    A whole number has no fraction: 58.0 is written as 58.
    """
    array = plain_array(column)
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.utf8_trim_whitespace(array.cast(pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date(kind):
        return array.cast(pa.string())
    texts = [None if _is_nothing(value) else text_of(value) for value in python_values(array)]
    return pa.array(texts, pa.string())


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def find_missing(texts: pa.Array, words: Collection[str]) -> BoolArray:
    """Return which texts, (n,), are nothing, or one of the words that mean so."""
    missing = pc.is_in(texts, pa.array(sorted(words), pa.string()))
    return pc.or_(missing, texts.is_null()).to_numpy(zero_copy_only=False)


def read_quantities(texts: pa.Array, source: ColumnSource) -> FloatArray:
    """Return the numbers or days, (n,), of texts; NaN for what is none."""
    if not source.date:
        return read_numbers(texts, source.style, source.sign) * float(source.factor)
    before = ((source.before or _EPOCH) - _EPOCH).days
    return (before - read_days(texts, source.date)) * float(source.factor)


@dataclass(frozen=True, eq=False, slots=True)
class ReadColumn:
    """A column's values.

    Attributes:
        values: (n,), numbers, or places in the attribute's categories; NaN where it is missing.
        refused: (n,), which of them the attribute does not accept; their value is NaN.
    """

    values: FloatArray
    refused: BoolArray


def read_by_source(
    attribute: Attribute,
    source: ColumnSource,
    column: pa.ChunkedArray,
    missing_values: Collection[str],
) -> ReadColumn:
    """Read a column under what a schema says of it.

    Args:
        attribute: what the column is.
        source: how its texts are read.
        column: of n values.
        missing_values: texts that mean "missing", unless the source has its own.
    """
    texts = texts_of(column)
    words = missing_values if source.missing is None else source.missing
    missing = find_missing(texts, {"", *words})
    if attribute.categories:
        places = {code_key(text): n for n, text in enumerate(attribute.categories)}
        other = len(places) if attribute.unknown is Unknown.OTHER else np.nan
        encoded = texts.dictionary_encode()
        found = [places.get(code_key(text), other) for text in encoded.dictionary.to_pylist()]
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        values = np.array([*found, np.nan])[codes]
    else:
        values = read_quantities(truths_as_numbers(texts), source)
        values[~_accepts(attribute, values)] = np.nan
    values[missing] = np.nan
    refused = np.isnan(values) & ~missing
    if attribute.missing is Missing.REFUSED and attribute.default is None:
        refused |= missing
    return ReadColumn(values, refused)


def truths_as_numbers(texts: pa.Array) -> pa.Array:
    """Return texts, (n,), with 1 for true and 0 for false."""
    for truth, number in (("true", "1"), ("false", "0")):
        is_truth = pc.equal(pc.utf8_lower(texts), truth)
        texts = pc.if_else(is_truth.fill_null(False), number, texts)
    return texts


def is_accepted(attribute: Attribute, value: Value) -> bool:
    """Tell whether a customer may have this value."""
    try:
        attribute.accept(value)
    except ValueError:
        return False
    return True


def _accepts(attribute: Attribute, values: FloatArray) -> BoolArray:
    distinct, places = np.unique(values, return_inverse=True)
    return np.array([is_accepted(attribute, float(value)) for value in distinct], np.bool_)[places]
