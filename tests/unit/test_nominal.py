"""Nominal attributes: indicators that together count as one attribute of its weight."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Id, IdType, Kind, Missing
from customer_segmentation.domain.schema import Schema, attribute_content, make_attribute
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.model.artifact import Model, Parameters, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import (
    explain,
    explain_many,
    smallest_change,
    typical_values,
)
from customer_segmentation.model.describing.profile import profile_segments
from customer_segmentation.model.describing.projection import project
from customer_segmentation.model.monitoring.drift import measure_drift
from customer_segmentation.model.prepare import fit_preparation, transform

COUNTRY = Attribute(
    "country",
    "Country",
    "country",
    "",
    "France",
    Kind.NOMINAL,
    categories=("France", "Germany", "Spain"),
    missing=Missing.ALLOWED,
)
REGION = Attribute(
    "region",
    "Region",
    "region",
    "",
    5,
    Kind.NOMINAL,
    minimum=1,
    maximum=9,
    codes={1: "North", 5: "South", 9: "Abroad"},
    weight=0.5,
)
SPENT = Attribute("spent", "Spent", "spent", "", 100, Kind.AMOUNT, minimum=0)
VISITS = Attribute("visits", "Visits", "visits", "", 3, Kind.COUNT, minimum=0)
SCHEMA = Schema(
    Id("id", "id", "id", "", "C1", IdType.TEXT), (SPENT, COUNTRY, VISITS, REGION), segments=3
)


def draw_customers(n: int, seed: int) -> FloatArray:
    """Draw customers of three groups, each of which mostly lives in one country, (n, 4)."""
    random = np.random.default_rng(seed)
    group = random.integers(0, 3, n)
    country = np.where(random.random(n) < 0.9, group, random.integers(0, 3, n)).astype(float)
    country[random.random(n) < 0.05] = np.nan
    spent = np.abs(random.normal(100.0 * (1.0 + group), 20.0))
    visits = random.poisson(2.0 + 5.0 * (group == 1))
    region = random.choice([1.0, 5.0, 9.0], n)
    return np.column_stack([spent.round(2), country, visits, region])


VALUES = draw_customers(2_000, 1)


@pytest.fixture(scope="module")
def model() -> Model:
    return LocalEngine(SCHEMA).train(np.arange(len(VALUES)), VALUES, Parameters(k=3))


def person_of(row: FloatArray) -> dict[str, float]:
    return dict(zip(SCHEMA.names, row.tolist(), strict=True))


@given(st.floats(0.01, 3.0), st.integers(2, 8), st.integers(0, 1_000))
def test_two_of_different_categories_are_the_weight_apart_however_many_there_are(
    weight: float, categories: int, seed: int
) -> None:
    names = tuple(f"c{number}" for number in range(categories))
    nominal = replace(COUNTRY, categories=names, weight=weight)
    column = np.random.default_rng(seed).integers(0, categories, 12).astype(float)
    column[:categories] = np.arange(categories)
    values = column[:, None]

    preparation = fit_preparation([nominal], transform([nominal], values))

    prepared = preparation.prepare(values)
    apart = np.sqrt(((prepared[:, None] - prepared[None]) ** 2).sum(axis=2))
    assert np.allclose(apart, np.where(values == values.T, 0.0, weight))


def test_a_model_holds_its_categories_and_reads_back_as_the_same(model: Model) -> None:
    again = from_json(to_json(model), SCHEMA.attributes)

    assert again.attributes == SCHEMA.attributes
    assert to_json(again) == to_json(model)
    assert (Assigner(again).assign(VALUES) == Assigner(model).assign(VALUES)).all()
    for attribute in SCHEMA.attributes:
        assert make_attribute(attribute_content(attribute)) == attribute


def test_clusters_are_found_by_category_and_told_in_its_terms(model: Model) -> None:
    country = SCHEMA.names.index("country")
    segments = Assigner(model).assign(VALUES)

    typical = typical_values(model)[:, country]
    profiles = profile_segments(model, model.distribution)

    assert sorted(typical.tolist()) == [0.0, 1.0, 2.0]
    for row, profile in enumerate(profiles):
        told = profile.attributes[country]
        ours = VALUES[segments == profile.number, country]
        known = ours[~np.isnan(ours)]
        assert max(told.shares, key=lambda code: told.shares[code]) == typical[row]
        assert told.shares == pytest.approx({c: (known == c).mean() for c in range(3)})
        assert told.missing == pytest.approx(np.isnan(ours).mean())
        assert not told.is_clear
        region = profile.attributes[SCHEMA.names.index("region")]
        assert set(region.shares) == {1, 5, 9}
        assert sum(region.shares.values()) == pytest.approx(1.0)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_anyone_is_assigned_alike_by_every_way(model: Model, data: st.DataObject) -> None:
    row = VALUES[data.draw(st.integers(0, len(VALUES) - 1))].copy()
    row[1] = data.draw(st.sampled_from([0.0, 1.0, 2.0, math.nan]))
    row[3] = data.draw(st.sampled_from([1.0, 5.0, 9.0]))
    assigner, person = Assigner(model), person_of(row)
    position = model.preparation.prepare(row[None, :])
    partial = np.nansum((position - model.centroids) ** 2, axis=1)

    alone = assigner.assign_one(person)

    assert alone == assigner.assign(np.vstack([VALUES[:5], row]))[5]
    assert partial[model.numbers.tolist().index(alone)] == pytest.approx(partial.min())
    told = explain(model, assigner, person)
    assert told.segment == alone
    assert [c.attribute for c in told.contributions if c.attribute == "country"] == ["country"]
    gap = told.distances[told.other] ** 2 - told.distances[told.segment] ** 2
    assert sum(c.pull for c in told.contributions) == pytest.approx(gap, abs=1e-9)
    many = explain_many(model, assigner, row[None, :], 4)
    assert set(many.contributions["attribute"][0]) == set(SCHEMA.names)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_change_of_category_leads_where_it_says(model: Model, data: st.DataObject) -> None:
    kept = replace(SPENT, changeable=False), replace(VISITS, changeable=False)
    attributes = (kept[0], COUNTRY, kept[1], replace(REGION, changeable=False))
    preparation: Any = replace(model.preparation, attributes=attributes)
    only_country = replace(model, preparation=preparation)
    row = VALUES[data.draw(st.integers(0, len(VALUES) - 1))]
    assigner, person = Assigner(model), person_of(row)
    target = data.draw(
        st.sampled_from(sorted(set(model.numbers.tolist()) - {assigner.assign_one(person)}))
    )
    leading = [
        code
        for code in (0, 1, 2)
        if code != row[1] and assigner.assign_one({**person, "country": code}) == target
    ]

    change = smallest_change(only_country, assigner, person, target)

    if math.isnan(row[1]) or not leading:
        assert change is None
    else:
        assert change is not None
        assert (change.attribute, change.value) == ("country", row[1])
        assert change.needed in leading
        assert change.effort == pytest.approx(COUNTRY.weight)


def test_a_map_scores_and_drift_work_with_categories(model: Model) -> None:
    projection = project(model, VALUES[:300])
    rows = Scorer(model, "id", explained=True).score(np.arange(300), VALUES[:300])

    assert np.isfinite(projection.points).all()
    told = {name.removeprefix("-") for axis in projection.axes for name in axis.attributes}
    assert told <= set(SCHEMA.names)
    assert set(", ".join(rows["because"].to_pylist()).split(", ")) <= set(SCHEMA.names) | {""}
    assert measure_drift(model, model.distribution).psi == pytest.approx(0.0, abs=1e-9)


def test_retraining_keeps_segments_of_nominal_attributes(model: Model) -> None:
    more = draw_customers(3_000, 2)

    after = LocalEngine(SCHEMA).train(np.arange(3_000), more, Parameters(k=3, seed=4), model)

    assert sorted(match.number for match in after.matching if match.number is not None) == [0, 1, 2]
