"""The rule for attributes' values, and the number format."""

import doctest
import json
import math
from dataclasses import replace
from types import ModuleType

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customer_segmentation.api.http.schemas import type_of
from customer_segmentation.domain import attributes as columns
from customer_segmentation.domain import numbers as written_numbers
from customer_segmentation.domain.attributes import (
    Attribute,
    Column,
    Id,
    IdType,
    Kind,
    Missing,
    Unknown,
)
from customer_segmentation.domain.numbers import LARGEST_INTEGER, plain_number
from tests.support.shipped import CUSTOMER_ID, FEATURES

ALL = (CUSTOMER_ID, *FEATURES)
features = st.sampled_from(ALL)
numbers = st.one_of(st.integers(), st.floats(), st.integers(-3, 1005), st.floats(-3, 1005))


def accepts(feature: Column, value: object) -> bool:
    try:
        feature.accept(value)
    except ValueError:
        return False
    return True


@given(features, numbers)
def test_accepted_values_lie_in_range_and_equal_what_was_given(
    feature: Column, value: float
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
    feature: Column, value: float
) -> None:
    if accepts(feature, value):
        return

    with pytest.raises(ValueError, match=f"^{feature.name} must be ") as refusal:
        feature.accept(value)

    assert feature.allowed in str(refusal.value)


@given(features, numbers)
@example(FEATURES[2], 10**29)
def test_a_text_is_accepted_as_the_number_it_holds(feature: Column, value: float) -> None:
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
    feature: Column, values: list[float]
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


@pytest.mark.parametrize(("module", "examples"), [(columns, 4), (written_numbers, 2)])
def test_the_examples_in_the_documentation_hold(module: ModuleType, examples: int) -> None:
    found = doctest.testmod(module)

    assert (found.failed, found.attempted) == (0, examples)


CONTRACT = Attribute(
    "contract",
    "Contract",
    "contract",
    "",
    "Monthly",
    Kind.NOMINAL,
    categories=("Monthly", "Yearly"),
)


def test_a_category_is_its_place_inside_and_its_text_outside() -> None:
    for place, text in enumerate(CONTRACT.categories):
        assert CONTRACT.accept(text) == CONTRACT.accept_text(text) == place
        assert CONTRACT.show(place) == text
    for wrong in ("yearly", 0, 1.0, None, True):
        with pytest.raises(ValueError, match=r"^contract must be one of Monthly, Yearly, not "):
            CONTRACT.accept(wrong)
    assert not CONTRACT.plainly_accepts(np.array([0.0, 1.0])).any()
    assert not CONTRACT.plainly_accepts_all(np.array([0.0, 1.0]), whole=True)


def test_an_unknown_category_counts_as_another_where_the_schema_says_so() -> None:
    contract = replace(CONTRACT, unknown=Unknown.OTHER)

    assert contract.accept("Two years") == 2
    assert contract.choices == (0, 1, 2)
    assert contract.show(2) == "other"


def test_codes_with_gaps_accept_nothing_between_them() -> None:
    region = Attribute(
        "region",
        "region",
        "region",
        "",
        7,
        Kind.NOMINAL,
        minimum=1,
        maximum=7,
        codes={1: "North", 3: "South", 7: "Abroad"},
    )

    for code in (0, 2, 4, 8, 1.5):
        with pytest.raises(ValueError, match=r"^region must be one of 1, 3, 7, not "):
            region.accept(code)
    column = np.arange(9.0)
    assert column[region.plainly_accepts(column)].tolist() == [1.0, 3.0, 7.0]
    assert not region.plainly_accepts_all(np.array([1.0, 3.0]), whole=True)


def test_what_may_be_missing_is_nan_inside_and_null_outside() -> None:
    for attribute in (CONTRACT, *FEATURES):
        with pytest.raises(ValueError, match=r"null$"):
            attribute.accept(None)
        lacking = replace(attribute, missing=Missing.ALLOWED)
        assert math.isnan(lacking.accept(None))
        assert math.isnan(lacking.accept_text(" "))
        assert lacking.show(lacking.accept(None)) is None


TEXT_ID = Id("member", "member", "member", "", "M1", IdType.TEXT)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200))
def test_a_text_id_stays_as_it_is(text: str) -> None:
    assert TEXT_ID.accept(text) == text
    if text.strip():
        assert TEXT_ID.accept_text(text) == text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", "an empty text"),
        ("x" * 201, "a longer text"),
        ("a\nb", "a text with others"),
        ("a\x7fb", "a text with others"),
        ("a\x85b", "a text with others"),
        ("a\ud800", "a text with others"),
        (7, "an integer"),
        (None, "null"),
    ],
)
def test_what_is_no_text_id_is_refused_by_what_it_is(value: object, found: str) -> None:
    allowed = "a text of 1 to 200 characters without control characters"
    with pytest.raises(ValueError, match=f"^member must be {allowed}, not {found}$"):
        TEXT_ID.accept(value)


def test_a_field_of_blanks_holds_no_text_id() -> None:
    with pytest.raises(ValueError, match="not nothing"):
        TEXT_ID.accept_text("  ")


def test_the_document_tells_codes_with_gaps_one_by_one() -> None:
    grade = Attribute("grade", "", "", "", 2, Kind.ORDINAL, codes={-1: "none", 2: "low", 7: "high"})
    told = msgspec.json.schema(type_of(replace(grade, minimum=-1, maximum=7)))

    assert told["enum"] == [-1, 2, 7]
