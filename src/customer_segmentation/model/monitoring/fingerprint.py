"""Telling which data a model was trained on: a digest of them, and a summary by attribute.

The digest is the root of a hash tree (Merkle 1987, doi:10.1007/3-540-48184-2_32) over customers'
ids: a leaf for each 4,096 ids, a node for each 1,048,576 leaves, the root over all nodes. So it is
the same for the same customers, wherever and in whatever parts each leaf is digested. A text id
stands there by the first 52 bits of its digest, the upper twelve of which are its leaf.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from hashlib import blake2b, sha256
from itertools import groupby
from sys import float_info

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.model.artifact import Fingerprint, Summary

LEAF_BITS = 12
"""A leaf has the ids that differ in this many low bits only,"""

NODE_BITS = 20
"""and a node the leaves whose numbers do."""

_TEXT_BITS = 52
"""A float holds so many exactly."""

_TEXT_LEAF_BITS = _TEXT_BITS - 12

_CHUNK = 2**16
_DIGITS = 2

Part = tuple[int, bytes] | tuple[int, memoryview]


def fingerprint(attributes: Sequence[Attribute], ids: IdArray, values: FloatArray) -> Fingerprint:
    """Tell which data these are: ids (n,), rising, and values (n, d) of d attributes."""
    numbers, bits = number_ids(ids), leaf_bits(ids)
    if bits != LEAF_BITS:
        order = np.argsort(numbers, kind="stable")
        numbers, in_order = numbers[order], values[order]
    else:
        in_order = values
    return Fingerprint(
        customers=len(values),
        sha256=root_of(digest_nodes(digest_leaves(rows_of(numbers, in_order, bits), bits))),
        attributes={
            feature.name: _summarise(feature, column)
            for feature, column in zip(attributes, values.T, strict=True)
        },
    )


def number_ids(ids: IdArray) -> IntArray:
    """Return the numbers, (n,), by which customers are digested in order."""
    if leaf_bits(ids) == LEAF_BITS:
        return ids
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in ids.tolist())
    return (np.frombuffer(digests, dtype=">u8") >> np.uint64(64 - _TEXT_BITS)).astype(np.int64)


def leaf_bits(ids: IdArray) -> int:
    """Return in how many low bits the numbers of a leaf's customers differ."""
    return LEAF_BITS if ids.dtype.kind == "i" else _TEXT_LEAF_BITS


def rows_of(
    numbers: IntArray, values: FloatArray, bits: int = LEAF_BITS
) -> Iterator[tuple[int, memoryview]]:
    """Yield customers as bytes, each under the first number of its part: (n,), rising."""
    for first in range(0, len(numbers), _CHUNK):
        part = numbers[first : first + _CHUNK]
        table = np.column_stack([part, values[first : first + _CHUNK]])
        # What is missing has one form, of the many that a NaN can have.
        table[np.isnan(table)] = np.nan
        rows = np.ascontiguousarray(table, dtype="<f8")
        content = rows.data.cast("B")
        starts = np.flatnonzero(np.diff(part >> bits, prepend=-1))
        ends = np.append(starts[1:], len(part)) * rows.strides[0]
        places = zip(part[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
        for number, start, end in places:
            yield number, content[start * rows.strides[0] : end]


def digest_leaves(rows: Iterable[Part], bits: int = LEAF_BITS) -> Iterator[tuple[int, bytes]]:
    """Yield each leaf's number and digest from customers as bytes, in the order of their ids."""
    return _digest_groups(rows, bits)


def digest_nodes(leaves: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield each node's number and digest from those of leaves, in the order of their numbers."""
    return _digest_groups(leaves, NODE_BITS)


def root_of(nodes: Iterable[tuple[int, bytes]]) -> str:
    """Return the digest of all nodes, in the order of their numbers, in hexadecimal."""
    return sha256(b"".join(digest for _, digest in nodes)).hexdigest()


def _digest_groups(parts: Iterable[Part], bits: int) -> Iterator[tuple[int, bytes]]:
    for number, group in groupby(parts, key=lambda part: part[0] >> bits):
        digest = sha256()
        for _, content in group:
            digest.update(content)
        yield number, digest.digest()


def summary_of(
    feature: Attribute, mean: float, deviation: float, least: float, greatest: float
) -> Summary:
    """Return an attribute's summary, in which the range is rounded outwards to two digits.

    A least and a greatest value are somebody's, who may be erased while the model stays.
    """
    low, high = _rounded(least, ROUND_FLOOR), _rounded(greatest, ROUND_CEILING)
    if feature.minimum is not None:
        low = max(low, float(feature.minimum))
    if feature.maximum is not None:
        high = min(high, float(feature.maximum))
    return Summary(mean, deviation, min(low, least), max(high, greatest))


def _rounded(value: float, rounding: str) -> float:
    found = float(Context(prec=_DIGITS, rounding=rounding).create_decimal_from_float(value))
    return min(max(found, -float_info.max), float_info.max)


def _summarise(feature: Attribute, column: FloatArray) -> Summary:
    if (missing := np.isnan(column)).any():
        column = column[~missing]
        if len(column) == 0:
            return summary_of(feature, 0.0, 0.0, 0.0, 0.0)
    # Divided by the largest value first, as the square of a large amount overflows.
    largest = max(float(np.abs(column).max()), 1.0)
    share = column / largest
    mean, deviation = float(share.mean()) * largest, float(share.std()) * largest
    return summary_of(feature, mean, deviation, float(column.min()), float(column.max()))
