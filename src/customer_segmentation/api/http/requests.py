"""Reading requests: the JSON object of a body, and what the query may hold."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, get_args, get_origin

import msgspec
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from customer_segmentation.api.http.problems import MEDIA, RequestProblemError
from customer_segmentation.domain.errors import FieldError, InvalidInputError, shortened

JSON = "application/json"

MAX_VALUES = 65_536
"""How many values a JSON text may hold; each takes many times its bytes in memory."""

_decoder = msgspec.json.Decoder()


async def check_parameters(request: Request) -> None:
    """See that the route knows each parameter of the query, each but lists given once, and numbers
    are plain.

    One that is misspelt, and all but the last of one that is repeated, would have no effect. Python
    reads `5_6` as 56, which would be another customer than the one who is meant.

    Raises:
        InvalidInputError: the route does not know one, one is given twice, or a number has a `_`.
    """
    query = request.query_params.multi_items()
    written = (*request.path_params.items(), *query)
    suspects = [name for name, text in written if isinstance(text, str) and "_" in text]
    if not query and not suspects:
        return
    parameters = dict(_parameters(request.scope["route"].dependant))
    known = sorted(parameters.keys() - request.path_params.keys())
    there = f"there are {', '.join(known)}" if known else "there are none"
    faults = [
        FieldError(shortened(name), f"{shortened(name)} is no parameter of this request; {there}")
        for name, _ in query
        if name not in known
    ] + [
        FieldError(name, f"{name} is given more than once")
        for name, count in Counter(name for name, _ in query).items()
        if count > 1 and name in known and get_origin(parameters[name]) is not list
    ]
    faults += [
        FieldError(name, f"{name} must be a number, without a `_` in it")
        for name in suspects
        if {int, float} & {parameters.get(name), *get_args(parameters.get(name))}
    ]
    if faults:
        raise InvalidInputError(faults)


def _parameters(dependant: Dependant) -> Iterator[tuple[str, object]]:
    """Yield names and types of what a route reads of path and query, itself or by dependencies."""
    for field in (*dependant.path_params, *dependant.query_params):
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((name, info.annotation) for name, info in kind.model_fields.items())
        else:
            yield field.alias, kind
    for needed in dependant.dependencies:
        yield from _parameters(needed)


class JsonRoute(APIRoute):
    """A route whose JSON body FastAPI reads, which is first held to what every JSON body is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            body = await request.body()
            if body:
                check_json(request.headers.get("content-type", ""))
                decode(body)
            return await handle(request)

        return checked


async def read_object(request: Request) -> dict[str, object]:
    """Return the fields of a JSON body.

    Raises:
        RequestProblemError: the body is said not to be JSON, too large or too slow.
        InvalidInputError: the body is not one JSON object.
    """
    check_json(request.headers.get("content-type", ""))
    return decode_object(await request.body())


def check_json(content_type: str) -> None:
    """See that a body is said to be JSON, or not said to be anything.

    Raises:
        RequestProblemError: it is said to be something else.
    """
    if content_type != JSON and media_type(content_type) != JSON:
        raise RequestProblemError(MEDIA, "Send the body as Content-Type: application/json")


def media_type(content_type: str) -> str:
    """Return what a request says its body is; JSON where it says nothing."""
    return (content_type or JSON).partition(";")[0].strip().lower()


def decode_object(body: bytes) -> dict[str, object]:
    """Return the fields of a JSON object.

    Raises:
        InvalidInputError: the text is none.
    """
    fields = decode(body)
    if not isinstance(fields, dict):
        raise _invalid_body('The body must be a JSON object such as {"age": 45}')
    return fields


def decode(body: bytes) -> object:
    """Return what a JSON text says.

    Raises:
        InvalidInputError: it says too much, a name twice, or is no JSON.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise _invalid_body(f"The body may hold at most {MAX_VALUES:,} values")
    try:
        value = _decoder.decode(body)
        # Each name is followed by a colon: there are more where a name or a text holds one, where
        # an object is in another, or where a name is given twice, of which the last would win.
        if body.count(b":") != (len(value) if isinstance(value, dict) else 0):
            _refuse_repeats(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid_body(f"The body must be a JSON object: {error}") from error
    return value


def _refuse_repeats(body: bytes) -> None:
    def once(pairs: list[tuple[str, object]]) -> None:
        names = Counter(name for name, _ in pairs)
        if len(names) < len(pairs):
            raise InvalidInputError(
                [
                    FieldError(shortened(name), f"{shortened(name)} is given more than once")
                    for name, count in names.items()
                    if count > 1
                ]
            )

    # Numbers stay texts: those of many digits take long to read.
    json.loads(str(body, "utf-8"), object_pairs_hook=once, parse_int=str, parse_float=str)


def _invalid_body(message: str) -> InvalidInputError:
    return InvalidInputError([FieldError("body", message)])
