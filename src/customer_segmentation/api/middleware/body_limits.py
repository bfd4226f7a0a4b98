"""Limits on request bodies: how large, and how long they may take to arrive."""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.api.http.problems import TOO_LARGE, TOO_SLOW, RequestProblemError
from customer_segmentation.services.runtime.settings import Settings

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ATTRIBUTE = "max_batch_bytes"
_OF_FILES = "takes_file"
_LOOKS = 20
"""How often it is looked for bodies that are late, in the time that they have."""


def takes_many(max_bytes: float = math.inf) -> Callable[[Endpoint], Endpoint]:
    """Return a decorator that declares that a body holds many rows.

    It may be as large as the settings allow for these, and no larger than `max_bytes`.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, max_bytes)
        return endpoint

    return declare


def takes_file(endpoint: Endpoint) -> Endpoint:
    """Declare that a body is a file, as large and as slow as the settings allow for imports."""
    setattr(endpoint, _OF_FILES, True)
    return endpoint


class Bodies:
    """What bodies are held to."""

    def __init__(self, settings: Settings, routes: Collection[BaseRoute]) -> None:
        """Wait for nothing yet; know which routes take many rows."""
        self._seconds = settings.body_seconds
        self._most = settings.max_body_bytes
        self._most_at = {
            route.path_format: min(settings.max_batch_bytes, getattr(route.endpoint, _ATTRIBUTE))
            for route in iter_route_contexts([*routes])
            if hasattr(route.endpoint, _ATTRIBUTE)
        }
        of_files = [
            route.path_format or ""
            for route in iter_route_contexts([*routes])
            if hasattr(route.endpoint, _OF_FILES)
        ]
        self._most_at |= dict.fromkeys(of_files, settings.max_import_bytes)
        self._seconds_at = dict.fromkeys(of_files, settings.import_seconds)
        # A path with a customer or a campaign in it is told by its pattern only.
        self._patterns = [
            (route.path_regex, route.path_format)
            for route in iter_route_contexts([*routes])
            if route.path_format in self._most_at and "{" in (route.path_format or "")
        ]
        self._due: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._is_looking = False

    def bound(self, scope: Scope, receive: Receive) -> Receive:
        """Return a receive that gives up on a body; it raises `RequestProblemError`."""
        path = self._format_of(get_route_path(scope))
        most = self._most_at.get(path, self._most)
        seconds = self._seconds_at.get(path, self._seconds)
        due = asyncio.get_running_loop().time() + seconds
        # What is announced as too large is not waited for, nor asked for with `100 Continue`.
        refused = _announced(scope["headers"]) > most
        size = 0
        whole = False

        async def bounded() -> Message:
            nonlocal size, whole
            if refused:
                raise _too_large(most)
            if whole:
                # What comes after the body is that the client has gone.
                return await receive()
            message = await self._in_time(receive, due, seconds)
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > most:
                raise _too_large(most)
            return message

        return bounded

    def _format_of(self, path: str) -> str:
        """Return a path as the routes that take much declare it."""
        if path in self._most_at:
            return path
        found = (form for pattern, form in self._patterns if pattern.match(path))
        return next(found, None) or path

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return a whole body.

        Raises:
            RequestProblemError: it is too large or too slow.
            ClientDisconnect: the client has gone.
        """
        receive = self.bound(scope, receive)
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return body

    async def _in_time(self, receive: Receive, due: float, seconds: float) -> Message:
        """Wait for a part of a body until a moment of the event loop.

        As `asyncio.timeout` does, but with one timer for all requests: nearly every body is there
        already, and a timer takes as long as what is to be done with it.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # It runs in a task.
        self._due[task] = due
        if not self._is_looking:
            self._look()
        try:
            return await receive()
        except asyncio.CancelledError as cancelled:
            if task not in self._late:
                raise
            task.uncancel()
            detail = f"The body must arrive within {seconds:g} seconds"
            raise RequestProblemError(TOO_SLOW, detail) from cancelled
        finally:
            del self._due[task]
            self._late.discard(task)

    def _look(self) -> None:
        """Cancel what waits for bodies that are late, and look again while any is awaited."""
        loop = asyncio.get_running_loop()
        for task, due in self._due.items():
            if due <= loop.time() and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._is_looking = bool(self._due)
        if self._is_looking:
            loop.call_later(self._seconds / _LOOKS, self._look)


class BoundedBodies:
    """Middleware that ends a request whose body is too large or takes too long to arrive."""

    def __init__(self, app: ASGIApp, bodies: Bodies) -> None:
        """Stand before an app."""
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with a body that has limits."""
        if scope["type"] == "http" and _has_body(scope["headers"]):
            receive = self._bodies.bound(scope, receive)
        await self._app(scope, receive, send)


def _too_large(most: int) -> RequestProblemError:
    return RequestProblemError(TOO_LARGE, f"The body may hold at most {most} bytes")


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the size that a body is announced with; 0 where it is not."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)
