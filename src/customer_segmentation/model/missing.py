"""The one rule for values that are missing: only what is known counts.

A squared distance is the sum over the coordinates that are known. For one customer that decides
which centroid is nearest, and a centroid is the mean of what is known of its customers: k-POD
(Chi, Chi and Baraniuk 2016, doi:10.1080/00031305.2015.1086685), which lowers with each step the sum
of squares over all that is known. Where distances of several customers are compared, each is
stretched by what all coordinates weigh over what the known ones weigh, as of a partial distance
(Dixon 1979, doi:10.1109/TSMC.1979.4310090); a coordinate's weight is its variance in the training.

Where nothing is missing each function computes what it would without the rule, to the bit.
"""

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray

_TINY = 1e-290
"""A variance of less is none that can be divided by."""


def split_known(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return points with 0 for what is missing, and 1 where a coordinate is known and 0 where not.

    Args:
        points: of any shape; the same as of both results.
    """
    known = ~np.isnan(points)
    return np.where(known, points, 0.0), known.astype(np.float64)


def squared_distances(points: FloatArray, centroids: FloatArray) -> FloatArray:
    """Return the squared distances, (k, n), over what is known.

    Args:
        points: (c, n), coordinates; NaN where one is missing.
        centroids: (k, c).
    """
    filled, known = split_known(points)
    squared = -2.0 * centroids @ filled
    squared += centroids**2 @ known
    squared += (filled * filled).sum(axis=0)
    return np.maximum(squared, 0.0, out=squared)


def stretch(missing: BoolArray, importance: FloatArray) -> FloatArray:
    """Return what squared distances over the known coordinates are multiplied by, (n,).

    Args:
        missing: (c, n), whether each coordinate is missing; never all of those that weigh.
        importance: (c,), what each weighs.
    """
    # As numbers, since NumPy multiplies truth values many times slower.
    return stretch_of(importance @ missing.astype(np.float64), importance)


def stretch_of(lacking: FloatArray, importance: FloatArray) -> FloatArray:
    """Return what squared distances are multiplied by where so much importance is missing, (n,)."""
    whole = float(importance.sum())
    # What rounding leaves of nothing must not stretch beyond all bounds; and the least weights
    # leave no variance that a float holds.
    return (
        whole / np.maximum(whole - lacking, 1e-9 * whole) if whole > _TINY else lacking * 0.0 + 1.0
    )


def distances_of(ways: FloatArray, importance: FloatArray) -> FloatArray:
    """Return how long ways between points are, (n,), stretched where not all is known of them.

    Args:
        ways: (c, n), NaN where a coordinate is missing.
        importance: (c,), what each weighs.
    """
    missing = np.isnan(ways)
    if not missing.any():
        return np.sqrt((ways**2).sum(axis=0))
    squared = np.where(missing, 0.0, ways**2).sum(axis=0)
    return np.sqrt(squared * stretch(missing, importance))


def fill_in(points: FloatArray, centroids: FloatArray, labels: IntArray) -> FloatArray:
    """Return points, (n, c), with their own centroid's coordinates for what is missing."""
    return np.where(np.isnan(points), centroids[labels], points)


def pairwise_distances(points: FloatArray, rows: slice = slice(None)) -> FloatArray:
    """Return the distance of each of some points to each point, (m, n), over what both have.

    Two points of which nothing is known in common are as far apart as two on average.

    Args:
        points: (n, c); NaN where a coordinate is missing.
        rows: those m of them.
    """
    filled, known = split_known(points)
    importance = np.nan_to_num(np.nanvar(points, axis=0))
    whole = float(importance.sum())
    squares = filled * filled
    squared = squares[rows] @ known.T
    squared += known[rows] @ squares.T
    squared -= 2.0 * (filled[rows] @ filled.T)
    common = (known[rows] * importance) @ known.T
    is_unknown = common <= 1e-9 * whole
    common[is_unknown] = whole
    squared *= whole
    squared /= np.where(common > 0.0, common, 1.0)
    squared[is_unknown] = 2.0 * whole
    each = np.arange(len(points))
    squared[np.arange(len(squared)), each[rows]] = 0.0
    return np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)
