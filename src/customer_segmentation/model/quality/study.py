"""Choosing the number of segments and the preparation: figures over many trainings, and advice."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import MIN_SEGMENTS
from customer_segmentation.model.adapting import columns_in, in_coordinates_of
from customer_segmentation.model.artifact import Fingerprint, Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.naming import name_by_profile
from customer_segmentation.model.describing.profile import profile_clusters
from customer_segmentation.model.fitting.align import match_clusters
from customer_segmentation.model.fitting.fit import fit_clusters
from customer_segmentation.model.fitting.lloyd import Clusters
from customer_segmentation.model.fitting.shared import count_shared
from customer_segmentation.model.missing import fill_in
from customer_segmentation.model.monitoring.distribution import Bins, count_customers, fit_bins
from customer_segmentation.model.monitoring.fingerprint import fingerprint
from customer_segmentation.model.prepare import (
    Preparation,
    fit_preparation,
    measure_knees,
    transform,
)
from customer_segmentation.model.quality.gates import Gates, find_weaknesses
from customer_segmentation.model.quality.measures import bootstrap_stability, sampled_silhouette

SAMPLE = 20_000
"""Trials look at this many customers at most, the same ones in each."""

_AS_GOOD = 0.02
"""Silhouettes that differ by no more than this are as good as one another."""

_USEFUL_SEGMENTS = 3
"""Two segments separate best in most data, and tell marketers little more than high and low."""

_USEFUL_SHARE = 0.05
"""Segments below this share of the customers seldom earn an offer of their own."""


_CHOICE_SAMPLE = 4_000
_CHOICE_RESTARTS = 4
_MOST_CHOSEN = 8
"""A first model has at most so many segments, as people are to learn them all."""

_FEWEST_EACH = 10
"""And so many customers for each, or more."""


_AS_STEADY = 0.15
"""Stabilities that differ by no more than this are as good as one another."""


class Weighting(StrEnum):
    """A way to prepare attributes."""

    CHOSEN = "the weights of the settings"
    EQUAL = "equal weights"
    UNPROTECTED = "without protected attributes"


@dataclass(frozen=True, slots=True)
class Trial:
    """One number of segments with one preparation.

    Attributes:
        k: the number of segments.
        weighting: how attributes were prepared.
        inertia: sum of squared distances to the nearest centroid; comparable within a weighting.
        silhouette: from -1 to 1, the higher the better (Rousseeuw 1987).
        calinski_harabasz: the higher the better (Calinski and Harabasz 1974).
        davies_bouldin: the lower the better (Davies and Bouldin 1979).
        stability: mean adjusted Rand index over reseeded bootstraps, at most 1.
        least_share: the share of the customers that the smallest segment holds.
        passes: whether the gates that a training asks let it serve.
        fails: which gates do not.
        segments: what the segments would be, by the names that a first model gives, the largest
            first.
        shares: the share of the customers that each of these holds.
    """

    k: int
    weighting: Weighting
    inertia: float
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    stability: float
    least_share: float
    passes: bool
    fails: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """What the trials found.

    Attributes:
        customers: how many were looked at.
        trials: every trial, by weighting and k.
        recommended: the k advised for the weights of the settings, None where no trial passes.
        reason: why, for people.
    """

    customers: int
    trials: tuple[Trial, ...]
    recommended: int | None
    reason: str


def study_segments(
    schema: Schema,
    values: FloatArray,
    parameters: Parameters,
    gates: Gates,
    ks: Collection[int],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    serving: Model | None = None,
) -> Study:
    """Try numbers of segments and preparations on a sample of customers.

    Source: Calinski and Harabasz 1974, doi:10.1080/03610927408827101; Davies and Bouldin 1979,
    doi:10.1109/TPAMI.1979.4766909; for the others see `model/quality/measures.py`.

    Args:
        schema: of the customers.
        values: (n, d), attributes in users' units, n above every k.
        parameters: how a training is done otherwise.
        gates: what a model must show.
        ks: the numbers of segments to try.
        progress: is told how many trials of how many are done.
        serving: the active model, which a training would be compared with.
    """
    random = np.random.default_rng(parameters.seed)
    rows = random.choice(len(values), min(SAMPLE, len(values)), replace=False)
    sample = _Sample.of(schema, values[np.sort(rows)], serving)
    wanted = [
        (weighting, k)
        for weighting in Weighting
        # Of one who protects every attribute none is left.
        if len(_prepare(sample, parameters, weighting).used)
        for k in sorted(ks)
    ]
    trials = []
    for done, (weighting, k) in enumerate(wanted):
        progress(done, len(wanted))
        trials.append(_try(sample, replace(parameters, k=k), weighting, gates))
    recommended, reason = advise([t for t in trials if t.weighting is Weighting.CHOSEN])
    return Study(len(sample.values), tuple(trials), recommended, reason)


def choose_segments(
    schema: Schema, values: FloatArray, parameters: Parameters, gates: Gates
) -> tuple[int, str]:
    """Return the number of segments that the first model of customers should have, and why.

    It is the one that a study advises, or where none passes the gates the one that is the most
    stable. Fewer customers and starts are tried than in a study, as somebody waits for it.

    Args:
        schema: of the customers.
        values: (n, d), attributes in users' units.
        parameters: how a training is done otherwise.
        gates: what a model must show.
    """
    random = np.random.default_rng(parameters.seed)
    rows = random.choice(len(values), min(_CHOICE_SAMPLE, len(values)), replace=False)
    sample = _Sample.of(schema, values[np.sort(rows)], None)
    used = _prepare(sample, parameters, Weighting.CHOSEN).used
    differ = len(np.unique(sample.transformed[:, used], axis=0))
    most = max(MIN_SEGMENTS, min(_MOST_CHOSEN, differ - 1, len(values) // _FEWEST_EACH))
    few = replace(parameters, restarts=min(parameters.restarts, _CHOICE_RESTARTS))
    trials = [
        _try(sample, replace(few, k=k), Weighting.CHOSEN, gates)
        for k in range(MIN_SEGMENTS, most + 1)
    ]
    recommended, reason = advise(trials)
    if recommended is None:
        useful = [t for t in trials if t.least_share >= _USEFUL_SHARE] or trials
        recommended = max(useful, key=lambda trial: (trial.stability, trial.k)).k
    return recommended, reason


@dataclass(frozen=True, eq=False, slots=True)
class _Sample:
    """Customers, (n, d), and all that does not depend on how a trial segments them."""

    schema: Schema
    values: FloatArray
    transformed: FloatArray
    bins: Bins
    fingerprint: Fingerprint
    serving: Model | None
    places: IntArray

    @classmethod
    def of(cls, schema: Schema, values: FloatArray, serving: Model | None) -> "_Sample":
        places = np.zeros(len(values), dtype=np.int64)
        if serving is not None:
            own = columns_in(serving, schema.attributes).take(values)
            places = np.searchsorted(serving.numbers, Assigner(serving).assign(own))
        attributes = measure_knees(schema.attributes, values)
        schema = replace(schema, attributes=attributes)
        known = fingerprint(attributes, np.arange(len(values)), values)
        transformed, bins = transform(attributes, values), fit_bins(attributes, values)
        return cls(schema, values, transformed, bins, known, serving, places)


def advise(trials: Iterable[Trial]) -> tuple[int | None, str]:
    """Return the number of segments to choose among trials, and why.

    Of the trials that pass the gates, those count first that are of use: three segments or more,
    none too small for an offer of its own. Among those that separate and hold about as well as the
    best, the one with the most segments tells marketers most.
    """
    trials = list(trials)
    passing = [trial for trial in trials if trial.passes]
    if not passing:
        best = max(trials, key=lambda trial: trial.stability)
        return None, (
            f"No number of segments passes the gates on these customers: the best, {best.k}, "
            f"reaches a stability of {best.stability:.2f} and fails by {', '.join(best.fails)}"
        )
    useful = [
        trial
        for trial in passing
        if trial.k >= _USEFUL_SEGMENTS and trial.least_share >= _USEFUL_SHARE
    ]
    among = useful or passing
    highest = max(trial.silhouette for trial in among)
    steadiest = max(trial.stability for trial in among)
    good = [trial for trial in among if trial.silhouette >= highest - _AS_GOOD]
    steady = [trial for trial in good if trial.stability >= steadiest - _AS_STEADY]
    good = steady or good
    chosen = max(good, key=lambda trial: trial.k)
    use = (
        f"{len(useful)} of these have at least {_USEFUL_SEGMENTS} segments of at least "
        f"{_USEFUL_SHARE:.0%} of the customers"
        if useful
        else f"none of these has at least {_USEFUL_SEGMENTS} segments of at least "
        f"{_USEFUL_SHARE:.0%} of the customers"
    )
    would_be = ", ".join(
        f"{name} ({share:.0%})" for name, share in zip(chosen.segments, chosen.shares, strict=True)
    )
    return chosen.k, (
        f"{chosen.k} segments: {len(passing)} of {len(trials)} numbers tried pass the gates, and "
        f"{use}; the best silhouette among them is {highest:.3f}, and {chosen.k} is the largest "
        f"number within {_AS_GOOD:.3f} of it that holds about as well as any (silhouette "
        f"{chosen.silhouette:.3f}, stability {chosen.stability:.2f}, smallest segment "
        f"{chosen.least_share:.0%})." + (f" They would be: {would_be}" if would_be else "")
    )


def _prepare(sample: _Sample, parameters: Parameters, weighting: Weighting) -> Preparation:
    weights, excluded = dict(parameters.weights), set(parameters.excluded)
    if weighting is Weighting.EQUAL:
        weights = dict.fromkeys(sample.schema.names, 1.0)
    elif weighting is Weighting.UNPROTECTED:
        excluded |= {a.name for a in sample.schema.attributes if a.protected}
    return fit_preparation(sample.schema.attributes, sample.transformed, weights, excluded)


def _try(sample: _Sample, parameters: Parameters, weighting: Weighting, gates: Gates) -> Trial:
    preparation = _prepare(sample, parameters, weighting)
    coordinates = preparation.prepare_transformed(sample.transformed)[:, preparation.used]
    clusters = fit_clusters(
        coordinates, parameters.k, seed=parameters.seed, restarts=parameters.restarts
    )
    labels, complete = clusters.labels, fill_in(coordinates, clusters.centroids, clusters.labels)
    shares = np.bincount(labels, minlength=parameters.k) / len(coordinates)
    several = len(np.unique(labels)) > 1
    stability = bootstrap_stability(coordinates, clusters, parameters.seed)
    silhouette = sampled_silhouette(coordinates, clusters, parameters.seed)
    fails = find_weaknesses(stability, float(shares.min()), gates)
    if sample.serving is not None:
        loss = sample.serving.quality.silhouette - silhouette
        fails += ("silhouette",) if loss > gates.max_silhouette_loss else ()
        if not _goes_on(sample, sample.serving, parameters, preparation, clusters):
            fails += ("active segments",)
    outliers = np.zeros(len(coordinates), dtype=bool)
    counts = count_customers(sample.bins, parameters.k, sample.values, labels, outliers)
    named = name_by_profile(
        profile_clusters(sample.bins, sample.fingerprint, counts), sample.schema.profiles
    )
    largest = np.argsort(-shares, kind="stable").tolist()
    return Trial(
        k=parameters.k,
        weighting=weighting,
        inertia=clusters.inertia,
        silhouette=silhouette,
        calinski_harabasz=float(calinski_harabasz_score(complete, labels)) if several else 0.0,
        davies_bouldin=float(davies_bouldin_score(complete, labels)) if several else 0.0,
        stability=stability,
        least_share=float(shares.min()),
        passes=not fails,
        fails=fails,
        segments=tuple(named[cluster].name for cluster in largest),
        shares=tuple(shares[largest].tolist()),
    )


def _goes_on(
    sample: _Sample,
    serving: Model,
    parameters: Parameters,
    preparation: Preparation,
    clusters: Clusters,
) -> bool:
    """Tell whether as many of the active segments would go on as a training asks."""
    k, m = parameters.k, len(serving.segments)
    centroids = np.zeros((k, sample.transformed.shape[1]))
    centroids[:, preparation.used] = clusters.centroids
    before = in_coordinates_of(preparation, serving)
    common = ~np.isnan(before).any(axis=0)
    shared = count_shared(clusters.labels, k, sample.places, m)
    matches = match_clusters(
        centroids[:, common], before[:, common], serving.numbers, shared, parameters.thresholds
    )
    return sum(match.number is not None for match in matches) == min(k, m)
