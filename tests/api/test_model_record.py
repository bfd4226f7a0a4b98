"""The record for the model-risk file: every heading, filled from what was measured."""

import json
import re
from pathlib import Path

import pytest

from customer_segmentation.model.artifact import Model
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.answers import problem
from tests.support.commands import command, run
from tests.support.servers import Server
from tests.support.stored import renumbered, store_candidate

HEADINGS = [
    "Purpose",
    "Materiality",
    "Data",
    "Assumptions",
    "Method",
    "Limits",
    "Segments",
    "Stability",
    "Drift",
    "Ongoing monitoring",
    "Fairness by protected attribute",
    "Approvals",
    "Change log",
]


def test_the_record_holds_every_part_and_what_the_version_says(shared_server: Server) -> None:
    client = shared_server.client
    version = client.get("/v1/models/1").json()

    record = client.get("/v1/models/1/record").json()
    text = client.get("/v1/models/1/record?format=markdown")

    assert text.headers["content-type"].startswith("text/markdown")
    assert re.findall(r"^## (.+)$", text.text, re.MULTILINE) == HEADINGS
    assert record["stability"]["silhouette"] == version["quality"]["silhouette"]
    assert record["data"]["sha256"] == version["fingerprint"]["sha256"] in text.text
    assert record["drift"]["psi"] == 0
    assert len(record["fairness"]["genders"]) == 2
    assert sum(s["size"] for s in record["segments"]) == record["data"]["customers"] == 20_000
    assert [entry["version"] for entry in record["change_log"]] == [1]
    assert "Exposure: 20,000 customers in 4 segments, with 4 strategies." in text.text
    assert record["monitoring"]["retrain_schedule"] == "never"
    assert "- gate now, min stability: 0.6\n" in text.text
    for segment in version["segments"]:
        assert segment["name"] in text.text
    problem(client.get("/v1/models/9/record"), 404)


def test_the_command_writes_it_to_a_file(bank_url: str, tmp_path: Path) -> None:
    to = tmp_path / "record.md"

    assert command(bank_url, "models", "record", "1", "-o", str(to)).returncode == 0
    as_json = command(bank_url, "models", "record", "1", "--json")

    assert to.read_text().startswith("# Model record: Customer segmentation, version 1\n")
    assert json.loads(as_json.stdout)["model"]["version"] == 1
    assert command(bank_url, "models", "record", "5").returncode == 6


def test_only_what_a_key_may_not_see_is_said_to_be_hidden(
    bank_url: str, shipped_model: Model
) -> None:
    units = units_over(bank_url)
    version = store_candidate(units, renumbered(shipped_model, {3: 7}))
    units.close()

    compared = run("models", "compare", "1", str(version), env={"DATABASE_URL": bank_url}).stdout

    assert "hidden" not in compared
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in compared.splitlines()]
    sizes = {row[0]: row[3:] for row in rows if row}
    assert sizes["3"] == ["5,357", "\N{EN DASH}"]
    assert sizes["7"] == ["\N{EN DASH}", "5,357"]


@pytest.mark.long
@pytest.mark.timeout(120)
def test_commands_train_list_compare_and_measure_drift(bank_url: str) -> None:
    trained = command(bank_url, "train", "--seed", "3", "--by", "Ada", "--reason", "a test")
    compared = command(bank_url, "models", "compare", "1", "2", "--json")
    drift = command(bank_url, "drift")
    jobs = command(bank_url, "jobs", "list")
    listed = command(bank_url, "models", "list")

    assert trained.stdout.strip() == "Model version 2 is now active", trained.stderr
    assert json.loads(compared.stdout)["moved"] == 0
    assert "drift is stable" in drift.stdout
    assert "succeeded" in jobs.stdout
    assert "active" in listed.stdout
    assert command(bank_url, "jobs", "cancel", "0" * 32).returncode == 6
