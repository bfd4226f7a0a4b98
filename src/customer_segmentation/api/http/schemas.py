"""The types of customers in requests, made from the schema, and their examples.

The OpenAPI document is made from these types. Requests are read by the rules of the schema itself,
which name every fault.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, defstruct

from customer_segmentation.domain.attributes import (
    ID_PATTERN,
    LONGEST_ID,
    Attribute,
    Column,
    Id,
    Missing,
    Unknown,
    Value,
)
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.schema import Schema

_CHANGED = 2
"""How many attributes the documented update changes."""


def meta_of(column: Column) -> Meta:
    """Return what the document says of a column's values."""
    codes = ", ".join(f"{code} = {label}" for code, label in column.codes.items())
    description = f"{column.description or column.title}{f': {codes}' if codes else ''}"
    description += f". Allowed: {column.allowed}"
    if column.unit:
        description += f". Unit: {column.unit}"
    told: dict[str, Any] = {
        "title": column.record_name,
        "description": f"{description}.",
        "examples": [column.example],
    }
    if isinstance(column, Id) and column.is_text:
        return Meta(**told, min_length=1, max_length=LONGEST_ID, pattern=ID_PATTERN)
    if isinstance(column.example, str):
        return Meta(**told)
    if isinstance(column, Attribute) and column.has_gaps:
        return Meta(**told)
    least, most = column.minimum, column.maximum
    if column.is_integer:
        # Whole numbers end at 2^53 either way; amounts with a fraction may be larger.
        least = -LARGEST_INTEGER if least is None else least
        most = LARGEST_INTEGER if most is None else most
    return Meta(**told, ge=least, le=most)


def type_of(column: Column) -> Any:  # noqa: ANN401
    """Return the type of a column's values in JSON."""
    if isinstance(column, Id):
        return Annotated[str if column.is_text else int, meta_of(column)]
    kind: Any = int if column.is_integer else float
    if not isinstance(column, Attribute):
        return Annotated[kind, meta_of(column)]
    if column.categories:
        kind = Literal[column.categories] if column.unknown is Unknown.REFUSED else str
    elif column.has_gaps:
        kind = Literal[column.choices]
    kind = Annotated[kind, meta_of(column)]
    return kind | None if column.missing is Missing.ALLOWED else kind


def structure_of(
    name: str,
    description: str,
    required: Iterable[Column],
    optional: Iterable[Column] = (),
    *,
    more: Iterable[tuple[str, Any]] = (),
    rename: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401
    """Return a structure of attributes.

    Args:
        name: in the document.
        description: what it is.
        required: the columns that must be given, in the order of the fields.
        optional: those after them that may be left out.
        more: fields after them, with their types.
        rename: the names in JSON, by request name.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        *((column.name, type_of(column)) for column in required),
        *more,
        *((column.name, type_of(column) | UnsetType, UNSET) for column in optional),
    ]
    return defstruct(
        name, fields, rename=rename, forbid_unknown_fields=True, namespace={"__doc__": description}
    )


class CustomerTypes:
    """The types of customers in requests, and a typical one.

    Attributes:
        attributes: everything the model looks at, without an id.
        new_customer: an id that is free, and every attribute.
        changes: some attributes.
        customer_changes: an id and some attributes.
        example: of `new_customer`.
        example_attributes: of `attributes`.
        example_changes: of `changes`.
    """

    def __init__(self, schema: Schema) -> None:
        """Make them."""
        key = schema.id
        needed = [a for a in schema.attributes if not a.may_be_left_out]
        others = [a for a in schema.attributes if a.may_be_left_out]
        self.attributes: Any = structure_of(
            "CustomerAttributes",
            "Everything the model looks at, without an id: someone to segment without storing.",
            needed,
            others,
        )
        self.new_customer: Any = structure_of(
            "NewCustomer",
            "A customer to add: an id that is free, and every attribute.",
            [key, *needed],
            others,
        )
        self.changes: Any = structure_of(
            "AttributeChanges",
            "At least one attribute; those not given stay as they are.",
            (),
            schema.attributes,
        )
        self.customer_changes: Any = structure_of(
            "CustomerChanges",
            "The customer to change and at least one attribute; those not given stay as they are.",
            [key],
            schema.attributes,
        )
        self.example_attributes: dict[str, Value] = {a.name: a.example for a in schema.attributes}
        self.example: dict[str, Value] = {key.name: key.example, **self.example_attributes}
        self.example_changes = dict([*self.example_attributes.items()][-_CHANGED:])

    def other_example(self, number: int) -> dict[str, Value]:
        """Return the example under another id that is free, so that several can be added."""
        key, given = next(iter(self.example.items()))
        other = f"{given}-{number}" if isinstance(given, str) else given + number
        return {**self.example, key: other}

    @property
    def all(self) -> tuple[Any, ...]:
        """The types that the document holds."""
        return (self.attributes, self.new_customer, self.changes, self.customer_changes)
