"""Fitting K-means: restarts on a sample, a polish on all rows, continuity with what serves."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from customer_segmentation.domain.arrays import FloatArray, IntArray

SAMPLE = 50_000
"""Restarts look at this many rows at most; the best is then polished on all of them."""

CONTINUITY = 1e-3
"""New centroids must lower the inertia by more than this share to replace the serving ones'
continuation: K-means has many solutions that are equally good for the data, and hopping between
them would move customers for nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Clusters:
    """A fitted clustering.

    Attributes:
        centroids: (k, d), in prepared coordinates.
        labels: (n,), the row in `centroids` that each customer is nearest to.
        inertia: the sum of squared distances of the n customers to their centroid.
    """

    centroids: FloatArray
    labels: IntArray
    inertia: float


def fit_clusters(
    coordinates: FloatArray,
    k: int,
    *,
    seed: int,
    restarts: int = 10,
    serving: FloatArray | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Clusters:
    """Fit K-means (Lloyd's algorithm, k-means++ starts) until no customer changes its cluster.

    Source: Lloyd 1982, doi:10.1109/TIT.1982.1056489; Arthur and Vassilvitskii 2007, "k-means++:
    the advantages of careful seeding".

    Args:
        coordinates: (n, d), n >= k.
        k: the number of clusters.
        seed: of the random starts.
        restarts: how many random starts are tried.
        serving: (k, d), centroids that serve now; their continuation wins unless a random start
            is better by more than `CONTINUITY`.
        progress: is told how many random starts of how many are done.
    """
    sample = coordinates
    if len(coordinates) > SAMPLE:
        rows = np.random.default_rng(seed).choice(len(coordinates), SAMPLE, replace=False)
        sample = coordinates[np.sort(rows)]
    best = try_starts(sample, k, seed, restarts, progress)
    if sample is not coordinates:
        best = _lloyd(coordinates, k, init=best.centroids)
    if serving is not None and len(serving) == k:
        continued = _lloyd(coordinates, k, init=serving)
        if is_continued(continued.inertia, best.inertia):
            return continued
    return best


def try_starts(
    coordinates: FloatArray,
    k: int,
    seed: int,
    restarts: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Clusters:
    """Return the best of some random starts; arguments as for `fit_clusters`."""
    best: Clusters | None = None
    starts = np.random.SeedSequence(seed).generate_state(restarts).tolist()
    for done, start in enumerate(starts):
        progress(done, restarts)
        found = _lloyd(coordinates, k, init="k-means++", seed=start)
        if best is None or found.inertia < best.inertia:
            best = found
    assert best is not None  # noqa: S101
    return best


def is_continued(continued: float, best: float) -> bool:
    """Tell whether the serving centroids' continuation wins over a random start, by inertia."""
    return best >= continued * (1.0 - CONTINUITY)


def _lloyd(
    coordinates: FloatArray,
    k: int,
    *,
    init: str | FloatArray,
    seed: int = 0,
) -> Clusters:
    kmeans = KMeans(n_clusters=k, init=init, n_init=1, random_state=seed, tol=0.0, max_iter=1000)
    with warnings.catch_warnings():
        # A bootstrap of few customers can hold fewer distinct ones than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(coordinates)
    return Clusters(
        centroids=np.asarray(kmeans.cluster_centers_, dtype=np.float64),
        labels=kmeans.labels_.astype(np.int64),
        inertia=float(kmeans.inertia_),
    )
