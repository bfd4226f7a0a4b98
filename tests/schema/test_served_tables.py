"""From a public table to segments in two commands, and what can be done with them then."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from customer_segmentation.domain.attributes import Missing
from customer_segmentation.domain.schema import Schema, make_schema
from tests.support.commands import run
from tests.support.inferring import public_table
from tests.support.servers import Server

TABLES = (
    *("Telco-Customer-Churn.csv", "marketing_campaign.csv", "Mall_Customers.csv"),
    "german_credit_data.csv",
    *(
        pytest.param(name, marks=pytest.mark.long)
        for name in (
            *("BankChurners.csv", "CC GENERAL.csv", "bank-full.cpe-with-gaps.csv"),
            "Bank_Personal_Loan_Modelling.csv",
        )
    ),
)
"""The four whose ids, separators, missing values and categories differ most; others take longer."""

Json = dict[str, Any]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_served_by_the_schema_that_is_made_of_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = public_table(name)
    monkeypatch.chdir(tmp_path)
    made = run("init", str(table), "--yes")
    assert made.exit_code == 0, made.stderr
    given = {
        "CUSTOMER_SEGMENTATION_SCHEMA_FILE": "schema.toml",
        "CUSTOMER_SEGMENTATION_DATA": str(table),
    }

    with Server(f"sqlite:///{tmp_path / 'own.db'}", tmp_path, **given) as server:
        schema = make_schema(server.client.get("/v1/schema").json())
        rows = rows_of(table)
        segments = server.client.get("/v1/segments").json()

        assert segments["customers"] >= 0.95 * len(rows)
        assert len({segment["name"] for segment in segments["segments"]}) >= 2
        check_exported(server, schema, rows)
        check_changes(server, schema)
        check_commands(server, schema)


GYM = Path(__file__).parents[2] / "docs" / "examples" / "gym-members.csv"


def own(folder: Path) -> dict[str, str]:
    """Return the settings of a first start with a table and the schema that is made of it."""
    made = run("init", str(GYM), "--yes", "--force", "-o", str(folder / "schema.toml"))
    assert made.exit_code == 0, made.stderr
    return {
        "CUSTOMER_SEGMENTATION_SCHEMA_FILE": str(folder / "schema.toml"),
        "CUSTOMER_SEGMENTATION_DATA": str(GYM),
    }


@pytest.mark.long_over_postgres
@pytest.mark.both_databases
def test_the_demonstration_goes_when_an_own_table_is_served(
    empty_database_url: str, tmp_path: Path
) -> None:
    given = own(tmp_path)
    with Server(empty_database_url, tmp_path) as demonstration:
        assert demonstration.client.get("/v1/customers/56").status_code == 200

    with Server(empty_database_url, tmp_path, **given) as server:
        assert server.client.get("/v1/segments").json()["customers"] == 600
        assert server.client.get("/v1/customers/G-00001").status_code == 200
        assert server.client.get("/v1/schema").json()["number"] == 2

    with Server(empty_database_url, tmp_path) as again:
        assert again.client.get("/v1/customers/G-00001").status_code == 200


@pytest.mark.both_databases
def test_a_first_start_that_failed_is_done_again_with_a_schema_that_suits(
    empty_database_url: str, tmp_path: Path
) -> None:
    given = own(tmp_path)
    without = {"CUSTOMER_SEGMENTATION_DATA": given["CUSTOMER_SEGMENTATION_DATA"]}
    assert Server(empty_database_url, tmp_path, **without).launch().wait(60) != 0

    with Server(empty_database_url, tmp_path, **given) as server:
        assert server.client.get("/v1/segments").json()["customers"] == 600
        assert server.client.get("/v1/schema").json()["id"]["name"] == "member"


def test_another_schema_is_applied_and_not_slipped_in(tmp_path: Path) -> None:
    given = own(tmp_path)
    with Server(f"sqlite:///{tmp_path / 'own.db'}", tmp_path, **given):
        pass
    schema = tmp_path / "schema.toml"
    schema.write_text(schema.read_text().replace('title = "member"', 'title = "Member"'))

    server = Server(f"sqlite:///{tmp_path / 'own.db'}", tmp_path, **given)

    assert server.begin().wait(60) != 0
    assert "The database has another schema" in server.log
    assert "schema plan" in server.log


def rows_of(table: Path) -> list[dict[str, str]]:
    text = table.read_text(encoding="utf-8-sig")
    dialect = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t")
    return list(csv.DictReader(io.StringIO(text), dialect=dialect))


def check_exported(server: Server, schema: Schema, rows: list[dict[str, str]]) -> None:
    """See that an export joins back to the file by id, with the same numbers and texts."""
    begun = server.client.post("/v1/exports", json={"format": "csv"}).json()
    with_segments = follow(server, f"/v1/exports/{begun['id']}")
    assert with_segments["state"] == "succeeded", with_segments
    text = server.client.get(f"/v1/exports/{begun['id']}/file").text
    exported = list(csv.DictReader(io.StringIO(text)))
    header = schema.id.record_name
    # A column without a header, which pandas writes first, has none that could be kept.
    own = header if header in rows[0] else ""
    by_id = {row[header]: row for row in exported}
    assert len(by_id) == len(exported)
    for place, row in enumerate(rows, 1):
        key = row.get(own, str(place))
        if key in by_id:
            check_same(schema, row, by_id[key])
    assert len(exported) >= 0.95 * len(rows)


def check_same(schema: Schema, row: dict[str, str], exported: dict[str, str]) -> None:
    """See that what was in the file, and is no date or quantity of another unit, is exported."""
    for attribute in schema.attributes:
        before, after = row.get(attribute.record_name), exported[attribute.record_name]
        if before is not None and attribute.categories and after not in {"", "other"}:
            assert after.casefold() == before.strip().casefold(), attribute.name


def check_changes(server: Server, schema: Schema) -> None:
    """See that somebody is added, changed and segmented, with nulls where the schema has them."""
    client, key = server.client, schema.id.name
    someone: Json = {a.name: a.example for a in schema.attributes}
    someone |= {a.name: None for a in schema.attributes if a.missing is Missing.ALLOWED}
    new = {key: schema.id.example, **someone}

    added = client.post("/add_customer_to_database", json=new)
    assert added.status_code == 200, added.text
    predicted = client.post("/predict_customer_segment_in_real_time", json=someone)
    assert predicted.json().startswith("Cluster "), predicted.text
    changed = schema.attributes[0]
    update = {key: schema.id.example, changed.name: changed.example}
    answer = client.post("/update_customer_details_to_database", json=update)
    assert answer.status_code == 200, answer.text
    record = answer.json()["updated_customer"]
    assert record[schema.id.record_name] == schema.id.example
    for attribute in schema.attributes[1:]:
        assert record[attribute.record_name] == someone[attribute.name], attribute.name
    found = client.get("/get_customer_info_from_database", params={key: schema.id.example})
    assert found.json()["Customer info"] == record
    told = client.get(f"/v1/customers/{schema.id.example}/explanation")
    assert told.status_code == 200, told.text


def check_commands(server: Server, schema: Schema) -> None:
    """See that the command line tells the segments, and why somebody is in one."""
    listed = run("segments", "list", "--url", server.url)
    explained = run("customers", "explain", str(schema.id.example), "--url", server.url)

    assert (listed.exit_code, explained.exit_code) == (0, 0), (listed.stderr, explained.stderr)
    assert "Nearest is cluster" in explained.stdout


def follow(server: Server, path: str) -> Json:
    while True:
        job: Json = server.client.get(path).json()
        if job["state"] not in {"waiting", "running", "queued"}:
            return job
