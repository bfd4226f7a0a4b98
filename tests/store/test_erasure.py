"""Erasure: final for everybody at once, told without data, and gone from the files' bytes."""

import json
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerExistsError,
    CustomerNotFoundError,
)
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Parameters, to_json
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.customers.erasure import (
    Wiping,
    erase_again,
    erase_customer,
    get_erasure,
)
from customer_segmentation.services.operation.maintenance import back_up
from customer_segmentation.services.operation.startup import begin_start
from customer_segmentation.services.runtime.audit import Audit
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.schema.apply import apply_schema
from customer_segmentation.services.segments.profiles import measure_growth
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import erasures
from tests.support.commands import run
from tests.support.shipped import FEATURE_NAMES, SHIPPED
from tests.support.shop import TEXT, attributes, open_shop
from tests.support.stored import activate

INCOME, BALANCE = 1_234_567.890625, -7_654_321.015625


@pytest.mark.both_databases
def test_whoever_is_added_and_erased_at_once_is_either_stored_or_suppressed(
    units: UnitsOfWork, database_url: str
) -> None:
    """As two servers do it, again and again for the same customers."""
    other = UnitsOfWork(Database(database_url))
    anyone = get_customer(units, 56).customer.attributes
    ids = range(30_000, 30_020)
    for customer_id in ids:
        units.run(add_customer, customer_id, anyone)
        if customer_id % 2:
            units.run(delete_customer, customer_id)
    refusals: list[str] = []

    def add(customer_id: int) -> None:
        try:
            units.run(add_customer, customer_id, anyone)
        except (CustomerErasedError, CustomerExistsError) as refusal:
            refusals.append(type(refusal).__name__)

    def erase(customer_id: int) -> None:
        try:
            other.run(erase_customer, customer_id)
        except CustomerNotFoundError as refusal:
            refusals.append(type(refusal).__name__)

    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(call, customer_id)
            for customer_id in ids
            for call in (add, erase, erase, add)
        ]
    for call in calls:
        call.result()
    other.close()

    for customer_id in ids:
        assert get_erasure(units, customer_id).customer_id == customer_id
        with units.database.read() as connection:
            assert units.customers.find(connection, customer_id) is None
        with pytest.raises(CustomerNotFoundError):
            get_history(units, customer_id)
        with pytest.raises(CustomerErasedError):
            units.run(add_customer, customer_id, anyone)


@pytest.mark.both_databases
def test_whoever_is_being_added_is_waited_for_by_an_erasure(
    units: UnitsOfWork, database_url: str
) -> None:
    if units.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    other = UnitsOfWork(Database(database_url))
    anyone = get_customer(units, 56).customer.attributes
    units.run(delete_customer, 57)
    erasing = threading.Thread(target=other.run, args=(erase_customer, 57))

    with units.write() as work:
        add_customer(work, 57, anyone)
        erasing.start()
        erasing.join(0.3)
        assert erasing.is_alive()
    erasing.join()
    other.close()

    assert get_erasure(units, 57).removed["customer"] == 1
    with pytest.raises(CustomerNotFoundError):
        get_customer(units, 57)


def test_an_erasure_is_no_move_between_segments(units: UnitsOfWork) -> None:
    moment = get_history(units, 56)[0].changed_at

    units.run(erase_customer, 56)

    assert sum(growth.left for growth in measure_growth(units, moment).values()) == 0


def test_what_is_erased_is_in_no_file_any_more(tmp_path: Path, loaded_sqlite: Path) -> None:
    file = tmp_path / "bank.db"
    file.write_bytes(loaded_sqlite.read_bytes())
    units = UnitsOfWork(Database(f"sqlite:///{file}"), Audit(keeps_values=True))
    wiping = Wiping(units)
    assert wiping.wipe()
    anyone = get_customer(units, 56).customer.attributes
    values = {"monthly_income": INCOME, "account_balance": BALANCE}
    units.run(add_customer, 30_000, {**anyone, **values})
    units.run(update_customer, 30_000, {"age": 44})
    traces = [
        *(struct.pack(order + "d", value) for value in (INCOME, BALANCE) for order in "<>"),
        *(repr(value).encode() for value in (INCOME, BALANCE)),
    ]
    assert any(trace in content(file) for trace in traces)

    units.run(erase_customer, 30_000)
    assert wiping.wipe()

    found = content(file)
    assert not any(trace in found for trace in traces)
    assert b"30000" in found  # The suppression list must know whom to keep out.
    units.close()


