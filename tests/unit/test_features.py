"""The feature table's rule for values, and the number format."""

import doctest
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain import features as feature_table
from customer_segmentation.domain.features import (
    CUSTOMER_ID,
    FEATURES,
    LARGEST_INTEGER,
    Feature,
    plain_number,
)

ALL = (CUSTOMER_ID, *FEATURES)
features = st.sampled_from(ALL)
numbers = st.one_of(st.integers(), st.floats(), st.integers(-3, 1005), st.floats(-3, 1005))


def accepts(feature: Feature, value: object) -> bool:
    try:
        feature.accept(value)
    except ValueError:
        return False
    return True


@given(features, numbers)
def test_accepted_values_lie_in_range_and_equal_what_was_given(
    feature: Feature, value: float
) -> None:
    if not accepts(feature, value):
        return
    accepted = feature.accept(value)

    assert accepted == value
    assert math.isfinite(accepted)
    assert feature.minimum is None or accepted >= feature.minimum
    assert feature.maximum is None or accepted <= feature.maximum
    assert not feature.is_integer or type(accepted) is int


@given(features, numbers)
def test_refusals_name_the_field_and_what_is_allowed_but_never_the_value(
    feature: Feature, value: float
) -> None:
    if accepts(feature, value):
        return

    with pytest.raises(ValueError, match=f"^{feature.name} must be ") as refusal:
        feature.accept(value)

    assert feature.allowed in str(refusal.value)


@given(features, numbers)
def test_a_text_is_accepted_as_the_number_it_holds(feature: Feature, value: float) -> None:
    text = repr(value)

    if accepts(feature, value):
        assert feature.accept_text(text) == value
    else:
        with pytest.raises(ValueError, match=f"^{feature.name} must be "):
            feature.accept_text(text)


@pytest.mark.parametrize(
    "text", ["", " ", "1_0", "nan", "inf", "0x1", "1,5", "\u0661", "1e", "--1"]
)
def test_a_text_that_is_no_decimal_number_is_refused(text: str) -> None:
    for feature in ALL:
        with pytest.raises(ValueError, match=f"^{feature.name} must be "):
            feature.accept_text(text)


@given(features, st.lists(numbers))
def test_plainly_accepted_values_are_accepted_one_by_one(
    feature: Feature, values: list[float]
) -> None:
    column = np.array([float(max(min(v, 1e308), -1e308)) for v in values])

    plain = feature.plainly_accepts(column)

    assert all(accepts(feature, v) for v in column[plain].tolist())
    small = np.abs(column) < LARGEST_INTEGER
    assert not any(accepts(feature, v) for v in column[~plain & small].tolist())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_shortest_and_read_back_the_same(value: float) -> None:
    plain = plain_number(value)
    text = json.dumps(plain)

    assert float(text) == value
    if value.is_integer() and abs(value) <= LARGEST_INTEGER:
        assert "." not in text
        assert "e" not in text


def test_names_are_unique_and_every_example_is_allowed() -> None:
    assert len({f.name for f in ALL}) == len({f.record_name for f in ALL}) == 15
    assert all(accepts(f, f.example) for f in ALL)
    assert all(accepts(f, code) for f in ALL for code in f.codes)


def test_the_examples_of_the_feature_table_hold() -> None:
    found = doctest.testmod(feature_table)

    assert (found.failed, found.attempted) == (0, 2)
