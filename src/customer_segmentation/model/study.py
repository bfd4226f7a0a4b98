"""Choosing the number of segments and the preparation: figures over many trainings, and advice."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.features import FEATURE_NAMES, FEATURES
from customer_segmentation.model.artifact import Parameters
from customer_segmentation.model.fit import fit_clusters
from customer_segmentation.model.gates import Gates
from customer_segmentation.model.prepare import fit_preparation, transform
from customer_segmentation.model.quality import bootstrap_stability, sampled_silhouette

SAMPLE = 20_000
"""Trials look at this many customers at most, the same ones in each."""

_AS_GOOD = 0.02
"""Silhouettes that differ by no more than this are as good as one another."""


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
        passes: whether stability and smallest share pass the gates.
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
    values: FloatArray,
    parameters: Parameters,
    gates: Gates,
    ks: Collection[int],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Study:
    """Try numbers of segments and preparations on a sample of customers.

    Source: Calinski and Harabasz 1974, doi:10.1080/03610927408827101; Davies and Bouldin 1979,
    doi:10.1109/TPAMI.1979.4766909; for the others see `model/quality.py`.

    Args:
        values: (n, d), attributes in users' units, n above every k.
        parameters: how a training is done otherwise.
        gates: what a model must show.
        ks: the numbers of segments to try.
        progress: is told how many trials of how many are done.
    """
    random = np.random.default_rng(parameters.seed)
    rows = random.choice(len(values), min(SAMPLE, len(values)), replace=False)
    transformed = transform(values[np.sort(rows)])
    wanted = [(weighting, k) for weighting in Weighting for k in sorted(ks)]
    trials = []
    for done, (weighting, k) in enumerate(wanted):
        progress(done, len(wanted))
        trials.append(_try(transformed, replace(parameters, k=k), weighting, gates))
    recommended, reason = advise([t for t in trials if t.weighting is Weighting.CHOSEN])
    return Study(len(transformed), tuple(trials), recommended, reason)


def advise(trials: Iterable[Trial]) -> tuple[int | None, str]:
    """Return the number of segments to choose among trials, and why.

    Among the trials that pass the gates and whose silhouette is about the best, the one with the
    most segments tells marketers most.
    """
    trials = list(trials)
    passing = [trial for trial in trials if trial.passes]
    if not passing:
        best = max(trials, key=lambda trial: trial.stability)
        return None, (
            "No number of segments is stable enough on these customers: the best, "
            f"{best.k}, reaches a stability of {best.stability:.2f}"
        )
    highest = max(trial.silhouette for trial in passing)
    good = [trial for trial in passing if trial.silhouette >= highest - _AS_GOOD]
    chosen = max(good, key=lambda trial: trial.k)
    return chosen.k, (
        f"{chosen.k} segments: {len(passing)} of {len(trials)} numbers tried pass the gates; the "
        f"best silhouette among them is {highest:.2f}, and {chosen.k} is the largest number within "
        f"{_AS_GOOD:.2f} of it (silhouette {chosen.silhouette:.2f}, stability "
        f"{chosen.stability:.2f}, smallest segment {chosen.least_share:.0%})"
    )


def _try(
    transformed: FloatArray, parameters: Parameters, weighting: Weighting, gates: Gates
) -> Trial:
    weights, excluded = dict(parameters.weights), set(parameters.excluded)
    if weighting is Weighting.EQUAL:
        weights = dict.fromkeys(FEATURE_NAMES, 1.0)
    elif weighting is Weighting.UNPROTECTED:
        excluded |= {feature.name for feature in FEATURES if feature.protected}
    preparation = fit_preparation(transformed, weights, excluded)
    coordinates = preparation.prepare_transformed(transformed)[:, preparation.used]
    clusters = fit_clusters(
        coordinates, parameters.k, seed=parameters.seed, restarts=parameters.restarts
    )
    shares = np.bincount(clusters.labels, minlength=parameters.k) / len(coordinates)
    several = len(np.unique(clusters.labels)) > 1
    stability = bootstrap_stability(coordinates, clusters, parameters.seed)
    return Trial(
        k=parameters.k,
        weighting=weighting,
        inertia=clusters.inertia,
        silhouette=sampled_silhouette(coordinates, clusters, parameters.seed),
        calinski_harabasz=(
            float(calinski_harabasz_score(coordinates, clusters.labels)) if several else 0.0
        ),
        davies_bouldin=(
            float(davies_bouldin_score(coordinates, clusters.labels)) if several else 0.0
        ),
        stability=stability,
        least_share=float(shares.min()),
        passes=stability >= gates.min_stability and float(shares.min()) >= gates.min_share,
    )
