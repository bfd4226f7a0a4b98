"""Preparing attributes for K-means: skew taken out, scales made alike, weights applied."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import FEATURES
from customer_segmentation.model.threads import map_all

_SKEWED = [j for j, feature in enumerate(FEATURES) if feature.is_logarithmic]
_UNSCORED = [(j, f.unscored) for j, f in enumerate(FEATURES) if f.unscored is not None]


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
    transformed = values.copy(order="K")
    for j in _SKEWED:
        column = values[:, j]
        transformed[:, j] = np.copysign(np.log1p(np.abs(column)), column)
    for j, unscored in _UNSCORED:
        transformed[values[:, j] == unscored, j] = np.nan
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
        coordinates = (transformed - self.center) * self.scale
        for j, _ in _UNSCORED:
            coordinates[np.isnan(coordinates[:, j]), j] = 0.0
        return coordinates

    def restore(self, coordinates: FloatArray) -> FloatArray:
        """Return transformed attributes from coordinates, (n, 14); unused ones as the center."""
        scale = np.where(self.scale == 0.0, np.inf, self.scale)
        return coordinates / scale + self.center


def fit_preparation(
    transformed: FloatArray,
    weights: Mapping[str, float] | None = None,
    excluded: Collection[str] = (),
) -> Preparation:
    """Learn the preparation from training data; see `preparation_of`.

    Args:
        transformed: (n, 14), n >= 1.
        weights: replaces the feature table's weights, by attribute name.
        excluded: names of attributes that the model must not use.
    """
    center, spread = np.array(map_all(_moments, transformed.T)).T
    return preparation_of(center, spread, weights, excluded)


def preparation_of(
    center: FloatArray,
    spread: FloatArray,
    weights: Mapping[str, float] | None = None,
    excluded: Collection[str] = (),
) -> Preparation:
    """Return the preparation for transformed attributes of these means and deviations, (14,).

    Amounts, counts and scores are divided by their standard deviation. Binary and coded
    attributes are not: a rare flag has a small deviation, and dividing by it would let that one
    flag decide the segments. Their weight is per step of the code instead.
    """
    weights = weights or {}
    weight = np.array(
        [0.0 if f.name in excluded else weights.get(f.name, f.weight) for f in FEATURES]
    )
    coded = np.array([bool(f.codes) for f in FEATURES])
    varies = spread > 1e-12 * np.maximum(np.abs(center), 1.0)
    divisor = np.where(coded | ~varies, 1.0, spread)
    return Preparation(center=center, spread=spread, scale=np.where(varies, weight / divisor, 0.0))


def _moments(column: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of a transformed attribute, those not scored left out."""
    unscored = np.isnan(column)
    measured = column[~unscored] if unscored.any() else column
    if len(measured) == 0:
        return 0.0, 0.0
    return float(measured.mean()), float(measured.std())
