"""Limits on request bodies, whoever reads them."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest

from customer_segmentation.api.http.connections import Gathered
from tests.conftest import NewBank
from tests.support.answers import problem
from tests.support.examples import SOMEONE
from tests.support.servers import Server, running

PATHS = [
    "/v1/customers",
    "/v1/customers:batch",
    "/v1/segments:predict",
    "/v1/models",
    "/v1/webhooks",
]
WHOLE = b"GET /health/live HTTP/1.1\r\nHost: bank\r\n\r\n"
HALF = b"GET /health/live HTTP/1.1\r\nHost: bank\r\nX-Half: "


@pytest.fixture(scope="module")
def impatient(new_bank: NewBank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for a body for half a second, and takes little."""
    directory = tmp_path_factory.mktemp("impatient")
    limits = {
        "CUSTOMER_SEGMENTATION_BODY_SECONDS": "0.5",
        "CUSTOMER_SEGMENTATION_MAX_BODY_BYTES": "2000",
        "CUSTOMER_SEGMENTATION_MAX_BATCH_BYTES": "4000",
    }
    with new_bank(directory) as url, running(url, directory, **limits) as server:
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


@pytest.mark.parametrize("path", [*PATHS, "/add_customer_to_database"])
def test_a_body_that_is_announced_as_too_large_is_not_waited_for(
    impatient: Server, path: str
) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: bank\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 4001\r\n\r\n".encode())
        answer = HTTPResponse(connection)
        answer.begin()

        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        answer.read()
        assert connection.recv(1) == b""


@pytest.mark.parametrize(("before", "sent"), [(0, b""), (0, HALF), (1, HALF)])
def test_a_head_that_does_not_arrive_is_given_up(
    impatient: Server, before: int, sent: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        for _ in range(before):
            connection.sendall(WHOLE)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        connection.sendall(sent)

        while connection.recv(1000):
            pass

    assert time.monotonic() - started < 5.0


def test_a_head_without_end_is_refused(impatient: Server) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nX-Long: " + b"x" * 70_000)

        assert b"at most 65536 bytes" in connection.recv(1000)


def test_a_connection_that_rests_is_kept(impatient: Server) -> None:
    connection = HTTPConnection("127.0.0.1", impatient.port, timeout=10)
    sockets = []
    for seconds in (0.0, 1.0):
        time.sleep(seconds)
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b'{"status":"live"}'
        sockets.append(connection.sock)

    assert sockets[0] is sockets[1] is not None
    connection.close()


def test_what_fits_is_answered(impatient: Server) -> None:
    people = json.dumps([SOMEONE] * 8)
    assert 2000 < len(people) < 4000
    answer = impatient.client.post(
        "/v1/segments:predict", content=people, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


class Wire(asyncio.Transport):
    """The network, as a list of what is sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True


def test_an_answer_is_sent_in_one_piece_and_a_long_one_as_it_comes() -> None:
    async def answer() -> None:
        gathered = Gathered(wire, asyncio.get_running_loop(), lambda transport: transport.close())
        gathered.write(b"head ")
        gathered.write(b"body")
        await asyncio.sleep(0)
        gathered.write(b"x" * 20_000)
        gathered.write(b"the rest")
        assert len(wire.sent) == 2
        gathered.close()
        await asyncio.sleep(0)

    wire = Wire()
    asyncio.run(answer())

    assert wire.sent == [b"head body", b"x" * 20_000, b"the rest"]
    assert wire.closed
