"""The floor: a bare ASGI app that decodes the same JSON and answers, and does nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

Message = dict[str, Any]

_decoder = msgspec.json.Decoder()
_ANSWER = msgspec.json.encode(
    "Cluster 1: Value-Driven Frequent Users , Business strategy: Build loyalty to reduce churn"
)
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_ANSWER)).encode()),
]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer every request alike."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body:
        _decoder.decode(body)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})
