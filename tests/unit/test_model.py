"""The model: honest preparation, exact assignment, stable identity, a safe artifact."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import ArtifactError, TrainingRefusedError
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters, Thresholds, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.projection import project
from customer_segmentation.model.fitting.align import match_clusters
from customer_segmentation.model.fitting.shared import count_shared
from customer_segmentation.model.prepare import fit_preparation, transform
from tests.support.shipped import FEATURE_NAMES, FEATURES, SHIPPED

Customers = tuple[IntArray, FloatArray]
D = len(FEATURE_NAMES)

matrices = st.integers(1, 30).flatmap(
    lambda n: arrays(np.float64, (n, D), elements=st.floats(-1e12, 1e12, allow_nan=False, width=64))
)
anyone = arrays(np.float64, (1, D), elements=st.floats(-1e300, 1e300, allow_nan=False))


def reference_distances(model: Model, values: FloatArray) -> FloatArray:
    """Compute squared distances as the method is defined, one number after the other."""
    distances = np.zeros((len(values), len(model.centroids)))
    for row, customer in enumerate(values.tolist()):
        for column, centroid in enumerate(model.centroids.tolist()):
            total = 0.0
            for j, name in enumerate(FEATURE_NAMES):
                skewed = name in (
                    "monthly_income",
                    "account_balance",
                    "total_withdrawal_amount",
                    "total_deposit_amount",
                    "transaction_count",
                )
                x = (
                    math.copysign(math.log1p(abs(customer[j])), customer[j])
                    if skewed
                    else customer[j]
                )
                z = (x - model.preparation.center[j]) * model.preparation.scale[j]
                if name == "loyalty_score" and customer[j] == 0:
                    z = 0.0
                total += (z - centroid[j]) ** 2
            distances[row, column] = total
    return distances


@given(values=matrices)
@settings(max_examples=50)
def test_folded_assignment_equals_the_reference(shipped_model: Model, values: FloatArray) -> None:
    distances = reference_distances(shipped_model, values)

    assigned = Assigner(shipped_model).assign(values)

    chosen = distances[np.arange(len(values)), np.searchsorted(shipped_model.numbers, assigned)]
    nearest = distances.min(axis=1)
    # Two centroids may be equally near but for rounding, which grows with the numbers' size.
    assert (chosen <= nearest * (1 + 1e-9) + 1e-9).all()


@given(values=matrices)
@settings(max_examples=50)
def test_one_customer_is_assigned_as_in_any_batch(shipped_model: Model, values: FloatArray) -> None:
    assigner = Assigner(shipped_model)

    together = assigner.assign(np.tile(values, (300, 1)))

    people = [dict(zip(FEATURE_NAMES, row, strict=True)) for row in values.tolist()]
    alone = [assigner.assign_one(attributes) for attributes in people]
    assert together.tolist() == alone * 300


@given(values=anyone)
@settings(max_examples=50)
def test_any_finite_attributes_get_a_segment(shipped_model: Model, values: FloatArray) -> None:
    assert Assigner(shipped_model).assign(values)[0] in shipped_model.numbers


@given(values=matrices)
def test_a_greater_value_is_never_prepared_as_a_smaller_one(values: FloatArray) -> None:
    loyalty = FEATURE_NAMES.index("loyalty_score")
    values[:, loyalty] = np.abs(values[:, loyalty]) + 1.0

    transformed = transform(FEATURES, values)

    for j in range(D):
        order = np.argsort(values[:, j], kind="stable")
        assert (np.diff(transformed[order, j]) >= 0).all()


def test_a_rare_flag_does_not_weigh_more_than_a_common_one() -> None:
    random = np.random.default_rng(1)
    values = random.lognormal(8.0, 1.0, (10_000, D))
    values[:, FEATURE_NAMES.index("has_loan")] = random.random(10_000) < 0.01
    values[:, FEATURE_NAMES.index("gender")] = random.random(10_000) < 0.5

    preparation = fit_preparation(FEATURES, transform(FEATURES, values))

    loan, gender = (preparation.scale[FEATURE_NAMES.index(n)] for n in ("has_loan", "gender"))
    assert loan == gender


def test_an_excluded_or_constant_attribute_has_no_say(shipped_customers: Customers) -> None:
    ids, values = shipped_customers
    parameters = Parameters(excluded=("gender", "age"))
    constant = values.copy()
    constant[:, FEATURE_NAMES.index("has_loan")] = 1.0

    model = LocalEngine(SHIPPED).train(ids, constant, parameters)
    other = constant.copy()
    for name in ("gender", "age", "has_loan"):
        other[:, FEATURE_NAMES.index(name)] = 0.0

    assert (Assigner(model).assign(other) == Assigner(model).assign(constant)).all()


def test_retraining_unchanged_data_keeps_every_segment_for_any_seed(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers
    before = Assigner(shipped_model).assign(values)

    for seed in range(10):
        again = LocalEngine(SHIPPED).train(ids, values, Parameters(seed=seed), shipped_model)

        assert (Assigner(again).assign(values) == before).all()
        assert again.segments == shipped_model.segments


def test_the_first_training_gives_the_same_segments_for_any_seed_and_row_order(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers
    before = Assigner(shipped_model).assign(values)
    order = np.random.default_rng(7).permutation(len(ids))

    others = [LocalEngine(SHIPPED).train(ids, values, Parameters(seed=seed)) for seed in range(10)]
    others.append(LocalEngine(SHIPPED).train(ids[order], values[order], Parameters()))
    others.append(
        LocalEngine(SHIPPED).train(ids[order], values[order], Parameters(), shipped_model)
    )

    assert all((Assigner(other).assign(values) == before).all() for other in others)


def test_segments_keep_their_names_when_the_customers_change(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers
    kept = np.random.default_rng(3).random(len(ids)) < 0.7
    richer = values[kept].copy()
    richer[:, FEATURE_NAMES.index("monthly_income")] *= 1.2

    after = LocalEngine(SHIPPED).train(ids[kept], richer, Parameters(seed=5), shipped_model)

    assert after.segments == shipped_model.segments
    assert all(match.distance < 0.5 and match.overlap > 0.7 for match in after.matching)
    same = Assigner(after).assign(richer) == Assigner(shipped_model).assign(values[kept])
    assert same.mean() > 0.95


def test_renamed_segments_keep_the_name_they_were_given(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    names = ("Gold", "Silver", "Bronze", "Tin")
    segments = tuple(
        replace(s, name=name) for s, name in zip(shipped_model.segments, names, strict=True)
    )

    after = LocalEngine(SHIPPED).train(
        *shipped_customers, Parameters(), replace(shipped_model, segments=segments)
    )

    assert after.segments == segments


def test_more_clusters_than_segments_keep_the_old_and_number_the_new_next(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    after = LocalEngine(SHIPPED).train(*shipped_customers, Parameters(k=5), shipped_model)

    assert [segment.number for segment in after.segments] == [0, 1, 2, 3, 4]
    assert after.segments[:4] == shipped_model.segments


def test_a_cluster_far_from_every_segment_is_not_forced_to_match() -> None:
    serving = np.array([[0.0, 0.0], [1.0, 0.0]])
    new = np.array([[0.0, 0.1], [30.0, 40.0]])
    shared = count_shared(np.array([0, 0, 0, 0]), 2, np.array([0, 0, 1, 1]), 2)

    near, far = match_clusters(new, serving, np.array([0, 1]), shared, Thresholds())

    assert near.number == 0
    assert far.number is None


def test_the_first_model_is_named_by_profile_in_the_documented_order(shipped_model: Model) -> None:
    assert shipped_model.segments == tuple(
        Segment(number, profile.name, (Strategy(profile.strategy),))
        for number, profile in enumerate(SHIPPED.profiles)
    )


@pytest.mark.parametrize("customers", [0, 1, 3])
def test_fewer_customers_than_segments_are_refused(
    shipped_customers: Customers, customers: int
) -> None:
    ids, values = shipped_customers

    with pytest.raises(TrainingRefusedError, match="at least 4 customers"):
        LocalEngine(SHIPPED).train(ids[:customers], values[:customers], Parameters())


def test_customers_who_are_all_alike_are_refused(shipped_customers: Customers) -> None:
    ids, values = shipped_customers

    with pytest.raises(TrainingRefusedError, match="differ"):
        LocalEngine(SHIPPED).train(ids[:9], np.repeat(values[:3], 3, axis=0), Parameters())


def test_amounts_as_large_as_a_float_holds_can_be_trained_on(
    shipped_customers: Customers,
) -> None:
    ids, values = shipped_customers
    huge = values.copy()
    huge[:9, FEATURE_NAMES.index("account_balance")] = 1.7e308
    huge[9:15, FEATURE_NAMES.index("account_balance")] = -1.7e308

    model = from_json(to_json(LocalEngine(SHIPPED).train(ids, huge, Parameters())), FEATURES)

    assert set(Assigner(model).assign(huge).tolist()) <= set(model.numbers.tolist())


def test_as_few_customers_as_segments_can_be_trained_on(shipped_customers: Customers) -> None:
    ids, values = shipped_customers

    model = LocalEngine(SHIPPED).train(ids[:4], values[:4], Parameters())

    assert sorted(model.quality.sizes.values()) == [1, 1, 1, 1]


def test_quality_is_measured_and_kept(shipped_customers: Customers, shipped_model: Model) -> None:
    _, values = shipped_customers
    quality = shipped_model.quality
    distances = Assigner(shipped_model).distances(values) ** 2
    segments = Assigner(shipped_model).assign(values)

    assert quality.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-11)
    assert quality.sizes == {n: int((segments == n).sum()) for n in range(4)}
    assert 0.2 <= quality.silhouette <= 0.6
    assert quality.stability >= 0.98
    assert shipped_model.fingerprint.customers == len(values)


def test_an_artifact_reads_back_as_the_same_model(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    _, values = shipped_customers

    again = from_json(to_json(shipped_model), FEATURES)

    assert (Assigner(again).assign(values) == Assigner(shipped_model).assign(values)).all()
    assert to_json(again) == to_json(shipped_model)


def test_an_artifact_of_schema_version_2_is_read_as_of_the_shipped_attributes(
    shipped_model: Model,
) -> None:
    content = json.loads(to_json(shipped_model))["model"]
    del content["attributes"]
    content["features"] = list(FEATURE_NAMES)

    again = from_json(signed(content, version=2), FEATURES)

    assert to_json(again) == to_json(shipped_model)


def test_an_artifact_holds_the_attributes_that_it_was_trained_on(shipped_model: Model) -> None:
    assert from_json(to_json(shipped_model)).attributes == FEATURES
    assert from_json(to_json(shipped_model), FEATURES[1:]).attributes == FEATURES


def test_an_artifact_that_names_other_attributes_than_it_is_told_is_refused(
    shipped_model: Model,
) -> None:
    content = json.loads(to_json(shipped_model))["model"]
    content["features"] = [*FEATURE_NAMES[1:], "height"]
    del content["attributes"]

    with pytest.raises(ArtifactError, match="made for other attributes"):
        from_json(signed(content, version=2), FEATURES)


def signed(content: dict[str, Any], version: int = 3) -> str:
    """Write an artifact with the checksum that it must have."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    checksum = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps({"schema_version": version, "sha256": checksum, "model": content})


