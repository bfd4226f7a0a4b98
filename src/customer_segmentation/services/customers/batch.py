"""The use case of adding, changing and deleting many customers in one transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.customer import Attributes, CustomerTable
from customer_segmentation.domain.errors import (
    AttributeFollowsError,
    CustomerErasedError,
    CustomerExistsError,
    CustomerNotFoundError,
    InvalidInputError,
)
from customer_segmentation.services.customers import changes
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork


class Action(StrEnum):
    """What to do with a customer."""

    ADD = "add"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do.

    Attributes:
        action: what.
        customer_id: with which customer.
        attributes: all of them to add, some to update or upsert, none to delete.
    """

    action: Action
    customer_id: CustomerId
    attributes: Attributes


Outcome = (
    SegmentedCustomer
    | AttributeFollowsError
    | CustomerErasedError
    | CustomerExistsError
    | CustomerNotFoundError
    | InvalidInputError
    | None
)
"""The customer as it is now, None for a deleted one, or why nothing was done."""


def apply_batch(work: UnitOfWork, operations: Sequence[Operation]) -> list[Outcome]:
    """Do each operation, in order; those that can be done are done together, or none is.

    Returns:
        what came of each.
    """
    ids = np.array([*{o.customer_id for o in operations}], dtype=work.ids.dtype)
    work.customers.lock_many(work.connection, work.ids.numbers_of(work.connection, ids).tolist())
    return [_apply(work, operation) for operation in operations]


def try_batch(work: UnitOfWork, operations: Sequence[Operation]) -> list[Outcome]:
    """Tell what would come of each operation, as `apply_batch` does, and leave all as it was."""
    outcomes: list[Outcome] = []
    with suppress(_TriedError), work.part():
        outcomes = apply_batch(work, operations)
        raise _TriedError
    return outcomes


class _TriedError(Exception):
    """Undoes what was only tried."""


def _apply(work: UnitOfWork, operation: Operation) -> Outcome:
    try:
        match operation.action:
            case Action.ADD:
                # A taken id ends a PostgreSQL transaction, unless only a part of it is undone.
                with work.part():
                    return changes.add(work, operation.customer_id, operation.attributes)
            case Action.UPDATE:
                return changes.change(work, operation.customer_id, operation.attributes)
            case Action.UPSERT:
                return _upsert(work, operation)
            case Action.DELETE:
                changes.remove(work, operation.customer_id)
                return None
    except (
        AttributeFollowsError,
        CustomerErasedError,
        CustomerExistsError,
        CustomerNotFoundError,
        InvalidInputError,
    ) as error:
        return error


def _upsert(work: UnitOfWork, operation: Operation) -> SegmentedCustomer:
    """Change a customer, or add one who is not there yet."""
    customer_id, attributes = operation.customer_id, operation.attributes
    try:
        return changes.change(work, customer_id, attributes)
    except CustomerNotFoundError:
        new = CustomerTable(work.customers.schema).complete(attributes)
    try:
        with work.part():
            return changes.add(work, customer_id, new)
    except CustomerExistsError:
        # Somebody has just added it.
        return changes.change(work, customer_id, attributes)
