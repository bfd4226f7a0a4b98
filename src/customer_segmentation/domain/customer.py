"""A customer, and the rules by which a request becomes one."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from customer_segmentation.domain.attributes import (
    Attribute,
    Column,
    CustomerId,
    Missing,
    Value,
)
from customer_segmentation.domain.errors import MAX_TOLD, FieldError, InvalidInputError, shortened
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.schema import Schema

SEGMENT_RECORD_NAME = "cluster_num"
"""Under this name a record shows the number of the customer's segment."""

Attributes: TypeAlias = Mapping[str, Number]
"""Attributes by request name; where all are given, in the schema's order."""


def nulled(attributes: Attributes) -> dict[str, Number | None]:
    """Return attributes with None for what is missing, as JSON and databases have it."""
    return {name: None if math.isnan(value) else value for name, value in attributes.items()}


@dataclass(frozen=True, slots=True)
class Customer:
    """A stored customer.

    Attributes:
        customer_id: the unique id, as the schema says.
        attributes: every attribute of the schema, in its order.
        segment: the number of the segment that the active model gives.
    """

    customer_id: CustomerId
    attributes: Attributes
    segment: int

    @property
    def tag(self) -> str:
        """What changes whenever an attribute or the segment does: an entity tag, without quotes."""
        content = [self.customer_id, self.segment, *self.attributes.values()]
        return sha256(repr(content).encode()).hexdigest()[:32]


class CustomerTable:
    """The customers of a schema, and how requests become them."""

    def __init__(self, schema: Schema) -> None:
        """Read what the schema says of columns."""
        self._id = schema.id
        self._attributes = schema.by_name
        self._shown_otherwise = [
            (place, attribute)
            for place, attribute in enumerate(schema.attributes)
            if attribute.categories or attribute.missing is Missing.ALLOWED
        ]
        self._columns: Mapping[str, Column] = {schema.id.name: schema.id, **schema.by_name}

    def show(self, attributes: Attributes) -> Sequence[Value | None]:
        """Return attributes as people see them, in the schema's order: None of what is missing."""
        values: list[Any] = [*attributes.values()]
        for place, attribute in self._shown_otherwise:
            values[place] = attribute.show(values[place])
        return values

    def accept_attributes(self, fields: Mapping[str, object]) -> Attributes:
        """Return all attributes from request fields.

        Raises:
            InvalidInputError: names every field that is missing, unknown or not allowed.
        """
        return _accept(fields, self._attributes, required=self._attributes)

    def accept_new_customer(self, fields: Mapping[str, object]) -> tuple[CustomerId, Attributes]:
        """Return the id and all attributes from request fields.

        Raises:
            InvalidInputError: names every field that is missing, unknown or not allowed.
        """
        accepted = _accept(fields, self._columns, required=self._columns)
        return accepted.pop(self._id.name), accepted

    def accept_id(self, fields: Mapping[str, object]) -> CustomerId:
        """Return the id from request fields that hold nothing else.

        Raises:
            InvalidInputError: it is missing, not allowed, or not alone.
        """
        only_id = {self._id.name: self._id}
        customer_id: CustomerId = _accept(fields, only_id, required=only_id)[self._id.name]
        return customer_id

    def accept_changes(self, fields: Mapping[str, object]) -> Attributes:
        """Return the attributes to change from request fields.

        Raises:
            InvalidInputError: names every field that is unknown or not allowed, or tells that
                there is nothing to change.
        """
        accepted = _accept(fields, self._attributes, required=())
        self._check_some(accepted)
        return accepted

    def accept_update(self, fields: Mapping[str, object]) -> tuple[CustomerId, Attributes]:
        """Return the id, and the attributes to change, from request fields.

        Raises:
            InvalidInputError: names every field that is missing, unknown or not allowed, or tells
                that there is nothing to change.
        """
        accepted = _accept(fields, self._columns, required=(self._id.name,))
        customer_id = accepted.pop(self._id.name)
        self._check_some(accepted)
        return customer_id, accepted

    def complete(self, accepted: Attributes) -> Attributes:
        """Return attributes that were accepted, with what is left out of a new customer.

        Raises:
            InvalidInputError: names every attribute that may not be left out.
        """
        others = {name: one for name, one in self._attributes.items() if name not in accepted}
        known = {**accepted, **_accept({}, others, required=others)}
        return {name: known[name] for name in self._attributes}

    def _check_some(self, changes: Attributes) -> None:
        if not changes:
            message = f"Nothing to change: give at least one of {', '.join(self._attributes)}"
            raise InvalidInputError([FieldError("body", message)])


def _accept(
    fields: Mapping[str, object], known: Mapping[str, Column], required: Container[str]
) -> dict[str, Any]:
    accepted: dict[str, Any] = {}
    errors = []
    for name, column in known.items():
        if name in fields:
            try:
                accepted[name] = column.accept(fields[name])
            except ValueError as refusal:
                errors.append(FieldError(name, str(refusal)))
        elif name in required:
            if isinstance(column, Attribute) and column.may_be_left_out:
                accepted[name] = column.if_left_out
            else:
                errors.append(FieldError(name, f"{name} is missing: it must be {column.allowed}"))
    unknown = [shortened(name) for name in fields if name not in known]
    if unknown:
        known_names = ", ".join(known)
        errors += [
            FieldError(name, f"{name} is not a known field; known are {known_names}")
            for name in unknown[:MAX_TOLD]
        ]
    if errors:
        raise InvalidInputError(errors, more=len(unknown[MAX_TOLD:]))
    return accepted
