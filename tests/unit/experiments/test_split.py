"""Splits: a mismatch is found, chance is not called one, and who was reached otherwise is told."""

import numpy as np
import pytest
from scipy import stats

from customer_segmentation.model.experiments.split import Contamination, check_split


def test_a_split_as_drawn_is_seldom_called_a_mismatch() -> None:
    random = np.random.default_rng(3)
    sizes = random.multinomial(10_000, [0.45, 0.45, 0.1], size=3_000).tolist()

    found = [check_split(counts, (0.45, 0.45, 0.1), alpha=0.05) for counts in sizes]

    assert np.mean([check.is_mismatch for check in found]) == pytest.approx(0.05, abs=0.015)
    assert not check_split([8_991, 1_009], (0.9, 0.1)).is_mismatch


def test_a_split_that_lost_customers_of_one_group_is_a_mismatch() -> None:
    found = check_split([90_000, 9_500], (9.0, 1.0))

    assert found.is_mismatch
    assert found.p_value < 1e-5
    assert found.expected == pytest.approx((89_550, 9_950))


@pytest.mark.parametrize("held_out", [0, 1, 4, 12])
def test_few_customers_are_counted_exactly(held_out: int) -> None:
    found = check_split([40 - held_out, held_out], (0.9, 0.1))

    assert found.p_value == pytest.approx(stats.binomtest(held_out, 40, 0.1).pvalue)


def test_several_small_groups_are_each_held_against_the_rest() -> None:
    found = check_split([20, 9, 1], (0.8, 0.1, 0.1))

    assert found.p_value == pytest.approx(3 * stats.binomtest(9, 30, 0.1).pvalue)
    assert check_split([24, 3, 3], (0.8, 0.1, 0.1)).p_value == 1


def test_nobody_is_no_mismatch() -> None:
    assert check_split([0, 0], (0.5, 0.5)).p_value == 1


def test_who_was_addressed_otherwise_than_drawn_dilutes_the_lift() -> None:
    found = Contamination(1_000, 40, 9_000, 900)

    assert found.difference_made == pytest.approx(0.9 - 0.04)
    assert Contamination(1_000, 0, 9_000, 0).difference_made == 1
    assert Contamination(0, 0, 0, 0).difference_made == 0
