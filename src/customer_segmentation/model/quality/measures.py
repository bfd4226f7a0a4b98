"""How good and how stable a clustering is, in figures that every training measures."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import adjusted_rand_score, silhouette_score

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.fitting.fit import fit_clusters
from customer_segmentation.model.fitting.lloyd import Clusters
from customer_segmentation.model.missing import pairwise_distances, squared_distances
from customer_segmentation.model.threads import map_all

BOOTSTRAPS = 5
SILHOUETTE_SAMPLE = 2_500
BOOTSTRAP_SAMPLE = 10_000
_BOOTSTRAP_RESTARTS = 3
_ROWS = 64


def sampled_silhouette(coordinates: FloatArray, clusters: Clusters, seed: int) -> float:
    """Return the mean silhouette of a sample; 0 where fewer than two clusters hold customers.

    Source: Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.
    """
    size = min(SILHOUETTE_SAMPLE, len(coordinates))
    rows = np.random.default_rng(seed).choice(len(coordinates), size, replace=False)
    labels = clusters.labels[rows]
    if not 2 <= len(np.unique(labels)) < size:
        return 0.0
    points = coordinates[rows]
    if np.isnan(points).any():
        return _silhouette_of_known(points, labels)
    return float(silhouette_score(points, labels))


def _silhouette_of_known(points: FloatArray, labels: IntArray) -> float:
    """Return the mean silhouette of points, (n, c), of which some coordinates are missing.

    Some rows of the distances at a time stay in a processor's cache, where all of them take three
    times as long.
    """
    _, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    members = np.eye(len(sizes))[labels]

    def add_up(rows: slice) -> float:
        sums = pairwise_distances(points, rows) @ members
        own = labels[rows]
        each = np.arange(len(own))
        inside = sums[each, own] / np.maximum(sizes[own] - 1, 1)
        means = sums / sizes
        means[each, own] = np.inf
        outside = means.min(axis=1)
        largest = np.maximum(inside, outside)
        is_measured = (sizes[own] > 1) & (largest > 0.0)
        ways = np.where(is_measured, outside - inside, 0.0)
        return float((ways / np.where(is_measured, largest, 1.0)).sum())

    parts = [slice(at, min(at + _ROWS, len(points))) for at in range(0, len(points), _ROWS)]
    return sum(map_all(add_up, parts)) / len(points)


def bootstrap_stability(
    coordinates: FloatArray,
    clusters: Clusters,
    seed: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> float:
    """Return the mean adjusted Rand index between the model and refits on bootstraps.

    Each bootstrap draws rows with replacement, fits with its own seed, and labels one common
    sample; agreement is adjusted for chance.

    Source: Hubert and Arabie 1985, doi:10.1007/BF01908075; Hennig 2007, "Cluster-wise assessment
    of cluster stability", doi:10.1016/j.csda.2006.11.025.
    """
    random = np.random.default_rng(seed)
    size = min(BOOTSTRAP_SAMPLE, len(coordinates))
    common = random.choice(len(coordinates), size, replace=False)
    agreement = []
    for bootstrap in range(BOOTSTRAPS):
        progress(bootstrap, BOOTSTRAPS)
        rows = random.choice(len(coordinates), size, replace=True)
        refit = fit_clusters(
            coordinates[rows],
            len(clusters.centroids),
            seed=seed + 1 + bootstrap,
            restarts=_BOOTSTRAP_RESTARTS,
        )
        labels = nearest(coordinates[common], refit.centroids)
        agreement.append(adjusted_rand_score(clusters.labels[common], labels))
    return float(np.mean(agreement))


def nearest(coordinates: FloatArray, centroids: FloatArray) -> np.ndarray:
    """Return the nearest centroid's row, (n,), for coordinates (n, d) and centroids (k, d)."""
    if np.isnan(coordinates).any():
        return squared_distances(coordinates.T, centroids).argmin(axis=0)
    return np.argmin((centroids**2).sum(axis=1) - 2.0 * coordinates @ centroids.T, axis=1)
