"""How customers are spread over the values of their attributes, as counts that can be kept up.

One distribution tells segment sizes, profiles, drift and shares by gender or age, and it follows
each change of a customer by adding and taking away, without looking at the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from sys import float_info

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.model.threads import map_all

_LARGEST = float_info.max
"""The neighbours of finite numbers end there, so that no bin ends at infinity."""

_WHOLE_RANGE = 200
"""An attribute of at most this many whole values has a bin for each of them."""

_MAX_KNOWN = 10_000
"""Whole values up to this are put into bins by a table."""

_CELLS = 4_096
"""The range of the cuts is divided into so many cells; for fewer values it is not worth it."""

_UNITS = 2.0 ** np.arange(46, -33, -26)
"""Sums are kept in digits of these units. A digit of one value has 26 bits, so those of 100 million
values add up without rounding: what is added and taken away again leaves no trace."""

_LARGEST_SUMMABLE = 2.0**72
"""Amounts beyond it are added as if they were this."""

_PERCENTILES = np.arange(1, 200) / 200.0
_COARSE = 0.01
_GROUPS = 10


@dataclass(frozen=True, eq=False, slots=True)
class Bins:
    """Where the values of each attribute are cut into bins.

    Attributes:
        attributes: the d attributes.
        cuts: for each attribute its cuts, rising; a bin holds the values from one cut, which it
            includes, to the next, which it does not. The first bin has no lower end.
    """

    attributes: tuple[Attribute, ...]
    cuts: tuple[FloatArray, ...]

    @property
    def offsets(self) -> IntArray:
        """Where each attribute's bins start among all bins, and where they end, (d + 1,).

        The last one of an attribute that may be missing holds those who lack it.
        """
        ours = zip(self.attributes, self.cuts, strict=True)
        sizes = [len(cuts) + 1 + _may_miss(attribute) for attribute, cuts in ours]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def of_attribute(self, position: int) -> slice:
        """Return which of all bins are those of the values of the attribute at a position."""
        start, end = self.offsets[position : position + 2].tolist()
        return slice(start, end - _may_miss(self.attributes[position]))

    def of_missing(self, position: int) -> slice:
        """Return which of all bins is that of who lacks the attribute; empty where nobody may."""
        end = int(self.offsets[position + 1])
        return slice(end - _may_miss(self.attributes[position]), end)

    def last_values(self, position: int) -> FloatArray:
        """Return the greatest value that each bin of an attribute but the last can hold, (b - 1,).

        A bin that ends where it starts holds one value.
        """
        cuts = self.cuts[position]
        return cuts - 1.0 if self.attributes[position].is_integer else np.nextafter(cuts, -_LARGEST)

    def equals(self, other: "Bins") -> bool:
        """Return whether the cuts are the same."""
        return all(map(np.array_equal, self.cuts, other.cuts))

    def __or__(self, other: "Bins") -> "Bins":
        """Return bins with the cuts of these and of those."""
        both = zip(self.cuts, other.cuts, strict=True)
        return Bins(self.attributes, tuple(np.union1d(one, other) for one, other in both))


@dataclass(frozen=True, eq=False, slots=True)
class Distribution:
    """How many customers of each segment fall into each bin.

    Attributes:
        counts: (k, b), customers by segment and bin, over all attributes' bins.
        digits: (k, d, 4), the sum of each attribute by segment, whole numbers of units that fall.
        outliers: (k,), customers by segment who are far from every centroid.
    """

    counts: IntArray
    digits: FloatArray
    outliers: IntArray

    @property
    def sums(self) -> FloatArray:
        """The sum of each attribute by segment, (k, d)."""
        return self.digits @ _UNITS

    @property
    def sizes(self) -> IntArray:
        """The number of customers in each segment, (k,)."""
        # Whoever is counted stands in exactly one bin of each attribute.
        return self.counts.sum(axis=1) // self.digits.shape[1]

    def at(self, row: int) -> "Distribution":
        """Return the distribution of one segment's customers."""
        ours = slice(row, row + 1)
        return Distribution(self.counts[ours], self.digits[ours], self.outliers[ours])

    def __add__(self, other: "Distribution") -> "Distribution":
        """Return the distribution of these customers and those."""
        return Distribution(
            self.counts + other.counts, self.digits + other.digits, self.outliers + other.outliers
        )

    def __sub__(self, other: "Distribution") -> "Distribution":
        """Return the distribution of these customers without those."""
        return Distribution(
            self.counts - other.counts, self.digits - other.digits, self.outliers - other.outliers
        )

    def moved(self, bins: Bins, others: Bins) -> "Distribution":
        """Return it over other bins, exact where each of them is made of these.

        Customers in a bin that others divide go into the first of those.
        """
        counts = np.zeros((len(self.counts), int(others.offsets[-1])), dtype=np.int64)
        for j, (cuts, wanted) in enumerate(zip(bins.cuts, others.cuts, strict=True)):
            starts = np.concatenate([[-inf], cuts])
            places = others.offsets[j] + np.searchsorted(wanted, starts, side="right")
            np.add.at(counts.T, places, self.counts[:, bins.of_attribute(j)].T)
            counts[:, others.of_missing(j)] = self.counts[:, bins.of_missing(j)]
        return Distribution(counts, self.digits, self.outliers)


