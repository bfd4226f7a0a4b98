"""The running distribution: it equals a count from scratch, whatever happened to the customers."""

import math
from concurrent.futures import ThreadPoolExecutor
from sys import float_info

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sqlalchemy import update

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.describing.profile import profile_segments
from customer_segmentation.model.monitoring.distribution import (
    are_coarse,
    count_customers,
    fit_bins,
)
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.models.registry import activate_version
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.monitoring.distribution import (
    count_waiting_changes,
    find_counted,
    get_drift,
    read_current,
    save_counted,
)
from customer_segmentation.services.monitoring.recount import recount
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.profiles import list_segments
from customer_segmentation.store.queries import distributions
from tests.support.jobs import activate_and_rescore
from tests.support.shipped import FEATURE_NAMES, FEATURES
from tests.support.stored import assert_current

D = len(FEATURE_NAMES)
AMOUNTS = [j for j, feature in enumerate(FEATURES) if not feature.is_integer]
populations = st.integers(1, 40).flatmap(
    lambda n: arrays(np.float64, (n, D), elements=st.floats(0, 1000, allow_nan=False))
)


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
    bins = fit_bins(FEATURES, np.nan_to_num(values[:200]))
    rows, outlying = drawn.integers(0, 3, 10_000), np.zeros(10_000, dtype=bool)

    together = count_customers(bins, 3, values, rows, outlying)

    parts = [slice(start, start + 1_000) for start in range(0, 10_000, 1_000)]
    few = [count_customers(bins, 3, values[p], rows[p], outlying[p]) for p in parts]
    assert np.array_equal(together.counts, sum(part.counts for part in few))


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
    bins = fit_bins(FEATURES, values)
    rows = np.arange(len(more)) % 3
    outlying = more[:, 0] > 500
    everyone = np.concatenate([more, more])
    signs = np.repeat([1, -1], len(more))

    nothing = count_customers(bins, 3, everyone, np.tile(rows, 2), np.tile(outlying, 2), signs)
    came = count_customers(bins, 3, more, rows, outlying)

    assert not nothing.counts.any()
    assert not nothing.outliers.any()
    assert not nothing.digits.any()
    assert came.sizes.tolist() == [int((rows == row).sum()) for row in range(3)]
    assert came.outliers.sum() == outlying.sum()


@given(values=populations)
@settings(max_examples=50)
def test_every_customer_falls_into_one_bin_of_each_attribute(values: FloatArray) -> None:
    bins = fit_bins(FEATURES, values)

    counted = count_customers(
        bins, 1, values, np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=bool)
    )

    for j in range(D):
        assert counted.counts[0, bins.of_attribute(j)].sum() == len(values)


shared_values = st.sampled_from([0.0, 8_283.0, -1e15, 0.01]) | st.floats(-1e6, 1e6)


