"""Training on a table that is spread over partitions."""

from dataclasses import replace

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.engines.assembling import (
    Fitted,
    assemble,
    check_trainable,
    measure,
    outlier_distance,
)
from customer_segmentation.engines.engine import Progress, unheard
from customer_segmentation.engines.spark.customers import SparkCustomers
from customer_segmentation.engines.spark.passes import count, fit_to, step
from customer_segmentation.model.adapting import start_of
from customer_segmentation.model.artifact import Fingerprint, Model, Parameters
from customer_segmentation.model.fitting.fit import SAMPLE, is_continued, try_starts
from customer_segmentation.model.fitting.lloyd import Clusters, run_lloyd
from customer_segmentation.model.missing import distances_of
from customer_segmentation.model.monitoring.distribution import fit_bins
from customer_segmentation.model.prepare import Preparation, measure_knees
from customer_segmentation.model.quality.measures import nearest

TOLERANCE = 1e-7
"""Passes end when no centroid moves, or when one lowers the inertia by no more than this share."""

MAX_PASSES = 300


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
    fingerprint are of all customers. Knees, random starts, bins, the outliers' distance, silhouette
    and stability are of one sample, which is everybody up to `SAMPLE`.
    """
    progress(Phase.FITTING, 0, parameters.restarts)
    sample = customers.sample(SAMPLE, parameters.seed)
    if len(sample) < parameters.k:
        check_trainable(sample, parameters.k)
    attributes = measure_knees(customers.schema.attributes, sample)
    customers = replace(customers, schema=replace(customers.schema, attributes=attributes))
    preparation, summaries = fit_to(customers, parameters)
    used = preparation.used
    coordinates = preparation.prepare(sample)[:, used]
    following = None if serving is None else start_of(preparation, serving)
    start = _choose_start(coordinates, parameters, following, progress)
    around = _polish(customers, preparation, start, progress)
    progress(Phase.MATCHING, 0, customers.count)
    bins, of_sample = (
        fit_bins(customers.schema.attributes, sample),
        _clusters_around(coordinates, around),
    )
    ways = (coordinates - around[of_sample.labels]).T
    farthest = outlier_distance(distances_of(ways, preparation.importance[used]))
    counted = count(customers, preparation, around, bins, farthest, serving)
    digest = customers.digest()
    silhouette, stability = measure(coordinates, of_sample, parameters.seed, progress)
    centroids = np.zeros((parameters.k, len(preparation.scale)))
    centroids[:, used] = around
    fitted = Fitted(
        preparation=preparation,
        centroids=centroids,
        shared=counted.shared,
        inertia=counted.inertia,
        silhouette=silhouette,
        stability=stability,
        bins=bins,
        distribution=counted.distribution,
        outlier_distance=farthest,
        fingerprint=Fingerprint(customers.count, digest, summaries),
    )
    profiles = customers.schema.profiles
    return assemble(fitted, profiles, parameters, serving, next_number, libraries=("pyspark",))


def _choose_start(
    coordinates: FloatArray,
    parameters: Parameters,
    serving: FloatArray | None,
    progress: Progress,
) -> FloatArray:
    """Return the centroids, (k, d), to polish, from a sample, by the rule of `fit_clusters`."""
    check_trainable(coordinates, parameters.k)
    best = try_starts(
        coordinates,
        parameters.k,
        parameters.seed,
        parameters.restarts,
        lambda done, total: progress(Phase.FITTING, done, total),
    )
    if serving is not None and len(serving) == parameters.k:
        continued = run_lloyd(coordinates, serving)
        if is_continued(continued.inertia, best.inertia):
            return serving
    return best.centroids


def _polish(
    customers: SparkCustomers, preparation: Preparation, centroids: FloatArray, progress: Progress
) -> FloatArray:
    """Return the centroids, (k, d), that Lloyd's algorithm leads to over all customers.

    A centroid that is nobody's nearest stays where it is.
    """
    inertia = np.inf
    for done in range(MAX_PASSES):
        progress(Phase.FITTING, done, 0)
        found = step(customers, preparation, centroids)
        settled = np.array_equal(found.centroids, centroids)
        settled |= inertia - found.inertia <= TOLERANCE * found.inertia
        centroids, inertia = found.centroids, found.inertia
        if settled:
            break
    return centroids


def _clusters_around(coordinates: FloatArray, centroids: FloatArray) -> Clusters:
    labels = nearest(coordinates, centroids)
    inertia = float(np.nansum((coordinates - centroids[labels]) ** 2))
    return Clusters(centroids, labels, inertia)
