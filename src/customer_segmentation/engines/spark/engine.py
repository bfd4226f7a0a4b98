"""Training on a table that is spread over partitions."""

from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.engines.assembling import (
    Fitted,
    assemble,
    check_trainable,
    in_coordinates_of,
    measure,
    outlier_distance,
)
from customer_segmentation.engines.engine import Progress, unheard
from customer_segmentation.engines.spark.customers import SparkCustomers
from customer_segmentation.engines.spark.passes import count, fit_to, step
from customer_segmentation.model.artifact import Fingerprint, Model, Parameters
from customer_segmentation.model.distribution import fit_bins
from customer_segmentation.model.fit import SAMPLE, Clusters, is_continued, try_starts
from customer_segmentation.model.prepare import Preparation
from customer_segmentation.model.quality import nearest

TOLERANCE = 1e-7
"""Passes end when no centroid moves, or when one lowers the inertia by no more than this share."""

MOST_PASSES = 300


def train(
    customers: SparkCustomers,
    parameters: Parameters,
    serving: Model | None = None,
    *,
    next_number: int | None = None,
    progress: Progress = unheard,
) -> Model:
    """Train a model on the customers of a table; arguments and errors as `Engine.train`.

    Moments, centroids, inertia, sizes, shared customers, the distribution over bins and the
    fingerprint are of all customers. Random starts, bins, the outliers' distance, silhouette and
    stability are of one sample, which is everybody up to `SAMPLE`.
    """
    progress(Phase.FITTING, 0, parameters.restarts)
    sample = customers.sample(SAMPLE, parameters.seed)
    if len(sample) < parameters.k:
        check_trainable(sample, parameters.k)
    preparation, summaries = fit_to(customers, parameters)
    used = preparation.used
    coordinates = preparation.prepare(sample)[:, used]
    start = _start(coordinates, parameters, progress)
    following = None if serving is None else in_coordinates_of(preparation, serving)[:, used]
    around = _polish(customers, preparation, start, following, progress)
    progress(Phase.MATCHING, 0, customers.count)
    bins, of_sample = fit_bins(sample), _clusters_around(coordinates, around)
    distances = np.sqrt(((coordinates - around[of_sample.labels]) ** 2).sum(axis=1))
    farthest = outlier_distance(distances)
    counted = count(customers, preparation, around, bins, farthest, serving)
    digest = customers.digest()
    silhouette, stability = measure(coordinates, of_sample, parameters.seed, progress)
    centroids = np.zeros((parameters.k, sample.shape[1]))
    centroids[:, used] = around
    fitted = Fitted(
        preparation=preparation,
        centroids=centroids,
        deviations=counted.deviations,
        shared=counted.shared,
        inertia=counted.inertia,
        silhouette=silhouette,
        stability=stability,
        bins=bins,
        distribution=counted.distribution,
        outlier_distance=farthest,
        fingerprint=Fingerprint(customers.count, digest, summaries),
    )
    return assemble(fitted, parameters, serving, next_number, libraries=("pyspark",))


def _start(coordinates: FloatArray, parameters: Parameters, progress: Progress) -> FloatArray:
    """Return the centroids, (k, d), of the best random start on a sample, (m, d)."""
    check_trainable(coordinates, parameters.k)
    return try_starts(
        coordinates,
        parameters.k,
        parameters.seed,
        parameters.restarts,
        lambda done, total: progress(Phase.FITTING, done, total),
    ).centroids


@dataclass(eq=False, slots=True)
class _Path:
    """Where Lloyd's algorithm has led to from one set of centroids.

    Attributes:
        centroids: (k, d).
        inertia: around those before.
        is_going: whether it leads on.
    """

    centroids: FloatArray
    inertia: float = np.inf
    is_going: bool = True

    def follow(self, centroids: FloatArray, inertia: float) -> None:
        """Take a step; one to a cluster without customers is the last, and is not taken."""
        if np.isnan(centroids).any():
            self.inertia, self.is_going = np.inf, False
            return
        moved = not np.array_equal(centroids, self.centroids)
        self.is_going = moved and self.inertia - inertia > TOLERANCE * inertia
        self.centroids, self.inertia = centroids, inertia


def _polish(
    customers: SparkCustomers,
    preparation: Preparation,
    start: FloatArray,
    serving: FloatArray | None,
    progress: Progress,
) -> FloatArray:
    """Return the centroids, (k, d), that Lloyd's algorithm leads to over all customers.

    It starts from centroids of a sample and, where there are as many, from those that serve; both
    in the same passes. Which one wins is the rule of `fit_clusters`.
    """
    paths = [_Path(start)]
    if serving is not None and len(serving) == len(start):
        paths.append(_Path(serving))
    for done in range(MOST_PASSES):
        going = [path for path in paths if path.is_going]
        if not going:
            break
        progress(Phase.FITTING, done, 0)
        steps = step(customers, preparation, [path.centroids for path in going])
        for path, found in zip(going, steps, strict=True):
            path.follow(found.centroids, found.inertia)
    best, continued = paths[0], paths[-1]
    chosen = continued if is_continued(continued.inertia, best.inertia) else best
    if not np.isfinite(chosen.inertia):
        raise TrainingRefusedError(
            "A cluster has lost all its customers: train with fewer segments"
        )
    return chosen.centroids


def _clusters_around(coordinates: FloatArray, centroids: FloatArray) -> Clusters:
    labels = nearest(coordinates, centroids)
    inertia = float(((coordinates - centroids[labels]) ** 2).sum())
    return Clusters(centroids, labels, inertia)
