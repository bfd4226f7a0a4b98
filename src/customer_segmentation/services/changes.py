"""What adding, changing and deleting a customer mean, within a transaction that may do more."""

from collections.abc import Container

from sqlalchemy import Connection

from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerNotFoundError,
    StaleCustomerError,
)
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services.clock import now
from customer_segmentation.services.unit_of_work import (
    SegmentedCustomer,
    ServingModel,
    UnitOfWork,
)
from customer_segmentation.store import customers, distributions, erasures, history
from customer_segmentation.store.customers import Assignment

ANY_TAG = "*"


def add(work: UnitOfWork, customer_id: int, attributes: Attributes) -> SegmentedCustomer:
    """Store a new customer, segmented.

    Raises:
        CustomerExistsError: the id is taken.
        CustomerErasedError: the customer was erased.
    """
    if erasures.find(work.connection, customer_id) is not None:
        raise CustomerErasedError(customer_id)
    assignment = Assignment(work.serving.assign(attributes), work.serving.version)
    customers.add(work.connection, customer_id, attributes, assignment)
    distributions.note(work.connection, None, _counted(attributes, assignment))
    _note(work.connection, customer_id, Cause.ADDED, None, assignment)
    work.audit.note_change(work.connection, customer_id, "added", attributes)
    return work.segmented(customer_id, attributes, assignment.segment)


def change(
    work: UnitOfWork,
    customer_id: int,
    changes: Attributes,
    tags: Container[str] | None = None,
) -> SegmentedCustomer:
    """Change the attributes given, keep the others, and segment the customer anew.

    Args:
        work: the transaction.
        customer_id: whose.
        changes: the attributes.
        tags: the customer's tag must be one of them, unless `ANY_TAG` is.

    Raises:
        CustomerNotFoundError: there is no such customer.
        StaleCustomerError: its tag is another one.
    """
    before, left = _find(work, customer_id, tags)
    attributes = {**before, **changes}
    assignment = reassign(work.serving, attributes, left)
    customers.change(work.connection, customer_id, changes, assignment)
    distributions.note(work.connection, _counted(before, left), _counted(attributes, assignment))
    if assignment.segment != left.segment:
        _note(work.connection, customer_id, Cause.UPDATED, left, assignment)
    work.audit.note_change(work.connection, customer_id, "updated", changes)
    return work.segmented(customer_id, attributes, assignment.segment)


def remove(work: UnitOfWork, customer_id: int, tags: Container[str] | None = None) -> None:
    """Delete a customer; arguments and errors as for `change`."""
    if tags is not None:
        _find(work, customer_id, tags)
    removed = customers.remove(work.connection, customer_id)
    if removed is None:
        raise CustomerNotFoundError(customer_id)
    attributes, left = removed
    distributions.note(work.connection, _counted(attributes, left), None)
    _note(work.connection, customer_id, Cause.DELETED, left, None)
    work.audit.note_change(work.connection, customer_id, "deleted")


def reassign(serving: ServingModel, attributes: Attributes, current: Assignment) -> Assignment:
    """Return the assignment that the active model gives to a customer who has one."""
    return Assignment(serving.reassign(attributes, current.segment), serving.version)


def _find(
    work: UnitOfWork, customer_id: int, tags: Container[str] | None
) -> tuple[Attributes, Assignment]:
    """Return a customer, kept from other transactions until this one ends."""
    found = customers.find(work.connection, customer_id, for_update=True)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    attributes, assignment = found
    if tags is not None and ANY_TAG not in tags:
        shown = assignment.segment
        if assignment.model_version != work.serving.version:
            shown = reassign(work.serving, attributes, assignment).segment
        if Customer(customer_id, attributes, shown).tag not in tags:
            raise StaleCustomerError(customer_id)
    return found


def _counted(attributes: Attributes, assignment: Assignment) -> tuple[Attributes, int, int]:
    return attributes, assignment.segment, assignment.model_version


def _note(
    connection: Connection,
    customer_id: int,
    cause: Cause,
    left: Assignment | None,
    entered: Assignment | None,
) -> None:
    """Append a change of segment to the history."""
    last = entered or left
    if last is not None:
        segment_change = SegmentChange(
            customer_id=customer_id,
            changed_at=now(),
            cause=cause,
            from_segment=None if left is None else left.segment,
            to_segment=None if entered is None else entered.segment,
            model_version=last.model_version,
        )
        history.add(connection, segment_change)
