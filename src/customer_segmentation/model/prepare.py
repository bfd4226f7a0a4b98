"""Preparing attributes for K-means: skew taken out, scales made alike, weights applied."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import FEATURES

_SKEWED = np.array([f.skewed for f in FEATURES])
_UNSCORED = np.array([np.nan if f.unscored is None else f.unscored for f in FEATURES])


def transform(values: FloatArray) -> FloatArray:
    """Take the skew out of amounts and counts; leave the attributes that are not skewed.

    The transform is sign(x) ln(1 + |x|): it rises everywhere, takes any finite number, overdrawn
    balances too, and turns the long right tail of money into a near-symmetric one. A value that
    means "not scored yet" becomes NaN.

    Args:
        values: (n, 14), attributes in the feature table's order and in users' units.

    Returns:
        (n, 14), transformed.
    """
    transformed = np.abs(values)
    np.log1p(transformed, out=transformed, where=_SKEWED)
    np.copysign(transformed, values, out=transformed)
    transformed[values == _UNSCORED] = np.nan
    return transformed


@dataclass(frozen=True, eq=False, slots=True)
class Preparation:
    """How transformed attributes become the coordinates that K-means measures distances in.

    A coordinate is `(transformed - center) * scale`. An attribute that is not used has scale 0.

    Attributes:
        center: (14,), the training mean of each transformed attribute.
        spread: (14,), the training standard deviation of each transformed attribute.
        scale: (14,), coordinate units per transformed unit, the weight included.
    """

    center: FloatArray
    spread: FloatArray
    scale: FloatArray

    @property
    def used(self) -> IntArray:
        """The positions in the feature table of the attributes that the model uses."""
        return np.flatnonzero(self.scale)

    def prepare(self, values: FloatArray) -> FloatArray:
        """Return the coordinates, (n, 14), of customers given in users' units, (n, 14)."""
        return self.prepare_transformed(transform(values))

    def prepare_transformed(self, transformed: FloatArray) -> FloatArray:
        """Return the coordinates, (n, 14), of transformed attributes; unscored ones are typical."""
        return np.where(np.isnan(transformed), 0.0, (transformed - self.center) * self.scale)

    def restore(self, coordinates: FloatArray) -> FloatArray:
        """Return transformed attributes from coordinates, (n, 14); unused ones as the center."""
        scale = np.where(self.scale == 0.0, np.inf, self.scale)
        return coordinates / scale + self.center


def fit_preparation(
    transformed: FloatArray,
    weights: Mapping[str, float] | None = None,
    excluded: Collection[str] = (),
) -> Preparation:
    """Learn the preparation from training data.

    Amounts, counts and scores are divided by their standard deviation. Binary and coded
    attributes are not: a rare flag has a small deviation, and dividing by it would let that one
    flag decide the segments. Their weight is per step of the code instead.

    Args:
        transformed: (n, 14), n >= 1.
        weights: replaces the feature table's weights, by attribute name.
        excluded: names of attributes that the model must not use.
    """
    weights = weights or {}
    weight = np.array(
        [0.0 if f.name in excluded else weights.get(f.name, f.weight) for f in FEATURES]
    )
    measured = np.where(np.isnan(transformed), 0.0, 1.0)
    counts = np.maximum(measured.sum(axis=0), 1.0)
    filled = np.nan_to_num(transformed, nan=0.0)
    center = filled.sum(axis=0) / counts
    spread = np.sqrt((((filled - center) * measured) ** 2).sum(axis=0) / counts)
    coded = np.array([bool(f.codes) for f in FEATURES])
    varies = spread > 1e-12 * np.maximum(np.abs(center), 1.0)
    divisor = np.where(coded | ~varies, 1.0, spread)
    return Preparation(center=center, spread=spread, scale=np.where(varies, weight / divisor, 0.0))
