"""Preparing attributes for K-means: skew taken out, scales made alike, weights applied."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Transform
from customer_segmentation.model.threads import map_all


def transform(attributes: Sequence[Attribute], values: FloatArray) -> FloatArray:
    """Take the skew out of amounts and counts; leave the attributes that are not skewed.

    The transform is sign(x) ln(1 + |x|): it rises everywhere, takes any finite number, overdrawn
    balances too, and turns the long right tail of money into a near-symmetric one. A value that
    means "not scored yet" becomes NaN.

    Args:
        attributes: the d attributes.
        values: (n, d), in users' units.

    Returns:
        (n, d), transformed.
    """
    transformed = values.copy(order="K")
    for j, attribute in enumerate(attributes):
        if attribute.transform is Transform.LOG:
            column = values[:, j]
            transformed[:, j] = np.copysign(np.log1p(np.abs(column)), column)
        if attribute.unscored is not None:
            transformed[values[:, j] == attribute.unscored, j] = np.nan
    return transformed


@dataclass(frozen=True, eq=False, slots=True)
class Preparation:
    """How transformed attributes become the coordinates that K-means measures distances in.

    A coordinate is `(transformed - center) * scale`. An attribute that is not used has scale 0.

    Attributes:
        attributes: the d attributes that a customer is given by.
        center: (d,), the training mean of each transformed attribute.
        spread: (d,), the training standard deviation of each transformed attribute.
        scale: (d,), coordinate units per transformed unit, the weight included.
    """

    attributes: tuple[Attribute, ...]
    center: FloatArray
    spread: FloatArray
    scale: FloatArray

    @property
    def used(self) -> IntArray:
        """The positions of the attributes that the model uses."""
        return np.flatnonzero(self.scale)

    def prepare(self, values: FloatArray) -> FloatArray:
        """Return the coordinates, (n, d), of customers given in users' units, (n, d)."""
        return self.prepare_transformed(transform(self.attributes, values))

    def prepare_transformed(self, transformed: FloatArray) -> FloatArray:
        """Return the coordinates, (n, d), of transformed attributes; unscored ones are typical."""
        coordinates = (transformed - self.center) * self.scale
        for j, attribute in enumerate(self.attributes):
            if attribute.unscored is not None:
                coordinates[np.isnan(coordinates[:, j]), j] = 0.0
        return coordinates

    def restore(self, coordinates: FloatArray) -> FloatArray:
        """Return transformed attributes from coordinates, (n, d); unused ones as the center."""
        scale = np.where(self.scale == 0.0, np.inf, self.scale)
        return coordinates / scale + self.center


def fit_preparation(
    attributes: Sequence[Attribute],
    transformed: FloatArray,
    weights: Mapping[str, float] | None = None,
    excluded: Collection[str] = (),
) -> Preparation:
    """Learn the preparation from training data; see `preparation_of`.

    Args:
        attributes: the d attributes.
        transformed: (n, d), n >= 1.
        weights: replaces the attributes' own weights, by name.
        excluded: names of attributes that the model must not use.
    """
    center, spread = np.array(map_all(_moments, transformed.T)).T
    return preparation_of(attributes, center, spread, weights, excluded)


def preparation_of(
    attributes: Sequence[Attribute],
    center: FloatArray,
    spread: FloatArray,
    weights: Mapping[str, float] | None = None,
    excluded: Collection[str] = (),
) -> Preparation:
    """Return the preparation for transformed attributes of these means and deviations, (d,).

    Amounts, counts and scores are divided by their standard deviation. Binary and coded
    attributes are not: a rare flag has a small deviation, and dividing by it would let that one
    flag decide the segments. Their weight is per step of the code instead.
    """
    weights = weights or {}
    weight = np.array(
        [
            weights.get(attribute.name, attribute.weight)
            if attribute.used and attribute.name not in excluded
            else 0.0
            for attribute in attributes
        ]
    )
    coded = np.array([bool(attribute.codes) for attribute in attributes])
    varies = spread > 1e-12 * np.maximum(np.abs(center), 1.0)
    divisor = np.where(coded | ~varies, 1.0, spread)
    scale = np.where(varies, weight / divisor, 0.0)
    return Preparation(tuple(attributes), center, spread, scale)


def _moments(column: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of a transformed attribute, those not scored left out."""
    unscored = np.isnan(column)
    measured = column[~unscored] if unscored.any() else column
    if len(measured) == 0:
        return 0.0, 0.0
    return float(measured.mean()), float(measured.std())
