"""Limits on request bodies, whoever reads them."""

import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.servers import Server, running
from tests.test_functions import SOMEONE, problem

PATHS = [
    "/v1/customers",
    "/v1/customers:batch",
    "/v1/segments:predict",
    "/v1/models",
    "/v1/webhooks",
]


@pytest.fixture(scope="module")
def impatient(loaded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for a body for half a second, and takes little."""
    directory = tmp_path_factory.mktemp("impatient")
    (directory / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    limits = {
        "CUSTOMER_SEGMENTATION_BODY_SECONDS": "0.5",
        "CUSTOMER_SEGMENTATION_MAX_BODY_BYTES": "2000",
        "CUSTOMER_SEGMENTATION_MAX_BATCH_BYTES": "4000",
    }
    with running(f"sqlite:///{directory / 'bank.db'}", directory, **limits) as server:
        yield server


@pytest.mark.parametrize("path", [*PATHS, "/add_customer_to_database"])
def test_a_body_that_does_not_arrive_is_given_up(impatient: Server, path: str) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\n"
        connection.sendall(f'{head}Content-Length: 900\r\n\r\n{{"age": 3'.encode())
        answer = HTTPResponse(connection)
        answer.begin()
        told = answer.read().decode()

    assert answer.status == 408
    assert "within 0.5 seconds" in told
    assert 0.4 < time.monotonic() - started < 5.0


@pytest.mark.parametrize("path", [*PATHS, "/add_customer_to_database"])
def test_a_body_that_is_too_large_is_refused(impatient: Server, path: str) -> None:
    most = 4000 if path in PATHS[1:3] else 2000

    answer = impatient.client.post(path, json={"reason": "x" * most})

    told = problem(answer, 413)
    assert f"at most {most} bytes" in told["detail"]


def test_what_fits_is_answered(impatient: Server) -> None:
    people = json.dumps([SOMEONE] * 8)
    assert 2000 < len(people) < 4000
    answer = impatient.client.post(
        "/v1/segments:predict", content=people, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
