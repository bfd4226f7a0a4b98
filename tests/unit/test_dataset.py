"""The shipped data set: what it holds, and that the documented examples come out of it."""

import csv
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from tests.support.shipped import (
    CUSTOMER_ID,
    FEATURE_NAMES,
    FEATURES,
    SHIPPED,
)

ROOT = Path(__file__).parents[2]
DATA_FILE = ROOT / "cleaned main dataset.csv"

Customers = tuple[IntArray, FloatArray]

GOLDEN = {
    "customer 56": ((29, 0, 8074, 2488, 725, 0, 0, 1, 1, 0, 31789, 13472.29, 3, 1), 0),
    "7287 updated": ((53, 1, 12770, 112, 489, 1, 1, 1, 1, 1, 1068.94, 9876, 3, 1), 3),
    "customer 20001": ((45, 0, 8283, 9723, 342, 3, 1, 0, 1, 0, 2839, 778, 7, 0), 0),
    "a prediction": ((34, 1, 9763, 26514, 45, 2, 1, 0, 0, 0, 926, 0, 1, 1), 1),
}


def column(values: FloatArray, name: str) -> FloatArray:
    return values[:, FEATURE_NAMES.index(name)]


def test_the_script_makes_the_shipped_file_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.csv"
    script = str(ROOT / "scripts" / "make_dataset.py")
    monkeypatch.setattr(sys, "argv", [script, str(again)])

    runpy.run_path(script, run_name="__main__")

    assert again.read_bytes() == DATA_FILE.read_bytes()


def test_it_holds_customers_1_to_20000_under_the_record_names_and_nothing_else() -> None:
    with DATA_FILE.open(newline="") as file:
        header, *rows = csv.reader(file)

    assert header == [CUSTOMER_ID.record_name, *(f.record_name for f in FEATURES)]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 20_001)]
    assert all(not cell.endswith(".0") for row in rows for cell in row)


def test_its_margins_are_plausible(shipped_customers: Customers) -> None:
    _, values = shipped_customers
    ages = column(values, "age")
    incomes = column(values, "monthly_income")
    flows = column(values, "total_withdrawal_amount")

    assert (ages.min(), ages.max()) == (18, 90)
    assert np.mean(incomes) > 1.15 * np.median(incomes)
    assert np.mean(flows) > 1.5 * np.median(flows)
    assert 0 < np.mean(column(values, "account_balance") < 0) < 0.05
    assert 0 < np.mean(column(values, "loyalty_score") == 0) < 0.02
    assert np.corrcoef(column(values, "education_level"), incomes)[0, 1] > 0.1
    assert np.corrcoef(flows, column(values, "transaction_count"))[0, 1] > 0.2


@pytest.mark.parametrize("name", GOLDEN)
def test_the_documented_customers_are_clearly_in_their_segment(
    shipped_model: Model, name: str
) -> None:
    attributes, segment = GOLDEN[name]
    values = np.array([attributes], dtype=np.float64)
    assigner = Assigner(shipped_model)

    nearest, second = np.sort(assigner.distances(values)[0] ** 2)[:2]

    assert assigner.assign(values)[0] == segment
    assert nearest < 0.8 * second


def test_the_documented_segments_do_not_hang_on_which_customers_were_drawn(
    shipped_customers: Customers,
) -> None:
    ids, values = shipped_customers
    random = np.random.default_rng(11)
    people = np.array([attributes for attributes, _ in GOLDEN.values()], dtype=np.float64)

    for _ in range(5):
        rows = np.sort(random.choice(len(ids), len(ids)))
        model = LocalEngine(SHIPPED).train(ids[rows], values[rows], Parameters())

        assert Assigner(model).assign(people).tolist() == [s for _, s in GOLDEN.values()]


def test_every_name_describes_its_segment_truly(
    shipped_customers: Customers, shipped_model: Model
) -> None:
    _, values = shipped_customers
    segments = Assigner(shipped_model).assign(values)

    def medians(name: str) -> list[float]:
        return [float(np.median(column(values, name)[segments == n])) for n in range(4)]

    power, value_driven, affluent, budget = range(4)
    for flow in ("total_withdrawal_amount", "total_deposit_amount", "transaction_count"):
        assert np.argmax(medians(flow)) == power
    assert np.argmax(medians("loyalty_score")) == power
    assert np.argmin(medians("loyalty_score")) == value_driven
    assert np.argsort(medians("transaction_count"))[-2] == value_driven
    for wealth in ("monthly_income", "account_balance"):
        assert np.argmax(medians(wealth)) == affluent
        assert np.argmin(medians(wealth)) == budget
    assert np.argmin(medians("transaction_count")) == affluent