def test_what_a_removed_attribute_held_is_in_no_file_any_more(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    shop = open_shop(f"sqlite:///{file}")
    wiping = Wiping(shop)
    shop.run(add_customer, "N-1", attributes(spent=INCOME, plan=0))
    assert wiping.wipe()
    trace = struct.pack(">d", INCOME)
    assert trace in content(file)
    head, _, tail = TEXT.partition('[[attributes]]\nname = "spent"')

    apply_schema(shop, Settings(), head + tail[tail.index("[[attributes]]") :], {}, "Ada")
    shop.forget_schema()
    assert wiping.wipe()

    assert trace not in content(file)
    shop.close()


def test_who_was_the_extreme_of_a_training_is_in_no_artifact(
    tmp_path: Path, loaded_sqlite: Path, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    file = tmp_path / "bank.db"
    file.write_bytes(loaded_sqlite.read_bytes())
    units = UnitsOfWork(Database(f"sqlite:///{file}"))
    extreme = {"monthly_income": INCOME, "account_balance": BALANCE}
    anyone = get_customer(units, 56).customer.attributes
    units.run(add_customer, 30_000, {**anyone, **extreme})
    ids, values = shipped_customers
    row = [extreme.get(name, float(anyone[name])) for name in FEATURE_NAMES]
    model = LocalEngine(SHIPPED).train(
        np.append(ids, 30_000), np.vstack([values, row]), Parameters()
    )
    activate(units, model)
    known = model.fingerprint.attributes
    assert known["monthly_income"].maximum == 1_300_000.0
    assert known["account_balance"].minimum == -7_700_000.0

    units.run(erase_customer, 30_000)
    assert Wiping(units).wipe()
    artifact = to_json(units.serving.model).encode()
    for value in (INCOME, BALANCE):
        for trace in (struct.pack("<d", value), struct.pack(">d", value), repr(value).encode()):
            assert trace not in content(file)
            assert trace not in artifact
    units.close()


def content(file: Path) -> bytes:
    """Return what is in a database's files.

    Another process reads them: one that closes a file gives up SQLite's locks on it.
    """
    files = file.parent.glob(f"{file.name}*")
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout


def test_who_was_erased_is_erased_again_after_a_restore(
    tmp_path: Path, loaded_sqlite: Path
) -> None:
    file, backup = tmp_path / "bank.db", tmp_path / "backup.db"
    file.write_bytes(loaded_sqlite.read_bytes())
    env = {"DATABASE_URL": f"sqlite:///{file}"}
    units = UnitsOfWork(Database(env["DATABASE_URL"]))
    anyone = get_customer(units, 56).customer.attributes
    back_up(units, backup)
    units.run(erase_customer, 56)
    units.run(erase_customer, 57)
    units.close()

    done = run("restore", str(backup), "--yes", "--json", env=env)

    assert json.loads(done.stdout)["erased"] == 2
    units = UnitsOfWork(Database(env["DATABASE_URL"]))
    for customer_id in (56, 57):
        with pytest.raises(CustomerNotFoundError):
            get_customer(units, customer_id)
        with pytest.raises(CustomerErasedError):
            units.run(add_customer, customer_id, anyone)
    assert get_customer(units, 58).customer.customer_id == 58
    units.close()


def test_a_restore_says_when_it_cannot_know_who_was_erased(
    tmp_path: Path, loaded_sqlite: Path
) -> None:
    file = tmp_path / "lost.db"

    done = run("restore", str(loaded_sqlite), "--yes", env={"DATABASE_URL": f"sqlite:///{file}"})

    assert done.exit_code == 0, done.stderr
    assert "could not tell who was erased" in done.stderr


def test_a_start_erases_who_is_suppressed_and_stored_all_the_same(
    units: UnitsOfWork, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    units.run(erase_customer, 56)
    with units.database.read() as connection:
        (receipt,) = erasures.read_all(connection)
    with units.database.write() as connection:
        erasures.lift(connection, 56)
    anyone = get_customer(units, 57).customer.attributes
    units.run(add_customer, 56, anyone)
    with units.database.write() as connection:
        # As when tables are put back one by one.
        erasures.add(connection, receipt)

    assert begin_start(Settings(database_url=database_url)) is None

    assert "Erased again, as after a restore: 1 customer" in caplog.text
    with pytest.raises(CustomerNotFoundError):
        get_customer(units, 56)
    assert erase_again(units) == 0
