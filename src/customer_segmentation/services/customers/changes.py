"""What adding, changing and deleting a customer mean, within a transaction that may do more."""

from collections.abc import Container

import numpy as np

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerExistsError,
    CustomerNotFoundError,
    StaleCustomerError,
)
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services.audiences.membership import note_customer
from customer_segmentation.services.customers.following import (
    check_written,
    has_transactions,
    rebuild,
)
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.store.queries import distributions, erasures, history
from customer_segmentation.store.queries.customers import Assignment

ANY_TAG = "*"


def add(work: UnitOfWork, customer_id: CustomerId, attributes: Attributes) -> SegmentedCustomer:
    """Store a new customer, segmented.

    Raises:
        CustomerExistsError: the id is taken.
        CustomerErasedError: the customer was erased.
    """
    number = work.ids.take(work.connection, customer_id)
    if work.has_single_writer:
        _refuse_erased(work, customer_id, number)
    segment = work.serving.assign(attributes)
    assignment = Assignment(segment, work.active.epoch)
    if not work.customers.add(work.connection, number, attributes, assignment):
        raise CustomerExistsError(customer_id)
    if not work.has_single_writer:
        # Asked only now: the id is this transaction's, and nobody else erases it any more.
        _refuse_erased(work, customer_id, number)
    distributions.note(work.connection, None, (attributes, segment))
    _note(work, number, Cause.ADDED, None, segment)
    work.audit.note_change(work.connection, customer_id, "added", attributes)
    if has_transactions(work, number):
        # They came before the customer, or the customer was deleted and comes back.
        rebuild(work, np.array([number]))
        note_customer(work, number, Cause.ADDED)
        return _read(work, customer_id, number)
    note_customer(work, number, Cause.ADDED)
    return work.segmented(customer_id, attributes, segment)


def change(
    work: UnitOfWork,
    customer_id: CustomerId,
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
        AttributeFollowsError: an attribute follows from the customer's transactions.
    """
    number, before, left = _find(work, customer_id, tags)
    if not changes.keys().isdisjoint(work.customers.derived):
        check_written(work, number, before, changes)
    attributes = {**before, **changes}
    segment = work.serving.reassign(attributes, left.segment)
    assignment = Assignment(segment, work.active.epoch)
    work.customers.change(work.connection, number, attributes, assignment)
    if not changes.keys().isdisjoint(work.customers.of_days):
        work.customers.change_days(work.connection, number, attributes)
    counted = (before, left.segment) if work.active.are_current(number, left.epoch) else None
    distributions.note(work.connection, counted, (attributes, segment))
    if segment != left.segment:
        _note(work, number, Cause.UPDATED, left.segment, segment)
    note_customer(work, number, Cause.UPDATED)
    work.audit.note_change(work.connection, customer_id, "updated", changes)
    return work.segmented(customer_id, attributes, segment)


def remove(work: UnitOfWork, customer_id: CustomerId, tags: Container[str] | None = None) -> None:
    """Delete a customer; arguments and errors as for `change`."""
    if tags is not None:
        _find(work, customer_id, tags)
    number = work.ids.number_of(work.connection, customer_id)
    removed = None if number is None else work.customers.remove(work.connection, number)
    if number is None or removed is None:
        raise CustomerNotFoundError(customer_id)
    attributes, left = removed
    counted = (attributes, left.segment) if work.active.are_current(number, left.epoch) else None
    distributions.note(work.connection, counted, None)
    _note(work, number, Cause.DELETED, left.segment, None)
    note_customer(work, number, Cause.DELETED)
    work.audit.note_change(work.connection, customer_id, "deleted")


def _read(work: UnitOfWork, customer_id: CustomerId, number: int) -> SegmentedCustomer:
    found = work.customers.find(work.connection, number)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    return work.read(customer_id, number, *found)


def _refuse_erased(work: UnitOfWork, customer_id: CustomerId, number: int) -> None:
    if erasures.is_erased(work.connection, number):
        raise CustomerErasedError(customer_id)


def _find(
    work: UnitOfWork, customer_id: CustomerId, tags: Container[str] | None
) -> tuple[int, Attributes, Assignment]:
    """Return a customer, with its number, kept from other transactions until this one ends."""
    number = work.ids.number_of(work.connection, customer_id)
    found = (
        None if number is None else work.customers.find(work.connection, number, for_update=True)
    )
    if number is None or found is None:
        raise CustomerNotFoundError(customer_id)
    attributes, assignment = found
    if tags is not None and ANY_TAG not in tags:
        shown = work.segment_of(number, attributes, assignment)
        if Customer(customer_id, attributes, shown).tag not in tags:
            raise StaleCustomerError(customer_id)
    return number, attributes, assignment


def _note(
    work: UnitOfWork, number: int, cause: Cause, left: int | None, entered: int | None
) -> None:
    """Append a customer's change from one segment to another to the history."""
    segment_change = SegmentChange(
        customer_id=number,
        changed_at=now(),
        cause=cause,
        from_segment=left,
        to_segment=entered,
        model_version=work.serving.version,
    )
    history.add(work.connection, segment_change)
