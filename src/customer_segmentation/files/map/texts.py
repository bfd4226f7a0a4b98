"""Columns as texts, and which of these say that nothing is there."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import BoolArray
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.columns import plain_array, python_values


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
    texts = [None if is_nothing(value) else text_of(value) for value in python_values(array)]
    return pc.utf8_trim_whitespace(pa.array(texts, pa.string()))


def is_nothing(value: object) -> bool:
    """Tell whether a typed value is none: null, or the NaN by which pandas writes it."""
    return value is None or (isinstance(value, float) and np.isnan(value))


def find_missing(texts: pa.Array, words: Collection[str]) -> BoolArray:
    """Return which texts, (n,), are nothing, or one of the words that mean so."""
    missing = pc.is_in(texts, pa.array(sorted(words), pa.string()))
    found: BoolArray = pc.or_(missing, texts.is_null()).to_numpy(zero_copy_only=False)
    return found


def truths_as_numbers(texts: pa.Array) -> pa.Array:
    """Return texts, (n,), with 1 for true and 0 for false."""
    for truth, number in (("true", "1"), ("false", "0")):
        is_truth = pc.equal(pc.utf8_lower(texts), truth)
        texts = pc.if_else(is_truth.fill_null(False), number, texts)
    return texts
