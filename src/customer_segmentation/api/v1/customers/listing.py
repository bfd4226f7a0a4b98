"""The query of a listing of customers, and the cursors that lead from page to page."""

import base64
import json
from typing import Any

from pydantic import BaseModel, Field, create_model

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_BY_NAME, FEATURES
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.paging import Page, Selection

_SORTS = [CUSTOMER_ID.name, *FEATURE_BY_NAME]


class _Listing(BaseModel):
    """Which customers to list, in which order, and how many at a time."""

    segment: int | None = Field(
        default=None, ge=0, lt=2**31, description="Only those in the segment of this number."
    )
    sort: str = Field(
        default=CUSTOMER_ID.name,
        description="What sorts; with `-` before it the greatest come first.",
        json_schema_extra={"enum": [f"{sign}{name}" for name in _SORTS for sign in ("", "-")]},
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`next_cursor` of the page before."
    )


_bounds: dict[str, Any] = {
    f"{feature.name}_{end}": (
        float | None,
        Field(
            default=None, allow_inf_nan=False, description=f"{text} {feature.description.lower()}."
        ),
    )
    for feature in FEATURES
    for end, text in (("min", "At least this"), ("max", "At most this"))
}
Listing = create_model("Listing", __base__=_Listing, **_bounds)
"""The query of a listing: the fields above, and a least and a greatest value of each attribute."""


def selection_of(listing: Any) -> Selection:  # noqa: ANN401
    """Return what a `Listing` selects.

    Raises:
        InvalidInputError: the order or the cursor is none.
    """
    descending = listing.sort.startswith("-")
    sort = listing.sort.removeprefix("-")
    if sort not in _SORTS:
        message = f"sort must be one of {', '.join(_SORTS)}, with or without - before it"
        raise InvalidInputError([FieldError("sort", message)])
    bounds = {
        end: {
            name: value
            for name in FEATURE_BY_NAME
            if (value := getattr(listing, f"{name}_{end}")) is not None
        }
        for end in ("min", "max")
    }
    return Selection(
        segment=listing.segment,
        least=bounds["min"],
        most=bounds["max"],
        sort=None if sort == CUSTOMER_ID.name else sort,
        descending=descending,
        limit=listing.limit,
        after=None if listing.cursor is None else _page(listing.cursor, sort),
    )


def cursor_of(page: Page) -> str:
    """Return the cursor that leads on from a page."""
    content = json.dumps([page.value, page.customer_id])
    return base64.urlsafe_b64encode(content.encode()).decode()


def _page(cursor: str, sort: str) -> Page:
    """Return where a page starts.

    Raises:
        InvalidInputError: the cursor is none that `_cursor` wrote for this order.
    """
    try:
        value, customer_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        customer_id = int(CUSTOMER_ID.accept(customer_id))
        last: Number | None = None
        if sort != CUSTOMER_ID.name:
            last = FEATURE_BY_NAME[sort].accept(value)
    except (ValueError, TypeError, UnicodeError) as fault:
        message = "cursor must be the next_cursor of the page before, with the same sort"
        raise InvalidInputError([FieldError("cursor", message)]) from fault
    return Page(last, customer_id)
