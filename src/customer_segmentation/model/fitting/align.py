"""Keeping segments' identity: matching a retrain's clusters to the active segments."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Match, Thresholds


def match_clusters(
    new_centroids: FloatArray,
    serving_centroids: FloatArray,
    serving_numbers: IntArray,
    shared: IntArray,
    thresholds: Thresholds,
) -> tuple[Match, ...]:
    """Match clusters to segments by the optimal assignment (Kuhn's Hungarian method).

    The cost of a pair is its distance less its overlap, so customers shared speak as loud as
    centroids near. A pair outside either threshold is no match: identity is never forced.

    Source: Kuhn 1955, doi:10.1002/nav.3800020109, as `scipy.optimize.linear_sum_assignment`.

    Args:
        new_centroids: (k, d), in coordinates common to both models; none where d is 0.
        serving_centroids: (m, d), in the same coordinates.
        serving_numbers: (m,), the segment number of each serving centroid.
        shared: (k, m), the customers by new cluster and by segment of the active model.
        thresholds: what still counts as the same segment.

    Returns:
        one match for each new cluster, in their order.
    """
    if new_centroids.shape[1] == 0:
        # Without an attribute in common nobody can say which continues which.
        return tuple(Match(cluster, None, 1.0, 0.0) for cluster in range(len(new_centroids)))
    overlap = _jaccard(shared)
    distance = _distances(new_centroids, serving_centroids) / _gaps(serving_centroids)
    rows, columns = linear_sum_assignment(distance - overlap)
    partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    matches = []
    for cluster in range(len(new_centroids)):
        column = partner.get(cluster)
        if column is None:
            matches.append(Match(cluster, None, float(distance[cluster].min()), 0.0))
            continue
        near = float(distance[cluster, column])
        common = float(overlap[cluster, column])
        same = near <= thresholds.distance and common >= thresholds.overlap
        number = int(serving_numbers[column]) if same else None
        matches.append(Match(cluster, number, near, common))
    return tuple(matches)


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2))


def _gaps(centroids: FloatArray) -> FloatArray:
    """Return each centroid's distance to its nearest neighbour, (m,); 1 where it has none."""
    if len(centroids) < 2:
        return np.ones(len(centroids))
    distances = _distances(centroids, centroids)
    np.fill_diagonal(distances, np.inf)
    return np.maximum(distances.min(axis=1), np.finfo(np.float64).tiny)


def _jaccard(shared: IntArray) -> FloatArray:
    """Return the share of customers in both of those in either, (k, m)."""
    either = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    return shared / np.maximum(either, 1)
