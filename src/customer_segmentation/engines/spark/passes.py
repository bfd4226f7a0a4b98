"""The passes over all customers that a training makes, each as what some customers add to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.engines.spark.customers import SparkCustomers, Sums
from customer_segmentation.model.adapting import columns_in
from customer_segmentation.model.artifact import Model, Parameters, Summary
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.fitting.shared import count_shared
from customer_segmentation.model.missing import distances_of
from customer_segmentation.model.monitoring.distribution import Bins, Distribution, count_customers
from customer_segmentation.model.monitoring.fingerprint import summary_of
from customer_segmentation.model.prepare import Preparation, preparation_of, transform
from customer_segmentation.model.quality.measures import nearest


def fit_to(
    customers: SparkCustomers, parameters: Parameters
) -> tuple[Preparation, dict[str, Summary]]:
    """Return the preparation and the summaries of all customers, in two passes."""
    attributes = customers.schema.attributes
    # Divided by the largest value first, as the square of a large amount overflows.
    largest = np.maximum(np.maximum(np.abs(customers.least), np.abs(customers.greatest)), 1.0)
    first = customers.add_up(lambda values: _first_moments(attributes, values, largest))
    measured, known = np.maximum(first["measured"], 1.0), np.maximum(first["known"], 1.0)
    center, mean = first["transformed"] / measured, first["shares"] / known
    second = customers.add_up(
        lambda values: _second_moments(attributes, values, center, largest, mean)
    )
    spread = np.sqrt(second["transformed"] / measured)
    deviation = np.sqrt(second["shares"] / known) * largest
    found = np.column_stack([mean * largest, deviation, customers.least, customers.greatest])
    summaries = {
        feature.name: summary_of(feature, *row)
        for feature, row in zip(attributes, found.tolist(), strict=True)
    }
    weights, excluded = parameters.weights, parameters.excluded
    return preparation_of(attributes, center, spread, weights, excluded), summaries


def _first_moments(
    attributes: Sequence[Attribute], values: FloatArray, largest: FloatArray
) -> Sums:
    transformed = transform(attributes, values)
    return {
        "measured": np.isfinite(transformed).sum(axis=0).astype(np.float64),
        "transformed": np.where(np.isfinite(transformed), transformed, 0.0).sum(axis=0),
        "known": (~np.isnan(values)).sum(axis=0).astype(np.float64),
        "shares": np.nansum(values / largest, axis=0),
    }


def _second_moments(
    attributes: Sequence[Attribute],
    values: FloatArray,
    center: FloatArray,
    largest: FloatArray,
    mean: FloatArray,
) -> Sums:
    transformed = transform(attributes, values)
    # Not scored yet is infinite, and missing NaN.
    ways = np.where(np.isfinite(transformed), transformed - center, 0.0)
    return {
        "transformed": (ways**2).sum(axis=0),
        "shares": np.nansum((values / largest - mean) ** 2, axis=0),
    }


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """A step of Lloyd's algorithm.

    Attributes:
        centroids: (k, d), the means of what is known of the customers who were nearest to each
            centroid; one that is nobody's nearest as it was.
        inertia: the sum of squared distances to the centroids before the step.
    """

    centroids: FloatArray
    inertia: float


def step(customers: SparkCustomers, preparation: Preparation, centroids: FloatArray) -> Step:
    """Return a step from centroids, (k, d), in one pass over all customers."""

    def part(values: FloatArray) -> Sums:
        coordinates = preparation.prepare(values)[:, preparation.used]
        labels = nearest(coordinates, centroids)
        inertia = np.nansum((coordinates - centroids[labels]) ** 2)
        known, k = ~np.isnan(coordinates), len(centroids)
        return {
            "sizes": _sum_by(labels, k, known.astype(np.float64)),
            "sums": _sum_by(labels, k, np.where(known, coordinates, 0.0)),
            "inertia": np.array(inertia),
        }

    found = customers.add_up(part)
    sizes = found["sizes"]
    means = np.where(sizes > 0.0, found["sums"] / np.maximum(sizes, 1.0), centroids)
    return Step(means, float(found["inertia"]))


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """What all customers add up to around some centroids, by cluster.

    Attributes:
        inertia: the sum of squared distances.
        shared: (k, m), customers by cluster and by serving segment; None without a serving model.
        distribution: over bins.
    """

    inertia: float
    shared: IntArray | None
    distribution: Distribution


def count(
    customers: SparkCustomers,
    preparation: Preparation,
    centroids: FloatArray,
    bins: Bins,
    outlier_distance: float,
    serving: Model | None,
) -> Counted:
    """Count all customers around centroids, (k, d), in one pass."""
    assigner = None if serving is None else Assigner(serving)
    columns = None if serving is None else columns_in(serving, bins.attributes)
    numbers = np.empty(0, np.int64) if serving is None else serving.numbers
    importance = preparation.importance[preparation.used]

    def part(values: FloatArray) -> Sums:
        coordinates = preparation.prepare(values)[:, preparation.used]
        labels = nearest(coordinates, centroids)
        ways = (coordinates - centroids[labels]).T
        outlying = distances_of(ways, importance) > outlier_distance
        counted = count_customers(bins, len(centroids), values, labels, outlying)
        sums = {
            "inertia": np.array(np.nansum(ways**2)),
            "counts": counted.counts.astype(np.float64),
            "digits": counted.digits,
            "outliers": counted.outliers.astype(np.float64),
        }
        if assigner is not None and columns is not None:
            places = np.searchsorted(numbers, assigner.assign(columns.take(values)))
            shared = count_shared(labels, len(centroids), places, len(numbers))
            sums["shared"] = shared.astype(np.float64)
        return sums

    found = customers.add_up(part)
    counts, outliers = (found[name].astype(np.int64) for name in ("counts", "outliers"))
    distribution = Distribution(counts, found["digits"], outliers)
    return Counted(
        inertia=float(found["inertia"]),
        shared=found["shared"].astype(np.int64) if "shared" in found else None,
        distribution=distribution,
    )


def _sum_by(labels: IntArray, k: int, columns: FloatArray) -> FloatArray:
    """Return the sum of each column, (n, d), by label, (k, d)."""
    return np.column_stack(
        [np.bincount(labels, weights=column, minlength=k) for column in columns.T]
    )
