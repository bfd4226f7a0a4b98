"""What Pydantic refuses, in the words that every other refusal is told in."""

from collections.abc import Mapping
from typing import Any

from customer_segmentation.domain.errors import FieldError, shortened
from customer_segmentation.domain.numbers import describe_type

_KINDS = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "uuid": "a UUID",
    "datetime": "a moment such as 2026-11-01T00:00:00Z",
    "timezone": "a moment with its time zone, such as 2026-11-01T00:00:00Z",
    "list": "an array",
    "dict": "an object",
    "model": "an object",
    "finite": "a finite number",
}
"""What a value must be, by the first word of the type of an error about it."""

_BOUNDS = {
    "greater_than_equal": "at least {ge:,}",
    "greater_than": "more than {gt:,}",
    "less_than_equal": "at most {le:,}",
    "less_than": "less than {lt:,}",
    "string_too_short": "at least {min_length:,} long",
    "string_too_long": "at most {max_length:,} long",
    "too_short": "at least {min_length:,} long",
    "too_long": "at most {max_length:,} long",
    "enum": "{expected}",
    "literal_error": "{expected}",
}
"""What a value must be, by the type of an error about it."""


def field_error(fault: Mapping[str, Any]) -> FieldError:
    """Return which field is at fault, what is allowed there and what was found instead."""
    place, kind, value = fault["loc"], fault["type"], fault["input"]
    field = ".".join(shortened(str(part)) for part in place[1:]) or str(place[0])
    if kind == "missing":
        return FieldError(field, f"{field} is missing")
    if kind == "extra_forbidden":
        return FieldError(field, f"{field} is not a known field")
    if place[0] in ("path", "query") and isinstance(value, str):
        value = _number_of(value)
    return FieldError(field, f"{field} {_rule(fault)}; given was {describe_type(value)}")


def _rule(fault: Mapping[str, Any]) -> str:
    """Return what a value must be; what is told nowhere else is that it is not allowed."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        return f"must be {_BOUNDS[kind].format_map(context)}"
    allowed = _KINDS.get(kind.partition("_")[0])
    if kind == "string_pattern_mismatch" or allowed is None:
        return "is not of the form that is allowed"
    return f"must be {allowed}"


def _number_of(text: str) -> object:
    """Return what a text of a URL stands for: an integer, another number, or itself."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text
