"""Real-time assignment: preparation and centroids folded into two arrays at load."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import copysign, inf, isnan, log1p, nan
from operator import mul

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.fitting.minimum import two_least
from customer_segmentation.model.folding import (
    Term,
    fold_columns,
    group_nominal,
    indicators_of,
    terms_of,
)
from customer_segmentation.model.missing import stretch_of
from customer_segmentation.model.prepare import restore_column, transform

_CHUNK = 16_384
_PATTERNS = 1_000

_Line = tuple[int, float, list[float]]
"""A segment's number, and the base and the slopes of its discriminant."""

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


@dataclass(frozen=True, eq=False, slots=True)
class _Missing:
    """What the missing columns of many customers weigh.

    Attributes:
        squares: (k, n), what they would add to the squared distances.
        stretched: (n,), what squared distances are multiplied by; see `model/missing.py`.
    """

    squares: FloatArray
    stretched: FloatArray


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

    Attributes:
        terms: what each attribute adds to the discriminants; the least one's segment is the
            nearest.
    """

    def __init__(self, model: Model) -> None:
        """Fold a model."""
        preparation = model.preparation
        used, attributes = preparation.used, model.attributes
        slope = -2.0 * model.centroids[:, used] * preparation.scale[used]
        self._numbers = model.numbers
        self._attributes = attributes
        self._names = model.names
        self._outlier_distance = model.outlier_distance
        self._hysteresis = model.parameters.hysteresis
        self._may_miss = preparation.may_miss
        self._used = used
        self._slope = slope
        self._center, self._scale = preparation.center[used], preparation.scale[used]
        self._importance = preparation.importance[used]
        self._base = ((model.centroids**2).sum(axis=1) - slope @ self._center)[:, None]
        # What somebody typical in a column adds to each squared distance.
        self._squares = model.centroids[:, used] ** 2
        self._weights = np.vstack([self._importance, np.ones(len(used))])
        self._columns = fold_columns(preparation)
        self._positions = np.array([column.position for column in self._columns], dtype=np.int64)
        self._indicators = [
            at for at, column in enumerate(self._columns) if column.choice is not None
        ]
        self.terms = terms_of(preparation, self._columns, slope, self._squares)
        self._typical = np.zeros((len(attributes), 1))
        for term in self.terms:
            if not term.choices:
                restored = restore_column(term.attribute, np.array([term.center]))
                self._typical[term.position] = np.nan_to_num(restored)
        self._unscored = [
            (at, column.center)
            for at, column in enumerate(self._columns)
            if column.unscored is not None
        ]
        largest = [column.largest for column in self._columns]
        self._rounding = _ROUNDING * float(np.abs(slope).max(axis=0) @ np.array(largest))
        self._fold(slope)

    def _fold(self, slope: FloatArray) -> None:
        """Put columns in the order in which `assign_one` goes through them: plain ones first."""
        numbers = [at for at, column in enumerate(self._columns) if column.choice is None]
        plain = [at for at in numbers if self._columns[at].divisor == 1.0]
        divided = [at for at in numbers if at not in plain]
        self._plain = [
            (column.name, column.is_logarithmic, column.unscored, column.center)
            for column in (self._columns[at] for at in plain)
        ]
        self._divided = [
            (column.name, column.divisor, column.unscored, column.center)
            for column in (self._columns[at] for at in divided)
        ]
        nominal = group_nominal(self._columns)
        self._nominal = [
            (name, indicators_of(self._columns, places), [nan] * len(places))
            for name, places in nominal.items()
        ]
        order = plain + divided + [at for places in nominal.values() for at in places]
        self._centers = self._center[order].tolist()
        self._squares_in_order = self._squares[:, order].tolist()
        self._lines_without: dict[tuple[int, ...], list[_Line]] = {}
        self._lines = list(
            zip(
                self._numbers.tolist(),
                self._base[:, 0].tolist(),
                slope[:, order].tolist(),
                strict=True,
            )
        )

    @property
    def bases(self) -> dict[int, float]:
        """By segment number, what its discriminant has besides the terms, which it follows."""
        return dict(zip(self._numbers.tolist(), self._base[:, 0].tolist(), strict=True))

    def assign_one(self, attributes: Attributes) -> int:
        """Return the segment number of one customer's attributes; what is missing is NaN."""
        transformed = []
        for name, skewed, unscored, center in self._plain:
            value = attributes[name]
            if value == unscored:
                transformed.append(center)
            elif skewed:
                transformed.append(copysign(log1p(abs(value)), value))
            else:
                transformed.append(value)
        for name, divisor, unscored, center in self._divided:
            value = attributes[name]
            skewless = copysign(log1p(abs(value) / divisor), value)
            transformed.append(center if value == unscored else skewless)
        for name, indicators, unknown in self._nominal:
            transformed += indicators.get(attributes[name], unknown)
        lines = self._lines
        # Where something is missing no sum is a number.
        if self._may_miss and isnan(sum(transformed)):
            lines = self._fill_in_one(transformed)
        nearest = -1
        least = second = inf
        for number, base, slope in lines:
            distance = sum(map(mul, slope, transformed), base)
            if distance < least:
                nearest, least, second = number, distance, least
            elif distance < second:
                second = distance
        if second - least > self._rounding:
            return nearest
        row = np.array([[attributes[name] for name in self._names]], dtype=np.float64)
        return int(self.assign(row)[0])

    def _fill_in_one(self, transformed: list[float]) -> list[_Line]:
        """Put 0 for what is missing; return the lines by which it counts nothing."""
        missing = tuple([at for at, value in enumerate(transformed) if isnan(value)])
        for at in missing:
            transformed[at] = 0.0
        lines = self._lines_without.get(missing)
        if lines is None:
            lines = self._find_lines_without(missing)
            # Tables lack the same few attributes again and again.
            if len(self._lines_without) < _PATTERNS:
                self._lines_without[missing] = lines
        return lines

    def _find_lines_without(self, missing: Sequence[int]) -> list[_Line]:
        """Return the lines of somebody who lacks some columns; all of them are typical."""
        is_known = len(missing) < len(self._centers)
        return [
            (
                number,
                base
                + sum(slope[at] * self._centers[at] for at in missing)
                - sum(squares[at] for at in missing if is_known),
                slope,
            )
            for (number, base, slope), squares in zip(
                self._lines, self._squares_in_order, strict=True
            )
        ]

    def assign(self, values: FloatArray) -> IntArray:
        """Return the segment number, (n,), of each customer, (n, d), in users' units.

        A customer equally near to two centroids gets the one that stands first.
        """
        segments = np.empty(len(values), dtype=np.int64)
        for rows in _chunks(len(values)):
            places, _, _ = self._nearest(values[rows], *self._transformed(values[rows]))
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
        distances = _distances(lines, *self._norms(*self._settled_columns(values)))
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
            transformed, missing = self._transformed(values[rows])
            places, least, second_least = self._nearest(values[rows], transformed, missing)
            norms = self._norms(transformed, missing)
            first, second = _distances(least, *norms), _distances(second_least, *norms)
            segments[rows] = self._numbers[places]
            nearest[rows] = first
            ratio = np.ones(len(first))
            np.divide(first, second, out=ratio, where=second > 0.0)
            confidence[rows] = 1.0 - ratio
        return Assessment(segments, confidence, nearest > self._outlier_distance)

    def distances(self, values: FloatArray) -> FloatArray:
        """Return the distance, (n, k), of each customer, (n, d), to each centroid."""
        transformed, missing = self._transformed(values)
        lines = self._discriminate(transformed, missing)
        return _distances(lines, *self._norms(transformed, missing)).T

    def _discriminate(self, transformed: FloatArray, missing: "_Missing | None") -> FloatArray:
        """Return the discriminants, (k, n), of what `_transformed` gives."""
        lines = self._slope @ transformed
        lines += self._base
        if missing is not None:
            lines -= missing.squares
        return lines

    def _transformed(self, values: FloatArray) -> "tuple[FloatArray, _Missing | None]":
        """Return the transformed columns that are used, (c, n), and what is missing of them.

        What is not scored is typical; so is for now what is missing, None where nothing is.
        """
        lacking = self._find_lacking(values)
        if lacking is not None:
            # Before the logarithm, which takes five times as long of NaN as of a number.
            values = np.where(lacking, self._typical, values.T).T
        columns = transform(self._attributes, values).T[self._used]
        for at, center in self._unscored:
            columns[at, np.isinf(columns[at])] = center
        if lacking is None:
            return columns, None
        missing = lacking[self._positions]
        for at in self._indicators:
            np.copyto(columns[at], self._center[at], where=missing[at])
        return columns, self._weigh(missing)

    def _find_lacking(self, values: FloatArray) -> BoolArray | None:
        """Return whose attributes, (d, n), are missing; None where nobody's are."""
        if not self._may_miss:
            return None
        lacking = np.isnan(values.T)
        return lacking if lacking.any() else None

    def _weigh(self, missing: BoolArray) -> "_Missing":
        """Return what missing columns, (c, n), weigh; nothing where nothing at all is known."""
        # In two products, as libraries start threads for one that is large.
        lacks = missing.astype(np.float64)
        squares, (importance, number) = self._squares @ lacks, self._weights @ lacks
        unknown = np.flatnonzero(number == len(missing))
        squares[:, unknown] = importance[unknown] = 0.0
        return _Missing(squares, stretch_of(importance, self._importance))

    def _nearest(
        self, values: FloatArray, transformed: FloatArray, missing: "_Missing | None"
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return the rows of the least discriminants, (n,), and the least and second least, (n,).

        Args:
            values: (n, d), in users' units.
            transformed: (c, n), the same customers' transformed columns.
            missing: as `_transformed` gives it.
        """
        rows, least, second = two_least(self._discriminate(transformed, missing))
        close = np.flatnonzero(second - least <= self._rounding)
        if len(close) > 0:
            rows[close] = self._settled(values[close]).argmin(axis=0)
        return rows, least, second

    def _settled(self, values: FloatArray) -> FloatArray:
        """Return the discriminants, (k, n), of customers, (n, d), to the last bit."""
        lines = np.zeros((len(self._numbers), len(values)))
        missing = np.isnan(values[:, [term.position for term in self.terms]]).T
        is_unknown = missing.all(axis=0)
        for term, lacks in zip(self.terms, missing, strict=True):
            adds = _settled_term(term, values[:, term.position])
            if lacks.any():
                unknown = np.where(is_unknown, *_in_columns(term.typical, term.lacking))
                adds = np.where(lacks, unknown, adds)
            lines += adds
        lines += self._base
        return lines

    def _settled_columns(self, values: FloatArray) -> "tuple[FloatArray, _Missing | None]":
        """Return what `_transformed` does, to the last bit."""
        columns = np.empty((len(self._columns), len(values)))
        for row, column in zip(columns, self._columns, strict=True):
            given = values[:, column.position]
            row[:] = given
            if column.choice is not None:
                row[:] = np.where(np.isnan(given), given, given == column.choice)
            if column.is_logarithmic:
                row[:] = np.sign(row) * settled_logarithm(np.abs(row) / column.divisor)
            if column.unscored is not None:
                row[given == column.unscored] = column.center
        lacking = self._find_lacking(values)
        if lacking is None:
            return columns, None
        missing = lacking[self._positions]
        np.copyto(columns, self._center[:, None], where=missing)
        return columns, self._weigh(missing)

    def _norms(
        self, transformed: FloatArray, missing: "_Missing | None"
    ) -> tuple[FloatArray, FloatArray | float]:
        """Return what discriminants lack to be squared distances, (n,), and their stretch, (n,).

        The arguments are as `_transformed` gives them: what is missing adds nothing.
        """
        norms = np.zeros(transformed.shape[1])
        for column, center, scale in zip(transformed, self._center, self._scale, strict=True):
            coordinates = (column - center) * scale
            norms += coordinates * coordinates
        return norms, 1.0 if missing is None else missing.stretched


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


def _settled_term(term: Term, column: FloatArray) -> FloatArray:
    """Return what an attribute adds, (k, n), by its values, (n,), as far as they are known."""
    if term.choices:
        adds = np.zeros((len(term.typical), len(column)))
        for choice, own in term.choices.items():
            adds[:, column == choice] = np.array(own)[:, None]
        return adds
    attribute = term.attribute
    transformed = column
    if attribute.is_logarithmic:
        transformed = np.sign(column) * settled_logarithm(np.abs(column) / attribute.divisor)
    if attribute.unscored is not None:
        transformed = np.where(column == attribute.unscored, term.center, transformed)
    return np.array(term.slopes)[:, None] * transformed


def _in_columns(*rows: tuple[float, ...]) -> list[FloatArray]:
    return [np.array(row)[:, None] for row in rows]


def _distances(lines: FloatArray, norms: FloatArray, stretched: FloatArray | float) -> FloatArray:
    """Return the distances that discriminants, (n,) or (k, n), are of."""
    # Rounding leaves those who stand on a centroid a little on either side of it.
    return np.sqrt(np.maximum(lines + norms, 0.0) * stretched)


def _chunks(rows: int) -> Iterator[slice]:
    """Yield parts of so many rows that their columns stay in a processor's cache."""
    return (slice(start, start + _CHUNK) for start in range(0, rows, _CHUNK))
