"""A model after the schema changed: it goes on, and the next one keeps its segments."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind, Missing, Transform, Unknown
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.adapting import adapt, columns_in
from customer_segmentation.model.artifact import Model, Parameters, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import explain
from customer_segmentation.model.describing.profile import profile_segments
from customer_segmentation.model.monitoring.distribution import count_customers
from customer_segmentation.model.quality.gates import Gates
from tests.support.drawn import draw_customers, schemas
from tests.support.shipped import FEATURE_NAMES, FEATURES, SHIPPED

Customers = tuple[IntArray, FloatArray]

TENURE = Attribute(
    "tenure", "tenure", "tenure", "", 3, Kind.COUNT, minimum=0, missing=Missing.ALLOWED
)
INCOME, BALANCE = FEATURE_NAMES.index("monthly_income"), FEATURE_NAMES.index("account_balance")


def changed_schema() -> Schema:
    """Return the shipped schema without ages, with a tenure, and with incomes called wages."""
    kept = [a for a in FEATURES if a.name != "age"]
    named = [replace(a, name="wages") if a.name == "monthly_income" else a for a in kept]
    profiles = ()
    return replace(SHIPPED, attributes=(TENURE, *reversed(named)), profiles=profiles)


CHANGED = changed_schema()
RENAMED = {"monthly_income": "wages"}


def in_new_columns(values: FloatArray, seed: int = 1) -> FloatArray:
    """Return the shipped customers under the changed schema; of a third the tenure is missing."""
    random = np.random.default_rng(seed)
    tenure = np.where(random.random(len(values)) < 0.3, np.nan, random.poisson(4, len(values)))
    back = {"wages": "monthly_income"}
    places = [FEATURE_NAMES.index(back.get(name, name)) for name in CHANGED.names[1:]]
    return np.column_stack([tenure, values[:, places]])


def test_a_model_of_the_current_attributes_stays_as_it_is(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    _, values = shipped_customers

    assert adapt(shipped_model, FEATURES) is shipped_model
    columns = columns_in(shipped_model, FEATURES)
    assert columns.take(values) is values
    assert columns.take_one({"age": 1}) == {"age": 1}


def test_the_active_model_goes_on_by_the_attributes_that_are_left(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    _, values = shipped_customers
    model = adapt(shipped_model, CHANGED.attributes, RENAMED)
    columns = columns_in(model, CHANGED.attributes)
    assigner = Assigner(model)
    people = in_new_columns(values)[:500]

    found = assigner.assign(columns.take(people))

    position = shipped_model.preparation.prepare(values[:500])
    ways = (position[:, None, :] - shipped_model.centroids) ** 2
    partial = np.delete(ways, FEATURE_NAMES.index("age"), axis=2).sum(axis=2)
    assert (found == shipped_model.numbers[partial.argmin(axis=1)]).all()
    for row, segment in zip(people, found, strict=True):
        person = columns.take_one(dict(zip(CHANGED.names, row.tolist(), strict=True)))
        assert assigner.assign_one(person) == segment
    told = explain(model, assigner, person)
    pulls = {c.attribute: c.pull for c in told.contributions}
    assert pulls["age"] == 0.0
    assert pulls["wages"] != 0.0
    assert "tenure" not in pulls


def test_an_adapted_model_counts_as_it_did_and_reads_back(shipped_model: Model) -> None:
    model = adapt(shipped_model, CHANGED.attributes, RENAMED)

    before = profile_segments(shipped_model, shipped_model.distribution)
    after = profile_segments(model, model.distribution)
    for one, other in zip(before, after, strict=True):
        assert [a.mean for a in one.attributes] == [a.mean for a in other.attributes]
        assert [a.median for a in one.attributes] == [a.median for a in other.attributes]
    assert to_json(from_json(to_json(model))) == to_json(model)
    nobody = np.full((3, len(FEATURES)), np.nan)
    lacking = adapt(shipped_model, [])
    none = np.zeros(3, dtype=np.int64)
    counted = count_customers(lacking.bins, 4, nobody, none, none.astype(bool))
    assert counted.sizes.tolist() == [3, 0, 0, 0]


def test_the_next_training_keeps_segments_by_what_both_have_in_common(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers
    people = in_new_columns(values)
    serving = adapt(shipped_model, CHANGED.attributes, RENAMED)

    after = LocalEngine(CHANGED).train(ids, people, Parameters(seed=5), serving)

    assert sorted(match.number or 0 for match in after.matching) == [0, 1, 2, 3]
    assert [s.name for s in after.segments] == [s.name for s in shipped_model.segments]
    before = Assigner(shipped_model).assign(values)
    assert (Assigner(after).assign(people) == before).mean() > 0.9
    study = LocalEngine(CHANGED).study(people[:4000], Parameters(), Gates(), [4], serving=serving)
    assert "active segments" not in study.trials[0].fails


def test_without_an_attribute_in_common_every_segment_is_new(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    ids, values = shipped_customers
    other = replace(CHANGED, attributes=(TENURE, replace(TENURE, name="visits")))
    people = np.column_stack([in_new_columns(values, seed)[:, 0] for seed in (1, 2)])
    serving = adapt(shipped_model, other.attributes)

    after = LocalEngine(other).train(ids, people, Parameters(), serving)

    assert [match.number for match in after.matching] == [None] * 4
    assert after.numbers.tolist() == [4, 5, 6, 7]


PLAN = Attribute(
    "plan", "plan", "plan", "", "Basic", Kind.NOMINAL, categories=("Basic", "Gold", "Family")
)
SPENT = Attribute("spent", "spent", "spent", "", 1, Kind.AMOUNT, minimum=0)


def test_categories_are_found_again_by_their_texts() -> None:
    schema = replace(SHIPPED, attributes=(PLAN, SPENT), profiles=())
    values = draw_customers(schema, 600, 3)
    model = LocalEngine(schema).train(np.arange(600), values, Parameters(k=3))
    plan = replace(PLAN, categories=("Student", "Family", "Basic"), unknown=Unknown.OTHER)
    adapted = adapt(model, [SPENT, plan])
    columns = columns_in(adapted, [SPENT, plan])
    people = np.array([[5.0, 2.0], [5.0, 1.0], [5.0, 0.0], [5.0, 3.0], [5.0, np.nan]])

    found = columns.take(people)

    assert found[:2].tolist() == [[0.0, 5.0], [2.0, 5.0]]
    assert np.isnan(found[2:, 0]).all()
    for row, expected in zip(people.tolist(), found.tolist(), strict=True):
        one = columns.take_one({"spent": row[0], "plan": row[1]})
        assert np.array_equal([*one.values()], expected, equal_nan=True)


def test_an_attribute_of_another_kind_is_another_attribute() -> None:
    schema = replace(SHIPPED, attributes=(PLAN, SPENT), profiles=())
    model = LocalEngine(schema).train(
        np.arange(300), draw_customers(schema, 300, 3), Parameters(k=2)
    )
    number = replace(SPENT, name="plan")

    adapted = adapt(model, [number, SPENT])

    assert adapted.names == ["former_plan", "spent"]
    assert np.isnan(columns_in(adapted, [number, SPENT]).take(np.ones((1, 2)))[0, 0])


@pytest.mark.parametrize("transform", Transform)
def test_segments_go_on_when_an_amount_is_transformed_in_another_way(
    shipped_customers: Customers, shipped_model: Model, transform: Transform
) -> None:
    ids, values = shipped_customers
    attributes = tuple(
        replace(a, transform=transform) if a.name == "total_deposit_amount" else a for a in FEATURES
    )
    schema = replace(SHIPPED, attributes=attributes)

    after = LocalEngine(schema).train(ids, values, Parameters(), adapt(shipped_model, attributes))

    assert [match.number for match in after.matching] == [0, 1, 2, 3]


@given(schemas(), st.integers(0, 1_000), st.data())
@settings(max_examples=25)
def test_a_model_of_any_schema_goes_on_in_any_other(
    schema: Schema, seed: int, data: st.DataObject
) -> None:
    values = draw_customers(schema, 200, seed)
    try:
        model = LocalEngine(schema).train(np.arange(200), values, Parameters(k=2, restarts=1))
    except TrainingRefusedError:
        assume(False)
    kept = data.draw(st.lists(st.sampled_from(schema.names), unique=True))
    current = [schema.by_name[name] for name in kept]
    lost = values.copy()
    lost[:, [name not in kept for name in schema.names]] = np.nan
    adapted = adapt(model, current)
    columns = columns_in(adapted, current)
    table = values[:, [schema.names.index(name) for name in kept]]

    found = Assigner(adapted).assign(columns.take(table))

    assert np.array_equal(columns.take(table), lost, equal_nan=True)
    position = adapted.preparation.prepare(lost)
    ways = np.nansum((position[:, None, :] - model.centroids) ** 2, axis=2)
    chosen = ways[np.arange(200), np.searchsorted(model.numbers, found)]
    assert chosen == pytest.approx(ways.min(axis=1), rel=1e-6, abs=1e-9)
