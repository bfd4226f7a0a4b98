"""A load of keep-alive HTTP connections, each sending its next request when it has its answer."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
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
    def __init__(self, requests: Iterator[bytes], latencies: list[float], interval: float) -> None:
        self._requests = requests
        self._interval = interval
        self._latencies = latencies
        self._transport = asyncio.Transport()
        self._due_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # Connections that keep an interval must not all send at the same moment.
        wait = random.uniform(0.0, self._interval)  # noqa: S311
        self._due_at = time.perf_counter() + wait
        asyncio.get_running_loop().call_later(wait, self._send)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"refused: {self._received!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._due_at)
        # A request that was due while the last was under way has waited since then, and its
        # latency says so; otherwise a slow server would be asked less, and look better for it.
        self._due_at = self._due_at + self._interval if self._interval else now
        if self._due_at > now:
            asyncio.get_running_loop().call_later(self._due_at - now, self._send)
        else:
            self._send()

    def stop(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        self._received = b""
        if not self._transport.is_closing():
            self._transport.write(next(self._requests))


def run_load(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int = 32,
    seconds: float = 3.0,
    rate: float | None = None,
    warm_up: float = 1.0,
) -> Load:
    """Send requests over and over on many connections.

    Args:
        port: of the server on this machine.
        requests: what is sent, one after the other.
        connections: how many send at the same time.
        seconds: how long it is measured.
        rate: requests a second that are due, whatever the server makes of them; without, a
            connection sends its next as soon as its answer is there.
        warm_up: seconds before, that do not count.
    """
    interval = connections / rate if rate else 0.0
    return uvloop.run(_run(port, requests, connections, seconds, interval, warm_up))


async def _run(
    port: int,
    requests: Iterator[bytes],
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


def any_of(requests: Sequence[bytes]) -> Iterator[bytes]:
    """Draw from requests, for ever."""
    while True:
        yield random.choice(requests)  # noqa: S311


def http_request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP/1.1 request with a JSON body."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
