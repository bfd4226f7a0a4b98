"""The OpenAPI document: complete, true, and held against the running service."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customer_segmentation import __version__
from customer_segmentation.api.function_docs import FUNCTIONS
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES
from tests.servers import Server

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))


def test_it_names_the_product_and_every_function(shared_server: Server) -> None:
    document = shared_server.client.get("/openapi.json").json()

    assert document["info"]["title"] == "Customer Segmentation"
    assert document["info"]["version"] == __version__
    assert len(document["info"]["description"]) > 300
    for name, documentation in FUNCTIONS.items():
        operation = document["paths"][f"/{name}"][documentation.method.lower()]
        assert operation["operationId"] == name
        assert operation["summary"].lower() == name.replace("_", " ")
        assert operation["description"]
        assert "503" in operation["responses"]


def test_every_field_has_its_meaning_range_and_example(shared_server: Server) -> None:
    schemas = shared_server.client.get("/openapi.json").json()["components"]["schemas"]

    for feature in (CUSTOMER_ID, *FEATURES):
        field = schemas["NewCustomer"]["properties"][feature.name]
        assert feature.meaning in field["description"]
        assert feature.allowed in field["description"]
        assert field["examples"] == [feature.example]
        assert all(label in field["description"] for label in feature.codes.values())


@pytest.mark.timeout(300 + 10 * EXAMPLES)
def test_schemathesis_finds_no_answer_that_the_document_does_not_tell(
    server: Server, tmp_path: Path
) -> None:
    phases = "--phases=examples,coverage,fuzzing"
    explore(server, tmp_path, phases, f"--max-examples={EXAMPLES}", "--workers=3")


@pytest.mark.timeout(600)
def test_schemathesis_finds_what_it_created_and_not_what_it_deleted(
    server: Server, tmp_path: Path
) -> None:
    # schemathesis knows a deletion by its method only.
    others = ("/delete_customer_from_database", "/v1/customers:batch")
    excluded = [f"--exclude-path={path}" for path in others]
    explore(server, tmp_path, "--phases=stateful", "--max-examples=300", *excluded)


def explore(server: Server, directory: Path, *options: str) -> None:
    """Let schemathesis call a server as its document says, and hold the answers to it."""
    found = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
            "run",
            f"{server.url}/openapi.json",
            "--checks=all",
            "--seed=1",
            "--request-timeout=60",
            # How fast an answer is, benchmarks tell.
            "--max-response-time=60",
            "--exclude-path=/retrain_model_with_latest_data",
            "--no-color",
            *options,
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    assert "internal-error" not in server.log
