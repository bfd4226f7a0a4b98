"""Telling which data a model was trained on: a digest of them, and a summary by attribute."""

import hashlib

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.model.artifact import Fingerprint, Summary


def fingerprint(ids: IntArray, values: FloatArray) -> Fingerprint:
    """Tell which data these are: ids (n,) and attributes (n, d), in the order of the ids."""
    digest = hashlib.sha256(ids.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return Fingerprint(
        customers=len(values),
        sha256=digest.hexdigest(),
        attributes={
            name: _summarise(column) for name, column in zip(FEATURE_NAMES, values.T, strict=True)
        },
    )


def _summarise(column: FloatArray) -> Summary:
    # Divided by the largest value first, as the square of a large amount overflows.
    largest = max(float(np.abs(column).max()), 1.0)
    share = column / largest
    return Summary(
        mean=float(share.mean()) * largest,
        deviation=float(share.std()) * largest,
        minimum=float(column.min()),
        maximum=float(column.max()),
    )