@given(st.lists(shared_values, min_size=1, max_size=40), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_quartiles_are_those_of_numpy_within_a_percentile_however_many_share_a_value(
    shipped_model: Model, drawn: list[float], seed: int
) -> None:
    column = np.random.default_rng(seed).choice(drawn, 1_000)
    values = np.zeros((len(column), D))
    values[:, AMOUNTS[1]] = column
    bins, everyone = fit_bins(FEATURES, values), np.zeros(len(column), dtype=np.int64)
    counted = count_customers(bins, 4, values, everyone, everyone > 0)

    profile = profile_segments(shipped_model, counted, bins)[0].attributes[AMOUNTS[1]]

    assert not are_coarse(bins, counted.counts.sum(axis=0))
    assert profile.mean == pytest.approx(math.fsum(column) / len(column), rel=1e-9, abs=1e-6)
    quartiles = (profile.lower_quartile, profile.median, profile.upper_quartile)
    for share, found in zip((0.25, 0.5, 0.75), quartiles, strict=True):
        least, most = np.quantile(column, [share - 0.01, share + 0.01], method="inverted_cdf")
        assert least <= found <= most


@given(st.integers(1, 999), st.integers(1, 130))
@settings(max_examples=60)
def test_quartiles_of_whole_values_are_what_somebody_has(
    shipped_model: Model, younger: int, age: int
) -> None:
    values = np.zeros((1_000, D))
    values[:, FEATURE_NAMES.index("age")] = np.repeat([age - 1, age], [younger, 1_000 - younger])
    bins, everyone = fit_bins(FEATURES, values), np.zeros(1_000, dtype=np.int64)
    counted = count_customers(bins, 4, values, everyone, everyone > 0)

    profile = profile_segments(shipped_model, counted, bins)[0]
    found = profile.attributes[FEATURE_NAMES.index("age")]

    quartiles = (found.lower_quartile, found.median, found.upper_quartile)
    assert quartiles == tuple(age - 1 if younger >= share else age for share in (250, 500, 750))


def test_figures_are_finite_up_to_the_smallest_and_the_largest_numbers_that_there_are(
    shipped_model: Model,
) -> None:
    values = np.tile(np.arange(1_000.0)[:, None], D)
    balance = FEATURE_NAMES.index("account_balance")
    values[:100, balance], values[100:200, balance] = -float_info.max, float_info.max
    bins, everyone = fit_bins(FEATURES, values), np.zeros(1_000, dtype=np.int64)
    counted = count_customers(bins, 4, values, everyone, everyone > 0)

    found = profile_segments(shipped_model, counted, bins)[0].attributes[balance]

    figures = (found.trimmed_mean, found.lower_quartile, found.median, found.upper_quartile)
    assert np.isfinite(figures).all()


def test_counts_that_went_wrong_are_found_and_repaired_amid_changes(units: UnitsOfWork) -> None:
    units.run(delete_customer, 787)
    with units.write(exclusive=True) as work:
        found = find_counted(work)
        save_counted(work.connection, work.serving, found.plus(found.distribution))
    units.run(update_customer, 56, {"account_balance": 1e15})
    assert int(read_current(units).distribution.sizes.sum()) == 39_999

    assert recount(units) == 20_000

    assert_current(units)
    assert recount(units) == 0


def test_quartiles_follow_customers_who_have_changed_altogether(units: UnitsOfWork) -> None:
    with units.database.write() as connection:
        same = update(units.customers.table).values(account_balance=0, total_deposit_amount=4.25)
        connection.execute(same)
    recount(units)

    found = read_current(units)

    assert_current(units)
    for profile in profile_segments(found.serving.model, found.counted, found.bins):
        for name, value in (("account_balance", 0.0), ("total_deposit_amount", 4.25)):
            attribute = profile.attributes[FEATURE_NAMES.index(name)]
            assert attribute.mean == attribute.trimmed_mean == value
            assert attribute.lower_quartile == attribute.median == value
            assert attribute.upper_quartile == value


def test_one_value_beyond_all_measure_leaves_median_and_trimmed_mean(units: UnitsOfWork) -> None:
    before = {one.segment.number: one.profile for one in list_segments(units)[1]}
    segment = units.run(update_customer, 56, {"account_balance": -1e15}).customer.segment

    after = {one.segment.number: one.profile for one in list_segments(units)[1]}

    place = FEATURE_NAMES.index("account_balance")
    was, now = before[segment].attributes[place], after[segment].attributes[place]
    assert now.mean < -1e9
    assert now.median == pytest.approx(was.median, rel=0.02)
    assert now.trimmed_mean == pytest.approx(was.trimmed_mean, rel=0.02)
    assert now.trimmed_deviations == pytest.approx(was.trimmed_deviations, abs=0.02)


def test_figures_are_said_to_be_incomplete_while_customers_are_re_scored(
    units: UnitsOfWork, other_version: int
) -> None:
    activate_version(units, Settings(), other_version)

    _, segments, is_complete = list_segments(units)

    assert not is_complete
    assert all("not all" in found.profile.summary for found in segments)
    assert get_drift(units)[1].level == "unknown"
    rescore(units)
    assert list_segments(units)[2]
    assert get_drift(units)[1].level != "unknown"
