"""Limits on request bodies: how large, and how long they may take to arrive."""

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.api.problems import TOO_LARGE, TOO_SLOW, RequestProblemError
from customer_segmentation.services.settings import Settings

_BATCHES = ("/v1/customers:batch", "/v1/segments:predict")


class BoundedBodies:
    """Middleware that ends a request whose body is too large or takes too long to arrive."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before an app."""
        self._app = app
        self._seconds = settings.body_seconds
        self._most = settings.max_body_bytes
        self._most_of_batch = settings.max_batch_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with a body that has limits."""
        if scope["type"] != "http" or not _has_body(scope["headers"]):
            await self._app(scope, receive, send)
            return
        most = self._most_of_batch if scope["path"] in _BATCHES else self._most
        deadline = _Deadline(self._seconds)
        try:
            await self._app(scope, _bounded(receive, most, deadline), send)
        finally:
            deadline.stop()


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _bounded(receive: Receive, most: int, deadline: "_Deadline") -> Receive:
    """Return a receive that gives up on a body.

    Args:
        receive: that of the server.
        most: the largest body, in bytes.
        deadline: by when all of it must be there.
    """
    size = 0
    whole = False

    async def bounded() -> Message:
        nonlocal size, whole
        if whole:
            # What comes after the body is that the client has gone.
            return await receive()
        message = await deadline.wait_for(receive)
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > most:
            raise RequestProblemError(TOO_LARGE, f"The body may hold at most {most} bytes")
        return message

    return bounded


class _Deadline:
    """Cancels what waits for a body that does not arrive in time.

    As `asyncio.timeout` does, in a fraction of the time where the body is there already.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._is_over = False

    async def wait_for(self, receive: Receive) -> Message:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds, self._end)
        self._waiting = asyncio.current_task()
        try:
            return await receive()
        except asyncio.CancelledError as cancelled:
            if not self._is_over or self._waiting is None:
                raise
            self._waiting.uncancel()
            detail = f"The body must arrive within {self._seconds:g} seconds"
            raise RequestProblemError(TOO_SLOW, detail) from cancelled
        finally:
            self._waiting = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self._is_over = True
        if self._waiting is not None:
            self._waiting.cancel()
