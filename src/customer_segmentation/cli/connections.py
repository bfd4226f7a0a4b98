"""What uvicorn's connections lack: limits on request heads, and answers written in one piece."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 65_536
_ENOUGH = 16_384
"""Bytes to write at once."""


class Connection(HttpToolsProtocol):
    """A connection that is closed when a head is too large, or takes too long to arrive.

    Who opens connections and sends little or nothing would else hold them as long as they like.
    """

    def __init__(self, seconds: float, **given: Any) -> None:  # noqa: ANN401
        """Wait for nothing yet.

        Args:
            seconds: how long a head may take.
            given: what uvicorn gives.
        """
        super().__init__(**given)
        self._seconds = seconds
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        super().data_received(data)
        self._size += len(data)
        if self._since is not None and self._size > _MOST_BYTES:
            self.send_400_response(f"The head may hold at most {_MOST_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Wait for the next head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Answer; the body has limits of its own."""
        self._since = None
        super().on_headers_complete()

    def _await_head(self) -> None:
        """Note since when; a timer for each of many requests would take as long as reading one."""
        self._size = 0
        self._since = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        """Give up on a head that is late; else look again when it would be."""
        self._timer = None
        if self._since is None:
            return
        left = self._since + self._seconds - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self.transport.close()


class Gathered:
    """A transport that writes the head and the body of an answer together.

    Written one by one, each takes a call of the system, and each wakes the other side.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Write to a transport."""
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write with what else is written in this turn of the event loop, at its end."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _ENOUGH:
            # The transport must know of it, to say when it has enough.
            self._flush()

    def close(self) -> None:
        """Write what is left, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()
            self._size = 0
