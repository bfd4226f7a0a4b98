"""What operators see: metrics, request ids, log lines without personal data."""

import asyncio
import contextlib
import json
import re
import time
from pathlib import Path

import pytest

from customer_segmentation.api.app import repeat
from tests.support.examples import NEW_CUSTOMER, SOMEONE
from tests.support.servers import Server

pytestmark = pytest.mark.both_databases


def metrics(server: Server) -> dict[str, float]:
    """Return the metrics by name and labels."""
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_count_requests_by_route_and_tell_how_the_service_is(server: Server) -> None:
    client = server.client
    for customer in (56, 57, 999_999):
        client.get(f"/v1/customers/{customer}")
    client.post("/predict_customer_segment_in_real_time", json=SOMEONE)
    client.post("/add_customer_to_database", json=NEW_CUSTOMER)
    client.get("/no/such/path")

    found = metrics(server)

    requests = "customer_segmentation_requests_total"
    route = "/v1/customers/{customer_id}"
    assert found[f'{requests}{{method="GET",route="{route}",status="200"}}'] == 2
    assert found[f'{requests}{{method="GET",route="{route}",status="404"}}'] == 1
    predict = "/predict_customer_segment_in_real_time"
    assert found[f'{requests}{{method="POST",route="{predict}",status="200"}}'] == 1
    assert found[f'{requests}{{method="GET",route="other",status="404"}}'] == 1
    seconds = "customer_segmentation_request_seconds"
    assert found[f'{seconds}_count{{method="GET",route="{route}"}}'] == 3
    sizes = [found[f'customer_segmentation_customers{{segment="{n}"}}'] for n in range(4)]
    assert sum(sizes) == 20_001
    assert found["customer_segmentation_model_version"] == 1
    assert found["customer_segmentation_changed_customers"] == 1
    assert 0 <= found["customer_segmentation_drift_psi"] < 0.01
    assert found["customer_segmentation_model_age_seconds"] > 0


def test_metrics_of_several_processes_are_added_up(bank_url: str, tmp_path: Path) -> None:
    with Server(bank_url, tmp_path, CUSTOMER_SEGMENTATION_WORKERS="2") as server:
        for _ in range(20):
            with Server(bank_url, tmp_path).client as fresh:
                fresh.get(f"{server.url}/v1/customers/56")
        route = 'method="GET",route="/v1/customers/{customer_id}",status="200"'
        name = f"customer_segmentation_requests_total{{{route}}}"

        counts = {metrics(server)[name] for _ in range(5)}

    assert counts == {20}


def test_every_answer_bears_the_requests_id(shared_server: Server) -> None:
    client = shared_server.client

    given = client.get("/v1/customers/56", headers={"X-Request-ID": "crm-42"})
    made = {client.get("/v1/customers/999999").headers["x-request-id"] for _ in range(3)}
    evil = client.get("/health/live", headers={"X-Request-ID": "a b\tc"})

    assert given.headers["x-request-id"] == "crm-42"
    assert len(made) == 3
    assert re.fullmatch(r"[0-9a-f]{16}", evil.headers["x-request-id"])


@pytest.mark.parametrize("form", ["json", "text"])
def test_log_lines_tell_requests_without_personal_data(
    bank_url: str, tmp_path: Path, form: str
) -> None:
    wanted = {
        "CUSTOMER_SEGMENTATION_LOG_FORMAT": form,
        "CUSTOMER_SEGMENTATION_LOG_REQUESTS": "true",
    }
    with Server(bank_url, tmp_path, **wanted) as server:
        client = server.client
        client.post(
            "/add_customer_to_database",
            json={**NEW_CUSTOMER, "customer_id": 7654321, "monthly_income": 98765},
            headers={"X-Request-ID": "crm-43"},
        ).raise_for_status()
        client.get("/v1/customers/7654321").raise_for_status()
        client.post("/add_customer_to_database", json={**NEW_CUSTOMER, "age": 98765})
        time.sleep(0.3)
        log = server.log

    assert "98765" not in log
    assert "7654321" not in log
    assert "GET /v1/customers/{customer_id} answered with 200" in log
    if form == "json":
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        (added,) = (line for line in lines if line.get("request_id") == "crm-43")
        assert added["level"] == "info"
        assert added["event"].startswith("POST /add_customer_to_database answered with 200 in ")
        assert added["timestamp"].endswith("Z")


def test_a_fault_beside_the_requests_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def act() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise ZeroDivisionError

    async def wait() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(repeat(0.01, "count", act), 0.5)

    asyncio.run(wait())

    assert len(done) > 1
    (told,) = caplog.records
    assert (told.getMessage(), told.levelname) == ("Cannot count", "ERROR")
    assert told.exc_info is not None
