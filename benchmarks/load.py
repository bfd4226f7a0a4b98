"""A load of keep-alive HTTP connections, each sending its next request when it has its answer."""

import asyncio
import time
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """What a load found.

    Attributes:
        rate: answers a second.
        median: of the latencies, in seconds.
        p99: the latency that 99 of 100 requests stay under, in seconds.
    """

    rate: float
    median: float
    p99: float


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request = request
        self._latencies = latencies
        self._transport = asyncio.Transport()
        self._sent_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not answered with 200: {self._received!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self._latencies.append(time.perf_counter() - self._sent_at)
            self._send()

    def stop(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)


def run_load(port: int, request: bytes, *, connections: int = 32, seconds: float = 5.0) -> Load:
    """Send one request over and over on many connections, after a second of warming up."""
    return uvloop.run(_run(port, request, connections, seconds))


async def _run(port: int, request: bytes, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    clients = [
        (await loop.create_connection(lambda: _Connection(request, latencies), "127.0.0.1", port))[
            1
        ]
        for _ in range(connections)
    ]
    await asyncio.sleep(1.0)
    latencies.clear()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    found = sorted(latencies)
    for client in clients:
        client.stop()
    return Load(
        rate=len(found) / elapsed,
        median=found[len(found) // 2],
        p99=found[int(len(found) * 0.99)],
    )


def http_request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP/1.1 request with a JSON body."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
