"""Importing customers: what is stored, segmented, counted and told, and that it can be cut off."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import open_table
from customer_segmentation.services.customers.commands import delete_customer, get_customer
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import latest_position
from customer_segmentation.services.monitoring.distribution import read_current
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer import importing
from customer_segmentation.services.transfer.importing import Import, import_customers
from customer_segmentation.services.transfer.records import Outcome
from customer_segmentation.store.queries import history
from tests.support.data_file import read_data_file
from tests.support.shipped import SHIPPED
from tests.support.stored import assert_current, stored_customers

pytestmark = pytest.mark.both_databases

UPSERT = Import("a file")


def shipped(
    path: Path, first: int = 1, last: int = 20_000, changes: dict[str, str] | None = None
) -> Path:
    """Write some shipped customers to a file, with some columns changed."""
    with SHIPPED_DATA.open(newline="") as file:
        rows = [row | (changes or {}) for row in csv.DictReader(file)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[first - 1 : last])
    return path


def run(
    units: UnitsOfWork,
    path: Path,
    how: Import = UPSERT,
    progress: Callable[[int, int], None] = lambda _read, _found: None,
) -> tuple[Outcome, list[Reject]]:
    rejects: list[Reject] = []
    with open_table(path) as source:
        mapping = ColumnMapping.by_record_names(SHIPPED)
        outcome = import_customers(units, source, mapping, how, rejects.extend, progress)
    return outcome, rejects


def interrupt(_read: int, found: int) -> None:
    if found == 100:
        raise KeyboardInterrupt


def test_new_customers_are_segmented_counted_and_told(units: UnitsOfWork, tmp_path: Path) -> None:
    for customer_id in range(1, 6):
        units.run(delete_customer, customer_id)
    before = get_customer(units, 6).customer

    outcome, rejects = run(units, shipped(tmp_path / "five.csv", last=6))

    assert (outcome, rejects) == (Outcome(added=5, unchanged=1), [])
    assert get_customer(units, 6).customer == before
    assert_current(units)
    with units.database.read() as connection:
        causes = [str(change.cause) for change in history.of_customer(connection, 3)]
    assert causes == ["added", "deleted", "added"]
    with units.read() as work:
        stored = work.customers.find_many(work.connection, np.arange(1, 7))
        assert (work.serving.assigner.assign(stored.values) == stored.segments).all()


def test_customers_who_are_there_are_changed_and_segmented_anew(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    changes = {"income/month": "90000", "account balance": "400000", "transaction_count": "0"}

    outcome, _ = run(units, shipped(tmp_path / "rich.csv", last=500, changes=changes))

    assert (outcome.changed, outcome.stored, outcome.rejected) == (500, 500, 0)
    assert outcome.differing == ["monthly_income", "account_balance", "transaction_count"]
    assert get_customer(units, 77).customer.attributes["monthly_income"] == 90_000
    assert get_customer(units, 77).segment.name == "Affluent Inactives"
    assert_current(units)
    assert read_current(units).changed == 500
    with units.database.read() as connection:
        last = history.of_customer(connection, 56)[-1]
    assert (str(last.cause), last.from_segment, last.to_segment) == ("updated", 0, 2)


def test_an_insert_changes_nobody_and_refuses_who_is_there_otherwise(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    units.run(delete_customer, 2)
    path = shipped(tmp_path / "three.csv", last=3)
    changed = shipped(tmp_path / "changed.csv", first=3, last=3, changes={"age": "90"})

    outcome, rejects = run(units, path, Import("a file", Mode.INSERT))
    again, refused = run(units, changed, Import("a file", Mode.INSERT))

    assert (outcome, rejects) == (Outcome(added=1, unchanged=2), [])
    assert again == Outcome(rejected=1)
    assert [(reject.line, reject.column) for reject in refused] == [(2, "customer id")]
    assert refused[0].reason == "the id is taken"
    assert "90" in refused[0].fields
    assert get_customer(units, 3).customer.attributes["age"] != 90


def test_a_replacement_removes_whom_the_table_has_not(units: UnitsOfWork, tmp_path: Path) -> None:
    path = shipped(tmp_path / "half.csv", first=10_001)

    outcome, _ = run(units, path, Import("a file", Mode.REPLACE))

    assert outcome == Outcome(unchanged=10_000, removed=10_000)
    assert stored_customers(units).ids.tolist() == list(range(10_001, 20_001))
    assert_current(units)


def test_a_replacement_with_a_row_refused_removes_nobody(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    path = shipped(tmp_path / "few.csv", last=3)
    path.write_text(path.read_text() + "x" * 20 + "\n")

    outcome, _ = run(units, path, Import("a file", Mode.REPLACE))

    assert outcome == Outcome(unchanged=3, rejected=1)
    with units.database.read() as connection:
        assert units.customers.count(connection) == 20_000


def test_a_replacement_by_rejects_which_are_not_everybody_is_refused(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    path = tmp_path / "few.rejects.csv"
    path.write_text("line,column,reason,customer id,age\n")

    with pytest.raises(DataFileError, match="holds refused rows, not everybody"):
        run(units, path, Import("a file", Mode.REPLACE))


def test_a_replacement_by_nobody_is_refused(units: UnitsOfWork, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="holds no customers"):
        run(units, shipped(tmp_path / "none.csv", last=0), Import("a file", Mode.REPLACE))


@pytest.mark.parametrize("mode", Mode)
def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    units: UnitsOfWork, tmp_path: Path, mode: Mode
) -> None:
    units.run(delete_customer, 1)
    path = shipped(tmp_path / "some.csv", last=300, changes={"age": "44"})
    position = latest_position(units)

    told, _ = run(units, path, Import("a file", mode, dry_run=True))

    with units.database.read() as connection:
        assert units.customers.count(connection) == 19_999
    assert latest_position(units) == position
    assert told == run(units, path, Import("a file", mode))[0]


def test_nobody_who_was_erased_is_brought_back(units: UnitsOfWork, tmp_path: Path) -> None:
    units.run(erase_customer, 2)

    outcome, rejects = run(units, shipped(tmp_path / "three.csv", last=3))

    assert (outcome, rejects) == (Outcome(unchanged=2, erased=1), [])


def test_a_replacement_is_not_held_up_by_who_was_erased_nor_by_padding(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    units.run(erase_customer, 2)
    path = shipped(tmp_path / "three.csv", last=3)
    path.write_text(f"{path.read_text()}{',' * 14}\n,,,\n")

    outcome, rejects = run(units, path, Import("a file", Mode.REPLACE))

    assert (outcome, rejects) == (Outcome(unchanged=2, removed=19_997, erased=1), [])


@pytest.mark.parametrize("mode", Mode)
def test_an_import_that_was_cut_off_and_is_done_again_has_the_same_result(
    units: UnitsOfWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 50)
    for customer_id in range(1, 301):
        units.run(delete_customer, customer_id)
    path = shipped(tmp_path / "some.csv", last=300)

    with pytest.raises(KeyboardInterrupt):
        run(units, path, UPSERT, interrupt)
    with units.database.read() as connection:
        assert units.customers.count(connection) == 19_800
    outcome, _ = run(units, path, Import("a file", mode))

    removed = 19_700 if mode is Mode.REPLACE else 0
    assert outcome == Outcome(added=200, unchanged=100, removed=removed)
    with units.read() as work:
        stored = work.customers.find_many(work.connection, np.arange(1, 301))
    expected = read_data_file(path)
    assert (stored.ids == expected.ids).all()
    assert (stored.values == expected.values).all()
    assert_current(units)
