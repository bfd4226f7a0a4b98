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
        if scope["type"] == "http" and _has_body(scope["headers"]):
            most = self._most_of_batch if scope["path"] in _BATCHES else self._most
            receive = _bounded(receive, most, self._seconds)
        await self._app(scope, receive, send)


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _bounded(receive: Receive, most: int, seconds: float) -> Receive:
    """Return a receive that gives up on a body.

    Args:
        receive: that of the server.
        most: the largest body, in bytes.
        seconds: how long all of it may take.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    size = 0
    whole = False

    async def bounded() -> Message:
        nonlocal size, whole
        if whole:
            # What comes after the body is that the client has gone.
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as late:
            detail = f"The body must arrive within {seconds:g} seconds"
            raise RequestProblemError(TOO_SLOW, detail) from late
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > most:
            raise RequestProblemError(TOO_LARGE, f"The body may hold at most {most} bytes")
        return message

    return bounded
