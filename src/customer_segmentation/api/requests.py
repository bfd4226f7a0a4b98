"""Reading requests: the JSON object of a body, a number of the query."""

import msgspec
from starlette.requests import Request

from customer_segmentation.api.problems import MEDIA, TOO_LARGE, RequestProblemError
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import Feature, Number

_decoder = msgspec.json.Decoder()


async def read_object(request: Request, max_bytes: int) -> dict[str, object]:
    """Return the fields of a JSON body.

    Raises:
        RequestProblemError: the body is too large or said not to be JSON.
        InvalidInputError: the body is not one JSON object.
    """
    content_type = request.headers.get("content-type", "application/json")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RequestProblemError(MEDIA, "Send the body as Content-Type: application/json")
    try:
        fields = _decoder.decode(await _read_body(request, max_bytes))
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


async def _read_body(request: Request, max_bytes: int) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise RequestProblemError(TOO_LARGE, f"The body may hold at most {max_bytes} bytes")
    return body


def _invalid_body(message: str) -> InvalidInputError:
    return InvalidInputError([FieldError("body", message)])
