"""The query of a listing of customers, and the cursors that lead from page to page."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, create_model

from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number
from customer_segmentation.domain.paging import Page, Selection
from customer_segmentation.domain.schema import Schema, accept_categories


class _Listing(BaseModel):
    """Which customers to list, in which order, and how many at a time."""

    segment: int | None = Field(
        default=None, ge=0, lt=2**31, description="Only those in the segment of this number."
    )
    audience: int | None = Field(
        default=None, ge=1, lt=2**31, description="Only those in the audience of this id."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`next_cursor` of the page before."
    )


class Listings:
    """Queries of listings of customers whose attributes a schema declares.

    Attributes:
        query: the type of a query: the fields above, what sorts, and of each attribute a least and
            a greatest value, or its categories, and whether it is missing.
    """

    def __init__(self, schema: Schema) -> None:
        """Make the type."""
        self._schema = schema
        self._sorts = [schema.id.name, *schema.names]
        sort = Field(
            default=schema.id.name,
            description="What sorts; with `-` before it the greatest come first. Categories are "
            "in the order of the schema, and who lacks the attribute comes last.",
            json_schema_extra={"enum": [f"{s}{name}" for name in self._sorts for s in ("", "-")]},
        )
        fields = dict(field for attribute in schema.attributes for field in _fields(attribute))
        self.query: type[BaseModel] = create_model(
            "Listing", __base__=_Listing, sort=(str, sort), **fields
        )

    def selection_of(self, listing: Any) -> Selection:  # noqa: ANN401
        """Return what a `query` selects.

        Raises:
            InvalidInputError: the order or the cursor is none, or there is no such category.
        """
        descending = listing.sort.startswith("-")
        sort = listing.sort.removeprefix("-")
        if sort not in self._sorts:
            message = f"sort must be one of {', '.join(self._sorts)}, with or without - before it"
            raise InvalidInputError([FieldError("sort", message)])
        given = {
            end: {
                name: value
                for name in self._schema.names
                if (value := getattr(listing, f"{name}_{end}", None)) not in (None, [])
            }
            for end in ("min", "max", "is", "missing")
        }
        return Selection(
            segment=listing.segment,
            audience=listing.audience,
            least=given["min"],
            most=given["max"],
            among=accept_categories(self._schema, given["is"], "{}_is"),
            missing=given["missing"],
            sort=None if sort == self._schema.id.name else sort,
            descending=descending,
            limit=listing.limit,
            after=None if listing.cursor is None else self._page(listing.cursor, sort),
        )

    def _page(self, cursor: str, sort: str) -> Page:
        """Return where a page starts.

        Raises:
            InvalidInputError: the cursor is none that `cursor_of` wrote for this order.
        """
        try:
            value, number = json.loads(base64.urlsafe_b64decode(cursor.encode()))
            if type(number) is not int or not 1 <= number <= LARGEST_INTEGER:
                raise ValueError("no customer has this number")
            last: Number | None = None
            if sort != self._schema.id.name:
                last = _accept_edge(self._schema.by_name[sort], value)
        except (ValueError, TypeError, UnicodeError) as fault:
            message = "cursor must be the next_cursor of the page before, with the same sort"
            raise InvalidInputError([FieldError("cursor", message)]) from fault
        return Page(last, number)


def _fields(attribute: Attribute) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a query that select by an attribute, by name."""
    name, what = attribute.name, _begun_small(attribute.description or attribute.title)
    if attribute.categories:
        told: Any = Field(
            default=[],
            description=f"Only those with one of these: {what}.",
            json_schema_extra={"items": {"type": "string", "enum": [*attribute.labels.values()]}},
        )
        yield f"{name}_is", (list[str], told)
    else:
        for end, text in (("min", "At least this"), ("max", "At most this")):
            told = Field(default=None, allow_inf_nan=False, description=f"{text} {what}.")
            yield f"{name}_{end}", (float | None, told)
    if attribute.missing is Missing.ALLOWED:
        told = Field(default=None, description=f"Whether it is not known: {what}.")
        yield f"{name}_missing", (bool | None, told)


def _accept_edge(attribute: Attribute, value: object) -> Number | None:
    """Return a value by which a page ended; of a category its number, None where it is missing.

    Raises:
        ValueError: the attribute cannot have it.
    """
    if value is None:
        attribute.accept(value)
        return None
    if not attribute.categories:
        return attribute.accept(value)
    if type(value) is not int or value not in attribute.labels:
        raise ValueError(attribute.refusal("another number"))
    return value


def _begun_small(text: str) -> str:
    return text[:1].lower() + text[1:]


def cursor_of(page: Page) -> str:
    """Return the cursor that leads on from a page."""
    content = json.dumps([page.value, page.number])
    return base64.urlsafe_b64encode(content.encode()).decode()