def _may_miss(attribute: Attribute) -> bool:
    return attribute.missing is Missing.ALLOWED


def fit_bins(attributes: Sequence[Attribute], values: FloatArray) -> Bins:
    """Cut attributes of few whole values at each of them, and all others at their percentiles.

    Args:
        attributes: the d attributes.
        values: (n, d), n >= 1, in users' units.
    """
    cuts = map_all(lambda j: _cuts(attributes[j], values[:, j]), range(len(attributes)))
    return Bins(tuple(attributes), tuple(cuts))


def _few_values(feature: Attribute) -> FloatArray | None:
    """Return all values that an attribute may have, where each has a bin of its own."""
    if feature.choices:
        return np.array(feature.choices, dtype=np.float64)
    least, most = feature.minimum, feature.maximum
    if feature.is_integer and least is not None and most is not None and most <= _WHOLE_RANGE:
        return np.arange(least, most + 1, dtype=np.float64)
    return None


def _cuts(feature: Attribute, column: FloatArray) -> FloatArray:
    if (values := _few_values(feature)) is not None:
        return values[1:]
    if _may_miss(feature):
        column = column[~np.isnan(column)]
        if len(column) == 0:
            return np.zeros(1)
    # Half percentiles: less than one in a hundred is in a bin, but those who share one value, which
    # has a bin of its own.
    found = np.quantile(column, _PERCENTILES, method="inverted_cdf")
    cuts, times = np.unique(found, return_counts=True)
    shared = cuts[times > 1]
    return np.union1d(cuts, shared + 1.0 if feature.is_integer else np.nextafter(shared, _LARGEST))


def are_coarse(bins: Bins, counts: IntArray) -> bool:
    """Return whether a bin of several values holds more than one customer in a hundred.

    Args:
        bins: of each attribute.
        counts: (b,), customers by bin, over all attributes' bins.
    """
    for j, feature in enumerate(bins.attributes):
        if _few_values(feature) is not None:
            continue
        held = counts[bins.of_attribute(j)]
        several = np.ones(len(held), dtype=bool)
        several[1:-1] = bins.cuts[j][:-1] < bins.last_values(j)[1:]
        if (held[several] > max(_COARSE * held.sum(), 1.0)).any():
            return True
    return False


def _bins_of(feature: Attribute, cuts: FloatArray, column: FloatArray) -> IntArray:
    """Return the bin of each value, (n,)."""
    last = cuts[-1] if len(cuts) else 0.0
    if not feature.is_integer or max(last, -cuts[:1].sum()) > _MAX_KNOWN:
        return _count_at_most(cuts, column)
    # Looking each value up takes a fraction of the time of looking for its place.
    first = 0.0
    if feature.minimum is None or feature.minimum < 0:
        first = float(cuts[0]) - 1.0 if len(cuts) else 0.0
        column = np.maximum(column, first)
    known = np.searchsorted(cuts, np.arange(first, last + 1.0), side="right")
    return known[(np.minimum(column, last) - first).astype(np.int64)]


def _count_at_most(cuts: FloatArray, column: FloatArray) -> IntArray:
    """Return how many cuts are no greater than each value, (n,).

    As `np.searchsorted` does, in less than half the time for many values: the range of the cuts is
    divided into cells, and only in those with a cut in them a value is compared with cuts. No
    rounding can put a greater value into a lower cell.
    """
    least, most = (float(cuts[0]), float(cuts[-1])) if len(cuts) else (0.0, 0.0)
    width = (most - least) / _CELLS
    if len(column) < _CELLS or not 0.0 < width < inf:
        return np.searchsorted(cuts, column, side="right")

    def cells_of(values: FloatArray) -> IntArray:
        with np.errstate(over="ignore"):
            cells = (values - least) / width
        # NaN counts as greater than every cut, and gets the last cell here.
        return np.fmax(np.fmin(cells, _CELLS), 0.0).astype(np.int64)

    held = np.bincount(cells_of(cuts), minlength=_CELLS + 1)
    cells = cells_of(column)
    found = (np.cumsum(held) - held)[cells]
    unsure = np.flatnonzero(held[cells])
    found[unsure] = np.searchsorted(cuts, column[unsure], side="right")
    return found


