"""Fitting K-means: restarts on a sample, a polish on all rows, continuity with what is active."""

import warnings
from collections.abc import Callable
from itertools import count

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.model.fitting.lloyd import Clusters, run_lloyd
from customer_segmentation.model.threads import map_all

SAMPLE = 20_000
"""Restarts look at this many rows at most; the best is then polished on all of them."""

CONTINUITY = 1e-3
"""New centroids must lower the inertia by more than this share to replace the serving ones'
continuation: K-means has many solutions that are equally good for the data, and hopping between
them would move customers for nothing."""


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
        serving: (k, d), active centroids; their continuation wins unless a random start
            is better by more than `CONTINUITY`.
        progress: is told how many random starts of how many are done.
    """
    sample = coordinates
    if len(coordinates) > SAMPLE:
        rows = np.random.default_rng(seed).choice(len(coordinates), SAMPLE, replace=False)
        sample = coordinates[np.sort(rows)]
    best = try_starts(sample, k, seed, restarts, progress)
    if serving is not None and len(serving) == k:
        continued = run_lloyd(sample, serving)
        if is_continued(continued.inertia, best.inertia):
            return run_lloyd(coordinates, serving)
    return best if sample is coordinates else run_lloyd(coordinates, best.centroids)


def try_starts(
    coordinates: FloatArray,
    k: int,
    seed: int,
    restarts: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Clusters:
    """Return the best of some random starts; arguments as for `fit_clusters`."""
    # What is missing begins as typical, which is 0.
    rows = np.ascontiguousarray(np.nan_to_num(coordinates))
    done = count()

    def start(state: int) -> KMeans:
        fitted = KMeans(n_clusters=k, n_init=1, random_state=state).fit(rows)
        progress(next(done) + 1, restarts)
        return fitted

    progress(0, restarts)
    with warnings.catch_warnings():
        # A bootstrap of few customers can hold fewer distinct ones than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = map_all(start, np.random.SeedSequence(seed).generate_state(restarts).tolist())
    best = min(found, key=lambda kmeans: kmeans.inertia_)
    return run_lloyd(coordinates, best.cluster_centers_)


def is_continued(continued: float, best: float) -> bool:
    """Tell whether the serving centroids' continuation wins over a random start, by inertia."""
    return best >= continued * (1.0 - CONTINUITY)
