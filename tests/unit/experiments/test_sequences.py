"""Confidence sequences: who looks every day is misled at most in 5 of 100 campaigns."""

from collections.abc import Sequence

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.experiments.groups import Average, Group, Rate, standard_error
from customer_segmentation.model.experiments.sequences import (
    ENOUGH,
    Growth,
    boundary,
    plan_sequence,
)

DAYS = 30


def rates_that_add_up(
    random: np.random.Generator, size: int, shares: FloatArray, campaigns: int
) -> IntArray:
    """Return how many of the same customers have done it by each day, (campaigns, days)."""
    by_day = np.diff(shares, prepend=0.0)
    done = random.multinomial(size, [*by_day, 1 - shares[-1]], size=campaigns)
    return done[:, :-1].cumsum(axis=1)


def amounts_that_add_up(random: np.random.Generator, size: int) -> list[Group]:
    """Return what the same customers have spent by each day, where some buy again and again."""
    often = random.gamma(0.5, 2.0, size) * 0.5 / DAYS
    spends = random.random((DAYS, size)) < often
    spent = np.zeros((DAYS, size))
    spent[spends] = random.lognormal(0.0, 1.0, spends.sum())
    spent = spent.cumsum(axis=0)
    nonzero = np.count_nonzero(spent, axis=1)
    figures = zip(
        spent.mean(axis=1).tolist(),
        spent.var(axis=1, ddof=1).tolist(),
        nonzero.tolist(),
        strict=True,
    )
    return [Average(size, mean, variance, 0.0, buyers) for mean, variance, buyers in figures]


def misled(
    campaigns: Sequence[tuple[Sequence[Group], Sequence[Group]]],
    lifts: FloatArray,
    growth: Growth,
    expected: tuple[Group, Group],
) -> tuple[float, float]:
    """Return how often some day's interval misses the lift: of the sequence, and for a fixed time.

    In percent of the campaigns; both look at the days that the sequence has an interval for.
    """
    sequence = plan_sequence(growth, *expected)
    wrong = fixed = 0
    for arms, controls in campaigns:
        is_wrong = is_fixed_wrong = False
        for arm, control, lift in zip(arms, controls, lifts.tolist(), strict=True):
            if (interval := sequence.look(arm, control)) is not None:
                is_wrong |= lift not in interval
                off = abs(arm.mean - control.mean - lift)
                is_fixed_wrong |= off > 1.96 * standard_error(arm, control)
        wrong += is_wrong
        fixed += is_fixed_wrong
    return 100 * wrong / len(campaigns), 100 * fixed / len(campaigns)


@pytest.mark.parametrize("growth_of_rate", [1.0, 1.3])
def test_daily_looks_at_who_has_bought_yet_mislead_in_at_most_5_of_100_campaigns(
    growth_of_rate: float,
) -> None:
    random = np.random.default_rng(4)
    shares = np.linspace(0, 0.3, DAYS + 1)[1:]
    arms = rates_that_add_up(random, 9_000, shares * growth_of_rate, 600)
    controls = rates_that_add_up(random, 1_000, shares, 600)

    wrong, fixed = misled(
        [
            ([Rate(9_000, n) for n in arm], [Rate(1_000, n) for n in control])
            for arm, control in zip(arms.tolist(), controls.tolist(), strict=True)
        ],
        shares * (growth_of_rate - 1),
        Growth.OUTCOMES,
        (Rate(9_000, 2_700), Rate(1_000, 300)),
    )

    assert wrong <= 5
    assert fixed > 20


def test_daily_looks_at_what_was_spent_mislead_in_at_most_5_of_100_campaigns() -> None:
    random = np.random.default_rng(5)
    campaigns = [
        (amounts_that_add_up(random, 900), amounts_that_add_up(random, 100)) for _ in range(300)
    ]
    expected = Average(900, 0.8, 4.0, 20.0, 400), Average(100, 0.8, 4.0, 20.0, 45)

    wrong, fixed = misled(campaigns, np.zeros(DAYS), Growth.OUTCOMES, expected)

    assert wrong <= 5
    assert fixed > 2 * wrong


