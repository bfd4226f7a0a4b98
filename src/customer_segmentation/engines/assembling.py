"""From a fitted clustering to the artifact: what every engine does the same way."""

import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.domain.schema import Profile
from customer_segmentation.domain.segments import Segment
from customer_segmentation.engines.engine import Progress
from customer_segmentation.model.adapting import in_coordinates_of
from customer_segmentation.model.artifact import Fingerprint, Match, Model, Parameters, Quality
from customer_segmentation.model.describing.naming import name_by_profile, new_segment
from customer_segmentation.model.describing.profile import AttributeProfile, profile_clusters
from customer_segmentation.model.fitting.align import match_clusters
from customer_segmentation.model.fitting.lloyd import Clusters
from customer_segmentation.model.monitoring.distribution import Bins, Distribution
from customer_segmentation.model.prepare import Preparation
from customer_segmentation.model.quality.measures import bootstrap_stability, sampled_silhouette

OUTLIER_SHARE = 0.005
"""Outliers are farther from every centroid than all but this share of the training's customers."""


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """What an engine has fitted and counted; clusters are in no particular order.

    Attributes:
        preparation: how attributes become coordinates.
        centroids: (k, d), in these coordinates, d being all attributes.
        shared: (k, m), customers by cluster and by segment of the active model; None without one.
        inertia: the sum of squared distances of all customers to their centroid.
        silhouette: as in `Quality`.
        stability: as in `Quality`.
        bins: where attributes' values are cut to count customers.
        distribution: of all customers over those bins, by cluster.
        outlier_distance: a customer farther than this from every centroid is an outlier.
        fingerprint: of the customers.
    """

    preparation: Preparation
    centroids: FloatArray
    shared: IntArray | None
    inertia: float
    silhouette: float
    stability: float
    bins: Bins
    distribution: Distribution
    outlier_distance: float
    fingerprint: Fingerprint


def assemble(
    fitted: Fitted,
    profiles: Sequence[Profile],
    parameters: Parameters,
    serving: Model | None,
    next_number: int | None,
    libraries: Collection[str] = (),
) -> Model:
    """Give each cluster the segment that it continues, or a name, and write all of it down.

    Args:
        fitted: the clustering.
        profiles: that name the segments of a first model.
        parameters: how it was trained.
        serving: the active model; its segments keep number, name and strategies.
        next_number: the number of the first segment that is new, by default the active model's
            largest and one.
        libraries: what else fitted it, besides what every engine uses.
    """
    matching: tuple[Match, ...] = ()
    clusters = profile_clusters(fitted.bins, fitted.fingerprint, fitted.distribution)
    if serving is None or fitted.shared is None:
        segments = name_by_profile(clusters, profiles)
    else:
        before = in_coordinates_of(fitted.preparation, serving)
        common = ~np.isnan(before).any(axis=0)
        matching = match_clusters(
            fitted.centroids[:, common],
            before[:, common],
            serving.numbers,
            fitted.shared,
            parameters.thresholds,
        )
        segments = _inherit(matching, serving, clusters, next_number)
    order = sorted(range(len(segments)), key=lambda cluster: segments[cluster].number)
    in_order = tuple(segments[cluster] for cluster in order)
    counted = fitted.distribution
    distribution = Distribution(
        counted.counts[order], counted.digits[order], counted.outliers[order]
    )
    numbers = (segment.number for segment in in_order)
    sizes = dict(zip(numbers, distribution.sizes.tolist(), strict=True))
    return Model(
        parameters=parameters,
        preparation=fitted.preparation,
        centroids=fitted.centroids[order],
        segments=in_order,
        quality=Quality(fitted.inertia, fitted.silhouette, fitted.stability, sizes),
        matching=matching,
        fingerprint=fitted.fingerprint,
        bins=fitted.bins,
        distribution=distribution,
        outlier_distance=fitted.outlier_distance,
        libraries=_versions(libraries),
    )


def check_trainable(coordinates: FloatArray, k: int) -> None:
    """See that customers, (n, d), can make k clusters.

    Raises:
        TrainingRefusedError: there are fewer, or fewer that differ.
    """
    if len(coordinates) < k:
        raise TrainingRefusedError(
            f"Training needs at least {k} customers, one for each segment; "
            f"there are {len(coordinates)}"
        )
    # The first few nearly always differ, and then the others need not be compared.
    few = coordinates[: 1000 * k]
    if all(len(np.unique(rows, axis=0)) < k for rows in (few, coordinates)):
        raise TrainingRefusedError(
            f"Training needs at least {k} customers that differ from one another"
        )


def measure(
    coordinates: FloatArray, clusters: Clusters, seed: int, progress: Progress
) -> tuple[float, float]:
    """Return the silhouette and the stability of a clustering of customers, (n, d)."""
    silhouette = sampled_silhouette(coordinates, clusters, seed)
    stability = bootstrap_stability(
        coordinates, clusters, seed, lambda done, total: progress(Phase.CHECKING, done, total)
    )
    return silhouette, stability


def outlier_distance(distances: FloatArray) -> float:
    """Return how far from its centroid an outlier is, by customers' distances to theirs, (n,)."""
    return float(np.quantile(distances, 1.0 - OUTLIER_SHARE))


def _inherit(
    matching: tuple[Match, ...],
    serving: Model,
    clusters: list[tuple[AttributeProfile, ...]],
    next_number: int | None,
) -> tuple[Segment, ...]:
    """Return each cluster's segment: the one it continues, or a new one with the next number."""
    by_number = {segment.number: segment for segment in serving.segments}
    next_number = max(by_number) + 1 if next_number is None else next_number
    taken = {by_number[match.number].name for match in matching if match.number is not None}
    segments = []
    for match in matching:
        if match.number is not None:
            segments.append(by_number[match.number])
        else:
            segments.append(new_segment(next_number, clusters[match.cluster], taken))
            taken.add(segments[-1].name)
            next_number += 1
    return tuple(segments)


def _versions(libraries: Collection[str]) -> dict[str, str]:
    names = ("customer-segmentation", "numpy", "scipy", "scikit-learn", *libraries)
    return {"python": platform.python_version()} | {name: version(name) for name in names}
