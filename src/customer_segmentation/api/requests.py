"""Reading requests: the JSON object of a body, a number of the query."""

from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from customer_segmentation.api.problems import MEDIA, RequestProblemError
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import Feature, Number

JSON = "application/json"

_decoder = msgspec.json.Decoder()


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
    try:
        fields = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid_body(f"The body must be a JSON object: {error}") from error
    if not isinstance(fields, dict):
        raise _invalid_body('The body must be a JSON object such as {"age": 45}')
    return fields


def read_query_number(query: bytes, feature: Feature) -> Number:
    """Return a number that the query gives once.

    Raises:
        InvalidInputError: it is missing, given more than once, or not allowed.
    """
    fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = [value for name, value in fields if name == feature.name]
    try:
        if len(given) == 1:
            return feature.accept_text(given[0])
        count = "missing" if not given else "given more than once"
        raise ValueError(f"{feature.name} is {count}: it must be {feature.allowed}")
    except ValueError as refusal:
        raise InvalidInputError([FieldError(feature.name, str(refusal))]) from None


def _invalid_body(message: str) -> InvalidInputError:
    return InvalidInputError([FieldError("body", message)])
