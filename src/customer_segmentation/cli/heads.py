"""Limits that uvicorn has not: how large request heads are, and how long they take to arrive."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 65_536


class BoundedHeads(HttpToolsProtocol):
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
        self._deadline: asyncio.TimerHandle | None = None
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        super().data_received(data)
        self._size += len(data)
        if self._deadline is not None and self._size > _MOST_BYTES:
            self.send_400_response(f"The head may hold at most {_MOST_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Wait for the next head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Answer; the body has limits of its own."""
        self._head_is_there()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_is_there()
        self._size = 0
        self._deadline = self.loop.call_later(self._seconds, self._give_up)

    def _head_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
