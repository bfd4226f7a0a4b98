"""What adding, changing and deleting a customer mean, within a transaction that may do more."""

from collections.abc import Container

from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerNotFoundError,
    StaleCustomerError,
)
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.store.queries import distributions, erasures, history
from customer_segmentation.store.queries.customers import Assignment

ANY_TAG = "*"


def add(work: UnitOfWork, customer_id: int, attributes: Attributes) -> SegmentedCustomer:
    """Store a new customer, segmented.

    Raises:
        CustomerExistsError: the id is taken.
        CustomerErasedError: the customer was erased.
    """
    if work.has_single_writer:
        _refuse_erased(work, customer_id)
    segment = work.serving.assign(attributes)
    work.customers.add(
        work.connection, customer_id, attributes, Assignment(segment, work.active.epoch)
    )
    if not work.has_single_writer:
        # Asked only now: the id is this transaction's, and nobody else erases it any more.
        _refuse_erased(work, customer_id)
    distributions.note(work.connection, None, (attributes, segment))
    _note(work, customer_id, Cause.ADDED, None, segment)
    work.audit.note_change(work.connection, customer_id, "added", attributes)
    return work.segmented(customer_id, attributes, segment)


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
    segment = work.serving.reassign(attributes, left.segment)
    assignment = Assignment(segment, work.active.epoch)
    work.customers.change(work.connection, customer_id, attributes, assignment)
    counted = (before, left.segment) if work.active.are_current(customer_id, left.epoch) else None
    distributions.note(work.connection, counted, (attributes, segment))
    if segment != left.segment:
        _note(work, customer_id, Cause.UPDATED, left.segment, segment)
    work.audit.note_change(work.connection, customer_id, "updated", changes)
    return work.segmented(customer_id, attributes, segment)


def remove(work: UnitOfWork, customer_id: int, tags: Container[str] | None = None) -> None:
    """Delete a customer; arguments and errors as for `change`."""
    if tags is not None:
        _find(work, customer_id, tags)
    removed = work.customers.remove(work.connection, customer_id)
    if removed is None:
        raise CustomerNotFoundError(customer_id)
    attributes, left = removed
    counted = (
        (attributes, left.segment) if work.active.are_current(customer_id, left.epoch) else None
    )
    distributions.note(work.connection, counted, None)
    _note(work, customer_id, Cause.DELETED, left.segment, None)
    work.audit.note_change(work.connection, customer_id, "deleted")


def _refuse_erased(work: UnitOfWork, customer_id: int) -> None:
    if erasures.is_erased(work.connection, customer_id):
        raise CustomerErasedError(customer_id)


def _find(
    work: UnitOfWork, customer_id: int, tags: Container[str] | None
) -> tuple[Attributes, Assignment]:
    """Return a customer, kept from other transactions until this one ends."""
    found = work.customers.find(work.connection, customer_id, for_update=True)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    attributes, assignment = found
    if tags is not None and ANY_TAG not in tags:
        shown = work.segment_of(customer_id, attributes, assignment)
        if Customer(customer_id, attributes, shown).tag not in tags:
            raise StaleCustomerError(customer_id)
    return found


def _note(
    work: UnitOfWork, customer_id: int, cause: Cause, left: int | None, entered: int | None
) -> None:
    """Append a change from one segment to another to the history."""
    segment_change = SegmentChange(
        customer_id=customer_id,
        changed_at=now(),
        cause=cause,
        from_segment=left,
        to_segment=entered,
        model_version=work.serving.version,
    )
    history.add(work.connection, segment_change)
