"""Files of customers whose ids are texts: first start, import, undo, export, score."""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from customer_segmentation.domain.control_groups import ControlGroup
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from customer_segmentation.store import tables
from tests.support.answers import problem
from tests.support.commands import run
from tests.support.imports import sent
from tests.support.jobs import Fields, ended, follow
from tests.support.servers import Server, running
from tests.support.shop import FIRST, TEXT, attributes, first_ids, open_shop

pytestmark = pytest.mark.both_databases

IDS = [
    "0001",
    "1",
    "01",
    "7590-VHVEG",
    "Größe/ü ?#%",
    'say "hi", ok',
    "x" * 200,
    "ann@shop.example",
]


def csv_of(rows: dict[str, tuple[object, object, object]]) -> bytes:
    """Return customers by id as a file."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["Customer", "Spent", "visits", "plan"])
    writer.writerows([customer_id, *row] for customer_id, row in rows.items())
    return file.getvalue().encode()


def rows_of(ids: list[str], visits: int = 1) -> dict[str, tuple[object, object, object]]:
    plans = ["Basic", "Plus", ""]
    return {one: (100 * place + 0.25, visits, plans[place % 3]) for place, one in enumerate(ids)}


def exported(client: httpx.Client, **asked: object) -> list[dict[str, str]]:
    """Return the rows of an export."""
    begun = client.post("/v1/exports", json=asked)
    last = follow(client, begun.headers["location"], ended)[-1]
    text = client.get(f"/v1/exports/{last['id']}/file").text
    return [*csv.DictReader(io.StringIO(text))]


def undone(client: httpx.Client, import_id: str) -> Fields:
    answer = client.post(f"/v1/imports/{import_id}:undo", json={})
    return follow(client, answer.headers["location"], ended)[-1]


@pytest.fixture
def shop(empty_database_url: str, tmp_path: Path) -> Any:  # noqa: ANN401
    """A server over a shop's database."""
    open_shop(empty_database_url).close()
    with Server(empty_database_url, tmp_path) as server:
        yield server


def test_a_table_goes_in_and_an_export_joins_back_to_it(shop: Server) -> None:
    client, rows = shop.client, rows_of(IDS)

    dry = sent(client, csv_of(rows), dry_run=True)["result"]
    assert (dry["added"], dry["rejected"]) == (len(IDS), 0)
    done = sent(client, csv_of(rows))["result"]
    assert (done["added"], done["rejected"]) == (len(IDS), 0)

    found = exported(client)
    assert [row["Customer"] for row in found] == [*first_ids(), *IDS]
    by_id = {row["Customer"]: row for row in found}
    for customer_id, (spent, visits, plan) in rows.items():
        row = by_id[customer_id]
        assert (float(row["Spent"]), row["visits"], row["plan"]) == (spent, str(visits), plan)

    again = sent(client, csv_of(rows))["result"]
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, len(IDS))
    taken = sent(client, csv_of(rows_of(IDS, visits=2)), mode="insert")["result"]
    assert (taken["added"], taken["rejected"]) == (0, len(IDS))


