"""Real-time assignment: preparation and centroids folded into two arrays at load."""

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.prepare import transform

_CHUNK = 4096


class Assigner:
    """Gives the nearest centroid's segment.

    With coordinates z = (t - c) s, the squared distance to a centroid m is
    |z|^2 - 2 m.z + |m|^2. The first term is the same for every centroid, and the rest is linear
    in the transformed attributes t, so finding the nearest takes one small product per customer.

    One customer and a million take the same path and the same order of additions, so their
    answers agree to the last bit.
    """

    def __init__(self, model: Model) -> None:
        """Fold a model."""
        preparation = model.preparation
        used = preparation.used
        slope = -2.0 * model.centroids[:, used] * preparation.scale[used]
        self._preparation = preparation
        self._centroids = model.centroids
        self._numbers = model.numbers
        self._used = used
        self._center = preparation.center[used]
        self._slope = np.ascontiguousarray(slope.T)[:, :, None]
        self._base = ((model.centroids**2).sum(axis=1) - slope @ self._center)[:, None]

    def assign(self, values: FloatArray) -> IntArray:
        """Return the segment number, (n,), of each customer, (n, d), in users' units.

        A customer equally near to two centroids gets the one that stands first.
        """
        if len(values) <= _CHUNK:
            return self._numbers[self._nearest(values)]
        segments = np.empty(len(values), dtype=np.int64)
        for start in range(0, len(values), _CHUNK):
            rows = slice(start, start + _CHUNK)
            segments[rows] = self._numbers[self._nearest(values[rows])]
        return segments

    def squared_distances(self, values: FloatArray) -> FloatArray:
        """Return the squared distance, (n, k), of each customer, (n, d), to each centroid."""
        coordinates = self._preparation.prepare(values)
        return ((coordinates[:, None, :] - self._centroids[None, :, :]) ** 2).sum(axis=2)

    def _nearest(self, values: FloatArray) -> IntArray:
        transformed = transform(values)[:, self._used]
        filled = np.where(np.isnan(transformed), self._center, transformed).T
        # Reducing the first axis adds attribute after attribute for one row as for many; a
        # matrix product would add in an order that depends on the number of rows.
        linear = np.add.reduce(self._slope * filled[:, None, :], axis=0)
        return np.argmin(linear + self._base, axis=0)
