"""Authentication: who is let in, before every route and the fast path."""

from contextlib import nullcontext
from typing import Annotated

from fastapi import Depends, Request
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.api.http.headers import FOR_DATA, FOR_DOCS
from customer_segmentation.api.http.problems import RequestProblemError, problem_response
from customer_segmentation.api.http.roles import Roles
from customer_segmentation.api.middleware.origins import Origins
from customer_segmentation.api.middleware.rate_limits import RateLimit, Refusals
from customer_segmentation.domain.access import ApiKey, Role
from customer_segmentation.domain.errors import (
    NotAllowedError,
    SegmentationError,
)
from customer_segmentation.services.operation.keys import KeyRing
from customer_segmentation.services.runtime.audit import acting_as
from customer_segmentation.services.runtime.settings import Settings

_DOCS = ("/docs", "/static-offline-docs", "/guide")


def actor_of(request: Request) -> str:
    """Return the name of the key that a request was sent with; empty where there are no keys."""
    return actor_in(request.scope)


def actor_in(scope: Scope) -> str:
    """Do as `actor_of`, without a request."""
    return str(scope.get("state", {}).get("actor", ""))


Actor = Annotated[str, Depends(actor_of)]
"""The name of the key that a request was sent with."""


def role_of(request: Request) -> str:
    """Return the role of the key that a request was sent with; where there are no keys, admin."""
    return str(getattr(request.state, "role", Role.ADMIN.label))


RoleName = Annotated[str, Depends(role_of)]
"""The role of the key that a request was sent with."""


def min_group_size_of(request: Request) -> int:
    """Return how many people a count must be of to be told to who asks; 0 is any."""
    return int(getattr(request.state, "min_group_size", 0))


MinGroupSize = Annotated[int, Depends(min_group_size_of)]
"""How many people a count must be of to be told."""


class Admission:
    """Tells whether a request is let in."""

    def __init__(self, keys: KeyRing | None, settings: Settings, roles: Roles) -> None:
        """Know the keys, and what they open.

        Args:
            keys: the good keys; None lets in everyone but web pages from elsewhere.
            settings: say how many requests each key may send, who is told small counts, and which
                web pages may call.
            roles: that calls need.
        """
        self._keys = keys
        self._roles = roles
        self._origins = Origins(settings)
        per_minute = settings.requests_per_minute
        self._limit = RateLimit(per_minute) if per_minute else None
        self._min_group_size = settings.min_group_size
        self._refusals = Refusals()

    def admit(self, scope: Scope) -> ApiKey | None:
        """Return the key that a request is let in with, None where it needs none.

        What is known of who asks is left in the request's state.

        Raises:
            RequestProblemError: no key is asked for, and a page from elsewhere may have sent it.
            NotSignedInError: it has no good key.
            NotAllowedError: its key has an insufficient role.
            TooManyRequestsError: its key was used too often, or its address was refused too often.
        """
        try:
            if self._keys is not None:
                return self._admit_by_key(self._keys, scope)
            self._origins.check(scope)
        except (SegmentationError, RequestProblemError) as refusal:
            self._refusals.note(scope, self._roles.find(scope)[0], refusal)
            raise
        return None

    def _admit_by_key(self, keys: KeyRing, scope: Scope) -> ApiKey | None:
        path, role = self._roles.find(scope)
        if role is None:
            return None
        key = keys.identify(_presented(Headers(scope=scope)))
        if self._limit is not None:
            self._limit.spend(key.id)
        if key.role < role:
            raise NotAllowedError(
                f"The key {key.name} has the role {key.role.label}; "
                f"{scope['method']} {path} needs {role.label}"
            )
        min_group_size = 0 if key.role is Role.ADMIN else self._min_group_size
        scope.setdefault("state", {}).update(
            actor=key.name, role=key.role.label, min_group_size=min_group_size
        )
        return key


class Authentication:
    """Middleware that lets a request in, or answers why not."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        """Stand before an app, which answers those who are let in."""
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_docs = get_route_path(scope).startswith(_DOCS)
        root_path = scope.get("root_path", "").encode()
        guarded = _with_headers(send, FOR_DOCS if is_docs else FOR_DATA, root_path)
        try:
            key = self._admission.admit(scope)
        except (SegmentationError, RequestProblemError) as refusal:
            await problem_response(refusal)(scope, receive, guarded)
            return
        # Without keys it is who runs the command, if anyone is known.
        with acting_as(key.name) if key else nullcontext():
            await self._app(scope, receive, guarded)


class Cors(CORSMiddleware):
    """Starlette's middleware, whose answers to preflights have the headers of every answer."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer whether a request may be sent."""
        response = super().preflight_response(request_headers)
        response.raw_headers += FOR_DATA
        return response


def _presented(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return headers.get("x-api-key")


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]], root_path: bytes) -> Send:
    """Add headers to an answer, and where the service is mounted to the place that it names."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = message["headers"]
            if root_path:
                told = [_mounted(name, value, root_path) for name, value in told]
            message["headers"] = [*told, *headers]
        await send(message)

    return guarded


def _mounted(name: bytes, value: bytes, root_path: bytes) -> tuple[bytes, bytes]:
    is_place = name == b"location" and value.startswith(b"/")
    return name, root_path + value if is_place else value
