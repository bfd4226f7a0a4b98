"""The fingerprint: the same for the same customers, another one for any others."""

from decimal import Decimal
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.monitoring.fingerprint import (
    digest_leaves,
    digest_nodes,
    fingerprint,
    root_of,
    rows_of,
    summary_of,
)
from tests.support.shipped import FEATURE_BY_NAME, FEATURES

Customers = tuple[IntArray, FloatArray]


@pytest.fixture(scope="module")
def customers() -> Customers:
    """Customers whose ids spread over several leaves and nodes."""
    random = np.random.default_rng(1)
    ids = np.unique(random.integers(1, 2**18, 3_000))
    ids = np.concatenate([ids, ids + 2**32, [2**53 - 1]])
    return ids, random.normal(0.0, 1e4, (len(ids), 14))


@pytest.mark.parametrize("parts", [1, 2, 7, 1_000])
def test_it_is_the_same_in_whatever_parts_the_customers_come(
    customers: Customers, parts: int
) -> None:
    ids, values = customers
    cut = zip(np.array_split(ids, parts), np.array_split(values, parts), strict=True)

    leaves = list(digest_leaves(chain.from_iterable(rows_of(*part) for part in cut)))

    assert len({leaf for leaf, _ in leaves}) == len(leaves)
    assert root_of(digest_nodes(leaves)) == fingerprint(FEATURES, ids, values).sha256


def test_it_is_the_same_however_the_values_lie_in_memory(customers: Customers) -> None:
    ids, values = customers

    assert fingerprint(FEATURES, ids, np.asfortranarray(values)) == fingerprint(
        FEATURES, ids, values
    )


@pytest.mark.parametrize("row", [0, 1_500, -1])
def test_it_is_another_one_when_an_id_or_a_value_is_another(customers: Customers, row: int) -> None:
    ids, values = customers
    other_ids, other_values = ids.copy(), values.copy()
    other_ids[row] += 1
    other_values[row, 3] = np.nextafter(other_values[row, 3], np.inf)

    found = {
        fingerprint(FEATURES, ids, values).sha256,
        fingerprint(FEATURES, other_ids, values).sha256,
        fingerprint(FEATURES, ids, other_values).sha256,
        fingerprint(FEATURES, np.delete(ids, row), np.delete(values, row, axis=0)).sha256,
    }

    assert len(found) == 4


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_a_range_holds_all_values_and_tells_none_exactly(values: list[float]) -> None:
    found = summary_of(FEATURE_BY_NAME["account_balance"], 0.0, 0.0, min(values), max(values))

    assert found.minimum <= min(values) <= max(values) <= found.maximum
    for end in (found.minimum, found.maximum):
        assert len(Decimal(repr(end)).normalize().as_tuple().digits) <= 2 or abs(end) > 1e308


@pytest.mark.parametrize(("name", "least", "greatest"), [("age", 18, 100), ("gender", 0, 1)])
def test_a_range_stays_within_what_is_allowed(name: str, least: float, greatest: float) -> None:
    found = summary_of(FEATURE_BY_NAME[name], 0.0, 0.0, least, greatest)

    assert (found.minimum, found.maximum) == (least, greatest)
