"""Calling an application in the tests' own process, as a server that has read a request does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope


@dataclass
class Answer:
    """What came of a call.

    Attributes:
        status: the HTTP status code.
        headers: by name in small letters.
        body: the whole of it.
        route: the path of the route that it got to, None for none.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    route: str | None = None


def http_scope(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    query: str = "",
    root_path: str = "",
    client: str = "203.0.113.1",
) -> Scope:
    """Return what a server tells an application of a request; a path is decoded already."""
    told = {"Host": "localhost", **(headers or {})}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": root_path + path,
        "raw_path": (root_path + path).encode(),
        "root_path": root_path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in told.items()],
        "client": (client, 1234),
        "server": ("localhost", 8000),
        "state": {},
    }


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    query: str = "",
    body: bytes = b"",
    root_path: str = "",
    client: str = "203.0.113.1",
) -> Answer:
    """Call an application; a path is decoded already."""
    told = {"Content-Length": str(len(body)), **(headers or {})}
    scope = http_scope(method, path, told, query=query, root_path=root_path, client=client)
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        answer.body += message.get("body", b"")

    await app(scope, receive, send)
    answer.route = getattr(scope.get("route"), "path_format", None)
    return answer
