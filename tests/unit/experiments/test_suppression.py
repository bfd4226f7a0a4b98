"""Small groups: neither their sizes nor their outcomes are shown, nor follow from others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.model.experiments.suppression import find_hidden

LEAST = 10


def test_large_groups_are_all_shown() -> None:
    found = find_hidden(np.array([[100, 900], [200, 1_800]]), np.array([[20, 300], [40, 500]]), 10)

    assert not any(
        part.any() for part in (found.totals, found.total_outcomes, found.sizes, found.outcomes)
    )


def test_a_small_control_group_of_a_segment_hides_another_one_with_it() -> None:
    sizes = np.array([[4, 50], [60, 540], [70, 630]])
    found = find_hidden(sizes, sizes // 2, LEAST)

    assert found.sizes[0].all()
    assert found.sizes[1:].any(axis=0).all()
    assert not found.totals.any()


def test_a_rate_of_few_customers_is_hidden_although_its_group_is_shown() -> None:
    sizes = np.array([[100, 900], [200, 1_800], [300, 2_700]])
    successes = np.array([[3, 300], [40, 500], [60, 900]])

    found = find_hidden(sizes, successes, LEAST)

    assert not found.sizes.any()
    assert found.outcomes[:, 0].tolist() == [True, True, False]
    assert not found.outcomes[:, 1].any()


def test_few_customers_of_several_segments_together_hide_another_one() -> None:
    sizes = np.array([[100, 900], [97, 900], [300, 900], [400, 900]])
    successes = np.array([[3, 300], [2, 300], [60, 300], [80, 300]])

    hidden = find_hidden(sizes, successes, LEAST).outcomes[:, 0]

    assert hidden.tolist() == [True, True, True, False]


def test_few_outcomes_of_a_group_in_all_are_hidden() -> None:
    sizes = np.array([[100, 900], [200, 1_800]])
    successes = np.array([[4, 300], [0, 500]])

    found = find_hidden(sizes, successes, LEAST)

    assert found.total_outcomes.tolist() == [True, False]
    assert found.outcomes[:, 0].all()


def test_a_rate_of_nearly_everybody_is_hidden_too() -> None:
    sizes = np.array([[100, 900], [200, 1_800]])
    successes = np.array([[98, 300], [150, 500]])

    assert find_hidden(sizes, successes, LEAST).outcomes[0, 0]


def test_an_arm_that_is_small_in_all_is_hidden_everywhere() -> None:
    sizes = np.array([[100, 900, 5], [200, 1_800, 2]])

    found = find_hidden(sizes, sizes // 2, LEAST)

    assert found.totals[2]
    assert found.sizes[:, 2].all()
    assert found.outcomes[:, 2].all()
    # Nor does its size follow from that of the others.
    assert found.totals.sum() > 1
    assert found.sizes[:, found.totals].all()


def test_no_least_count_hides_nothing() -> None:
    sizes = np.array([[1, 2], [3, 4]])

    found = find_hidden(sizes, np.ones_like(sizes), 0)

    assert not found.sizes.any()
    assert not found.outcomes.any()


@st.composite
def tables(draw: st.DrawFn) -> tuple[IntArray, IntArray]:
    """Draw sizes of groups by segment, and how many of each have the outcome."""
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 3))
    sizes = [draw(st.integers(0, 60)) for _ in range(shape[0] * shape[1])]
    successes = [draw(st.integers(0, size)) for size in sizes]
    return np.array(sizes).reshape(shape), np.array(successes).reshape(shape)


@given(table=tables())
def test_nothing_small_is_shown_and_nothing_hidden_is_alone(
    table: tuple[IntArray, IntArray],
) -> None:
    sizes, successes = table
    found = find_hidden(sizes, successes, LEAST)

    assert not ((sizes > 0) & (sizes < LEAST) & ~found.sizes).any()
    for part in (successes, sizes - successes):
        assert not ((part > 0) & (part < LEAST) & ~found.outcomes).any()
    assert not (found.sizes & ~found.outcomes).any()
    assert found.sizes[:, found.totals].all()
    assert found.outcomes[:, found.total_outcomes].all()
    assert not (found.totals & ~found.total_outcomes).any()
    for group in np.flatnonzero(~found.totals):
        # Who is hidden in a group whose size is known are several cells with enough customers.
        behind = sizes[found.sizes[:, group], group].sum()
        assert behind == 0 or behind >= LEAST or found.sizes[:, group].all()
