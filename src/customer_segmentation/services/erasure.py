"""The use cases of erasing a customer for good, and of letting one come back."""

import uuid
from collections.abc import Container
from datetime import datetime

from customer_segmentation.domain.erasure import Erasure
from customer_segmentation.domain.errors import CustomerNotFoundError, StaleCustomerError
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services import changes
from customer_segmentation.services.audit import CUSTOMER, note
from customer_segmentation.services.clock import now
from customer_segmentation.services.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store import audit, erasures, history, models


def erase_customer(
    work: UnitOfWork, customer_id: int, by: str = "", tags: Container[str] | None = None
) -> Erasure:
    """Delete a customer with its history and events, and see that nothing brings it back.

    A customer deleted before is erased too: its history was still there.

    Raises:
        CustomerNotFoundError: there is nothing about such a customer.
        StaleCustomerError: tags are given, and there is no customer with one of them.
    """
    known = history.of_customer(work.connection, customer_id)
    if not known:
        raise CustomerNotFoundError(customer_id)
    removed = {"customer": 0}
    if known[-1].cause is not Cause.DELETED:
        changes.remove(work, customer_id, tags)
        removed["customer"] = 1
    elif tags is not None:
        raise StaleCustomerError(customer_id)
    moment = now()
    stays = _stays(known, moment)
    trained = [
        version.version
        for version in models.read_all(work.connection)
        if any(came <= version.created_at <= left for came, left in stays)
    ]
    removed |= erasures.remove_traces(work.connection, customer_id)
    removed["audit values"] = audit.remove_values(work.connection, CUSTOMER, str(customer_id))
    note(work.connection, CUSTOMER, customer_id, "erased", by)
    erasure = Erasure(uuid.uuid4().hex, customer_id, moment, by, removed, tuple(sorted(trained)))
    erasures.add(work.connection, erasure)
    return erasure


def get_erasure(units: UnitsOfWork, customer_id: int) -> Erasure:
    """Return the receipt of an erased customer.

    Raises:
        CustomerNotFoundError: no such customer was erased.
    """
    with units.database.read() as connection:
        found = erasures.find(connection, customer_id)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    return found


def lift_erasure(units: UnitsOfWork, customer_id: int) -> None:
    """Let an erased customer be added again; the receipt goes with the suppression.

    Raises:
        CustomerNotFoundError: no such customer was erased.
    """
    with units.database.write() as connection:
        if not erasures.lift(connection, customer_id):
            raise CustomerNotFoundError(customer_id)
        note(connection, CUSTOMER, customer_id, "erasure lifted")


def _stays(known: list[SegmentChange], moment: datetime) -> list[tuple[datetime, datetime]]:
    """Return from when to when a customer was there, each time."""
    stays = []
    came: datetime | None = None
    for change in known:
        if change.cause is Cause.ADDED:
            came = change.changed_at
        elif change.cause is Cause.DELETED and came is not None:
            stays.append((came, change.changed_at))
            came = None
    return stays if came is None else [*stays, (came, moment)]