@given(data=st.data())
def test_a_damaged_artifact_is_refused(shipped_model: Model, data: st.DataObject) -> None:
    text = to_json(shipped_model)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = data.draw(
        st.sampled_from([text[:place], text[:place] + "7" + text[place:], text[:place] + "\0"])
    )
    if _content(damaged) == _content(text):
        return

    with pytest.raises(ArtifactError):
        from_json(damaged, FEATURES)


Fault = Callable[[dict[str, Any]], object]


def _set(*path: str | int, value: object) -> Fault:
    def change(content: dict[str, Any]) -> None:
        part: Any = content
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "fault",
    [
        _set("centroids", 0, 0, value=math.nan),
        _set("centroids", 0, 0, value=math.inf),
        _set("centroids", value=[[0.0] * D]),
        _set("centroids", 1, value=[0.0]),
        _set("preparation", "scale", value=[0.0] * D),
        _set("preparation", "scale", 2, value=-1.0),
        _set("preparation", "center", value=[0.0]),
        _set("segments", 1, "number", value=0),
        _set("segments", 1, "number", value=-1),
        _set("segments", value=[]),
        _set("quality", "sizes", value={"0": 1}),
        _set("outlier_distance", value=-1.0),
        _set("bins", 0, value=[2.0, 1.0]),
        _set("bins", value=[]),
        _set("distribution", "counts", 0, 0, value=-1),
        _set("distribution", "outliers", value=[1]),
        _set("fingerprint", "attributes", value={}),
        _set("parameters", value={}),
        _set("attributes", 3, "kind", value="colour"),
        _set("attributes", 3, "title", value=[]),
        _set("attributes", 3, "weight", value="heavy"),
        _set("attributes", 3, "used", value=None),
        _set("attributes", value=None),
        _set("segments", 1, "number", value=2**63),
        _set("segments", value=None),
    ],
)
def test_an_artifact_whose_numbers_make_no_model_is_refused(
    shipped_model: Model, fault: Fault
) -> None:
    content = json.loads(to_json(shipped_model))["model"]
    fault(content)

    with pytest.raises(ArtifactError, match="damaged"):
        from_json(signed(content), FEATURES)


def _content(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_a_map_has_a_place_for_people_beyond_all_others(
    shipped_model: Model, shipped_customers: Customers
) -> None:
    values = shipped_customers[1][:50].copy()
    values[:2, FEATURE_NAMES.index("account_balance")] = 1e300, -1e300

    projection = project(shipped_model, values)

    assert np.isfinite(projection.points).all()
    assert np.isfinite([axis.share for axis in projection.axes]).all()
