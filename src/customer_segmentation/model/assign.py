"""Real-time assignment: preparation and centroids folded into two arrays at load."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import copysign, inf, log1p
from operator import mul

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.fitting.minimum import two_least
from customer_segmentation.model.prepare import transform

_CHUNK = 16_384
_LARGEST_LOGARITHM = 710.0
"""The logarithm of the largest float."""

ROOTS = 14
"""How many square roots bring every float near enough to 1."""

SERIES = tuple(2.0 ** (ROOTS + 1) / n for n in (7, 5, 3, 1))
"""The coefficients of artanh, from the highest on, times what the roots divided by."""

_ROUNDING = 1e-12
"""More than what rounding, and another logarithm, make of a discriminant, as a share of its largest
terms' sum."""


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

    Logarithms and sums are rounded by each library in its own way. So that everyone is assigned
    alike, alone, among others, in a warehouse or by ONNX Runtime, whoever is so near to a border
    that rounding could decide is settled by operations that IEEE 754 defines to the last bit, in
    one order: `settled_logarithm`, then attribute by attribute, then the base. Farther away every
    way comes to the same end, so the exports settle everybody.
    """

    def __init__(self, model: Model) -> None:
        """Fold a model."""
        preparation = model.preparation
        used, attributes = preparation.used, model.attributes
        slope = -2.0 * model.centroids[:, used] * preparation.scale[used]
        self._numbers = model.numbers
        self._all_attributes = attributes
        self._names = model.names
        self._outlier_distance = model.outlier_distance
        self._hysteresis = model.parameters.hysteresis
        self._used = used
        self._slope = slope
        self._center, self._scale = preparation.center[used], preparation.scale[used]
        self._base = ((model.centroids**2).sum(axis=1) - slope @ self._center)[:, None]
        largest = [_LARGEST_LOGARITHM if f.is_logarithmic else f.plain_range[1] for f in attributes]
        self._rounding = _ROUNDING * float(np.abs(slope).max(axis=0) @ np.array(largest)[used])
        self._attributes = [
            (attributes[j].name, attributes[j].is_logarithmic, attributes[j].unscored, center)
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
        least = second = inf
        for number, base, slope in self._lines:
            distance = sum(map(mul, slope, transformed), base)
            if distance < least:
                nearest, least, second = number, distance, least
            elif distance < second:
                second = distance
        if second - least > self._rounding:
            return nearest
        values = np.array([[attributes[name] for name in self._names]], dtype=np.float64)
        return int(self._numbers[self._settled(values).argmin(axis=0)[0]])

    def assign(self, values: FloatArray) -> IntArray:
        """Return the segment number, (n,), of each customer, (n, d), in users' units.

        A customer equally near to two centroids gets the one that stands first.
        """
        segments = np.empty(len(values), dtype=np.int64)
        for rows in _chunks(len(values)):
            places, _, _ = self._nearest(values[rows], self._transformed(values[rows]))
            segments[rows] = self._numbers[places]
        return segments

    def assign_with_hysteresis(self, values: FloatArray, current: IntArray) -> IntArray:
        """Return the segment number, (n,), of customers, (n, d), who are in one already, (n,).

        With hysteresis h a customer stays in a segment at distance d as long as d (1 - h) is no
        more than the distance to the nearest; without, this is `assign`.
        """
        if self._hysteresis == 0.0:
            return self.assign(values)
        lines = self._settled(values)
        distances = _distances(lines, self._norms(self._settled_columns(values)))
        places = np.searchsorted(self._numbers, current).clip(max=len(self._numbers) - 1)
        there = self._numbers[places] == current
        stay = distances[places, np.arange(len(values))] * (1.0 - self._hysteresis)
        nearest = self._numbers[lines.argmin(axis=0)]
        return np.where(there & (stay <= distances.min(axis=0)), current, nearest)

    def assess(self, values: FloatArray) -> Assessment:
        """Assign customers, (n, d), and tell how clear and how usual each one is."""
        segments = np.empty(len(values), dtype=np.int64)
        confidence, nearest = np.empty(len(values)), np.empty(len(values))
        for rows in _chunks(len(values)):
            transformed = self._transformed(values[rows])
            places, least, second_least = self._nearest(values[rows], transformed)
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
        columns = transform(self._all_attributes, values).T[self._used]
        for column, (_, _, unscored, center) in zip(columns, self._attributes, strict=True):
            if unscored is not None:
                column[np.isnan(column)] = center
        return columns

    def _nearest(
        self, values: FloatArray, transformed: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return the rows of the least discriminants, (n,), and the least and second least, (n,).

        Args:
            values: (n, d), in users' units.
            transformed: (d, n), the same customers' transformed attributes.
        """
        rows, least, second = two_least(self._slope @ transformed + self._base)
        close = np.flatnonzero(second - least <= self._rounding)
        if len(close) > 0:
            rows[close] = self._settled(values[close]).argmin(axis=0)
        return rows, least, second

    def _settled(self, values: FloatArray) -> FloatArray:
        """Return the discriminants, (k, n), of customers, (n, d), to the last bit."""
        lines = np.zeros((len(self._numbers), len(values)))
        for slope, column in zip(self._slope.T, self._settled_columns(values), strict=True):
            lines += slope[:, None] * column
        return lines + self._base

    def _settled_columns(self, values: FloatArray) -> FloatArray:
        """Return what `_transformed` does, to the last bit."""
        columns = values.T[self._used]
        for column, (_, skewed, unscored, center) in zip(columns, self._attributes, strict=True):
            if skewed:
                column[:] = np.sign(column) * settled_logarithm(np.abs(column))
            if unscored is not None:
                column[column == unscored] = center
        return columns

    def _norms(self, transformed: FloatArray) -> FloatArray:
        """Return what every discriminant lacks to be a squared distance, (n,)."""
        norms = np.zeros(transformed.shape[1])
        for column, center, scale in zip(transformed, self._center, self._scale, strict=True):
            coordinates = (column - center) * scale
            norms += coordinates * coordinates
        return norms


def settled_logarithm(values: FloatArray) -> FloatArray:
    """Return ln(1 + x) of values of at least 0 to 11 decimals, the same bits on every machine.

    No standard says how a logarithm is rounded, but roots, sums, products and ratios are exact to
    the last bit everywhere. As Briggs did it, roots are taken until what is left is near 1, where
    few terms of ln r = 2 artanh((r - 1) / (r + 1)) are enough.
    """
    root = 1.0 + values
    for _ in range(ROOTS):
        root = np.sqrt(root)
    ratio = (root - 1.0) / (root + 1.0)
    square = ratio * ratio
    series = np.full_like(square, SERIES[0])
    for coefficient in SERIES[1:]:
        series = series * square + coefficient
    return series * ratio


def _distances(lines: FloatArray, norms: FloatArray) -> FloatArray:
    """Return the distances that discriminants, (n,) or (k, n), are of."""
    # Rounding leaves those who stand on a centroid a little on either side of it.
    return np.sqrt(np.maximum(lines + norms, 0.0))


def _chunks(rows: int) -> Iterator[slice]:
    """Yield parts of so many rows that their columns stay in a processor's cache."""
    return (slice(start, start + _CHUNK) for start in range(0, rows, _CHUNK))
