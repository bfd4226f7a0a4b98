"""A shorter way to the six functions, which FastAPI documents and answers alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from customer_segmentation.api.problems import RequestProblemError, problem_response
from customer_segmentation.api.security import actor_in
from customer_segmentation.domain.errors import SegmentationError


@dataclass(frozen=True, slots=True)
class Asked:
    """What a function is asked.

    Attributes:
        query: the part of the URL after the question mark.
        content_type: of the body, as the request says; empty where it does not.
        body: of the request.
        actor: the name of the key that it was sent with; empty where there are no keys.
    """

    query: bytes
    content_type: str
    body: bytes
    actor: str


Function: TypeAlias = Callable[[Asked], Awaitable[bytes]]
"""Answers with JSON."""

_JSON = (b"content-type", b"application/json")


class LeanRoutes:
    """Middleware that hands a request straight to its function when method and path are known.

    Matching every router and solving dependencies takes FastAPI several times as long as a
    prediction takes us. What is not in the table goes on to FastAPI, which has the same functions
    and answers alike; a test holds one against the other.
    """

    def __init__(self, app: ASGIApp, functions: Mapping[tuple[str, str], Function]) -> None:
        """Stand before an app.

        Args:
            app: what answers everything else.
            functions: by method and path.
        """
        self._app = app
        self._functions = functions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        function = None
        if scope["type"] == "http":
            function = self._functions.get((scope["method"], scope["path"]))
        if function is None:
            await self._app(scope, receive, send)
            return
        scope["lean_route"] = scope["path"]
        try:
            content = await function(await _asked(scope, receive))
        except (SegmentationError, RequestProblemError) as error:
            await problem_response(error)(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(content)), _JSON]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


async def asked_by(request: Request) -> Asked:
    """Return what a request asks."""
    return await _asked(request.scope, request.receive)


async def _asked(scope: Scope, receive: Receive) -> Asked:
    content_type = ""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
            break
    body = b"" if scope["method"] == "GET" else await _read(receive)
    return Asked(scope["query_string"], content_type, body, actor_in(scope))


async def _read(receive: Receive) -> bytes:
    """Return the body of a request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body
