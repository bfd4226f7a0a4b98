"""Preparing attributes for K-means: skew taken out, scales made alike, weights applied.

A nominal attribute takes a column for each of its categories, any other attribute takes one. What
is missing is NaN everywhere; see `missing.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from math import sqrt

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind, Missing, Transform
from customer_segmentation.model.threads import map_all

_LEAST_KNEE = 1e-3
"""Divided by less, the largest amounts would be more than a float holds."""

_UNSCORED = np.inf
"""What stands for "not scored yet" among transformed attributes, which are finite otherwise."""


def columns_of(attributes: Sequence[Attribute]) -> list[slice]:
    """Return which columns each attribute takes once it is transformed."""
    widths = [len(a.choices) if a.kind is Kind.NOMINAL else 1 for a in attributes]
    ends = accumulate(widths)
    return [slice(end - width, end) for width, end in zip(widths, ends, strict=True)]


def transform(attributes: Sequence[Attribute], values: FloatArray) -> FloatArray:
    """Take the skew out of amounts and counts, and tell categories by indicators.

    The transform is sign(x) ln(1 + |x|): it rises everywhere, takes any finite number, overdrawn
    balances too, and turns the long right tail of money into a near-symmetric one; with the
    transform symlog x is divided by the attribute's knee first. A value that
    means "not scored yet" becomes infinite. Of a nominal attribute each category's column is 1 for
    those who are in it and 0 for others.

    Args:
        attributes: the d attributes.
        values: (n, d), in users' units.

    Returns:
        (n, c), transformed, in the columns that `columns_of` tells.
    """
    nominal = any(attribute.kind is Kind.NOMINAL for attribute in attributes)
    transformed = _indicate(attributes, values) if nominal else values.copy(order="K")
    starts: Iterable[int] = range(len(attributes))
    if nominal:
        starts = (place.start for place in columns_of(attributes))
    for j, (attribute, at) in enumerate(zip(attributes, starts, strict=True)):
        if attribute.is_logarithmic:
            transformed[:, at] = transform_column(attribute, values[:, j])
        if attribute.unscored is not None and attribute.kind is not Kind.NOMINAL:
            transformed[values[:, j] == attribute.unscored, at] = _UNSCORED
    return transformed


def transform_column(attribute: Attribute, column: FloatArray) -> FloatArray:
    """Take the skew out of values of any shape of an attribute that is not nominal."""
    if not attribute.is_logarithmic:
        return column
    if attribute.divisor != 1.0:
        column = column / attribute.divisor
    if attribute.missing is Missing.ALLOWED and (missing := np.isnan(column)).any():
        # The logarithm of NaN takes five times as long as that of a number.
        column = np.where(missing, 0.0, column)
        return np.where(missing, np.nan, np.copysign(np.log1p(np.abs(column)), column))
    return np.copysign(np.log1p(np.abs(column)), column)


def restore_column(attribute: Attribute, column: FloatArray) -> FloatArray:
    """Return the values that `transform_column` transforms into these."""
    if not attribute.is_logarithmic:
        return column
    with np.errstate(over="ignore"):
        return np.copysign(np.expm1(np.abs(column)) * attribute.divisor, column)


def measure_knees(attributes: Sequence[Attribute], values: FloatArray) -> tuple[Attribute, ...]:
    """Return the attributes, with the knee of those whose transform is symlog, from values (n, d).

    The bi-symmetric logarithm sign(x) ln(1 + |x| / c) is linear far below c and logarithmic far
    above (Webber 2013, doi:10.1088/0957-0233/24/2/027001). c is the median of the amounts that are
    not zero, so that what is typical of them is far from zero, and what is hardly more is not.
    """
    return tuple(
        replace(attribute, knee=_median_amount(column))
        if attribute.transform is Transform.SYMLOG
        else attribute
        for attribute, column in zip(attributes, values.T, strict=True)
    )


def _median_amount(column: FloatArray) -> float:
    amounts = np.abs(column[np.isfinite(column) & (column != 0.0)])
    return max(float(np.median(amounts)), _LEAST_KNEE) if len(amounts) else 1.0


def _indicate(attributes: Sequence[Attribute], values: FloatArray) -> FloatArray:
    """Return values, (n, d), with an indicator for each category of nominal attributes, (n, c)."""
    places = columns_of(attributes)
    found = np.empty((len(values), places[-1].stop))
    for attribute, place, column in zip(attributes, places, values.T, strict=True):
        if attribute.kind is Kind.NOMINAL:
            block = column[:, None] == np.array(attribute.choices, dtype=np.float64)
            found[:, place] = np.where(np.isnan(column)[:, None], np.nan, block)
        else:
            found[:, place] = column[:, None]
    return found


@dataclass(frozen=True, eq=False)
class Preparation:
    """How transformed attributes become the coordinates that K-means measures distances in.

    A coordinate is `(transformed - center) * scale`. A column that is not used has scale 0.

    Attributes:
        attributes: the d attributes that a customer is given by.
        center: (c,), the training mean of each transformed column.
        spread: (c,), the training standard deviation of each transformed column.
        scale: (c,), coordinate units per transformed unit, the weight included.
    """

    attributes: tuple[Attribute, ...]
    center: FloatArray
    spread: FloatArray
    scale: FloatArray

    @property
    def used(self) -> IntArray:
        """The positions of the columns that the model uses."""
        return np.flatnonzero(self.scale)

    @cached_property
    def used_attributes(self) -> list[int]:
        """The positions of the attributes that the model uses."""
        return [j for j, place in enumerate(self.columns) if self.scale[place].any()]

    @cached_property
    def columns(self) -> list[slice]:
        """The columns of each attribute."""
        return columns_of(self.attributes)

    @cached_property
    def may_miss(self) -> bool:
        """Whether customers may lack an attribute."""
        return any(attribute.missing is Missing.ALLOWED for attribute in self.attributes)

    @cached_property
    def importance(self) -> FloatArray:
        """The variance of each coordinate in the training data, (c,)."""
        return (self.spread * self.scale) ** 2

    def prepare(self, values: FloatArray) -> FloatArray:
        """Return the coordinates, (n, c), of customers given in users' units, (n, d)."""
        return self.prepare_transformed(transform(self.attributes, values))

    def prepare_transformed(self, transformed: FloatArray) -> FloatArray:
        """Return the coordinates, (n, c), of transformed attributes, (n, c).

        What is not scored yet is typical, and so is somebody of whom nothing at all is known.
        """
        with np.errstate(invalid="ignore"):
            coordinates = (transformed - self.center) * self.scale
        for place, attribute in zip(self.columns, self.attributes, strict=True):
            if attribute.unscored is not None:
                coordinates[transformed[:, place.start] == _UNSCORED, place.start] = 0.0
        if self.may_miss:
            coordinates[:, self.scale == 0.0] = 0.0
            used = self.used
            coordinates[np.ix_(np.isnan(coordinates[:, used]).all(axis=1), used)] = 0.0
        return coordinates

    def restore(self, coordinates: FloatArray) -> FloatArray:
        """Return transformed attributes from coordinates, (n, c); unused ones as the center."""
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
        transformed: (n, c), n >= 1.
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
    """Return the preparation for transformed attributes of these means and deviations, (c,).

    Amounts, counts and scores are divided by their standard deviation. Binary and coded
    attributes are not: a rare flag has a small deviation, and dividing by it would let that one
    flag decide the segments. Their weight is per step of the code instead. Two customers of
    different categories differ in two indicators, which are divided by the root of 2, so that
    their distance is the weight: the whole attribute counts as one.
    """
    weights = weights or {}
    weight, coded = np.empty(len(center)), np.empty(len(center), dtype=bool)
    for attribute, place in zip(attributes, columns_of(attributes), strict=True):
        is_used = attribute.used and attribute.name not in excluded
        own = weights.get(attribute.name, attribute.weight) if is_used else 0.0
        weight[place] = own / sqrt(2.0) if attribute.kind is Kind.NOMINAL else own
        coded[place] = bool(attribute.choices)
    varies = spread > 1e-12 * np.maximum(np.abs(center), 1.0)
    divisor = np.where(coded | ~varies, 1.0, spread)
    scale = np.where(varies, weight / divisor, 0.0)
    return Preparation(tuple(attributes), center, spread, scale)


def _moments(column: FloatArray) -> tuple[float, float]:
    """Return mean and deviation of what is known and scored of a transformed column."""
    is_measured = np.isfinite(column)
    measured = column if is_measured.all() else column[is_measured]
    if len(measured) == 0:
        return 0.0, 0.0
    return float(measured.mean()), float(measured.std())
