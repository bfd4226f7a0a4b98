"""The engine of one machine."""

import hashlib
import platform
from collections.abc import Collection
from importlib.metadata import version

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.domain.segments import Segment
from customer_segmentation.engines.engine import Progress, unheard
from customer_segmentation.model.align import match_clusters
from customer_segmentation.model.artifact import (
    Fingerprint,
    Match,
    Model,
    Parameters,
    Quality,
    Summary,
)
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.distribution import count_customers, fit_bins
from customer_segmentation.model.fit import Clusters, fit_clusters
from customer_segmentation.model.gates import Gates
from customer_segmentation.model.naming import name_by_profile, new_segment
from customer_segmentation.model.prepare import Preparation, fit_preparation, transform
from customer_segmentation.model.quality import bootstrap_stability, sampled_silhouette
from customer_segmentation.model.study import Study, study_segments

OUTLIER_SHARE = 0.005
"""Outliers are farther from every centroid than all but this share of the training's customers."""


class LocalEngine:
    """Trains in memory on this machine, with scikit-learn and NumPy."""

    def train(
        self,
        ids: IntArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
        *,
        next_number: int | None = None,
        progress: Progress = unheard,
    ) -> Model:
        """Prepare, fit, match or name, and measure; see `Engine.train`."""
        progress(Phase.FITTING, 0, parameters.restarts)
        transformed = transform(values)
        preparation = fit_preparation(transformed, parameters.weights, parameters.excluded)
        coordinates = preparation.prepare_transformed(transformed)
        _check_trainable(coordinates, parameters.k)
        used = preparation.used
        start = None if serving is None else _in_coordinates_of(preparation, serving)
        clusters = fit_clusters(
            coordinates[:, used],
            parameters.k,
            seed=parameters.seed,
            restarts=parameters.restarts,
            serving=None if start is None else start[:, used],
            progress=lambda done, total: progress(Phase.FITTING, done, total),
        )
        progress(Phase.MATCHING, 0, len(values))
        centroids = np.zeros((parameters.k, values.shape[1]))
        centroids[:, used] = clusters.centroids
        deviations = _deviations(transformed, clusters.labels, preparation)
        matching: tuple[Match, ...] = ()
        if serving is None or start is None:
            segments = name_by_profile(deviations)
        else:
            matching = match_clusters(
                centroids,
                clusters.labels,
                start,
                serving.numbers,
                Assigner(serving).assign(values),
                parameters.thresholds,
            )
            segments = _inherit(matching, serving, deviations, next_number)
        order = sorted(range(parameters.k), key=lambda cluster: segments[cluster].number)
        quality = _measure(coordinates[:, used], clusters, segments, parameters.seed, progress)
        bins = fit_bins(values)
        distances = _nearest_distances(coordinates[:, used], clusters)
        outlier_distance = float(np.quantile(distances, 1.0 - OUTLIER_SHARE))
        distribution = count_customers(
            bins,
            parameters.k,
            values,
            np.argsort(order)[clusters.labels],
            distances > outlier_distance,
        )
        return Model(
            parameters=parameters,
            preparation=preparation,
            centroids=centroids[order],
            segments=tuple(segments[cluster] for cluster in order),
            quality=quality,
            matching=matching,
            fingerprint=fingerprint(ids, values),
            bins=bins,
            distribution=distribution,
            outlier_distance=outlier_distance,
            libraries=_libraries(),
        )

    def study(
        self,
        values: FloatArray,
        parameters: Parameters,
        gates: Gates,
        ks: Collection[int],
        progress: Progress = unheard,
    ) -> Study:
        """Try numbers of segments and preparations; see `Engine.study`."""
        if len(values) <= max(ks):
            raise TrainingRefusedError(
                f"A study of up to {max(ks)} segments needs more customers than that; "
                f"there are {len(values)}"
            )
        return study_segments(
            values,
            parameters,
            gates,
            ks,
            lambda done, total: progress(Phase.FITTING, done, total),
        )


def fingerprint(ids: IntArray, values: FloatArray) -> Fingerprint:
    """Tell which data these are: ids (n,) and attributes (n, d), in the order of the ids."""
    digest = hashlib.sha256(ids.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return Fingerprint(
        customers=len(values),
        sha256=digest.hexdigest(),
        attributes={
            name: _summarise(column) for name, column in zip(FEATURE_NAMES, values.T, strict=True)
        },
    )


def _summarise(column: FloatArray) -> Summary:
    # Divided by the largest value first, as the square of a large amount overflows.
    largest = max(float(np.abs(column).max()), 1.0)
    share = column / largest
    return Summary(
        mean=float(share.mean()) * largest,
        deviation=float(share.std()) * largest,
        minimum=float(column.min()),
        maximum=float(column.max()),
    )


def _check_trainable(coordinates: FloatArray, k: int) -> None:
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


def _measure(
    coordinates: FloatArray,
    clusters: Clusters,
    segments: tuple[Segment, ...],
    seed: int,
    progress: Progress,
) -> Quality:
    sizes = np.bincount(clusters.labels, minlength=len(segments)).tolist()
    by_number = sorted(zip((segment.number for segment in segments), sizes, strict=True))
    return Quality(
        inertia=clusters.inertia,
        silhouette=sampled_silhouette(coordinates, clusters, seed),
        stability=bootstrap_stability(
            coordinates,
            clusters,
            seed,
            lambda done, total: progress(Phase.CHECKING, done, total),
        ),
        sizes=dict(by_number),
    )


def _nearest_distances(coordinates: FloatArray, clusters: Clusters) -> FloatArray:
    """Return each customer's distance to its centroid, (n,)."""
    return np.sqrt(((coordinates - clusters.centroids[clusters.labels]) ** 2).sum(axis=1))


def _in_coordinates_of(preparation: Preparation, serving: Model) -> FloatArray:
    """Return the serving centroids, (k, d), in another model's coordinates."""
    return preparation.prepare_transformed(serving.preparation.restore(serving.centroids))


def _deviations(transformed: FloatArray, labels: IntArray, preparation: Preparation) -> FloatArray:
    """Return each cluster's average in standard deviations from everybody's, (k, d)."""
    spread = np.where(preparation.spread > 0.0, preparation.spread, 1.0)
    standard = np.nan_to_num((transformed - preparation.center) / spread, nan=0.0)
    return np.array([standard[labels == c].mean(axis=0) for c in range(labels.max() + 1)])


def _inherit(
    matching: tuple[Match, ...], serving: Model, deviations: FloatArray, next_number: int | None
) -> tuple[Segment, ...]:
    """Return each cluster's segment: the one it continues, or a new one with the next number."""
    by_number = {segment.number: segment for segment in serving.segments}
    next_number = max(by_number) + 1 if next_number is None else next_number
    segments = []
    for match in matching:
        if match.number is not None:
            segments.append(by_number[match.number])
        else:
            segments.append(new_segment(next_number, deviations[match.cluster]))
            next_number += 1
    return tuple(segments)


def _libraries() -> dict[str, str]:
    names = ("customer-segmentation", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
