"""Connections: closed in time whatever their clients do, and never too many."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPResponse
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from customer_segmentation.api.http.connections import Connection
from tests.support.servers import free_port, running

SECONDS = 1.0
"""How long the server waits for a head and between requests."""
SOON = 6.0
"""More than it lingers and waits together, on a slow machine."""
WHOLE = b"GET /now HTTP/1.1\r\nHost: bank\r\n\r\n"
NEVER_WHOLE = b"Host: bank\r\nContent-Length: 1000000\r\n\r\n"
MOST = 4


async def answer_by_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, or once the body or the test is over."""
    if scope["path"] == "/later":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/whole":
        while (await receive()).get("more_body"):
            pass
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that has place for four connections."""
    config = uvicorn.Config(
        answer_by_path,
        port=free_port(),
        loop=request.param,
        http=partial(Connection, SECONDS, MOST),  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        timeout_keep_alive=int(SECONDS),
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until_listening(config.port)
    yield config.port
    server.should_exit = True
    thread.join()


def until_listening(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@contextmanager
def connected(port: int, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        yield connection


def answer_on(connection: socket.socket) -> HTTPResponse:
    answer = HTTPResponse(connection)
    answer.begin()
    return answer


def seconds_until_closed(connection: socket.socket, trickle: bytes = b"") -> float:
    """Return how long a connection stays, while something is sent on it again and again."""
    started = time.monotonic()
    connection.settimeout(0.2)
    while time.monotonic() - started < 3 * SOON:
        try:
            if trickle:
                connection.sendall(trickle)
            if not connection.recv(1000) and not trickle:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


@pytest.mark.parametrize("method", [b"POST", b"GET"])
@pytest.mark.parametrize("trickle", [b"", b"x"])
def test_who_is_answered_before_the_whole_body_is_there_is_told_the_end_and_closed_in_time(
    port: int, method: bytes, trickle: bytes
) -> None:
    with connected(port, method + b" /now HTTP/1.1\r\n" + NEVER_WHOLE) as connection:
        answer = answer_on(connection)

        assert (answer.getheader("connection"), answer.read()) == ("close", b"done")
        assert seconds_until_closed(connection, trickle) < SOON


def test_who_still_sends_a_large_body_gets_the_answer(port: int) -> None:
    with connected(port, b"POST /now HTTP/1.1\r\n" + NEVER_WHOLE) as connection:
        time.sleep(0.1)
        connection.sendall(b"x" * 900_000)

        assert answer_on(connection).read() == b"done"


def test_a_connection_whose_requests_are_whole_is_kept(port: int) -> None:
    with connected(port) as connection:
        for sent in (WHOLE, b"POST /whole HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\n"):
            connection.sendall(sent)
            if sent is not WHOLE:
                time.sleep(0.1)
                connection.sendall(b"x")
            answer = answer_on(connection)
            assert (answer.getheader("connection"), answer.read()) == (None, b"done")
        connection.sendall(WHOLE + WHOLE)
        answers = answer_on(connection)
        assert answers.read() == b"done"


@pytest.mark.parametrize("before", [b"", WHOLE])
def test_empty_lines_do_not_keep_a_connection(port: int, before: bytes) -> None:
    with connected(port, before) as connection:
        assert seconds_until_closed(connection, b"\r\n") < SOON


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_no_request_is_answered_as_every_other_problem(port: int, sent: bytes) -> None:
    with connected(port, sent) as connection:
        answer = answer_on(connection)
        told = answer.read()

        assert answer.status == 400
        assert answer.getheader("content-type") == "application/problem+json"
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert b"urn:customer-segmentation:problem:not-http" in told
        assert seconds_until_closed(connection) < SOON


def test_the_connection_that_rests_longest_makes_place_for_a_new_one(port: int) -> None:
    with ExitStack() as stack:
        resting = []
        for _ in range(MOST):
            resting.append(stack.enter_context(connected(port, WHOLE)))
            assert answer_on(resting[-1]).read() == b"done"
            time.sleep(0.01)

        with connected(port, WHOLE) as connection:
            assert answer_on(connection).read() == b"done"
        assert seconds_until_closed(resting[0]) < SECONDS / 2


def test_where_no_connection_rests_a_new_one_is_told_so_and_health_is_answered(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(connected(port, b"GET /later HTTP/1.1\r\nHost: bank\r\n\r\n"))
        time.sleep(0.2)
        with connected(port, WHOLE) as connection:
            answer = answer_on(connection)
            assert (answer.status, answer.getheader("connection")) == (503, "close")
            assert answer.getheader("retry-after")
            assert b"too many connections" in answer.read()
        with connected(port, WHOLE.replace(b"/now", b"/health/live")) as connection:
            assert answer_on(connection).read() == b"done"


def test_a_server_with_few_descriptors_stays_reachable_whatever_refused_clients_do(
    bank_url: str, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    refused = b"POST /nowhere HTTP/1.1\r\n" + NEVER_WHOLE
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            server = stack.enter_context(running(bank_url, tmp_path))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
        for sent in (refused, b"", WHOLE):
            for _ in range(300):
                stack.enter_context(connected(server.port, sent))
            assert server.client.get("/health/ready").status_code == 200
            assert server.client.get("/v1/customers/56").status_code == 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
