"""The engine of one machine."""

from collections.abc import Collection

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.engines.assembling import (
    Fitted,
    assemble,
    check_trainable,
    in_coordinates_of,
    measure,
    outlier_distance,
    standard,
)
from customer_segmentation.engines.engine import Progress, unheard
from customer_segmentation.model.align import count_shared
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.distribution import count_customers, fit_bins
from customer_segmentation.model.fingerprint import fingerprint
from customer_segmentation.model.fit import Clusters, fit_clusters
from customer_segmentation.model.gates import Gates
from customer_segmentation.model.prepare import Preparation, fit_preparation, transform
from customer_segmentation.model.study import Study, study_segments


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
        coordinates = preparation.prepare_transformed(transformed)[:, preparation.used]
        check_trainable(coordinates, parameters.k)
        clusters = fit_clusters(
            coordinates,
            parameters.k,
            seed=parameters.seed,
            restarts=parameters.restarts,
            serving=_start(preparation, serving),
            progress=lambda done, total: progress(Phase.FITTING, done, total),
        )
        progress(Phase.MATCHING, 0, len(values))
        centroids = np.zeros((parameters.k, values.shape[1]))
        centroids[:, preparation.used] = clusters.centroids
        deviations = _deviations(transformed, clusters.labels, preparation)
        shared = None if serving is None else _shared(clusters, serving, values)
        silhouette, stability = measure(coordinates, clusters, parameters.seed, progress)
        bins = fit_bins(values)
        distances = _nearest_distances(coordinates, clusters)
        farthest = outlier_distance(distances)
        fitted = Fitted(
            preparation=preparation,
            centroids=centroids,
            deviations=deviations,
            shared=shared,
            inertia=clusters.inertia,
            silhouette=silhouette,
            stability=stability,
            bins=bins,
            distribution=count_customers(
                bins, parameters.k, values, clusters.labels, distances > farthest
            ),
            outlier_distance=farthest,
            fingerprint=fingerprint(ids, values),
        )
        return assemble(fitted, parameters, serving, next_number)

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


def _start(preparation: Preparation, serving: Model | None) -> FloatArray | None:
    """Return the serving centroids, (k, d), in the coordinates that a preparation uses."""
    if serving is None:
        return None
    return in_coordinates_of(preparation, serving)[:, preparation.used]


def _shared(clusters: Clusters, serving: Model, values: FloatArray) -> IntArray:
    """Count customers, (n, d), by cluster and by the segment that the serving model gives."""
    places = np.searchsorted(serving.numbers, Assigner(serving).assign(values))
    k, m = len(clusters.centroids), len(serving.segments)
    return count_shared(clusters.labels, k, places, m)


def _nearest_distances(coordinates: FloatArray, clusters: Clusters) -> FloatArray:
    """Return each customer's distance to its centroid, (n,)."""
    return np.sqrt(((coordinates - clusters.centroids[clusters.labels]) ** 2).sum(axis=1))


def _deviations(transformed: FloatArray, labels: IntArray, preparation: Preparation) -> FloatArray:
    """Return each cluster's average in standard deviations from everybody's, (k, d)."""
    scores = standard(transformed, preparation)
    return np.array([scores[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
