"""Drift: none without changes, told where customers changed, and measured as the books say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.monitoring.distribution import Distribution, count_customers
from customer_segmentation.model.monitoring.drift import (
    Level,
    level_of,
    measure_drift,
    stability_index,
)
from tests.support.servers import Server
from tests.support.shipped import FEATURE_NAMES


def counted(model: Model, values: FloatArray) -> Distribution:
    segments = Assigner(model).assign(values)
    rows = np.searchsorted(model.numbers, segments)
    return count_customers(
        model.bins, len(model.segments), values, rows, np.zeros(len(values), dtype=bool)
    )


def test_unchanged_customers_have_not_drifted(shipped_model: Model) -> None:
    drift = measure_drift(shipped_model, shipped_model.distribution)

    assert drift.psi == 0
    assert drift.level is Level.STABLE
    assert drift.trained_shares == drift.current_shares
    assert all(attribute.p_value == pytest.approx(1) for attribute in drift.attributes)


def test_a_random_half_of_the_customers_has_not_drifted(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    half = np.random.default_rng(1).choice(len(values), len(values) // 2, replace=False)

    drift = measure_drift(shipped_model, counted(shipped_model, values[half]))

    assert drift.psi < 0.01
    assert min(attribute.p_value for attribute in drift.attributes) > 0.001


def test_attributes_that_changed_are_told_and_the_others_are_not(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    changed = values.copy()
    changed[:, FEATURE_NAMES.index("monthly_income")] *= 2
    changed[:, FEATURE_NAMES.index("gender")] = 1

    drift = measure_drift(shipped_model, counted(shipped_model, changed))

    large = {a.attribute for a in drift.attributes if a.level is Level.LARGE}
    unlikely = {a.attribute for a in drift.attributes if a.p_value < 0.001}
    assert large == unlikely == {"monthly_income", "gender"}
    assert drift.segments_psi > 0.01
    assert drift.level is Level.LARGE


def test_the_index_is_the_one_of_the_literature() -> None:
    before, after = np.array([500, 300, 200]), np.array([300, 300, 400])

    index = stability_index(before * 1_000_000, after * 1_000_000)

    expected = sum((a - b) * math.log(a / b) for a, b in ((0.3, 0.5), (0.3, 0.3), (0.4, 0.2)))
    assert index == pytest.approx(expected, rel=1e-6)
    assert stability_index(before, np.zeros(3, dtype=np.int64)) == 0


@given(
    before=st.lists(st.integers(0, 500), min_size=4, max_size=4),
    after=st.lists(st.integers(0, 500), min_size=4, max_size=4),
)
def test_the_index_is_never_negative_and_grows_with_no_difference(
    before: list[int], after: list[int]
) -> None:
    index = stability_index(np.array(before), np.array(after))

    assert index >= 0
    assert math.isfinite(index)
    assert stability_index(np.array(before), np.array(before)) == pytest.approx(0)


def test_the_test_is_the_chi_square_test_of_homogeneity(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    changed = values[:5000]
    drift = measure_drift(shipped_model, counted(shipped_model, changed))

    gender = FEATURE_NAMES.index("gender")
    table = [np.bincount(v[:, gender].astype(int), minlength=2) for v in (values, changed)]
    expected = stats.chi2_contingency(table, correction=False)
    found = drift.attributes[gender]
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.freedom == expected.dof == 1
    assert found.p_value == pytest.approx(expected.pvalue)


def test_drift_is_unknown_where_nobody_is_left(shipped_model: Model) -> None:
    everybody = shipped_model.distribution

    drift = measure_drift(shipped_model, everybody - everybody)

    assert drift.level == Level.UNKNOWN
    assert {attribute.level for attribute in drift.attributes} == {Level.UNKNOWN}


@pytest.mark.parametrize(
    ("psi", "level"), [(0.0, "stable"), (0.1, "moderate"), (0.249, "moderate"), (0.25, "large")]
)
def test_levels_are_those_of_the_rule_of_thumb(psi: float, level: str) -> None:
    assert level_of(psi) == level


def test_drift_follows_the_customers_over_http(server: Server) -> None:
    client = server.client
    before = client.get("/v1/drift").json()
    for customer in range(1, 600):
        client.post(
            "/update_customer_details_to_database",
            json={"customer_id": customer, "age": 18},
        ).raise_for_status()

    after = client.get("/v1/drift").json()

    assert before["psi"] == 0
    age = next(a for a in after["attributes"] if a["attribute"] == "age")
    assert age["psi"] > 0.001
    assert after["model_version"] == 1
    assert sum(after["current_shares"].values()) == pytest.approx(1)
