"""From a file of transactions to segments: a schema is made of it, and a first start serves it."""

import json
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.files.schema_file import read_schema_file
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from customer_segmentation.services.transactions.taking import list_transactions, take
from tests.support.commands import run
from tests.support.inferring import public_table
from tests.support.stored import assert_current, stored_customers


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's sales, of customers with text ids, some of whom come often."""
    random = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    rows = ["client;datum;betrag;kasse".replace("client", "customer").replace("betrag", "amount")]
    for number in range(900):
        customer = int(random.integers(0, 40)) if number % 2 else int(random.integers(0, 300))
        day, month = random.integers(1, 29), random.integers(1, 13)
        euros, cents = random.integers(1, 90), random.integers(0, 100)
        rows.append(f"C-{customer:04};{day:02}.{month:02}.2025;{euros},{cents:02};{number % 3}")
    path.write_text("\n".join(rows).replace("datum", "date") + "\n")
    return path


@pytest.fixture(scope="module")
def begun(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("begun")
    schema = folder / "schema.toml"
    done = run("init", str(sales), "--yes", "-o", str(schema))
    assert done.exit_code == 0, done.stderr
    assert "3 attributes of 900 transactions" in done.stdout
    settings = Settings(
        database_url=f"sqlite:///{folder / 'shop.db'}", schema_file=schema, data=sales
    )
    loading = begin_start(settings)
    assert loading is not None
    finish_start(settings, loading)
    return settings


def test_init_makes_recency_frequency_and_monetary_value_of_a_table_of_transactions(
    begun: Settings,
) -> None:
    assert begun.schema_file is not None
    schema, source = read_schema_file(begun.schema_file)

    assert schema.names == ("recency", "frequency", "monetary")
    assert schema.id.is_text
    assert source.records is not None
    assert source.records.columns == {
        "customer": "customer",
        "time": "date",
        "amount": "amount",
    }
    assert source.records.date_form == "%d.%m.%Y"
    assert source.records.style.decimal == ","


def test_the_first_customers_are_what_their_transactions_tell(begun: Settings, sales: Path) -> None:
    units = units_over(begun.database_url)
    everyone = stored_customers(units)
    counts: dict[str, int] = {}
    for line in sales.read_text().splitlines()[1:]:
        customer = line.partition(";")[0]
        counts[customer] = counts.get(customer, 0) + 1
    with units.read() as work:
        ids = work.ids.ids_of(work.connection, everyone.ids.tolist())

    assert dict(zip(ids, everyone.values[:, 1].astype(int).tolist(), strict=True)) == counts
    assert_current(units)
    page = list_transactions(units, "C-0001", None, 100)
    assert len(page.transactions) == counts["C-0001"]
    units.run(take, page.transactions)
    assert (stored_customers(units).values == everyone.values).all()
    units.close()


def test_the_same_file_taken_in_again_changes_nothing(begun: Settings, sales: Path) -> None:
    done = run(
        "transactions", "import", str(sales), "--json", env={"DATABASE_URL": begun.database_url}
    )

    assert json.loads(done.stdout)["repeated"] == 900, done.stderr


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "CDNOW_master.txt",
            {"customer_id": "customer_id", "time": "date", "amount": "dollar_value"},
        ),
        (
            "berka-trans.asc",
            {
                "transaction_id": "trans_id",
                "account_id": "account_id",
                "time": "date",
                "amount": "amount",
                "kind": "type",
            },
        ),
        (
            "yjh-transactions.csv",
            {
                "transaction_id": "transaction_id",
                "customer_id": "customer_id",
                "time": "transaction_date",
                "amount": "transaction_amt",
                "kind": "transaction_type",
            },
        ),
    ],
)
def test_public_tables_of_transactions_are_told_to_be_such(
    name: str, columns: dict[str, str], tmp_path: Path
) -> None:
    schema = tmp_path / "schema.toml"

    done = run("init", str(public_table(name)), "--yes", "-o", str(schema))

    assert done.exit_code == 0, done.stderr
    _, source = read_schema_file(schema)
    assert source.records is not None
    assert source.records.columns == columns
