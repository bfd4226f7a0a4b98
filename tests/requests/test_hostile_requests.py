"""Requests that are mutated at every place: each is answered, and none with a fault of ours."""

import asyncio
import json
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from customer_segmentation.api.app import create_app
from customer_segmentation.api.v1.predictions.formats import ARROW, JSON, NDJSON
from customer_segmentation.domain.errors import JobRunningError
from customer_segmentation.domain.jobs import JobKind
from customer_segmentation.services.runtime.settings import Settings
from tests.support.asgi import call
from tests.support.examples import NEW_CUSTOMER
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.mutations import LONG_SECONDS, PEOPLE, Bounds, Read, arrow, try_mutations

CUSTOMER = {**NEW_CUSTOMER, "customer_id": 30_000}
OPERATIONS = {
    "operations": [
        {"action": "add", "customer": CUSTOMER},
        {"action": "update", "customer": {"customer_id": 56, "age": 30}},
        {"action": "delete", "customer": {"customer_id": 57}},
    ]
}
WORDS = {"name": "a", "description": "b", "strategies": [{"text": "c", "channel": "e-mail"}]}
TRAINING = {"k": 4, "seed": 1, "restarts": 2, "exclude": ["age"], "weights": {"gender": 0.5}}
TAKEN: list[tuple[str, object]] = [
    ("POST /add_customer_to_database", CUSTOMER),
    ("POST /update_customer_details_to_database", {"customer_id": 56, "age": 30}),
    ("POST /predict_customer_segment_in_real_time", ATTRIBUTES),
    ("POST /v1/customers", {**CUSTOMER, "customer_id": 30_001}),
    ("PUT /v1/customers/56", ATTRIBUTES),
    ("PATCH /v1/customers/56", {"age": 30, "account_balance": -1.5}),
    ("POST /v1/customers:batch", OPERATIONS),
    ("POST /v1/segments:predict", ATTRIBUTES),
    ("POST /v1/segments:predict", [ATTRIBUTES, ATTRIBUTES]),
    ("PATCH /v1/segments/1", WORDS),
    ("POST /v1/webhooks", {"url": "https://crm.example/segments"}),
    ("POST /v1/publishers:hold", {"name": "crm", "holder": "host 1", "cursor": "5"}),
    ("POST /v1/models", {**TRAINING, "by": "Ada", "reason": "quarterly"}),
    ("POST /v1/studies", {"by": "Ada", "reason": "quarterly"}),
    ("POST /v1/models/1:activate", {"by": "Ada", "reason": "quarterly"}),
    (f"POST /v1/jobs/{'0' * 32}:cancel", {"by": "Ada"}),
]
LEAKS = (b"Input should", b"Value error", b"pydantic", b"Traceback")


def requests() -> list[bytes]:
    """Return sound requests: method, path and media type in a line, and the body."""
    line = json.dumps(ATTRIBUTES).encode()
    return [
        *(f"{call} {JSON}\n{json.dumps(body)}".encode() for call, body in TAKEN),
        b"POST /v1/segments:predict %b\n%b\n%b\n" % (NDJSON.encode(), line, line),
        b"POST /v1/segments:predict %b\n%b" % (ARROW.encode(), arrow(PEOPLE)),
        b"POST /v1/segments:predict %b\n%b" % (ARROW.encode(), arrow(PEOPLE, "zstd")),
    ]


def answer_all(folder: Path) -> Read:
    """Make what sends requests to an application in this process, which starts no other."""

    patch("socket.getaddrinfo", side_effect=OSError).start()
    patch("customer_segmentation.api.app.get_ready").start()
    busy = JobRunningError(JobKind.TRAINING)
    patch("customer_segmentation.api.v1.models.routes.begin_training", side_effect=busy).start()
    patch("customer_segmentation.api.v1.jobs.begin_study", side_effect=busy).start()
    runner = asyncio.Runner()
    app = create_app(Settings(database_url=f"sqlite:///{folder / 'bank.db'}"))
    runner.run(app.router.lifespan_context(app).__aenter__())

    def read(request: bytes) -> str:
        head, _, body = request.partition(b"\n")
        words = str(head, "latin-1").split(" ")
        if len(words) != 3 or not words[1].startswith("/") or not head.isascii():
            return "no request"
        method, path, media = words
        answer = runner.run(call(app, method, path, {"Content-Type": media}, body=body))
        assert 200 <= answer.status < 500, (answer.status, answer.body)
        assert not any(leak in answer.body for leak in LEAKS), answer.body
        if answer.status >= 400:
            assert json.loads(answer.body)["status"] == answer.status
        return str(answer.status)

    return read


@pytest.mark.parametrize(
    "seconds", [15.0, pytest.param(LONG_SECONDS, marks=[pytest.mark.long, pytest.mark.timeout(0)])]
)
def test_requests_damaged_anywhere_are_answered_without_a_fault(
    loaded_sqlite: Path, tmp_path: Path, seconds: float
) -> None:
    shutil.copy(loaded_sqlite, tmp_path / "bank.db")

    tally = try_mutations(answer_all, requests(), tmp_path, Bounds(seconds, 300 << 20))

    assert tally.tried > 100, tally
    assert {"200", "201", "404", "415", "422"} <= tally.outcomes.keys()