def test_a_replacement_removes_whom_the_table_has_not_and_can_be_undone(shop: Server) -> None:
    client = shop.client
    kept = first_ids()[: FIRST // 2]

    dry = sent(client, csv_of(rows_of([*kept, *IDS])), mode="replace", dry_run=True)["result"]
    done = sent(client, csv_of(rows_of([*kept, *IDS])), mode="replace")
    for result in (dry, done["result"]):
        assert (result["added"], result["removed"]) == (len(IDS), FIRST - len(kept))
    client.patch("/v1/customers/0001", json={"visits": 99}).raise_for_status()

    undo = undone(client, done["id"])["result"]

    assert (undo["removed"], undo["kept"], undo["kept_ids"]) == (len(IDS) - 1, 1, ["0001"])
    left = [row["Customer"] for row in exported(client)]
    assert sorted(left) == sorted([*first_ids(), "0001"])
    causes = client.get(f"/v1/customers/{first_ids()[-1]}/history").json()["changes"]
    assert [one["cause"] for one in causes] == ["added", "deleted", "added"]


def test_who_was_erased_stays_away(shop: Server) -> None:
    client = shop.client
    sent(client, csv_of(rows_of(IDS)))
    client.delete("/v1/customers/ann%40shop.example", params={"erase": True}).raise_for_status()

    done = sent(client, csv_of(rows_of(IDS)))["result"]

    assert (done["erased"], done["added"], done["unchanged"]) == (1, 0, len(IDS) - 1)
    assert "ann@shop.example" not in [row["Customer"] for row in exported(client)]


def test_holdouts_and_hashes_are_of_the_texts(empty_database_url: str, tmp_path: Path) -> None:
    open_shop(empty_database_url).close()
    split = ControlGroup("spring", 30)
    with running(
        empty_database_url, tmp_path, CUSTOMER_SEGMENTATION_AUDIENCE_SALT="s3cret"
    ) as server:
        rows = exported(server.client, holdout=30, split="spring")
        hashed = exported(server.client, audience=True)

    assert [row["group"] for row in rows] == [split.group(one) for one in first_ids()]
    told = [hashlib.sha256(f"s3cret{one.lower()}".encode()).hexdigest() for one in first_ids()]
    assert [row["hashed_id"] for row in hashed] == told


def test_a_file_is_scored_under_its_ids(shop: Server, tmp_path: Path) -> None:
    table, answer = tmp_path / "some.csv", tmp_path / "scored.csv"
    table.write_bytes(csv_of(rows_of(IDS)))

    done = run("score", str(table), "-o", str(answer), env={"DATABASE_URL": shop.database_url})

    assert done.exit_code == 0, done.stderr
    with answer.open(newline="") as file:
        assert [row["Customer"] for row in csv.DictReader(file)] == IDS


def test_a_first_start_replaces_the_demonstration_by_a_table_of_texts(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "schema.toml").write_text(TEXT)
    ids = [f"{place:04}" for place in range(100)] + IDS
    ids = [*dict.fromkeys(ids)]
    (tmp_path / "table.csv").write_bytes(csv_of(rows_of(ids)))
    with Server(database_url, tmp_path) as server:
        for customer_id in (1, 60):
            server.client.delete(f"/v1/customers/{customer_id}", params={"erase": True})
    settings = Settings(
        database_url=database_url,
        schema_file=tmp_path / "schema.toml",
        data=tmp_path / "table.csv",
    )

    loading = begin_start(settings)
    assert loading is not None
    finish_start(settings, loading)

    with Server(database_url, tmp_path) as server:
        client = server.client
        # Of the demonstration only who was erased is known, and does not come back as a text.
        assert [row["Customer"] for row in exported(client)] == [i for i in ids if i != "1"]
        assert client.get("/v1/erasures/60").json()["customer_id"] == "60"
        problem(client.put("/v1/customers/60", json=attributes()), 409)
        events = client.get("/v1/events").json()["events"]
        assert {e["customer_id"] for e in events if e["cause"] == "erased"} == {"1", "60"}
        assert client.put("/v1/customers/2", json=attributes()).status_code == 201
    units = units_over(database_url)
    with units.database.read() as connection:
        numbers = [*connection.execute(select(tables.customer_ids.c.number)).scalars()]
        first = connection.execute(select(func.min(tables.customers.c.customer_id))).scalar_one()
    units.close()
    assert len(numbers) == len(set(numbers)) == len(ids) + 2
    assert first == 61


def test_a_backup_that_is_put_back_knows_who_was_erased_since(
    empty_database_url: str, tmp_path: Path
) -> None:
    if not empty_database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL has its own backups")
    open_shop(empty_database_url).close()
    environment = {"DATABASE_URL": empty_database_url}
    backup = tmp_path / "backup.db"
    assert run("backup", str(backup), env=environment).exit_code == 0
    with Server(empty_database_url, tmp_path) as server:
        for customer_id in ("later", first_ids()[0]):
            server.client.put(f"/v1/customers/{customer_id}", json=attributes())
            server.client.delete(f"/v1/customers/{customer_id}", params={"erase": True})

    restored = run("restore", str(backup), "--yes", env=environment)

    assert restored.exit_code == 0, restored.stderr
    with Server(empty_database_url, tmp_path) as server:
        problem(server.client.get(f"/v1/customers/{first_ids()[0]}"), 404)
        for customer_id in ("later", first_ids()[0]):
            problem(server.client.put(f"/v1/customers/{customer_id}", json=attributes()), 409)
        assert server.client.put("/v1/customers/new", json=attributes()).status_code == 201
        assert server.client.get(f"/v1/customers/{first_ids()[1]}").status_code == 200
