"""Conditions that a request may set on the state of what it changes (RFC 9110, 13)."""

from typing import Annotated, Literal

from fastapi import Header
from pydantic import WithJsonSchema

IfMatch = Annotated[
    str | None,
    Header(description="Do it only if the current tag is one of these, such as one read before."),
]

IfNoneMatch = Annotated[
    Literal["*"] | None,
    # A header is given or not; there is no null to send.
    WithJsonSchema({"type": "string", "const": "*"}),
    Header(description="Do it only if there is none yet, whatever its tag."),
]


def tags_of(if_match: str | None) -> frozenset[str] | None:
    """Return the tags of an `If-Match` header (RFC 9110, 13.1.1); a weak one never matches."""
    if if_match is None:
        return None
    tags = (tag.strip() for tag in if_match.split(","))
    return frozenset(tag.strip('"') for tag in tags if not tag.startswith("W/"))
