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
    largest = float(importance.max(initial=0.0))
    # The least weights leave no variance that a float holds: then none is more than another.
    importance = importance / largest if largest > 0.0 else np.ones_like(importance)
    whole = float(importance.sum())
    # As numbers, since NumPy multiplies truth values many times slower.
    lacking = importance @ missing.astype(np.float64)
    # What rounding leaves of nothing must not stretch beyond all bounds.
    return whole / np.maximum(whole - lacking, 1e-9 * whole)


def fill_in(points: FloatArray, centroids: FloatArray, labels: IntArray) -> FloatArray:
    """Return points, (n, c), with their own centroid's coordinates for what is missing."""
    return np.where(np.isnan(points), centroids[labels], points)


def pairwise_distances(points: FloatArray) -> FloatArray:
    """Return the distance of each pair of points, (n, n), over what is known of both, stretched.

    Two points of which nothing is known in common are as far apart as two on average.

    Args:
        points: (n, c); NaN where a coordinate is missing.
    """
    filled, known = split_known(points)
    squares = (filled * filled) @ known.T
    squared = squares + squares.T - 2.0 * (filled @ filled.T)
    importance = np.nan_to_num(np.nanvar(points, axis=0))
    common = (known * importance) @ known.T
    whole = float(importance.sum())
    is_known = common > 1e-9 * whole
    usual = 2.0 * whole
    stretched = np.where(is_known, squared * whole / np.where(is_known, common, 1.0), usual)
    np.fill_diagonal(stretched, 0.0)
    return np.sqrt(np.maximum(stretched, 0.0))
