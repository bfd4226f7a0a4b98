"""The use cases on stored customers: read, add, update, delete."""

from dataclasses import dataclass

from sqlalchemy import Connection

from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import CustomerNotFoundError
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.domain.segments import Segment
from customer_segmentation.services.clock import now
from customer_segmentation.services.unit_of_work import ServingModel, UnitOfWork, UnitsOfWork
from customer_segmentation.store import customers, history
from customer_segmentation.store.customers import Assignment


@dataclass(frozen=True, slots=True)
class SegmentedCustomer:
    """A customer and the segment it is in."""

    customer: Customer
    segment: Segment


def get_customer(units: UnitsOfWork, customer_id: int) -> SegmentedCustomer:
    """Return a customer with the segment that the active model gives.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    with units.read() as work:
        found = customers.find(work.connection, customer_id)
        if found is None:
            raise CustomerNotFoundError(customer_id)
        attributes, assignment = found
        if assignment.model_version != work.serving.version:
            assignment = _assign(work.serving, attributes)
        return _segmented(work, customer_id, attributes, assignment)


def add_customer(units: UnitsOfWork, customer_id: int, attributes: Attributes) -> SegmentedCustomer:
    """Store a new customer, segmented.

    Raises:
        CustomerExistsError: the id is taken.
    """
    with units.write() as work:
        assignment = _assign(work.serving, attributes)
        customers.add(work.connection, customer_id, attributes, assignment)
        _note(work.connection, customer_id, Cause.ADDED, None, assignment)
        return _segmented(work, customer_id, attributes, assignment)


def update_customer(units: UnitsOfWork, customer_id: int, changes: Attributes) -> SegmentedCustomer:
    """Change the attributes given, keep the others, and segment the customer anew.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    with units.write() as work:
        found = customers.find(work.connection, customer_id, for_update=True)
        if found is None:
            raise CustomerNotFoundError(customer_id)
        before, left = found
        attributes = {**before, **changes}
        assignment = _assign(work.serving, attributes)
        customers.change(work.connection, customer_id, changes, assignment)
        if assignment.segment != left.segment:
            _note(work.connection, customer_id, Cause.UPDATED, left, assignment)
        return _segmented(work, customer_id, attributes, assignment)


def delete_customer(units: UnitsOfWork, customer_id: int) -> None:
    """Delete a customer.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    with units.database.write() as connection:
        left = customers.remove(connection, customer_id)
        if left is None:
            raise CustomerNotFoundError(customer_id)
        _note(connection, customer_id, Cause.DELETED, left, None)


def get_history(units: UnitsOfWork, customer_id: int) -> list[SegmentChange]:
    """Return how a customer, also a deleted one, came from segment to segment, oldest first.

    Raises:
        CustomerNotFoundError: there never was such a customer.
    """
    with units.database.read() as connection:
        changes = history.of_customer(connection, customer_id)
    if not changes:
        raise CustomerNotFoundError(customer_id)
    return changes


def _assign(serving: ServingModel, attributes: Attributes) -> Assignment:
    return Assignment(serving.assign(attributes), serving.version)


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
        change = SegmentChange(
            customer_id=customer_id,
            changed_at=now(),
            cause=cause,
            from_segment=None if left is None else left.segment,
            to_segment=None if entered is None else entered.segment,
            model_version=last.model_version,
        )
        history.add(connection, change)


def _segmented(
    work: UnitOfWork, customer_id: int, attributes: Attributes, assignment: Assignment
) -> SegmentedCustomer:
    customer = Customer(customer_id, attributes, assignment.segment)
    return SegmentedCustomer(customer, work.serving.segments[assignment.segment])
