"""Drift: how far current customers are from those that a model was trained on."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.monitoring.distribution import Distribution, group_bins

MODERATE = 0.1
LARGE = 0.25


class Level(StrEnum):
    """What a population stability index means, by the usual rule of thumb (Siddiqi 2006)."""

    UNKNOWN = "unknown"
    STABLE = "stable"
    MODERATE = "moderate"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class AttributeDrift:
    """How far one attribute has drifted.

    Attributes:
        attribute: its request name.
        psi: the population stability index; 0 where nothing changed.
        level: what that means.
        statistic: of the chi-square test that both samples come from one distribution.
        freedom: its degrees of freedom.
        p_value: how likely so large a statistic is where they do. The customers who have not
            changed are in both samples, so it errs towards 1.
    """

    attribute: str
    psi: float
    level: Level
    statistic: float
    freedom: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the customers have drifted from a model's training data.

    Attributes:
        psi: the largest of the attributes' indexes, and the segments'.
        level: what that means; unknown where nobody is counted, or not everybody yet.
        attributes: each attribute's drift, in the model's order.
        segments_psi: the index of the shares of the segments.
        trained_customers: how many the model was trained on.
        current_customers: how many there are now.
        trained_shares: by segment number, the share of the training's customers.
        current_shares: by segment number, the share of the customers now.
    """

    psi: float
    level: Level
    attributes: tuple[AttributeDrift, ...]
    segments_psi: float
    trained_customers: int
    current_customers: int
    trained_shares: dict[int, float]
    current_shares: dict[int, float]


def measure_drift(model: Model, current: Distribution, *, is_complete: bool = True) -> Drift:
    """Compare customers, counted by a model's bins, with those it was trained on.

    Where not all of them are counted yet, the indexes are those of the ones who are.

    Each attribute is compared over about ten groups of bins, the deciles of the training data.

    Source: Siddiqi 2006, "Credit Risk Scorecards", ch. 10 (population stability index); Pearson
    1900, doi:10.1080/14786440009463897 (chi-square test of homogeneity).
    """
    is_known = is_complete and bool(current.sizes.any())
    trained = model.distribution
    attributes = []
    for j, feature in enumerate(model.attributes):
        bins = model.bins.of_attribute(j)
        before = trained.counts[:, bins].sum(axis=0)
        groups = group_bins(before)
        after = current.counts[:, bins].sum(axis=0)
        lacking = model.bins.of_missing(j)
        # Who lacks the attribute is a group of their own.
        found = _compare(
            feature.name,
            np.append(np.add.reduceat(before, groups), trained.counts[:, lacking].sum(axis=0)),
            np.append(np.add.reduceat(after, groups), current.counts[:, lacking].sum(axis=0)),
        )
        attributes.append(found if is_known else replace(found, level=Level.UNKNOWN))
    segments_psi = stability_index(trained.sizes, current.sizes)
    psi = max(segments_psi, *(attribute.psi for attribute in attributes))
    numbers = model.numbers.tolist()
    return Drift(
        psi=psi,
        level=level_of(psi) if is_known else Level.UNKNOWN,
        attributes=tuple(attributes),
        segments_psi=segments_psi,
        trained_customers=int(trained.sizes.sum()),
        current_customers=int(current.sizes.sum()),
        trained_shares=dict(zip(numbers, _shares(trained.sizes).tolist(), strict=True)),
        current_shares=dict(zip(numbers, _shares(current.sizes).tolist(), strict=True)),
    )


def stability_index(before: IntArray, after: IntArray) -> float:
    """Return the population stability index of counts (g,) after against counts (g,) before.

    Half a customer is added to each count, so that an empty group does not make it infinite.
    """
    if before.sum() == 0 or after.sum() == 0:
        return 0.0
    expected = (before + 0.5) / (before.sum() + 0.5 * len(before))
    actual = (after + 0.5) / (after.sum() + 0.5 * len(after))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def level_of(psi: float) -> Level:
    """Return what a population stability index means."""
    if psi < MODERATE:
        return Level.STABLE
    return Level.MODERATE if psi < LARGE else Level.LARGE


def _compare(name: str, before: IntArray, after: IntArray) -> AttributeDrift:
    # Importing it takes as long as many a command in all, which measure no drift.
    from scipy.special import chdtrc

    psi = stability_index(before, after)
    statistic, freedom = _chi_square(before, after)
    return AttributeDrift(
        attribute=name,
        psi=psi,
        level=level_of(psi),
        statistic=statistic,
        freedom=freedom,
        p_value=float(chdtrc(freedom, statistic)) if freedom else 1.0,
    )


def _chi_square(before: IntArray, after: IntArray) -> tuple[float, int]:
    together = before + after
    table = np.array([before, after], dtype=np.float64)[:, together > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 0.0, 0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1


def _shares(sizes: IntArray) -> FloatArray:
    return sizes / max(int(sizes.sum()), 1)
