"""At a border between two segments, to the last bit of a value, every way of scoring agrees."""

import sqlite3
from dataclasses import replace
from math import inf, nextafter

import duckdb
import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.models.onnx_export import write_onnx
from customer_segmentation.services.models.sql_export import write_sql
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.shipped import FEATURE_NAMES, FEATURES

AMOUNTS = [j for j, feature in enumerate(FEATURES) if not feature.is_integer]
ULPS = 3


def people_at_borders(
    assigner: Assigner, customers: FloatArray, count: int, seed: int
) -> FloatArray:
    """Return people, (n, d), an amount of whom is within a few ulp of where the segment changes.

    One amount of a customer goes to and fro between two values of other segments, halving the
    distance, until no float lies between them.
    """
    random = np.random.default_rng(seed)
    found: list[FloatArray] = []
    while len(found) < count:
        person = customers[random.integers(len(customers))].copy()
        j = AMOUNTS[random.integers(len(AMOUNTS))]
        low, high = sorted(10.0 ** random.uniform(-3.0, 7.0, 2))
        people = np.tile(person, (2, 1))
        people[:, j] = low, high
        before, after = assigner.assign(people).tolist()
        if before == after:
            continue
        while low < (middle := (low + high) / 2.0) < high:
            person[j] = middle
            if assigner.assign(person[None, :])[0] == before:
                low = middle
            else:
                high = middle
        for towards in (-inf, inf):
            value = low
            for _ in range(ULPS + 1):
                person[j] = value
                found.append(person.copy())
                value = nextafter(value, towards)
    return np.array(found)


@pytest.fixture(scope="module")
def at_borders(shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]) -> FloatArray:
    return people_at_borders(Assigner(shipped_model), shipped_customers[1], 800, 30)


def one_by_one(assigner: Assigner, people: FloatArray) -> list[int]:
    rows = people.tolist()
    return [assigner.assign_one(dict(zip(FEATURE_NAMES, row, strict=True))) for row in rows]


def test_one_customer_a_few_and_many_are_scored_alike(
    shipped_model: Model, at_borders: FloatArray
) -> None:
    assigner = Assigner(shipped_model)
    expected = one_by_one(assigner, at_borders)

    few = [int(n) for part in np.array_split(at_borders, 97) for n in assigner.assign(part)]
    rows = Scorer(shipped_model, "id", explained=True).score(np.arange(len(at_borders)), at_borders)

    assert assigner.assign(at_borders).tolist() == expected
    assert assigner.assign(np.asfortranarray(at_borders)).tolist() == expected
    assert assigner.assess(at_borders).segments.tolist() == expected
    assert few == expected
    assert pa.compute.equal(rows["cluster_num"], pa.array(expected)).to_pylist() == [True] * len(
        expected
    )


def test_with_hysteresis_one_customer_and_many_are_scored_alike(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    parameters = replace(shipped_model.parameters, hysteresis=0.1)
    assigner = Assigner(replace(shipped_model, parameters=parameters))
    _, values = shipped_customers
    there, people = [], []
    for person in values[:60].copy():
        current = assigner.assign(person[None, :])
        low, high = person[AMOUNTS[0]], 1e9
        while low < (middle := (low + high) / 2.0) < high:
            person[AMOUNTS[0]] = middle
            stays = (assigner.assign_with_hysteresis(person[None, :], current) == current)[0]
            low, high = (middle, high) if stays else (low, middle)
        for value in (nextafter(low, -inf), low, high, nextafter(high, inf)):
            person[AMOUNTS[0]] = value
            people.append(person.copy())
            there.append(current[0])
    at_borders, before = np.array(people), np.array(there)

    many = assigner.assign_with_hysteresis(at_borders, before)

    alone = [
        assigner.assign_with_hysteresis(row[None, :], before[i : i + 1])[0]
        for i, row in enumerate(at_borders)
    ]
    assert many.tolist() == alone
    assert 0 < (many == before).sum() < len(before)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sql_and_onnx_score_as_the_service_does(units: UnitsOfWork, at_borders: FloatArray) -> None:
    expected = one_by_one(units.serving.assigner, at_borders)
    columns = ["customer_id", *FEATURE_NAMES]
    rows = [(number, *row) for number, row in enumerate(at_borders.tolist())]

    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE customers ({', '.join(f'{c} REAL' for c in columns)})")
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO customers VALUES ({marks})", rows)  # noqa: S608
        answers = database.execute(write_sql(units, "sqlite")).fetchall()
        by_sqlite = {int(row[0]): row[1] for row in answers}
    warehouse = duckdb.connect()
    table = pa.table(dict(zip(columns, map(pa.array, zip(*rows, strict=True)), strict=True)))
    warehouse.register("customers", table)
    by_duckdb = {row[0]: row[1] for row in warehouse.execute(write_sql(units, "duckdb")).fetchall()}
    warehouse.close()
    session = onnxruntime.InferenceSession(write_onnx(units), providers=["CPUExecutionProvider"])
    (by_onnx,) = session.run(["segments"], {"customers": at_borders})

    assert by_sqlite == dict(enumerate(expected))
    assert by_duckdb == dict(enumerate(expected))
    assert np.asarray(by_onnx).tolist() == expected


def test_amounts_of_any_size_are_scored_alike(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    assigner = Assigner(shipped_model)
    random = np.random.default_rng(7)
    people = shipped_customers[1][random.integers(20_000, size=4_000)].copy()
    for j in AMOUNTS:
        people[:, j] = 10.0 ** random.uniform(-320.0, 308.0, len(people))
    people[:, FEATURE_NAMES.index("transaction_count")] = random.integers(
        0, LARGEST_INTEGER, len(people)
    )

    assert assigner.assign(people).tolist() == one_by_one(assigner, people)
