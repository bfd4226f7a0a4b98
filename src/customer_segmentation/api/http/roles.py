"""Which role a call needs: each route declares it, and what declares none needs the greatest.

>>> @router.get("/customers")
... @needs(Role.READER)
... def list_customers() -> Page: ...
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import BaseRoute
from starlette.types import Scope

from customer_segmentation.domain.access import Role

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ATTRIBUTE = "needed_role"


def needs(role: Role | None) -> Callable[[Endpoint], Endpoint]:
    """Return a decorator that declares the least role that may call an endpoint; None is anyone."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, role)
        return endpoint

    return declare


def needed_role(endpoint: object) -> Role | None:
    """Return the least role that may call an endpoint; None where anyone may."""
    role: Role | None = getattr(endpoint, _ATTRIBUTE, Role.ADMIN)
    return role


class Roles:
    """The roles that the routes of an application declare, found by method and path."""

    def __init__(self, routes: Collection[BaseRoute], public: Collection[BaseRoute]) -> None:
        """Know the routes as they are now; one that is added later needs the greatest role.

        Args:
            routes: all of them.
            public: those that anyone may call whatever they declare, as the framework made them.
        """
        self._by_method: dict[str, list[tuple[re.Pattern[str], str, Role | None]]]
        self._by_method = defaultdict(list)
        self._mounted: list[tuple[re.Pattern[str], str]] = []
        for route in iter_route_contexts([*routes]):
            is_public = route.original_route in public
            role = None if is_public else needed_role(route.endpoint)
            template = route.path_format or ""
            for method in route.methods or ():
                self._by_method[method].append((route.path_regex, template, role))
            if route.methods is None and is_public:
                self._mounted.append((route.path_regex, template))

    def find(self, scope: Scope) -> tuple[str, Role | None]:
        """Return the route's path that a call is for, and the least role that may make it.

        The path is matched as the router matches it, whatever it is mounted under. The role is None
        where anyone may; where there is no route, it is the greatest.
        """
        path = get_route_path(scope)
        # FastAPI answers no HEAD; that it does not may be told to whom a GET is answered.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for pattern, template, role in self._by_method.get(method, ()):
            if pattern.match(path):
                return template, role
        for pattern, template in self._mounted:
            if pattern.match(path):
                return template, None
        return "a path that there is not", Role.ADMIN