def empty_distribution(bins: Bins, k: int) -> Distribution:
    """Return the distribution of no customers over k segments."""
    return Distribution(
        counts=np.zeros((k, int(bins.offsets[-1])), dtype=np.int64),
        digits=np.zeros((k, len(bins.cuts), len(_UNITS))),
        outliers=np.zeros(k, dtype=np.int64),
    )


def count_customers(
    bins: Bins,
    k: int,
    values: FloatArray,
    rows: IntArray,
    outlying: BoolArray,
    signs: IntArray | None = None,
) -> Distribution:
    """Count customers.

    Args:
        bins: of each attribute.
        k: how many segments there are.
        values: (n, d), attributes in users' units.
        rows: (n,), the row of each customer's segment among the k.
        outlying: (n,), whether each is an outlier.
        signs: (n,), 1 for a customer who came and -1 for one who left; all came unless given.
    """
    ours = None if signs is None else signs.astype(np.float64)
    counted = empty_distribution(bins, k)
    for j, (cuts, column) in enumerate(zip(bins.cuts, values.T, strict=True)):
        attribute = bins.attributes[j]
        width = len(cuts) + 1 + _may_miss(attribute)
        if _may_miss(attribute):
            found = _bins_of(attribute, cuts, np.nan_to_num(column))
            found[np.isnan(column)] = width - 1
        else:
            found = _bins_of(attribute, cuts, column)
        counts = np.bincount(rows * width + found, weights=ours, minlength=k * width)
        start = bins.offsets[j]
        counted.counts[:, start : start + width] = counts.reshape(k, width)
    members = (rows == np.arange(k)[:, None]).astype(np.float64)
    if ours is not None:
        members *= ours
    if any(map(_may_miss, bins.attributes)):
        values = np.nan_to_num(values)
    counted.digits[:] = _add_up(values, members)
    counted.outliers[:] = members @ outlying
    return counted


def split_sums(sums: FloatArray) -> FloatArray:
    """Return the digits, (k, d, 4), of sums, (k, d)."""
    return _add_up(sums, np.eye(len(sums)))


def _add_up(values: FloatArray, members: FloatArray) -> FloatArray:
    """Return the digits, (k, d, 4), of sums of values, (n, d), each counted so often, (k, n)."""
    digits = np.zeros((len(members), values.shape[1], len(_UNITS)))
    rest = np.clip(values, -_LARGEST_SUMMABLE, _LARGEST_SUMMABLE)
    for place, unit in enumerate(_UNITS.tolist()):
        if np.abs(rest).max(initial=0.0) < unit / 2.0:
            continue
        whole = np.rint(rest * (1.0 / unit))
        rest -= whole * unit
        digits[:, :, place] = members @ whole
    return digits


def group_bins(counts: IntArray) -> IntArray:
    """Return where about ten groups of adjacent bins start, each of as many customers.

    Args:
        counts: (b,), customers by bin of one attribute.
    """
    starts = [0]
    held = 0
    share = counts.sum() / _GROUPS
    for place, count in enumerate(counts.tolist()):
        if held >= share:
            starts.append(place)
            held = 0
        held += count
    return np.array(starts)


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """How the customers of each segment are spread over the values of one attribute.

    Attributes:
        attribute: its request name.
        ends: (g + 1), where each of g groups of values starts, which it includes, and the last one
            ends; None for no end.
        counts: (k, g), customers by segment and group.
        missing: (k,), those who lack the attribute.
    """

    attribute: str
    ends: tuple[float | None, ...]
    counts: IntArray
    missing: IntArray


def spreads(bins: Bins, grouped_by: Distribution, current: Distribution) -> tuple[Spread, ...]:
    """Return how customers are spread over the values of each attribute, in about ten groups.

    Args:
        bins: of each attribute.
        grouped_by: the customers of whom each group is to have as many.
        current: the customers who are counted.
    """
    found = []
    for j, feature in enumerate(bins.attributes):
        ours = bins.of_attribute(j)
        starts = np.arange(ours.stop - ours.start)
        if not feature.choices:
            starts = group_bins(grouped_by.counts[:, ours].sum(axis=0))
        # The first bin starts where values may, and not at the least one that somebody has.
        least = None if feature.minimum is None else float(feature.minimum)
        # A value with a bin of its own, of an amount, takes those up to the next cut with it: the
        # number after it is none to show.
        cuts = bins.cuts[j][starts[1:] - 1]
        after = np.isin(np.nextafter(cuts, -_LARGEST), bins.cuts[j]) & (not feature.is_integer)
        starts[1:] = np.minimum(starts[1:] + after, len(bins.cuts[j]))
        starts = np.unique(starts)
        ends = (least, *bins.cuts[j][starts[1:] - 1].tolist(), None)
        counts = np.add.reduceat(current.counts[:, ours], starts, axis=1)
        missing = current.counts[:, bins.of_missing(j)].sum(axis=1)
        found.append(Spread(feature.name, ends, counts, missing))
    return tuple(found)
