"""The engine of one machine."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IdArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import MIN_SEGMENTS
from customer_segmentation.engines.assembling import (
    Fitted,
    assemble,
    check_trainable,
    measure,
    outlier_distance,
)
from customer_segmentation.engines.engine import Progress, unheard
from customer_segmentation.model.adapting import columns_in, start_of
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.fitting.fit import fit_clusters
from customer_segmentation.model.fitting.lloyd import Clusters
from customer_segmentation.model.fitting.shared import count_shared
from customer_segmentation.model.missing import distances_of
from customer_segmentation.model.monitoring.distribution import (
    Bins,
    Distribution,
    count_customers,
    fit_bins,
)
from customer_segmentation.model.monitoring.fingerprint import fingerprint
from customer_segmentation.model.prepare import (
    Preparation,
    columns_of,
    fit_preparation,
    measure_knees,
    transform,
)
from customer_segmentation.model.quality.gates import Gates
from customer_segmentation.model.quality.study import Study, choose_segments, study_segments
from customer_segmentation.model.threads import map_parts


class LocalEngine:
    """Trains in memory on this machine, with scikit-learn and NumPy."""

    def __init__(self, schema: Schema) -> None:
        """Train on customers of a schema."""
        self._schema = schema

    def train(
        self,
        ids: IdArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
        *,
        next_number: int | None = None,
        progress: Progress = unheard,
    ) -> Model:
        """Prepare, fit, match or name, and measure; see `Engine.train`."""
        attributes = measure_knees(self._schema.attributes, values)
        progress(Phase.FITTING, 0, parameters.restarts)
        with ThreadPoolExecutor(1) as beside:
            digested = beside.submit(fingerprint, attributes, ids, values)
            preparation, coordinates = _prepare(attributes, values, parameters)
            check_trainable(coordinates, parameters.k)
            clusters = fit_clusters(
                coordinates,
                parameters.k,
                seed=parameters.seed,
                restarts=parameters.restarts,
                serving=None if serving is None else start_of(preparation, serving),
                progress=lambda done, total: progress(Phase.FITTING, done, total),
            )
            progress(Phase.MATCHING, 0, len(values))
            bins = fit_bins(attributes, values)
            distances = _nearest_distances(preparation, coordinates, clusters)
            farthest = outlier_distance(distances)
            distribution, shared = _count(values, clusters, serving, bins, distances > farthest)
            silhouette, stability = measure(coordinates, clusters, parameters.seed, progress)
            centroids = np.zeros((parameters.k, len(preparation.scale)))
            centroids[:, preparation.used] = clusters.centroids
            fitted = Fitted(
                preparation=preparation,
                centroids=centroids,
                shared=shared,
                inertia=clusters.inertia,
                silhouette=silhouette,
                stability=stability,
                bins=bins,
                distribution=distribution,
                outlier_distance=farthest,
                fingerprint=digested.result(),
            )
        return assemble(fitted, self._schema.profiles, parameters, serving, next_number)

    def study(
        self,
        values: FloatArray,
        parameters: Parameters,
        gates: Gates,
        ks: Collection[int],
        progress: Progress = unheard,
        serving: Model | None = None,
    ) -> Study:
        """Try numbers of segments and preparations; see `Engine.study`."""
        if len(values) <= max(ks):
            raise TrainingRefusedError(
                f"A study of up to {max(ks)} segments needs more customers than that; "
                f"there are {len(values)}"
            )
        check_trainable(_prepare(self._schema.attributes, values, parameters)[1], max(ks))
        return study_segments(
            self._schema,
            values,
            parameters,
            gates,
            ks,
            lambda done, total: progress(Phase.FITTING, done, total),
            serving,
        )

    def choose_segments(
        self, values: FloatArray, parameters: Parameters, gates: Gates
    ) -> tuple[int, str]:
        """Return the number of segments of a first model, and why; see `choose_segments`."""
        check_trainable(_prepare(self._schema.attributes, values, parameters)[1], MIN_SEGMENTS)
        return choose_segments(self._schema, values, parameters, gates)


def _prepare(
    attributes: Sequence[Attribute], values: FloatArray, parameters: Parameters
) -> tuple[Preparation, FloatArray]:
    """Return the preparation, and the coordinates, (n, d), of the attributes that are used.

    Each column lies together, and takes the place of its transformed attribute: of many customers
    there is no room for both.
    """
    columns = np.empty((columns_of(attributes)[-1].stop, len(values)))

    def transform_part(part: slice) -> None:
        columns[:, part] = transform(attributes, values[part]).T

    map_parts(transform_part, len(values))
    preparation = fit_preparation(attributes, columns.T, parameters.weights, parameters.excluded)

    def prepare_part(part: slice) -> None:
        columns[:, part] = preparation.prepare_transformed(columns[:, part].T).T

    map_parts(prepare_part, len(values))
    used = preparation.used
    return preparation, (columns if len(used) == len(columns) else columns[used]).T


def _nearest_distances(
    preparation: Preparation, coordinates: FloatArray, clusters: Clusters
) -> FloatArray:
    """Return each customer's distance to its centroid, (n,); see `model/missing.py`."""
    importance = preparation.importance[preparation.used]

    def measure_part(part: slice) -> FloatArray:
        # Column by column, as the coordinates lie.
        way = coordinates[part].T - clusters.centroids.T.take(clusters.labels[part], axis=1)
        return distances_of(way, importance)

    return np.concatenate(map_parts(measure_part, len(coordinates)))


def _count(
    values: FloatArray,
    clusters: Clusters,
    serving: Model | None,
    bins: Bins,
    outlying: BoolArray,
) -> tuple[Distribution, IntArray | None]:
    """Count customers, (n, d), by cluster, and those that each active segment shares with it.

    Returns:
        their distribution, and counts, (k, m), or None where nothing serves.
    """
    k = len(clusters.centroids)
    assigner = None if serving is None else Assigner(serving)
    columns = None if serving is None else columns_in(serving, bins.attributes)

    def count_part(part: slice) -> tuple[Distribution, IntArray | None]:
        labels, own = clusters.labels[part], values[part]
        distribution = count_customers(bins, k, own, labels, outlying[part])
        if assigner is None or columns is None or serving is None:
            return distribution, None
        places = np.searchsorted(serving.numbers, assigner.assign(columns.take(own)))
        return distribution, count_shared(labels, k, places, len(serving.segments))

    counted = map_parts(count_part, len(values))
    first, *others = [distribution for distribution, _ in counted]
    shared = [pairs for _, pairs in counted if pairs is not None]
    return sum(others, first), np.sum(shared, axis=0) if shared else None
