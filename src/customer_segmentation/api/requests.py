"""Reading requests: the JSON object of a body, a number of the query."""

import msgspec
from starlette.requests import Request

from customer_segmentation.api.problems import MEDIA, RequestProblemError
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import Feature, Number

_decoder = msgspec.json.Decoder()


async def read_object(request: Request) -> dict[str, object]:
    """Return the fields of a JSON body.

    Raises:
        RequestProblemError: the body is said not to be JSON, too large or too slow.
        InvalidInputError: the body is not one JSON object.
    """
    if media_type(request) != "application/json":
        raise RequestProblemError(MEDIA, "Send the body as Content-Type: application/json")
    return decode_object(await request.body())


def media_type(request: Request) -> str:
    """Return what a request says its body is; JSON where it says nothing."""
    content_type = request.headers.get("content-type", "application/json")
    return content_type.partition(";")[0].strip().lower()


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


def read_query_number(request: Request, feature: Feature) -> Number:
    """Return a number that the query gives once.

    Raises:
        InvalidInputError: it is missing, given more than once, or not allowed.
    """
    given = request.query_params.getlist(feature.name)
    try:
        if len(given) == 1:
            return feature.accept_text(given[0])
        count = "missing" if not given else "given more than once"
        raise ValueError(f"{feature.name} is {count}: it must be {feature.allowed}")
    except ValueError as refusal:
        raise InvalidInputError([FieldError(feature.name, str(refusal))]) from None


def _invalid_body(message: str) -> InvalidInputError:
    return InvalidInputError([FieldError("body", message)])
