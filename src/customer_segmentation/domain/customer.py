"""A customer, and the rules by which a request becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import (
    CUSTOMER_ID,
    FEATURE_BY_NAME,
    FEATURES,
    SEGMENT_RECORD_NAME,
    Number,
    check_value,
)

Attributes: TypeAlias = Mapping[str, Number]
"""Attributes by request name; where all are given, in the feature table's order."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A stored customer.

    Attributes:
        customer_id: the unique number, at least 1.
        attributes: every attribute of the feature table, in its order.
        segment: the number of the segment that the active model gives.
    """

    customer_id: int
    attributes: Attributes
    segment: int

    @property
    def record(self) -> dict[str, Number]:
        """The customer under the record names: attributes, `cluster_num`, then `customer id`."""
        record = {feature.record_name: self.attributes[feature.name] for feature in FEATURES}
        record[SEGMENT_RECORD_NAME] = self.segment
        record[CUSTOMER_ID.record_name] = self.customer_id
        return record


def accept_customer_id(value: object) -> int:
    """Return a customer id.

    Raises:
        InvalidInputError: the value is not an integer from 1 to 2^53.
    """
    try:
        return int(CUSTOMER_ID.accept(value))
    except ValueError as refusal:
        raise InvalidInputError([FieldError(CUSTOMER_ID.name, str(refusal))]) from None


def accept_attributes(fields: Mapping[str, object]) -> Attributes:
    """Return all attributes from request fields.

    Raises:
        InvalidInputError: names every field that is missing, unknown or not allowed.
    """
    errors = [
        FieldError(feature.name, f"{feature.name} is missing: it must be {feature.allowed}")
        for feature in FEATURES
        if feature.name not in fields
    ]
    attributes = _accept_given(fields, errors)
    if errors:
        raise InvalidInputError(errors)
    return attributes


def accept_changes(fields: Mapping[str, object]) -> Attributes:
    """Return the attributes that a partial update gives, at least one of them.

    Raises:
        InvalidInputError: names every field that is unknown or not allowed, or that none is given.
    """
    errors: list[FieldError] = []
    changes = _accept_given(fields, errors)
    if not fields:
        known = ", ".join(FEATURE_BY_NAME)
        errors.append(FieldError("body", f"Nothing to change: give at least one of {known}"))
    if errors:
        raise InvalidInputError(errors)
    return changes


def split_customer_id(fields: Mapping[str, object]) -> tuple[int, dict[str, object]]:
    """Return the customer id and the other fields of a request that names its customer.

    Raises:
        InvalidInputError: the id is missing or not allowed; the other fields are not looked at.
    """
    others = dict(fields)
    if CUSTOMER_ID.name not in others:
        message = f"{CUSTOMER_ID.name} is missing: it must be {CUSTOMER_ID.allowed}"
        raise InvalidInputError([FieldError(CUSTOMER_ID.name, message)])
    return accept_customer_id(others.pop(CUSTOMER_ID.name)), others


def _accept_given(fields: Mapping[str, object], errors: list[FieldError]) -> dict[str, Number]:
    accepted: dict[str, Number] = {}
    for feature in FEATURES:
        if feature.name in fields:
            number = check_value(feature, fields[feature.name], errors)
            if number is not None:
                accepted[feature.name] = number
    known = ", ".join(FEATURE_BY_NAME)
    errors.extend(
        FieldError(name, f"{name} is not a known field: allowed are {known}")
        for name in fields
        if name not in FEATURE_BY_NAME
    )
    return accepted
