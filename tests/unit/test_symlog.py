"""Amounts that are zero or below zero for many: a little more than nothing counts as little."""

from dataclasses import replace

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Kind, Transform
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import explain, typical_values
from customer_segmentation.model.prepare import measure_knees, restore_column, transform_column
from tests.support.shipped import SHIPPED

BALANCE = Attribute(
    "balance", "balance", "balance", "", 100, Kind.AMOUNT, transform=Transform.SYMLOG
)
VISITS = Attribute("visits", "visits", "visits", "", 1, Kind.COUNT, minimum=0, weight=0.2)


def bank_of(transform: Transform) -> Schema:
    attributes = (replace(BALANCE, transform=transform), VISITS)
    return replace(SHIPPED, attributes=attributes, profiles=(), segments=2, channels=())


def draw_bank(*, signed: bool) -> FloatArray:
    """Draw customers, (n, 2), of whom a third have no balance, and some are overdrawn."""
    random = np.random.default_rng(1)
    balance = random.normal(120_000.0, 30_000.0, 3_000)
    balance[random.random(3_000) < 0.36] = 0.0
    if signed:
        balance[random.random(3_000) < 0.2] *= -0.005
    return np.column_stack([balance.round(2), random.poisson(3.0, 3_000)])


def train(transform: Transform, values: FloatArray) -> Model:
    ids = np.arange(len(values))
    return LocalEngine(bank_of(transform)).train(ids, values, Parameters(k=2))


@pytest.mark.parametrize("signed", [False, True])
def test_a_balance_of_356_is_with_those_who_have_none(*, signed: bool) -> None:
    values = draw_bank(signed=signed)
    people = np.array([[0.0, 3.0], [356.0, 3.0], [-356.0, 3.0], [120_000.0, 3.0]])

    nothing, little, owing, much = Assigner(train(Transform.SYMLOG, values)).assign(people)
    by_logarithm = Assigner(train(Transform.LOG, values)).assign(people)

    assert nothing == little == owing != much
    assert by_logarithm[0] != by_logarithm[1]


def test_the_knee_is_the_median_of_the_amounts_that_are_not_zero() -> None:
    values = np.array([[0.0], [0.0], [-4.0], [2.0], [100.0], [np.nan]])
    (measured,) = measure_knees([BALANCE], values)
    (nothing,) = measure_knees([BALANCE], np.zeros((2, 1)))

    assert measured.knee == 4.0
    assert nothing.knee == 1.0
    assert transform_column(measured, values[:5, 0]) == pytest.approx(
        np.sign(values[:5, 0]) * np.log(1.0 + np.abs(values[:5, 0]) / 4.0)
    )
    again = restore_column(measured, transform_column(measured, values[:, 0]))
    assert again == pytest.approx(values[:, 0], nan_ok=True)


def test_a_model_keeps_its_knee_and_explains_in_users_units() -> None:
    values = draw_bank(signed=True)
    model = from_json(to_json(train(Transform.SYMLOG, values)))
    assigner = Assigner(model)

    assert model.attributes[0].knee == np.median(np.abs(values[values[:, 0] != 0.0, 0]))
    assert typical_values(model)[:, 0].max() == pytest.approx(120_000.0, rel=0.05)
    assert [
        assigner.assign_one(dict(zip(model.names, row, strict=True))) for row in values.tolist()
    ] == (assigner.assign(values).tolist())
    person = {"balance": 356.0, "visits": 3.0}
    (change,) = explain(model, assigner, person).changes
    assert change.attribute == "balance"
    assert 10_000.0 < change.needed < 120_000.0
    assert assigner.assign_one({**person, "balance": change.needed}) == change.segment
