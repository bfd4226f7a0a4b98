"""A made-up bank: of any size, the same for the same seed, to a file or into a database."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from customer_segmentation.data.synthetic import SEED, draw_bank
from customer_segmentation.domain.numbers import plain_number
from tests.support.commands import run, run_json
from tests.support.data_file import read_data_file
from tests.support.shipped import CUSTOMER_ID, CUSTOMERS, FEATURES

NAMES = [CUSTOMER_ID.record_name, *(feature.record_name for feature in FEATURES)]


def test_the_same_seed_makes_the_same_bank_and_another_one_another() -> None:
    first, again, other = (np.vstack(list(draw_bank(300, seed))) for seed in (SEED, SEED, SEED + 1))

    assert (first == again).all()
    assert (first != other).any(axis=1).mean() > 0.99


def test_a_small_bank_is_the_beginning_of_a_big_one_that_comes_in_chunks() -> None:
    small, *chunks = next(draw_bank(500)), *draw_bank(45_001)

    assert [len(chunk) for chunk in chunks] == [20_000, 20_000, 5_001]
    assert (small == chunks[0][:500]).all()
    assert (chunks[0][:5_001] != chunks[2]).any(axis=1).all()


def test_a_bank_of_any_size_is_drawn_as_it_is_asked_for() -> None:
    assert len(next(draw_bank(10**15))) == 20_000


def test_every_customer_is_one_that_the_service_takes() -> None:
    *_, last = draw_bank(40_200, seed=5)

    for row in last.tolist():
        values = map(plain_number, row)
        CUSTOMERS.accept_attributes(dict(zip((f.name for f in FEATURES), values, strict=True)))


def test_a_csv_file_is_read_back_as_drawn(tmp_path: Path) -> None:
    to = tmp_path / "bank.csv"

    told = run("demo", "20100", "-o", str(to), "--seed", "7")

    assert told.stdout == f"{to}: 20,100 customers, {to.stat().st_size:,} bytes\n"
    data = read_data_file(to)
    assert not data.rejects
    assert data.ids.tolist() == list(range(1, 20_101))
    assert (data.values == np.vstack(list(draw_bank(20_100, 7)))).all()


def test_a_parquet_file_holds_the_same_as_a_csv_file(tmp_path: Path) -> None:
    run("demo", "20100", "-o", str(tmp_path / "bank.csv"))
    run("demo", "20100", "-o", str(tmp_path / "bank.parquet"))

    table = pq.read_table(tmp_path / "bank.parquet")
    with (tmp_path / "bank.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert table.column_names == header == NAMES
    assert {str(kind) for kind in table.schema.types} == {"int64", "double"}
    columns = [map(float, column.to_pylist()) for column in table.columns]
    assert [list(map(float, row)) for row in rows] == [
        list(row) for row in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize(("name", "code"), [("bank.xml", 2), ("no/such/folder/bank.csv", 1)])
def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, name: str, code: int) -> None:
    told = run("demo", "10", "-o", str(tmp_path / name))

    assert told.exit_code == code
    assert told.stdout == ""
    assert "output must end with" in told.stderr or "cannot be written" in told.stderr


def test_an_empty_database_is_filled_and_a_full_one_is_left_alone(tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'bank.db'}"}

    filled = run("demo", "3000", env=env)
    again = run("demo", "3000", "--seed", "1", env=env)

    assert filled.stdout == "3,000 customers loaded, and the first model is active\n"
    assert again.exit_code == 1
    assert "holds customers already" in again.stderr
    assert run_json("segments", "list", env=env)["customers"] == 3000
