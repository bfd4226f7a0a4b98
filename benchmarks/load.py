"""A load of keep-alive HTTP connections, each sending its next request when it has its answer."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """What a load found.

    Attributes:
        rate: answers a second.
        latencies: of each request, in seconds, rising.
    """

    rate: float
    latencies: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median latency, in seconds."""
        return self.latencies[len(self.latencies) // 2]

    @property
    def p99(self) -> float:
        """The latency that 99 of 100 requests stay under, in seconds."""
        return self.latencies[int(len(self.latencies) * 0.99)]


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Sequence[bytes], latencies: list[float], interval: float) -> None:
        self._requests = requests
        self._interval = interval
        self._latencies = latencies
        self._transport = asyncio.Transport()
        self._sent_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # Connections that keep an interval must not all send at the same moment.
        wait = random.uniform(0.0, self._interval)  # noqa: S311
        asyncio.get_running_loop().call_later(wait, self._send)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not answered with 200: {self._received!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            latency = time.perf_counter() - self._sent_at
            self._latencies.append(latency)
            if self._interval > latency:
                asyncio.get_running_loop().call_later(self._interval - latency, self._send)
            else:
                self._send()

    def stop(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        if not self._transport.is_closing():
            self._transport.write(random.choice(self._requests))  # noqa: S311


def run_load(
    port: int,
    *requests: bytes,
    connections: int = 32,
    seconds: float = 5.0,
    interval: float = 0.0,
    warm_up: float = 1.0,
) -> Load:
    """Send requests, each drawn from those given, over and over on many connections.

    Args:
        port: of the server on this machine.
        requests: what is sent.
        connections: how many send at the same time.
        seconds: how long it is measured.
        interval: seconds from one request of a connection to its next; without, the next is sent
            as soon as the answer is there.
        warm_up: seconds before, that do not count.
    """
    return uvloop.run(_run(port, requests, connections, seconds, interval, warm_up))


async def _run(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    interval: float,
    warm_up: float,
) -> Load:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Connection(requests, latencies, interval), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.sleep(warm_up)
    latencies.clear()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    found = tuple(sorted(latencies))
    for client in clients:
        client.stop()
    return Load(rate=len(found) / elapsed, latencies=found)


def http_request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP/1.1 request with a JSON body."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
