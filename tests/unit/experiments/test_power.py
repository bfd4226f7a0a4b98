"""Power: a campaign of the size that is said shows the lift that is said, as often as is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_segmentation.model.experiments.effects import compare
from customer_segmentation.model.experiments.groups import Rate
from customer_segmentation.model.experiments.power import (
    AmountBefore,
    Before,
    RateBefore,
    power_of,
    size_needed,
    smallest_lift,
)

befores = st.one_of(
    st.builds(RateBefore, st.floats(0.001, 0.9)), st.builds(AmountBefore, st.floats(0.01, 1e6))
)


def test_the_smallest_lift_shows_in_80_of_100_campaigns() -> None:
    lift = smallest_lift(RateBefore(0.1), 9_000, 1_000)
    assert lift is not None
    random = np.random.default_rng(2)
    arms = random.binomial(9_000, 0.1 + lift, 4_000).tolist()
    controls = random.binomial(1_000, 0.1, 4_000).tolist()

    found = [
        compare(Rate(9_000, arm), Rate(1_000, control))
        for arm, control in zip(arms, controls, strict=True)
    ]

    assert np.mean([e is not None and e.is_clear for e in found]) == pytest.approx(0.8, abs=0.02)


@settings(max_examples=30)
@given(before=befores, arm=st.integers(2_000, 100_000), share=st.floats(0.05, 0.95))
def test_the_size_that_the_smallest_lift_needs_is_the_size_that_shows_it(
    before: Before, arm: int, share: float
) -> None:
    size = arm / (1 - share)
    lift = smallest_lift(before, arm, size * share)

    assert lift is not None
    assert power_of(before, lift, arm, size * share) == pytest.approx(0.8, abs=1e-9)
    assert size_needed(before, lift, share) == pytest.approx(size, abs=2, rel=1e-6)


def test_more_customers_show_smaller_lifts() -> None:
    lifts = [smallest_lift(RateBefore(0.1), 9 * n, n) for n in (100, 1_000, 10_000)]

    assert None not in lifts
    assert sorted(lifts, reverse=True) == lifts  # type: ignore[type-var]


def test_a_handful_of_customers_shows_no_lift_of_a_rate() -> None:
    assert smallest_lift(RateBefore(0.9), 9, 2) is None
    assert smallest_lift(AmountBefore(3.0), 9, 2) is not None
