"""The running distribution: it equals a count from scratch, whatever happened to the customers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import FEATURE_NAMES, FEATURES
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.distribution import Distribution, count_customers, fit_bins
from customer_segmentation.services.customers import (
    add_customer,
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.distribution import (
    count,
    count_waiting_changes,
    read_current,
)
from customer_segmentation.services.rescoring import rescore
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.services.versions import activate_and_rescore, activate_version
from customer_segmentation.store import distributions
from tests.stored import settled_customers
from tests.test_store import store_candidate

D = len(FEATURE_NAMES)
AMOUNTS = [j for j, feature in enumerate(FEATURES) if not feature.is_integer]
populations = st.integers(1, 40).flatmap(
    lambda n: arrays(np.float64, (n, D), elements=st.floats(0, 1000, allow_nan=False))
)


@pytest.fixture(scope="module")
def other_model(shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model) -> Model:
    """A model that puts some customers elsewhere."""
    parameters = Parameters(weights={"loyalty_score": 3.0})
    return LocalEngine().train(*shipped_customers, parameters, shipped_model)


@pytest.fixture
def other_version(units: UnitsOfWork, other_model: Model) -> int:
    """A version that is stored and does not serve."""
    return store_candidate(units, other_model)


def from_scratch(units: UnitsOfWork) -> Distribution:
    """Count the customers whose rows tell their segments by the active version."""
    ours = settled_customers(units)
    return count(units.require_model(), ours.values, ours.segments)


scales = st.sampled_from([1.0, 1e-300, 1e300])
numbers = st.floats(-1e300, 1e300) | st.just(np.nan)
landmarks = st.lists(numbers, min_size=1, max_size=20)


@settings(max_examples=50)
@given(landmarks, scales, st.integers(0, 2**32 - 1))
def test_many_customers_are_counted_as_a_few_at_a_time_are(
    known: list[float], scale: float, seed: int
) -> None:
    drawn = np.random.default_rng(seed)
    values = drawn.lognormal(sigma=3.0, size=(10_000, D)) * scale
    values[:, AMOUNTS] = drawn.choice([*known, *values[:30, 0]], size=(10_000, len(AMOUNTS)))
    values[5_000:, AMOUNTS] = values[:5_000, AMOUNTS[0]][:, None] + scale
    bins = fit_bins(np.nan_to_num(values[:200]))
    rows, outlying = drawn.integers(0, 3, 10_000), np.zeros(10_000, dtype=bool)

    together = count_customers(bins, 3, values, rows, outlying)

    parts = [slice(start, start + 1_000) for start in range(0, 10_000, 1_000)]
    few = [count_customers(bins, 3, values[p], rows[p], outlying[p]) for p in parts]
    assert np.array_equal(together.counts, sum(part.counts for part in few))


def assert_current(units: UnitsOfWork) -> None:
    found, expected = read_current(units).distribution, from_scratch(units)
    assert (found.counts == expected.counts).all()
    assert (found.outliers == expected.outliers).all()
    assert np.allclose(found.sums, expected.sums, rtol=1e-9)


def test_it_follows_every_change_whether_counted_yet_or_not(units: UnitsOfWork) -> None:
    anyone = get_customer(units, 56).customer.attributes
    assert_current(units)

    units.run(add_customer, 30_000, anyone)
    units.run(update_customer, 7287, {"transaction_count": 40, "loyalty_score": 900})
    units.run(delete_customer, 787)
    assert_current(units)
    count_waiting_changes(units)
    units.run(update_customer, 30_000, {"account_balance": -5})

    assert_current(units)
    assert read_current(units).changed == 4
    count_waiting_changes(units)
    assert_current(units)
    with units.database.read() as connection:
        assert distributions.count_changes(connection) == 0


@pytest.mark.both_databases
def test_many_who_count_at_once_count_each_change_once(units: UnitsOfWork) -> None:
    def work(first: int) -> None:
        for customer_id in range(first, first + 300):
            units.run(update_customer, customer_id, {"loyalty_score": customer_id % 900})
            if customer_id % 20 == 0:
                count_waiting_changes(units)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, 1000 * n) for n in (1, 2, 3, 4)]:
            done.result()
    count_waiting_changes(units)

    assert read_current(units).changed == 1_200
    assert_current(units)


def test_it_starts_anew_with_each_activation(units: UnitsOfWork, other_version: int) -> None:
    units.run(update_customer, 56, {"age": 90})
    activate_version(units, Settings(), other_version)
    units.run(update_customer, 56, {"loyalty_score": 1})
    units.run(delete_customer, 787)

    assert read_current(units).distribution.sizes.sum() == 1
    rescore(units)

    assert_current(units)
    assert read_current(units).distribution.sizes.sum() == 19_999


def test_a_rollback_amid_a_re_scoring_counts_nobody_twice(
    units: UnitsOfWork, other_version: int
) -> None:
    activate_version(units, Settings(), other_version)
    with pytest.raises(InterruptedError):
        rescore(units, interrupt)

    activate_and_rescore(units, Settings(), 1)

    assert_current(units)
    assert read_current(units).distribution.sizes.sum() == 20_000


def interrupt(_done: int) -> None:
    raise InterruptedError


@given(values=populations, more=populations)
@settings(max_examples=50)
def test_what_comes_and_leaves_again_leaves_no_trace(values: FloatArray, more: FloatArray) -> None:
    bins = fit_bins(values)
    rows = np.arange(len(more)) % 3
    outlying = more[:, 0] > 500
    everyone = np.concatenate([more, more])
    signs = np.repeat([1, -1], len(more))

    nothing = count_customers(bins, 3, everyone, np.tile(rows, 2), np.tile(outlying, 2), signs)
    came = count_customers(bins, 3, more, rows, outlying)

    assert not nothing.counts.any()
    assert not nothing.outliers.any()
    assert came.sizes.tolist() == [int((rows == row).sum()) for row in range(3)]
    assert came.outliers.sum() == outlying.sum()


@given(values=populations)
@settings(max_examples=50)
def test_every_customer_falls_into_one_bin_of_each_attribute(values: FloatArray) -> None:
    bins = fit_bins(values)

    counted = count_customers(
        bins, 1, values, np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=bool)
    )

    for j in range(D):
        assert counted.counts[0, bins.of_attribute(j)].sum() == len(values)
