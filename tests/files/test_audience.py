"""Audiences: hashed ids, and a control group that stays the same over every export."""

import hashlib
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from customer_segmentation.domain.control_groups import ControlGroup, Group
from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.files.write.audience import group_names, hashed_id, hashed_ids

SALTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
PERCENTS = st.floats(0, 100)
IDS = st.integers(1, 2**53)


def test_an_id_is_hashed_with_its_salt_as_anyone_can_compute() -> None:
    expected = hashlib.sha256(b"spring56").hexdigest()

    assert hashed_id("56", "spring") == expected
    assert hashed_ids(np.array([56]), "spring").to_pylist() == [expected]


def test_an_address_is_normalised_before_it_is_hashed() -> None:
    assert hashed_id(" Ann@Bank.Example\n", "x") == hashlib.sha256(b"xann@bank.example").hexdigest()


def test_another_salt_gives_other_hashes() -> None:
    assert hashed_id("56", "spring") != hashed_id("56", "autumn")


@given(SALTS, PERCENTS, st.lists(IDS, unique=True, max_size=20), st.randoms())
def test_a_customers_group_depends_on_salt_and_id_alone(
    salt: str, percent: float, ids: list[int], random: Random
) -> None:
    first = dict(
        zip(
            ids,
            group_names(np.array(ids, np.int64), ControlGroup(salt, percent)).to_pylist(),
            strict=True,
        )
    )
    random.shuffle(ids)
    half = ids[: len(ids) // 2]

    again = group_names(np.array(half, np.int64), ControlGroup(salt, percent)).to_pylist()

    assert again == [first[customer_id] for customer_id in half]
    assert again == [ControlGroup(salt, percent).group(customer_id) for customer_id in half]


@given(SALTS, st.floats(1, 99), st.integers(1, 2**52))
def test_the_share_held_out_is_as_a_fair_draw_gives(salt: str, percent: float, start: int) -> None:
    ids = np.arange(start, start + 2000)

    held_out = ControlGroup(salt, percent).holdouts(ids).sum()

    # Beyond these bounds a fair draw falls once in 10^12 examples.
    least, most = binom(len(ids), percent / 100).interval(1 - 1e-12)
    assert least <= held_out <= most


@given(SALTS, PERCENTS, PERCENTS, st.integers(1, 2**52))
def test_a_greater_share_only_adds_to_the_holdout(
    salt: str, one: float, other: float, start: int
) -> None:
    ids = np.arange(start, start + 100)

    fewer = ControlGroup(salt, min(one, other)).holdouts(ids)
    more = ControlGroup(salt, max(one, other)).holdouts(ids)

    assert not (fewer & ~more).any()


def test_nobody_and_everybody_can_be_held_out() -> None:
    ids = np.arange(1, 1000)

    assert not ControlGroup("spring", 0).holdouts(ids).any()
    assert ControlGroup("spring", 100).holdouts(ids).all()


def test_splits_under_two_salts_are_independent() -> None:
    ids = np.arange(1, 20_001)

    both = ControlGroup("a", 50).holdouts(ids) & ControlGroup("b", 50).holdouts(ids)

    assert 0.24 < both.mean() < 0.26


def test_a_split_stays_the_same_over_releases() -> None:
    split = ControlGroup("spring-2026", 10)

    held_out = [number for number in range(1, 60) if split.group(number) is Group.HOLDOUT]

    assert held_out == [23, 29, 42, 50, 52, 53]


@pytest.mark.parametrize(
    ("salt", "percent", "field"),
    [("", 10, "salt"), ("x", -1, "holdout_percent"), ("x", 100.5, "holdout_percent")],
)
def test_a_split_that_cannot_be_is_refused(salt: str, percent: float, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        ControlGroup(salt, percent)

    assert [error.field for error in refused.value.errors] == [field]


def test_a_share_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="from 0 to 100"):
        ControlGroup("x", float("nan"))
