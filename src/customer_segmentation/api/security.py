"""Security at the door: keys and roles, rate limits, response headers.

It stands before every route, the lean ones too. What a path needs is told by one table; a path that
it does not name needs the greatest role.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_segmentation.api.problems import problem_response
from customer_segmentation.domain.access import ApiKey, Role
from customer_segmentation.domain.errors import (
    NotAllowedError,
    SegmentationError,
    TooManyRequestsError,
)
from customer_segmentation.services.audit import acting_as
from customer_segmentation.services.keys import KeyRing
from customer_segmentation.services.settings import Settings

PUBLIC = re.compile(r"/(docs|openapi\.json|static-offline-docs|health)(/|$)")
"""What anyone may see: what the service is, and whether it is well."""

_READING = ("GET", "HEAD")
_ADMINISTRATION = re.compile(r"/v1/(audit|webhooks)([/:]|$)")
_ASKING = re.compile(
    r"(/v1/segments:predict|/predict_customer_segment_in_real_time|/RealTimeSegmentation)$"
)
_CUSTOMERS = re.compile(
    r"/v1/customers([/:]|$)"
    r"|/(add_customer_to|update_customer_details_to|delete_customer_from)_database$"
    r"|/(AddCustomer|UpdateCustomerDetails|DeleteCustomer)$"
)

_DOCS = ("/docs", "/static-offline-docs")
_FOR_ALL = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
FOR_DATA = [
    *_FOR_ALL,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
"""The headers of every answer that is not documentation."""

_FOR_DOCS = [
    *_FOR_ALL,
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; frame-ancestors 'none'",
    ),
]


def needed_role(method: str, path: str) -> Role | None:
    """Return the least role that may call a path; None where anyone may."""
    if PUBLIC.match(path):
        return None
    if _ADMINISTRATION.match(path):
        return Role.ADMIN
    if method in _READING or _ASKING.match(path):
        return Role.READER
    return Role.WRITER if _CUSTOMERS.match(path) else Role.ADMIN


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


def least_group_of(request: Request) -> int:
    """Return how many people a count must be of to be told to who asks; 0 is any."""
    return int(getattr(request.state, "least_group", 0))


LeastGroup = Annotated[int, Depends(least_group_of)]
"""How many people a count must be of to be told."""


class Admission:
    """Tells whether a request is let in."""

    def __init__(self, keys: KeyRing | None, settings: Settings) -> None:
        """Know the keys.

        Args:
            keys: the good keys; None lets everyone in.
            settings: say how many requests each key may send, and who is told small counts.
        """
        self._keys = keys
        per_minute = settings.requests_per_minute
        self._limit = RateLimit(per_minute) if per_minute else None
        self._least_group = settings.min_group_size

    def admit(self, scope: Scope) -> ApiKey | None:
        """Return the key that a request is let in with, None where it needs none.

        What is known of who asks is left in the request's state.

        Raises:
            NotSignedInError: it has no good key.
            NotAllowedError: its key's role does not go so far.
            TooManyRequestsError: its key was used too often.
        """
        role = None if self._keys is None else needed_role(scope["method"], scope["path"])
        if self._keys is None or role is None:
            return None
        key = self._keys.identify(_presented(Headers(scope=scope)))
        if key.role < role:
            raise NotAllowedError(
                f"The key {key.name} has the role {key.role.label}; this needs {role.label}"
            )
        if self._limit is not None:
            self._limit.spend(key.id)
        least_group = 0 if key.role is Role.ADMIN else self._least_group
        scope.setdefault("state", {}).update(
            actor=key.name, role=key.role.label, least_group=least_group
        )
        return key


class Door:
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
        is_docs = scope["path"].startswith(_DOCS)
        guarded = _with_headers(send, _FOR_DOCS if is_docs else FOR_DATA)
        try:
            key = self._admission.admit(scope)
        except SegmentationError as refusal:
            await problem_response(refusal)(scope, receive, guarded)
            return
        with acting_as(key.name if key else ""):
            await self._app(scope, receive, guarded)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """A token bucket for each key: a minute's requests at once, then as they drip in."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets.

        Args:
            per_minute: how many requests a minute.
            clock: tells seconds.
        """
        self._most = float(per_minute)
        self._rate = per_minute / 60.0
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, key_id: str) -> None:
        """Count a request.

        Raises:
            TooManyRequestsError: there were too many; it tells when to try again.
        """
        moment = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(self._most, moment))
        dripped = (moment - bucket.filled_at) * self._rate
        bucket.tokens = min(self._most, bucket.tokens + dripped)
        bucket.filled_at = moment
        if bucket.tokens < 1.0:
            raise TooManyRequestsError((1.0 - bucket.tokens) / self._rate)
        bucket.tokens -= 1.0


def _presented(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return headers.get("x-api-key")


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return guarded
