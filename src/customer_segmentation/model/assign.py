"""Real-time assignment: preparation and centroids folded into two arrays at load."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import copysign, inf, log1p

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.features import FEATURES
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.least import two_least
from customer_segmentation.model.prepare import transform

_CHUNK = 16_384
_LARGEST_LOGARITHM = 710.0
"""The logarithm of the largest float."""

_ROUNDING = 1e-13
"""More than what rounding makes of a discriminant, as a share of its largest terms' sum."""


@dataclass(frozen=True, eq=False, slots=True)
class Assessment:
    """The assignments of many customers.

    Attributes:
        segments: (n,), the numbers of the nearest segments.
        confidence: (n,), 1 - d1/d2 of the distances to the nearest and second nearest centroid.
        outliers: (n,), whether each is far from every centroid.
    """

    segments: IntArray
    confidence: FloatArray
    outliers: BoolArray


@dataclass(frozen=True, slots=True)
class Discriminant:
    """A segment's distance, less what is the same for all: `base` and slope by slope added to it.

    Attributes:
        number: the segment's.
        base: of the segment.
        slopes: by attribute name, what a unit of the transformed attribute adds.
    """

    number: int
    base: float
    slopes: dict[str, float]


class Assigner:
    """Gives the nearest centroid's segment.

    With coordinates z = (t - c) s, the squared distance to a centroid m is
    |z|^2 - 2 m.z + |m|^2. The first term is the same for every centroid, and the rest is linear
    in the transformed attributes t, so finding the nearest takes one small product per customer.

    One customer is computed with Python's floats and many with NumPy, by the same operations in
    the same order: for a single row NumPy's calls take several times as long as their arithmetic.
    """

    def __init__(self, model: Model) -> None:
        """Fold a model."""
        preparation = model.preparation
        used = preparation.used
        slope = -2.0 * model.centroids[:, used] * preparation.scale[used]
        self._numbers = model.numbers
        self._outlier_distance = model.outlier_distance
        self._hysteresis = model.parameters.hysteresis
        self._used = used
        self._slope = slope
        self._center, self._scale = preparation.center[used], preparation.scale[used]
        self._base = ((model.centroids**2).sum(axis=1) - slope @ self._center)[:, None]
        largest = [_LARGEST_LOGARITHM if f.skewed else f.plain_range[1] for f in FEATURES]
        self._rounding = _ROUNDING * float(np.abs(slope).max(axis=0) @ np.array(largest)[used])
        self._attributes = [
            (FEATURES[j].name, FEATURES[j].skewed, FEATURES[j].unscored, center)
            for j, center in zip(used.tolist(), self._center.tolist(), strict=True)
        ]
        self._lines = list(
            zip(self._numbers.tolist(), self._base[:, 0].tolist(), slope.tolist(), strict=True)
        )

    @property
    def discriminants(self) -> list[Discriminant]:
        """One for each segment: whose is the least, is a customer's."""
        names = [name for name, *_ in self._attributes]
        return [
            Discriminant(number, base, dict(zip(names, slope, strict=True)))
            for number, base, slope in self._lines
        ]

    @property
    def centers(self) -> dict[str, float]:
        """By name, what stands for an attribute that is not scored yet, transformed."""
        return {name: center for name, _, _, center in self._attributes}

    def assign_one(self, attributes: Attributes) -> int:
        """Return the segment number of one customer's complete attributes."""
        transformed = []
        for name, skewed, unscored, center in self._attributes:
            value = attributes[name]
            if value == unscored:
                transformed.append(center)
            elif skewed:
                transformed.append(copysign(log1p(abs(value)), value))
            else:
                transformed.append(value)
        nearest = -1
        least = inf
        for number, base, slope in self._lines:
            distance = 0.0
            for a, b in zip(slope, transformed, strict=True):
                distance += a * b
            distance += base
            if distance < least:
                nearest, least = number, distance
        return nearest

    def assign(self, values: FloatArray) -> IntArray:
        """Return the segment number, (n,), of each customer, (n, d), in users' units.

        A customer equally near to two centroids gets the one that stands first.
        """
        segments = np.empty(len(values), dtype=np.int64)
        for rows in _chunks(len(values)):
            places, _, _ = self._nearest(self._transformed(values[rows]))
            segments[rows] = self._numbers[places]
        return segments

    def assign_calmly(self, values: FloatArray, current: IntArray) -> IntArray:
        """Return the segment number, (n,), of customers, (n, d), who are in one already, (n,).

        With hysteresis h a customer stays in a segment at distance d as long as d (1 - h) is no
        more than the distance to the nearest; without, this is `assign`.
        """
        nearest = self.assign(values)
        if self._hysteresis == 0.0:
            return nearest
        distances = self.distances(values)
        rows = np.searchsorted(self._numbers, current).clip(max=len(self._numbers) - 1)
        there = self._numbers[rows] == current
        stay = distances[np.arange(len(values)), rows] * (1.0 - self._hysteresis)
        return np.where(there & (stay <= distances.min(axis=1)), current, nearest)

    def assess(self, values: FloatArray) -> Assessment:
        """Assign customers, (n, d), and tell how clear and how usual each one is."""
        segments = np.empty(len(values), dtype=np.int64)
        confidence, nearest = np.empty(len(values)), np.empty(len(values))
        for rows in _chunks(len(values)):
            transformed = self._transformed(values[rows])
            places, least, second_least = self._nearest(transformed)
            norms = self._norms(transformed)
            first, second = _distances(least, norms), _distances(second_least, norms)
            segments[rows] = self._numbers[places]
            nearest[rows] = first
            ratio = np.ones(len(first))
            np.divide(first, second, out=ratio, where=second > 0.0)
            confidence[rows] = 1.0 - ratio
        return Assessment(segments, confidence, nearest > self._outlier_distance)

    def distances(self, values: FloatArray) -> FloatArray:
        """Return the distance, (n, k), of each customer, (n, d), to each centroid."""
        transformed = self._transformed(values)
        lines = self._slope @ transformed + self._base
        return _distances(lines, self._norms(transformed)).T

    def _transformed(self, values: FloatArray) -> FloatArray:
        """Return the transformed attributes that are used, (d, n), those not scored as typical."""
        columns = transform(values).T[self._used]
        for column, (_, _, unscored, center) in zip(columns, self._attributes, strict=True):
            if unscored is not None:
                column[np.isnan(column)] = center
        return columns

    def _nearest(self, transformed: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return the rows of the least discriminants, (n,), and the least and second least, (n,).

        A matrix product adds in an order that depends on the number of rows. So that everyone is
        assigned alike, alone and among others, those between whose two nearest centroids rounding
        could decide are computed again in the order of `assign_one`.
        """
        rows, least, second = two_least(self._slope @ transformed + self._base)
        close = np.flatnonzero(second - least <= self._rounding)
        if len(close) > 0:
            lines = np.zeros((len(self._numbers), len(close)))
            for slope, column in zip(self._slope.T, transformed[:, close], strict=True):
                lines += slope[:, None] * column
            rows[close] = (lines + self._base).argmin(axis=0)
        return rows, least, second

    def _norms(self, transformed: FloatArray) -> FloatArray:
        """Return what every discriminant lacks to be a squared distance, (n,)."""
        coordinates = (transformed - self._center[:, None]) * self._scale[:, None]
        norms: FloatArray = np.einsum("dn,dn->n", coordinates, coordinates)
        return norms


def _distances(lines: FloatArray, norms: FloatArray) -> FloatArray:
    """Return the distances that discriminants, (n,) or (k, n), are of."""
    # Rounding leaves those who stand on a centroid a little on either side of it.
    return np.sqrt(np.maximum(lines + norms, 0.0))


def _chunks(rows: int) -> Iterator[slice]:
    """Yield parts of so many rows that their columns stay in a processor's cache."""
    return (slice(start, start + _CHUNK) for start in range(0, rows, _CHUNK))
