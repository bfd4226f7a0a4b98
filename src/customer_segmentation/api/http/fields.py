"""Values in requests, as strict as those of the schema: no boolean is a number."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return value


def _moment(text: object) -> object:
    """Return what may be a moment; a number, which Pydantic takes for seconds, is none."""
    if isinstance(text, int | float) or (isinstance(text, str) and "-" not in text[1:]):
        raise ValueError("must be a moment such as 2026-11-01T00:00:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC, which at the calendar's ends is in a year that is none."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a moment of the years 1 to 9999 in UTC") from None


NUMBER = BeforeValidator(_number)
"""Refuses what Pydantic would take for a number: booleans, and numbers in strings."""

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A text of one line, without control characters."""

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""A text of any lines, without the character that PostgreSQL stores in none."""

Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
"""A moment in a query or a body, given with its time zone and read in UTC."""

ATTRIBUTE = "attribute"
"""How the OpenAPI document marks an attribute's name until those of the schema are put there."""

AttributeName = Annotated[str, Field(max_length=63, json_schema_extra={"format": ATTRIBUTE})]
"""What should be an attribute's name; the use case knows those of the schema."""
