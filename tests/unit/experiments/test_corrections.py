"""Corrections: many comparisons of arms that do nothing find something in 5 of 100 campaigns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.model.experiments.corrections import holm, simultaneous_alpha
from customer_segmentation.model.experiments.effects import compare
from customer_segmentation.model.experiments.groups import Rate


def test_ten_arms_that_do_nothing_seem_to_do_something_in_at_most_5_of_100_campaigns() -> None:
    random = np.random.default_rng(9)
    arms = random.binomial(1_000, 0.2, (500, 10)).tolist()
    controls = random.binomial(1_000, 0.2, 500).tolist()
    corrected = plain = apart = 0
    for campaign, control in zip(arms, controls, strict=True):
        held = Rate(1_000, control)
        alpha = simultaneous_alpha(0.05, len(campaign))
        found = [compare(Rate(1_000, arm), held) for arm in campaign]
        p_values = [effect.p_value for effect in found if effect is not None]
        wide = [compare(Rate(1_000, arm), held, alpha) for arm in campaign]
        plain += min(p_values) < 0.05
        corrected += min(holm(p_values)) < 0.05
        apart += any(effect is not None and effect.is_clear for effect in wide)

    assert corrected <= 0.05 * 500 + 5
    assert apart == corrected
    assert plain > 0.15 * 500


@given(p_values=st.lists(st.floats(0, 1), max_size=12))
def test_corrected_p_values_keep_their_order_and_are_never_less(p_values: list[float]) -> None:
    corrected = holm(p_values)

    assert len(corrected) == len(p_values)
    for p, more in zip(p_values, corrected, strict=True):
        assert p <= more <= 1
        assert more <= min(1, p * len(p_values)) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert sorted(corrected) == [corrected[at] for at in order]


def test_an_interval_at_the_level_of_all_together_is_that_of_bonferroni() -> None:
    assert simultaneous_alpha(0.05, 10) == pytest.approx(0.005)
    assert simultaneous_alpha(0.05, 0) == 0.05
