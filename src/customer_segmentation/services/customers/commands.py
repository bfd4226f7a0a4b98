"""The use cases on stored customers: read, list, add, update, replace, delete."""

from collections.abc import Container
from dataclasses import replace
from math import isnan

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.customer import Attributes, nulled
from customer_segmentation.domain.errors import (
    CustomerExistsError,
    CustomerNotFoundError,
    IdempotencyError,
    StaleCustomerError,
    TransactionConflictError,
)
from customer_segmentation.domain.history import SegmentChange
from customer_segmentation.domain.paging import Page, Selection
from customer_segmentation.services.audiences.membership import require_audience
from customer_segmentation.services.customers import changes
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import history, idempotency


def get_customer(units: UnitsOfWork, customer_id: CustomerId) -> SegmentedCustomer:
    """Return a customer with the segment that the active model gives.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    active, found = units.customers.look_up(units.database, customer_id)
    view = units.view(active)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    segmented = view.read(customer_id, *found)
    units.audit.note_reads(units.database, [customer_id])
    return segmented


def list_customers(
    units: UnitsOfWork, selection: Selection
) -> tuple[list[SegmentedCustomer], Page | None]:
    """Return the customers of a selection, and where the next ones start, None after the last.

    While customers are re-scored after an activation, a selection by segment goes by the segments
    written down so far; each customer is shown with the segment that the active model gives.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    with units.read() as work:
        if selection.audience is not None:
            require_audience(work.connection, selection.audience)
        rows = work.customers.read_page(work.connection, selection, selection.limit + 1)
        shown = rows[: selection.limit]
        ids = work.ids.ids_of(work.connection, [number for number, *_ in shown])
        found = [work.read(one, *row) for one, row in zip(ids, shown, strict=True)]
    units.audit.note_reads(units.database, ids)
    if len(rows) <= selection.limit:
        return found, None
    number, attributes, _ = shown[-1]
    value = None if selection.sort is None else attributes[selection.sort]
    return found, Page(None if value is None or isnan(value) else value, number)


def add_customer(
    work: UnitOfWork, customer_id: CustomerId, attributes: Attributes
) -> SegmentedCustomer:
    """Store a new customer, segmented.

    Raises:
        CustomerExistsError: the id is taken.
        CustomerErasedError: the customer was erased.
    """
    return changes.add(work, customer_id, attributes)


def add_customer_once(
    work: UnitOfWork, customer_id: CustomerId, attributes: Attributes, key: str
) -> SegmentedCustomer:
    """Store a new customer, or where the same was asked under this key before, return that answer.

    Raises:
        CustomerExistsError: the id is taken, by another request.
        CustomerErasedError: the customer was erased.
        IdempotencyError: the key was used for something else.
    """
    number = work.ids.take(work.connection, customer_id)
    before = idempotency.find(work.connection, key)
    if before is not None:
        if (before.customer_id, before.asked) != (number, nulled(attributes)):
            raise IdempotencyError(f"The idempotency key {key} was used for another request")
        # The segment answered may be gone with the model of then.
        answered = before.segment in work.serving.segments
        segment = before.segment if answered else work.serving.assign(attributes)
        return work.segmented(customer_id, attributes, segment)
    # The key first: of two such requests at once the second waits here and repeats the answer.
    segment = work.serving.assign(attributes)
    idempotency.add(work.connection, key, number, attributes, segment, now())
    return changes.add(work, customer_id, attributes)


def update_customer(
    work: UnitOfWork,
    customer_id: CustomerId,
    changed: Attributes,
    tags: Container[str] | None = None,
) -> SegmentedCustomer:
    """Change the attributes given, keep the others, and segment the customer anew.

    Raises:
        CustomerNotFoundError: there is no such customer.
        StaleCustomerError: tags are given, and the customer's is none of them.
    """
    return changes.change(work, customer_id, changed, tags)


def replace_customer(
    work: UnitOfWork,
    customer_id: CustomerId,
    attributes: Attributes,
    tags: Container[str] | None = None,
    *,
    only_new: bool = False,
) -> tuple[SegmentedCustomer, bool]:
    """Store a customer under an id, new or in place of the one that has it.

    Returns:
        the customer, and whether it is new.

    Raises:
        StaleCustomerError: tags are given, and there is no customer with one of them; or the
            customer is to be new, and is not.
        CustomerErasedError: the customer was erased.
    """
    if only_new:
        try:
            return changes.add(work, customer_id, attributes), True
        except CustomerExistsError as taken:
            raise StaleCustomerError(customer_id) from taken
    try:
        return changes.change(work, customer_id, attributes, tags), False
    except CustomerNotFoundError as absent:
        if tags is not None:
            raise StaleCustomerError(customer_id) from absent
    try:
        return changes.add(work, customer_id, attributes), True
    except CustomerExistsError as taken:
        # Another request has just added it, so that it is there to be replaced.
        raise TransactionConflictError("Another change stood in the way") from taken


def delete_customer(
    work: UnitOfWork, customer_id: CustomerId, tags: Container[str] | None = None
) -> None:
    """Delete a customer.

    Raises:
        CustomerNotFoundError: there is no such customer.
        StaleCustomerError: tags are given, and the customer's is none of them.
    """
    changes.remove(work, customer_id, tags)


def delete_customer_once(
    work: UnitOfWork, customer_id: CustomerId, tags: Container[str] | None, key: str
) -> None:
    """Delete a customer, unless that was done under this key before.

    Raises:
        CustomerNotFoundError: there is no such customer.
        StaleCustomerError: tags are given, and the customer's is none of them.
        IdempotencyError: the key was used for something else.
    """
    number = work.ids.number_of(work.connection, customer_id)
    if idempotency.claim(work.connection, key, f"delete customer {number}", now()):
        changes.remove(work, customer_id, tags)


def get_history(units: UnitsOfWork, customer_id: CustomerId) -> list[SegmentChange]:
    """Return how a customer, also a deleted one, came from segment to segment, oldest first.

    Raises:
        CustomerNotFoundError: there never was such a customer.
    """
    with units.database.read() as connection:
        number = units.ids.number_of(connection, customer_id)
        found = [] if number is None else history.of_customer(connection, number)
    if not found:
        raise CustomerNotFoundError(customer_id)
    units.audit.note_reads(units.database, [customer_id])
    return [replace(change, customer_id=customer_id) for change in found]
