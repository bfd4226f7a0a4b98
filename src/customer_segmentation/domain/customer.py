"""A customer, and the rules by which a request becomes one."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from customer_segmentation.domain.errors import MAX_TOLD, FieldError, InvalidInputError, shortened
from customer_segmentation.domain.features import (
    CUSTOMER_ID,
    FEATURE_BY_NAME,
    FEATURES,
    Feature,
    Number,
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
    def tag(self) -> str:
        """What changes whenever an attribute or the segment does: an entity tag, without quotes."""
        content = [self.customer_id, self.segment, *(self.attributes[f.name] for f in FEATURES)]
        return sha256(repr(content).encode()).hexdigest()[:32]


def accept_attributes(fields: Mapping[str, object]) -> Attributes:
    """Return all attributes from request fields.

    Raises:
        InvalidInputError: names every field that is missing, unknown or not allowed.
    """
    return _accept(fields, FEATURE_BY_NAME, required=FEATURE_BY_NAME)


def accept_new_customer(fields: Mapping[str, object]) -> tuple[int, Attributes]:
    """Return the id and all attributes from request fields.

    Raises:
        InvalidInputError: names every field that is missing, unknown or not allowed.
    """
    accepted = _accept(fields, _WITH_ID, required=_WITH_ID)
    return int(accepted.pop(CUSTOMER_ID.name)), accepted


def accept_id(fields: Mapping[str, object]) -> int:
    """Return the id from request fields that hold nothing else.

    Raises:
        InvalidInputError: it is missing, not allowed, or not alone.
    """
    only_id = {CUSTOMER_ID.name: CUSTOMER_ID}
    return int(_accept(fields, only_id, required=only_id)[CUSTOMER_ID.name])


def accept_changes(fields: Mapping[str, object]) -> Attributes:
    """Return the attributes to change from request fields.

    Raises:
        InvalidInputError: names every field that is unknown or not allowed, or tells that there is
            nothing to change.
    """
    accepted = _accept(fields, FEATURE_BY_NAME, required=())
    _check_some(accepted)
    return accepted


def accept_update(fields: Mapping[str, object]) -> tuple[int, Attributes]:
    """Return the id, and the attributes to change, from request fields.

    Raises:
        InvalidInputError: names every field that is missing, unknown or not allowed, or tells that
            there is nothing to change.
    """
    accepted = _accept(fields, _WITH_ID, required=(CUSTOMER_ID.name,))
    customer_id = int(accepted.pop(CUSTOMER_ID.name))
    _check_some(accepted)
    return customer_id, accepted


def _check_some(changes: Attributes) -> None:
    if not changes:
        message = f"Nothing to change: give at least one of {', '.join(FEATURE_BY_NAME)}"
        raise InvalidInputError([FieldError("body", message)])


_WITH_ID = {CUSTOMER_ID.name: CUSTOMER_ID, **FEATURE_BY_NAME}


def _accept(
    fields: Mapping[str, object], known: Mapping[str, Feature], required: Container[str]
) -> dict[str, Number]:
    accepted: dict[str, Number] = {}
    errors = []
    for name, feature in known.items():
        if name in fields:
            try:
                accepted[name] = feature.accept(fields[name])
            except ValueError as refusal:
                errors.append(FieldError(name, str(refusal)))
        elif name in required:
            errors.append(FieldError(name, f"{name} is missing: it must be {feature.allowed}"))
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
