"""Every figure is the one that statsmodels computes on its own, to 1e-9.

It is imported within the tests, as this takes seconds and most processes run none of them.
"""

import numpy as np
import pytest

from customer_segmentation.model.experiments.corrections import holm
from customer_segmentation.model.experiments.cuped import Paired, adjust
from customer_segmentation.model.experiments.effects import Effect, Method, compare
from customer_segmentation.model.experiments.groups import Average, Group, Rate
from customer_segmentation.model.experiments.power import (
    AmountBefore,
    RateBefore,
    power_of,
    size_needed,
    smallest_lift,
)
from customer_segmentation.model.experiments.split import check_split

NEAR = 1e-9


def effect(arm: Group, control: Group, alpha: float = 0.05) -> Effect:
    found = compare(arm, control, alpha)
    assert found is not None
    return found


@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize(
    ("arm", "control", "method"),
    [
        (Rate(21_307, 3_894), Rate(21_306, 2_262), "wald"),
        (Rate(900, 120), Rate(100, 10), "wald"),
        (Rate(900, 14), Rate(100, 1), "newcomb"),
        (Rate(900, 0), Rate(100, 3), "newcomb"),
        (Rate(50, 49), Rate(60, 20), "newcomb"),
    ],
)
def test_differences_of_rates(arm: Rate, control: Rate, method: str, alpha: float) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

    counts = (arm.successes, arm.size, control.successes, control.size)
    limits = confint_proportions_2indep(*counts, method=method, compare="diff", alpha=alpha)

    found = effect(arm, control, alpha)

    assert (found.interval.low, found.interval.high) == pytest.approx(limits, abs=NEAR)
    if method == "wald":
        test = test_proportions_2indep(*counts, method="wald", compare="diff")
        assert found.p_value == pytest.approx(test.pvalue, rel=NEAR, abs=1e-300)


def test_differences_of_means() -> None:
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    random = np.random.default_rng(1)
    arm, control = random.gamma(2.0, 3.0, 900), random.gamma(2.0, 2.8, 800)
    compared = CompareMeans(DescrStatsW(arm), DescrStatsW(control))

    found = effect(Average.of(arm), Average.of(control))

    assert found.method is Method.WELCH
    limits = compared.tconfint_diff(usevar="unequal")
    assert (found.interval.low, found.interval.high) == pytest.approx(limits, abs=NEAR)
    assert found.p_value == pytest.approx(compared.ttest_ind(usevar="unequal")[1], abs=NEAR)


@pytest.mark.parametrize(
    ("arm", "control"),
    [(Rate(21_307, 3_894), Rate(21_306, 2_262)), (Rate(900, 120), Rate(100, 20))],
)
def test_ratios_have_limits_at_which_the_test_against_them_is_just_clear(
    arm: Rate, control: Rate
) -> None:
    from statsmodels.stats.weightstats import _zconfint_generic

    found = effect(arm, control).relative_interval

    assert found is not None
    for limit in (found.low + 1, found.high + 1):
        # Fieller: the interval of the arm's rate less so many times the control group's has an
        # end at 0.
        error = np.sqrt(arm.variance_of_mean + limit**2 * control.variance_of_mean)
        ends = _zconfint_generic(arm.mean - limit * control.mean, error, 0.05, "two-sided")
        assert min(map(abs, ends)) < NEAR


def test_adjusted_lifts() -> None:
    from statsmodels.regression.linear_model import WLS
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    random = np.random.default_rng(2)
    before = random.gamma(4.0, 1.0, 1_000)
    spent = 5 + 0.7 * before + random.standard_normal(1_000)
    is_arm = np.arange(1_000) < 900
    sizes = np.where(is_arm, 900, 100)
    # A common slope, with the weights that the two means have in the variance of the lift.
    design = np.column_stack([np.ones(1_000), is_arm, before])
    fitted = WLS(spent, design, weights=1 / (sizes * (sizes - 1.0))).fit()

    of_arm, of_control = (Paired.of(spent[at], before[at]) for at in (is_arm, ~is_arm))
    found = adjust(of_arm, of_control)

    assert found is not None
    assert found.effect.lift == pytest.approx(fitted.params[1], abs=NEAR)
    assert found.slope == pytest.approx(fitted.params[2], abs=NEAR)
    each = spent - fitted.params[2] * before
    compared = CompareMeans(DescrStatsW(each[is_arm]), DescrStatsW(each[~is_arm]))
    limits = compared.tconfint_diff(usevar="unequal")
    interval = found.effect.interval
    assert (interval.low, interval.high) == pytest.approx(limits, abs=NEAR)


def test_corrected_p_values() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = [0.04, 0.001, 0.5, 0.012, 0.012, 0.03, 0.9]

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=NEAR)


def test_splits() -> None:
    from statsmodels.stats.gof import chisquare

    expected = np.array([4_500.0, 4_500.0, 1_000.0])

    found = check_split([4_620, 4_450, 930], (0.45, 0.45, 0.1))

    assert found.p_value == pytest.approx(chisquare(np.array([4_620, 4_450, 930]), expected)[1])
    assert not found.is_mismatch


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_power_of_rates(rate: float) -> None:
    from statsmodels.stats.power import normal_power_het

    lift, arm, control = 0.015, 9_000, 1_000
    raised = rate + lift
    # For one customer of the control group.
    deviation = np.sqrt(raised * (1 - raised) / (arm / control) + rate * (1 - rate))
    expected = normal_power_het(lift, control, 0.05, std_null=deviation, std_alternative=deviation)

    assert power_of(RateBefore(rate), lift, arm, control) == pytest.approx(expected, abs=NEAR)


def test_power_of_means_and_what_it_needs() -> None:
    from statsmodels.stats.power import NormalIndPower

    # Effects in standard deviations; the ratio is that of the second group to the first.
    solver = NormalIndPower()
    before = AmountBefore(25.0)
    lift = smallest_lift(before, 9_000, 1_000)
    needed = solver.solve_power(effect_size=0.1, alpha=0.05, power=0.8, ratio=1 / 9)

    assert lift is not None
    assert solver.power(lift / 25, 9_000, 0.05, ratio=1 / 9) == pytest.approx(0.8, abs=NEAR)
    expected = solver.power(0.1, 9_000, 0.05, ratio=1 / 9)
    assert power_of(before, 2.5, 9_000, 1_000) == pytest.approx(expected, abs=NEAR)
    assert size_needed(before, 2.5, 0.1) == np.ceil(needed * 10 / 9)
