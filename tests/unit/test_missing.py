"""Values that are missing: only what is known counts, everywhere by the same rule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import nan_euclidean_distances

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Missing
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import explain, explain_many
from customer_segmentation.model.describing.profile import profile_segments
from customer_segmentation.model.describing.projection import project
from customer_segmentation.model.fitting.lloyd import run_lloyd
from customer_segmentation.model.fitting.shared import adjusted_rand_index, count_shared
from customer_segmentation.model.missing import pairwise_distances
from customer_segmentation.model.monitoring.distribution import count_customers, spreads
from customer_segmentation.model.monitoring.drift import measure_drift
from customer_segmentation.model.monitoring.fingerprint import fingerprint
from tests.support.shipped import FEATURE_NAMES, SHIPPED

Customers = tuple[IntArray, FloatArray]

LACKING = replace(
    SHIPPED,
    attributes=tuple(replace(a, missing=Missing.ALLOWED) for a in SHIPPED.attributes),
)
D = len(FEATURE_NAMES)


def removed(values: FloatArray, share: float, seed: int) -> FloatArray:
    """Return values, (n, d), of which a share is missing at random."""
    lost = np.random.default_rng(seed).random(values.shape) < share
    return np.where(lost, np.nan, values)


@pytest.fixture(scope="module")
def lacking_model(shipped_customers: Customers) -> Model:
    """A model of customers of whom a tenth is not known."""
    ids, values = shipped_customers
    return LocalEngine(LACKING).train(ids, removed(values, 0.1, 0), Parameters())


def agreement(one: IntArray, other: IntArray) -> float:
    return adjusted_rand_index(count_shared(one, 4, other, 4))


@pytest.mark.parametrize("seed", range(10))
def test_a_tenth_removed_at_random_leaves_the_segments_and_better_than_the_mean_would(
    shipped_customers: Customers, shipped_model: Model, seed: int
) -> None:
    ids, values = shipped_customers
    lacking = removed(values, 0.1, seed)
    filled = np.where(np.isnan(lacking), np.nanmean(lacking, axis=0), lacking)
    before = Assigner(shipped_model).assign(values)

    model = LocalEngine(LACKING).train(ids, lacking, Parameters(restarts=3))
    by_mean = LocalEngine(SHIPPED).train(ids, filled, Parameters(restarts=3))

    found = agreement(before, Assigner(model).assign(lacking))
    assert found >= 0.9
    assert found > agreement(before, Assigner(by_mean).assign(filled)) + 0.03


def test_where_nothing_is_missing_nothing_changes_to_the_bit(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers

    model = LocalEngine(LACKING).train(ids, values, Parameters())

    assert model.centroids.tobytes() == shipped_model.centroids.tobytes()
    assert model.quality == shipped_model.quality
    assert model.fingerprint == shipped_model.fingerprint
    assert model.outlier_distance == shipped_model.outlier_distance
    ours, theirs = Assigner(model).assess(values), Assigner(shipped_model).assess(values)
    assert ours.segments.tobytes() == theirs.segments.tobytes()
    assert ours.confidence.tobytes() == theirs.confidence.tobytes()


def test_the_training_counts_as_the_model_assigns(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    _, values = shipped_customers
    lacking = removed(values, 0.1, 0)
    assessed = Assigner(lacking_model).assess(lacking)

    sizes = {n: int((assessed.segments == n).sum()) for n in range(4)}
    assert sizes == lacking_model.quality.sizes
    assert assessed.outliers.sum() == lacking_model.distribution.outliers.sum()
    assert to_json(from_json(to_json(lacking_model), LACKING.attributes)) == to_json(lacking_model)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_anyone_is_assigned_alike_alone_among_others_and_by_the_explanation(
    shipped_customers: Customers, lacking_model: Model, data: st.DataObject
) -> None:
    _, values = shipped_customers
    row = values[data.draw(st.integers(0, len(values) - 1))].copy()
    lost = data.draw(st.lists(st.integers(0, D - 1), unique=True, max_size=D))
    row[lost] = np.nan
    person = dict(zip(FEATURE_NAMES, row.tolist(), strict=True))
    assigner = Assigner(lacking_model)
    position = lacking_model.preparation.prepare(row[None, :])[0]
    known = ~np.isnan(position)
    partial = ((position - lacking_model.centroids)[:, known] ** 2).sum(axis=1)

    alone = assigner.assign_one(person)

    assert alone == assigner.assign(np.vstack([values[:3], row]))[3]
    assert partial[alone] == pytest.approx(partial.min(), rel=1e-9, abs=1e-12)
    told = explain(lacking_model, assigner, person)
    assert told.segment == alone
    distances = assigner.distances(row[None, :])[0]
    assert [*told.distances.values()] == pytest.approx(distances.tolist(), rel=1e-6, abs=1e-6)
    pulls = {c.attribute: c.pull for c in told.contributions}
    gap = told.distances[told.other] ** 2 - told.distances[told.segment] ** 2
    assert sum(pulls.values()) == pytest.approx(gap, rel=1e-6, abs=1e-6)
    if len(lost) < D:
        assert all(pulls[FEATURE_NAMES[j]] == 0.0 for j in lost)
    unknown = {FEATURE_NAMES[j] for j in lost}
    for change in told.changes:
        assert change.attribute not in unknown
        assert assigner.assign_one({**person, change.attribute: change.needed}) == change.segment
    many = explain_many(lacking_model, assigner, row[None, :], D)
    assert many.others[0] == told.other


def test_somebody_of_whom_nothing_is_known_counts_as_typical(lacking_model: Model) -> None:
    nobody = np.full((1, D), np.nan)
    typical = lacking_model.preparation.prepare(nobody)[0]

    assert (typical == 0.0).all()
    nearest = (lacking_model.centroids**2).sum(axis=1).argmin()
    assert Assigner(lacking_model).assign(nobody)[0] == nearest


@given(
    st.integers(0, 2**32 - 1),
    st.integers(20, 60),
    st.integers(1, 5),
    st.floats(0.0, 0.6),
)
@settings(max_examples=60, deadline=None)
def test_fitting_ends_where_every_centroid_is_the_mean_of_what_is_known(
    seed: int, n: int, c: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    points = removed(random.normal(size=(n, c)) + random.integers(0, 3, (n, 1)), share, seed)
    start = random.normal(size=(3, c))

    found = run_lloyd(points, start)

    ways = points[:, None, :] - found.centroids
    squared = np.nansum(ways**2, axis=2)
    own = squared[np.arange(n), found.labels]
    assert (own <= squared.min(axis=1) * (1.0 + 1e-6) + 1e-9).all()
    assert found.inertia == pytest.approx(own.sum(), rel=1e-6, abs=1e-9)
    for row in range(3):
        members = points[found.labels == row]
        for j in range(c):
            known = members[~np.isnan(members[:, j]), j]
            if len(known):
                assert found.centroids[row, j] == pytest.approx(known.mean(), abs=1e-9)


def test_distances_of_pairs_are_those_that_scikit_learn_measures() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(200, 6))
    points /= points.std(axis=0)
    lacking = removed(points, 0.3, 2)
    lacking /= np.nanstd(lacking, axis=0)
    expected = nan_euclidean_distances(lacking)

    found = pairwise_distances(lacking)

    common = ~np.isnan(expected)
    assert found[common] == pytest.approx(expected[common], rel=1e-9, abs=1e-6)
    assert np.isfinite(found).all()


def test_profiles_tell_the_share_that_is_missing_and_else_only_of_who_is_known(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    _, values = shipped_customers
    lacking = removed(values, 0.1, 0)
    segments = Assigner(lacking_model).assign(lacking)

    for profile in profile_segments(lacking_model, lacking_model.distribution):
        ours = lacking[segments == profile.number]
        for j, attribute in enumerate(profile.attributes):
            assert attribute.missing == pytest.approx(np.isnan(ours[:, j]).mean())
            assert attribute.mean == pytest.approx(np.nanmean(ours[:, j]))
            if attribute.shares:
                assert sum(attribute.shares.values()) == pytest.approx(1.0)
    for j, spread in enumerate(
        spreads(lacking_model.bins, lacking_model.distribution, lacking_model.distribution)
    ):
        assert spread.missing.sum() == np.isnan(lacking[:, j]).sum()
        assert spread.counts.sum() + spread.missing.sum() == len(values)


def test_a_segment_of_whom_an_attribute_is_not_known_is_not_told_by_it(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    lacking = removed(shipped_customers[1], 0.1, 0)
    rows = Assigner(lacking_model).assign(lacking)
    incomes = FEATURE_NAMES.index("monthly_income")
    lacking[rows == 1, incomes] = np.nan
    nobody = np.zeros(len(lacking), dtype=bool)
    counted = count_customers(lacking_model.bins, 4, lacking, rows, nobody)

    told = [p.attributes[incomes] for p in profile_segments(lacking_model, counted)]

    assert [income.missing == 1.0 for income in told] == [False, True, False, False]
    assert not told[1].is_clear
    assert told[2].is_clear


def test_who_lacks_an_attribute_is_a_bin_of_their_own_for_drift(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    _, values = shipped_customers
    more = removed(values, 0.1, 0)
    more[::2, FEATURE_NAMES.index("monthly_income")] = np.nan
    rows = Assigner(lacking_model).assign(more)
    nobody = np.zeros(len(more), dtype=bool)

    drift = measure_drift(lacking_model, count_customers(lacking_model.bins, 4, more, rows, nobody))

    by_name = {attribute.attribute: attribute.psi for attribute in drift.attributes}
    assert by_name["monthly_income"] > 0.25
    assert max(psi for name, psi in by_name.items() if name != "monthly_income") < 0.01


def test_a_fingerprint_takes_every_form_of_nothing_for_the_same(
    shipped_customers: Customers,
) -> None:
    ids, values = shipped_customers[0][:50], removed(shipped_customers[1][:50], 0.2, 1)
    other = values.copy()
    other[np.isnan(other)] = np.uint64(0x7FF8_0000_DEAD_BEEF).view(np.float64)
    complete = np.nan_to_num(values)

    found = fingerprint(LACKING.attributes, ids, values)

    assert found == fingerprint(LACKING.attributes, ids, other)
    assert found.sha256 != fingerprint(LACKING.attributes, ids, complete).sha256
    incomes = values[:, FEATURE_NAMES.index("monthly_income")]
    assert found.attributes["monthly_income"].mean == pytest.approx(np.nanmean(incomes))


def test_a_map_places_customers_of_whom_not_all_is_known(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    projection = project(lacking_model, removed(shipped_customers[1][:500], 0.1, 3))

    assert np.isfinite(projection.points).all()


def test_a_study_and_a_model_that_follows_another_work_with_what_is_known(
    shipped_customers: Customers, lacking_model: Model
) -> None:
    ids, values = shipped_customers
    lacking = removed(values, 0.1, 4)

    after = LocalEngine(LACKING).train(ids, lacking, Parameters(seed=9), lacking_model)

    assert [match.number for match in after.matching] == [0, 1, 2, 3]
    assert np.isfinite([after.quality.silhouette, after.quality.stability]).all()
    assert after.quality.stability >= 0.9
