"""CUPED: less noise by what was known before, and the same truth."""

import math

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.model.experiments.cuped import Adjusted, Paired, adjust

LIFT = 0.4


def drawn(
    random: np.random.Generator, size: int, correlation: float, lift: float
) -> tuple[FloatArray, FloatArray]:
    """Return what customers spent in a campaign and before it."""
    before = random.gamma(4.0, 1.0, size)
    noise = 2 * random.standard_normal(size) * math.sqrt(1 - correlation**2)
    return 5 + correlation * (before - 4) + noise + lift, before


def adjusted(
    random: np.random.Generator, sizes: tuple[int, int], correlation: float, lift: float
) -> Adjusted | None:
    arm = Paired.of(*drawn(random, sizes[0], correlation, lift))
    return adjust(arm, Paired.of(*drawn(random, sizes[1], correlation, 0.0)))


@pytest.mark.parametrize("lift", [0.0, LIFT])
def test_adjusted_intervals_cover_in_95_of_100_campaigns(lift: float) -> None:
    random = np.random.default_rng(11)
    found = [adjusted(random, (900, 100), 0.7, lift) for _ in range(1_500)]

    effects = [one.effect for one in found if one is not None]
    assert len(effects) == len(found)
    assert np.mean([lift in one.interval for one in effects]) == pytest.approx(0.95, abs=0.015)
    assert np.mean([one.lift for one in effects]) == pytest.approx(lift, abs=0.01)
    relative = [
        lift / 5 in one.relative_interval for one in effects if one.relative_interval is not None
    ]
    assert np.mean(relative) == pytest.approx(0.95, abs=0.015)


def test_the_share_of_the_variance_removed_is_the_square_of_the_correlation() -> None:
    random = np.random.default_rng(12)

    found = adjusted(random, (90_000, 10_000), 0.7, LIFT)

    assert found is not None
    assert found.removed == pytest.approx(0.49, abs=0.02)
    assert found.slope == pytest.approx(0.7, abs=0.03)


def test_the_interval_shrinks_by_what_is_removed() -> None:
    random = np.random.default_rng(13)
    pairs = [drawn(random, size, 0.7, 0.0) for size in (9_000, 1_000)]
    arm, control = (Paired.of(*pair) for pair in pairs)

    found = adjust(arm, control)

    assert found is not None
    before = arm.outcome.variance_of_mean + control.outcome.variance_of_mean
    after = found.effect.arm.variance_of_mean + found.effect.control.variance_of_mean
    assert after == pytest.approx(before * (1 - found.removed))


def test_the_moments_of_the_adjusted_outcomes_are_those_of_each_customer_adjusted() -> None:
    random = np.random.default_rng(14)
    pairs = [drawn(random, size, 0.7, 0.0) for size in (300, 100)]

    found = adjust(Paired.of(*pairs[0]), Paired.of(*pairs[1]))

    assert found is not None
    middle = np.concatenate([before for _, before in pairs]).mean()
    for (spent, before), group in zip(pairs, (found.effect.arm, found.effect.control), strict=True):
        each = spent - found.slope * (before - middle)
        assert group.mean == pytest.approx(each.mean())
        assert group.variance_of_mean == pytest.approx(each.var(ddof=1) / len(each))
        assert group.third == pytest.approx(((each - each.mean()) ** 3).mean())  # type: ignore[union-attr]


def test_a_covariate_that_tells_nothing_is_seldom_used() -> None:
    random = np.random.default_rng(15)

    used = [adjusted(random, (50, 50), 0.0, 0.0) is not None for _ in range(600)]

    assert np.mean(used) < 0.07


def test_what_is_the_same_for_everybody_adjusts_nothing() -> None:
    random = np.random.default_rng(16)
    spent, _ = drawn(random, 100, 0.5, 0.0)
    same = np.ones(100)

    assert adjust(Paired.of(spent, same), Paired.of(spent, same)) is None
    assert adjust(Paired.of(same, spent), Paired.of(same, spent)) is None
