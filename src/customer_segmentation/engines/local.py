"""The engine of one machine."""

import hashlib
import platform
from importlib.metadata import version

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.segments import Segment
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
from customer_segmentation.model.fit import fit_clusters
from customer_segmentation.model.naming import name_by_profile, new_segment
from customer_segmentation.model.prepare import Preparation, fit_preparation, transform
from customer_segmentation.model.quality import bootstrap_stability, sampled_silhouette


class LocalEngine:
    """Trains in memory on this machine, with scikit-learn and NumPy."""

    def train(
        self,
        ids: IntArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
    ) -> Model:
        """Prepare, fit, match or name, and measure; see `Engine.train`."""
        if len(values) < parameters.k:
            raise TrainingRefusedError(
                f"Training needs at least {parameters.k} customers, one for each segment; "
                f"there are {len(values)}"
            )
        transformed = transform(values)
        preparation = fit_preparation(transformed, parameters.weights, parameters.excluded)
        coordinates = preparation.prepare_transformed(transformed)
        if len(np.unique(coordinates[: 1000 * parameters.k], axis=0)) < parameters.k and (
            len(np.unique(coordinates, axis=0)) < parameters.k
        ):
            raise TrainingRefusedError(
                f"Training needs at least {parameters.k} customers that differ from one another"
            )
        used = preparation.used
        start = None if serving is None else _in_coordinates_of(preparation, serving)
        clusters = fit_clusters(
            coordinates[:, used],
            parameters.k,
            seed=parameters.seed,
            restarts=parameters.restarts,
            serving=None if start is None else start[:, used],
        )
        centroids = np.zeros((parameters.k, values.shape[1]))
        centroids[:, used] = clusters.centroids
        if serving is None or start is None:
            matching: tuple[Match, ...] = ()
            segments = name_by_profile(_deviations(transformed, clusters.labels, preparation))
        else:
            matching = match_clusters(
                centroids,
                clusters.labels,
                start,
                serving.numbers,
                Assigner(serving).assign(values),
                parameters.thresholds,
            )
            segments = _inherit(
                matching, serving, _deviations(transformed, clusters.labels, preparation)
            )
        order = sorted(range(parameters.k), key=lambda cluster: segments[cluster].number)
        sizes = np.bincount(clusters.labels, minlength=parameters.k)
        return Model(
            parameters=parameters,
            preparation=preparation,
            centroids=centroids[order],
            segments=tuple(segments[cluster] for cluster in order),
            quality=Quality(
                inertia=clusters.inertia,
                silhouette=sampled_silhouette(coordinates[:, used], clusters, parameters.seed),
                stability=bootstrap_stability(coordinates[:, used], clusters, parameters.seed),
                sizes={segments[cluster].number: int(sizes[cluster]) for cluster in order},
            ),
            matching=matching,
            fingerprint=fingerprint(ids, values),
            libraries=_libraries(),
        )


def fingerprint(ids: IntArray, values: FloatArray) -> Fingerprint:
    """Tell which data these are: ids (n,) and attributes (n, d), in the order of the ids."""
    digest = hashlib.sha256(ids.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return Fingerprint(
        customers=len(values),
        sha256=digest.hexdigest(),
        attributes={
            name: Summary(
                mean=float(column.mean()),
                deviation=float(column.std()),
                minimum=float(column.min()),
                maximum=float(column.max()),
            )
            for name, column in zip(FEATURE_NAMES, values.T, strict=True)
        },
    )


def _in_coordinates_of(preparation: Preparation, serving: Model) -> FloatArray:
    """Return the serving centroids, (k, d), in another model's coordinates."""
    return preparation.prepare_transformed(serving.preparation.restore(serving.centroids))


def _deviations(transformed: FloatArray, labels: IntArray, preparation: Preparation) -> FloatArray:
    """Return each cluster's average in standard deviations from everybody's, (k, d)."""
    spread = np.where(preparation.spread > 0.0, preparation.spread, 1.0)
    standard = np.nan_to_num((transformed - preparation.center) / spread, nan=0.0)
    return np.array([standard[labels == c].mean(axis=0) for c in range(labels.max() + 1)])


def _inherit(
    matching: tuple[Match, ...], serving: Model, deviations: FloatArray
) -> tuple[Segment, ...]:
    """Return each cluster's segment: the one it continues, or a new one with the next number."""
    by_number = {segment.number: segment for segment in serving.segments}
    next_number = max(by_number) + 1
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