def test_looks_after_every_customer_mislead_in_at_most_5_of_100_campaigns() -> None:
    random = np.random.default_rng(6)
    sizes = np.unique(np.geomspace(20, 20_000, 60).astype(int))

    def arriving(rate: float) -> list[list[Group]]:
        counts = random.binomial(np.diff(sizes, prepend=0), rate, (600, len(sizes)))
        totals = counts.cumsum(axis=1).tolist()
        return [[Rate(*pair) for pair in zip(sizes.tolist(), row, strict=True)] for row in totals]

    wrong, fixed = misled(
        list(zip(arriving(0.25), arriving(0.2), strict=True)),
        np.full(len(sizes), 0.05),
        Growth.CUSTOMERS,
        (Rate(5_000, 1_000), Rate(5_000, 1_000)),
    )

    assert wrong <= 5
    assert fixed > 20


def test_a_sequence_that_expected_something_else_is_still_valid() -> None:
    random = np.random.default_rng(8)
    shares = np.linspace(0, 0.3, DAYS + 1)[1:]
    arms, controls = (rates_that_add_up(random, size, shares, 500) for size in (9_000, 1_000))
    campaigns = [
        ([Rate(9_000, n) for n in arm], [Rate(1_000, n) for n in control])
        for arm, control in zip(arms.tolist(), controls.tolist(), strict=True)
    ]

    wrong, _ = misled(
        campaigns, np.zeros(DAYS), Growth.OUTCOMES, (Rate(9_000, 180), Rate(1_000, 20))
    )

    assert wrong <= 5


def test_the_interval_is_the_shortest_where_groups_are_as_expected() -> None:
    expected = Rate(9_000, 900), Rate(1_000, 100)
    planned = plan_sequence(Growth.OUTCOMES, *expected)
    others = [
        plan_sequence(Growth.OUTCOMES, Rate(9_000, 9 * n), Rate(1_000, n)) for n in (20, 60, 200)
    ]

    def length(sequence_index: int) -> float:
        interval = [planned, *others][sequence_index].look(*expected)
        assert interval is not None
        return interval.high - interval.low

    assert length(0) < min(map(length, (1, 2, 3)))
    fixed = 2 * 1.96 * standard_error(*expected)
    assert length(0) == pytest.approx(1.549 * fixed, rel=1e-3)


def test_far_from_what_was_expected_intervals_are_at_most_a_third_longer() -> None:
    shortest = boundary(1.0, plan_tuning(), 0.05)

    assert boundary(0.1, plan_tuning(), 0.05) < 1.33 * shortest
    assert boundary(10.0, plan_tuning(), 0.05) < 1.33 * shortest


@pytest.mark.parametrize(
    ("growth", "groups", "clock"),
    [
        (Growth.CUSTOMERS, (Rate(90_000, 9_000), Rate(10_000, 1_000)), 10.0),
        (Growth.CUSTOMERS, (Rate(900, 450), Rate(100, 50)), 0.1 * 0.09 / 0.25),
        (Growth.OUTCOMES, (Rate(9_000, 4_500), Rate(1_000, 500)), 0.25 / 0.09 / (0.5 / 0.9) ** 4),
        (Growth.OUTCOMES, (Rate(9_000, 270), Rate(1_000, 30)), 0.0291 / 0.09 / (0.97 / 0.9) ** 4),
    ],
)
def test_the_clock_goes_as_outcomes_become_known(
    growth: Growth, groups: tuple[Rate, Rate], clock: float
) -> None:
    sequence = plan_sequence(growth, Rate(9_000, 900), Rate(1_000, 100))

    interval = sequence.look(*groups)

    assert interval is not None
    errors = (interval.high - interval.low) / 2 / standard_error(*groups)
    assert errors == pytest.approx(boundary(clock, plan_tuning(), 0.05))


def plan_tuning() -> float:
    """Return the tuning for a clock that is at 1 in the end."""
    half = Average(2, 0.0, 1.0, 0.0, 2)
    return plan_sequence(Growth.OUTCOMES, half, half).tuning


@pytest.mark.parametrize(
    ("arm", "control"),
    [
        (Rate(9_000, 900), Rate(1_000, ENOUGH - 1)),
        (Rate(900, 900 - ENOUGH + 1), Rate(100, 50)),
        (Average(900, 1.0, 4.0, 9.0, 300), Average(100, 1.0, 4.0, 9.0, ENOUGH - 1)),
    ],
)
def test_too_few_outcomes_give_no_interval_yet(arm: Group, control: Group) -> None:
    sequence = plan_sequence(Growth.OUTCOMES, Rate(9_000, 900), Rate(1_000, 100))

    assert sequence.look(arm, control) is None
