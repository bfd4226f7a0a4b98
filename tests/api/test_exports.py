"""Exports over the API: customers written to files by jobs, to be downloaded for a while."""

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pyarrow import parquet

from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.upkeep import remove_old_transfers
from tests.support.answers import problem
from tests.support.commands import command
from tests.support.imports import files_of
from tests.support.jobs import Fields, ended, follow
from tests.support.servers import Server, running

SALT = "CUSTOMER_SEGMENTATION_AUDIENCE_SALT"


def exported(client: httpx.Client, **asked: object) -> Fields:
    """Return how an export ended."""
    answer = client.post("/v1/exports", json=asked)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/exports/{answer.json()['id']}"
    return follow(client, answer.headers["location"], ended)[-1]


def downloaded(client: httpx.Client, export: Fields) -> httpx.Response:
    answer = client.get(f"/v1/exports/{export['id']}/file")
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.both_databases
def test_an_export_is_what_the_command_writes(server: Server, tmp_path: Path) -> None:
    asked = {"segment": 2, "min": {"age": 60}, "holdout": 10, "split": "spring", "by": "Ada"}

    last = exported(server.client, **asked)

    assert (last["state"], last["requested_by"], last["has_file"]) == ("succeeded", "Ada", True)
    answer = downloaded(server.client, last)
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="customers.csv"' in answer.headers["content-disposition"]
    path = tmp_path / "by_command.csv"
    options = ["--segment", "2", "--min", "age=60", "--holdout", "10", "--split", "spring"]
    written = command(server.database_url, "export", *options, "-o", str(path))
    assert written.returncode == 0, written.stderr
    assert answer.content == path.read_bytes()
    rows = [*csv.DictReader(io.StringIO(answer.text))]
    size = len(answer.content)
    assert last["result"] == {"customers": len(rows), "left_out": 0, "bytes": size}
    assert server.client.get("/v1/exports").json()["exports"] == [last]


def test_any_format_is_written(server: Server) -> None:
    last = exported(server.client, format="parquet")

    table = parquet.read_table(io.BytesIO(downloaded(server.client, last).content))

    assert table.num_rows == last["result"]["customers"] == 20_000


def test_an_audience_is_hashed_by_the_salt_of_the_settings_only(
    database_url: str, tmp_path: Path
) -> None:
    with running(database_url, tmp_path, **{SALT: "s3cret"}) as server:
        last = exported(server.client, audience=True, min={"age": 90})
        hashed = downloaded(server.client, last).text.split()
        people = server.client.get("/v1/customers", params={"age_min": 90, "limit": 1000}).json()
    expected = [
        hashlib.sha256(f"s3cret{one['customer_id']}".encode()).hexdigest()
        for one in people["customers"]
    ]
    assert hashed[0] == "hashed_id"
    assert hashed[1:] == expected
    assert "s3cret" not in str(last)


def test_what_does_not_go_together_is_refused(server: Server) -> None:
    client = server.client

    def field(**asked: object) -> str:
        refused = problem(client.post("/v1/exports", json=asked), 422)
        return str(refused["errors"][0]["field"])

    assert field(audience=True) == "audience"
    assert field(holdout=10) == "split"
    assert field(split="spring") == "split"
    assert field(min={"colour": 3}).startswith("min")
    assert field(format="word") == "format"
    problem(client.post("/v1/exports", json={"segment": 77}), 404)
    assert client.get("/v1/exports").json()["exports"] == []
    problem(client.get(f"/v1/exports/{'0' * 32}/file"), 404)


def test_a_file_is_there_until_its_time_is_over(
    database_url: str, tmp_path: Path, units: UnitsOfWork
) -> None:
    with running(database_url, tmp_path) as server:
        last = exported(server.client)
        settings = Settings(database_url=database_url)

        remove_old_transfers(units, settings, now() + timedelta(hours=23))
        assert files_of(tmp_path) == [f"{last['id']}.export"]
        remove_old_transfers(units, settings, now() + timedelta(hours=25))

        assert files_of(tmp_path) == []
        assert not server.client.get(f"/v1/exports/{last['id']}").json()["has_file"]
        problem(server.client.get(f"/v1/exports/{last['id']}/file"), 404)


@pytest.mark.both_databases
def test_an_export_that_is_cut_off_is_written_anew_by_itself(
    database_url: str, tmp_path: Path
) -> None:
    with running(database_url, tmp_path) as server:
        location = server.client.post("/v1/exports", json={}).headers["location"]
        server.kill()
        server.start()

        last = follow(server.client, location, ended)[-1]

        assert (last["state"], last["result"]["customers"]) == ("succeeded", 20_000)
        assert len(downloaded(server.client, last).text.splitlines()) == 20_001
