"""Transactions by command: taken in from files, listed, taken back, here and at a service."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_segmentation.cli.console.output import ExitCode
from tests.support.commands import run
from tests.support.purchases import open_purchases

SALES = """Order;Customer;Day;Amount;Kind;Shelf
A1;1;31.12.2025;12,50;sale;A
A2;1;02.01.2026;7,25;sale;B
A3;2;02.01.2026;1;return;
A4;999;02.01.2026;1;sale;A
A5;2;31.02.2026;1;sale;A
"""
GERMAN = ("--date-form", "%d.%m.%Y", "--decimal", ",", "--column", "customer_id=Customer")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    open_purchases(url).close()
    return url


def test_a_file_is_taken_in_once_and_what_is_refused_is_written_down(
    url: str, tmp_path: Path
) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text(SALES)
    env = {"DATABASE_URL": url}

    done = run("transactions", "import", str(sales), *GERMAN, env=env)

    assert done.exit_code == ExitCode.REJECTED, done.stderr
    assert done.stdout == "3 stored, 0 repeated, 0 kept, 2 failed\n"
    rejects = (tmp_path / "sales.rejects.csv").read_text()
    assert "5,,There is no customer with id 999,A4,999" in rejects
    assert '6,Day,"time must be a date such as 2026-01-31' in rejects
    again = run("transactions", "import", str(sales), *GERMAN, "--json", env=env)
    assert json.loads(again.stdout)["repeated"] == 3
    shown = json.loads(run("transactions", "list", "1", "--json", env=env).stdout)
    assert [one["amount"] for one in shown["transactions"]] == [7.25, 12.5]
    assert "A2" in run("transactions", "list", "1", env=env).stdout

    deleted = run("transactions", "delete", "A2", env=env)
    assert deleted.stdout == "Transaction A2 deleted\n"
    customer = json.loads(run("customers", "get", "1", "--json", env=env).stdout)
    assert (customer["frequency"], customer["monetary"], customer["shelves"]) == (1, 12.5, 1)


def test_a_typed_file_without_ids_counts_rows_by_their_place(url: str, tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer_id": [3, 3, 3],
            "date": pa.array([0, 19_000, 20_000], pa.int32()).cast(pa.date32()),
            "amount": [1.5, None, 3.0],
        }
    )
    pq.write_table(table, tmp_path / "visits.parquet")
    env = {"DATABASE_URL": url}

    for expected in ("stored", "repeated"):
        done = run("transactions", "import", str(tmp_path / "visits.parquet"), "--json", env=env)
        assert json.loads(done.stdout)[expected] == 3, done.stderr

    customer = json.loads(run("customers", "get", "3", "--json", env=env).stdout)
    assert (customer["frequency"], customer["monetary"]) == (3, 4.5)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--column", "colour=Day"), "colour is no field of transactions"),
        (("--column", "time=Night"), "There is no column Night"),
        (("--column", "time"), "must be FIELD=COLUMN"),
        (("--decimal", "x"), "must be a point or a comma"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_taken(
    url: str, tmp_path: Path, more: tuple[str, ...], told: str
) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text(SALES)

    refused = run("transactions", "import", str(sales), *more, env={"DATABASE_URL": url})

    assert refused.exit_code != ExitCode.DONE
    assert told in " ".join(refused.stderr.replace("│", " ").split())
    assert not (tmp_path / "sales.rejects.csv").exists()


def test_the_shipped_customers_take_transactions_too(loaded_sqlite: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copy(loaded_sqlite, tmp_path / "bank.db")
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'bank.db'}"}
    moved = tmp_path / "moved.csv"
    moved.write_text(
        "transaction_id,customer id,date,amount,type\n"
        "1,56,2026-01-02,10.5,deposit\n2,56,2026-01-03,3,withdrawal\n"
    )

    done = run("transactions", "import", str(moved), env=env)

    assert done.exit_code == ExitCode.DONE, done.stderr
    found = json.loads(run("customers", "get", "56", "--json", env=env).stdout)
    assert found["total_deposit_amount"] == 10.5
    assert found["total_withdrawal_amount"] == 3
    assert found["transaction_count"] == 2


def test_a_day_begins_by_command(url: str) -> None:
    begun = run("transactions", "begin-day", env={"DATABASE_URL": url})

    assert begun.exit_code == ExitCode.DONE, begun.stderr
    assert begun.stdout.endswith("; every customer is written\n")
    shown = run("schema", "show", env={"DATABASE_URL": url}).stdout
    assert "sum of amounts, kind sale, within 90 days" in shown
