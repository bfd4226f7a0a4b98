"""Customers' ids in paths and queries, as the schema says: integers or texts."""

from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, unquote

from fastapi import Path
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, Field
from starlette.routing import Match
from starlette.types import Scope

from customer_segmentation.api.http.fields import NUMBER
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.routers import Router
from customer_segmentation.domain.attributes import ID_PATTERN, LONGEST_ID, CustomerId, Id
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.numbers import LARGEST_INTEGER

_PATH = "The customer's id"

STORED = 56
"""A customer who is stored in the shipped data, as an example."""


def router_by_id(id_: Id, prefix: str, tag: str, *, takes_json: bool = False) -> Router:
    """Return a router whose paths may hold customers' ids.

    Args:
        id_: what tells customers apart.
        prefix: of the paths.
        tag: under which the document lists them.
        takes_json: whether bodies are read as `JsonRoute` reads them.
    """
    plain, encoded = (JsonRoute, _EncodedJsonRoute) if takes_json else (APIRoute, _EncodedRoute)
    kind: type[APIRoute] = encoded if id_.is_text else plain
    return Router(prefix, tag, route_class=kind)


def path_id(id_: Id) -> Any:  # noqa: ANN401
    """Return the type of a customer's id in a path, for the routes of a `router_by_id`."""
    if not id_.is_text:
        path = Path(ge=1, le=LARGEST_INTEGER, description=_PATH, examples=[STORED])
        return Annotated[int, path]

    def accept(encoded: str) -> CustomerId:
        return _accept(id_, unquote(encoded, errors="surrogateescape"))

    path = Path(
        min_length=1,
        max_length=LONGEST_ID,
        description=f"{_PATH}, percent-encoded",
        json_schema_extra={"pattern": ID_PATTERN},
        examples=[id_.example],
    )
    return Annotated[str, BeforeValidator(accept), path]


def body_id(id_: Id) -> Any:  # noqa: ANN401
    """Return the type of a customer's id in a body that Pydantic reads."""
    if id_.is_text:
        return Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=ID_PATTERN)]
    return Annotated[int, Field(ge=1, le=LARGEST_INTEGER), NUMBER]


def encoded_id(customer_id: CustomerId) -> str:
    """Return an id as a segment of a path.

    >>> encoded_id("A/7 ü"), encoded_id("..")
    ('A%2F7%20%C3%BC', '%2E%2E')
    """
    encoded = quote(str(customer_id), safe="")
    # Plain, these would lead to another folder.
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def read_query_id(query: bytes, id_: Id) -> CustomerId:
    """Return the id that the query gives once.

    Raises:
        InvalidInputError: it is missing, given more than once, or not allowed.
    """
    text = query.decode("ascii", errors="surrogateescape")
    fields = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    given = [value for name, value in fields if name == id_.name]
    if len(given) == 1:
        return _accept(id_, given[0])
    count = "missing" if not given else "given more than once"
    message = f"{id_.name} is {count}: it must be {id_.allowed}"
    raise InvalidInputError([FieldError(id_.name, message)])


def _accept(id_: Id, text: str) -> CustomerId:
    try:
        return id_.accept(text) if id_.is_text else id_.accept_text(text)
    except ValueError as refusal:
        raise InvalidInputError([FieldError(id_.name, str(refusal))]) from None


class _EncodedRoute(APIRoute):
    """A route that is found by the path as it was sent, so that an id may hold a slash."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route is meant, and with which parameters, still encoded."""
        sent = scope.get("raw_path")
        if sent is None:
            return super().matches(scope)
        return super().matches({**scope, "path": sent.decode("ascii")})


class _EncodedJsonRoute(_EncodedRoute, JsonRoute):
    """The same, whose bodies are read as those of `JsonRoute`."""
