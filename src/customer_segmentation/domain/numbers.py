"""Numbers as people and programs write them."""

import re

Number = int | float

LARGEST_INTEGER = 2**53
"""Beyond it a 64-bit float no longer holds every integer (IEEE 754), so none is accepted."""


def plain_number(value: float) -> Number:
    """Return a whole number of at most 2^53 as an int, so that it is written without a fraction.

    >>> plain_number(31789.0), plain_number(13472.29), plain_number(-0.0)
    (31789, 13472.29, 0)
    """
    if abs(value) <= LARGEST_INTEGER and value == int(value):
        return int(value)
    return value


def readable(value: float) -> str:
    """Write a number for people: about four digits, thousands separated, no powers of ten.

    >>> readable(16062.4), readable(0.23205), readable(-512.0)
    ('16,062', '0.2321', '-512')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.4g}"


def describe_type(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list() | tuple():
            return "an array"
        case _:
            return "an object"


DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""How numbers are written in texts."""

MANY_DIGITS = 30


def read_number(text: str) -> Number:
    """Return the number that a text is.

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    if not DECIMAL.fullmatch(text):
        raise ValueError("a text that is not a number")
    is_integer = len(text) < MANY_DIGITS and text.lstrip("+-").isdigit()
    return int(text) if is_integer else float(text)
